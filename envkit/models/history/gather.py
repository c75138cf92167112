"""The history of a project's models: the walk, what was read on it, and who has what now, put together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from envkit.errors import InputError
from envkit.git import Repository
from envkit.models import spelling
from envkit.models.history.carriers import Ref, refs, settled
from envkit.models.history.facts import Facts
from envkit.models.history.states import states
from envkit.models.history.stays import Arrival, Stay
from envkit.models.history.timeline import Held, Step, Timeline, timeline
from envkit.models.history.walk import Commit, Walk, walk
from envkit.models.locking import lock
from envkit.settings import REGISTRY


@dataclass(frozen=True)
class Version:
    """A stay, and who carries it.

    ``facts`` are those that the branch looked at has, else the last ones, and ``arrival`` is how it came there, else
    how it came at all. That branch has it now (``is_current``), or had it at some time (``is_here``). ``left`` is the
    commit that took it away from there, or from the last branch that had it. ``is_cut`` says that it may have come
    earlier than it seems: the clone is shallow.
    """

    stay: Stay
    facts: Facts
    arrival: Arrival
    tags: tuple[str, ...]
    branches: tuple[str, ...]
    is_current: bool
    is_here: bool
    left: Commit | None
    is_cut: bool


@dataclass(frozen=True)
class Unreadable:
    """A commit whose registry or lock says nothing, and why."""

    commit: Commit
    problem: str


@dataclass(frozen=True)
class History:
    """``models`` has every version by the model's name, the oldest first: the names that are current, then those gone.

    ``at`` is what was looked at (a branch; ``HEAD`` for a detached head), ``is_all`` says that others count as well.
    ``cut`` is where a shallow clone ends, ``uncommitted`` which of the two files are not as the commit that is checked
    out has them.
    """

    at: str
    is_all: bool
    models: Mapping[str, tuple[Version, ...]]
    unreadable: tuple[Unreadable, ...]
    cut: tuple[Commit, ...]
    uncommitted: tuple[str, ...]

    @property
    def versions(self) -> tuple[Version, ...]:
        return tuple(version for versions in self.models.values() for version in versions)


def gather(repository: Repository, branch: str | None = None) -> History:
    """Read it all; ``branch`` is looked at in place of what is checked out.

    Raises:
        InputError: there is no such branch, or no commit with a registry.
    """
    known = refs(repository)
    at, tip = _looked_at(repository, known, branch)
    walked = walk(repository)
    if not walked.touches:
        raise InputError(
            f"{REGISTRY} is in no commit yet", hint=f"this goes by commits: git add {REGISTRY}; git commit"
        )
    read = states(repository, (touch.files for touch in walked.touches))
    touch_of = settled(repository, walked, [*(ref.commit for ref in known), tip])
    steps = [Step(touch.commit, touch.parents, read[touch.files]) for touch in walked.touches]
    line = timeline(steps, frozenset(touch_of.values()))
    here = _before(walked, touch_of.get(tip))
    carried = _Carried(known, touch_of, line)
    now = line.at.get(touch_of.get(tip, ""), {})
    cut = tuple(touch.commit for touch in walked.touches if touch.commit.id in walked.cut)
    versions = [_version(stay, carried, now, here, walked.cut) for stay in line.stays]
    if branch is not None:
        versions = [version for version in versions if version.is_here]
    return History(
        at=at,
        is_all=branch is None,
        models=_by_name(versions, now),
        unreadable=tuple(_unreadable(steps)),
        cut=cut,
        uncommitted=_uncommitted(repository),
    )


def _looked_at(repository: Repository, known: Iterable[Ref], branch: str | None) -> tuple[str, str]:
    """The name for what is looked at, and its commit."""
    if branch is None:
        tip = repository.commit("HEAD")
        if tip is None:
            raise InputError(
                "there is no commit here yet", hint=f"this goes by commits: git add {REGISTRY}; git commit"
            )
        return repository.branch() or "HEAD", tip
    heads = {ref.name: ref.commit for ref in known if ref.kind != "tag"}
    for name in (branch, f"origin/{branch}"):
        if name in heads:
            return name, heads[name]
    if tip := repository.commit(branch):
        return branch, tip
    meant = spelling.near(branch, heads)
    raise InputError(f"there is no branch {branch!r}", hint=f"did you mean {meant!r}?" if meant else None)


def _before(walked: Walk, tip: str | None) -> frozenset[str]:
    """The commits from which ``tip`` comes, itself included."""
    wanted = {tip}
    for touch in reversed(walked.touches):  # children come after their parents
        if touch.commit.id in wanted:
            wanted.update(touch.parents)
    return frozenset(commit for commit in wanted if commit)


class _Carried:
    """Which refs have a stay."""

    def __init__(self, known: Sequence[Ref], touch_of: Mapping[str, str], line: Timeline) -> None:
        self._refs: dict[Stay, list[Ref]] = {}
        for ref in known:
            for held in line.at.get(touch_of.get(ref.commit, ""), {}).values():
                self._refs.setdefault(held.stay, []).append(ref)

    def tags(self, stay: Stay) -> tuple[str, ...]:
        return tuple(ref.name for ref in self._refs.get(stay, ()) if ref.kind == "tag")

    def branches(self, stay: Stay) -> tuple[str, ...]:
        """Local ones, then those of remotes that have no local one of their name among these."""
        found = self._refs.get(stay, ())
        local = [ref.name for ref in found if ref.kind == "branch"]
        remote = (ref.name for ref in found if ref.kind == "remote")
        return *local, *(name for name in remote if name.partition("/")[2] not in local)


def _version(
    stay: Stay,
    carried: _Carried,
    now: Mapping[tuple[str, str], Held],
    here: Collection[str],
    cut: Collection[str],
) -> Version:
    held = now.get(stay.facts.key)
    is_current = held is not None and held.stay is stay
    branches = carried.branches(stay)
    from_here = [arrival for arrival in stay.arrivals if arrival.commit.id in here]
    arrival = next(iter((*from_here, *stay.arrivals)))
    return Version(
        stay=stay,
        facts=held.facts if held and is_current else stay.facts,
        arrival=arrival,
        tags=carried.tags(stay),
        branches=branches,
        is_current=is_current,
        is_here=bool(from_here),
        left=None if is_current else _left(stay, here, is_carried=bool(branches)),
        is_cut=arrival.commit.id in cut,
    )


def _left(stay: Stay, here: Collection[str], *, is_carried: bool) -> Commit | None:
    for commits in (stay.departures, stay.lost):
        if from_here := [commit for commit in commits if commit.id in here]:
            return from_here[-1]
    return None if is_carried else next(iter((*reversed(stay.departures), *reversed(stay.lost))), None)


def _by_name(versions: Sequence[Version], now: Mapping[tuple[str, str], Held]) -> Mapping[str, tuple[Version, ...]]:
    found: dict[str, list[Version]] = {name: [] for name, _ in now}
    for version in versions:
        found.setdefault(version.facts.name, []).append(version)
    return {name: tuple(of_model) for name, of_model in found.items()}


def _unreadable(steps: Iterable[Step]) -> Iterable[Unreadable]:
    return (Unreadable(step.commit, step.state.problem) for step in steps if step.state.problem is not None)


def _uncommitted(repository: Repository) -> tuple[str, ...]:
    """By their names in the project. One that Git is told to ignore is as good as committed nowhere, and not said."""
    names = (REGISTRY, lock.FILE)
    paths = (f":(top,literal){repository.prefix}{name}" for name in names)
    words = repository.run("status", "--porcelain", "-z", "--no-renames", "--", *paths).decode(
        "utf-8", "surrogateescape"
    )
    changed = {entry[3:] for entry in words.split("\0") if entry}
    return tuple(name for name in names if f"{repository.prefix}{name}" in changed)


def known_name(history: History, name: str) -> str:
    """``name``, if a model ever had it.

    Raises:
        InputError: none had; with the name that was meant, as far as that can be told.
    """
    if name in history.models:
        return name
    hint = spelling.meant(name, history.models) or f"there were: {', '.join(list(history.models)[:20])}"
    raise InputError(f"no commit {'' if history.is_all else f'of {history.at} '}ever had a model {name!r}", hint=hint)
