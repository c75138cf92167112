"""Who is fetching what, so that others wait and then have it too.

Nothing relies on these locks but that bytes are not fetched twice. A holder shows signs of life; one that shows none is
not waited for, be it stopped, on another machine, or killed where the file system kept its lock.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from envkit import flock
from envkit.errors import ModelError
from envkit.models.crew import Crew
from envkit.models.store.hand import Hand

_SILENCE = 20.0  # seconds without a sign of life after which a holder is not waited for any more
_BEAT, _POLL, _SAY_EVERY = 1.0, 0.1, 5.0
_LOCKS, _DIGITS = "locks", 15  # a byte for each key, whose first hexadecimal digits are its place


@dataclass
class Locks:
    """The locks in ``folder``, for the threads of ``crew``; ``clock`` gives seconds.

    They are bytes of one file: to make and remove a file for each of thousands of downloads is what ext4 is slow at.
    Only a lock that is held for long gets a file that says who holds it, and whose time is the sign of life.
    """

    folder: Path
    hand: Hand
    crew: Crew
    clock: Callable[[], float] = time.monotonic
    _held: set[str] = field(default_factory=set, init=False)
    _shown: set[str] = field(default_factory=set, init=False)
    _guard: Lock = field(default_factory=Lock, init=False)

    def __post_init__(self) -> None:
        with suppress(PermissionError):  # it is another user's: then there is no lock, and bytes may come twice
            os.close(self._opened())
            self.hand.give(self.folder / _LOCKS)

    @contextmanager
    def held(self, key: str, say: Callable[[str], None]) -> Iterator[None]:
        """Hold the lock on ``key``, or go on without it once whoever holds it has been silent for too long."""
        try:
            descriptor = self._wait(key, say)
        except PermissionError:
            descriptor = None
        try:
            if descriptor is not None:
                self._held.add(key)
            yield
        finally:
            if descriptor is not None:
                with self._guard:
                    self._held.discard(key)
                    self._hide(key)
                os.close(descriptor)

    def abandon(self) -> None:
        """Say of no lock any more that it is held: whoever holds one still is about to end."""
        with self._guard:
            self._held.clear()
            for key in list(self._shown):
                self._hide(key)

    def beat(self, tick: Callable[[], None]) -> None:
        """Show signs of life for as long as the crew works, to people by ``tick``. For a thread of its own."""
        while not self.crew.stopped:
            with suppress(ModelError):
                self.crew.pause(_BEAT)
                tick()
            for key in list(self._held):
                # A sign must not come after its lock is given up: nobody would take it away.
                with self._guard, suppress(OSError):
                    if key in self._held:
                        self._show(key)

    def _wait(self, key: str, say: Callable[[str], None]) -> int | None:
        signs, named = None, ""
        seen = said = self.clock()
        while (descriptor := self._try(key)) is None:
            now, found = self.clock(), self._signs(key)
            if found != signs:
                signs, seen = found, now
            if now - seen >= _SILENCE:
                say(f"{self._holder(key)} has shown no sign of life for {_SILENCE:.0f} s: not waiting any longer")
                return None
            if signs is not None and (self._holder(key) != named or now - said >= _SAY_EVERY):
                said, named = now, self._holder(key)
                say(f"waiting for {named}, which is fetching it")
            self.crew.pause(_POLL)
        return descriptor

    def _try(self, key: str) -> int | None:
        descriptor = self._opened()
        if flock.take_byte(descriptor, int(key[:_DIGITS], 16)):
            return descriptor
        os.close(descriptor)
        return None

    def _opened(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(self.folder / _LOCKS, flags, 0o644)

    def _show(self, key: str) -> None:
        path = self._path(key)
        if key in self._shown and path.exists():
            os.utime(path)
        else:
            who = {"process": os.getpid(), "host": socket.gethostname()}
            self.hand.write(path, json.dumps(who).encode())
            self._shown.add(key)

    def _hide(self, key: str) -> None:
        self._shown.discard(key)
        # Whether shown or not: it may be of one that was killed.
        with suppress(OSError):
            self._path(key).unlink()

    def _signs(self, key: str) -> object:
        try:
            found = self._path(key).stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    def _holder(self, key: str) -> str:
        if key in self._held:
            return "another model of the same bytes"
        try:
            found = json.loads(self._path(key).read_text("utf-8"))
            return f"process {int(found['process'])} on {found['host']}"
        except (OSError, ValueError, TypeError, KeyError):
            return "another process"

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.holder"
