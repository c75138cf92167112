"""The members of a tar, in one pass and whatever it is compressed with.

Headers are taken apart by `tarfile.TarInfo.frombuf`; the walk from header to header is our own. `tarfile`'s reads a
header of any declared size into memory, goes backwards on negative sizes (CVE-2025-8194), takes hours for some
extended headers (CVE-2024-6232), keeps every member, and takes a damaged header for the end of the archive.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Iterator
from typing import IO, cast

from envkit.models.archives.member import CHUNK, Budget, Entry, path_of, refused, shown, target_of
from envkit.models.archives.source import Source

_MAX_HEADER = 1 << 20  # bytes of a long name or a set of pax records
_FILES = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
_PAX = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_LONG = {tarfile.GNUTYPE_LONGNAME: "path", tarfile.GNUTYPE_LONGLINK: "linkpath"}
_STRANGE = {
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}


def entries(source: Source, budget: Budget) -> Iterator[Entry]:
    """All members as they come. ``budget`` is for what is unpacked on the way, wanted or not."""
    tape = _Tape(_inflated(io.BufferedReader(source, CHUNK)), budget)
    said: dict[str, str] = {}
    while any(block := tape.take(tarfile.BLOCKSIZE)):
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        if info.type in (*_PAX, *_LONG, tarfile.XGLTYPE):
            said |= _extension(info, tape)
        else:
            yield from _member(info, said, tape)
            said = {}
    tape.drain()


class _Tape:
    """A stream that only goes forward, within a budget; an end where more should be is an `EOFError`."""

    def __init__(self, stream: IO[bytes], budget: Budget) -> None:
        self._stream = stream
        self._budget = budget

    def take(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._budget.spend(len(data))
        if len(data) < size:
            raise EOFError("it is cut off")
        return data

    def content(self, size: int) -> Iterator[bytes]:
        """The bytes of a member, the last piece when what fills its last block is read as well."""
        for start in range(0, size, CHUNK):
            yield self.take(min(CHUNK, size - start))
        self.take(-size % tarfile.BLOCKSIZE)

    def drain(self) -> None:
        """Read what follows the end of the archive: the checksum of gzip and xz is there."""
        while data := self._stream.read(CHUNK):
            self._budget.spend(len(data))


def _inflated(archive: io.BufferedReader) -> IO[bytes]:
    magic = archive.peek(6)[:6]
    if magic.startswith(b"\x1f\x8b"):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=archive))
    if magic.startswith(b"BZh"):
        return bz2.BZ2File(archive)
    if magic.startswith((b"\xfd7zXZ\0", b"]\0\0")):
        return lzma.LZMAFile(archive)
    return archive


def _extension(info: tarfile.TarInfo, tape: _Tape) -> dict[str, str]:
    """What a header says of the member after it, by the names of pax. Global headers say nothing that is needed."""
    if not 0 <= info.size <= _MAX_HEADER:
        raise refused(f"it has a header of {info.size} bytes")
    body = b"".join(tape.content(info.size))
    if info.type in _LONG:
        return {_LONG[info.type]: _text(body.partition(b"\0")[0])}
    return dict(_records(body)) if info.type in _PAX else {}


def _records(body: bytes) -> Iterator[tuple[str, str]]:
    """``LENGTH KEY=VALUE`` and a newline, again and again, LENGTH being that of all of it (POSIX.1-2001, pax)."""
    start = 0
    while start < len(body):
        space = body.index(b" ", start, start + 9)
        end = start + int(body[start:space])
        key, equals, value = body[space + 1 : end - 1].partition(b"=")
        if not equals or body[end - 1 : end] != b"\n":
            raise tarfile.ReadError("bad extended header")
        yield _text(key), _text(value)
        start = end


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _member(info: tarfile.TarInfo, said: dict[str, str], tape: _Tape) -> Iterator[Entry]:
    name, link = said.get("path") or info.name, said.get("linkpath") or info.linkname
    path = path_of(name)
    if any(key.startswith("GNU.sparse.") for key in said):
        raise refused(f"{shown(name)} is a sparse file")
    if info.type == tarfile.DIRTYPE or (info.type == tarfile.AREGTYPE and name.endswith("/")):
        yield Entry(path)
    elif info.type == tarfile.SYMTYPE:
        yield Entry(path, target=target_of(name, link, path.rpartition("/")[0]))
    elif info.type == tarfile.LNKTYPE:
        yield Entry(path, target=target_of(name, link, ""))
    elif info.type in _FILES:
        yield from _file(path, int(said.get("size") or info.size), tape)
    else:
        raise refused(f"{shown(name)} is {_STRANGE.get(info.type, f'of the unknown type {info.type!r}')}")


def _file(path: str, size: int, tape: _Tape) -> Iterator[Entry]:
    if size < 0:
        raise tarfile.ReadError(f"{shown(path)} has {size} bytes")
    content = tape.content(size)
    yield Entry(path, content=content)
    for _ in content:  # nobody wanted it
        pass
