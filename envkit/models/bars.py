"""Bars as tqdm draws them, one for each file and, last, one for the whole.

tqdm formats them; where they stand is our own affair. Its bars place themselves one by one, each with a write of its
own, and leave holes and traces once they come and go in several threads (tqdm#670, #1000) or the terminal is made
narrower (tqdm#783). Here all of them are one block of lines, written at once. Without a bar of tqdm's there is no
monitor thread of tqdm's either, and nothing of it is imported before there is something to draw.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import TextIO

from envkit.models import units
from envkit.models.tally import Board, Counted, Gauge, Reading

_EVERY = 0.1  # seconds between two drawings
_PATIENCE = 0.5  # seconds: what is over sooner would only flicker
_MEMORY = 3.0  # seconds that the speed shown is smoothed over
_MOST = 8  # bars for files
_ERASE = "\x1b[K"  # what a longer line left behind this one


class Bars(Board):
    """Bars at the bottom of a terminal; lines are written above them."""

    def __init__(self, terminal: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock)
        self._terminal = terminal
        self._ascii = not _can_show_blocks(terminal)
        self._seen: list[Counted] = []
        self._drawn: Sequence[str] = ()

    def say(self, line: str) -> None:
        with self._lock:
            if not self._closed:
                self._write(f"{line}\n", self._drawn)

    def _show(self, now: float) -> float:
        columns, rows = self._size()
        old = [item for item in self.shown() if now - item.pace.began >= _PATIENCE]
        files = [item for item in old if item is not self.whole][: max(1, min(_MOST, rows - 2))]
        self._seen = [*files, *(item for item in old if item is self.whole)]
        if self._seen or self._drawn:
            self._write("", self._drawing([Reading.of(item, now, _MEMORY) for item in self._seen], columns - 1))
        return now + _EVERY

    def _ended(self, gauge: Gauge) -> None:
        # A small file among thousands was not there to see, and is no reason to draw.
        if gauge in self._seen or not (self.going or self.whole.worth_showing):
            self._show(self._clock())

    def _hide(self) -> None:
        if self._drawn:
            self._write("", ())

    def _drawing(self, readings: Sequence[Reading], width: int) -> list[str]:
        if not readings:
            return []
        from tqdm import tqdm

        longest = min(max(len(reading.label) for reading in readings), max(1, width // 3))
        return [
            tqdm.format_meter(
                n=reading.done,
                total=reading.total,  # type: ignore[arg-type] # tqdm itself gives None where it does not know
                elapsed=reading.passed,
                ncols=width,
                prefix=reading.label[:longest].rjust(longest),
                ascii=self._ascii,
                rate=reading.speed,
                bar_format=_format(reading),
            )
            for reading in readings
        ]

    def _write(self, above: str, drawing: Sequence[str]) -> None:
        """Replace what is drawn, in one write.

        The cursor then rests at the start of the last line: a ^C echoed at its end could begin another one.
        """
        columns, _ = self._size()
        # A terminal that was made narrower has wrapped our lines, and the cursor went along.
        up = sum(-(-len(line) // columns) for line in self._drawn[:-1])
        text = above
        if self._drawn or drawing:
            block = "\n".join(line + _ERASE for line in drawing)
            text = "\r" + (f"\x1b[{up}A" if up else "") + above.replace("\n", f"{_ERASE}\n") + f"{block}\x1b[J\r"
        # Noted first: Ctrl-C comes most likely during the write, or right after it.
        self._drawn = drawing
        try:
            self._terminal.write(text)
            self._terminal.flush()
        except (OSError, ValueError):
            # A terminal that is gone ends no download.
            self._closed = True

    def _size(self) -> tuple[int, int]:
        """Columns and rows. A terminal that was never told its size, as in a container, says 0."""
        try:
            columns, rows = os.get_terminal_size(self._terminal.fileno())
        except (OSError, ValueError):
            columns = rows = 0
        return max(columns, 2) if columns else 80, rows or 24


def _format(reading: Reading) -> str:
    """Counts and speed in our own units: tqdm would count by 1024 and give the speed by 1000."""
    speed = f"{units.scaled(reading.speed)}/s"
    if not reading.total:
        return f"{{desc}}: {units.scaled(reading.done)} [{{elapsed}}, {speed}]"
    return f"{{l_bar}}{{bar}}| {units.part(reading.done, reading.total, '/')} [{{elapsed}}<{{remaining}}, {speed}]"


def _can_show_blocks(terminal: TextIO) -> bool:
    try:
        "█▏".encode(terminal.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
