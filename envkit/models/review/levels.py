"""The section ``review`` of ``envkit.yaml``: what each gate does, and how much larger a model may become."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal, cast, get_args

from envkit.errors import InputError
from envkit.models import metrics, spelling

Level = Literal["fail", "warn", "off"]

DEFAULTS: Mapping[str, Level] = {
    "digest": "fail",
    "regression": "fail",
    "evidence": "fail",
    "licence": "warn",
    "size": "warn",
    "usage": "warn",
    "docs": "warn",
    "rules": "warn",
}
"""The gates, the one that matters most first, and what each does where nobody says otherwise."""

_GROWTH = "growth"
_RISING: tuple[Level, ...] = ("off", "warn", "fail")
_OFTEN = {"license": "licence"}


@dataclass(frozen=True)
class Levels:
    """``growth`` is the part of its size by which a model may grow unremarked."""

    gates: Mapping[str, Level] = field(default_factory=lambda: dict(DEFAULTS))
    growth: Fraction = Fraction(1, 5)


def stricter(one: Levels, other: Levels) -> Levels:
    """Of each gate the level that takes less: a change must not loosen what it is judged by."""
    gates = {name: max(level, other.gates[name], key=_RISING.index) for name, level in one.gates.items()}
    return Levels(gates, min(one.growth, other.growth))


def read(section: Mapping[str, object], file: str = "envkit.yaml") -> Levels:
    """Read the section; ``file`` is its name for messages. Raises `InputError` with everything that is wrong."""
    wrong: list[str] = []
    gates = dict(DEFAULTS)
    growth = Levels().growth
    for key, value in section.items():
        if key == _GROWTH:
            found = metrics.number(value)
            if found is None or found < 0:
                wrong.append(f"{_GROWTH} is {value!r}: expected a part such as 20%")
            else:
                growth = metrics.exact(found)
        elif key not in DEFAULTS:
            meant = _OFTEN.get(key) or spelling.near(key, (*DEFAULTS, _GROWTH))
            hint = f"did you mean {meant!r}?" if meant else f"known: {', '.join(sorted((*DEFAULTS, _GROWTH)))}"
            wrong.append(f"unknown gate {key!r}: {hint}")
        else:
            level = "off" if value is False else value  # YAML 1.1 reads a bare `off` as false
            if level not in get_args(Level):
                wrong.append(f"{key} is {value!r}: expected one of: {', '.join(get_args(Level))}")
            else:
                gates[key] = cast(Level, level)
    if wrong:
        raise InputError("\n".join(f"{file}: review: {line}" for line in wrong))
    return Levels(gates, growth)
