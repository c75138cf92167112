"""What is downloaded: files of random bytes, made once in the cache folder, with their digests."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

BLOCK = 1 << 20


@dataclass(frozen=True)
class Source:
    """One file; ``size`` in bytes."""

    name: str
    size: int
    md5: str
    sha256: str


@dataclass(frozen=True)
class Sources:
    """``count`` files of ``size`` bytes in ``folder`` of the cache, which the server serves under the same name."""

    root: Path
    count: int
    size: int

    @property
    def folder(self) -> str:
        return f"{self.count}x{self.size}"

    def files(self) -> tuple[Source, ...]:
        """The files, made if they are not there, and laid out for dvc beside that."""
        listing = self.root / f"{self.folder}.json"
        if not listing.exists():
            shutil.rmtree(self.root / self.folder, ignore_errors=True)
            (self.root / self.folder).mkdir(parents=True)
            made = [_make(self.root / self.folder, number, self.size) for number in range(self.count)]
            self._lay_out_for_dvc(made)
            listing.write_text(json.dumps([asdict(source) for source in made]))
        return tuple(Source(**row) for row in json.loads(listing.read_text()))

    def warm(self) -> None:
        """Read every file once, so that the server reads from memory for all alike."""
        for path in sorted((self.root / self.folder).iterdir()):
            with path.open("rb", buffering=0) as stream:
                while stream.read(BLOCK):
                    pass

    def dvc_folder(self) -> tuple[str, bytes]:
        """What dvc calls a folder: a list of its files, and the MD5 of that list."""
        entries = [{"md5": source.md5, "relpath": source.name} for source in self.files()]
        content = json.dumps(entries).encode()
        return f"{hashlib.md5(content, usedforsecurity=False).hexdigest()}.dir", content

    def _lay_out_for_dvc(self, made: list[Source]) -> None:
        for source in made:
            object_path = self._dvc_object(source.md5)
            object_path.unlink(missing_ok=True)
            object_path.symlink_to(self.root / self.folder / source.name)

    def publish_dvc_folder(self) -> str:
        """Put the list of files where dvc asks for it; gives its digest."""
        digest, content = self.dvc_folder()
        self._dvc_object(digest).write_bytes(content)
        return digest

    def _dvc_object(self, digest: str) -> Path:
        path = self.root / "dvc" / "files" / "md5" / digest[:2] / digest[2:]
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def _make(folder: Path, number: int, size: int) -> Source:
    path = folder / f"{number:04}.bin"
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    with path.open("wb") as stream:
        for block in _random(size):
            md5.update(block)
            sha256.update(block)
            stream.write(block)
    # nginx makes its ETag of time and size, and huggingface_hub goes by the ETag: no two files may share one.
    os.utime(path, (number, number))
    return Source(path.name, size, md5.hexdigest(), sha256.hexdigest())


def _random(size: int) -> Iterator[bytes]:
    for start in range(0, size, BLOCK):
        yield os.urandom(min(BLOCK, size - start))
