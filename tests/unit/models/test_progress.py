"""Lines for a log."""

from __future__ import annotations

import threading

import pytest

from envkit.models import progress
from tests.support.model_project import ModelProject, entry
from tests.support.model_server import ModelServer, tarball

MIB, GIB = 1 << 20, 1 << 30


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def lines(said: list[str], clock: Clock) -> progress.Lines:
    return progress.Lines(said.append, clock)


def test_a_log_gets_a_line_every_few_seconds(lines: progress.Lines, said: list[str], clock: Clock) -> None:
    meter = lines.meter("resnet")
    meter.start(100 * MIB)
    for _ in range(12):
        clock.now += 1
        meter.advance(2 * MIB)
    assert said == [
        "resnet: 10.0 of 100.0 MiB (10%), 2.0 MiB/s, about 45 s left",
        "resnet: 20.0 of 100.0 MiB (20%), 2.0 MiB/s, about 40 s left",
    ]


def test_one_line_is_about_all_that_goes_on(lines: progress.Lines, said: list[str], clock: Clock) -> None:
    lines.expect(14, 4 * GIB)
    meters = [lines.meter(name) for name in ("det", "rec", "cls")]
    for meter in meters:
        meter.start(GIB)
    clock.now += 5
    for meter in meters:
        meter.advance(100 * MIB)
    clock.now += 5
    meters[0].advance(200 * MIB)
    assert said == [
        "models: 0.1 of 4.0 GiB (2%), 20.0 MiB/s, about 3 min left; det 9%, rec 0%, cls 0%",
        "models: 0.5 of 4.0 GiB (12%), 80.0 MiB/s, about 45 s left; det 29%, rec 9%, cls 9%",
    ]


def test_no_line_names_more_than_a_few(lines: progress.Lines, said: list[str], clock: Clock) -> None:
    for number in range(12):
        lines.meter(f"m{number}").start(None)
    clock.now += 5
    lines.tick()
    assert said == [
        "models: 0 of 12 files, 0.0 KiB, stalled; m0 0.0 KiB, m1 0.0 KiB, m2 0.0 KiB and 9 more",
    ]


def test_small_files_are_counted_and_not_named(lines: progress.Lines, said: list[str], clock: Clock) -> None:
    lines.expect(5000, None)
    for number in range(1000):
        meter = lines.meter(f"part-{number}")
        meter.start(4096)
        clock.now += 1 / 128
        meter.advance(4096)
        meter.close()
    assert said == ["models: 639 of 5000 files, 2.5 MiB, 512.0 KiB/s"]


def test_what_takes_less_than_a_line_is_worth_gets_none(lines: progress.Lines, said: list[str], clock: Clock) -> None:
    for number in range(10):
        meter = lines.meter(f"m{number}: hashing", part_of_whole=False)
        meter.start(MIB)
        clock.now += 2
        meter.advance(MIB)
        meter.close()
    assert said == []


def test_the_whole_is_what_each_file_says_it_has(lines: progress.Lines, said: list[str], clock: Clock) -> None:
    lines.expect(2, None)
    first, second = lines.meter("det"), lines.meter("rec")
    first.start(10 * MIB)
    clock.now += 5
    first.advance(10 * MIB)
    first.close()
    second.start(30 * MIB)
    clock.now += 5
    second.advance(10 * MIB)
    assert said == [
        "models: 0 of 2 files, 10.0 MiB, 2.0 MiB/s; det 100%",
        "models: 20.0 of 40.0 MiB (50%), 2.0 MiB/s, about 10 s left; rec 33%",
    ]


def test_what_will_come_may_be_known_better_later(lines: progress.Lines, said: list[str], clock: Clock) -> None:
    lines.expect(2, None)
    lines.expect(3, 100 * MIB)
    meter = lines.meter("det")
    meter.start(None)
    clock.now += 5
    meter.advance(25 * MIB)
    assert said == ["models: 25.0 of 100.0 MiB (25%), 5.0 MiB/s, about 15 s left; det 25.0 MiB"]


def test_what_an_earlier_run_left_is_there_but_was_not_fast(
    lines: progress.Lines, said: list[str], clock: Clock
) -> None:
    meter = lines.meter("det")
    meter.start(100 * MIB, done=50 * MIB)
    clock.now += 5
    meter.advance(10 * MIB)
    assert said == ["det: 60.0 of 100.0 MiB (60%), 2.0 MiB/s, about 20 s left"]


def test_hashing_and_unpacking_are_no_part_of_the_whole(lines: progress.Lines, said: list[str], clock: Clock) -> None:
    lines.expect(2, 100 * MIB)
    download, other = lines.meter("det"), lines.meter("cls: unpacking", part_of_whole=False)
    download.start(50 * MIB)
    other.start(10 * MIB)
    clock.now += 5
    other.advance(5 * MIB)
    assert said == ["models: 0.0 of 100.0 MiB (0%), stalled; det 0%, cls: unpacking 50%"]


def test_when_all_files_are_there_the_whole_is_over(lines: progress.Lines, said: list[str], clock: Clock) -> None:
    for name in ("det", "rec"):
        meter = lines.meter(name)
        meter.start(MIB)
        meter.advance(MIB)
        meter.close()
    meter = lines.meter("rec: unpacking", part_of_whole=False)
    meter.start(10 * MIB)
    clock.now += 5
    meter.advance(5 * MIB)
    assert said == ["rec: unpacking: 5.0 of 10.0 MiB (50%), 1.0 MiB/s, about 5 s left"]


