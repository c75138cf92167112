"""Which branch a project's registry is judged by: the one that is named, or CI's, or Git's.

A change that is to be merged is judged by where it goes, since that is what it will be; anything else by the branch
that it is on. A tag is ``tags/NAME``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from envkit import ci as ci_systems
from envkit import git
from envkit.ci import Ci
from envkit.errors import InputError
from envkit.git import NoGitError
from envkit.models.policy.policy import Policy

_NOT_IN_NAMES = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]")  # git help check-ref-format
_NAME_IT = "name the branch: envkit models check --branch main"


@dataclass(frozen=True)
class Branch:
    """``why`` it is this one, as the end of a sentence: *main, which is checked out*."""

    name: str
    why: str


def choose(named: str | None, ci: Ci, project: Path, policy: Policy) -> Branch:
    """The branch to go by; Git is asked only where nothing else says it.

    Raises:
        InputError: nothing says it.
    """
    if named is not None:
        return Branch(_short(named), "which --branch names")
    return _of_ci(ci) or _of_git(project, policy)


def _short(name: str) -> str:
    short = name.strip().removeprefix("refs/heads/").removeprefix("refs/")
    if not short:
        raise InputError("--branch is empty", hint="is the variable set that it comes from?")
    if ".." in short or short.startswith("/") or short.endswith("/") or _NOT_IN_NAMES.search(short):
        raise InputError(f"--branch {name!r} is no name of a branch", hint=_NAME_IT)
    return short


def _of_ci(ci: Ci) -> Branch | None:
    system = ci_systems.NAMES[ci.kind] if ci.kind else ""
    if ci.target:
        return Branch(ci.target, f"where {ci.branch or 'this'} goes, says {system}")
    if ci.tag or ci.branch:
        return Branch(f"tags/{ci.tag}" if ci.tag else str(ci.branch), f"which {system} names")
    return None


def _of_git(project: Path, policy: Policy) -> Branch:
    repository = _repository(project)
    if branch := repository.branch():
        return Branch(branch, "which is checked out")
    if branch := repository.rebased():
        return Branch(branch, "which is being rebased")
    if tags := repository.tags():
        return Branch(policy.strictest(f"tags/{tag}" for tag in tags), "which is a tag of this commit")
    if tips := repository.tips():
        # It is on all of them, and so what the strictest takes.
        return Branch(policy.strictest(tips), "which ends at this commit")
    raise InputError("the head is detached, and no branch or tag is at this commit", hint=_NAME_IT)


def _repository(project: Path) -> git.Repository:
    try:
        found = git.find(project)
    except NoGitError as error:
        raise InputError(error.message, hint="\n  ".join(filter(None, (error.hint, _NAME_IT)))) from error
    if found is None:
        raise InputError(f"{project}: not in a Git repository, and so on no branch", hint=_NAME_IT)
    return found
