"""A folder for each run's temporary files, and a file beside it that tells a living run from what a dead one left."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from envkit import flock
from envkit.models.store.hand import Hand

_SIGN = ".alive"
_LONG = 86400.0  # seconds: where nobody can tell, a run that began that long ago is taken for dead


@contextmanager
def claimed(runs: Path, hand: Hand) -> Iterator[Path]:
    """A new folder in ``runs`` that goes in the end, with what is left in it. Those of the dead go first."""
    clear_dead(runs)
    folder, sign = _claim(runs, hand)
    try:
        yield folder
    finally:
        _remove(folder)
        os.close(sign)


def clear_dead(runs: Path) -> None:
    """Remove what dead runs left."""
    for folder in {path.with_suffix("") for path in runs.iterdir()}:
        with suppress(OSError):
            if _is_dead(folder.with_suffix(_SIGN)):
                _remove(folder)


def _claim(runs: Path, hand: Hand) -> tuple[Path, int]:
    """A new folder, which is seen to be in use for as long as the returned descriptor is open."""
    while True:
        folder = runs / token_hex(8)
        path = folder.with_suffix(_SIGN)
        # Before there is a folder: one without a sign is a dead run's.
        sign = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        # Where another run looks at it this very moment, one that is not locked would be dead to the next.
        if flock.take(sign, unsupported=True):
            hand.give(path)
            hand.make(folder)
            return folder, sign
        path.unlink(missing_ok=True)
        os.close(sign)


def _is_dead(path: Path) -> bool:
    """Whether nobody has a sign open: by its lock, and, should that lie, by whether it is open for writing."""
    try:
        sign = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        if not flock.take(sign, unsupported=False):
            return False
        written = flock.others(sign, "writing")
        return time.time() - os.fstat(sign).st_mtime > _LONG if written is None else not written
    finally:
        os.close(sign)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.with_suffix(_SIGN).unlink(missing_ok=True)
