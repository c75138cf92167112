"""One run's writes to ``checkpoints/``: temporary files, and the rename that makes them models.

A file or folder gets its final name by rename, when its digests have matched and its bytes are on the disk; what it
replaces is moved aside in the same breath and deleted afterwards. No lock is relied on: two runs at once do double
work, and each publishes whole models. The one lock there is tells a run that is alive from what a dead one left.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from envkit import flock
from envkit.errors import ModelError
from envkit.models import records
from envkit.models.model import Digests, Model
from envkit.models.records import Record
from envkit.models.store import Store
from envkit.settings import Owner

# Seconds. The coarsest clocks of file systems in use count in two seconds, the usual ones in four milliseconds.
_LONGEST_TICK, _POLL = 2.5, 0.001
_TRIES = 20
_TAKEN = {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EISDIR}


class Workspace:
    """A folder for one run's temporary files, on the same file system as the models. Made by `opened`."""

    def __init__(self, store: Store, folder: Path, owner: Owner | None) -> None:
        self._store = store
        self._folder = folder
        self._owner = owner

    def fresh(self) -> Path:
        """A path for a new temporary file or folder."""
        return self._folder / token_hex(8)

    def publish(self, staged: Path, model: Model, artifact: Digests, digests: Mapping[str, str]) -> None:
        """Make ``staged``, a file or folder of this workspace, the model in place.

        ``artifact`` is what it was made from; ``digests`` has the SHA-256 of each of its files by path (empty for a
        file that is the model).
        """
        for path in (staged, *staged.rglob("*")):
            _give(path, self._owner)
            _sync_to_disk(path)
        target = self._store.target(model)
        self._swap_in(staged, target)
        try:
            self._wait_for_tick(max((target / path).stat().st_ctime_ns for path in digests))
            files = tuple(records.facts_of(target, path, sha256) for path, sha256 in digests.items())
        except FileNotFoundError:
            return  # another run is putting its own in place this moment, and records that
        self.save(model, Record(artifact, model.unpack, model.paths, files))

    def save(self, model: Model, record: Record) -> None:
        """Write a record, whole or not at all."""
        path, staged = self._store.record_path(model), self.fresh()
        staged.write_text(record.to_json(), "utf-8")
        _give(staged, self._owner)
        _sync_to_disk(staged)
        staged.replace(path)
        _sync_to_disk(path.parent)

    def _swap_in(self, staged: Path, target: Path) -> None:
        for _ in range(_TRIES):
            aside = self.fresh()
            # A file replaces a file in one step; a folder has to be out of the way first.
            if staged.is_dir() or target.is_dir():
                with suppress(FileNotFoundError):
                    target.rename(aside)
            try:
                staged.replace(target)
            except OSError as error:
                if error.errno in _TAKEN:
                    continue  # another run published in between
                if aside.exists():
                    aside.rename(target)
                raise
            _sync_to_disk(target.parent)
            return
        raise ModelError(f"{target}: another process keeps replacing it")

    def _wait_for_tick(self, changed_ns: int) -> None:
        """Wait until a change would leave another time: within one tick of the clock, tampering would be invisible."""
        probe, deadline = self.fresh(), time.monotonic() + _LONGEST_TICK
        while time.monotonic() < deadline:
            probe.write_bytes(b"")
            if probe.stat().st_ctime_ns > changed_ns:
                break
            time.sleep(_POLL)
        probe.unlink()


@contextmanager
def opened(store: Store, owner: Owner) -> Iterator[Workspace]:
    """A workspace for one run: what dead runs left is cleared away before, what this one leaves afterwards.

    Called by root, everything made is given to ``owner``.

    Raises:
        ModelError: ``checkpoints/`` cannot be written to.
    """
    whose = owner if os.geteuid() == 0 and not owner.is_root else None
    runs = store.bookkeeping / "runs"
    try:
        _make_folders(store, whose)
        _clear_dead(runs)
        folder, lock = _claim(runs, whose)
    except OSError as error:
        raise ModelError(f"{error.filename or store.folder}: cannot be written: {error.strerror}") from error
    try:
        yield Workspace(store, folder, whose)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _make_folders(store: Store, owner: Owner | None) -> None:
    if _make(store.folder, owner):
        # Weights do not belong in Git, whether or not the project's own .gitignore says so.
        ignore = store.folder / ".gitignore"
        ignore.write_text("*\n", "utf-8")
        _give(ignore, owner)
    for folder in (store.bookkeeping, store.bookkeeping / "records", store.bookkeeping / "runs"):
        _make(folder, owner)


def _make(folder: Path, owner: Owner | None) -> bool:
    """Make one folder; whether it was not there."""
    try:
        folder.mkdir()
    except FileExistsError:
        if owner and folder.is_symlink() and folder.stat().st_uid != owner.uid:
            # Else whoever owns the project could have root write into any folder of the machine.
            hint = "call envkit as that owner, or give them the folder"
            raise ModelError(f"{folder}: a link to a folder that is not the project owner's", hint=hint) from None
        return False
    _give(folder, owner)
    return True


def _clear_dead(runs: Path) -> None:
    for folder in runs.iterdir():
        with suppress(OSError):
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                if flock.take(lock, unsupported=False):
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


def _claim(runs: Path, owner: Owner | None) -> tuple[Path, int]:
    """A new folder, locked for as long as the returned descriptor is open."""
    while True:
        folder = runs / token_hex(8)
        _make(folder, owner)
        # Another run may take it for a dead one's until it is locked: then it is gone, or about to go.
        with suppress(FileNotFoundError):
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            if flock.take(lock, unsupported=True) and folder.exists():
                return folder, lock
            os.close(lock)


def _give(path: Path, owner: Owner | None) -> None:
    if owner is not None:
        os.chown(path, owner.uid, owner.gid, follow_symlinks=False)


def _sync_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
