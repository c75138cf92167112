"""What a CI system says of the run that it started: which system it is, and which branch or tag the run is about.

The variables are those that the systems themselves document: GitHub Actions ("Variables reference"), GitLab CI
("Predefined CI/CD variables reference"), and of Jenkins the plugins Branch API (multibranch) and Git (all other jobs).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["github", "gitlab", "jenkins"]

NAMES: Mapping[Kind, str] = {"github": "GitHub Actions", "gitlab": "GitLab CI", "jenkins": "Jenkins"}

_HEADS, _TAGS = "refs/heads/", "refs/tags/"
# The branch that a merge queue makes for a try, with its target in the name: no variable has that.
_QUEUE = re.compile(r"gh-readonly-queue/(.+)/pr-[0-9]+-[0-9a-f]+")
_NO_BRANCH = ("HEAD", "detached")


@dataclass(frozen=True)
class Ci:
    """``kind`` is None outside of CI. The others are names without ``refs/…`` in front, None where there is none.

    ``target`` is the branch that a pull or merge request goes into, or a queue of them, and ``branch`` then the one it
    comes from; else ``branch`` is the one that was pushed. A run for a ``tag`` has neither.
    """

    kind: Kind | None = None
    branch: str | None = None
    tag: str | None = None
    target: str | None = None


def detect(environ: Mapping[str, str]) -> Ci:
    """The run as the variables have it; empty ones are none."""
    found = {name: value.strip() for name, value in environ.items() if value.strip()}
    if found.get("GITHUB_ACTIONS") == "true":
        return _github(found)
    # Whatever its value: gitlab-ci-local, which runs a pipeline on one's own machine, sets it to `false`.
    if "GITLAB_CI" in found:
        return _gitlab(found)
    if "JENKINS_URL" in found or "JENKINS_HOME" in found:
        return _jenkins(found)
    return Ci()


def _github(environ: Mapping[str, str]) -> Ci:
    kind = _TAGS if environ.get("GITHUB_REF_TYPE") == "tag" else _HEADS
    ref = environ.get("GITHUB_REF") or kind + environ.get("GITHUB_REF_NAME", "")
    if ref.startswith(_TAGS):
        return Ci("github", tag=ref.removeprefix(_TAGS))
    # Of a pull request it is refs/pull/42/merge, which is no branch.
    pushed = ref.removeprefix(_HEADS) if ref.startswith(_HEADS) else None
    queued = _QUEUE.fullmatch(pushed or "")
    target = environ.get("GITHUB_BASE_REF") or (queued[1] if queued else None)
    return Ci("github", branch=_branch(environ.get("GITHUB_HEAD_REF") or pushed), target=target)


def _gitlab(environ: Mapping[str, str]) -> Ci:
    if tag := environ.get("CI_COMMIT_TAG"):
        return Ci("gitlab", tag=tag)
    for request in ("CI_MERGE_REQUEST", "CI_EXTERNAL_PULL_REQUEST"):
        if target := environ.get(f"{request}_TARGET_BRANCH_NAME"):
            return Ci("gitlab", branch=environ.get(f"{request}_SOURCE_BRANCH_NAME"), target=target)
    name = environ.get("CI_COMMIT_BRANCH") or environ.get("CI_COMMIT_REF_NAME", "")
    return Ci("gitlab", branch=None if name.startswith("refs/") else _branch(name))


def _jenkins(environ: Mapping[str, str]) -> Ci:
    if tag := environ.get("TAG_NAME"):
        return Ci("jenkins", tag=tag)
    if target := environ.get("CHANGE_TARGET"):
        # BRANCH_NAME is PR-7 then.
        return Ci("jenkins", branch=environ.get("CHANGE_BRANCH"), target=target)
    name = environ.get("BRANCH_NAME") or environ.get("GIT_LOCAL_BRANCH") or environ.get("GIT_BRANCH", "")
    if name.startswith((_TAGS, "tags/")):
        return Ci("jenkins", tag=name.removeprefix(_TAGS).removeprefix("tags/"))
    return Ci("jenkins", branch=_branch(re.sub(r"^(refs/heads/|refs/remotes/origin/|origin/)", "", name)))


def _branch(name: str | None) -> str | None:
    return name if name and name not in _NO_BRANCH else None
