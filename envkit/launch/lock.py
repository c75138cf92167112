"""One `envkit` at a time changes a project's services; another waits, knows for whom, and not for ever."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from envkit import flock
from envkit.errors import EngineError
from envkit.launch import private
from envkit.launch.identity import Identity
from envkit.result import Report
from envkit.settings import Settings

# The other may be building an image, or fetching models.
_DEADLINE_SECONDS = 3600
_POLL_SECONDS = 0.2


@contextmanager
def exclusive(settings: Settings, report: Report) -> Iterator[None]:
    """Hold the project's lock; it goes with the process, however that ends.

    Raises:
        EngineError: another has held it for an hour.
        InputError: there is no place for it.
    """
    # Not in the project's own folder, which `down --volumes` removes: a new file would be a second lock.
    path = private.make_folder(settings.state / "locks", settings.caller) / Identity.of(settings.project).key
    with private.open_file(path, settings.caller) as file:
        if not flock.take(file.fileno(), unsupported=True):
            holder = f"another envkit (process {file.read().strip() or 'unknown'})"
            report(f"{settings.project}: {holder} is at work on it, waiting for that")
            _wait(file.fileno(), f"{settings.project}: {holder} has been at work on it for an hour")
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield


def _wait(descriptor: int, in_vain: str) -> None:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while not flock.take(descriptor, unsupported=True):
        if time.monotonic() > deadline:
            raise EngineError(in_vain, hint="end that process if it hangs")
        time.sleep(_POLL_SECONDS)
