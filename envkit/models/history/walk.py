"""Which commits touched the registry or its lock, on whatever branch, and under whatever path they then had.

Git simplifies the history to those commits and to all merges (``--full-history --parents``), so that what only ever was
on a side branch is there, and so is a merge whose files are neither parent's. (``--simplify-merges`` would drop parents
that are ancestors of others, and what a merge has from those would seem to be its own.)

Where a commit brought the registry under its name from another one, as when a folder is moved, the walk goes on with
the older name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from envkit.git import Repository
from envkit.models.locking import lock
from envkit.settings import REGISTRY

_FIELDS = ("%H", "%P", "%aN", "%aI", "%s")
_RENAMES = ("diff-tree", "-m", "-r", "-M", "-z", "--name-status", "--diff-filter=R", "--no-commit-id")
_MOST_PLACES = 10

Files = tuple["str | None", "str | None"]
"""What Git calls the contents of the registry and of its lock; None where there is none."""


@dataclass(frozen=True)
class Commit:
    """``when`` is the author's date, as ISO 8601 with the author's own offset."""

    id: str
    author: str
    when: str
    subject: str

    @property
    def short(self) -> str:
        return self.id[:7]

    @property
    def day(self) -> str:
        return self.when[:10]


@dataclass(frozen=True)
class Touch:
    """A commit, the ones before it that matter here (rewritten, as Git calls it), and the two files as it has them."""

    commit: Commit
    parents: tuple[str, ...]
    files: Files


@dataclass(frozen=True)
class Place:
    """Where the two files were: paths from the top of the work tree."""

    registry: str
    lock: str

    @classmethod
    def of(cls, registry: str) -> Place:
        return cls(registry, str(PurePosixPath(registry).parent / lock.FILE))


@dataclass(frozen=True)
class Walk:
    """``touches`` have parents before children; ``places`` the newest first.

    ``cut`` are the commits at which a shallow clone ends: what came before is not known here.
    """

    touches: tuple[Touch, ...]
    places: tuple[Place, ...]
    cut: frozenset[str]


def walk(repository: Repository) -> Walk:
    """Every commit that matters, of all branches and tags, and of what is checked out."""
    places: tuple[Place, ...] = (Place.of(repository.prefix + REGISTRY),)
    asked: set[Place] = set()
    while True:
        touches = tuple(_touches(repository, places))
        older = _renamed_from(repository, [place for place in places if place not in asked], touches)
        asked.update(places)
        places = tuple(dict.fromkeys((*places, *older)))
        if asked.issuperset(places) or len(places) > _MOST_PLACES:
            return Walk(touches, places, _cut(repository))


def everywhere(repository: Repository) -> tuple[str, ...]:
    """The revisions to start at, as ``git log`` takes them: not the stash, nor refs of other tools."""
    return "--branches", "--tags", "--remotes", *(("HEAD",) if repository.commit("HEAD") else ())


def files_at(repository: Repository, commits: Sequence[str], places: Sequence[Place]) -> Mapping[str, Files]:
    """Both files at each of ``commits``: those at the first of the places where there is a registry."""
    paths = [path for place in places for path in (place.registry, place.lock)]
    blobs = repository.blobs((commit, path) for commit in commits for path in paths)

    def files(commit: str) -> Files:
        there = next((place for place in places if blobs[commit, place.registry]), places[0])
        return blobs[commit, there.registry], blobs[commit, there.lock]

    return {commit: files(commit) for commit in commits}


def _touches(repository: Repository, places: Sequence[Place]) -> Iterator[Touch]:
    """With parents before children. Git gives all merges; most have what all that is before them has, and go."""
    rows = _rows(repository, places)
    files = files_at(repository, [commit.id for commit, _ in rows], places)
    stands_for: dict[str, str] = {}
    for commit, before in rows:
        own = files[commit.id]
        parents = tuple(dict.fromkeys(stands_for[parent] for parent in before if parent in stands_for))
        if len(parents) == 1 and files[parents[0]] == own:
            stands_for[commit.id] = parents[0]
        elif parents or own != (None, None):
            stands_for[commit.id] = commit.id
            yield Touch(commit, parents, own)


def _rows(repository: Repository, places: Sequence[Place]) -> Sequence[tuple[Commit, Sequence[str]]]:
    """The commits with their parents, as Git rewrites them, the oldest first."""
    paths = [f":(top,literal){path}" for place in places for path in (place.registry, place.lock)]
    form = f"--format=tformat:{'%x00'.join(_FIELDS)}"
    order = ("--full-history", "--parents", "--date-order", "--encoding=UTF-8")
    output = repository.run("log", "-z", *order, form, *everywhere(repository), "--", *paths)
    words = output.decode("utf-8", "replace").split("\0")
    found = zip(*(iter(words),) * len(_FIELDS), strict=False)
    rows = [(Commit(name, author, when, subject), parents.split()) for name, parents, author, when, subject in found]
    return rows[::-1]


def _renamed_from(repository: Repository, places: Sequence[Place], touches: Sequence[Touch]) -> Iterator[Place]:
    """The places that these were renamed from, wherever their registries came to be."""
    for place in places:
        for commit in _births(repository, place.registry, touches):
            yield from map(Place.of, _renames(repository, commit).get(place.registry, ()))


def _births(repository: Repository, path: str, touches: Sequence[Touch]) -> list[str]:
    """The commits that have a file where none of those before them had one."""
    blobs = repository.blobs((touch.commit.id, path) for touch in touches)
    there = {commit for (commit, _), blob in blobs.items() if blob}
    return [touch.commit.id for touch in touches if touch.commit.id in there and not there & {*touch.parents}]


def _renames(repository: Repository, commit: str) -> Mapping[str, list[str]]:
    """The older names of what a commit gave another, by the newer."""
    words = repository.run(*_RENAMES, commit).decode("utf-8", "surrogateescape").split("\0")
    found: dict[str, list[str]] = {}
    for _, old, new in zip(*(iter(words),) * 3, strict=False):
        found.setdefault(new, []).append(old)
    return found


def _cut(repository: Repository) -> frozenset[str]:
    if not repository.is_shallow:
        return frozenset()
    return frozenset(
        (repository.root / Path(repository.text("rev-parse", "--git-path", "shallow"))).read_text().split()
    )
