"""Which projects use a shared store: so that what none of them uses can be told."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from envkit.errors import ModelError
from envkit.models import records
from envkit.models.checkpoints import Checkpoints
from envkit.models.store.hand import Hand
from envkit.models.store.store import local_root


@dataclass(frozen=True)
class Note:
    """A project that uses a store, what it used of it when that was noted (SHA-256), and the file that says so.

    ``inode`` is that of the project's folder then: two containers have one path for what are two projects.
    """

    project: Path
    uses: frozenset[str]
    path: Path
    inode: int | None

    def uses_now(self) -> set[str] | None:
        """As `used_by`; None as well where by now another folder has that path."""
        if self.inode is not None and _inode(self.project) != self.inode:
            return None
        return used_by(self.project)


def register(root: Path, hand: Hand, project: Path, uses: Iterable[str]) -> None:
    """Note what a project uses of the store at ``root``, unless that is the project's own."""
    if root != local_root(project) and (root / "projects").is_dir():
        inode = _inode(project)
        name = hashlib.sha256(f"{inode} {project}".encode("utf-8", "surrogateescape")).hexdigest()[:32]
        with suppress(OSError):
            data = {"project": str(project), "inode": inode, "uses": sorted(uses)}
            hand.write(root / "projects" / f"{name}.json", json.dumps(data).encode())


def registered(root: Path) -> Iterator[Note]:
    """Every project that was noted in the store at ``root``."""
    for path in sorted((root / "projects").glob("*.json")):
        with suppress(OSError, ValueError, TypeError, KeyError):
            data = json.loads(path.read_text("utf-8"))
            yield Note(Path(data["project"]), frozenset(data["uses"]), path, data.get("inode"))


def _inode(project: Path) -> int | None:
    try:
        return project.stat().st_ino
    except OSError:
        return None


def used_by(project: Path) -> set[str] | None:
    """The SHA-256 of every file that the project's records name; None for a project whose folder is not there.

    Raises:
        ModelError: the records are not for the caller to read.
    """
    bookkeeping = Checkpoints(project).bookkeeping / "records"
    found: set[str] = set()
    try:
        for path in [*bookkeeping.iterdir()]:
            with suppress(FileNotFoundError, IsADirectoryError, UnicodeDecodeError):
                record = records.from_json(path.read_text("utf-8"))
                found |= {facts.sha256 for facts in record.files} if record else set()
    except (FileNotFoundError, NotADirectoryError):
        return set() if project.is_dir() else None
    except OSError as error:
        hint = "what it uses of the store cannot be told: call envkit as root, or as the one whose project that is"
        raise ModelError(f"{error.filename}: cannot be read: {error.strerror}", hint=hint) from error
    return found
