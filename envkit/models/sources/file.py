"""A file of this machine: on a disk, or on a share that is mounted here."""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from envkit.errors import ModelError
from envkit.models import versions
from envkit.models.model import Digests
from envkit.models.sources.base import Asking, OneFile, Remote
from envkit.models.transfer.location import Location

if TYPE_CHECKING:
    from envkit.models.transfer.announcement import Announcement

_URL = "file:"
_PACK_IT = "pack it as a tar, which is one file and has one digest"


class FileSource(OneFile):
    """The locator is a path from the root or from a home folder (``~``), or a ``file://`` URL."""

    key = "path"

    def problem(self, values: Mapping[str, str]) -> tuple[str, str] | None:
        if versions.is_wish(values["version"]):
            return "version", "names no one version: a file is what it is"
        text = values[self.key]
        why = _url_problem(text) if "://" in text or text.startswith(_URL) else _path_problem(text)
        return (self.key, why) if why else None

    def filename(self, locator: str) -> str:
        return PurePosixPath(_plain(locator)).name

    def shown(self, locator: str) -> str:
        return _plain(locator)

    def locate(self, locator: str, paths: tuple[str, ...], asking: Asking) -> tuple[Remote, ...]:
        del paths, asking  # one file, and nobody to ask
        return (Remote("", Location(_found(locator)[0].as_uri())),)

    def probe(self, locator: str, paths: tuple[str, ...], asking: Asking) -> Mapping[str, Announcement]:
        from envkit.models.transfer.announcement import Announcement

        del paths, asking
        # Its size alone: to read it may take as long as to fetch it does, and that is what `--deep` is for.
        path, size = _found(locator)
        return {"": Announcement(size, Digests(), None, path.as_uri())}


def _url_problem(text: str) -> str | None:
    if not text.startswith((f"{_URL}///", f"{_URL}//localhost/")):
        return f"is no {_URL}///… URL of this machine; what a server has is for the source 'http'"
    if re.search(r"[\s\x00-\x1f?#]", text):
        return "has a blank, a ? or a # in it: write %20, %3F, %23"
    return _path_problem(_plain(text))


def _path_problem(path: str) -> str | None:
    if not path.startswith(("/", "~")):
        return f"is relative, and to what? Write it from the root, as ~/… or as {_URL}///…"
    if path.endswith("/") or path == "~" or PurePosixPath(path).name == "..":
        return f"names a folder: {_PACK_IT}"
    return "has a NUL in it" if "\0" in path else None


def _plain(locator: str) -> str:
    return unquote(urlsplit(locator).path) if locator.startswith(_URL) else locator


def _found(locator: str) -> tuple[Path, int]:
    """The file, and its size in bytes.

    Raises:
        ModelError: it is not there, is none, or may not be read.
    """
    path = Path(_plain(locator))
    try:
        path = path if locator.startswith(_URL) else path.expanduser()
        # Looked at before it is opened: to open a pipe is to wait for who writes to it.
        found = path.stat()
        if stat.S_ISREG(found.st_mode):
            with path.open("rb"):
                return path, found.st_size
    except FileNotFoundError as error:
        raise ModelError(f"{path} is not there", hint="if it is on a share: is that mounted here?") from error
    except (OSError, RuntimeError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if stat.S_ISDIR(found.st_mode):
        raise ModelError(f"{path} is a folder", hint=_PACK_IT)
    raise ModelError(f"{path} is no file, but a device or the like")
