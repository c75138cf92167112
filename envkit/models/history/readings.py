"""A version's metrics beside those of the version that it came after."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from envkit.models.history.gather import Version
from envkit.models.metrics import Metric
from envkit.models.movement import Way, movement

Verdict = Literal["better", "worse", "other", "same"]
"""``other``: nobody said which way is better."""

# As a review judges it, so that both say the same of one change; what is within the tolerance is no loss.
_VERDICTS: Mapping[Way, Verdict] = {
    "better": "better",
    "worse": "worse",
    "tolerated": "same",
    "changed": "other",
    "other unit": "other",
}
_DECIMALS = re.compile(r"\.([0-9]+)")
_MOST_DECIMALS = 6


@dataclass(frozen=True)
class Reading:
    """``change`` is the difference as it is written (``+0.6 pp``: of per cent, in points), None where there is none.

    ``relative`` is the difference as a part of the older value, positive where it is better; 0 where nothing says.
    """

    metric: Metric
    before: Metric | None
    change: str | None
    verdict: Verdict
    relative: float

    @property
    def arrow(self) -> str:
        if self.before is None or self.before.value == self.metric.value:
            return ""
        return "↑" if self.metric.value > self.before.value else "↓"

    def __str__(self) -> str:
        if self.change is None:
            return f"{self.metric.name} {self.metric.text}"
        worse = " worse" if self.verdict == "worse" else ""
        return f"{self.metric.name} {self.metric.text} ({self.change} {self.arrow}{worse})"


def readings(version: Version) -> tuple[Reading, ...]:
    """Every metric of a version, in its order."""
    before = version.stay.after.facts.metrics if version.stay.after else {}
    return tuple(_reading(metric, before.get(name)) for name, metric in version.facts.metrics.items())


def _reading(now: Metric, before: Metric | None) -> Reading:
    way = movement(now.name, before, now).way
    if before is None or way == "same":
        return Reading(now, before, None, "same", 0.0)
    change = now.value - before.value
    relative = change / abs(before.value) if before.value else math.copysign(1.0, change)
    verdict = _VERDICTS[way]
    gain = 0.0 if verdict == "other" else relative if now.higher_is_better else -relative
    return Reading(now, before, _written(now, before), verdict, gain)


def _written(now: Metric, before: Metric) -> str:
    percent = now.text.endswith("%")
    change = (now.value - before.value) * (100 if percent else 1)
    if "e" in (now.text + before.text).lower():
        return f"{change:+.3g}"
    shift = (0 if before.text.endswith("%") else -2) if percent else (2 if before.text.endswith("%") else 0)
    decimals = max(_decimals(now.text), _decimals(before.text) + shift)
    return f"{change:+.{min(max(decimals, 0), _MOST_DECIMALS)}f}{' pp' if percent else ''}"


def _decimals(text: str) -> int:
    found = _DECIMALS.search(text)
    return len(found[1]) if found else 0
