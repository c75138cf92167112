"""``envkit models sync`` and ``envkit models verify``.

What only a sync with something to do needs (requests, tqdm, threads) is imported where it is needed: a start at which
every model is in place costs a few ``stat`` calls.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envkit.errors import InputError, ModelError
from envkit.models import progress as progresses
from envkit.models import registry as registries
from envkit.models import warm
from envkit.models.checkpoints import FOLDER, Checkpoints, Finding
from envkit.models.explain import Failure, explain
from envkit.models.model import Artifact, Model, WrongBytesError
from envkit.models.plan import WHY_FETCH, Plan, make_plan
from envkit.models.progress import Progress
from envkit.models.registry import Registry
from envkit.models.sources import SOURCES, Hub
from envkit.models.store.blobs import Blobs
from envkit.models.store.hand import Hand, acting_for
from envkit.models.store.store import likely
from envkit.result import Report, Result
from envkit.settings import REGISTRY, Settings

if TYPE_CHECKING:
    from envkit.models.ledger import Ledger
    from envkit.models.sync import Placed
    from envkit.models.transfer.http import Http

_MOST_CONNECTIONS = 8  # more is no politeness, and brings little
_VERIFY_HINT = "to fetch it: envkit models sync"


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


def sync(settings: Settings, *, dry_run: bool, pace: Pace, report: Report) -> Result:
    """Bring ``checkpoints/`` to what ``models.yaml`` says.

    With ``dry_run`` nothing is written and no model fetched: the result says what would be done, and whether each
    source answers. Exit code 3 if a model could not be had, or would not be.

    Raises:
        InputError: ``models.yaml`` is wrong.
        ModelError: ``checkpoints/`` cannot be read or written to, or the disk has no room.
    """
    seen = warm.look(settings.project)
    registry, checkpoints = _opened(settings, report)
    progress = progresses.choose(report)
    findings = _inspected(registry, checkpoints, progress)
    plan = make_plan(registry, {target: finding.state for target, finding in findings.items()})
    if dry_run:
        return _foretold(settings, registry, plan, pace, progress)
    if plan.fetch:
        return _synced(registry, plan, _carry_out(settings, checkpoints, plan, findings, pace, progress))
    if plan.record:
        _refresh(settings, checkpoints, plan, findings, report)
    _tidy(settings, registry, findings)
    result = _synced(registry, plan, {})
    known = [(f"{FOLDER}/{target}", finding.record) for target, finding in findings.items() if finding.record]
    warm.remember(settings, seen, registry.warnings, result, known)
    return result


def verify(settings: Settings, *, report: Report) -> Result:
    """Hash every file of every model again. Exit code 3 if one is not as it was when its digests matched.

    The record of one that was changed is dropped, so that the next sync fetches it.

    Raises:
        InputError: ``models.yaml`` is wrong.
        ModelError: ``checkpoints/`` cannot be read.
    """
    registry, checkpoints = _opened(settings, report)
    progress = progresses.choose(report)
    findings = _hashed(registry.models, checkpoints, progress)
    rows, problems = [], []
    for model in registry.models:
        finding = findings[model.target]
        proven = finding.state == "intact"
        rows.append(_row(model, "verified" if proven else finding.state))
        if not proven:
            problems.append(explain(registry, model, Failure(_doubt(finding), f"{FOLDER}/{model.target}")))
        if finding.state == "changed":
            # Else the next sync would go by stat facts that say nothing of a disk's own mistakes.
            with suppress(OSError):
                warm.forget(settings.project)
                checkpoints.forget(model)
    return _result(rows, problems, f"models: {len(rows) - len(problems)} of {len(rows)} verified")


def _opened(settings: Settings, report: Report) -> tuple[Registry, Checkpoints]:
    registry = registries.load(settings.project / REGISTRY)
    for warning in registry.warnings:
        report(warning)
    return registry, Checkpoints(settings.project, Blobs(likely(settings), Hand()).facts)


def _inspected(registry: Registry, checkpoints: Checkpoints, progress: Progress) -> dict[str, Finding]:
    """The state of every model, by its target: by stat facts where they will do, else by its bytes."""
    glances = {model.target: checkpoints.glance(model) for model in registry.models}
    doubtful = [model for model in registry.models if glances[model.target] is None]
    hashed = _hashed(doubtful, checkpoints, progress) if doubtful else {}
    return {target: glance or hashed[target] for target, glance in glances.items()}


def _hashed(models: Sequence[Model], checkpoints: Checkpoints, progress: Progress) -> dict[str, Finding]:
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


def _carry_out(
    settings: Settings,
    checkpoints: Checkpoints,
    plan: Plan,
    findings: Mapping[str, Finding],
    pace: Pace,
    progress: Progress,
) -> Mapping[str, Failure | Placed]:
    from envkit.models import room, workspace
    from envkit.models.crew import Crew
    from envkit.models.ledger import Ledger
    from envkit.models.store import roots
    from envkit.models.store.store import choose
    from envkit.models.sync import Sync
    from envkit.models.transfer.line import Line
    from envkit.models.transfer.rate import Limiter

    with workspace.opened(checkpoints, acting_for(settings.owner)) as opened:
        store = choose(settings, opened.folder, progress.say)
        ledger = Ledger(opened, store.blobs)
        _note(ledger, plan, findings)
        line = Line(
            _http(settings),
            Crew(),
            pace.connections,
            Limiter(settings.limit_rate) if settings.limit_rate else None,
            reserve=lambda size: room.check_one(size, store.partials),
        )
        # Before as well: a blob shown by symlink is otherwise nobody's, for a `gc` that is called meanwhile.
        roots.register(store.root, store.hand, settings.project, roots.used_by(settings.project) or ())
        try:
            return Sync(opened, store, ledger, progress, line, _hub(settings), pace.jobs).run(plan.fetch)
        except OSError as error:
            # Of no one model: a full disk, a folder of another user's.
            raise ModelError(f"{error.filename or store.root}: {error.strerror or error}") from error
        finally:
            roots.register(store.root, store.hand, settings.project, roots.used_by(settings.project) or ())


def _http(settings: Settings) -> Http:
    from envkit.models.transfer.http import Http
    from envkit.models.transfer.rewrite import Rules

    return Http(settings.ca_bundle, Rules(settings.rewrite), dict(settings.tokens))


def _hub(settings: Settings) -> Hub:
    return Hub(settings.hub_endpoint, settings.hub_token)


def _refresh(
    settings: Settings, checkpoints: Checkpoints, plan: Plan, findings: Mapping[str, Finding], report: Report
) -> None:
    """Note anew how models look that are intact. They are proven already: that it cannot be noted is no failure."""
    from envkit.models import workspace
    from envkit.models.ledger import Ledger

    try:
        with workspace.opened(checkpoints, acting_for(settings.owner)) as opened:
            _note(Ledger(opened, Blobs(likely(settings), Hand())), plan, findings)
    except ModelError as error:
        report(f"the next sync will hash again: {error}")


def _tidy(settings: Settings, registry: Registry, findings: Mapping[str, Finding]) -> None:
    """All is in place: make the project known to the store, and remove what a killed run left of these models."""
    from envkit.models.store import roots, runs
    from envkit.models.transfer.partial import Partials

    store = likely(settings)
    # It may have been moved here: then the store knows of the other place alone.
    uses = {facts.sha256 for finding in findings.values() if finding.record for facts in finding.record.files}
    roots.register(store, acting_for(settings.owner), settings.project, uses)
    for folder in (Checkpoints(settings.project).bookkeeping / "runs", store / "staging"):
        with suppress(OSError):
            runs.clear_dead(folder)
    with suppress(OSError):
        Partials(store / "partial").drop({model.artifact.key for model in registry.models})


def _note(ledger: Ledger, plan: Plan, findings: Mapping[str, Finding]) -> None:
    try:
        for model in plan.record:
            if record := findings[model.target].record:
                ledger.hashed(model, record)
        ledger.flush()
    except OSError as error:
        raise ModelError(f"{error.filename or FOLDER}: cannot be written: {error.strerror}") from error


def _synced(registry: Registry, plan: Plan, outcomes: Mapping[str, Failure | Placed]) -> Result:
    rows, problems = [], []
    for model in registry.models:
        outcome = outcomes.get(model.target, "kept")
        if isinstance(outcome, Failure):
            problems.append(explain(registry, model, outcome))
        rows.append(_row(model, "failed" if isinstance(outcome, Failure) else outcome))
    linked = sum(row["state"] == "linked" for row in rows)
    counts = [
        f"{len(outcomes) - linked - len(problems)} fetched",
        *([f"{linked} from the store"] if linked else []),
        f"{len(plan.keep) + len(plan.record)} verified already",
        f"{len(problems)} failed",
    ]
    return _result(rows, problems, f"models: {', '.join(counts)}")


def _foretold(settings: Settings, registry: Registry, plan: Plan, pace: Pace, progress: Progress) -> Result:
    stored = _in_store(settings, plan)
    wanted = [action for action in plan.fetch if not all(model.target in stored for model, _ in action.models)]
    answers: Mapping[Artifact, Failure | int | None] = {}
    if wanted:
        from envkit.models.probe import probe

        artifacts = [action.artifact for action in wanted]
        answers = probe(artifacts, _http(settings), _hub(settings), pace.jobs, progress)
    rows, problems, lines = [], [], []
    needed = {model.target: (action.artifact, state) for action in plan.fetch for model, state in action.models}
    for model in registry.models:
        if model.target not in needed:
            rows.append(_row(model, "kept"))
            lines.append(f"keep   {model.name} {model.version}: verified")
            continue
        artifact, state = needed[model.target]
        if model.target in stored:
            rows.append(_row(model, "to link"))
            lines.append(f"link   {model.name} {model.version}: {WHY_FETCH[state]}; the store has it")
            continue
        answer = answers[artifact]
        rows.append(_row(model, "unreachable" if isinstance(answer, Failure) else "to fetch"))
        lines.append(f"fetch  {model.name} {model.version}: {WHY_FETCH[state]}; {_said(artifact, answer)}")
        if isinstance(answer, Failure):
            problems.append(explain(registry, model, answer))
    return _result(rows, problems, *lines)


def _in_store(settings: Settings, plan: Plan) -> set[str]:
    """The targets of models that need not be fetched, to judge by the names in the store."""
    from envkit.models.store import lookup
    from envkit.models.store.trees import Trees

    root = likely(settings)
    blobs, trees = Blobs(root, Hand()), Trees(root, Hand())
    models = (model for action in plan.fetch for model, _ in action.models)
    return {model.target for model in models if lookup.seems_there(model, blobs, trees)}


def _said(artifact: Artifact, answer: Failure | int | None) -> str:
    where = SOURCES[artifact.source].shown(artifact.locator)
    if isinstance(answer, Failure):
        return f"{where} does not have it to give"
    return f"{where} has it" + (f", {answer} bytes" if answer is not None else "")


def _doubt(finding: Finding) -> ModelError:
    if finding.state == "absent":
        return ModelError("is not there", hint=_VERIFY_HINT)
    message = "other bytes than were verified" if finding.state == "changed" else WHY_FETCH[finding.state]
    return WrongBytesError(message, finding.mismatches, hint=_VERIFY_HINT)


def _row(model: Model, state: str) -> dict[str, object]:
    return {
        "name": model.name,
        "version": model.version,
        "path": f"{FOLDER}/{model.target}",
        "state": state,
        "metadata": dict(model.metadata),
    }


def _result(rows: list[dict[str, object]], problems: list[str], *lines: str) -> Result:
    data = {"models": rows, "problems": problems}
    return Result(data, (*lines, *problems), ModelError.exit_code if problems else 0)
