"""Folders and files on the host that only their owner may read: secrets, keys, known hosts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TextIO

from envkit.errors import InputError
from envkit.settings import Owner


def make_folder(folder: Path, owner: Owner) -> Path:
    """Make ``folder`` and what is missing above it, 0700 and ``owner``'s; what is there already is left as it is.

    Raises:
        InputError: it cannot be made.
    """
    try:
        for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
            missing.mkdir(mode=0o700, exist_ok=True)
            _give(missing, owner)
    except OSError as error:
        raise _unusable(folder, error) from error
    return folder


def holds(path: Path, text: str, owner: Owner) -> bool:
    """Whether `write` would change nothing."""
    try:
        found = path.stat()
        return (found.st_uid, found.st_mode & 0o777) == (owner.uid, 0o600) and path.read_text("utf-8") == text
    except FileNotFoundError:
        return False


def write(path: Path, text: str, owner: Owner) -> None:
    """Write ``path`` whole, 0600 and ``owner``'s; a reader sees the old text or the new one, never a part.

    Raises:
        InputError: it cannot be written.
    """
    make_folder(path.parent, owner)
    temporary = path.parent / f".{path.name}.{os.getpid()}"
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        _give(temporary, owner)
        temporary.replace(path)
    except OSError as error:
        raise _unusable(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def _unusable(path: Path, error: OSError) -> InputError:
    hint = "envkit keeps its state there; XDG_STATE_HOME names another place"
    return InputError(f"{path}: cannot be written: {error.strerror}", hint=hint)


def open_file(path: Path, owner: Owner) -> TextIO:
    """Open a file for reading and writing, made 0600 and ``owner``'s where it is not there.

    Raises:
        InputError: it cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        hand_over(path, owner)
    except OSError as error:
        raise _unusable(path, error) from error
    return os.fdopen(descriptor, "r+", encoding="utf-8")


def hand_over(path: Path, owner: Owner) -> None:
    """Make what is there already ``owner``'s, where it was somebody else's: the project may have changed hands."""
    if path.stat().st_uid != owner.uid:
        _give(path, owner)


def _give(path: Path, owner: Owner) -> None:
    if os.geteuid() == 0:
        os.chown(path, owner.uid, owner.gid)
