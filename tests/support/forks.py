"""Runs of envkit in processes of their own, by the hundred, that die where a test says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import TracebackType

from tests.support.model_project import ModelProject
from tests.support.project import REPOSITORY

KILLED = -signal.SIGKILL


@dataclass(frozen=True)
class How:
    """What is special about a run.

    It is killed with ``after_bytes`` of downloads written, or right before its ``before_change``-th change to a file
    (0: never, but they are counted). ``tweaks`` are names in `tests.support.forked`, ``settings`` values by the dotted
    names of constants. After so many
    ``seconds`` it tells where each thread is, and ends.
    """

    after_bytes: int | None = None
    before_change: int | None = None
    tweaks: Sequence[str] = ()
    settings: Mapping[str, float | None] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 30


PLAIN, SYNC = How(), ("models", "sync")


@dataclass(frozen=True)
class Run:
    """One that was started: its number, and what it notes meanwhile."""

    pid: int
    notes: Path

    def kill(self, number: int = signal.SIGKILL) -> None:
        os.kill(self.pid, number)

    @property
    def output(self) -> str:
        return self._read("output")

    @property
    def written(self) -> list[tuple[str, int, int]]:
        """What it wrote of downloads: the key of each, start and end in bytes."""
        found = (line.split() for line in self._read("written").splitlines())
        return [(key, int(start), int(start) + int(length)) for key, start, length in found]

    @property
    def changes(self) -> list[str]:
        """Every change to the file system, in words."""
        return self._read("changed").splitlines()

    def _read(self, name: str) -> str:
        path = self.notes.with_suffix(f".{name}")
        return path.read_text("utf-8", "surrogateescape") if path.exists() else ""


class Forks:
    """Use as a context manager; ``notes`` is a folder for what the runs say."""

    def __init__(self, notes: Path) -> None:
        self._notes = notes
        self._count = count()

    def __enter__(self) -> Forks:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forked"],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "NO_PROXY": "127.0.0.1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._process as process:
            assert process.stdin
            process.stdin.close()
            process.wait(30)

    def start(self, project: ModelProject, how: How = How(), words: Sequence[str] = ("models", "sync")) -> Run:
        notes = self._notes / f"run{next(self._count)}"
        files = {name: str(notes.with_suffix(f".{name}")) for name in ("output", "written", "changed")}
        asked = {
            **files,
            "project": str(project.path),
            "words": list(words),
            "environ": {"HOME": str(project.path.parent), **how.environ},
            "after_bytes": how.after_bytes,
            "before_change": how.before_change,
            "tweaks": list(how.tweaks),
            "settings": dict(how.settings),
            "seconds": how.seconds,
        }
        return Run(self._ask(asked), notes)

    def wait(self, run: Run) -> int:
        """The exit code; of one that was killed, the signal's number, negative."""
        return self._ask({"wait": run.pid})

    def run(
        self, project: ModelProject, how: How = How(), words: Sequence[str] = ("models", "sync")
    ) -> tuple[int, Run]:
        started = self.start(project, how, words)
        return self.wait(started), started

    def _ask(self, question: Mapping[str, object]) -> int:
        process = self._process
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(question) + "\n")
        process.stdin.flush()
        return int(process.stdout.readline())
