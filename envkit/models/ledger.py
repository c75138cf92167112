"""Writes down what was proven, once it is on the disk and once a later change would show.

Records are written in batches. Before a batch its bytes are flushed: a record that outlived its file would be a lie
after a power cut. Then the clock of the file system has to move on: a change within the same tick leaves the same
times. A file that does not look by then as it did when it was published is not recorded, and hashed at the next sync.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

from envkit.models import records
from envkit.models.model import Digests, Model
from envkit.models.records import FileFacts, Record
from envkit.models.store.blobs import WORTH_NOTING, Blobs
from envkit.models.store.trees import Leaf
from envkit.models.workspace import Workspace

# Seconds. The coarsest clocks of file systems in use count in two seconds, the usual ones in four milliseconds.
_LONGEST_TICK, _POLL = 2.5, 0.001
_BATCH = 256  # models
_LARGE = 4 << 20  # bytes: such a file is flushed by itself, smaller ones with all else


@dataclass(frozen=True)
class _Entry:
    """A record to be written, and how many names each of its files had when it was made."""

    model: Model
    record: Record
    names: tuple[int, ...]


class Ledger:
    """The records of one run; for several threads."""

    def __init__(self, workspace: Workspace, blobs: Blobs) -> None:
        self._workspace = workspace
        self._blobs = blobs
        self._lock = Lock()
        self._waiting: list[_Entry] = []

    def proven(self, model: Model, artifact: Digests, leaves: Iterable[Leaf]) -> None:
        """Note a model that was published this moment."""
        target = self._workspace.checkpoints.target(model)
        try:
            seen = [(leaf, (target / leaf.path).stat()) for leaf in leaves]
        except FileNotFoundError:
            return  # another run is putting its own in place this moment, and records that
        files = tuple(records.facts_from(stat, leaf.path, leaf.sha256) for leaf, stat in seen)
        names = tuple(stat.st_nlink for _, stat in seen)
        for facts in files:
            if facts.size >= _LARGE:
                _flush(target / facts.path)
        record = Record(artifact, records.pinned_by(model), model.unpack, model.paths, files)
        with self._lock:
            self._waiting.append(_Entry(model, record, names))
            # A large model is worth a record of its own: who is killed later need not hash it again.
            due = len(self._waiting) >= _BATCH or any(facts.size >= _LARGE for facts in files)
            batch = self._taken() if due else []
        self._write(batch)

    def hashed(self, model: Model, record: Record) -> None:
        """Note a model that was in place, and whose bytes are right."""
        target = self._workspace.checkpoints.target(model)
        with suppress(FileNotFoundError):
            names = tuple((target / facts.path).stat().st_nlink for facts in record.files)
            with self._lock:
                self._waiting.append(_Entry(model, record, names))

    def flush(self) -> None:
        """Write what was noted."""
        with self._lock:
            batch = self._taken()
        self._write(batch)

    def save(self, model: Model, record: Record) -> None:
        """Write one record, whole or not at all."""
        path = self._workspace.checkpoints.record_path(model)
        self._workspace.hand.write(path, record.to_json().encode())

    def _taken(self) -> list[_Entry]:
        batch, self._waiting = self._waiting, []
        return batch

    def _write(self, batch: list[_Entry]) -> None:
        if not batch:
            return
        if any(facts.size < _LARGE for entry in batch for facts in entry.record.files):
            _flush_all(self._workspace.checkpoints.folder)
        self._wait_for_tick(max(facts.ctime_ns for entry in batch for facts in entry.record.files))
        for entry in batch:
            target = self._workspace.checkpoints.target(entry.model)
            files = [_still(*pair, target) for pair in zip(entry.record.files, entry.names, strict=True)]
            known = [facts for facts in files if facts is not None]
            if len(known) == len(files):
                self.save(entry.model, replace(entry.record, files=tuple(known)))
            for facts in known:
                self._note_blob(facts)

    def _note_blob(self, facts: FileFacts) -> None:
        if facts.size < WORTH_NOTING:
            return
        blob = replace(facts, path="")
        if blob.still_true(self._blobs.path(facts.sha256)):
            self._blobs.note(blob)

    def _wait_for_tick(self, changed_ns: int) -> None:
        probe, deadline = self._workspace.fresh(), time.monotonic() + _LONGEST_TICK
        while time.monotonic() < deadline:
            probe.write_bytes(b"")
            if probe.stat().st_ctime_ns > changed_ns:
                break
            time.sleep(_POLL)
        probe.unlink()


def _still(facts: FileFacts, names: int, target: Path) -> FileFacts | None:
    """The facts as they are now, if it is the file of then, unharmed: a further name may have moved its change time."""
    try:
        stat = (target / facts.path).stat()
    except OSError:
        return None
    now, renamed = records.facts_from(stat, facts.path, facts.sha256), stat.st_nlink != names
    return now if now == facts or (renamed and replace(now, ctime_ns=facts.ctime_ns) == facts) else None


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flush_all(folder: Path) -> None:
    """Flush the file system of ``folder``: one wait for many small files (syncfs(2))."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(AttributeError, OSError):
            if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) == 0:
                return
        os.sync()
    finally:
        os.close(descriptor)
