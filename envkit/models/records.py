"""What was true of a model's files when their digests matched: one small JSON file a model.

A record lets the next sync prove a model with a handful of ``stat`` calls. The change time is part of it: putting the
modification time back after tampering does not put the change time back.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from envkit.models.model import Digests, Model

_SCHEMA = 1
_CHUNK = 1 << 20


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
        return _stat_facts(found) == (self.size, self.mtime_ns, self.ctime_ns, self.device, self.inode)


@dataclass(frozen=True)
class Record:
    """One model in place: the artifact it was made from, what was taken out of it, and its files."""

    artifact: Digests
    unpack: str | None
    paths: tuple[str, ...]
    files: tuple[FileFacts, ...]

    def describes(self, model: Model) -> bool:
        """Whether what was recorded is what the registry asks for now."""
        same_recipe = (self.unpack, self.paths) == (model.unpack, model.paths)
        return same_recipe and not model.artifact.digests.mismatches(self.artifact)

    def to_json(self) -> str:
        return json.dumps({"schema": _SCHEMA, **asdict(self)}, indent=1)


def from_json(text: str) -> Record | None:
    """Read a record; None for one that another version of envkit wrote, or that is damaged."""
    try:
        data = json.loads(text)
        if data["schema"] != _SCHEMA:
            return None
        files = tuple(FileFacts(**facts) for facts in data["files"])
        # Without a single file there would be nothing to prove, and so nothing to fail.
        return Record(Digests(**data["artifact"]), data["unpack"], tuple(data["paths"]), files) if files else None
    except (ValueError, TypeError, KeyError):
        return None


def observe(target: Path, path: str, advance: Callable[[int], None]) -> tuple[FileFacts, Digests] | None:
    """Hash one file of a model and note its stat facts; None where it cannot be read or changes meanwhile.

    ``advance`` is told how many bytes were hashed, as they are.
    """
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    try:
        with (target / path).open("rb") as file:
            before = os.fstat(file.fileno())
            while chunk := file.read(_CHUNK):
                md5.update(chunk)
                sha256.update(chunk)
                advance(len(chunk))
            after = os.fstat(file.fileno())
    except OSError:
        return None
    if _stat_facts(before) != _stat_facts(after):
        return None
    return (
        FileFacts(path, sha256.hexdigest(), *_stat_facts(after)),
        Digests(md5.hexdigest(), sha256.hexdigest(), after.st_size),
    )


def facts_of(target: Path, path: str, sha256: str) -> FileFacts:
    """The stat facts of a file whose digest is known already."""
    return FileFacts(path, sha256, *_stat_facts((target / path).stat()))


def _stat_facts(found: os.stat_result) -> tuple[int, int, int, int, int]:
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_dev, found.st_ino
