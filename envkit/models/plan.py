"""What a sync has to do: (registry, facts) → actions, with nothing asked of disk or network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from envkit.models.model import Artifact, Model
from envkit.models.registry.registry import Registry

State = Literal["verified", "intact", "changed", "outdated", "absent"]
"""What is known of a model in place.

``verified``: its stat facts are those recorded when its digests matched. ``intact``: its bytes, hashed just now, are
right, whatever the stat facts say (restored from a backup, seen through another mount). ``changed``: its bytes are
others. ``outdated``: what is there was not made from what the registry names now. ``absent``: nothing is there.
"""

WHY_FETCH: Mapping[State, str] = {
    "absent": "is not there yet",
    "changed": "was changed on disk since it was verified",
    "outdated": "is not what models.yaml names now",
}


@dataclass(frozen=True)
class Fetch:
    """Get one artifact, and out of it every model in ``models``, each with why it is needed."""

    artifact: Artifact
    models: tuple[tuple[Model, State], ...]


@dataclass(frozen=True)
class Plan:
    """Models to leave as they are, models whose recorded facts are to be written anew, artifacts to fetch."""

    keep: tuple[Model, ...]
    record: tuple[Model, ...]
    fetch: tuple[Fetch, ...]


def make_plan(registry: Registry, facts: Mapping[str, State]) -> Plan:
    """Decide what to do; ``facts`` has the state of every model by its target."""
    states = [(model, facts[model.target]) for model in registry.models]
    needed: dict[Artifact, list[tuple[Model, State]]] = {}
    for model, state in states:
        if state in WHY_FETCH:
            needed.setdefault(model.artifact, []).append((model, state))
    return Plan(
        keep=tuple(model for model, state in states if state == "verified"),
        record=tuple(model for model, state in states if state == "intact"),
        fetch=tuple(Fetch(artifact, tuple(models)) for artifact, models in needed.items()),
    )
