"""What the two files say at each commit, from what Git calls their contents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from envkit.errors import InputError
from envkit.git import Repository
from envkit.models import texts
from envkit.models.history.facts import Facts, Key, facts
from envkit.models.history.parts import Parts
from envkit.models.history.walk import Files
from envkit.models.locking import lock
from envkit.models.locking.lock import Lock, Locked
from envkit.models.registry import registry
from envkit.models.registry.registry import Registry
from envkit.settings import REGISTRY

_AT_ONCE = 256  # texts in memory

T = TypeVar("T")


@dataclass(frozen=True)
class State:
    """Every entry by its name and version; ``problem`` says why there are none to be known."""

    entries: Mapping[Key, Facts] = field(default_factory=dict)
    problem: str | None = None


def states(repository: Repository, wanted: Iterable[Files]) -> Mapping[Files, State]:
    """The state that each pair of files is. The same entry with the same lock is the same object in all of them."""
    reader = _Reader()
    files = list(dict.fromkeys(wanted))
    for some in _batches(dict.fromkeys(blob for blob, _ in files if blob)):
        reader.registries(repository.contents(some))
    for some in _batches(dict.fromkeys(blob for _, blob in files if blob)):
        reader.locks(repository.contents(some))
    return {pair: reader.state(*pair) for pair in files}


class _Reader:
    """What was read of either kind by its blob: an `InputError` for what cannot be."""

    def __init__(self) -> None:
        self._registries: dict[str, tuple[Registry, ...] | InputError] = {}
        self._locks: dict[str, Mapping[Key, Locked] | InputError] = {}
        self._parts_of_registry = Parts(registry.parse)
        self._parts_of_lock = Parts(lock.parse)
        self._facts: dict[tuple[int, int], Facts] = {}

    def registries(self, bodies: Mapping[str, bytes]) -> None:
        for blob, body in bodies.items():
            self._registries[blob] = self._registry(body)

    def locks(self, bodies: Mapping[str, bytes]) -> None:
        for blob, body in bodies.items():
            self._locks[blob] = self._lock(body)

    def state(self, of_registry: str | None, of_lock: str | None) -> State:
        parts = self._registries[of_registry] if of_registry else ()
        locked = self._locks[of_lock] if of_lock else {}
        for found in (parts, locked):
            if isinstance(found, InputError):
                return State(problem=str(found))
        assert not isinstance(parts, InputError)
        assert not isinstance(locked, InputError)
        entries = (self._entry(part, index, locked) for part in parts for index in range(len(part.models)))
        return State({entry.key: entry for entry in entries})

    def _entry(self, part: Registry, index: int, locked: Mapping[Key, Locked]) -> Facts:
        model = part.models[index]
        entry = locked.get((model.name, model.version))
        key = id(model), id(entry)  # both live as long as this reader: they are in its parts
        if key not in self._facts:
            self._facts[key] = facts(model, entry, part)
        return self._facts[key]

    def _registry(self, body: bytes) -> tuple[Registry, ...] | InputError:
        try:
            text = texts.decoded(body, REGISTRY)
            parts = self._parts_of_registry(text)
            if len(parts) > 1 and registry.clashes([model for part in parts for model in part.models]):
                registry.parse(text)  # with every problem at its line
        except InputError as error:
            return error
        return parts

    def _lock(self, body: bytes) -> Mapping[Key, Locked] | InputError:
        try:
            parts: tuple[Lock, ...] = self._parts_of_lock(texts.decoded(body, lock.FILE))
        except InputError as error:
            return error
        return {key: entry for part in parts for key, entry in part.entries.items()}


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, _AT_ONCE)):
        yield batch
