"""What is in ``checkpoints/``, and what envkit knows of it from ``checkpoints/.envkit``. Reads only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from envkit.models import records
from envkit.models.model import Mismatch, Model
from envkit.models.plan import State
from envkit.models.records import FileFacts, Record

FOLDER = "checkpoints"


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

    def inspect(self, model: Model, before_hashing: Callable[[Model], None], *, deep: bool = False) -> Finding:
        """Compare what is in place with its record.

        Stat facts that still hold are proof, unless ``deep`` asks for the bytes themselves. ``before_hashing`` is told
        when it comes to that: it may take a while.
        """
        target = self.target(model)
        if not target.exists():
            return Finding("absent")
        record = self._read_record(model)
        known = record is not None and record.describes(model)
        if record and known and not deep and all(facts.still_true(target) for facts in record.files):
            return Finding("verified")
        before_hashing(model)
        return _rehash(target, record) if record and known else _adopt(target, model)

    def forget(self, model: Model) -> None:
        """Drop the record of a model whose bytes turned out to be others, so that the next sync fetches it."""
        self.record_path(model).unlink(missing_ok=True)

    def _read_record(self, model: Model) -> Record | None:
        try:
            return records.from_json(self.record_path(model).read_text("utf-8"))
        except (OSError, UnicodeDecodeError):
            return None


def _rehash(target: Path, record: Record) -> Finding:
    files: list[FileFacts] = []
    mismatches: list[Mismatch] = []
    for facts in record.files:
        seen = records.observe(target, facts.path)
        got = seen[1].sha256 if seen else "a file that is gone or cannot be read"
        if seen is None or got != facts.sha256:
            mismatches.append(Mismatch(f"sha256 of {facts.path}" if facts.path else "sha256", facts.sha256, str(got)))
        else:
            files.append(seen[0])
    if mismatches:
        return Finding("changed", tuple(mismatches))
    return Finding("intact", record=Record(record.artifact, record.unpack, record.paths, tuple(files)))


def _adopt(target: Path, model: Model) -> Finding:
    """A model without a record that fits: a file is proven by the registry alone, what was in an archive is not."""
    seen = records.observe(target) if model.unpack is None else None
    if seen is None:
        return Finding("outdated")
    facts, got = seen
    mismatches = model.artifact.digests.mismatches(got)
    if mismatches:
        return Finding("outdated", mismatches)
    return Finding("intact", record=Record(got, None, model.paths, (facts,)))
