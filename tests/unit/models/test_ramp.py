"""How many downloads run side by side, found by trying."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from envkit.models.ramp import Ramp


@dataclass
class World:
    """Time, processor time and work done go on as ``rate`` and ``busy`` say for a number at a time."""

    rate: Callable[[int], float]
    busy: Callable[[int], float]
    now: float = 0.0
    cpu: float = 0.0
    done: float = 0.0

    def ramp(self, most: int) -> Ramp:
        return Ramp(most, lambda: self.done, lambda: self.now, lambda: self.cpu)

    def run(self, ramp: Ramp, seconds: float) -> list[int]:
        """The numbers that were tried, each once it changed."""
        tried = [ramp.size]
        for _ in range(round(seconds * 100)):
            self.now += 0.01
            self.cpu += 0.01 * self.busy(ramp.size)
            self.done += 0.01 * self.rate(ramp.size)
            if ramp.step() != tried[-1]:
                tried.append(ramp.size)
        return tried


def test_a_line_with_a_delay_gets_all_there_may_be() -> None:
    far = World(rate=lambda size: 20.0 * size, busy=lambda size: 0.02 * size)
    assert far.run(far.ramp(8), 1.0) == [1, 2, 4, 8]


def test_where_the_processor_is_the_limit_more_is_tried_and_given_up() -> None:
    near = World(rate=lambda size: 1000.0 / size, busy=lambda _: 1.0)
    assert near.run(near.ramp(8), 1.0) == [1, 2, 1]


def test_in_between_it_stays_where_more_brought_no_more() -> None:
    two_cores = World(rate=lambda size: 500.0 * min(size, 2), busy=lambda size: float(min(size, 2)))
    assert two_cores.run(two_cores.ramp(8), 1.0) == [1, 2, 4, 2]


def test_what_was_found_is_tried_again_later() -> None:
    world = World(rate=lambda size: 1000.0 / size, busy=lambda _: 1.0)
    ramp = world.ramp(8)
    world.run(ramp, 1.0)
    world.rate, world.busy = (lambda size: 20.0 * size), (lambda size: 0.02 * size)
    assert world.run(ramp, 8.0)[-1] == 8


@pytest.mark.parametrize("most", [1, 3])
def test_it_is_never_more_than_allowed(most: int) -> None:
    far = World(rate=lambda size: 20.0 * size, busy=lambda _: 0.0)
    assert max(far.run(far.ramp(most), 2.0)) == most
