"""Files out of an archive that nobody has to trust.

Only plain files come out, below the folder they are meant for, and no more bytes than the size of the archive makes
likely. An archive with anything else in it is refused whole: a model has no use for a link or a device.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

from envkit.errors import ModelError
from envkit.models.model import Unpack

_CHUNK = 1 << 20  # bytes
_MAX_MEMBERS = 100_000
# Weights hardly compress: an archive may unpack to 20 times its size, and small ones to a gibibyte.
_RATIO = 20
_FLOOR = 1 << 30
_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError)
_CLASHES = (FileExistsError, NotADirectoryError, IsADirectoryError)


@dataclass(frozen=True)
class _Member:
    path: PurePosixPath
    open: Callable[[], IO[bytes]]


def extract(
    archive: Path, kind: Unpack, paths: Sequence[str], into: Path, advance: Callable[[int], None]
) -> tuple[Path, Mapping[str, str]]:
    """Write what ``paths`` name into the empty folder ``into``: of a folder its contents, of a file the file itself.

    No paths mean everything, less the one folder around it that most archives of models have. ``advance`` is told how
    many bytes of the archive were read, as they are; what it raises ends the extraction.

    Returns:
        The folder with the files, and their SHA-256 by their path below it.

    Raises:
        ModelError: the archive is damaged, is refused, or does not have what is asked for.
    """
    members = {"tar": _tar_members, "zip": _zip_members}[kind]
    roots = [PurePosixPath(path) for path in paths] or [PurePosixPath()]
    found: set[PurePosixPath] = set()
    sink = _Sink(into, max(_FLOOR, _RATIO * archive.stat().st_size))
    try:
        with archive.open("rb") as file:
            for member in members(cast("IO[bytes]", _Watched(file, advance))):
                for root in roots:
                    if member.path.is_relative_to(root):
                        found.add(root)
                        inner = member.path.relative_to(root)
                        sink.write(inner if inner.parts else PurePosixPath(root.name), member.open)
    except _DAMAGED as error:
        raise _damaged(kind, error) from error
    except OSError as error:
        # gzip and bz2 know no better exception for bytes that are not theirs; what a disk says has a number.
        if error.errno is not None:
            raise
        raise _damaged(kind, error) from error
    for root in roots:
        if root not in found:
            raise ModelError(f"the archive has no file {root}" if root.parts else "the archive is empty")
    return (into, sink.digests) if paths else _unwrapped(into, sink.digests)


def _unwrapped(into: Path, digests: Mapping[str, str]) -> tuple[Path, Mapping[str, str]]:
    wrappers = {path.partition("/")[0] if "/" in path else "" for path in digests}
    wrapper = wrappers.pop()
    if wrappers or not wrapper:
        return into, digests
    return into / wrapper, {path.partition("/")[2]: digest for path, digest in digests.items()}


class _Watched(io.RawIOBase):
    """A file that tells how much of it is read: skipped members and compressed ones count as what they are."""

    def __init__(self, file: BinaryIO, advance: Callable[[int], None]) -> None:
        self._file = file
        self._advance = advance

    def read(self, size: int = -1, /) -> bytes:
        chunk = self._file.read(size)
        self._advance(len(chunk))
        return chunk

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


@dataclass
class _Sink:
    """Where members go; ``budget`` is how many bytes may still be written."""

    folder: Path
    budget: int
    digests: dict[str, str] = field(default_factory=dict)

    def write(self, inner: PurePosixPath, source: Callable[[], IO[bytes]]) -> None:
        digest = hashlib.sha256()
        try:
            path = self.folder / inner
            path.parent.mkdir(parents=True, exist_ok=True)
            with source() as stream, path.open("xb") as out:
                while chunk := stream.read(_CHUNK):
                    self._spend(len(chunk))
                    digest.update(chunk)
                    out.write(chunk)
        except _CLASHES as error:
            raise _refused(f"two members would be {inner}") from error
        self.digests[str(inner)] = digest.hexdigest()

    def _spend(self, amount: int) -> None:
        # Counted as written, whatever the archive declares.
        self.budget -= amount
        if self.budget < 0:
            raise _refused("it unpacks to far more than its size makes likely")


def _tar_members(archive: IO[bytes]) -> Iterator[_Member]:
    with tarfile.open(fileobj=archive, mode="r:*") as tar:
        for count, info in enumerate(tar):
            _check_count(count)
            path = _safe(info.name)
            if info.isdir():
                continue
            if not info.isreg():
                raise _refused(f"{info.name!r} is a link or a device")
            yield _Member(path, partial(_stream, tar, info))


def _stream(tar: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    stream = tar.extractfile(info)
    if stream is None:
        raise _refused(f"{info.name!r} has no contents")
    return stream


def _zip_members(archive: IO[bytes]) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as opened:
        for count, info in enumerate(opened.infolist()):
            _check_count(count)
            path = _safe(info.filename)
            if info.is_dir():
                continue
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG):
                raise _refused(f"{info.filename!r} is a link or a device")
            if info.flag_bits & 1:
                raise _refused(f"{info.filename!r} is encrypted")
            yield _Member(path, partial(opened.open, info))


def _check_count(count: int) -> None:
    if count >= _MAX_MEMBERS:
        raise _refused(f"it has more than {_MAX_MEMBERS} members")


def _safe(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise _refused(f"{name!r} leads out of it")
    return path


def _damaged(kind: Unpack, error: Exception) -> ModelError:
    return ModelError(f"the {kind} archive cannot be read: {error or type(error).__name__}")


def _refused(why: str) -> ModelError:
    return ModelError(f"the archive is refused: {why}")
