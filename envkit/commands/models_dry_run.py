"""``envkit models sync --dry-run``: what a sync would do, and what every source says of its files meanwhile.

Nothing is written. Every source is asked, also of what is in place or in the store: whether it could be had again is
what a dry run is for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from envkit.commands import models_reach
from envkit.commands.models_common import Pace, case, outcome, row
from envkit.errors import Problem
from envkit.models.dry_run import grade as grades
from envkit.models.dry_run.verdict import Verdict
from envkit.models.explain import problem
from envkit.models.locking import lock
from envkit.models.locking.lock import LockedFile
from envkit.models.model import Artifact, Model
from envkit.models.plan import WHY_FETCH, Plan
from envkit.models.progress import Progress
from envkit.models.registry.registry import Registry
from envkit.models.sources import SOURCES
from envkit.models.store.blobs import Blobs
from envkit.models.store.hand import Hand
from envkit.models.store.store import likely
from envkit.result import Case, Result
from envkit.settings import Settings

Action = Literal["keep", "link", "fetch"]
_STATES: Mapping[Action, str] = {"keep": "kept", "link": "to link", "fetch": "to fetch"}
_BAD = ("unreachable", "changed")


@dataclass(frozen=True)
class _Foretold:
    """What is to come of one model: ``why`` in words, and a verdict on each file of its artifact."""

    model: Model
    action: Action
    why: str
    verdicts: tuple[Verdict, ...]

    @property
    def grade(self) -> grades.Grade:
        return grades.worst(verdict.grade for verdict in self.verdicts)

    @property
    def state(self) -> str:
        return self.grade if self.grade in _BAD else _STATES[self.action]


def foretell(
    settings: Settings, registry: Registry, plan: Plan, pace: Pace, progress: Progress, *, deep: bool
) -> Result:
    """Say what ``plan`` would do, and grade every file of every artifact by what its places tell.

    With ``deep`` all their bytes are read, and none are kept. Exit code 3 if a file is unreachable or changed.
    """
    artifacts = list(dict.fromkeys(model.artifact for model in registry.models))
    verdicts: Mapping[Artifact, tuple[Verdict, ...]] = {}
    if artifacts:
        look = _read_through if deep else _asked
        verdicts = look(settings, registry, artifacts, pace, progress)
    actions = _actions(settings, registry, plan)
    return _shown(
        registry, [_Foretold(model, *actions[model.target], verdicts[model.artifact]) for model in registry.models]
    )


def _asked(
    settings: Settings, registry: Registry, artifacts: Sequence[Artifact], pace: Pace, progress: Progress
) -> Mapping[Artifact, tuple[Verdict, ...]]:
    from envkit.models.dry_run.probe import Probe

    return Probe(models_reach.http(settings), models_reach.hub(settings), progress, _locked(settings, registry)).run(
        artifacts, pace.jobs
    )


def _read_through(
    settings: Settings, registry: Registry, artifacts: Sequence[Artifact], pace: Pace, progress: Progress
) -> Mapping[Artifact, tuple[Verdict, ...]]:
    from envkit.models.crew import Crew
    from envkit.models.dry_run.deep import Deep
    from envkit.models.transfer.line import Line
    from envkit.models.transfer.rate import Limiter

    limiter = Limiter(settings.limit_rate) if settings.limit_rate else None
    line = Line(models_reach.http(settings), Crew(), limiter=limiter)
    labels = _labels(registry)
    return Deep(line, models_reach.hub(settings), progress, labels).run(artifacts, pace.jobs)


def _labels(registry: Registry) -> Mapping[Artifact, str]:
    """What each artifact is called: by the first of the models that come out of it."""
    names: dict[Artifact, list[str]] = {}
    for model in registry.models:
        names.setdefault(model.artifact, []).append(model.name)
    return {
        artifact: found[0] + (f" and {len(found) - 1} more" if found[1:] else "") for artifact, found in names.items()
    }


def _locked(settings: Settings, registry: Registry) -> Mapping[Artifact, Mapping[str, LockedFile]]:
    """What was told of the files when they were locked: the registry itself has their digests alone."""
    found = lock.load(settings.project / lock.FILE)
    entries = {(entry.name, entry.version): entry for entry in found.entries.values()} if found else {}
    return {
        model.artifact: {file.path: file for file in entries[model.name, model.version].files}
        for model in registry.models
        if (model.name, model.version) in entries
    }


def _actions(settings: Settings, registry: Registry, plan: Plan) -> Mapping[str, tuple[Action, str]]:
    """What a sync would do about each model, by its target, and why."""
    from envkit.models.store import lookup
    from envkit.models.store.trees import Trees

    root = likely(settings)
    blobs, trees = Blobs(root, Hand()), Trees(root, Hand())
    actions: dict[str, tuple[Action, str]] = {model.target: ("keep", "verified") for model in registry.models}
    for action in plan.fetch:
        for model, state in action.models:
            stored = lookup.seems_there(model, blobs, trees) or lookup.has_artifact(model, blobs)
            why = WHY_FETCH[state] + ("; the store has it" if stored else "")
            actions[model.target] = ("link" if stored else "fetch", why)
    return actions


# --- for people, and for programs --------------------------------------------------------------------------------


def _shown(registry: Registry, foretold: Sequence[_Foretold]) -> Result:
    rows: list[dict[str, object]] = []
    cases: list[Case] = []
    for one in foretold:
        files = [_file(verdict) for verdict in one.verdicts]
        more = {"action": one.action, "grade": one.grade, "files": files}
        rows.append({**row(one.model, one.state), **more})
        cases += _cases(registry, one)
    width = max((len(one.grade) for one in foretold), default=0)
    counts = Counter(one.grade for one in foretold)
    graded = [f"{counts[grade]} {grade}" for grade in reversed(grades.GRADES) if counts[grade]]
    return outcome(
        registry, rows, cases, *(_line(one, width) for one in foretold), f"models: {', '.join(graded) or 'none'}"
    )


def _file(verdict: Verdict) -> dict[str, object]:
    told = verdict.told
    return {
        "path": verdict.path,
        "grade": verdict.grade,
        "evidence": verdict.evidence,
        "place": verdict.place,
        "url": told.url if told else "",
        "size": verdict.size,
        "etag": told.etag if told else None,
        "passed_over": [f"{blame.origin}: {blame.error.message}" for blame in verdict.passed_over],
    }


def _cases(registry: Registry, one: _Foretold) -> Iterable[Case]:
    for verdict in one.verdicts:
        failure = verdict.failure
        rule, path = verdict.grade, verdict.path
        wrong = problem(registry, one.model, failure, rule=rule, path=path) if failure else None
        if verdict.evidence == grades.ANOTHER_ETAG:
            wrong = _another_etag(registry, one.model, path)
        note = ", ".join(part for part in (verdict.grade, verdict.evidence, *_remarks(verdict)) if part)
        yield case(one.model, note, wrong, path)


def _another_etag(registry: Registry, model: Model, path: str) -> Problem:
    of = f"{path}: " if path else ""
    message = f"{of}has another ETag at its source than when it was locked: its bytes may have changed"
    key = SOURCES[model.artifact.source].key
    return registry.problem(model, key, message, "--deep reads them", rule="size", level="warning")


def _line(one: _Foretold, width: int) -> str:
    head = f"{one.action:<5}  {one.grade:<{width}}  {one.model.name} {one.model.version}: {one.why}"
    first = one.verdicts[0]
    remarks = "".join(f"; {remark}" for remark in _remarks(first))
    return f"{head}; {_said(one)}{remarks}"


def _said(one: _Foretold) -> str:
    verdicts, place = one.verdicts, one.verdicts[0].place
    evidence = ", ".join(dict.fromkeys(verdict.evidence for verdict in verdicts if verdict.evidence))
    shown = f" ({evidence})" if evidence else ""
    if one.grade == "unreachable":
        return f"{place} does not have it to give"
    if one.grade == "changed":
        return f"{place} has other bytes{shown}"
    sizes = [verdict.size for verdict in verdicts if verdict.size is not None]
    size = f", {sum(sizes)} bytes" if len(sizes) == len(verdicts) else ""
    return f"{place} has it{size}{shown}"


def _remarks(verdict: Verdict) -> list[str]:
    return [f"not had from {blame.origin}: {blame.error.message}" for blame in verdict.passed_over]