def test_a_meter_that_is_closed_twice_counts_once(lines: progress.Lines, said: list[str], clock: Clock) -> None:
    lines.expect(3, 40 * MIB)
    first, second = lines.meter("det"), lines.meter("rec")
    first.start(10 * MIB)
    first.advance(10 * MIB)
    first.close()
    first.close()
    second.start(30 * MIB)
    clock.now += 5
    second.advance(10 * MIB)
    assert said == ["models: 20.0 of 40.0 MiB (50%), 4.0 MiB/s, about 5 s left; rec 33%"]


def test_a_size_nobody_knows_is_left_away(lines: progress.Lines, said: list[str], clock: Clock) -> None:
    meter = lines.meter("resnet")
    meter.start(None)
    clock.now += 5
    meter.advance(10 * MIB)
    assert said == ["resnet: 10.0 MiB, 2.0 MiB/s"]


def test_a_size_that_turns_out_wrong_is_left_away(lines: progress.Lines, said: list[str], clock: Clock) -> None:
    meter = lines.meter("resnet")
    meter.start(5 * MIB)
    clock.now += 5
    meter.advance(10 * MIB)
    assert said == ["resnet: 10.0 MiB, 2.0 MiB/s"]


def test_a_retry_counts_anew(lines: progress.Lines, said: list[str], clock: Clock) -> None:
    meter = lines.meter("resnet")
    meter.start(20 * MIB)
    meter.advance(15 * MIB)
    meter.start(20 * MIB)
    clock.now += 5
    meter.advance(5 * MIB)
    assert said == ["resnet: 5.0 of 20.0 MiB (25%), 4.0 MiB/s, about 4 s left"]


@pytest.mark.parametrize(
    ("size", "speed", "expected"),
    [
        (800 << 10, 4 << 10, "x: 20.0 of 800.0 KiB (2%), 4.0 KiB/s, about 3 min left"),
        (100 * GIB, GIB, "x: 5.0 of 100.0 GiB (5%), 1.0 GiB/s, about 95 s left"),
        (2048 * GIB, 64 * MIB, "x: 0.0 of 2.0 TiB (0%), 64.0 MiB/s, about 9 h 6 min left"),
        (5 * MIB, MIB, "x: 5.0 of 5.0 MiB (100%), 1.0 MiB/s"),
    ],
)
def test_units_fit_what_they_measure(
    lines: progress.Lines, said: list[str], clock: Clock, size: int, speed: int, expected: str
) -> None:
    meter = lines.meter("x")
    meter.start(size)
    clock.now += 5
    meter.advance(5 * speed)
    assert said == [expected]


def test_what_has_no_measure_says_how_long_it_goes_on(lines: progress.Lines, said: list[str], clock: Clock) -> None:
    beat = progress.pulse(lines, "asking", clock)
    for _ in range(12):
        clock.now += 1
        beat()
    assert said == ["asking, for 5 s", "asking, for 10 s"]


def test_while_nothing_comes_a_pulse_drives_the_lines(lines: progress.Lines, said: list[str], clock: Clock) -> None:
    lines.meter("resnet").start(MIB)
    beat = progress.pulse(lines, "rec: asking", clock)
    clock.now += 5
    beat()
    assert said == ["rec: asking, for 5 s", "resnet: 0.0 of 1.0 MiB (0%), stalled"]


def test_after_the_end_nothing_is_said(lines: progress.Lines, said: list[str], clock: Clock) -> None:
    meter = lines.meter("resnet")
    meter.start(MIB)
    lines.close()
    clock.now += 10
    meter.advance(MIB)
    meter.close()
    lines.say("late")
    assert said == []


def test_no_byte_is_lost_however_many_threads_count(lines: progress.Lines, said: list[str], clock: Clock) -> None:
    meter = lines.meter("resnet")
    meter.start(8 * 10_000)
    together = threading.Barrier(8)

    def receive() -> None:
        together.wait()
        for _ in range(10_000):
            meter.advance(1)

    threads = [threading.Thread(target=receive) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    clock.now += 5
    lines.tick()
    assert said == ["resnet: 78.1 of 78.1 KiB (100%), 15.6 KiB/s"]


@pytest.fixture
def chatty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step is worth a line."""
    monkeypatch.setattr(progress, "_EVERY", 0.0)


def test_hashing_and_unpacking_show_how_far_they_are(chatty: None, server: ModelServer, project: ModelProject) -> None:
    weights = bytes(3 * MIB)
    archive = tarball({"net.json": weights})
    project.declare(
        entry("file", server.serve("/file.bin", weights), weights),
        entry("folder", server.serve("/f.tar", archive), archive),
    )
    # One at a time: else the line would be about the whole, and name the unpacking at its end.
    project.sync(jobs=1)
    assert any(line.startswith("folder: unpacking: 2.0 of 3.0 MiB (6") for line in project.said)
    project.verify()
    assert {"file v1: hashing what is there", "folder v1: hashing what is there"} < set(project.said)
    assert any("hashing: " in line or "hashing " in line for line in project.said if "MiB" in line)


def test_what_is_no_terminal_gets_lines() -> None:
    assert isinstance(progress.choose(print), progress.Lines)
