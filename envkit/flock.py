"""Advisory locks on open files, which go with the process that holds them, however it ends (flock(2), fcntl(2))."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import struct
from typing import Literal


def take(descriptor: int, *, unsupported: bool) -> bool:
    """Take the lock on an open file; False where another process has it.

    On a file system that has no locks the answer is ``unsupported``: True for one who would only wait for others,
    False for one who would remove what is not theirs.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return unsupported
    return True


def take_byte(descriptor: int, offset: int) -> bool:
    """Take the lock on one byte of a file that is open for writing, there or not; False where another has it.

    Another is whoever has opened the file anew, in this process too. On a file system without such locks: True.
    """
    # struct flock: type, whence, start, length, process
    wanted = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, offset, 1, 0)
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, wanted)
    except OSError as error:
        return error.errno not in (errno.EAGAIN, errno.EACCES)
    return True


def others(descriptor: int, doing: Literal["writing", "anything"]) -> bool | None:
    """Whether the file is open elsewhere, in whatever container, for writing or at all: then a lease is refused.

    ``descriptor`` itself is open for reading only where the question is of writing. None where that cannot be known: on
    a network file system, or where the file is another user's.
    """
    kind = getattr(fcntl, "F_SETLEASE", None)
    if kind is None:
        return None
    try:
        # Who opens the file in the very moment of the lease has a signal sent to us. SIGIO, as it is, would be our end.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, kind, fcntl.F_RDLCK if doing == "writing" else fcntl.F_WRLCK)
    except OSError as error:
        return True if error.errno == errno.EAGAIN else None
    fcntl.fcntl(descriptor, kind, fcntl.F_UNLCK)
    return False
