"""What the models half asks of a URL: is it one, which file does it name, and how may it be shown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Literal
from urllib.parse import quote, unquote, urlsplit

VERSION = "{version}"
"""What stands in a URL for the version of its entry."""

_SUFFIX = re.compile(r"(\.tar)?\.[A-Za-z][A-Za-z0-9]{0,15}$")
_ARCHIVES: tuple[tuple[Literal["tar", "zip"], tuple[str, ...]], ...] = (
    ("tar", (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")),
    ("zip", (".zip", ".whl")),
)


def problem(url: str) -> str | None:
    """Why ``url`` cannot be fetched, or None."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError as error:
        return f"is not a URL: {error}"
    if parts.scheme not in ("http", "https"):
        return "is not an http:// or https:// URL"
    if not host:
        return "names no host"
    if re.search(r"[\s\x00-\x1f]", url):
        return "has a blank in it: write it as %20"
    return None


def redacted(url: str) -> str:
    """``url`` for a person to read: no credentials, and no query or fragment (signed URLs keep their secret there)."""
    return f"{plain(url)}?…" if url.partition("#")[0].partition("?")[2] else plain(url)


def plain(url: str) -> str:
    """``url`` without what may be secret: credentials, query and fragment. Of what is no URL its scheme alone."""
    try:
        parts = urlsplit(url)
    except ValueError:  # such as a bracket that is not closed: nothing says what of it is secret
        return f"{url.partition('://')[0]}://…"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def filled(template: str, version: str) -> str:
    """A URL with the version in its place."""
    return template.replace(VERSION, quote(version, safe=""))


def filename(url: str) -> str:
    """The last part of the path, decoded; empty where the path ends in a slash."""
    return unquote(urlsplit(url).path).rpartition("/")[2]


def suffix(name: str) -> str:
    """``.pdparams`` of ``a/b.pdparams``, ``.tar.gz`` of ``c.tar.gz``, nothing of ``PP-OCRv4`` or ``model_v1.5``."""
    found = _SUFFIX.search(PurePosixPath(name).name)
    return found.group() if found and found.start() else ""


def are_one_file(paths: Sequence[str]) -> bool:
    """Whether paths in an archive or a repository are one, of a file: it has a suffix, and no ``/`` at its end."""
    return len(paths) == 1 and not paths[0].endswith("/") and bool(suffix(paths[0]))


def archive_kind(name: str) -> Literal["tar", "zip"] | None:
    """The kind of archive that a file's name promises."""
    lowered = name.lower()
    return next((kind for kind, endings in _ARCHIVES if lowered.endswith(endings)), None)
