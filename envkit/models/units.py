"""Amounts, numbers of things, and durations for people."""

from __future__ import annotations

_UNITS = ("KiB", "MiB", "GiB", "TiB")


def scaled(amount: float) -> str:
    """Of bytes, in the largest unit of which there is one at least: ``96.1 MiB``."""
    power = _power(amount)
    return f"{amount / 1024 ** (power + 1):.1f} {_UNITS[power]}"


def part(amount: float, total: float, between: str = " of ") -> str:
    """Of bytes, both in one unit: ``1.2 of 4.8 GiB``."""
    power = _power(total)
    return f"{amount / 1024 ** (power + 1):.1f}{between}{scaled(total)}"


def duration(seconds: float) -> str:
    """Roughly: ``38 s``, ``5 min``, ``2 h 10 min``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def counted(number: int, what: str) -> str:
    """``1 model``, ``2 models``."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def _power(amount: float) -> int:
    return next((power for power in (3, 2, 1) if amount >= 1024 ** (power + 1)), 0)
