"""Whether the disk has room for what a plan will bring, before the first byte of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from envkit.models.model import NoRoomError
from envkit.models.plan import Fetch
from envkit.models.store.store import Store

_UNPACKED = 2
"""An archive is there beside what comes out of it: weights hardly compress."""


def check(fetches: Sequence[Fetch], store: Store) -> None:
    """Compare the sizes that the registry names with what is free where the store is.

    Raises:
        NoRoomError: it will not fit.
    """
    needed = sum(max(0, _needed(action) - _there(action, store)) for action in fetches)
    _compare(needed, store.partials, f"{len(fetches)} downloads need")


def check_one(size: int, folder: Path) -> None:
    """The same for one file of ``size`` bytes, which only its server knew. Raises as `check` does."""
    _compare(size, folder, "it needs")


def _compare(needed: int, folder: Path, who: str) -> None:
    found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize
    if needed > free:
        hint = f"make room there, or name a store on another disk: ENVKIT_STORE (now {folder.parent})"
        raise NoRoomError(f"not enough room: {who} {_shown(needed)}, and {_shown(free)} are free", hint=hint)


def _needed(action: Fetch) -> int:
    size = action.artifact.digests.size or 0
    return size * (_UNPACKED if any(model.unpack for model, _ in action.models) else 1)


def _there(action: Fetch, store: Store) -> int:
    """How much of it is there already, from an earlier run or a lock (bytes on the disk)."""
    if not action.artifact.digests.size:
        return 0
    if store.blobs.has(action.artifact.digests):
        return action.artifact.digests.size
    partials = store.partials
    return max((path.stat().st_blocks * 512 for path in partials.glob(f"{action.artifact.key}.*.part")), default=0)


def _shown(size: int) -> str:
    return f"{size / (1 << 30):.2f} GiB" if size >= 1 << 28 else f"{size / (1 << 20):.1f} MiB"
