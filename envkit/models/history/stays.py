"""The life of one version of one model, as the commits tell it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from envkit.models.history.facts import Change, Facts, brought_by, changes
from envkit.models.history.walk import Commit


@dataclass(frozen=True)
class Arrival:
    """The commit that brought a version, and what it was brought as; ``before`` is what it came after, if anything.

    ``brought_by`` names the files that did it.
    """

    commit: Commit
    facts: Facts
    before: Facts | None

    @property
    def brought_by(self) -> tuple[str, ...]:
        return brought_by(self.before, self.facts)

    @property
    def changes(self) -> tuple[Change, ...]:
        return changes(self.before, self.facts) if self.before else ()


class Edit(NamedTuple):
    """A commit that changed an entry, and left its version and bytes as they were."""

    commit: Commit
    changes: tuple[Change, ...]


@dataclass(frozen=True, eq=False)
class Stay:
    """One version of one model, from its first commit to its last.

    ``facts`` are the last that were said of it. ``arrivals`` has several commits where branches brought it each for
    itself. ``after`` is the stay that it came after. ``departures`` are commits that dropped it, ``lost`` merges that
    took the files of a side without it. ``other_bytes`` is an earlier stay of the same version with other bytes.
    ``pinned`` is the first commit at which something is known of its bytes.
    """

    facts: Facts
    arrivals: tuple[Arrival, ...]
    edits: tuple[Edit, ...]
    departures: tuple[Commit, ...]
    lost: tuple[Commit, ...]
    pinned: Commit | None
    after: Stay | None
    other_bytes: Stay | None

    @property
    def first(self) -> Arrival:
        return self.arrivals[0]
