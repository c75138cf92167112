"""One command as a whole process: wall time, CPU seconds and peak memory of it and all that it starts."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SAMPLED_EVERY = 0.05


@dataclass(frozen=True)
class Measurement:
    """``wall`` and ``cpu`` (user and system) in seconds, ``peak`` resident memory in bytes."""

    wall: float
    cpu: float
    peak: int


def measure(command: Sequence[str], folder: Path, environ: Mapping[str, str], *, memory: bool = True) -> Measurement:
    """Run ``command`` in ``folder`` until it ends; without ``memory`` nothing is sampled beside it.

    Raises:
        RuntimeError: it failed; with the last lines of what it said.
    """
    log = folder / "log"
    with log.open("wb") as said:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT
        )
        with _Sampler(process.pid) if memory else contextlib.nullcontext() as sampler:
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        tail = log.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"exit code {process.returncode}: {' '.join(command)[:300]}\n{tail}")
    return Measurement(wall, usage.ru_utime + usage.ru_stime, sampler.peak if sampler else 0)


class _Sampler:
    """The peak of a process tree, sampled from ``/proc`` while the ``with`` block runs.

    ``ru_maxrss`` will not do: a child starts with the peak of the interpreter that forked it.
    """

    def __init__(self, pid: int) -> None:
        self.peak = 0
        self._pid = pid
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> _Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        pause = SAMPLED_EVERY / 16  # a short command is to be seen as well
        while not self._done.wait(pause):
            pause = min(2 * pause, SAMPLED_EVERY)
            statuses = [_status(pid) for pid in _tree(self._pid)]
            together = sum(status.get("VmRSS", 0) for status in statuses)
            # A process' own high-water mark sees what lies between two samples.
            alone = max((status.get("VmHWM", 0) for status in statuses), default=0)
            self.peak = max(self.peak, together, alone)


def _tree(pid: int) -> list[int]:
    try:
        children = [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:  # gone meanwhile
        return []
    return [pid, *(below for child in children for below in _tree(child))]


def _status(pid: int) -> dict[str, int]:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    return {name: int(value.split()[0]) * 1024 for name, value in _pairs(lines) if name.startswith("Vm")}


def _pairs(lines: list[str]) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (line.partition(":") for line in lines)]
