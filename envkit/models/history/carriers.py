"""Branches and tags, and the last of the commits that matter before each of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from envkit.git import Repository
from envkit.models.history.walk import Walk, everywhere

Kind = Literal["tag", "branch", "remote"]

_KINDS: tuple[tuple[str, Kind], ...] = (
    ("refs/tags/", "tag"),
    ("refs/heads/", "branch"),
    ("refs/remotes/", "remote"),
)
_FORM = "%00".join(("%(refname)", "%(symref)", "%(objecttype)", "%(objectname)", "%(*objecttype)", "%(*objectname)"))


@dataclass(frozen=True)
class Ref:
    """``name`` is short: ``v1.0``, ``main``, ``origin/main``."""

    name: str
    kind: Kind
    commit: str


def refs(repository: Repository) -> tuple[Ref, ...]:
    """Every branch and tag that leads to a commit, tags in the order of the versions they name."""
    prefixes = (prefix for prefix, _ in _KINDS)
    output = repository.run("for-each-ref", "--sort=version:refname", f"--format={_FORM}", *prefixes)
    found = (_ref(repository, *line.split("\0")) for line in output.decode("utf-8", "replace").splitlines())
    return tuple(ref for ref in found if ref)


def _ref(
    repository: Repository, name: str, leads_to: str, kind: str, what: str, tagged: str, of_tag: str
) -> Ref | None:
    if leads_to:  # origin/HEAD is another name for a branch that is there itself
        return None
    if kind == "tag":  # of a tag, or of no commit at all, it may be as well
        commit = of_tag if tagged == "commit" else repository.commit(name)
    else:
        commit = what if kind == "commit" else None
    prefix, of_kind = next(found for found in _KINDS if name.startswith(found[0]))
    return Ref(name.removeprefix(prefix), of_kind, commit) if commit else None


def settled(repository: Repository, walk: Walk, commits: Iterable[str]) -> Mapping[str, str]:
    """Of each of ``commits`` the touch whose files it still has: itself, or one before it; nothing where none is."""
    touches = {touch.commit.id for touch in walk.touches}
    output = repository.run("rev-list", "--topo-order", "--reverse", "--parents", *everywhere(repository))
    nearest: dict[str, str] = {}
    for line in output.decode().splitlines():
        commit, *parents = line.split(" ")
        if commit in touches:
            nearest[commit] = commit
        elif before := next((nearest[parent] for parent in parents if parent in nearest), None):
            # A merge that is no touch has one on all of its sides.
            nearest[commit] = before
    return {commit: nearest[commit] for commit in commits if commit in nearest}
