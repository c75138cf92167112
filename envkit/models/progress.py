"""How far downloads, hashing and unpacking are: bars for a person at a terminal, now and then a line for a log."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn, Protocol

from envkit.result import Report

if TYPE_CHECKING:
    from tqdm import tqdm

_MIB = 1 << 20
_EVERY = 5.0  # seconds between two lines about the same thing


class Meter(Protocol):
    """Bytes of one thing. ``start`` begins it anew, as it does after a retry."""

    def start(self, total: int | None) -> None: ...

    def advance(self, amount: int) -> None: ...

    def close(self) -> None: ...


class Progress(Protocol):
    """All that goes on at a time, and the lines said meanwhile. After ``close`` nothing more is shown."""

    def meter(self, label: str) -> Meter: ...

    def say(self, line: str) -> None: ...

    def close(self) -> None: ...


def choose(report: Report) -> Progress:
    """Bars where standard error is a terminal, else lines."""
    return Bars() if sys.stderr.isatty() else Lines(report)


def pulse(progress: Progress, line: str, clock: Callable[[], float] = time.monotonic) -> Callable[[], None]:
    """What to call again and again while something goes on that has no measure: now and then it says so."""
    began = said = clock()

    def beat() -> None:
        nonlocal said
        now = clock()
        if now - said >= _EVERY:
            said = now
            progress.say(f"{line}, for {now - began:.0f} s")

    return beat


class Bars:
    """tqdm's bars on standard error; lines are written above them."""

    def __init__(self) -> None:
        self.closed = False
        self._meters: list[_Bar] = []

    def meter(self, label: str) -> Meter:
        self._meters.append(meter := _Bar(label, self))
        return meter

    def say(self, line: str) -> None:
        from tqdm import tqdm

        if not self.closed:
            tqdm.write(line, file=sys.stderr)

    def close(self) -> None:
        self.closed = True
        for meter in self._meters:
            meter.close()


class _Bar:
    def __init__(self, label: str, bars: Bars) -> None:
        self._label = label
        self._bars = bars
        self._bar: tqdm[NoReturn] | None = None

    def start(self, total: int | None) -> None:
        from tqdm import tqdm

        self.close()
        if self._bars.closed:
            return
        self._bar = tqdm(total=total, desc=self._label, unit="B", unit_scale=True, unit_divisor=1024, leave=False)

    def advance(self, amount: int) -> None:
        if self._bar is not None:
            self._bar.update(amount)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class Lines:
    """Lines through ``report``; ``clock`` gives seconds."""

    def __init__(self, report: Report, clock: Callable[[], float] = time.monotonic) -> None:
        self._report = report
        self._clock = clock
        # A thread left behind must not hold standard error while the interpreter shuts down.
        self._lock = threading.Lock()
        self._closed = False

    def meter(self, label: str) -> Meter:
        return _Line(label, self.say, self._clock)

    def say(self, line: str) -> None:
        with self._lock:
            if not self._closed:
                self._report(line)

    def close(self) -> None:
        with self._lock:
            self._closed = True


class _Line:
    def __init__(self, label: str, report: Report, clock: Callable[[], float]) -> None:
        self._label, self._report, self._clock = label, report, clock
        self.start(None)

    def start(self, total: int | None) -> None:
        self._total, self._done = total, 0
        self._began = self._said = self._clock()

    def advance(self, amount: int) -> None:
        self._done += amount
        now = self._clock()
        if now - self._said < _EVERY:
            return
        self._said = now
        rate = self._done / _MIB / (now - self._began)
        share = f" of {self._total / _MIB:.1f} MiB ({self._done / self._total:.0%})" if self._total else " MiB"
        self._report(f"{self._label}: {self._done / _MIB:.1f}{share}, {rate:.1f} MiB/s")

    def close(self) -> None:
        """Nothing to take away: lines stay."""
