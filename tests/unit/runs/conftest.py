"""Git without anybody's configuration, and a repository for each test."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.code_project import GIT_ENVIRON, CodeProject


@pytest.fixture(autouse=True)
def _git_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {**GIT_ENVIRON, "HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def anothers() -> Iterator[CodeProject]:
    """A project of another user, where root can make one: in a folder that everybody may look into."""
    if os.geteuid() != 0:
        pytest.skip("only root can act for another user")
    folder = Path(tempfile.mkdtemp(prefix="envkit-test-"))
    folder.chmod(0o755)
    yield CodeProject.make(folder / "project", {"train.py": "print('one')\n"})
    shutil.rmtree(folder)


@pytest.fixture
def project(tmp_path: Path) -> CodeProject:
    return CodeProject.make(
        tmp_path / "project", {"train.py": "print('one')\n", "gone.py": "", "big.bin": bytes(range(256))}
    )
