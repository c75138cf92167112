"""One file under a second name, with as few new bytes as the file systems allow."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Literal

How = Literal["reflink", "hardlink", "symlink", "copy"]
"""``reflink``: a file of its own that shares its blocks until one of the two is written to (btrfs, XFS)."""

_FICLONE = 0x40049409  # linux/fs.h
_TRIES = 20
# Folders of blobs whose file system cannot, so that each is asked once.
_without_reflinks: set[Path] = set()
_CANNOT = {errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL, errno.EMLINK, errno.ENOSYS}


def link(source: Path, target: Path, *, symlink: bool) -> How:
    """Make ``target``, which is not there yet, the same as ``source``.

    ``symlink`` says that the path of ``source`` is one that resolves for everybody who will look at ``target``.
    """
    if _reflinked(source, target):
        return "reflink"
    if _hardlinked(source, target):
        return "hardlink"
    if symlink:
        target.symlink_to(source)
        return "symlink"
    # Under its own name only: what is interrupted half-way leaves a temporary file of the caller's.
    shutil.copyfile(source, target)
    return "copy"


def shares(source: Path, folder: Path) -> bool:
    """Whether a file can be linked into a folder, which is a temporary one, without a copy."""
    target = folder / f"{token_hex(6)}.probe"
    try:
        return link(source, target, symlink=False) != "copy"
    except OSError:
        return False
    finally:
        with suppress(OSError):
            target.unlink(missing_ok=True)


def _hardlinked(source: Path, target: Path) -> bool:
    for left in reversed(range(_TRIES)):
        try:
            os.link(source, target)
        except FileNotFoundError:  # noqa: PERF203
            # Replaced in this very moment by another of the same bytes: the one that was found has no name any more.
            if not (left and source.exists()):
                raise
        except OSError as error:
            if error.errno not in _CANNOT:
                raise
            return False
        else:
            return True
    return False


def _reflinked(source: Path, target: Path) -> bool:
    if source.parent.parent in _without_reflinks:
        return False
    with source.open("rb") as old:
        out = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            fcntl.ioctl(out, _FICLONE, old.fileno())
        except OSError as error:
            os.unlink(target)  # noqa: PTH108 - beside os.open
            if error.errno not in _CANNOT:
                raise
            _without_reflinks.add(source.parent.parent)
            return False
        finally:
            os.close(out)
    return True
