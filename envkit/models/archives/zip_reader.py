"""The members of a zip, in the order of their bytes."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from collections.abc import Iterator
from typing import IO, cast

from envkit.models.archives.member import CHUNK, Budget, Entry, path_of, refused, shown, target_of
from envkit.models.archives.source import Source

_MAX_DIRECTORY = 16 << 20  # bytes: 160 for each of 100,000 members
_MAX_TARGET = 1024  # bytes
_BUFFER = 1 << 16  # bytes: little, as most of it is lost where only some members are wanted
_LOCAL_HEADER = struct.Struct("<26x2H")
_ENCRYPTED = 0x1 | 0x40 | 0x2000  # the member, strongly, and the directory as well (APPNOTE 4.4.4)
# `zipfile` unpacks 1 MiB of bzip2 or LZMA in one go, which may be many GiB.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_STRANGE = {
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}


def entries(source: Source, _: Budget) -> Iterator[Entry]:
    """All members. Only those that are read are unpacked, so there is nothing to spend on the way."""
    archive = _Careful(source, _BUFFER)
    with zipfile.ZipFile(cast("IO[bytes]", archive)) as opened:
        infos = sorted(opened.infolist(), key=lambda info: info.header_offset)
        starts = [info.header_offset for info in infos[1:]]
        for info, limit in zip(infos, [*starts, opened.start_dir], strict=False):
            yield _entry(info, _content(opened, archive, info, limit))


class _Careful(io.BufferedReader):
    """Gives no more at once than a directory may have: `zipfile` makes an object of every entry in it."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _MAX_DIRECTORY:
            raise refused(f"it has a directory of {size} bytes")
        return super().read(size)


def _entry(info: zipfile.ZipInfo, content: Iterator[bytes]) -> Entry:
    # The other name, `filename`, ends at the first NUL.
    name = info.orig_filename
    path, kind = path_of(name), stat.S_IFMT(info.external_attr >> 16)
    if info.flag_bits & _ENCRYPTED:
        raise refused(f"{shown(name)} is encrypted")
    if name.endswith("/") or kind == stat.S_IFDIR:
        return Entry(path)
    if kind not in {0, stat.S_IFREG, stat.S_IFLNK}:
        raise refused(f"{shown(name)} is {_STRANGE.get(kind, f'of the unknown type {kind:o}')}")
    if info.compress_type not in _METHODS:
        raise refused(f"{shown(name)} is compressed with method {info.compress_type}, and only deflate is read here")
    if kind != stat.S_IFLNK:
        return Entry(path, content=content)
    if info.file_size > _MAX_TARGET:
        raise refused(f"{shown(name)} is a link, and its target has {info.file_size} bytes")
    target = b"".join(content).decode("utf-8", "surrogateescape")
    return Entry(path, target=target_of(name, target, path.rpartition("/")[0]))


def _content(opened: zipfile.ZipFile, archive: IO[bytes], info: zipfile.ZipInfo, limit: int) -> Iterator[bytes]:
    """The bytes of a member that ends where the next begins, or before.

    Members that share bytes are how a zip unpacks to millions of times its size
    (https://www.bamsoftware.com/hacks/zipbomb/). CPython refuses them, too, from 3.11.8 on.
    """
    archive.seek(info.header_offset)
    name, extra = _LOCAL_HEADER.unpack(archive.read(_LOCAL_HEADER.size))
    if info.header_offset + _LOCAL_HEADER.size + name + extra + info.compress_size > limit:
        raise refused(f"{shown(info.filename)} shares bytes with another member")
    size = 0
    with opened.open(info) as stream:
        while chunk := stream.read(CHUNK):
            size += len(chunk)
            yield chunk
    if size != info.file_size:
        raise EOFError(f"{shown(info.filename)} has {size} bytes instead of {info.file_size}")
