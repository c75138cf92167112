"""A limit on bytes per second that all connections share."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock


class Limiter:
    """``rate`` is bytes per second. Whoever receives pays with its own waiting; at rest, nothing is saved up."""

    def __init__(self, rate: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._lock = Lock()
        self._free = 0.0  # when the line is free again
        self.chunk = max(1024, min(1 << 20, rate // 20))
        """How many bytes to read at once (bytes), so that the waits stay short."""

    def delay(self, amount: int) -> float:
        """Book ``amount`` bytes that came; how many seconds to wait before the next are read."""
        with self._lock:
            now = self._clock()
            self._free = max(self._free, now) + amount / self._rate
            return self._free - now
