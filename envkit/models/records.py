"""What was true of a model's files when their digests matched: one small JSON file a model.

A record lets the next sync prove a model with a handful of ``stat`` calls. The change time is part of it: putting the
modification time back after tampering does not put the change time back.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from envkit.models.model import Digests, Model

_SCHEMA = 2
_CHUNK = 1 << 20

StatFacts = tuple[int, int, int, int, int]
"""Size in bytes, modification and change time in nanoseconds, device and inode."""


@dataclass(frozen=True)
class FileFacts:
    """One file: its path inside the model's folder (empty for a file that is the model), digest, and stat facts."""

    path: str
    sha256: str
    size: int
    mtime_ns: int
    ctime_ns: int
    device: int
    inode: int

    def still_true(self, target: Path) -> bool:
        """Whether the file is the one recorded, as far as ``stat`` can tell."""
        try:
            found = (target / self.path).stat()
        except OSError:
            return False
        return _stat_facts(found) == self.stat_facts

    @property
    def stat_facts(self) -> StatFacts:
        return self.size, self.mtime_ns, self.ctime_ns, self.device, self.inode


@dataclass(frozen=True)
class Record:
    """One model in place: the artifact it was made from, what was taken out of it, and its files.

    ``locator`` is the artifact's where nothing but that pins its bytes, empty elsewhere.
    """

    artifact: Digests
    locator: str
    unpack: str | None
    paths: tuple[str, ...]
    files: tuple[FileFacts, ...]

    def describes(self, model: Model) -> bool:
        """Whether what was recorded is what the registry asks for now."""
        if (self.locator, self.unpack, self.paths) != (pinned_by(model), model.unpack, model.paths):
            return False
        if self.locator:
            # What a commit has is always the same: the lock may say more of it, or nothing.
            return model.artifact.is_made_of((facts.path, facts.sha256, facts.size) for facts in self.files)
        return not model.artifact.digests.mismatches(self.artifact)

    def to_json(self) -> str:
        files = [vars(facts) for facts in self.files]
        return json.dumps({"schema": _SCHEMA, **vars(self), "artifact": vars(self.artifact), "files": files})


def from_json(text: str) -> Record | None:
    """Read a record; None for one that another version of envkit wrote, or that is damaged."""
    try:
        data = json.loads(text)
        if data["schema"] != _SCHEMA:
            return None
        files = tuple(FileFacts(**facts) for facts in data["files"])
        # Without a single file there would be nothing to prove, and so nothing to fail.
        if not files:
            return None
        return Record(Digests(**data["artifact"]), data["locator"], data["unpack"], tuple(data["paths"]), files)
    except (ValueError, TypeError, KeyError):
        return None


def pinned_by(model: Model) -> str:
    """The locator of a model without a digest, which then is what pins its bytes; else nothing."""
    digests = model.artifact.digests
    return "" if digests.md5 or digests.sha256 else f"{model.artifact.source}:{model.artifact.locator}"


def facts_to_json(facts: FileFacts) -> str:
    return json.dumps({"schema": _SCHEMA, **vars(facts)})


def facts_from_json(text: str) -> FileFacts | None:
    """The facts of one file; None for what is none."""
    try:
        data = json.loads(text)
        return FileFacts(**data) if data.pop("schema") == _SCHEMA else None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def observe(target: Path, path: str, advance: Callable[[int], None]) -> tuple[FileFacts, Digests] | None:
    """Hash one file of a model and note its stat facts; None where it cannot be read or changes meanwhile.

    ``advance`` is told how many bytes were hashed, as they are.
    """
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    try:
        # Not to wait for whoever may write to a pipe in its place, nor to read a device that has no end.
        descriptor = os.open(target / path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode):
                return None
            while chunk := file.read(_CHUNK):
                md5.update(chunk)
                sha256.update(chunk)
                advance(len(chunk))
            after = os.fstat(file.fileno())
    except OSError:
        return None
    if not _is_unchanged(before, after):
        return None
    return (
        FileFacts(path, sha256.hexdigest(), *_stat_facts(after)),
        Digests(md5.hexdigest(), sha256.hexdigest(), after.st_size),
    )


def _is_unchanged(before: os.stat_result, after: os.stat_result) -> bool:
    """Whether a file was left alone meanwhile; a name that it got or lost moves its change time, and is no harm."""
    (*one, ctime, _, _), (*other, later, _, _) = _stat_facts(before), _stat_facts(after)
    return one == other and (ctime == later or before.st_nlink != after.st_nlink)


def facts_from(found: os.stat_result, path: str, sha256: str) -> FileFacts:
    """The facts of a file whose digest is known already."""
    return FileFacts(path, sha256, *_stat_facts(found))


def _stat_facts(found: os.stat_result) -> StatFacts:
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_dev, found.st_ino
