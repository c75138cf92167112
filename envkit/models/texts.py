"""The bytes of a file that people write → its text, wherever they are from: a disk, or a commit."""

from __future__ import annotations

from envkit.errors import InputError

MOST = 64 << 20
"""Bytes of a registry or a lock that are read."""


def decoded(body: bytes, file: str) -> str:
    """The text; ``file`` is its name for messages.

    Raises:
        InputError: it is too large to be one, or not UTF-8.
    """
    if len(body) > MOST:
        raise InputError(f"{file}: no registry is as large", hint=f"{MOST} bytes are the most that is read")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: not UTF-8 at byte {error.start}", hint="save it as UTF-8") from error
