"""All that is known of a change, put together for those who judge and those who show it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from envkit.models import metrics
from envkit.models.metrics import Metric
from envkit.models.model import Model
from envkit.models.movement import Movement, movement, movements
from envkit.models.registry.registry import Registry
from envkit.models.review import evidence, usage
from envkit.models.review.compare import Change
from envkit.models.review.evidence import Evidence, Tree
from envkit.models.review.fields import FieldChange
from envkit.models.review.usage import Place
from envkit.models.revisions import Entry, Revision


@dataclass(frozen=True)
class Subject:
    """One entry that changed, with what bears on it.

    ``evidence`` is None where none is called for. ``code`` and ``documents`` are the places that name it now or named
    it before, ``broken`` those of them that name what will not be there any more.
    """

    change: Change
    movements: tuple[Movement, ...] = ()
    evidence: Evidence | None = None
    code: tuple[Place, ...] = ()
    documents: tuple[Place, ...] = ()
    broken: tuple[Place, ...] = ()


@dataclass(frozen=True)
class Facts:
    """``documents`` are those that changed in the range; ``rules`` are the changes of what is judged by.

    Where ``comparable`` is False, there is no older side that could be read: everything looks new.
    """

    base: Revision
    head: Revision
    subjects: tuple[Subject, ...]
    documents: tuple[str, ...] = ()
    rules: tuple[FieldChange, ...] = ()
    comparable: bool = True


def sought(change: Change) -> Iterator[str]:
    """The words that the places of a change are found by."""
    for entry in (change.old, change.new):
        if entry:
            yield entry.model.name
            yield stem(entry)
            yield from usage.configs(entry.model)


def subject(
    change: Change, base: Registry, head: Registry, tree: Tree, found: Mapping[str, tuple[Place, ...]], there: set[str]
) -> Subject:
    """Put together what bears on one change; ``there`` are the words that name something after it."""
    before = change.before
    old = metrics.of(before.model, base) if before else {}
    places = sorted({place for word in sought(change) for place in found.get(word, ())})
    return Subject(
        change,
        _movements(old, change.new.model, base, head) if change.new else (),
        _evidence(change, tree),
        tuple(place for place in places if not place.is_document),
        tuple(place for place in places if place.is_document),
        tuple(place for place in places if place.word in _gone(change) - there),
    )


def words_there(head: Revision) -> set[str]:
    """Every name and every path below ``checkpoints/`` of a revision."""
    return {word for entry in head.entries for word in (entry.model.name, stem(entry))}


def stem(entry: Entry) -> str:
    """The name below ``checkpoints/`` that a sync gives it, without the suffix: Paddle is often given that."""
    return f"{entry.model.name}_{entry.version}"


def size(entry: Entry) -> int | None:
    """How many bytes are to be fetched for it; None where not all of that is known."""
    if entry.locked and len(entry.locked.files) > 1:
        sizes = [file.digests.size for file in entry.locked.files]
        return sum(known for known in sizes if known is not None) if None not in sizes else None
    return entry.digests.size


def download(revision: Revision) -> tuple[int, int]:
    """How many bytes a first sync fetches, and of how many artifacts nobody knows that. Models can share one."""
    sizes = {(entry.model.artifact.key, entry.model.artifact.paths): size(entry) for entry in revision.entries}
    return sum(known for known in sizes.values() if known is not None), list(sizes.values()).count(None)


def _movements(old: Mapping[str, Metric], model: Model, base: Registry, head: Registry) -> tuple[Movement, ...]:
    """By the directions and tolerances of the newer side, or by the older's where only they make it a regression."""
    then = metrics.of(model, base)  # also what only the older side declares to be a metric
    found = []
    for now in movements(old, metrics.of(model, head)):
        before, new = now.old, now.new or then.get(now.name)
        by_old = movement(now.name, before, new, before) if before and new else now
        found.append(by_old if _is_worse(by_old) and not _is_worse(now) else now)
    return tuple(found)


def _is_worse(found: Movement) -> bool:
    has_fallen = found.way == "other unit" and found.rule is not None and found.rule.higher_is_better is True
    return found.way == "worse" or has_fallen


def _evidence(change: Change, tree: Tree) -> Evidence | None:
    if change.new is None or change.kind == "renamed" or not change.matters:
        return None
    same = change.bytes is not None and change.bytes.state == "same"
    return evidence.of(change.new, None if same else change.before, tree)


def _gone(change: Change) -> set[str]:
    return {change.old.model.name, stem(change.old)} if change.old else set()
