"""JSON Schema (draft 7) of the values of ``models.yaml``, piece by piece, for the table in `keys`.

A shape is there to help while typing: where it cannot say all that is asked for, it lets through what the reader then
refuses. ``patternErrorMessage`` is what VS Code's servers say in place of showing the pattern.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Shape = Mapping[str, Any]

DIGITS = {"md5": 32, "sha256": 64}
"""The hexadecimal digits of a digest."""
HEXADECIMAL = "[0-9a-fA-F]{%d}"
# `[^\W_][\w.+-]*` as far as JavaScript's expressions can say it.
NAME = r"(?:[A-Za-z0-9]|[^\x00-\x7f])(?:[A-Za-z0-9_.+-]|[^\x00-\x7f])*"
WISH = r"(?:latest|stable|[<>=!~].*)"
RATIO = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*%?"


def text(pattern: str, allowed: str, *others: str, **more: Any) -> Shape:
    """A text of this pattern, or what editors take for something of ``others`` (`1.10` for a number)."""
    return {"type": ["string", *others], "pattern": pattern, "patternErrorMessage": f"Expected {allowed}.", **more}


def url(example: str) -> Shape:
    return {**URL, "examples": [example]}


def digest(key: str, example: str) -> Shape:
    pattern = f"^{HEXADECIMAL % DIGITS[key]}$"
    return text(pattern, f"{DIGITS[key]} hexadecimal digits", "number", examples=[example])


def one_or_more(item: Shape, **more: Any) -> Shape:
    """One text, or a list of them."""
    return {**item, "type": [*item["type"], "array"], "items": item, **more}


URL = text(r"^[hH][tT][tT][pP][sS]?://\S+$", "an http:// or https:// URL")
NUMBER = text(f"^{RATIO}$", "a number, such as 0.768 or 76.8%", "number")
PATH_INSIDE = one_or_more(
    text(r"^(?!/)(?!(?:[^/]*/)*\.\.(?:/|$))[^\\]*[^/\\][^\\]*$", "a path inside, from its root", "number"),
    minItems=1,
)
"""What ``path`` is of most sources."""
PATH_OF_FILE = text(r"^(?:/|~|file:///|file://localhost/)[\s\S]*[^/]$", "a file, from the root, as ~/… or as file:///…")
"""What it is of the source that goes by it."""

_BETTER: Shape = {"type": "boolean", "description": "Whether more is better, as with an accuracy (a loss: false)."}
_TOLERANCE: Shape = {
    **NUMBER,
    "description": "How much worse is no regression, in the metric's own unit.",
    "examples": ["0.5%", 0.005],
}
_RELATIVE: Shape = {
    **NUMBER,
    "description": "How much worse is no regression, as a part of the older value.",
    "examples": ["1%", 0.01],
}
_WORDS: Mapping[str, Shape] = {
    "unit": {"type": "string", "description": "What it is counted in, for people.", "examples": ["ms"]},
    "description": {"type": "string", "description": "What it says, for people."},
}

DECLARED: Mapping[str, Shape] = {
    "higher_is_better": _BETTER,
    "tolerance": _TOLERANCE,
    "relative_tolerance": _RELATIVE,
    **_WORDS,
}
"""What the registry's own ``metrics`` may say of one."""
_VALUE: Shape = {
    **text(rf"^(?:{RATIO}|(?![+-]?\.?[0-9])[\s\S]*)$", "a number, such as 0.768 or 76.8%"),
    "type": ["number", "string", "array", "boolean", "null"],
}
MEASURED: Mapping[str, Shape] = {
    "value": {**_VALUE, "description": "What was measured; 76.8% and 0.768 are one number.", "examples": ["76.8%"]},
    **DECLARED,
}
"""What an entry's ``metrics`` may say of one, besides being the number itself."""

_REPORT: Shape = {"type": "string", "description": "A URL, or a file of the repository."}
_BENCHMARK: Shape = {"type": ["string", "object", "null"], "properties": {"report": _REPORT}}
BENCHMARK: Shape = {**_BENCHMARK, "type": ["string", "object", "array", "null"], "items": _BENCHMARK}
METRIC: Shape = {**_VALUE, "type": [*_VALUE["type"], "object"], "properties": MEASURED}
