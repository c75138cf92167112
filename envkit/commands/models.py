"""``envkit models sync`` and ``envkit models verify``.

What only a sync with something to do needs (requests, tqdm, threads) is imported where it is needed: a start at which
every model is in place costs a few ``stat`` calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from envkit.commands import models_reach
from envkit.commands.models_common import Pace, case, hashed, inspected, opened, outcome, row
from envkit.errors import InputError, ModelError
from envkit.models import progress as progresses
from envkit.models import warm
from envkit.models.checkpoints import FOLDER, Checkpoints, Finding
from envkit.models.explain import Failure, problem
from envkit.models.model import WrongBytesError
from envkit.models.plan import WHY_FETCH, Plan, make_plan
from envkit.models.progress import Progress
from envkit.models.registry.registry import Registry
from envkit.models.store.blobs import Blobs
from envkit.models.store.hand import Hand, acting_for
from envkit.models.store.store import likely
from envkit.result import Report, Result
from envkit.settings import Settings

if TYPE_CHECKING:
    from envkit.models.ledger import Ledger
    from envkit.models.sync import Placed

__all__ = ["Pace", "sync", "verify"]

_VERIFY_HINT = "to fetch it: envkit models sync"


def sync(settings: Settings, *, dry_run: bool, pace: Pace, report: Report, deep: bool = False) -> Result:
    """Bring ``checkpoints/`` to what ``models.yaml`` says.

    With ``dry_run`` nothing is written and nothing kept of what a source sends (see `models_dry_run`); ``deep`` is for
    that. Exit code 3 if a model could not be had, or would not be.

    Raises:
        InputError: ``models.yaml`` is wrong, or ``deep`` stands alone.
        ModelError: ``checkpoints/`` cannot be read or written to, or the disk has no room.
    """
    if deep and not dry_run:
        raise InputError("--deep is for a dry run", hint="to read every byte and keep none: --dry-run --deep")
    seen = warm.look(settings.project)
    registry, checkpoints = opened(settings, report)
    progress = progresses.choose(report)
    findings = inspected(registry, checkpoints, progress)
    plan = make_plan(registry, {target: finding.state for target, finding in findings.items()})
    if dry_run:
        from envkit.commands import models_dry_run

        return models_dry_run.foretell(settings, registry, plan, pace, progress, deep=deep)
    if plan.fetch:
        return _synced(registry, plan, _carry_out(settings, checkpoints, plan, findings, pace, progress))
    if plan.record:
        _refresh(settings, checkpoints, plan, findings, report)
    _tidy(settings, registry, findings)
    result = _synced(registry, plan, {})
    known = [(f"{FOLDER}/{target}", finding.record) for target, finding in findings.items() if finding.record]
    warm.remember(settings, seen, [str(warning) for warning in registry.warnings], result, known)
    return result


def verify(settings: Settings, *, report: Report) -> Result:
    """Hash every file of every model again. Exit code 3 if one is not as it was when its digests matched.

    The record of one that was changed is dropped, so that the next sync fetches it.

    Raises:
        InputError: ``models.yaml`` is wrong.
        ModelError: ``checkpoints/`` cannot be read.
    """
    registry, checkpoints = opened(settings, report)
    progress = progresses.choose(report)
    findings = hashed(registry.models, checkpoints, progress)
    rows, cases = [], []
    for model in registry.models:
        finding = findings[model.target]
        proven = finding.state == "intact"
        state = "verified" if proven else finding.state
        failure = None if proven else Failure(_doubt(finding), f"{FOLDER}/{model.target}")
        rows.append(row(model, state))
        # Of what is in place: no one key of the entry is to blame.
        found = problem(registry, model, failure, rule=state, key="name") if failure else None
        cases.append(case(model, state, found))
        if finding.state == "changed":
            # Else the next sync would go by stat facts that say nothing of a disk's own mistakes.
            with suppress(OSError):
                warm.forget(settings.project)
                checkpoints.forget(model)
    right = sum(one.problem is None for one in cases)
    return outcome(registry, rows, cases, f"models: {right} of {len(rows)} verified")


def _carry_out(
    settings: Settings,
    checkpoints: Checkpoints,
    plan: Plan,
    findings: Mapping[str, Finding],
    pace: Pace,
    progress: Progress,
) -> Mapping[str, Failure | Placed]:
    from envkit.models import workspace
    from envkit.models.ledger import Ledger
    from envkit.models.store import roots
    from envkit.models.store.store import choose
    from envkit.models.sync import Sync

    with workspace.opened(checkpoints, acting_for(settings.owner)) as opened:
        store = choose(settings, opened.folder, progress.say)
        ledger = Ledger(opened, store.blobs)
        _note(ledger, plan, findings)
        line = models_reach.line(settings, store, pace.connections)
        # Before as well: a blob shown by symlink is otherwise nobody's, for a `gc` that is called meanwhile.
        roots.register(store.root, store.hand, settings.project, roots.used_by(settings.project) or ())
        try:
            return Sync(opened, store, ledger, progress, line, models_reach.hub(settings), pace.jobs).run(plan.fetch)
        except OSError as error:
            # Of no one model: a full disk, a folder of another user's.
            raise ModelError(f"{error.filename or store.root}: {error.strerror or error}") from error
        finally:
            roots.register(store.root, store.hand, settings.project, roots.used_by(settings.project) or ())


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
    rows, cases = [], []
    for model in registry.models:
        came = outcomes.get(model.target, "kept")
        failure = came if isinstance(came, Failure) else None
        state = "failed" if isinstance(came, Failure) else came
        rows.append(row(model, state))
        cases.append(case(model, state, problem(registry, model, failure) if failure else None))
    linked = sum(one["state"] == "linked" for one in rows)
    failed = sum(one["state"] == "failed" for one in rows)
    counts = [
        f"{len(outcomes) - linked - failed} fetched",
        *([f"{linked} from the store"] if linked else []),
        f"{len(plan.keep) + len(plan.record)} verified already",
        f"{failed} failed",
    ]
    return outcome(registry, rows, cases, f"models: {', '.join(counts)}")


def _doubt(finding: Finding) -> ModelError:
    if finding.state == "absent":
        return ModelError("is not there", hint=_VERIFY_HINT)
    message = "other bytes than were verified" if finding.state == "changed" else WHY_FETCH[finding.state]
    return WrongBytesError(message, finding.mismatches, hint=_VERIFY_HINT)
