"""Files out of an archive that nobody has to trust.

Only plain files come out, below the folder they are meant for, and no more bytes than the size of the archive makes
likely. A link becomes a file with the bytes of what it names. An archive with a link that leads nowhere or out of it,
or with anything else in it, is refused whole. Owners and permissions are not taken over; archives in it stay closed.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from envkit.errors import ModelError
from envkit.models.archives import tar_reader, zip_reader
from envkit.models.archives.index import Index
from envkit.models.archives.member import CHUNK, Budget, Entry, refused, shown
from envkit.models.archives.source import Source, guarded
from envkit.models.model import Unpack

# Weights hardly compress: an archive may unpack to 20 times its size, small ones to a gibibyte, and none to more than
# four tebibytes, which is several times the largest model there is.
_RATIO = 20
_FLOOR = 1 << 30
_TOTAL = 4 << 40
_READERS = {"tar": tar_reader.entries, "zip": zip_reader.entries}
_CLASHES = (FileExistsError, NotADirectoryError, IsADirectoryError)
_BAD_NAMES = (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL)


@dataclass(frozen=True)
class Member:
    """A file that came out: its path below the folder, and the SHA-256 and size (bytes) of what was written."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Extracted:
    """The folder with the files, and all of them, by path. There is at least one."""

    folder: Path
    files: tuple[Member, ...]


def extract(archive: Path, kind: Unpack, paths: Sequence[str], into: Path, advance: Callable[[int], None]) -> Extracted:
    """Write what ``paths`` name into the empty folder ``into``: of a folder its contents, of a file the file itself.

    No paths mean everything, less the one folder around it that most archives of models have. ``advance`` is told how
    many bytes of the archive were read, as they are; a `ModelError` from it ends the extraction. The archive is read
    once, or twice if a link that is wanted names a file that is not.

    Raises:
        ModelError: the archive is damaged, is refused, or does not have what is asked for.
        OSError: what the disk says.
    """
    allowed = min(_TOTAL, max(_FLOOR, _RATIO * archive.stat().st_size))
    work = _Extraction([PurePosixPath(path) for path in paths] or [PurePosixPath()], _Sink(into, Budget(allowed)))

    def entries(tell: Callable[[int], None]) -> Iterator[Entry]:
        with archive.open("rb", buffering=0) as file:
            for entry in guarded(kind, _READERS[kind](Source(file, tell), Budget(allowed))):
                content = entry.content and guarded(kind, entry.content)
                yield Entry(entry.path, content, entry.target)

    work.take_all(entries(advance))
    work.follow_links(lambda: entries(lambda _: advance(0)))
    work.check_found()
    files = sorted(work.sink.members, key=lambda member: member.path)
    return Extracted(into, tuple(files)) if paths else _unwrapped(into, files)


def _unwrapped(into: Path, files: Sequence[Member]) -> Extracted:
    wrappers = {member.path.partition("/")[0] if "/" in member.path else "" for member in files}
    wrapper = wrappers.pop()
    if wrappers or not wrapper:
        return Extracted(into, tuple(files))
    inner = (Member(member.path.partition("/")[2], member.sha256, member.size) for member in files)
    return Extracted(into / wrapper, tuple(inner))


@dataclass
class _Sink:
    """Where files go, as long as ``budget`` lasts. There is never a link in it that a path could lead through."""

    folder: Path
    budget: Budget
    members: list[Member] = field(default_factory=list)

    def write(self, inner: str, content: Iterable[bytes]) -> None:
        digest, size = hashlib.sha256(), 0
        with _created(self.folder / inner, inner) as out:
            for chunk in content:
                self.budget.spend(len(chunk))
                digest.update(chunk)
                size += out.write(chunk)
        self.members.append(Member(inner, digest.hexdigest(), size))

    def read(self, inner: str) -> Iterator[bytes]:
        with (self.folder / inner).open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk


def _created(path: Path, inner: str) -> BinaryIO:
    """A new file. The file system has the last word on names: some fold case or Unicode, some take fewer bytes."""
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True)
        return path.open("xb")
    except _CLASHES as error:
        raise refused(f"two members would be {shown(inner)}") from error
    except OSError as error:
        if error.errno not in _BAD_NAMES:
            raise
        raise refused(f"{shown(inner)} is no name for a file here: {error.strerror}") from error


@dataclass
class _Extraction:
    """What is wanted (the members below ``roots``), and how far it has come.

    ``placed`` is where the contents of a member were written, by its path in the archive; ``copies`` are the files to
    be that are links, or are wanted twice, and the member of each.
    """

    roots: Sequence[PurePosixPath]
    sink: _Sink
    index: Index = field(default_factory=Index)
    found: set[PurePosixPath] = field(default_factory=set)
    placed: dict[str, str] = field(default_factory=dict)
    copies: list[tuple[str, str]] = field(default_factory=list)

    def take_all(self, entries: Iterator[Entry]) -> None:
        for entry in entries:
            self.index.add(entry)
            for inner in self._places(PurePosixPath(entry.path)):
                if entry.content is not None and entry.path not in self.placed:
                    self._place(entry, inner)
                elif entry.content is not None or entry.target is not None:
                    self.copies.append((inner, entry.path))

    def follow_links(self, again: Callable[[], Iterator[Entry]]) -> None:
        """Write the copies, once all members are known: a link may come before what it names."""
        self.index.check()
        copies = [(inner, self.index.end(path)) for inner, path in self.copies]
        lacking = {end: inner for inner, end in copies if end not in self.placed}
        for entry in again() if lacking else ():
            if entry.path in lacking:
                self._place(entry, lacking[entry.path])
        for inner, end in copies:
            if lacking.get(end) != inner:
                self.sink.write(inner, self.sink.read(self.placed[end]))

    def check_found(self) -> None:
        for root in self.roots:
            if root not in self.found:
                raise ModelError(f"the archive has no file {root}" if root.parts else "the archive is empty")
        if not self.sink.members:
            raise ModelError("the archive has only folders there")

    def _place(self, entry: Entry, inner: str) -> None:
        self.sink.write(inner, entry.content or ())
        self.placed[entry.path] = inner

    def _places(self, path: PurePosixPath) -> Iterator[str]:
        for root in self.roots:
            if path.is_relative_to(root):
                self.found.add(root)
                inner = path.relative_to(root)
                yield str(inner if inner.parts else root.name)
