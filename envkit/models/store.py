"""What is in ``checkpoints/``, and what envkit knows of it from ``checkpoints/.envkit``."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from envkit.errors import ModelError
from envkit.models import records
from envkit.models.model import Mismatch, Model
from envkit.models.plan import State
from envkit.models.progress import Progress
from envkit.models.records import FileFacts, Record

FOLDER = "checkpoints"
_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}


@dataclass(frozen=True)
class Finding:
    """What `Store.inspect` saw: a state, what had to be and was, and for ``intact`` the record to write anew."""

    state: State
    mismatches: tuple[Mismatch, ...] = ()
    record: Record | None = None


class Store:
    """The models in place of one project."""

    def __init__(self, project: Path) -> None:
        self.folder = project / FOLDER
        self.bookkeeping = self.folder / ".envkit"

    def target(self, model: Model) -> Path:
        return self.folder / model.target

    def record_path(self, model: Model) -> Path:
        return self.bookkeeping / "records" / f"{model.target}.json"

    def inspect(self, model: Model, progress: Progress, *, deep: bool = False) -> Finding:
        """Compare what is in place with its record.

        Stat facts that still hold are proof, unless ``deep`` asks for the bytes themselves. ``progress`` is told when
        it comes to that: it may take a while.

        Raises:
            ModelError: the folder, or what is noted in it, is not for the caller to read.
        """
        target = self.target(model)
        found = self._stat(target)
        if found is None:
            return Finding("absent")
        record = self._read_record(model)
        known = record is not None and record.describes(model)
        if record and known and not deep and all(facts.still_true(target) for facts in record.files):
            return Finding("verified")
        if not known and model.unpack is not None:
            # What came out of an archive is nothing that the registry has a digest of.
            return Finding("outdated")
        progress.say(f"{model.name} {model.version}: hashing what is there")
        with closing(progress.meter(f"{model.name}: hashing")) as meter:
            meter.start(sum(facts.size for facts in record.files) if record and known else found.st_size)
            return _rehash(target, record, meter.advance) if record and known else _adopt(target, model, meter.advance)

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
    return Finding("intact", record=Record(record.artifact, record.unpack, record.paths, tuple(files)))


def _adopt(target: Path, model: Model, advance: Callable[[int], None]) -> Finding:
    """A file without a record that fits is proven by the registry alone."""
    seen = records.observe(target, "", advance)
    if seen is None:
        return Finding("outdated")
    facts, got = seen
    mismatches = model.artifact.digests.mismatches(got)
    if mismatches:
        return Finding("outdated", mismatches)
    return Finding("intact", record=Record(got, None, model.paths, (facts,)))
