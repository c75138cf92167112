"""How many bytes have come: counted by many threads at once, shown by whichever of them finds that it is time."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

_SLACK = 64 << 10  # bytes


class Pace:
    """Since when, and how fast: ``speed`` in bytes a second, as of the last `lap`."""

    def __init__(self, now: float) -> None:
        self.began = now
        self.speed = 0.0
        self._laps = 0
        self._at, self._came = now, 0

    def lap(self, now: float, came: int, memory: float = 0.0) -> None:
        """Measure from the last time to now, when ``came`` bytes are there; ``memory`` seconds smooth it."""
        if (passed := now - self._at) <= 0:
            return
        speed = (came - self._came) / passed
        # Nothing came before the first lap, and a bar that creeps up to its true speed foretells too late an end.
        weight = 1 - math.exp(-passed / memory) if memory and self._laps else 1.0
        self.speed += (speed - self.speed) * weight
        self._laps += 1
        self._at, self._came = now, came


class Counted(Protocol):
    """What can be shown: ``done`` of ``total`` bytes, and ``came``, what this run received, lost again or not."""

    @property
    def label(self) -> str: ...

    @property
    def total(self) -> int | None: ...

    @property
    def done(self) -> int: ...

    @property
    def came(self) -> int: ...

    @property
    def pace(self) -> Pace: ...


@dataclass(frozen=True)
class Reading:
    """How far something was at one moment, others counting on meanwhile: bytes, seconds, bytes a second."""

    label: str
    done: int
    total: int | None
    passed: float
    speed: float

    @classmethod
    def of(cls, item: Counted, now: float, memory: float = 0.0) -> Reading:
        item.pace.lap(now, item.came, memory)
        done, total = item.done, item.total
        if total is not None and done > total:
            # An archive's first header is read twice; but what exceeds its size by more has no size that we know.
            done, total = (total, total) if done - total <= _SLACK else (done, None)
        return cls(item.label, done, total, now - item.pace.began, item.pace.speed)

    @property
    def share(self) -> int | None:
        """In per cent, 100 only at the end."""
        return 100 * self.done // self.total if self.total else None

    @property
    def left(self) -> float | None:
        """Seconds until the end, at this speed."""
        return (self.total - self.done) / self.speed if self.total and self.speed else None


class Gauge:
    """The `Meter` of a `Board`."""

    def __init__(self, label: str, board: Board, *, part_of_whole: bool) -> None:
        self.label, self.part_of_whole = label, part_of_whole
        self.total: int | None = None
        self.done = self.came = 0
        self.pace = Pace(0.0)
        self.over = False
        self._board = board
        self._lock = threading.Lock()

    def start(self, total: int | None, done: int = 0) -> None:
        with self._lock:
            self.total, self.done = total, done
        self._board.begin(self)

    def advance(self, amount: int) -> None:
        # Only the threads of this one file meet here, and nobody draws while holding this lock.
        with self._lock:
            self.done += amount
            self.came += amount
        self._board.tick()

    def close(self) -> None:
        self._board.end(self)


class Whole:
    """All files that are part of the whole, whether they are over, under way or still to come."""

    def __init__(self) -> None:
        self.pace = Pace(0.0)
        self.ended = 0  # files, failed ones too: nothing more comes of them
        self._expected = self._made = 0
        self._size: int | None = None
        self._begun = False
        self._going: list[Gauge] = []
        self._done = self._came = 0  # by the files that ended

    @property
    def label(self) -> str:
        return f"models {self.ended}/{self.files}"

    @property
    def files(self) -> int:
        return max(self._expected, self._made)

    @property
    def total(self) -> int | None:
        """As expected; else what the files themselves say, once each of them has."""
        if self._size is not None:
            return self._size
        totals = [gauge.total for gauge in self._going if gauge.total is not None]
        complete = self.ended + len(totals) == self.files
        return self._done + sum(totals) if complete else None

    @property
    def done(self) -> int:
        return self._done + sum(gauge.done for gauge in self._going)

    @property
    def came(self) -> int:
        return self._came + sum(gauge.came for gauge in self._going)

    @property
    def worth_showing(self) -> bool:
        """Whether it has begun, is not over, and says more than the bar of the only file does."""
        return self._begun and 1 < self.files > self.ended

    def expect(self, files: int, size: int | None) -> None:
        self._expected, self._size = files, size

    def made(self) -> None:
        self._made += 1

    def begin(self, gauge: Gauge, now: float) -> None:
        if not self._begun:
            self._begun, self.pace = True, Pace(now)
        self._going.append(gauge)

    def end(self, gauge: Gauge) -> None:
        self.ended += 1
        self._done += gauge.done
        self._came += gauge.came
        if gauge in self._going:
            self._going.remove(gauge)


class Board:
    """What `Bars` and `Lines` share: what is going on, and when to show it next.

    There is no thread of its own: every `Gauge.advance` looks at the clock, and the first one for whom it is time
    shows all there is.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.whole = Whole()
        self.going: list[Gauge] = []
        self._clock = clock
        # Also kept while showing: a thread left behind must not hold standard error while the interpreter shuts down.
        self._lock = threading.Lock()
        self._closed = False
        self._due = -math.inf

    def expect(self, files: int, size: int | None) -> None:
        with self._lock:
            self.whole.expect(files, size)

    def meter(self, label: str, *, part_of_whole: bool = True) -> Gauge:
        if part_of_whole:
            with self._lock:
                self.whole.made()
        return Gauge(label, self, part_of_whole=part_of_whole)

    def begin(self, gauge: Gauge) -> None:
        """Count it among what is going on. A file that begins anew was never away."""
        with self._lock:
            if gauge.over or gauge in self.going:
                return
            now = self._clock()
            gauge.pace = Pace(now)
            self.going.append(gauge)
            if gauge.part_of_whole:
                self.whole.begin(gauge, now)

    def end(self, gauge: Gauge) -> None:
        with self._lock:
            if gauge.over:
                return
            gauge.over = True
            if gauge in self.going:
                self.going.remove(gauge)
            if gauge.part_of_whole:
                self.whole.end(gauge)
            if not self._closed:
                self._ended(gauge)

    def tick(self) -> None:
        """Show how far everything is, if it is time."""
        if self._clock() < self._due:
            return
        with self._lock:
            now = self._clock()
            if self._closed or now < self._due:
                return
            # Nobody waits for the one who shows, however slow the terminal is.
            self._due = math.inf
            due = now
            try:
                due = self._show(now)
            finally:
                self._due = due

    def close(self) -> None:
        with self._lock:
            if not self._closed:
                self._closed = True
                self._hide()

    def shown(self) -> list[Counted]:
        """The whole if there is one, then what is going on, longest first."""
        return [*([self.whole] if self.whole.worth_showing else []), *self.going]

    def _show(self, now: float) -> float:
        """Show how far everything is; when to do so next."""
        raise NotImplementedError

    def _ended(self, gauge: Gauge) -> None:
        """Something is over that may still be shown."""

    def _hide(self) -> None:
        """Take away what should not stay."""
