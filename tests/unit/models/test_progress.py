"""Bars for a terminal, lines for a log."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

import pytest

from envkit.models import progress
from tests.support.model_project import ModelProject, entry
from tests.support.model_server import ModelServer, tarball

MIB = 1 << 20


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_log_gets_a_line_every_few_seconds(clock: Clock) -> None:
    said: list[str] = []
    meter = progress.Lines(said.append, clock).meter("resnet")
    meter.start(100 * MIB)
    for _ in range(12):
        clock.now += 1
        meter.advance(2 * MIB)
    assert said == [
        "resnet: 10.0 of 100.0 MiB (10%), 2.0 MiB/s",
        "resnet: 20.0 of 100.0 MiB (20%), 2.0 MiB/s",
    ]


def test_a_size_nobody_knows_is_left_away(clock: Clock) -> None:
    said: list[str] = []
    meter = progress.Lines(said.append, clock).meter("resnet")
    meter.start(None)
    clock.now += 5
    meter.advance(MIB)
    assert said == ["resnet: 1.0 MiB, 0.2 MiB/s"]


def test_a_retry_counts_anew(clock: Clock) -> None:
    said: list[str] = []
    meter = progress.Lines(said.append, clock).meter("resnet")
    meter.start(4 * MIB)
    meter.advance(3 * MIB)
    meter.start(4 * MIB)
    clock.now += 5
    meter.advance(MIB)
    assert said == ["resnet: 1.0 of 4.0 MiB (25%), 0.2 MiB/s"]


def test_what_has_no_measure_says_how_long_it_goes_on(clock: Clock) -> None:
    said: list[str] = []
    beat = progress.pulse(progress.Lines(said.append, clock), "asking", clock)
    for _ in range(12):
        clock.now += 1
        beat()
    assert said == ["asking, for 5 s", "asking, for 10 s"]


def test_after_the_end_nothing_is_said(clock: Clock) -> None:
    said: list[str] = []
    lines = progress.Lines(said.append, clock)
    meter = lines.meter("resnet")
    lines.close()
    clock.now += 10
    meter.advance(MIB)
    lines.say("late")
    assert said == []


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
    project.sync()
    assert any(line.startswith("folder: unpacking: 2.0 of 3.0 MiB (67%)") for line in project.said)
    project.verify()
    assert [line.partition(" MiB (")[0] for line in project.said] == [
        "file v1: hashing what is there",
        *(f"file: hashing: {done}.0 of 3.0" for done in (1, 2, 3)),
        "folder v1: hashing what is there",
        *(f"folder: hashing: {done}.0 of 3.0" for done in (1, 2, 3)),
    ]


def test_what_is_no_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(progress.choose(print), progress.Lines)


def test_a_terminal_gets_bars_and_the_lines_above_them(server: ModelServer, project: ModelProject) -> None:
    body = bytes(5 * MIB)
    project.declare(entry("resnet", server.serve("/resnet.bin", body), body))
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    try:
        done = subprocess.run(
            [sys.executable, "-m", "envkit", "models", "sync"],
            cwd=project.path,
            env={**os.environ, "HOME": str(project.path.parent)},
            stdout=subprocess.PIPE,
            stderr=theirs,
            check=True,
            timeout=60,
        )
    finally:
        os.close(theirs)
    seen = b""
    # At the end of its terminal, Linux gives an error in place of an empty read.
    while chunk := _read(ours):
        seen += chunk
    os.close(ours)
    assert done.stdout == b"models: 1 fetched, 0 verified already, 0 failed\n"
    assert b"resnet:   0%|" in seen
    assert b"/5.00M" in seen
    assert b"resnet v1: verified, now checkpoints/resnet_v1.bin" in seen


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""
