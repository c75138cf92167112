"""(registry, the lock there was) → the lock to be: what fits stays as it is, the rest is chosen and measured anew.

The network is asked by `choice` and `measure`, which are handed in: with the same answers the same lock comes out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from envkit.models.explain import Failure
from envkit.models.locking import lock, measure
from envkit.models.locking.lock import Key, Lock, Locked
from envkit.models.locking.measure import Measured, Task
from envkit.models.model import Digests, Model, WrongBytesError
from envkit.models.registry.registry import Registry
from envkit.models.sources import SOURCES

Choose = Callable[[Sequence[Model]], Mapping[Key, "Model | Failure"]]
Measure = Callable[[Sequence[Task]], Mapping[Task, "Measured | Failure"]]


@dataclass(frozen=True)
class Aim:
    """Entries that stay, and models to resolve; ``named`` are those of them to be looked at even if nothing moved."""

    keep: tuple[Locked, ...]
    todo: tuple[Model, ...]
    named: frozenset[Key] = frozenset()


@dataclass(frozen=True)
class Resolved:
    """Entries of a lock, and why others could not be had, by name and the version asked for."""

    entries: tuple[Locked, ...]
    failures: Mapping[Key, Failure]


def aim(found: Registry, former: Lock | None, upgrade: Collection[str] | None = None) -> Aim:
    """What has to be resolved: what the lock lacks or does not fit; with ``upgrade`` what can move as well.

    Names in ``upgrade`` mean those models alone, whether they can move or not; no names mean all that can.
    """
    keep, todo, named = [], [], set()
    for model in found.models:
        entry = former.entries.get(_key(model)) if former else None
        again = upgrade is not None and (model.name in upgrade if upgrade else can_move(model))
        if entry is None or again or not lock.fits(model, entry):
            todo.append(model)
        else:
            keep.append(entry)
        if upgrade and model.name in upgrade:
            named.add(_key(model))
    return Aim(tuple(keep), tuple(todo), frozenset(named))


def can_move(model: Model) -> bool:
    """Whether an entry may come to something else tomorrow: it floats, or names a branch or a tag of a hub."""
    source, locator = SOURCES[model.artifact.source], model.artifact.locator
    return model.floats or (source.holds_many(locator) and not source.is_proof(locator))


def moved(wanted: Aim, former: Lock | None, choose: Choose) -> tuple[dict[Key, Locked], dict[Key, Model | Failure]]:
    """What came to the same as before, and of all else what it comes to now."""
    stay: dict[Key, Locked] = {}
    chosen = choose(wanted.todo) if wanted.todo else {}
    for model in wanted.todo:
        entry, outcome = former.entries.get(_key(model)) if former else None, chosen[_key(model)]
        if entry is None or isinstance(outcome, Failure) or _key(model) in wanted.named:
            continue
        if lock.fits(model, entry) and (entry.version, entry.locator) == (outcome.version, outcome.artifact.locator):
            stay[_key(model)] = entry
    return stay, {key: outcome for key, outcome in chosen.items() if key not in stay}


def resolve(wanted: Aim, former: Lock | None, choose: Choose, measuring: Measure, when: str) -> Resolved:
    """Carry out an aim; ``when`` is the time now, in UTC."""
    stay, chosen = moved(wanted, former, choose)
    pinned = {key: model for key, model in chosen.items() if isinstance(model, Model)}
    failures = {key: failure for key, failure in chosen.items() if isinstance(failure, Failure)}
    todo = measure.tasks(pinned, _kept_by_locator(wanted, former))
    measured = measuring(todo) if todo else {}
    entries = [*wanted.keep, *stay.values()]
    asked = {_key(model): model.asked for model in wanted.todo}
    for task, outcome in measured.items():
        if isinstance(outcome, Failure):
            failures |= dict.fromkeys(_blamed(task, outcome), outcome)
            continue
        for key, model in task.models:
            entry = _entry(model, asked[key], outcome, when)
            before = former.entries.get(key) if former else None
            entries.append(before if before is not None and before == entry else entry)
    return Resolved(tuple(entries), failures)


def _entry(model: Model, asked: Mapping[str, str], found: Measured, when: str) -> Locked:
    return Locked(model.name, asked, model.version, model.artifact.locator, found.files, when, found.origin)


def _kept_by_locator(wanted: Aim, former: Lock | None) -> Mapping[tuple[str, str], Locked]:
    """What is named to be looked at, and is not to be fetched if its server has what it had."""
    entries = [former.entries[key] for key in sorted(wanted.named) if key in former.entries] if former else []
    return {(entry.asked["source"], entry.locator): entry for entry in entries}


def _blamed(task: Task, failure: Failure) -> list[Key]:
    """Those of several models that one artifact is for whose own digest is the one that does not match; else all."""
    error = failure.error
    wrong = {mismatch.expected for mismatch in error.mismatches} if isinstance(error, WrongBytesError) else set()
    guilty = [key for key, model in task.models if wrong & _said(model.artifact.digests)]
    return guilty or [key for key, _ in task.models]


def _said(digests: Digests) -> set[str]:
    return {str(value) for value in (digests.md5, digests.sha256, digests.size) if value is not None}


def _key(model: Model) -> Key:
    return model.name, model.version
