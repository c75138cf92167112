"""Runs a command on this terminal, in our place: what it says is seen at once, and what would end us ends it."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from envkit.errors import InputError
from envkit.runs.snapshot import Run


def run(command: Sequence[str], folder: Path | None = None, acting: tuple[int, int] | None = None) -> Run:
    """Run ``command`` in ``folder``, as the user and group ``acting``, and wait for its end.

    A signal's exit code is 128 and its number, as a shell has it.

    Raises:
        InputError: it could not be started.
    """
    user, group = acting or (None, None)
    began = time.monotonic()
    started: list[subprocess.Popen[bytes]] = []
    early: list[int] = []  # what came while the command was being started, and is not to be lost

    def hand_on(number: int) -> None:
        if started:
            started[0].send_signal(number)
        else:
            early.append(number)

    with _signals(hand_on):
        try:
            process = subprocess.Popen(command, cwd=folder, user=user, group=group, extra_groups=[] if acting else None)
        except OSError as error:
            raise InputError(f"{command[0]}: cannot be run: {error.strerror}") from error
        started.append(process)
        for number in early:
            process.send_signal(number)
        code = process.wait()
    return Run(code if code >= 0 else 128 - code, round(time.monotonic() - began, 3))


@contextmanager
def _signals(hand_on: Callable[[int], None]) -> Iterator[None]:
    """Hand requests to end on, and leave Ctrl-C to the command: the terminal sends it that as well.

    No exception may come of it meanwhile: one at the wrong moment, and nobody would know how the command ended. What is
    ignored (`nohup`) stays so, for the command too.
    """
    handlers: dict[int, Callable[[int, object], object]] = {
        signal.SIGINT: lambda _number, _frame: None,
        signal.SIGTERM: lambda number, _frame: hand_on(number),
        signal.SIGHUP: lambda number, _frame: hand_on(number),
    }
    mine = {number: handler for number, handler in handlers.items() if signal.getsignal(number) != signal.SIG_IGN}
    before = {number: signal.signal(number, handler) for number, handler in mine.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
