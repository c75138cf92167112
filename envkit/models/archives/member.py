"""What all archives have in common: members, the names they may have, and the ways to say no."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from envkit.errors import ModelError

CHUNK = 1 << 20  # bytes
_MAX_PATH = 1024  # bytes: what macOS takes; Linux takes 4096 with the folders above
_MAX_PART = 255  # bytes: NAME_MAX of every common file system


@dataclass(frozen=True)
class Entry:
    """A member: a file with its ``content``, a link with its ``target``, or a folder with neither.

    ``path`` and ``target`` are relative to the archive's root, without ``.`` and ``..``, and empty for the root itself.
    ``content`` can be read once, and before the next entry is asked for.
    """

    path: str
    content: Iterator[bytes] | None = None
    target: str | None = None


@dataclass
class Budget:
    """How many bytes may still come; counted as they come, whatever the archive declares."""

    left: int

    def spend(self, amount: int) -> None:
        self.left -= amount
        if self.left < 0:
            raise refused("it unpacks to far more than its size makes likely")


def path_of(name: str) -> str:
    """The path of a member, or `ModelError` for a name that no file should have."""
    parts = name.split("/")
    why = "leads out of it" if ".." in parts else _objection(name)
    if why:
        raise refused(f"{shown(name)} {why}")
    return "/".join(part for part in parts if part not in {"", "."})


def target_of(link: str, target: str, folder: str) -> str:
    """The path that ``link`` names with ``target``, which counts from ``folder``; `ModelError` if it is outside."""
    why = _objection(target)
    parts = folder.split("/") if folder else []
    for part in target.split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part == "..":
            why = why or "leads out of it"
        elif part not in {"", "."}:
            parts.append(part)
    if why:
        raise refused(f"{shown(link)} is a link, and its target {shown(target)} {why}")
    return "/".join(parts)


def _objection(name: str) -> str | None:
    """Why a text is refused as a path. Backslashes and drives mean nothing on Linux, but do where it is copied to."""
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "is not valid UTF-8"
    if "\0" in name:
        return "has a NUL in it"
    if name.startswith("/") or "\\" in name or (name[:1].isalpha() and name[1:2] == ":"):
        return "leads out of it"
    if size > _MAX_PATH:
        return f"is longer than {_MAX_PATH} bytes"
    if any(len(part.encode()) > _MAX_PART for part in name.split("/")):
        return f"has a part longer than {_MAX_PART} bytes"
    return None


def shown(name: str) -> str:
    """A name for a message: quoted, on one line, and not for ever."""
    return repr(name if len(name) <= 200 else name[:200] + "…")


def refused(why: str) -> ModelError:
    return ModelError(f"the archive is refused: {why}")
