"""Tells a transfer that crawls from one that is slow."""

from __future__ import annotations

import time
from collections.abc import Callable

from envkit.models.transfer.answers import TransientError

_WINDOW = 30.0  # seconds
_SLOWEST = 1024  # bytes per second: what a line brings that nobody would call one


class Watch:
    """For one connection: raises `TransientError` from `came` where next to nothing came for half a minute.

    A read that brings nothing at all has a time-out of its own; this one is for a server that trickles.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._amount, self._since = 0, clock()

    def came(self, amount: int) -> None:
        self._amount += amount
        now = self._clock()
        if now - self._since < _WINDOW:
            return
        if amount and self._amount < _SLOWEST * _WINDOW:
            raise TransientError(f"the transfer stalled: {self._amount} bytes in {now - self._since:.0f} s")
        self._amount, self._since = 0, now

    def paused(self, seconds: float) -> None:
        """That long nothing was read: the waiting was our own."""
        self._since += seconds
