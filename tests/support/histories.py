"""What `envkit models history` says, in a form that a test can compare."""

from __future__ import annotations

import json
from typing import Any

from envkit.commands import models_blame, models_history
from tests.support.history_project import GitProject
from tests.support.model_project import Ran


def history(repo: GitProject, name: str | None = None, branch: str | None = None) -> Ran:
    return Ran.of(models_history.history(repo.settings, name, branch=branch))


def blame(repo: GitProject, target: str) -> Ran:
    return Ran.of(models_blame.blame(repo.settings, target))


def versions(ran: Ran, name: str) -> list[dict[str, Any]]:
    """Those of one model, the oldest first."""
    (found,) = (model["versions"] for model in ran.data["models"] if model["name"] == name)
    return list(reversed(found))


def arrivals(ran: Ran, name: str) -> list[tuple[str, str]]:
    """Each version of a model with the commit that brought it, the oldest first."""
    return [(version["version"], version["since"]["commit"]) for version in versions(ran, name)]


def text(ran: Ran) -> str:
    """All that was said, in either form."""
    return "\n".join((*ran.lines, json.dumps(ran.data, ensure_ascii=False)))
