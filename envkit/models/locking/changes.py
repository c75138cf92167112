"""What becomes of a lock: which entries came, moved, changed, went or stayed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from envkit.models.locking.lock import Key, Lock, Locked

State = Literal["added", "moved", "changed", "dropped", "kept"]
"""``moved``: to another version, commit or URL. ``changed``: that is the same, and what was found there is not."""


@dataclass(frozen=True)
class Change:
    """One entry, before and after."""

    state: State
    before: Locked | None
    after: Locked | None

    @property
    def name(self) -> str:
        return self._one.name

    @property
    def asked(self) -> str:
        """The version as ``models.yaml`` has it."""
        return self._one.asked["version"]

    @property
    def _one(self) -> Locked:
        one = self.after or self.before
        assert one is not None
        return one


def changes(former: Lock | None, lock: Lock) -> tuple[Change, ...]:
    """Every entry of either, by name. Pure."""
    old: Mapping[Key, Locked] = former.entries if former else {}
    gone = [key for key in old if key not in lock.entries]
    came = [key for key in lock.entries if key not in old]
    successors = dict(_successors(gone, came))
    found = [_change(old[key], lock.entries[key]) for key in lock.entries if key in old]
    found += [Change("moved", old[before], lock.entries[after]) for before, after in successors.items()]
    found += [Change("added", None, lock.entries[key]) for key in came if key not in successors.values()]
    found += [Change("dropped", old[key], None) for key in gone if key not in successors]
    return tuple(sorted(found, key=lambda change: (change.name, change.asked)))


def _successors(gone: list[Key], came: list[Key]) -> Iterator[tuple[Key, Key]]:
    """What is asked for in another version now: where one of a name went and one came."""
    of_name: dict[str, tuple[list[Key], list[Key]]] = {}
    for place, keys in enumerate((gone, came)):
        for key in keys:
            of_name.setdefault(key[0], ([], []))[place].append(key)
    for before, after in of_name.values():
        if len(before) == len(after) == 1:
            yield before[0], after[0]


def _change(before: Locked, after: Locked) -> Change:
    if before == after:
        return Change("kept", before, after)
    same_place = (before.version, before.locator) == (after.version, after.locator)
    return Change("changed" if same_place else "moved", before, after)
