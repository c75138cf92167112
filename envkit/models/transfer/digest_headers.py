"""Digests of a file that the headers of an answer name: those of the RFCs, and those of the stores in use.

What a header says is the word of a server, or of whoever uploaded the file there. One that is not of its form says
nothing.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

WANTED: Mapping[str, str] = {
    # RFC 9530, 4, and RFC 3230, 4.3.1, which servers of scientific data still speak.
    "Want-Repr-Digest": "sha-256=9, md5=3",
    "Want-Digest": "sha-256, md5;q=0.3",
}
"""What to ask with, so that a server that computes digests on demand does so."""

_DIGITS = {"md5": 32, "sha256": 64, "git_blob": 40}
_NAMES = {"md5": "md5", "sha-256": "sha256", "sha256": "sha256"}
# Of no bytes at all: what Content-Digest is in the answer to a HEAD (RFC 9530, B.2), and a placeholder elsewhere.
_EMPTY = {
    "d41d8cd98f00b204e9800998ecf8427e",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
}


class Told(NamedTuple):
    """One digest: its name as a field of `Digests`, in hexadecimal digits, and the header that says so."""

    name: str
    digest: str
    header: str


def told(headers: Mapping[str, str], *, on_the_way: bool = False) -> Iterator[Told]:
    """Every digest of the file that ``headers`` name, the most explicit first.

    ``on_the_way``: of a redirect, most headers are about its own body. Hubs and proxies of repositories say there what
    the file behind it is.
    """
    for header in _ON_THE_WAY if on_the_way else _READERS:
        text = headers.get(header)
        if text and not (header == _STORED and _was_unpacked(headers)):
            for name, digest in _READERS[header](text):
                if digest not in _EMPTY:
                    yield Told(name, digest, header)


def _was_unpacked(headers: Mapping[str, str]) -> bool:
    """Whether a store keeps the file packed and has unpacked it for us: then its digests are of what it keeps."""
    kept = headers.get("X-Goog-Stored-Content-Encoding", "identity").lower()
    return kept not in ("", "identity") and "Content-Encoding" not in headers


def _digest(name: str, text: str) -> Iterator[tuple[str, str]]:
    """A digest in hexadecimal digits or in base64: their lengths tell them apart."""
    digits, text = _DIGITS[name], text.strip().strip('"')
    if re.fullmatch(rf"[0-9A-Fa-f]{{{digits}}}", text):
        yield name, text.lower()
        return
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return
    if 2 * len(raw) == digits:
        yield name, raw.hex()


def _one(name: str) -> Callable[[str], Iterator[tuple[str, str]]]:
    return lambda text: _digest(name, text)


def _list(text: str) -> Iterator[tuple[str, str]]:
    """``sha-256=:…:, md5=:…:`` (RFC 9530), ``SHA-256=…,MD5=…`` (RFC 3230), ``crc32c=…,md5=…``."""
    for member in text.split(","):
        key, _, value = member.partition("=")
        if name := _NAMES.get(key.strip().lower()):
            yield from _digest(name, value.partition(";")[0].strip().strip(":"))


def _linked(text: str) -> Iterator[tuple[str, str]]:
    """A hub's own name for a file: its SHA-256 where it is kept in LFS, else that of Git."""
    text = text.removeprefix("W/")
    yield from _digest("sha256", text)
    yield from _digest("git_blob", text)


_STORED = "X-Goog-Hash"
_READERS: Mapping[str, Callable[[str], Iterator[tuple[str, str]]]] = {
    "Repr-Digest": _list,
    "Content-Digest": _list,
    "Digest": _list,
    "X-Checksum-Sha256": _one("sha256"),  # Artifactory
    "X-Checksum-Md5": _one("md5"),
    "X-Amz-Checksum-Sha256": _one("sha256"),  # `…-N`, of a file that came in N parts, is no base64
    "X-Bce-Content-Sha256": _one("sha256"),  # Baidu BOS, where the uploader gave it
    _STORED: _list,
    "X-Ms-Blob-Content-Md5": _one("md5"),
    "Content-MD5": _one("md5"),  # RFC 1864: BOS, OSS, Azure and others
    "X-Cos-Meta-Md5": _one("md5"),  # Tencent COS, by its own upload tools
    "X-Amz-Meta-Md5chksum": _one("md5"),  # rclone's, on stores that speak S3
    "X-Linked-Etag": _linked,
}
_ON_THE_WAY = ("X-Linked-Etag", "X-Checksum-Sha256", "X-Checksum-Md5")
