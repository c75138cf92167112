"""Two revisions of a registry → what changed between them. Pure, linear, and the same backwards.

Entries are paired by their names; of several versions of one name, those of the same version first, then those of the
same bytes, then the newest with the newest. What has no partner was added or removed, or, where its bytes are there
under another name, renamed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Literal

from envkit.models import versions
from envkit.models.review import fields, identity
from envkit.models.review.fields import FieldChange
from envkit.models.review.identity import Bytes
from envkit.models.revisions import Entry, Revision

Kind = Literal["added", "removed", "renamed", "changed"]
Pair = tuple[Entry, Entry]


@dataclass(frozen=True)
class Change:
    """What became of one entry; ``old`` is None for one that was added, ``new`` for one that was removed.

    ``beside`` is, of these two, the newest entry of the same name on the other side: what a version was added beside,
    or what is left of a name. ``bytes`` is None where there are no two to compare.
    """

    kind: Kind
    old: Entry | None
    new: Entry | None
    beside: Entry | None = None
    fields: tuple[FieldChange, ...] = ()
    bytes: Bytes | None = None

    @property
    def entry(self) -> Entry:
        """The entry as it is now, or as it was last."""
        found = self.new or self.old
        assert found is not None
        return found

    @property
    def before(self) -> Entry | None:
        """What the entry is measured against."""
        return self.old or self.beside

    @property
    def same_version(self) -> bool:
        """Whether it is still called the same version, and that is one."""
        if not (self.old and self.new):
            return False
        return self.old.version == self.new.version and not versions.is_wish(self.new.version)

    @property
    def matters(self) -> bool:
        """Whether something else would be in ``checkpoints/``, or could be: more than metadata changed."""
        if not (self.old and self.new) or self.kind == "renamed" or self.old.version != self.new.version:
            return True
        return self.bytes is not None and self.bytes.state != "same"


def compare(base: Revision, head: Revision) -> tuple[Change, ...]:
    """Every entry that is not as it was: those that are there now, in their order, and then those that are gone."""
    old, new = _by_name(base.entries), _by_name(head.entries)
    pairs: list[Pair] = []
    gone: list[Entry] = []
    come: list[Entry] = []
    for name in dict.fromkeys((*new, *old)):
        paired = list(_paired(old.get(name, ()), new.get(name, ())))
        pairs += paired
        taken = {id(entry) for pair in paired for entry in pair}
        gone += (entry for entry in old.get(name, ()) if id(entry) not in taken)
        come += (entry for entry in new.get(name, ()) if id(entry) not in taken)
    renamed = list(_same_bytes(gone, come))
    moved = {id(entry) for pair in renamed for entry in pair}
    changes = [
        *(change for pair in pairs if (change := _changed(*pair))),
        *(Change("renamed", *pair, fields=fields.compare(*pair), bytes=identity.compare(*pair)) for pair in renamed),
        *(
            Change("added", None, entry, _newest(old, entry), fields.compare(None, entry))
            for entry in come
            if id(entry) not in moved
        ),
        *(
            Change("removed", entry, None, _newest(new, entry), fields.compare(entry, None))
            for entry in gone
            if id(entry) not in moved
        ),
    ]
    return tuple(sorted(changes, key=_place))


def _changed(old: Entry, new: Entry) -> Change | None:
    found = fields.compare(old, new)
    return Change("changed", old, new, fields=found, bytes=identity.compare(old, new)) if found else None


def _place(change: Change) -> tuple[bool, int, int]:
    return change.new is None, *change.entry.model.mark


def _by_name(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        found[entry.model.name].append(entry)
    return found


def _paired(old: Sequence[Entry], new: Sequence[Entry]) -> Iterator[Pair]:
    """The entries of one name that are one and the same."""
    if len(old) == len(new) == 1:
        yield old[0], new[0]
        return
    left, right = list(old), list(new)
    # Each of these looks at what the ones before it have left.
    for found in (_same_version(left, right, asked=True), _same_version(left, right), _same_bytes(left, right)):
        pairs = list(found)
        yield from pairs
        taken = {id(entry) for pair in pairs for entry in pair}
        left[:] = (entry for entry in left if id(entry) not in taken)
        right[:] = (entry for entry in right if id(entry) not in taken)
    yield from zip(newest_first(left), newest_first(right), strict=False)


def _same_version(old: Sequence[Entry], new: Sequence[Entry], *, asked: bool = False) -> Iterator[Pair]:
    def version(entry: Entry) -> str:
        return entry.model.version if asked else entry.version

    there = {version(entry): entry for entry in reversed(old)}
    for entry in new:
        if found := there.pop(version(entry), None):
            yield found, entry


def _same_bytes(old: Sequence[Entry], new: Sequence[Entry]) -> Iterator[Pair]:
    """Entries that are proven to be the same bytes, by the best that is known of both, in the order of their names."""
    if not old or not new:
        return
    taken: set[int] = set()
    before, after = _by_key(old), _by_key(new)
    for key in sorted(before.keys() & after.keys(), key=lambda key: (identity.KINDS.index(key[0]), repr(key))):
        candidates = ([entry for entry in side[key] if id(entry) not in taken] for side in (before, after))
        for pair in zip(*candidates, strict=False):
            taken |= {id(pair[0]), id(pair[1])}
            yield pair


def _by_key(entries: Iterable[Entry]) -> dict[tuple[str, identity.Key], list[Entry]]:
    found: dict[tuple[str, identity.Key], list[Entry]] = defaultdict(list)
    for entry in sorted(entries, key=lambda entry: (entry.model.name, entry.model.version)):
        for key in identity.keys(entry):
            found[key].append(entry)
    return found


def _newest(entries: dict[str, list[Entry]], entry: Entry) -> Entry | None:
    return next(iter(newest_first(entries.get(entry.model.name, ()))), None)


def newest_first(entries: Iterable[Entry]) -> list[Entry]:
    """Entries by their versions, the newest first; what is no version last, in the order of its text."""
    by_text = sorted(entries, key=lambda entry: (entry.version, entry.model.version), reverse=True)
    dated = [(versions.parsed(entry.version), entry) for entry in by_text]
    proper = [(version, entry) for version, entry in dated if version is not None]
    proper.sort(key=itemgetter(0), reverse=True)
    return [entry for _, entry in proper] + [entry for version, entry in dated if version is None]
