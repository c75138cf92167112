"""What can be kept of a lock that a merge left in conflict."""

from __future__ import annotations

from collections.abc import Iterator

from envkit.errors import InputError
from envkit.models.locking import lock
from envkit.models.locking.lock import Lock

_OURS, _BASE, _THEIRS, _END = "<<<<<<< ", "||||||| ", "=======", ">>>>>>> "


def salvaged(text: str) -> Lock | None:
    """The entries of a lock with Git's marks in it that both sides have alike, or only one side has; None for no lock.

    What the two sides made of one entry differently is left out: there is no telling which is meant.
    """
    try:
        ours, theirs = (lock.parse("".join(_side(text, side))).entries for side in (_OURS, _THEIRS))
    except InputError:
        return None
    return Lock.of(entry for key, entry in {**ours, **theirs}.items() if ours.get(key, entry) == theirs.get(key, entry))


def _side(text: str, wanted: str) -> Iterator[str]:
    """The lines as one side has them."""
    within = ""
    for line in text.splitlines(keepends=True):
        if line.startswith((_OURS, _BASE, _END)) or (within and line.rstrip("\r\n") == _THEIRS):
            within = next((mark for mark in (_OURS, _BASE, _THEIRS) if line.startswith(mark)), "")
        elif within in ("", wanted):
            yield line
