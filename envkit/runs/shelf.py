"""Where a project keeps its snapshots: ``.envkit/runs``, which Git ignores; of those of starts the newest."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Protocol

from envkit.errors import InputError
from envkit.runs.snapshot import Snapshot

FOLDER = ".envkit/runs"
KEPT = 100
"""How many snapshots of starts stay. One that was asked for stays until its user removes it."""

STARTS = ("jupyter", "ssh", "command")
_START = re.compile(rf"\d{{8}}T\d{{6}}Z-({'|'.join(STARTS)})-[0-9a-f]{{8}}\.json")
_DAY = 86400.0  # seconds


class Hand(Protocol):
    """Makes folders and files that belong to whose the project is."""

    def make(self, folder: Path) -> bool: ...

    def give(self, path: Path) -> None: ...

    def write(self, path: Path, data: bytes) -> None: ...


def name(taken: datetime, service: str, identity: str) -> str:
    """The name of a snapshot's file: in the order of time, also when sorted as text."""
    return f"{taken:%Y%m%dT%H%M%SZ}-{service}-{identity}.json"


def patch_of(file: Path) -> Path:
    """The patch that belongs to a snapshot."""
    return file.with_name(f"{file.name}.patch")


def prepare(project: Path, hand: Hand, folder: str = FOLDER) -> Path:
    """Make a folder below the project that Git ignores.

    Raises:
        InputError: it cannot be made.
    """
    place = project
    try:
        for part in folder.split("/"):
            place = place / part
            hand.make(place)
        if not (place / ".gitignore").exists():
            hand.write(place / ".gitignore", b"*\n")
    except OSError as error:
        raise _unusable(place, error) from error
    return place


def put(file: Path, snapshot: Snapshot, patch: bytes, hand: Hand) -> None:
    """Write a snapshot and its patch, each whole or not at all.

    Raises:
        InputError: they cannot be written.
    """
    try:
        if patch:
            hand.write(patch_of(file), patch)
        hand.write(file, snapshot.to_json().encode())
    except OSError as error:
        raise _unusable(file, error) from error


def clear(folder: Path) -> None:
    """Remove the snapshots of starts that are too old to be kept, and what writers who were killed left."""
    with suppress(OSError):
        starts = sorted(path for path in folder.iterdir() if _START.fullmatch(path.name))
        for path in starts[:-KEPT]:
            path.unlink(missing_ok=True)
            patch_of(path).unlink(missing_ok=True)
        for path in folder.glob("*.new"):
            if time.time() - path.stat().st_mtime > _DAY:
                path.unlink(missing_ok=True)


def _unusable(path: Path, error: OSError) -> InputError:
    return InputError(f"{path}: cannot be written: {error.strerror}", hint="-o FILE puts a snapshot elsewhere")
