"""What of a store nobody uses, and its removal. Nothing is removed that was not asked for by name of the command."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial as bind
from pathlib import Path

from envkit.models.checkpoints import Checkpoints
from envkit.models.store import roots
from envkit.models.store.blobs import Blobs
from envkit.models.store.hand import Hand
from envkit.models.transfer import partial as partials

_FRESH = 3600.0  # seconds: younger ones may belong to a sync that has not come to its end
_ABANDONED = 7 * 86400.0  # a download that nobody went on with for a week


@dataclass(frozen=True)
class Garbage:
    """Something that is of no use: what it is, its size in bytes, and how to remove it (`OSError` if it stays)."""

    kind: str
    name: str
    size: int
    remove: Callable[[], object]


def garbage(
    root: Path, projects: tuple[Path, ...], *, gone: bool, clock: Callable[[], float] = time.time
) -> list[Garbage]:
    """What of the store at ``root`` can go: blobs that no project uses, downloads given up, notes of either.

    ``projects`` are those that count besides the ones the store knows of. One that is not in sight (a disk that is not
    mounted, a folder that only a container has) keeps what it was noted to use, unless ``gone`` says to forget it.

    Raises:
        ModelError: what a project uses is not for the caller to read.
    """
    now = clock()
    blobs = Blobs(root, Hand())
    used: set[str] = set()
    for project in projects:
        used |= roots.used_by(project) or set()
    found = []
    for note in roots.registered(root):
        uses = note.uses_now()
        if uses is None and gone:
            found.append(Garbage("project", str(note.project), 0, note.path.unlink))
        else:
            used |= note.uses if uses is None else uses
    lost = set()
    for path, stat in _stats(blobs.path(sha256) for sha256 in blobs.all()):
        # A further name is a project's, known here or not.
        if path.name not in used and stat.st_nlink == 1 and now - stat.st_mtime > _FRESH:
            lost.add(path.name)
            found.append(Garbage("blob", path.name, stat.st_size, bind(_remove_blob, blobs, path.name)))
    found += _trees(root, set(blobs.all()) - lost)
    found += _abandoned(root, now)
    # Not of an archive that is being unpacked: its members have names of their own.
    found += temporary((path for path in root.rglob("*.new") if "staging" not in path.parts), now)
    return found


def temporary(paths: Iterable[Path], now: float) -> Iterator[Garbage]:
    """What of these was left half-written by a process that was killed."""
    for path, stat in _stats(paths):
        if now - stat.st_mtime > _FRESH:
            yield Garbage("temporary", path.name, stat.st_size, bind(path.unlink, missing_ok=True))


def out_of_sight(root: Path) -> list[Path]:
    """Projects that use the store and are not there to be looked at."""
    return [note.project for note in roots.registered(root) if note.uses_now() is None]


def outdated(checkpoints: Checkpoints, wanted: Collection[str]) -> Iterator[Garbage]:
    """Models that a sync put in place and ``models.yaml``, which names the targets ``wanted``, does not name any more.

    Files that envkit has no record of are somebody's own.
    """
    for path, _ in _stats((checkpoints.bookkeeping / "records").glob("*.json")):
        target = checkpoints.folder / path.stem
        if target.name not in wanted:
            size = sum(stat.st_size for file, stat in _stats([target, *target.rglob("*")]) if not file.is_dir())
            yield Garbage("model", target.name, size, bind(_remove_model, target, path))


def _remove_blob(blobs: Blobs, sha256: str) -> None:
    blobs.remove(sha256)
    if blobs.path(sha256).exists():
        raise PermissionError(f"{sha256} stays")


def _remove_download(path: Path) -> None:
    partials.remove_dead(path)
    if path.exists():
        raise PermissionError(f"{path.name} stays: somebody may be writing to it")


def _remove_model(target: Path, record: Path) -> None:
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    else:
        target.unlink(missing_ok=True)
    record.unlink(missing_ok=True)


def _trees(root: Path, there: set[str]) -> Iterator[Garbage]:
    for path, stat in _stats((root / "trees").glob("*.json")):
        leaves: set[str] = set()
        with suppress(OSError, ValueError, TypeError, KeyError):
            leaves = {leaf["sha256"] for leaf in json.loads(path.read_text("utf-8"))["leaves"]}
        if not leaves or leaves - there:
            yield Garbage("list of files", path.stem, stat.st_size, path.unlink)
    for link, sha256 in Blobs(root, Hand()).names():
        if sha256 not in there:
            yield Garbage("name", link.name, 0, link.unlink)


def _abandoned(root: Path, now: float) -> Iterator[Garbage]:
    for path, stat in _stats((root / "partial").glob("*.part")):
        if now - stat.st_mtime > _ABANDONED:
            yield Garbage("download", path.name, stat.st_blocks * 512, bind(_remove_download, path))


def _stats(paths: Iterable[Path]) -> Iterator[tuple[Path, os.stat_result]]:
    """Those that are still there: a sync may be at work meanwhile."""
    for path in sorted(paths):
        with suppress(FileNotFoundError):
            yield path, path.lstat()
