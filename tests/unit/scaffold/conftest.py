"""Folders for `envkit init`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.scaffold import Scaffold


@pytest.fixture
def scaffold(tmp_path: Path) -> Scaffold:
    """A folder ``demo`` that is not there yet."""
    home = tmp_path / "home"
    home.mkdir()
    return Scaffold(tmp_path / "demo", home)
