"""Commits with what their registries say → the life of every version. Pure: nothing here asks Git.

A version arrives at a commit that has it while none of the commits before it do, and is one with what a parent has
under the same name and version unless the bytes cannot be the same. What two branches brought each for itself is one
version from the merge on. A registry that cannot be read says nothing: what was before it goes on through it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from envkit.models.history.facts import Facts, Key, are_other_bytes, changes
from envkit.models.history.states import State
from envkit.models.history.stays import Arrival, Edit, Stay
from envkit.models.history.walk import Commit

T = TypeVar("T")


@dataclass(frozen=True)
class Step:
    """A commit, the ids of those before it (its parents come earlier), and what it has."""

    commit: Commit
    parents: tuple[str, ...]
    state: State


class Held(NamedTuple):
    """A stay as one commit has it."""

    stay: Stay
    facts: Facts


@dataclass(frozen=True)
class Timeline:
    """``stays`` in the order in which they began; ``at`` has those of each commit that was asked for."""

    stays: tuple[Stay, ...]
    at: Mapping[str, Mapping[Key, Held]]


def timeline(steps: Iterable[Step], wanted: Collection[str] = ()) -> Timeline:
    """Follow every version through ``steps``; ``wanted`` are the commits of which to say what they have."""
    steps = tuple(steps)
    unread = Counter(parent for step in steps for parent in step.parents)
    run = _Run()
    held: dict[str, _Has] = {}
    for step in steps:
        held[step.commit.id] = run.take(step, [held[parent] for parent in step.parents])
        for parent in step.parents:
            unread[parent] -= 1
            if not unread[parent] and parent not in wanted:  # nobody asks again
                del held[parent]
    stays = run.finished()
    at = {
        commit: {key: Held(stays[run.root(ones[0].stay)], ones[0].facts) for key, ones in has.items()}
        for commit, has in held.items()
        if commit in wanted
    }
    return Timeline(tuple(stays.values()), at)


class _One(NamedTuple):
    """A stay by its number, and what is said of it just now."""

    stay: int
    facts: Facts


# Several of one key where what cannot be read follows on a merge.
_Has = Mapping[Key, "tuple[_One, ...]"]


@dataclass
class _Draft:
    """A stay as far as it is known."""

    facts: Facts
    after: int | None
    arrivals: list[tuple[int, Arrival]]
    edits: list[tuple[int, Edit]] = field(default_factory=list)
    departures: list[tuple[int, Commit]] = field(default_factory=list)
    lost: list[tuple[int, Commit]] = field(default_factory=list)
    pinned: tuple[int, Commit] | None = None


class _Run:
    """The stays so far. Those that turn out to be one point to the first of them (a union-find)."""

    def __init__(self) -> None:
        self._drafts: list[_Draft] = []
        self._parent: list[int] = []
        self._position = 0

    def take(self, step: Step, before: Sequence[_Has]) -> _Has:
        """Follow what was ``before`` a commit into it."""
        self._position += 1
        if step.state.problem is not None:
            return _merged(before)
        now: dict[Key, tuple[_One, ...]] = {}
        for key, facts in step.state.entries.items():
            now[key] = self._carried(step, key, facts, before) or self._arrived(step, facts, before)
        self._dropped(step, now, before)
        return now

    def root(self, stay: int) -> int:
        while self._parent[stay] != stay:
            self._parent[stay] = stay = self._parent[self._parent[stay]]
        return stay

    def _carried(self, step: Step, key: Key, facts: Facts, before: Sequence[_Has]) -> tuple[_One, ...]:
        known = [has[key] for has in before if key in has]
        if len(known) == 1 and len(known[0]) == 1 and known[0][0].facts is facts:  # as nearly always
            return known[0]
        found = [one for each in known for one in each if one.facts is facts or not are_other_bytes(one.facts, facts)]
        if not found:
            return ()
        # What says nothing of its bytes fits to either of two that are not the same.
        found = [one for one in found if not are_other_bytes(one.facts, found[0].facts)]
        stay = self._unite([one.stay for one in found])
        self._edited(stay, step.commit, [one.facts for one in found], facts)
        draft = self._drafts[stay]
        draft.facts = facts
        if draft.pinned is None and facts.is_pinned:
            draft.pinned = self._position, step.commit
        return (_One(stay, facts),)

    def _edited(self, stay: int, commit: Commit, before: Sequence[Facts], now: Facts) -> None:
        """Note what is as none of those before had it: of a merge not what either side had changed."""
        if now in before:
            return
        first, *others = (changes(facts, now) for facts in before)
        fields = [{change.field for change in changed} for changed in others]
        if changed := tuple(change for change in first if all(change.field in names for names in fields)):
            self._drafts[stay].edits.append((self._position, Edit(commit, changed)))

    def _arrived(self, step: Step, facts: Facts, before: Sequence[_Has]) -> tuple[_One, ...]:
        replaced = _replaced(facts, step.state.entries, before)
        arrival = Arrival(step.commit, facts, replaced.facts if replaced else None)
        pinned = (self._position, step.commit) if facts.is_pinned else None
        draft = _Draft(facts, replaced.stay if replaced else None, [(self._position, arrival)], pinned=pinned)
        self._parent.append(len(self._drafts))
        self._drafts.append(draft)
        return (_One(len(self._drafts) - 1, facts),)

    def _dropped(self, step: Step, now: _Has, before: Sequence[_Has]) -> None:
        gone = Counter(
            stay for has in before for key, ones in has.items() for stay in self._gone(ones, now.get(key, ()))
        )
        for stay, sides in gone.items():
            draft = self._drafts[stay]
            # Where a side of a merge had dropped it already, the merge only takes that over.
            (draft.departures if sides == len(before) else draft.lost).append((self._position, step.commit))

    def _gone(self, before: Sequence[_One], now: Sequence[_One]) -> Collection[int]:
        if now is before:
            return ()
        return {self.root(one.stay) for one in before} - {self.root(one.stay) for one in now}

    def _unite(self, stays: Sequence[int]) -> int:
        first, *others = sorted({self.root(stay) for stay in stays})
        one = self._drafts[first]
        for other in others:
            self._parent[other] = first
            draft = self._drafts[other]
            one.arrivals += draft.arrivals
            one.edits += draft.edits
            one.departures += draft.departures
            one.lost += draft.lost
            one.pinned = min((pinned for pinned in (one.pinned, draft.pinned) if pinned), default=None, key=_position)
        return first

    def finished(self) -> Mapping[int, Stay]:
        """Every stay by its number, in their order."""
        found: dict[int, Stay] = {}
        by_key: dict[Key, list[Stay]] = {}
        for number, draft in enumerate(self._drafts):
            if self.root(number) != number:
                continue
            # What a stay came after began before it.
            after = found.get(self.root(draft.after)) if draft.after is not None else None
            earlier = by_key.setdefault(draft.facts.key, [])
            found[number] = _stay(draft, after, earlier)
            earlier.append(found[number])
        return found


def _stay(draft: _Draft, after: Stay | None, earlier: Sequence[Stay]) -> Stay:
    arrivals = tuple(_ordered(draft.arrivals))
    return Stay(
        facts=draft.facts,
        arrivals=arrivals,
        edits=tuple(_ordered(draft.edits)),
        departures=tuple(_ordered(draft.departures)),
        lost=tuple(_ordered(draft.lost)),
        pinned=draft.pinned[1] if draft.pinned else None,
        after=after,
        other_bytes=_contradicted(arrivals[0].facts, earlier),
    )


def _replaced(facts: Facts, entries: Mapping[Key, Facts], before: Sequence[_Has]) -> _One | None:
    """What a new version came after: the same version as other bytes, what its wish was, what is gone, or the last."""
    same = [one for has in before for (name, _), ones in has.items() if name == facts.name for one in ones]

    def likeness(one: _One) -> tuple[bool, bool, bool]:
        by_wish = facts.wish is not None and one.facts.wish == facts.wish
        return one.facts.key == facts.key, by_wish, one.facts.key not in entries

    return max(reversed(same), key=likeness, default=None)


def _merged(before: Sequence[_Has]) -> _Has:
    if len(before) == 1:
        return before[0]
    keys = dict.fromkeys(key for has in before for key in has)
    return {key: tuple(dict.fromkeys(one for has in before for one in has.get(key, ()))) for key in keys}


def _contradicted(facts: Facts, earlier: Sequence[Stay]) -> Stay | None:
    if facts.floats:  # the same word, and never meant to be the same bytes
        return None
    return next((stay for stay in reversed(earlier) if are_other_bytes(stay.facts, facts)), None)


def _position(placed: tuple[int, object]) -> int:
    return placed[0]


def _ordered(placed: Iterable[tuple[int, T]]) -> Iterator[T]:
    return (one for _, one in sorted(placed, key=_position))
