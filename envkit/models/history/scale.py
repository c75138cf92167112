"""An axis: which ticks, and where on it a value is."""

from __future__ import annotations

import math
from dataclasses import dataclass

_STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True)
class Scale:
    """``ticks`` are round numbers from the lowest to the highest value or beyond; ``decimals`` is what they need."""

    ticks: tuple[float, ...]
    decimals: int

    @property
    def low(self) -> float:
        return self.ticks[0]

    @property
    def high(self) -> float:
        return self.ticks[-1]

    def part(self, value: float) -> float:
        """How far up a value is: 0 at the lowest tick, 1 at the highest."""
        return (value - self.low) / (self.high - self.low)


def around(low: float, high: float, wanted: int = 3) -> Scale:
    """A scale for values from ``low`` to ``high`` with about ``wanted`` steps; for one value a little to each side."""
    if not high - low > abs(high) * 1e-9:
        room = abs(high) * 0.05 or 1.0
        low, high = low - room, high + room
    raw = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = power * next(step for step in _STEPS if power * step >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    if not math.isclose(round(step, decimals), step, rel_tol=1e-6):  # 2.5 needs one more
        decimals += 1
    return Scale(tuple(number * step for number in range(first, last + 1)), decimals)
