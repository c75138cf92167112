"""How many to do at a time: twice as many for as long as that brings more.

On a line with a delay many small files want many connections. On a near one the interpreter is what limits, and more
threads only take it from each other: four do 5,000 small files in nearly twice the time that one needs.
"""

from __future__ import annotations

import time
from collections.abc import Callable

_TRIAL = 0.05  # seconds
_AGAIN = 5.0  # seconds after which what was found may hold no longer
_BETTER = 1.15  # times as much
_IDLE = 0.5  # of a processor: with less in use, waiting is what takes the time


class Ramp:
    """``done`` tells how much was done so far, in any unit; ``clock`` and ``cpu`` are in seconds."""

    def __init__(
        self,
        most: int,
        done: Callable[[], float],
        clock: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.process_time,
    ) -> None:
        self.size = 1
        self._most = most
        self._done, self._clock, self._cpu = done, clock, cpu
        self._before: float | None = None
        self._settled: float | None = None
        self._mark()

    def step(self) -> int:
        """To be asked every now and then: how many to run from now on."""
        spent = self._clock() - self._at
        if spent < _TRIAL:
            return self.size
        rate, busy = (self._done() - self._had) / spent, (self._cpu() - self._used) / spent
        if self._settled is None:
            self._judge(rate, busy)
        elif self._clock() - self._settled >= _AGAIN:
            self._settled, self._before = None, None
        self._mark()
        return self.size

    def _judge(self, rate: float, busy: float) -> None:
        worse = self._before is not None and rate < _BETTER * self._before and busy >= _IDLE
        if worse:
            self.size //= 2
        elif self.size < self._most:
            self.size, self._before = min(self._most, 2 * self.size), rate
            return
        self._settled = self._clock()

    def _mark(self) -> None:
        self._at, self._used, self._had = self._clock(), self._cpu(), self._done()
