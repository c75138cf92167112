"""A file on its way: its bytes as far as they have come, and the journal beside them.

Each has a name of its own that no other process uses, so two writers never share one, whatever the locks say. A process
that finds one left behind takes it over by renaming it, and only where the kernel vouches that nobody has it open for
writing; where it cannot be asked (a network file system, where a lock may lie too), the bytes are copied instead.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from secrets import token_hex

from envkit import flock
from envkit.models.transfer import journal as journals
from envkit.models.transfer.journal import Journal

_PART, _JOURNAL, _NEW = ".part", ".journal", ".new"
_COPY = 8 << 20
_ROOM = 256 << 10  # bytes: more than a block of any file system
_LOOKS, _POLL = 10, 0.01  # seconds
_LONG = 3600.0  # seconds: whoever receives a file gives up much sooner if nothing comes


@dataclass
class Partial:
    """``path`` is the file, open for reading and writing as ``descriptor``."""

    path: Path
    descriptor: int
    noted: bool = False
    begun: bool = False

    def begin(self) -> Journal | None:
        """What is there of it already; where that is nothing, it is empty now."""
        journal = self.journal()
        if journal is None and self.begun:
            self.reset()
        self.begun = True
        return journal

    def note(self, journal: Journal) -> None:
        """Write the journal, once the bytes that it speaks of are on the disk."""
        os.fdatasync(self.descriptor)
        staged = self._journal.with_suffix(_NEW)
        # Never through a link: whoever else may write here could have it lead to any file of ours.
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(staged, flags, 0o644), "wb") as file:
            file.write(journal.dumps())
        staged.replace(self._journal)
        self.noted = True

    def note_the_last(self, journal: Journal) -> None:
        """As `note`, when nobody writes to it any more: on a full disk the last bytes make room for the journal."""
        try:
            self.note(journal)
        except OSError:
            start, end = journal.done[-1]
            end = max(start, end - _ROOM)
            os.ftruncate(self.descriptor, end)
            self.note(replace(journal, done=(*journal.done[:-1], (start, end))))

    def journal(self) -> Journal | None:
        """What is there of it already, None if that is nothing."""
        found = _read(self.path) if self.noted else None
        # A disk that lost its power, or a copy of one, may have the journal and not all bytes that it speaks of.
        return found and found.within(os.fstat(self.descriptor).st_size)

    def reset(self) -> None:
        """Begin anew."""
        self._journal.unlink(missing_ok=True)
        self.noted = False
        os.ftruncate(self.descriptor, 0)

    def keep(self) -> None:
        """Let go of it: left for another time, unless it has no journal to go on with, or was moved away."""
        if self.noted and self.path.exists():
            os.close(self.descriptor)
        else:
            self.discard()

    def discard(self) -> None:
        os.close(self.descriptor)
        _remove(self.path)

    def finish(self, size: int) -> None:
        """Make sure that the ``size`` bytes that were hashed are all there is."""
        there = os.fstat(self.descriptor).st_size
        if there > size:
            # A disk's own mistake, or somebody's: what is behind the end was not there when the journal was written.
            os.ftruncate(self.descriptor, size)
            there = size
        if there != size:
            raise AssertionError(f"{self.path}: {size} bytes were hashed, {there} are there")

    @property
    def _journal(self) -> Path:
        return self.path.with_suffix(_JOURNAL)


class Partials:
    """Those in ``folder``, for one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._run = token_hex(6)
        self._count = count()

    def create(self, key: str) -> Partial:
        """A new, empty one for what goes by ``key``."""
        path = self._fresh(key)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        flock.take(descriptor, unsupported=True)
        return Partial(path, descriptor)

    def adopt(self, key: str) -> Partial | None:
        """The one with the most bytes that a dead process left for ``key``, now ours; None if there is none.

        Those that nobody could go on with are removed.
        """
        left = {path: _read(path) for path in self.folder.glob(f"{key}.*{_PART}")}
        taken = None
        for path in sorted(left, key=lambda path: _amount(left[path]), reverse=True):
            found = left[path]
            with suppress(OSError):
                if found is None or taken is not None:
                    remove_dead(path)
                else:
                    taken = self._take(path, key, found)
        return taken

    def sweep(self) -> None:
        """Remove what dead processes left and nobody can go on with: files without a journal, and the reverse."""
        for path in self.folder.glob(f"*{_PART}"):
            with suppress(OSError):
                if _read(path) is None:
                    remove_dead(path)
        for suffix in (_JOURNAL, _NEW):
            for path in self.folder.glob(f"*{suffix}"):
                if not path.with_suffix(_PART).exists():
                    path.unlink(missing_ok=True)

    def drop(self, keys: Collection[str]) -> None:
        """Remove what dead processes left of what is in place by now."""
        for path in self.folder.iterdir():
            if path.name.partition(".")[0].partition("-")[0] in keys:
                with suppress(OSError):
                    if path.suffix == _PART:
                        remove_dead(path)
                    elif not path.with_suffix(_PART).exists():
                        path.unlink()

    def abandon(self) -> None:
        """Remove those of this run that nobody can go on with: whoever writes to them is about to end."""
        for path in self.folder.glob(f"*.{self._run}-*{_PART}"):
            if not path.with_suffix(_JOURNAL).exists():
                _remove(path)

    def _fresh(self, key: str) -> Path:
        return self.folder / f"{key}.{self._run}-{next(self._count)}{_PART}"

    def _take(self, path: Path, key: str, journal: Journal) -> Partial | None:
        # Open for writing from here on: whoever comes later, whatever the locks say, finds it taken.
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        taken = None
        try:
            if flock.take(descriptor, unsupported=True):
                used = _is_used(descriptor)
                taken = self._copied(descriptor, key, journal) if used is None else None
                if used is False:
                    taken = self._renamed(path, descriptor, key, journal)
            return taken
        finally:
            if taken is None or taken.descriptor != descriptor:
                os.close(descriptor)

    def _renamed(self, path: Path, descriptor: int, key: str, journal: Journal) -> Partial:
        ours = Partial(self._fresh(key), descriptor, begun=True)
        # First of all the journal: killed after this, what is there still has one, under either name.
        ours.note(journal)
        path.rename(ours.path)
        for gone in (path.with_suffix(_JOURNAL), path.with_suffix(_NEW)):
            gone.unlink(missing_ok=True)
        return ours

    def _copied(self, source: int, key: str, journal: Journal) -> Partial:
        """A copy: whoever may still write to the other one cannot harm it. The other stays, for `gc` to collect."""
        partial = self.create(key)
        try:
            for start, end in journal.done:
                while start < end:
                    chunk = os.pread(source, min(_COPY, end - start), start)
                    if not chunk:
                        break
                    start += os.pwrite(partial.descriptor, chunk, start)  # noqa: PLW2901 - as far as it has come
            partial.note(journal)
        except OSError:
            partial.discard()
            raise
        return partial


def _read(path: Path) -> Journal | None:
    with suppress(OSError):
        return journals.loads(path.with_suffix(_JOURNAL).read_bytes())
    return None


def _amount(journal: Journal | None) -> int:
    return sum(end - start for start, end in journal.done) if journal else -1


def _is_used(descriptor: int) -> bool | None:
    """Whether anyone else has the file open; None where that cannot be known."""
    for _ in range(_LOOKS):
        used = flock.others(descriptor, "anything")
        if not used:
            return used
        time.sleep(_POLL)  # most likely for somebody who looks whether it is in use, as we do
    return True


def remove_dead(path: Path) -> None:
    """Remove one that no process writes to; others stay."""
    lock = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if flock.take(lock, unsupported=False) and _is_dead(lock):
            _remove(path)
    finally:
        os.close(lock)


def _is_dead(descriptor: int) -> bool:
    """Whether nobody writes to a file; where that cannot be known, whether nobody did for long."""
    written = flock.others(descriptor, "writing")
    return time.time() - os.fstat(descriptor).st_mtime > _LONG if written is None else not written


def _remove(path: Path) -> None:
    for gone in (path.with_suffix(_JOURNAL), path.with_suffix(_NEW), path):
        gone.unlink(missing_ok=True)
