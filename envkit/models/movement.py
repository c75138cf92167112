"""Which way a model's numbers went, and whether that is a regression. Pure.

Numbers are compared as the decimals they were written as: 76.8% to 76.3% is a loss of exactly 0.5%.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from envkit.models.metrics import Metric, exact

Way = Literal["same", "better", "tolerated", "worse", "changed", "new", "gone", "other unit"]

_UNITS_APART = (50, 200)  # how many times larger a number is, about, once somebody writes percent for a fraction


@dataclass(frozen=True)
class Movement:
    """One metric on both sides; None on the side that does not have it.

    ``worse`` is past its tolerance, ``tolerated`` is worse and within it, ``changed`` is where nobody said which way is
    better. ``by`` has the direction and tolerance that count where they are not those it has now. ``other unit``:
    one number is so much larger that the one is percent and the other is not.
    """

    name: str
    old: Metric | None
    new: Metric | None
    way: Way
    by: Metric | None = None

    @property
    def delta(self) -> Fraction | None:
        return exact(self.new.value) - exact(self.old.value) if self.old and self.new else None

    @property
    def rule(self) -> Metric | None:
        """Whose direction and tolerance count: those of ``by``, else those it has now."""
        return self.by or self.new or self.old

    @property
    def allowance(self) -> Fraction:
        """How much worse is no regression, in the metric's own unit."""
        if not self.rule:
            return Fraction(0)
        part = abs(exact(self.old.value)) * exact(self.rule.relative_tolerance) if self.old else Fraction(0)
        return max(exact(self.rule.tolerance), part)


def movements(old: Mapping[str, Metric], new: Mapping[str, Metric]) -> tuple[Movement, ...]:
    """Every metric of either side, in the order of the new one."""
    return tuple(movement(name, old.get(name), new.get(name)) for name in dict.fromkeys((*new, *old)))


def movement(name: str, old: Metric | None, new: Metric | None, by: Metric | None = None) -> Movement:
    found = Movement(name, old, new, "same", by)
    return replace(found, way=_way(found))


def signed(number: Fraction, *, percent: bool = False) -> str:
    """A difference with its sign: as points where the numbers are percentages."""
    text = decimal(number * 100 if percent else number)
    sign = "+" if number > 0 else ""
    return f"{sign}{text}" + (" points" if percent else "")


def decimal(number: Fraction) -> str:
    """A number as people write it, to six digits."""
    text = f"{float(number):.6g}"
    return "0" if text == "-0" else text


def in_percent(metrics: Iterable[Metric | None]) -> bool:
    return any(metric is not None and metric.text.endswith("%") for metric in metrics)


def _way(found: Movement) -> Way:
    if found.old is None or found.new is None:
        return "new" if found.old is None else "gone"
    delta = found.delta
    if not delta:
        return "same"
    if _other_unit(exact(found.old.value), exact(found.new.value)):
        return "other unit"
    higher = (found.by or found.new).higher_is_better
    if higher is None:
        return "changed"
    loss = -delta if higher else delta
    if loss < 0:
        return "better"
    return "worse" if loss > found.allowance else "tolerated"


def _other_unit(old: Fraction, new: Fraction) -> bool:
    smaller, larger = sorted((old, new))
    least, most = _UNITS_APART
    return 0 < smaller <= 1 < larger <= 100 and least * smaller <= larger <= most * smaller
