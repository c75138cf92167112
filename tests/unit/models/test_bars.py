"""Bars for a terminal, which is a real one as far as the kernel goes."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from select import select

import pytest

from envkit.models.bars import Bars
from tests.support.model_project import ModelProject, entry
from tests.support.model_server import Answer, ModelServer
from tests.support.screen import Screen
from tests.support.wait import until

MIB = 1 << 20


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Terminal:
    """Our end of a terminal, and what it shows. ``raw`` is all that was written."""

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        self._ours, self.theirs = pty.openpty()
        self.screen = Screen(columns)
        self.raw = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._closed = False
        self._resize(columns, rows)

    def look(self) -> list[str]:
        while select([self._ours], [], [], 0)[0] and (chunk := self._read()):
            text = self._decoder.decode(chunk)
            self.raw += text
            self.screen.feed(text)
        return self.screen.lines

    def narrow(self, columns: int) -> None:
        self.look()
        self.screen.narrow(columns)
        self._resize(columns, 24)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            os.close(self._ours)

    def _resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _read(self) -> bytes:
        # At the end of its terminal, Linux gives an error in place of an empty read.
        try:
            return os.read(self._ours, 65536)
        except OSError:
            return b""


@pytest.fixture
def clock() -> Clock:
    return Clock()


Show = Callable[..., tuple[Terminal, Bars]]


@pytest.fixture
def show(clock: Clock) -> Iterator[Show]:
    """Make a terminal of some size, and bars on it."""
    made = []

    def make(columns: int = 80, rows: int = 24, encoding: str = "utf-8") -> tuple[Terminal, Bars]:
        terminal = Terminal(columns, rows)
        stream = os.fdopen(terminal.theirs, "w", encoding=encoding)
        made.append((terminal, stream))
        return terminal, Bars(stream, clock)

    yield make
    for terminal, stream in made:
        # Where ours is closed already, what theirs still holds goes nowhere.
        with suppress(OSError):
            stream.close()
        terminal.close()


def test_a_bar_for_each_file_and_the_last_for_the_whole(show: Show, clock: Clock) -> None:
    terminal, bars = show()
    bars.expect(3, 40 * MIB)
    for name, size in (("det", 10), ("recognition", 20)):
        bars.meter(name).start(size * MIB)
    meter = bars.meter("cls")
    meter.start(10 * MIB)
    clock.now += 1
    meter.advance(5 * MIB)
    assert [line.partition("|")[0] for line in terminal.look()] == [
        "        det:   0%",
        "recognition:   0%",
        "        cls:  50%",
        " models 0/3:  12%",
    ]
    assert "5.0/40.0 MiB [00:01<00:07, 5.0 MiB/s]" in terminal.look()[-1]


def test_a_file_that_is_done_goes_and_stays_counted(show: Show, clock: Clock) -> None:
    terminal, bars = show()
    bars.expect(2, 40 * MIB)
    first, second = bars.meter("det"), bars.meter("rec")
    first.start(10 * MIB)
    second.start(30 * MIB)
    clock.now += 1
    first.advance(10 * MIB)
    first.close()
    assert [line.partition("|")[0] for line in terminal.look()] == ["       rec:   0%", "models 1/2:  25%"]


def test_what_is_over_at_once_never_shows(show: Show, clock: Clock) -> None:
    terminal, bars = show()
    bars.expect(5000, None)
    for number in range(200):
        meter = bars.meter(f"part-{number}")
        meter.start(4096)
        clock.now += 1 / 128
        meter.advance(4096)
        meter.close()
    (line,) = terminal.look()
    assert line.startswith("models 195/5000: 784.0 KiB [00:01, 512.0 KiB/s]")
    assert "part-" not in terminal.raw
    # From half a second on, ten times a second.
    assert terminal.raw.count("models") == 11


def test_no_more_bars_than_one_can_read(show: Show, clock: Clock) -> None:
    terminal, bars = show()
    meters = [bars.meter(f"m{number}") for number in range(20)]
    for meter in meters:
        meter.start(MIB)
    clock.now += 1
    bars.tick()
    names = [line.partition(":")[0].strip() for line in terminal.look()]
    assert names == [*(f"m{number}" for number in range(8)), "models 0/20"]


def test_a_low_terminal_gets_fewer_bars(show: Show, clock: Clock) -> None:
    terminal, bars = show(rows=5)
    for number in range(20):
        bars.meter(f"m{number}").start(MIB)
    clock.now += 1
    bars.tick()
    assert len(terminal.look()) == 4


def test_the_only_file_needs_no_second_bar(show: Show, clock: Clock) -> None:
    terminal, bars = show()
    bars.expect(1, MIB)
    bars.meter("resnet").start(MIB)
    clock.now += 1
    bars.tick()
    (line,) = terminal.look()
    assert line.startswith("resnet:   0%|")


def test_lines_stand_above_and_nothing_else_is_left(show: Show, clock: Clock) -> None:
    terminal, bars = show()
    bars.say("det: fetching")
    meters = [bars.meter(name) for name in ("det", "rec")]
    for meter in meters:
        meter.start(MIB)
    clock.now += 1
    bars.tick()
    bars.say("det: the connection failed")
    above, *below = terminal.look()[1:]
    assert above == "det: the connection failed"
    assert len(below) == 3
    bars.close()
    assert terminal.look() == ["det: fetching", "det: the connection failed"]


def test_without_bars_nothing_but_text_is_written(show: Show) -> None:
    terminal, bars = show()
    bars.say("det: fetching")
    bars.close()
    terminal.look()
    assert terminal.raw == "det: fetching\r\n"


def test_once_closed_nothing_is_drawn(show: Show, clock: Clock) -> None:
    terminal, bars = show()
    meter = bars.meter("det")
    meter.start(MIB)
    bars.close()
    clock.now += 1
    meter.advance(5)
    bars.say("late")
    meter.close()
    assert terminal.look() == [""]


@pytest.mark.parametrize("columns", [2, 10, 30, 50])
def test_a_narrow_terminal_is_not_overrun(show: Show, clock: Clock, columns: int) -> None:
    terminal, bars = show(columns=columns)
    for name in ("a-rather-long-name-of-a-model", "rec"):
        bars.meter(name).start(MIB)
    for _ in range(3):
        clock.now += 1
        bars.tick()
    assert len(terminal.look()) == 3
    assert all(len(line) < columns for line in terminal.look())
    bars.close()
    assert terminal.look() == [""]


def test_a_terminal_made_narrower_keeps_no_traces(show: Show, clock: Clock) -> None:
    terminal, bars = show(columns=100)
    bars.say("det: fetching")
    for name in ("det", "rec"):
        bars.meter(name).start(MIB)
    for columns in (100, 40, 70, 30):
        terminal.narrow(columns)
        clock.now += 1
        bars.tick()
        assert len(terminal.look()) == 4
    bars.close()
    assert terminal.look() == ["det: fetching"]


def test_a_terminal_of_no_size_is_taken_for_a_common_one(show: Show, clock: Clock) -> None:
    terminal, bars = show(columns=0, rows=0)
    terminal.screen.columns = 80
    bars.meter("det").start(MIB)
    clock.now += 1
    bars.tick()
    assert 70 < len(terminal.look()[0]) < 80


def test_a_terminal_without_blocks_gets_ascii(show: Show, clock: Clock) -> None:
    terminal, bars = show(encoding="ascii")
    meter = bars.meter("det")
    meter.start(2 * MIB)
    clock.now += 1
    meter.advance(MIB)
    assert terminal.look()[0].startswith("det:  50%|####")


def test_a_terminal_that_is_gone_ends_no_download(show: Show, clock: Clock) -> None:
    terminal, bars = show()
    meter = bars.meter("det")
    meter.start(2 * MIB)
    terminal.close()
    for _ in range(2):
        clock.now += 1
        meter.advance(MIB)
    bars.say("det: verified")
    bars.close()


def test_many_threads_draw_one_picture(show: Show, clock: Clock) -> None:
    terminal, bars = show()

    def work(number: int) -> None:
        for step in range(20):
            with closing(bars.meter(f"m{number}-{step}")) as meter:
                meter.start(10)
                for _ in range(10):
                    clock.now += 0.05
                    meter.advance(1)
            bars.say(f"m{number}-{step}: verified")

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(4)]
    for thread in threads:
        thread.start()
    # A terminal that nobody reads from fills up, and holds those who write to it.
    until(lambda: bool(terminal.look()) and not any(thread.is_alive() for thread in threads), "the end of all threads")
    bars.close()
    assert sorted(terminal.look()) == sorted(f"m{n}-{s}: verified" for n in range(4) for s in range(20))


@contextmanager
def syncing(project: ModelProject, terminal: Terminal) -> Iterator[subprocess.Popen[bytes]]:
    """A sync whose standard error is the terminal."""
    with subprocess.Popen(
        [sys.executable, "-m", "envkit", "models", "sync"],
        cwd=project.path,
        env={**os.environ, "HOME": str(project.path.parent), "NO_PROXY": "127.0.0.1"},
        stdout=subprocess.PIPE,
        stderr=terminal.theirs,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal(columns=100)
    yield terminal
    os.close(terminal.theirs)
    terminal.close()


def trickling(size: int) -> Answer:
    return Answer(bytes(size), pause_at=size // 2, trickle=True)


def test_a_sync_at_a_terminal_shows_bars_and_leaves_lines(
    server: ModelServer, project: ModelProject, terminal: Terminal
) -> None:
    det, rec = trickling(2 * MIB), trickling(MIB)
    project.declare(*(entry(n, server.serve(f"/{n}.bin", a), a.body) for n, a in (("det", det), ("rec", rec))))
    with syncing(project, terminal) as process:
        until(lambda: "models 0/2:" in terminal.look()[-1] and len(terminal.look()) == 5, "three bars")
        assert {line.partition(":")[0].strip() for line in terminal.look()[2:4]} == {"det", "rec"}
        det.go_on.set()
        rec.go_on.set()
        out, _ = process.communicate(timeout=60)
    assert out == b"models: 2 fetched, 0 verified already, 0 failed\n"
    lines = terminal.look()
    assert sorted(lines[2:]) == [f"{n} v1: verified, now checkpoints/{n}_v1.bin" for n in ("det", "rec")]
    assert all("fetching from" in line for line in lines[:2])


def test_an_interrupted_sync_leaves_no_bar(server: ModelServer, project: ModelProject, terminal: Terminal) -> None:
    answer = trickling(MIB)
    project.declare(entry("det", server.serve("/det.bin", answer), answer.body))
    with syncing(project, terminal) as process:
        until(lambda: "det:  " in terminal.look()[-1], "a bar")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    answer.go_on.set()
    assert not any("|" in line for line in terminal.look())
