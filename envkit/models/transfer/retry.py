"""How often to try again, and how long to wait before."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from envkit.models.transfer.answers import TransientError

_T = TypeVar("_T")


@dataclass(frozen=True)
class Backoff:
    """Delays in seconds, each drawn from the upper half of its range.

    A server that asks for more than ``patience`` is not waited for: a start that hangs says less than one that fails
    (git-lfs once slept for a day, git-lfs#5475).
    """

    attempts: int = 4
    first: float = 0.5
    longest: float = 8.0
    patience: float = 30.0

    def delay(self, failures: int, error: TransientError) -> float | None:
        """How long to wait after that many failures; None to give up."""
        asked = error.retry_after or 0.0
        if failures >= self.attempts or asked > self.patience:
            return None
        longest = min(self.longest, self.first * 2.0 ** (failures - 1))
        return max(asked, longest * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret

    def again(self, ask: Callable[[], _T], pause: Callable[[float], None], say: Callable[[str], None]) -> _T:
        """What ``ask`` returns, asked again where that may help; ``pause`` waits that many seconds."""
        failures = 0
        while True:
            try:
                return ask()
            except TransientError as error:  # noqa: PERF203 - failing is what this loop is about
                failures += 1
                delay = self.delay(failures, error)
                if delay is None:
                    raise
                say(f"{error.message}; trying again in {delay:.1f} s")
                pause(delay)
