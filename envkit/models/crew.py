"""Work done side by side, that ends when it is asked to. The only threads of envkit's are here.

Nothing in Python takes a thread out of a name look-up, a connection or a read that a server lets hang. So whoever
waits for the network is left behind after a moment, as a daemon thread; whoever is publishing is waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Condition, RLock, Thread
from typing import TypeVar

from envkit.errors import ModelError
from envkit.models.ramp import Ramp

_T = TypeVar("_T")
_R = TypeVar("_R")
_GLANCE = 0.02  # seconds between two looks at how fast it goes
_GRACE = 0.7  # seconds for those who wait for the network: enough wherever bytes still come


class Crew:
    """Threads for one `run`; whoever works in one calls `check` now and then."""

    def __init__(self) -> None:
        lock = RLock()
        # Two conditions on one lock: that something ended is of interest to those who wait for it alone.
        self._changed, self._stopping = Condition(lock), Condition(lock)
        self._stopped = False
        self._active = 0
        self._finishing = 0
        self._failures: list[BaseException] = []

    def run(self, items: Sequence[_T], work: Callable[[_T], _R], jobs: int, ramp: Ramp | None = None) -> list[_R]:
        """The results of ``work`` for all items, ``jobs`` at a time or as many as ``ramp`` says, in no order.

        Ctrl-C, or an exception in one of them, stops the others, and is raised once they have stopped.
        """
        try:
            return self.each(items, work, jobs, ramp)
        finally:
            self._stop()

    def each(self, items: Sequence[_T], work: Callable[[_T], _R], jobs: int, ramp: Ramp | None = None) -> list[_R]:
        """As `run`, from within a run: by further threads, and without stopping the crew afterwards."""
        todo, results, left = iter(items), list[_R](), 0
        wanted = min(ramp.size if ramp else jobs, len(items))

        def labour() -> None:
            nonlocal left
            try:
                for item in self._taken(todo, lambda: left > wanted):
                    results.append(work(item))
            finally:
                with self._changed:
                    left -= 1
                    self._changed.notify_all()

        with self._changed:
            while len(results) < len(items) and not self._failures:
                # Else a run within a run would go on making threads that find it stopped, and end.
                self.check()
                while left < min(wanted, len(items) - len(results)):
                    left += 1
                    self.spawn(labour)
                self._changed.wait(_GLANCE if ramp else None)
                wanted = ramp.step() if ramp else wanted
            if self._failures:
                raise self._failures[0]
        return results

    def spawn(self, work: Callable[[], None]) -> None:
        """Have ``work`` done by a thread of its own. An exception in it ends the run."""

        def labour() -> None:
            try:
                work()
            except BaseException as error:  # raised again where the caller is
                with self._changed:
                    self._failures.append(error)
            finally:
                with self._changed:
                    self._active -= 1
                    self._changed.notify_all()

        with self._changed:
            self._active += 1
        Thread(target=labour, name="envkit-models", daemon=True).start()

    @property
    def stopped(self) -> bool:
        return self._stopped

    def check(self) -> None:
        """Raise `ModelError` if it is time to stop: nobody reads it, the run ends with what stopped it."""
        if self._stopped:
            raise ModelError("interrupted")

    def pause(self, seconds: float) -> None:
        """Wait, or raise as `check` does."""
        with self._stopping:
            self._stopping.wait_for(lambda: self._stopped, seconds)
        self.check()

    @contextmanager
    def finishing(self) -> Iterator[None]:
        """What must not be broken off half-way by the end of the process. Raises as `check` does, before it begins."""
        with self._changed:
            self.check()
            self._finishing += 1
        try:
            yield
        finally:
            with self._changed:
                self._finishing -= 1
                if self._stopped:
                    self._changed.notify_all()

    def _taken(self, todo: Iterator[_T], too_many: Callable[[], bool]) -> Iterator[_T]:
        while True:
            with self._changed:
                if self._stopped or too_many():
                    return
                try:
                    item = next(todo)
                except StopIteration:
                    return
            yield item

    def _stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._stopping.notify_all()
            self._changed.wait_for(lambda: self._active == 0, _GRACE)
            self._changed.wait_for(lambda: self._finishing == 0)
