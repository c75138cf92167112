"""Files that people keep, such as those in Git or a report, written anew whole or not at all."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from envkit.errors import InputError
from envkit.models.store.hand import Hand


def write(path: Path, data: bytes, hand: Hand) -> None:
    """Put ``data`` in the place of a file, which keeps its permissions and its owner; a new one is ``hand``'s to give.

    Raises:
        InputError: it cannot be written there; what was there is as it was.
    """
    # A link to a file elsewhere stays one, but not for root, whom it could lead to any file of the machine.
    target = path if hand.owner else Path(os.path.realpath(path))
    staged = target.with_name(f"{target.name}.{token_hex(4)}.new")
    try:
        try:
            before = target.lstat() if hand.owner else target.stat()
        except FileNotFoundError:
            before = None
        _stage(staged, data, before, hand)
        staged.replace(target)
    except OSError as error:
        who = f"call envkit as the owner of {target.parent} (you are uid {os.geteuid()})"
        hint = who if isinstance(error, PermissionError) else None
        raise InputError(f"{path}: cannot be written: {error.strerror}", hint=hint) from error
    finally:
        with suppress(OSError):
            staged.unlink()


def _stage(staged: Path, data: bytes, before: os.stat_result | None, hand: Hand) -> None:
    descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        if before is not None and stat.S_ISREG(before.st_mode):
            os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode))
            if os.geteuid() == 0:
                os.fchown(file.fileno(), before.st_uid, before.st_gid)
        elif hand.owner:
            os.fchown(file.fileno(), hand.owner.uid, hand.owner.gid)
        # Before the name is given: after a power cut an empty file would have it.
        os.fsync(file.fileno())
