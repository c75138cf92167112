"""``envkit models sync`` and ``envkit models verify``.

What only a sync with something to do needs (requests, tqdm, threads) is imported where it is needed: a start at which
every model is in place costs a few ``stat`` calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from envkit.errors import InputError, ModelError
from envkit.models import progress as progresses
from envkit.models import registry as registries
from envkit.models.explain import Failure, explain
from envkit.models.model import Artifact, Model, WrongBytesError
from envkit.models.plan import WHY_FETCH, Plan, make_plan
from envkit.models.progress import Progress
from envkit.models.registry import Registry
from envkit.models.sources import SOURCES
from envkit.models.store import FOLDER, Finding, Store
from envkit.result import Report, Result
from envkit.settings import REGISTRY, Settings

if TYPE_CHECKING:
    from envkit.models.workspace import Workspace

_VERIFY_HINT = "to fetch it: envkit models sync"


def sync(settings: Settings, *, dry_run: bool, jobs: int, report: Report) -> Result:
    """Bring ``checkpoints/`` to what ``models.yaml`` says, with ``jobs`` downloads at a time.

    With ``dry_run`` nothing is written and no model fetched: the result says what would be done, and whether each
    source answers. Exit code 3 if a model could not be had, or would not be.

    Raises:
        InputError: ``models.yaml`` is wrong, or ``jobs`` is.
        ModelError: ``checkpoints/`` cannot be read or written to.
    """
    if jobs < 1:
        raise InputError(f"--jobs is {jobs}", hint="expected 1 or more")
    registry, store = _opened(settings, report)
    progress = progresses.choose(report)
    findings = {model.target: store.inspect(model, progress) for model in registry.models}
    plan = make_plan(registry, {target: finding.state for target, finding in findings.items()})
    if dry_run:
        return _foretold(settings, registry, plan, jobs, progress)
    if plan.fetch:
        return _synced(registry, plan, _carry_out(settings, store, plan, findings, jobs, progress))
    if plan.record:
        _refresh(settings, store, plan, findings, report)
    return _synced(registry, plan, {})


def verify(settings: Settings, *, report: Report) -> Result:
    """Hash every file of every model again. Exit code 3 if one is not as it was when its digests matched.

    The record of one that was changed is dropped, so that the next sync fetches it.

    Raises:
        InputError: ``models.yaml`` is wrong.
        ModelError: ``checkpoints/`` cannot be read.
    """
    registry, store = _opened(settings, report)
    progress = progresses.choose(report)
    rows, problems = [], []
    for model in registry.models:
        finding = store.inspect(model, progress, deep=True)
        proven = finding.state == "intact"
        rows.append(_row(model, "verified" if proven else finding.state))
        if not proven:
            problems.append(explain(registry, model, Failure(_doubt(finding), f"{FOLDER}/{model.target}")))
        if finding.state == "changed":
            # Else the next sync would go by stat facts that say nothing of a disk's own mistakes.
            with suppress(OSError):
                store.forget(model)
    return _result(rows, problems, f"models: {len(rows) - len(problems)} of {len(rows)} verified")


def _opened(settings: Settings, report: Report) -> tuple[Registry, Store]:
    registry = registries.load(settings.project / REGISTRY)
    for warning in registry.warnings:
        report(warning)
    return registry, Store(settings.project)


def _carry_out(
    settings: Settings, store: Store, plan: Plan, findings: Mapping[str, Finding], jobs: int, progress: Progress
) -> Mapping[str, Failure | None]:
    from envkit.models import workspace
    from envkit.models.sync import Sync

    with workspace.opened(store, settings.owner) as opened:
        _note(opened, plan, findings)
        return Sync(opened, progress, settings.ca_bundle).run(plan.fetch, jobs)


def _refresh(settings: Settings, store: Store, plan: Plan, findings: Mapping[str, Finding], report: Report) -> None:
    """Note anew how models look that are intact. They are proven already: that it cannot be noted is no failure."""
    from envkit.models import workspace

    try:
        with workspace.opened(store, settings.owner) as opened:
            _note(opened, plan, findings)
    except ModelError as error:
        report(f"the next sync will hash again: {error}")


def _note(workspace: Workspace, plan: Plan, findings: Mapping[str, Finding]) -> None:
    try:
        for model in plan.record:
            if record := findings[model.target].record:
                workspace.save(model, record)
    except OSError as error:
        raise ModelError(f"{error.filename or FOLDER}: cannot be written: {error.strerror}") from error


def _synced(registry: Registry, plan: Plan, failures: Mapping[str, Failure | None]) -> Result:
    rows, problems = [], []
    for model in registry.models:
        failure = failures.get(model.target)
        if failure:
            problems.append(explain(registry, model, failure))
        rows.append(_row(model, "failed" if failure else "fetched" if model.target in failures else "kept"))
    fetched, kept = len(failures) - len(problems), len(plan.keep) + len(plan.record)
    return _result(rows, problems, f"models: {fetched} fetched, {kept} verified already, {len(problems)} failed")


def _foretold(settings: Settings, registry: Registry, plan: Plan, jobs: int, progress: Progress) -> Result:
    answers: Mapping[Artifact, Failure | int | None] = {}
    if plan.fetch:
        from envkit.models.sync import probe

        answers = probe([action.artifact for action in plan.fetch], settings.ca_bundle, jobs, progress)
    rows, problems, lines = [], [], []
    needed = {model.target: (action.artifact, state) for action in plan.fetch for model, state in action.models}
    for model in registry.models:
        if model.target not in needed:
            rows.append(_row(model, "kept"))
            lines.append(f"keep   {model.name} {model.version}: verified")
            continue
        artifact, state = needed[model.target]
        answer = answers[artifact]
        rows.append(_row(model, "unreachable" if isinstance(answer, Failure) else "to fetch"))
        lines.append(f"fetch  {model.name} {model.version}: {WHY_FETCH[state]}; {_said(artifact, answer)}")
        if isinstance(answer, Failure):
            problems.append(explain(registry, model, answer))
    return _result(rows, problems, *lines)


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
