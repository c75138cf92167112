"""Fixtures of the image's tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.image.container import Boxes

if TYPE_CHECKING:
    from docker import DockerClient


@pytest.fixture
def boxes(engine: DockerClient, cpu_image: str) -> Iterator[Boxes]:
    """Starts containers; a log line of theirs that warns of something unexpected fails the test."""
    started = Boxes(engine, cpu_image)
    yield started
    alarms = started.remove()
    assert not alarms, f"a container logged what nobody expected:\n{alarms}"
