"""What the commands on the project's models share: reading what there is, and saying what became of each model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from envkit.errors import InputError, ModelError, Problem
from envkit.models.checkpoints import FOLDER, Checkpoints, Finding
from envkit.models.locking import lock
from envkit.models.model import Model
from envkit.models.progress import Progress
from envkit.models.registry.registry import Registry
from envkit.models.store.blobs import Blobs
from envkit.models.store.hand import Hand
from envkit.models.store.store import likely
from envkit.result import Case, Report, Result
from envkit.settings import Settings

_MOST_CONNECTIONS = 8  # more is no politeness, and brings little


@dataclass(frozen=True)
class Pace:
    """How hard a sync may pull: files at a time, and connections for a large one at most. `InputError` for nonsense."""

    jobs: int = 4
    connections: int = 8

    def __post_init__(self) -> None:
        if self.jobs < 1:
            raise InputError(f"--jobs is {self.jobs}", hint="expected 1 or more")
        if not 1 <= self.connections <= _MOST_CONNECTIONS:
            raise InputError(f"--connections is {self.connections}", hint=f"expected 1 to {_MOST_CONNECTIONS}")


def opened(settings: Settings, report: Report) -> tuple[Registry, Checkpoints]:
    """The registry as the lock pins it, and what is in place; its warnings are said."""
    registry = lock.load_project(settings.project)
    for warning in registry.warnings:
        report(str(warning))
    return registry, Checkpoints(settings.project, Blobs(likely(settings), Hand()).facts)


def inspected(registry: Registry, checkpoints: Checkpoints, progress: Progress) -> dict[str, Finding]:
    """The state of every model, by its target: by stat facts where they will do, else by its bytes."""
    glances = {model.target: checkpoints.glance(model) for model in registry.models}
    doubtful = [model for model in registry.models if glances[model.target] is None]
    looked = hashed(doubtful, checkpoints, progress) if doubtful else {}
    return {target: glance or looked[target] for target, glance in glances.items()}


def hashed(models: Sequence[Model], checkpoints: Checkpoints, progress: Progress) -> dict[str, Finding]:
    """Hash what is in place, as many models at a time as there are processors."""
    from envkit.models.crew import Crew

    crew = Crew()

    def inspect(model: Model) -> tuple[str, Finding]:
        progress.say(f"{model.name} {model.version}: hashing what is there")
        with closing(progress.meter(f"{model.name}: hashing", part_of_whole=False)) as meter:
            meter.start(checkpoints.size(model))

            def advance(amount: int) -> None:
                crew.check()
                meter.advance(amount)

            return model.target, checkpoints.inspect(model, advance)

    return dict(crew.run(models, inspect, os.cpu_count() or 1))


def row(model: Model, state: str) -> dict[str, object]:
    """What ``--json`` says of a model."""
    return {
        "name": model.name,
        "version": model.version,
        "path": f"{FOLDER}/{model.target}",
        "state": state,
        "metadata": dict(model.metadata),
    }


def case(model: Model, note: str, problem: Problem | None = None, path: str = "") -> Case:
    """What reports say of a model, or of the file at ``path`` of its set."""
    name = f"{model.name} {model.version}"
    return Case("models", f"{name}: {path}" if path else name, problem, note)


def outcome(registry: Registry, rows: list[dict[str, object]], cases: Sequence[Case], *lines: str) -> Result:
    """The result for these models: ``lines``, then what was wrong; exit code 3 if anything was.

    Warnings are in the cases only, and those of the registry too: they were said when it was opened.
    """
    wrong = [one.problem for one in cases if one.problem and one.problem.level == "error"]
    problems = list(dict.fromkeys(map(str, wrong)))
    data = {"models": rows, "problems": problems}
    warnings = (Case(warning.rule, warning.place, warning) for warning in registry.warnings)
    return Result(data, (*lines, *problems), ModelError.exit_code if problems else 0, (*cases, *warnings))
