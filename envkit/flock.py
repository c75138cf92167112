"""Advisory locks on open files, which go with the process that holds them, however it ends (flock(2))."""

from __future__ import annotations

import fcntl


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
