"""Archives as nobody should make them, and as everybody does."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


def tar(*members: tarfile.TarInfo | tuple[str, bytes], mode: Literal["w", "w:gz", "w:bz2", "w:xz"] = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as packed:
        for member in members:
            info, body = (tarfile.TarInfo(member[0]), member[1]) if isinstance(member, tuple) else (member, b"")
            info.size = len(body)
            packed.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


def special(name: str, kind: bytes, link: str = "", **pax: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.pax_headers = kind, link, {key.replace("__", "."): pax[key] for key in pax}
    return info


def symlink(name: str, target: str) -> tarfile.TarInfo:
    return special(name, tarfile.SYMTYPE, target)


def hard_link(name: str, target: str) -> tarfile.TarInfo:
    return special(name, tarfile.LNKTYPE, target)


def tar_block(kind: bytes, size: bytes, name: bytes = b"a") -> bytes:
    """One header whose checksum is right, whatever else is in it. ``size`` is the field as it stands."""
    block = bytearray(512)
    block[: len(name)] = name
    block[100:108] = b"0000644\0"
    block[124 : 124 + len(size)] = size
    block[156:157] = kind
    block[257:265] = b"ustar\x0000"
    return with_checksum(bytes(block))


def with_checksum(block: bytes) -> bytes:
    blank = block[:148] + b" " * 8 + block[156:]
    return blank[:148] + b"%06o\0 " % sum(blank) + blank[156:]


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, body in members:
            packed.writestr(name, body, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


@dataclass(frozen=True)
class Zipped:
    """A member of `raw_zip`: every field as it is to stand there. ``offset`` None is where the member really is."""

    name: bytes
    body: bytes = b""
    mode: int = 0
    flags: int = 0x800
    method: int = zipfile.ZIP_STORED
    extra: bytes = b""
    offset: int | None = None
    size: int | None = None

    def header(self, *, central: bool, offset: int = 0) -> bytes:
        size = len(self.body) if self.size is None else self.size
        sizes = (zlib.crc32(self.body), len(self.body), size, len(self.name))
        common = struct.pack("<5H3I2H", 20, self.flags, self.method, 0, 33, *sizes, 0 if central else len(self.extra))
        if not central:
            return b"PK\3\4" + common + self.name + self.extra
        rest = struct.pack("<3H2I", 0, 0, 0, self.mode << 16, offset)
        return b"PK\1\2" + struct.pack("<H", 0x314) + common + rest + self.name


def raw_zip(members: Iterable[Zipped]) -> bytes:
    """A zip of exactly these headers and bodies, nothing in it checked or put right."""
    body, directory, count = b"", b"", 0
    for member in members:
        count += 1
        directory += member.header(central=True, offset=len(body) if member.offset is None else member.offset)
        body += member.header(central=False) + member.body
    return body + directory + b"PK\5\6" + struct.pack("<4H2IH", 0, 0, count, count, len(directory), len(body), 0)
