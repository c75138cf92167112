"""Fixtures that several kinds of tests share: the real engine, the image, projects, and a guard of the real home."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.model_server import ModelServer
from tests.support.project import REPOSITORY, USER, Project

if TYPE_CHECKING:
    from docker import DockerClient

_HOME = Path.home()
_GUARDED = (".ssh", ".local/state/envkit", ".cache/envkit", ".config/envkit")


@pytest.fixture(autouse=True)
def _real_home_untouched() -> Iterator[None]:
    before = _listing()
    yield
    assert _listing() == before, "the test touched the real home folder"


def _listing() -> dict[Path, int]:
    roots = [_HOME / name for name in _GUARDED]
    found = [path for root in roots if root.is_dir() for path in (root, *root.rglob("*"))]
    return {path: path.lstat().st_mtime_ns for path in found}


@pytest.fixture(scope="session")
def engine() -> Iterator[DockerClient]:
    """A client of the real engine."""
    from envkit.launch.engine import connect

    client = connect()
    yield client
    client.close()


@pytest.fixture(scope="session")
def cpu_image() -> str:
    """The CPU image of this checkout; built if it is not there."""
    from envkit.launch.build import ensure
    from envkit.settings import load

    return ensure(load({"project": str(REPOSITORY)}), "cpu", report=_say)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


@pytest.fixture(scope="session")
def make_project(cpu_image: str) -> Iterator[Callable[..., Project]]:
    """Makes projects (see `Project.make`) that use the CPU image, and removes them at the end of the session."""
    made: list[Project] = []

    def make(owner: int = USER, registry: str = "models: []\n") -> Project:
        made.append(Project.make(owner, registry, cpu_image))
        return made[-1]

    yield make
    for project in made:
        project.remove()


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    """An ordinary user's project with no models."""
    return make_project()


@pytest.fixture
def model_server(engine: DockerClient) -> Iterator[ModelServer]:
    """A server that containers reach as well: on the bridge's own address."""
    with ModelServer(engine.networks.get("bridge").attrs["IPAM"]["Config"][0]["Gateway"]) as server:
        yield server
