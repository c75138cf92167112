"""A real repository for each test, with no commit yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.history_project import GitProject


@pytest.fixture
def repo(tmp_path: Path) -> GitProject:
    return GitProject.make(tmp_path / "project")
