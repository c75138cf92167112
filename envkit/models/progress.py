"""How far downloads, hashing and unpacking are: bars for a person at a terminal, now and then a line for a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from envkit.models import units
from envkit.models.tally import Board, Reading
from envkit.result import Report

_EVERY = 5.0  # seconds between two lines; what takes less is not worth one
_NAMES = 3  # beside what the line is about


class Meter(Protocol):
    """Bytes of one thing, counted by any number of threads. After ``close`` it is over; what came stays counted."""

    def start(self, total: int | None, done: int = 0) -> None:
        """Begin, or begin anew as after a retry, with ``done`` bytes that are there from an earlier run."""

    def advance(self, amount: int) -> None: ...

    def close(self) -> None: ...


class Progress(Protocol):
    """All that goes on at a time, and the lines said meanwhile. After ``close`` nothing more is shown."""

    def expect(self, files: int, size: int | None) -> None:
        """How many files, and bytes if known, will come in all; the last one who says so is right."""

    def meter(self, label: str, *, part_of_whole: bool = True) -> Meter:
        """To count something with. What is not received, but hashed say, is no part of the whole."""

    def say(self, line: str) -> None: ...

    def tick(self) -> None:
        """Show what is due. `Meter.advance` does so too: this is for when nothing comes, from any thread."""

    def close(self) -> None: ...


def choose(report: Report) -> Progress:
    """Bars where standard error is a terminal, else lines."""
    if not sys.stderr.isatty():
        return Lines(report)
    from envkit.models.bars import Bars

    return Bars(sys.stderr)


def pulse(progress: Progress, line: str, clock: Callable[[], float] = time.monotonic) -> Callable[[], None]:
    """What to call again and again while something goes on that has no measure: now and then it says so."""
    began = said = clock()

    def beat() -> None:
        nonlocal said
        now = clock()
        if now - said >= _EVERY:
            said = now
            progress.say(f"{line}, for {now - began:.0f} s")
        progress.tick()

    return beat


class Lines(Board):
    """Lines through ``report``, each about all that has been going on for a while; ``clock`` gives seconds."""

    def __init__(self, report: Report, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock)
        self._report = report

    def say(self, line: str) -> None:
        with self._lock:
            if not self._closed:
                self._report(line)

    def _show(self, now: float) -> float:
        shown = self.shown()
        worth = [item for item in shown if now - item.pace.began >= _EVERY]
        if not worth:
            return min((item.pace.began + _EVERY for item in shown), default=now)
        self._report(self._line([Reading.of(item, now) for item in worth], whole=worth[0] is self.whole))
        return now + _EVERY

    def _line(self, readings: Sequence[Reading], *, whole: bool) -> str:
        first, *others = readings
        label, amount = first.label, _amount(first)
        if whole:
            label = "models"
            if first.share is None:
                amount = f"{self.whole.ended} of {self.whole.files} files, {amount}"
        names = ", ".join(f"{reading.label} {_briefly(reading)}" for reading in others[:_NAMES])
        more = f" and {len(others) - _NAMES} more" if len(others) > _NAMES else ""
        return f"{label}: {amount}, {_speed(first)}" + (f"; {names}{more}" if names else "")


def _amount(reading: Reading) -> str:
    if reading.total is None or reading.share is None:
        return units.scaled(reading.done)
    return f"{units.part(reading.done, reading.total)} ({reading.share}%)"


def _briefly(reading: Reading) -> str:
    return units.scaled(reading.done) if reading.share is None else f"{reading.share}%"


def _speed(reading: Reading) -> str:
    if not reading.speed:
        return "stalled"
    left = f", about {units.duration(reading.left)} left" if reading.left else ""
    return f"{units.scaled(reading.speed)}/s{left}"
