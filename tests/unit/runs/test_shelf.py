"""The snapshots of a project: sorted by time, out of Git's sight, and of starts the newest."""

from __future__ import annotations

import os
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from envkit.errors import InputError
from envkit.models.store.hand import Hand
from envkit.runs import shelf
from tests.support.code_project import CodeProject
from tests.support.snapshots import SNAPSHOT

NOON = datetime(2026, 11, 24, 12, 0, 0, tzinfo=timezone.utc)


def test_names_have_the_time_the_service_and_the_id() -> None:
    assert shelf.name(NOON, "jupyter", "0123abcd") == "20261124T120000Z-jupyter-0123abcd.json"


def test_git_sees_none_of_it(project: CodeProject) -> None:
    folder = shelf.prepare(project.path, Hand())
    shelf.put(folder / "x.json", SNAPSHOT, b"patch", Hand())
    assert folder == project.path / ".envkit" / "runs"
    assert project.git("status", "--porcelain") == ""
    assert (folder / "x.json.patch").read_bytes() == b"patch"


def test_of_starts_the_newest_hundred_stay_and_what_was_asked_for_stays_at_all(tmp_path: Path) -> None:
    folder = shelf.prepare(tmp_path, Hand())
    for number in range(130):
        service = ("jupyter", "ssh", "command")[number % 3]
        shelf.put(folder / shelf.name(NOON + timedelta(number), service, f"{number:08x}"), SNAPSHOT, b"p", Hand())
    asked = folder / shelf.name(NOON - timedelta(900), "snapshot", "0" * 8)
    shelf.put(asked, SNAPSHOT, b"p", Hand())
    (folder / "notes.json").write_text("mine")
    shelf.clear(folder)
    left = sorted(path.name for path in folder.glob("2*.json"))
    assert left.pop(0) == asked.name
    assert [int(re.split(r"[-.]", name)[2], 16) for name in left] == list(range(30, 130))
    assert len([*folder.glob("*.patch")]) == 101
    assert (folder / "notes.json").exists()


def test_what_a_writer_left_who_was_killed_goes_after_a_day(tmp_path: Path) -> None:
    folder = shelf.prepare(tmp_path, Hand())
    (folder / "a.json.0000.new").touch()
    (folder / "b.json.0000.new").touch()
    os.utime(folder / "a.json.0000.new", (1, 1))
    shelf.clear(folder)
    assert [path.name for path in folder.glob("*.new")] == ["b.json.0000.new"]


def test_a_place_that_cannot_be_written_to_says_so(tmp_path: Path) -> None:
    (tmp_path / ".envkit").write_text("a file")
    with pytest.raises(InputError, match=r"\.envkit/runs: cannot be written: Not a directory\n.*-o FILE"):
        shelf.prepare(tmp_path, Hand())
    with pytest.raises(InputError, match="cannot be written: No such file or directory"):
        shelf.put(tmp_path / "no" / "x.json", SNAPSHOT, b"", Hand())
