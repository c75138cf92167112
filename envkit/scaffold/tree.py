"""A project's folder, looked at and written to: files whole or not at all, none outside of it, as who owns it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from envkit.errors import InputError
from envkit.scaffold.plan import Found
from envkit.settings import Owner

_MAX_BYTES = 1 << 20


def owner_of(folder: Path, caller: Owner) -> Owner:
    """Whose the files are to be: the folder's owner; of a folder to be made, who calls, or for root the owner above."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    facts = there.stat()
    return caller if there != folder and not caller.is_root else Owner(facts.st_uid, facts.st_gid)


@contextmanager
def acting_as(owner: Owner) -> Iterator[None]:
    """Root reads and writes with the owner's rights, and no more: no link in the folder can lead it elsewhere.

    What is needed has to be imported before: Python's own folder may be one that the owner cannot read.
    """
    if os.geteuid() != 0 or owner.is_root:
        yield
        return
    groups, group = os.getgroups(), os.getegid()
    os.setgroups([])
    os.setegid(owner.gid)
    os.seteuid(owner.uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


def make(folder: Path, owner: Owner) -> None:
    """The folder itself, and those above it; the new ones are the owner's.

    Raises:
        InputError: it cannot be made.
    """
    try:
        for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
            missing.mkdir(exist_ok=True)
            if os.geteuid() == 0:
                os.chown(missing, owner.uid, owner.gid, follow_symlinks=False)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made: {error.strerror}") from error


def present(folder: Path, paths: Iterable[str]) -> frozenset[str]:
    """Which of these are there; not what may not be looked at."""
    return frozenset(path for path in paths if os.path.exists(folder / path))  # noqa: PTH110 - raises nothing


def look(folder: Path, path: str) -> Found:
    """What is at a path of the folder; a link counts as what it leads to, within the folder."""
    try:
        place = _place(folder, path)
        if place is None:
            return Found(obstacle="a link that leads out of this folder")
        if not stat.S_ISREG(place.stat().st_mode):
            return Found(obstacle="no file is there, but something else")
        with place.open("rb") as stream:
            text = stream.read(_MAX_BYTES + 1)
        return Found(text.decode("utf-8")) if len(text) <= _MAX_BYTES else Found(obstacle="larger than 1 MiB")
    except FileNotFoundError:
        return Found()
    except UnicodeDecodeError:
        return Found(obstacle="no UTF-8 text")
    except (OSError, RuntimeError) as error:  # RuntimeError: links that go round, before Python 3.13
        return Found(obstacle=getattr(error, "strerror", None) or "links that go round")


def write(folder: Path, path: str, text: str) -> None:
    """Write a file whole; its permissions stay, and so does a link to it.

    Raises:
        InputError: it cannot be written.
    """
    place = _place(folder, path)
    if place is None:
        raise InputError(f"{path}: a link that leads out of {folder}")
    staged = place.with_name(f".{place.name}.{token_hex(4)}.new")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with staged.open("x", encoding="utf-8", newline="") as stream:
            stream.write(text)
        if place.exists():
            staged.chmod(place.stat().st_mode & 0o7777)
        staged.replace(place)
    except OSError as error:
        raise InputError(f"{folder / path}: cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            staged.unlink()


def _place(folder: Path, path: str) -> Path | None:
    """Where a path leads, if that is in the folder."""
    place = (folder / path).resolve()
    return place if place.is_relative_to(folder.resolve()) else None
