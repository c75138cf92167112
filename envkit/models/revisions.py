"""The registry and its lock as a commit has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from envkit.errors import InputError
from envkit.git import Repository
from envkit.models import texts
from envkit.models.locking import lock
from envkit.models.locking.lock import Lock, Locked
from envkit.models.model import Digests, Model
from envkit.models.registry import registry
from envkit.models.registry.registry import Registry
from envkit.settings import REGISTRY


@dataclass(frozen=True)
class Entry:
    """One entry of one revision: what the registry says, and what its lock made of it (None: it is not locked)."""

    model: Model
    locked: Locked | None

    @property
    def version(self) -> str:
        """The version it came to; where it floats and nothing locks it, the wish."""
        return self.locked.version if self.locked else self.model.version

    @property
    def digests(self) -> Digests:
        """What is known of its one file; of a set of files nothing."""
        own = self.model.artifact.digests
        return own.over(self.locked.files[0].digests) if self.locked and len(self.locked.files) == 1 else own


@dataclass(frozen=True)
class Revision:
    """Both files at one commit.

    ``problem`` says why they could not be read, or do not fit; where it is the registry, there are no entries.
    """

    commit: str
    registry: Registry
    lock: Lock | None
    problem: str | None = None

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(Entry(model, self._locked(model)) for model in self.registry.models)

    def _locked(self, model: Model) -> Locked | None:
        found = self.lock.entries.get((model.name, model.version)) if self.lock else None
        return found if found and dict(found.asked) == dict(model.asked) else None


def read(repository: Repository, commits: Iterable[str]) -> Mapping[str, Revision]:
    """The revisions at ``commits``, in their order. A commit without a registry has one with no entries.

    Most commits leave both files as they were: what is the same is fetched and read once.
    """
    wanted = list(dict.fromkeys(commits))
    paths = repository.prefix + REGISTRY, repository.prefix + lock.FILE
    blobs = repository.blobs((commit, path) for commit in wanted for path in paths)
    bodies = repository.contents(blob for blob in blobs.values() if blob)
    parsed: dict[tuple[str | None, str | None], Revision] = {}
    found = {}
    for commit in wanted:
        both = blobs[commit, paths[0]], blobs[commit, paths[1]]
        if both not in parsed:
            parsed[both] = of(commit, *(bodies[blob] if blob else None for blob in both))
        found[commit] = replace(parsed[both], commit=commit)
    return found


def of(commit: str, of_registry: bytes | None, of_lock: bytes | None) -> Revision:
    """The revision of the bytes of both files, wherever they are from; None for one that is not there."""
    empty = Registry(REGISTRY, ())
    if of_registry is None:
        return Revision(commit, empty, None)
    try:
        parsed = registry.parse(texts.decoded(of_registry, REGISTRY), REGISTRY)
    except InputError as error:
        return Revision(commit, empty, None, str(error))
    if of_lock is None:
        return Revision(commit, parsed, None)
    try:
        locked = lock.parse(texts.decoded(of_lock, lock.FILE))
    except InputError as error:
        return Revision(commit, parsed, None, str(error))
    problems = "\n".join(map(str, lock.misfits(parsed, locked)))
    return Revision(commit, parsed, locked, problems or None)
