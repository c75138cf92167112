"""What is in ``checkpoints/``, and what envkit knows of it from ``checkpoints/.envkit``."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from envkit.errors import ModelError
from envkit.models import records
from envkit.models.model import Mismatch, Model
from envkit.models.plan import State
from envkit.models.records import FileFacts, Record

FOLDER = "checkpoints"
_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}


@dataclass(frozen=True)
class Finding:
    """What was seen of a model in place: a state, what had to be and was, and of one that is right its record."""

    state: State
    mismatches: tuple[Mismatch, ...] = ()
    record: Record | None = None


class Checkpoints:
    """The models in place of one project; ``noted`` is what the store noted of a blob by its SHA-256."""

    def __init__(self, project: Path, noted: Callable[[str], FileFacts | None] = lambda _: None) -> None:
        self._noted = noted
        self.folder = project / FOLDER
        self.bookkeeping = self.folder / ".envkit"

    def target(self, model: Model) -> Path:
        return self.folder / model.target

    def record_path(self, model: Model) -> Path:
        return self.bookkeeping / "records" / f"{model.target}.json"

    def glance(self, model: Model) -> Finding | None:
        """Compare what is in place with its record, by stat facts; None where only the bytes themselves can tell.

        Raises:
            ModelError: the folder, or what is noted in it, is not for the caller to read.
        """
        target = self.target(model)
        if self._stat(target) is None:
            return Finding("absent")
        record = self._read_record(model)
        if record and record.describes(model):
            if all(facts.still_true(target) for facts in record.files):
                return Finding("verified", record=record)
            relinked = self._relinked(record, target)
            return Finding("intact", record=relinked) if relinked else None
        if model.unpack is not None or records.pinned_by(model):
            # What came out of an archive or a set is nothing that the registry has a digest of.
            return Finding("outdated")
        return None

    def inspect(self, model: Model, advance: Callable[[int], None]) -> Finding:
        """Hash what is in place. ``advance`` is told how many bytes were, as they are. Raises as `glance` does."""
        target = self.target(model)
        if self._stat(target) is None:
            return Finding("absent")
        record = self._read_record(model)
        if record and record.describes(model):
            return _rehash(target, record, advance)
        if model.unpack is not None or records.pinned_by(model):
            return Finding("outdated")
        return _adopt(target, model, advance)

    def size(self, model: Model) -> int:
        """How many bytes there are to hash, as far as is known without looking at each file."""
        record = self._read_record(model)
        if record:
            return sum(facts.size for facts in record.files)
        found = self._stat(self.target(model))
        return found.st_size if found else 0

    def _relinked(self, record: Record, target: Path) -> Record | None:
        """The record anew, where all that happened is that a blob got a further name: that moves its change time.

        The store noted how it looked afterwards.
        """
        files = []
        for facts in record.files:
            noted = None if facts.still_true(target) else self._noted(facts.sha256)
            now = replace(noted, path=facts.path) if noted else facts
            if not now.still_true(target):
                return None
            files.append(now)
        return replace(record, files=tuple(files))

    def forget(self, model: Model) -> None:
        """Drop the record of a model whose bytes turned out to be others, so that the next sync fetches it."""
        self.record_path(model).unlink(missing_ok=True)

    def _stat(self, path: Path) -> os.stat_result | None:
        try:
            return path.stat()
        except OSError as error:
            if error.errno in _NOT_THERE:
                return None
            raise self._unreadable(error) from error

    def _unreadable(self, error: OSError) -> ModelError:
        hint = f"call envkit as the owner of {self.folder}, or change whose it is (you are uid {os.geteuid()})"
        denied = error.errno in (errno.EACCES, errno.EPERM)
        return ModelError(f"{error.filename}: cannot be read: {error.strerror}", hint=hint if denied else None)

    def _read_record(self, model: Model) -> Record | None:
        try:
            return records.from_json(self.record_path(model).read_text("utf-8"))
        except PermissionError as error:
            raise self._unreadable(error) from error
        except (OSError, UnicodeDecodeError):
            return None


def _rehash(target: Path, record: Record, advance: Callable[[int], None]) -> Finding:
    files: list[FileFacts] = []
    mismatches: list[Mismatch] = []
    for facts in record.files:
        seen = records.observe(target, facts.path, advance)
        got = seen[1].sha256 if seen else "a file that is gone or cannot be read"
        if seen is None or got != facts.sha256:
            mismatches.append(Mismatch(f"sha256 of {facts.path}" if facts.path else "sha256", facts.sha256, str(got)))
        else:
            files.append(seen[0])
    if mismatches:
        return Finding("changed", tuple(mismatches))
    return Finding("intact", record=replace(record, files=tuple(files)))


def _adopt(target: Path, model: Model, advance: Callable[[int], None]) -> Finding:
    """A file without a record that fits is proven by the registry alone."""
    seen = records.observe(target, "", advance)
    if seen is None:
        return Finding("outdated")
    facts, got = seen
    mismatches = model.artifact.digests.mismatches(got)
    if mismatches:
        return Finding("outdated", mismatches)
    return Finding("intact", record=Record(got, records.pinned_by(model), None, model.paths, (facts,)))
