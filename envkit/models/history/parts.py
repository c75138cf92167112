"""The text of a registry or of a lock read entry by entry, so that an entry which stays as it is is read once.

A file of a thousand commits is a thousand texts that differ in a few lines. A block list under ``models`` is cut where
its items begin, and each item is read with all that is not the list around it. What such a part means does not depend
on the others: where each can be read, their sum is what the whole says. Where one cannot, the whole is read, for its
problems to have the right lines; so is a file that is written in another way, such as JSON.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from envkit.errors import InputError

T = TypeVar("T")

# All of them begin with the end of a line: that is found many times as quickly as the beginning of one.
_LIST = re.compile(r"\nmodels:[ \t]*(?:#[^\n]*)?\r?(?=\n)")
_FIRST = re.compile(r"(?:\n[ \t]*(?:#[^\n]*)?\r?(?=\n))*\n( *)- ")
_NEXT_KEY = re.compile(r"\n(?=[^\s#-])")


class Cut(NamedTuple):
    """A text as what comes before the first item, the items, and what comes after the last."""

    head: str
    items: tuple[str, ...]
    tail: str


class Parts(Generic[T]):
    """Texts → what ``read`` makes of each of their parts; ``read`` raises `InputError` for what cannot be read."""

    def __init__(self, read: Callable[[str], T]) -> None:
        self._read = read
        self._known: dict[tuple[str, str, str], T] = {}

    def __call__(self, text: str) -> tuple[T, ...]:
        found = cut(text)
        if found is None:
            return (self._read(text),)
        try:
            return tuple(self._part(found.head, item, found.tail) for item in found.items)
        except InputError:
            return (self._read(text),)

    def _part(self, head: str, item: str, tail: str) -> T:
        key = head, item, tail
        if key not in self._known:
            self._known[key] = self._read(head + item + tail)
        return self._known[key]


def cut(text: str) -> Cut | None:
    """Where to cut; None for a text that is no block list, or has several."""
    lines = f"\n{text}"
    lists = list(_LIST.finditer(lines))
    first = _FIRST.match(lines, lists[0].end()) if len(lists) == 1 else None
    if first is None:
        return None
    start, following = first.start(1), _NEXT_KEY.search(lines, first.end())
    end = following.end() if following else len(lines)
    bullet = f"{first[1]}- "
    items = lines[start + len(bullet) : end].split(f"\n{bullet}")
    whole = (*(f"{bullet}{item}\n" for item in items[:-1]), f"{bullet}{items[-1]}")
    return Cut(lines[1:start], whole, lines[end:])
