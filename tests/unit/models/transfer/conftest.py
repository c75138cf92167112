"""Downloads in small: here a file of more than 64 KiB is a large one, and has parts of 64 KiB."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from envkit.models.transfer import download, fetch, pieces
from tests.support.fetching import Fetcher
from tests.support.model_server import ModelServer
from tests.support.wait import until

SMALL = 64 << 10


@pytest.fixture(autouse=True)
def _in_small(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (download, fetch):
        monkeypatch.setattr(module, "SMALL", SMALL)
    for module in (download, pieces):
        monkeypatch.setattr(module, "LEAST", SMALL)
    monkeypatch.setattr(download, "_CHUNK", SMALL // 4)
    monkeypatch.setattr(download, "_BEAT", 0.01)
    monkeypatch.setattr(download, "_SHORTEST_TRIAL", 0.02)
    monkeypatch.setattr(download, "_JOURNAL_EVERY", 0.02)


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    """No thread goes on, and no file stays open, once a download has ended, however it has."""
    before = _threads()
    yield
    until(lambda: _threads() <= before, "all threads of the download have ended", 20)
    assert _open_parts() == []


def _threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "envkit-models"}


def _open_parts() -> list[str]:
    found = []
    for path in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            found.append(str(path.readlink()))
    return [link for link in found if ".part" in link or ".lock" in link]


@pytest.fixture
def fetcher(tmp_path: Path) -> Fetcher:
    (tmp_path / "partial").mkdir()
    return Fetcher(tmp_path / "partial")


@pytest.fixture
def other() -> Iterator[ModelServer]:
    """A server on another host."""
    with ModelServer("127.0.0.2") as running:
        yield running
