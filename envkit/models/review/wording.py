"""Texts of other people's in sentences of ours.

What stands in ``models.yaml``, and the name of a path or a branch, is shown to a reviewer in a terminal, on a page and
in a comment. Control characters could move a terminal's cursor, and invisible ones make a text look like another; they
are shown by their numbers. In a message, such a text stands between two marks that no shown text can have, so that each
rendering sets it apart as it can: a message is safe to put anywhere by `plain`, and whatever is between the marks by
what the rendering has for literal text.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable

_OPEN, _CLOSE = "\x02", "\x03"
_QUOTED = re.compile(f"{_OPEN}([^{_CLOSE}]*){_CLOSE}")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
# Controls, what reorders or joins without showing, surrogates, private use, unassigned, blanks that are no space.
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"}


def visible(text: str) -> str:
    r"""A text in which every character can be seen: others are written ``\x1b`` or ``\u202e``."""
    return text if text.isascii() and text.isprintable() else "".join(map(_seen, text))


def shown(value: object) -> str:
    """A value of a document (JSON types) in one visible line: a text as it is, all else as JSON; no credentials."""
    return visible(_without_credentials(value if isinstance(value, str) else as_json(value)))


def as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def cut(text: str, most: int) -> str:
    """A text of ``most`` characters at most, and how many more there are."""
    return text if len(text) <= most else f"{text[: most - 1]}… ({len(text) - most + 1} more characters)"


def quoted(text: str, most: int = 120) -> str:
    """A text of another's, for a message."""
    return f"{_OPEN}{cut(visible(text), most)}{_CLOSE}"


def plain(message: str) -> str:
    """A message as text."""
    return _QUOTED.sub(r"\1", message)


def marked(message: str, ours: Callable[[str], str], theirs: Callable[[str], str]) -> str:
    """A message with our words and theirs each put through what makes them fit."""
    parts = _QUOTED.split(message)
    return "".join(theirs(part) if position % 2 else ours(part) for position, part in enumerate(parts))


def _seen(character: str) -> str:
    if character == " " or unicodedata.category(character) not in _HIDDEN:
        return character
    if short := _SHORT.get(character):
        return short
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _without_credentials(text: str) -> str:
    return re.sub(r"(?<=://)[^/?#\s@]*(?:@[^/?#\s@]*)*@", "", text) if "://" in text else text
