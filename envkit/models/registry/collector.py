"""Python's collector of cycles, paused while many objects are made that hold none.

The more objects there are, the more it looks at, for nothing: of the time in which 10,000 entries are read, it would be
more than half. Mercurial pauses it for the same reason (``mercurial.util.nogc``).
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """Leave the collector off while the block runs; also a decorator. In threads or nested, it ends as it began."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
