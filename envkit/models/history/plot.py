"""One metric of one model over its versions, as a piece of SVG with axes, and what to say at each point.

The versions stand side by side in the order in which they came. A line leads to each from the one that it came after,
so that a version of a side branch hangs beside the line rather than in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from envkit.models import units
from envkit.models.history import scale, table
from envkit.models.history.gather import Version
from envkit.models.history.markup import Markup, tag
from envkit.models.history.readings import Reading
from envkit.models.history.scale import Scale
from envkit.models.history.stays import Stay

_WIDTH, _WIDE, _HEIGHT = 320, 660, 160
_MANY = 16
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 10, 12, 28
_INSET = 12
_LETTER = 6.2  # the mean width of one, in the font size of the axes


@dataclass(frozen=True)
class Point:
    """A version that has the metric; ``anchor`` is the id of its row."""

    version: Version
    reading: Reading
    anchor: str


@dataclass(frozen=True)
class _Placed:
    point: Point
    x: float
    y: float


def is_wide(points: Sequence[Point]) -> bool:
    """Whether there are so many that their plot is twice as wide as others are."""
    return len(points) > _MANY


def plot(name: str, points: Sequence[Point]) -> Markup:
    """The figure of one metric; ``points`` have the oldest first, one at least."""
    percent = points[-1].reading.metric.text.endswith("%")
    values = [point.reading.metric.value * (100 if percent else 1) for point in points]
    axis = scale.around(min(values), max(values))
    width = _WIDE if is_wide(points) else _WIDTH
    gap = (width - _LEFT - _RIGHT - 2 * _INSET) / max(1, len(points) - 1)
    first = _LEFT + (_INSET if len(points) > 1 else (width - _LEFT - _RIGHT) / 2)
    placed = [
        _Placed(point, first + gap * position, _y(axis, value))
        for position, (point, value) in enumerate(zip(points, values, strict=True))
    ]
    return tag(
        "svg",
        *_grid(axis, "%" if percent else "", width),
        *_versions(placed, width),
        *_lines(placed),
        *(_mark(one, min(4.0, max(2.0, gap * 0.4))) for one in placed),
        viewBox=f"0 0 {width} {_HEIGHT}",
        role="group",
        aria_label=f"{name} of {units.counted(len(points), 'version')}",
        data_metric=name,
    )


def _y(axis: Scale, value: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * axis.part(value)


def _grid(axis: Scale, unit: str, width: int) -> Iterator[Markup]:
    for tick in axis.ticks:
        y = _y(axis, tick)
        yield tag("line", class_="grid", x1=_LEFT, x2=width - _RIGHT, y1=y, y2=y)
        label = f"{tick:.{axis.decimals}f}{unit}" if abs(tick) < 1e6 else f"{tick:.2g}{unit}"
        yield tag("text", label, class_="tick", x=_LEFT - 8, y=y + 3.5, text_anchor="end")


def _versions(placed: Sequence[_Placed], width: int) -> Iterator[Markup]:
    """The names of the versions below the axis: the last one, and before it as many as there is room for."""
    free: float = width
    for one in reversed(placed):
        text = table.shortened(one.point.version.facts.version, 14)
        half = table.width(text) * _LETTER / 2
        x = min(max(one.x, half + 2), width - half - 2)
        if x + half < free:
            yield tag("text", text, class_="tick", x=x, y=_HEIGHT - 8, text_anchor="middle")
            free = x - half - 8


def _lines(placed: Sequence[_Placed]) -> Iterator[Markup]:
    by_stay = {one.point.version.stay: one for one in placed}
    for one in placed:
        before = _before(one.point.version.stay, by_stay)
        if before:
            aside = None if one.point.version.is_here else "aside"
            yield tag("line", class_=aside, x1=before.x, y1=before.y, x2=one.x, y2=one.y)


def _before(stay: Stay, by_stay: Mapping[Stay, _Placed]) -> _Placed | None:
    """The nearest version before this one that has the metric too."""
    earlier = stay.after
    while earlier is not None and earlier not in by_stay:
        earlier = earlier.after
    return by_stay[earlier] if earlier else None


def _mark(one: _Placed, radius: float) -> Markup:
    """A link to the version's row: it can be pointed at, and reached by the keyboard."""
    version, reading = one.point.version, one.point.reading
    kinds = ["point"]
    kinds += ["aside"] if not version.is_here else []
    kinds += ["worse"] if reading.verdict == "worse" else []
    is_other = version.stay.other_bytes is not None
    return tag(
        "a",
        tag("circle", class_="halo", cx=one.x, cy=one.y, r=radius * 3),
        _diamond(one, radius * 1.5) if is_other else tag("circle", class_="dot", cx=one.x, cy=one.y, r=radius),
        href=f"#{one.point.anchor}",
        class_=" ".join(kinds),
        aria_label=_said(one.point),
        data_value=reading.metric.text,
    )


def _diamond(one: _Placed, radius: float) -> Markup:
    x, y, r = one.x, one.y, radius
    return tag("path", class_="dot", d=f"M{x:.5g} {y - r:.5g}l{r:.3g} {r:.3g}l-{r:.3g} {r:.3g}l-{r:.3g} -{r:.3g}z")


def _said(point: Point) -> str:
    """What is to be read at a point, a line each."""
    version, commit = point.version, point.version.arrival.commit
    lines = [f"{version.facts.name} {table.shown_version(version.facts)}", str(point.reading)]
    lines += [f"! {table.SAME_VERSION}"] if version.stay.other_bytes else []
    return "\n".join([*lines, f"{commit.day} · {commit.author} · {commit.short}", commit.subject])
