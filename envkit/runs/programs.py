"""Programs that are asked something: begun at once, and waited for when the answer is needed."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path


class NoAnswerError(Exception):
    """Why a program gave no answer; the message is for a person."""


class Asked:
    """One that runs by now."""

    def __init__(self, argv: Sequence[str], name: str) -> None:
        self._name = name
        self._process: subprocess.Popen[bytes] | None = None
        self._refusal = ""
        try:
            # From the root folder: Python would take modules of the folder it is called in for its own.
            self._process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=Path("/")
            )
        except OSError as error:
            self._refusal = f"{name}: {error.strerror}"

    def answer(self, seconds: float) -> str:
        """What it printed.

        Raises:
            NoAnswerError: it is not there, failed, or had not ended after so many ``seconds``; then it is gone.
        """
        if self._process is None:
            raise NoAnswerError(self._refusal)
        process = self._process
        try:
            output, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as error:
            _end(process)
            raise NoAnswerError(f"{self._name} has not answered for {seconds:g} s") from error
        except BaseException:
            _end(process)
            raise
        if process.returncode:
            said = (errors or output).decode("utf-8", "replace").strip().splitlines()
            last = f": {said[-1]}" if said else ""
            raise NoAnswerError(f"{self._name} ended with exit code {process.returncode}{last}")
        return output.decode("utf-8", "replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill it, and do not wait for ever: what hangs in a driver cannot be killed."""
    process.kill()
    with suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=1)
