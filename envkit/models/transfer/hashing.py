"""Digests of bytes as they come, in order."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from typing import Protocol

from envkit.models.model import Digests

CHUNK = 1 << 20


class Hash(Protocol):
    """As ``hashlib`` has them. A large ``update`` lets other threads run meanwhile."""

    def update(self, data: bytes | memoryview, /) -> None: ...

    def hexdigest(self) -> str: ...


def wanted(expected: Digests) -> tuple[str, ...]:
    """Which digests to compute: the two that envkit goes by, and Git's where that is all that is known."""
    return ("md5", "sha256", *(("git_blob",) if expected.git_blob and expected.size is not None else ()))


def begun(name: str, size: int | None) -> Hash:
    """A digest by its name here; ``size`` is that of the file, which Git's begins with."""
    if name == "md5":
        return hashlib.md5(usedforsecurity=False)
    if name == "sha256":
        return hashlib.sha256()
    return hashlib.sha1(b"blob %d\0" % (size or 0), usedforsecurity=False)


def summed(size: int, found: Iterable[tuple[str, str]]) -> Digests:
    """`Digests` from names and values."""
    values = dict(found)
    return Digests(values.get("md5"), values.get("sha256"), size, values.get("git_blob"))


def follow(name: str, size: int | None, descriptor: int, there: Callable[[int], int]) -> str:
    """The digest of a file that is still being written, read from it as it grows.

    ``there`` is given how far the reading has come, and waits until more of the file is there without a gap; it
    answers up to where, and with the same position once the file is complete.
    """
    digest, position = begun(name, size), 0
    buffer = memoryview(bytearray(CHUNK))
    while (limit := there(position)) > position:
        while position < limit:
            read = os.preadv(descriptor, [buffer[: min(CHUNK, limit - position)]], position)
            if read == 0:
                raise OSError(0, "the file was cut short behind our back")
            digest.update(buffer[:read])
            position += read
    return digest.hexdigest()
