"""A snapshot is read as it was written, and what is none says where it is not."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from envkit.errors import InputError
from envkit.runs.reading import read
from envkit.runs.snapshot import Snapshot
from tests.support.project import REPOSITORY
from tests.support.snapshots import SNAPSHOT

EMPTY = dataclasses.replace(
    SNAPSHOT, command=None, run=None, git=None, image=None, models=None, python=None, gpu=None, missing={"gpu": "none"}
)


@pytest.mark.parametrize("snapshot", [SNAPSHOT, EMPTY], ids=["full", "empty"])
def test_what_was_written_is_read(tmp_path: Path, snapshot: Snapshot) -> None:
    (tmp_path / "x.json").write_text(snapshot.to_json())
    assert read(tmp_path / "x.json") == snapshot


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("schema", 2, "schema is 2, not 1"),
        ("schema", None, "schema is None, not 1"),
        ("id", 7, "id: expected text, got 7"),
        ("command", "python", 'command: expected a list, got "python"'),
        ("command", [1], "command[0]: expected text, got 1"),
        ("git.dirty", "yes", 'git.dirty: expected true or false, got "yes"'),
        ("git.diff.size", True, "git.diff.size: expected a whole number, got true"),
        ("git.nested", [{"path": "x"}], "git.nested[0]: there is no 'commit'"),
        ("machine", None, "machine: expected an object, got null"),
        ("python.packages.numpy", None, "python.packages.numpy: expected text, got null"),
        ("run.seconds", "1", 'run.seconds: expected a number, got "1"'),
    ],
)
def test_a_wrong_value_says_where_it_is(tmp_path: Path, place: str, value: object, message: str) -> None:
    data: Any = json.loads(SNAPSHOT.to_json())
    *folders, name = place.split(".")
    inner = data
    for folder in folders:
        inner = inner[folder]
    inner[name] = value
    (tmp_path / "x.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match=re.escape(message)):
        read(tmp_path / "x.json")


def test_a_newer_envkit_may_say_more(tmp_path: Path) -> None:
    data = {**json.loads(SNAPSHOT.to_json()), "more": 1}
    (tmp_path / "x.json").write_text(json.dumps(data))
    assert read(tmp_path / "x.json") == SNAPSHOT


@pytest.mark.parametrize("text", ["", "[]", "models: []", '{"schema": 1}', "\udcff"])
def test_another_file_is_no_snapshot(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=r"x\.json"):
        read(tmp_path / "x.json")


def test_no_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"x\.json: cannot be read: No such file"):
        read(tmp_path / "x.json")


def test_the_reference_has_every_field_and_no_other() -> None:
    page = (REPOSITORY / "docs" / "reference" / "snapshot.md").read_text("utf-8")
    assert set(re.findall(r"^\| `([a-z_0-9.\[\]]+)` \|", page, re.MULTILINE)) == set(fields(Snapshot))


def fields(kind: Any, place: str = "") -> Iterator[str]:
    """``git.nested[].path`` and its like, for every value that is not made of others."""
    for name, hint in get_type_hints(kind).items():
        inner = [found for found in (hint, *get_args(hint)) if dataclasses.is_dataclass(found)]
        within = [found for found in get_args(hint) if dataclasses.is_dataclass(found) and "tuple" in str(hint)]
        label = f"{place}{name}"
        if inner:
            yield from fields(inner[0], f"{label}[]." if within else f"{label}.")
        else:
            yield label
