"""What is compared: ``BASE..HEAD`` and its kin, as commits.

====================  ==============================================================
``BASE..HEAD``        what HEAD has that BASE has not, and the reverse
``BASE...HEAD``       what happened on HEAD since it left BASE, as a pull request shows
``BASE``              what is in the working tree, committed or not, against BASE
====================  ==============================================================

A HEAD left out is ``HEAD``, as Git has it. A BASE left out is refused: an empty variable would let everything pass.
"""

from __future__ import annotations

from dataclasses import dataclass

from envkit.ci import Ci
from envkit.errors import InputError
from envkit.git import Repository
from envkit.models import spelling

WORKING_TREE = "the working tree"
_DEEPEN = "this clone is shallow: `git fetch --unshallow`; in CI, fetch all of it (fetch-depth: 0, GIT_DEPTH: 0)"


@dataclass(frozen=True)
class Side:
    """One side by the name it was given, and its commit; None for the working tree."""

    name: str
    commit: str | None

    def __str__(self) -> str:
        return f"{self.name} ({self.commit[:12]})" if self.commit and self.commit != self.name else self.name


@dataclass(frozen=True)
class Range:
    """Two sides; ``text`` is what was asked for. The base always is a commit."""

    text: str
    base: Side
    head: Side

    @property
    def start(self) -> str:
        assert self.base.commit is not None
        return self.base.commit


def resolve(repository: Repository, text: str | None, ci: Ci) -> Range:
    """The commits that a range means. Without one, in a pipeline, what its change does to the branch it is to go into.

    Raises:
        InputError: a name that is none, or no range where one is needed; with what to do.
    """
    if text is None:
        text = _usual(repository, ci)
    if not text.strip() or text.startswith(".."):
        raise InputError(f"{text!r} names no BASE", hint="is the variable set that it comes from?")
    for dots in ("...", ".."):
        if dots in text:
            left, _, right = text.partition(dots)
            base, head = _commit(repository, left), _commit(repository, right or "HEAD")
            if dots == "...":
                return Range(text, _fork(repository, base, head), head)
            return Range(text, base, head)
    return Range(text, _commit(repository, text), Side(WORKING_TREE, None))


def _usual(repository: Repository, ci: Ci) -> str:
    if ci.kind is None:
        return "HEAD"
    if target := ci.target:
        there = next((name for name in (f"origin/{target}", target) if repository.commit(name)), f"origin/{target}")
        return f"{there}...HEAD"
    # The working tree is clean here: against HEAD, everything would pass.
    hint = "say what to compare: envkit models diff BASE..HEAD"
    raise InputError("this pipeline does not say which branch its change is to go into", hint=hint)


def _commit(repository: Repository, name: str) -> Side:
    if commit := repository.commit(name):
        return Side(name, commit)
    if name == "HEAD":
        raise InputError("HEAD: there is no commit yet", hint="commit models.yaml first")
    raise InputError(f"{name}: no such revision here", hint=_hint(repository, name))


def _fork(repository: Repository, base: Side, head: Side) -> Side:
    found = repository.found("merge-base", str(base.commit), str(head.commit))
    if found is None:
        hint = _DEEPEN if repository.is_shallow else f"compare them as they are: {base.name}..{head.name}"
        raise InputError(f"{base.name} and {head.name} have no common ancestor here", hint=hint)
    return Side(f"where {head.name} left {base.name}", found.decode().split()[0])


def _hint(repository: Repository, name: str) -> str:
    remotes = [f"{remote}/{name}" for remote in repository.text("remote").splitlines()]
    if there := next((ref for ref in remotes if repository.commit(ref)), None):
        return f"did you mean {there!r}?"
    if repository.is_shallow:
        return _DEEPEN
    refs = repository.text("for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/tags", "refs/remotes")
    usual = "expected a branch, a tag or a commit; `git fetch` gets what is new"
    return spelling.meant(name, refs.splitlines()) or usual
