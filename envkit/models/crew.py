"""Work done side by side, that ends when it is asked to. The only threads of envkit's are here.

Nothing in Python takes a thread out of a name look-up, a connection or a read that a server lets hang. So whoever
waits for the network is left behind after a moment, as a daemon thread; whoever is publishing is waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Condition, Thread
from typing import TypeVar

from envkit.errors import ModelError

_T = TypeVar("_T")
_R = TypeVar("_R")
_GRACE = 0.7  # seconds for those who wait for the network: enough wherever bytes still come


class Crew:
    """Threads for one `run`; whoever works in one calls `check` now and then."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._stopped = False
        self._active = 0
        self._finishing = 0

    def run(self, items: Sequence[_T], work: Callable[[_T], _R], jobs: int) -> list[_R]:
        """The results of ``work`` for all items, ``jobs`` at a time, in no order.

        Ctrl-C, or an exception in one of them, stops the others, and is raised once they have stopped.
        """
        todo, results, failures = iter(items), list[_R](), list[BaseException]()

        def labour() -> None:
            try:
                for item in self._taken(todo):
                    results.append(work(item))
            except BaseException as error:  # raised again where the caller is
                failures.append(error)
            with self._changed:
                self._active -= 1
                self._changed.notify_all()

        try:
            for number in range(min(jobs, len(items))):
                with self._changed:
                    self._active += 1
                Thread(target=labour, name=f"envkit-models-{number}", daemon=True).start()
            with self._changed:
                self._changed.wait_for(lambda: failures or self._active == 0)
        finally:
            self._stop()
        if failures:
            raise failures[0]
        return results

    def check(self) -> None:
        """Raise `ModelError` if it is time to stop: nobody reads it, the run ends with what stopped it."""
        if self._stopped:
            raise ModelError("interrupted")

    def pause(self, seconds: float) -> None:
        """Wait, or raise as `check` does."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped, seconds)
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
                self._changed.notify_all()

    def _taken(self, todo: Iterator[_T]) -> Iterator[_T]:
        while True:
            with self._changed:
                if self._stopped:
                    return
                try:
                    item = next(todo)
                except StopIteration:
                    return
            yield item

    def _stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._active == 0, _GRACE)
            self._changed.wait_for(lambda: self._finishing == 0)
