"""``envkit models lock``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from functools import partial as bind
from pathlib import Path

from envkit.commands import models_reach
from envkit.commands.models_common import Pace
from envkit.errors import InputError, ModelError, Problem
from envkit.models import progress as progresses
from envkit.models import spelling, units
from envkit.models.checkpoints import Checkpoints
from envkit.models.explain import Failure, explain, problem
from envkit.models.intake import Intake
from envkit.models.locking import committed, lock, mend, resolve
from envkit.models.locking.changes import Change, changes
from envkit.models.locking.choice import Choosing
from envkit.models.locking.lock import FILE, Key, Lock, Locked
from envkit.models.locking.measure import Measured, Measuring, Task
from envkit.models.locking.resolve import Aim
from envkit.models.model import Model
from envkit.models.progress import Progress
from envkit.models.registry import registry
from envkit.models.registry.registry import Registry
from envkit.models.sources import SOURCES
from envkit.models.store.blobs import Blobs
from envkit.models.store.hand import Hand, acting_for
from envkit.models.store.store import likely
from envkit.result import Case, Report, Result
from envkit.settings import REGISTRY, Settings

_SHOWN = ("added", "moved", "changed", "dropped")


def update(settings: Settings, *, upgrade: Sequence[str] | None, pace: Pace, report: Report) -> Result:
    """Make ``models.lock.yaml`` fit ``models.yaml``: what fits already stays as it is, line for line.

    With ``upgrade``, the models of these names are resolved anew; with no names in it, all that can move. Exit code 3
    if one of them cannot be had: then the lock is as it was, and every reason is told.

    Raises:
        InputError: ``models.yaml`` is wrong, or has no model of such a name.
        ModelError: ``checkpoints/`` cannot be read or written to.
    """
    found = _registry(settings, report)
    former, text = _former(settings.project / FILE, report)
    wanted = resolve.aim(found, former, _known(found, upgrade))
    progress = progresses.choose(report)
    try:
        choose, measure = bind(_chosen, settings, pace.jobs, progress), bind(_measured, settings, pace, progress)
        resolved = resolve.resolve(wanted, former, choose, measure, now())
    finally:
        progress.close()
    if resolved.failures:
        return _failed(found, wanted, resolved.failures)
    made = Lock.of(resolved.entries)
    lock.pin(found, made)  # by now two of them may be one file
    dumped = lock.dump(made)
    if dumped != text:
        committed.write(settings.project / FILE, dumped.encode(), acting_for(settings.owner))
    return _told(changes(former, made), written=dumped != text)


def check(settings: Settings, *, upgrade: Sequence[str] | None, pace: Pace, report: Report) -> Result:
    """What `update` would change: exit code 2 if that is anything. Nothing is written, and without ``upgrade`` asked.

    Raises:
        InputError: either file is wrong, or there is no model of a name in ``upgrade``.
    """
    found = _registry(settings, report)
    former = lock.load(settings.project / FILE)
    names = _known(found, upgrade)
    problems = [*lock.misfits(found, former)]
    failures: Mapping[Key, Failure] = {}
    if former is None:
        problems = [Problem(FILE, 0, 0, "is not there", lock.MEND, rule="locked")]
    elif not problems and (settings.project / FILE).read_text("utf-8") != lock.dump(former):
        problems.append(Problem(FILE, 0, 0, "is not as envkit writes it", lock.MEND, rule="locked"))
    if former is not None and upgrade is not None:
        progress = progresses.choose(report)
        try:
            wanted = resolve.aim(found, former, names)
            _, chosen = resolve.moved(wanted, former, bind(_chosen, settings, pace.jobs, progress))
        finally:
            progress.close()
        problems += _overtaken(found, former, chosen)
        failures = {key: outcome for key, outcome in chosen.items() if isinstance(outcome, Failure)}
    return _checked(found, problems, failures)


def now() -> str:
    """The time as a lock has it."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _registry(settings: Settings, report: Report) -> Registry:
    found = registry.load(settings.project / REGISTRY)
    for warning in found.warnings:
        report(str(warning))
    return found


def _former(path: Path, report: Report) -> tuple[Lock | None, str | None]:
    """The lock there is, and its text. Of one that cannot be read, what can be kept of it: the rest is made anew."""
    try:
        return lock.load(path), path.read_text("utf-8") if path.exists() else None
    except InputError as error:
        try:
            text = path.read_text("utf-8", "replace")
        except OSError:
            raise error from None
        report(str(error).partition("\n")[0])
    kept = mend.salvaged(text)
    if kept is None:
        report(f"{FILE}: all of it is made anew")
    else:
        report(f"{FILE}: {len(kept.entries)} entries in which both sides agree stay; the rest is made anew")
    return kept, None


def _known(found: Registry, upgrade: Sequence[str] | None) -> Sequence[str] | None:
    """The names, if they are all models'."""
    names = sorted({model.name for model in found.models})
    if unknown := [name for name in upgrade or () if name not in names]:
        asked = ((name, spelling.meant(name, names)) for name in unknown)
        lines = [f"{found.file} has no model {name!r}" + (f": {meant}" if meant else "") for name, meant in asked]
        raise InputError("\n".join(lines), hint=f"it has {', '.join(names)}" if names else "it has none at all")
    return upgrade


def _chosen(
    settings: Settings, jobs: int, progress: Progress, models: Sequence[Model]
) -> Mapping[Key, Model | Failure]:
    return Choosing(models_reach.http(settings), models_reach.hub(settings), progress).run(models, jobs)


def _measured(
    settings: Settings, pace: Pace, progress: Progress, tasks: Sequence[Task]
) -> Mapping[Task, Measured | Failure]:
    checkpoints = Checkpoints(settings.project, Blobs(likely(settings), Hand()).facts)
    with models_reach.store(settings, progress) as store:
        line = models_reach.line(settings, store, pace.connections)
        intake = Intake(store, progress, line, models_reach.hub(settings), pace.jobs)
        return Measuring(intake, checkpoints).run(tasks)


# --- what is told --------------------------------------------------------------------------------------------------


def _told(done: Sequence[Change], *, written: bool) -> Result:
    counts = {state: sum(change.state == state for change in done) for state in _SHOWN}
    kept = len(done) - sum(counts.values())
    summary = [f"{count} {state}" for state, count in counts.items() if count] + [f"{kept} unchanged"]
    lines = [line for state in _SHOWN for change in done if change.state == state for line in _line(change)]
    data = {"file": FILE, "written": written, "models": [_row(change) for change in done], "problems": []}
    return Result(data, (*lines, f"{FILE}: {', '.join(summary)}"))


def _line(change: Change) -> Iterator[str]:
    before, after = change.before, change.after
    head = f"{change.state:<8} {change.name} {change.asked}"
    if after and (before is None or change.state == "moved"):
        yield head + _way(before, after, change.asked)
    elif before and after:
        yield f"{head}: {_difference(before, after)}"
    else:
        yield head


def _way(before: Locked | None, after: Locked, asked: str) -> str:
    """Where an entry came, as far as its name does not say."""
    if before is None:
        return f": {after.version}" if after.version != asked else ""
    if before.version != after.version:
        return f": {before.version} → {after.version}"
    places = (SOURCES[entry.asked["source"]].shown(entry.locator) for entry in (before, after))
    return ": " + " → ".join(places)


def _difference(before: Locked, after: Locked) -> str:
    old, new = (tuple((file.path, file.digests) for file in entry.files) for entry in (before, after))
    if old == new:
        return "the same bytes, found elsewhere or under another ETag"
    pairs = [(one[1].sha256, other[1].sha256) for one, other in zip(old, new, strict=False) if one != other]
    shown = next((f": sha256 {one} → {other}" for one, other in pairs if one and other), "")
    return f"other bytes under the same version{shown}"


def _row(change: Change) -> dict[str, object]:
    return {
        "name": change.name,
        "asked": change.asked,
        "state": change.state,
        "version": change.after.version if change.after else None,
        "before": change.before.version if change.before else None,
    }


def _failed(found: Registry, wanted: Aim, failures: Mapping[Key, Failure]) -> Result:
    failed = {(model.name, model.version): model for model in found.models if (model.name, model.version) in failures}
    told = [problem(found, model, failures[key]) for key, model in failed.items()]
    problems = [str(one) for one in told]
    cases = tuple(Case("models lock", f"{name} {asked}", one) for (name, asked), one in zip(failed, told, strict=True))
    rows = [{"name": name, "asked": asked, "state": "failed"} for name, asked in failed]
    data = {"file": FILE, "written": False, "models": rows, "problems": problems}
    summary = f"{FILE}: as it was; {len(failed)} of {len(wanted.todo)} models could not be locked"
    return Result(data, (summary, *problems), ModelError.exit_code, cases)


def _overtaken(found: Registry, former: Lock, chosen: Mapping[Key, Model | Failure]) -> Iterator[Problem]:
    """What would move."""
    for model in found.models:
        key = model.name, model.version
        outcome, entry = chosen.get(key), former.entries.get(key)
        if entry is None or not isinstance(outcome, Model) or not lock.fits(model, entry):
            continue
        after = Locked(model.name, model.asked, outcome.version, outcome.artifact.locator, (), "", "")
        if (entry.version, entry.locator) != (after.version, after.locator):
            hint = f"{lock.MEND} --upgrade {model.name}"
            way = _way(entry, after, model.version)
            yield found.problem(model, "version", f"would move{way}", hint, rule="locked")


def _checked(found: Registry, problems: Sequence[Problem], failures: Mapping[Key, Failure]) -> Result:
    told = [str(problem) for problem in problems]
    told += [explain(found, model, failures[key]) for model in found.models if (key := _key(model)) in failures]
    cases = tuple(Case("models lock", problem.place, problem) for problem in problems)
    code = ModelError.exit_code if failures else InputError.exit_code if told else 0
    lines = told or [f"{FILE} fits {found.file}: {units.counted(len(found.models), 'model')}"]
    return Result({"file": FILE, "written": False, "problems": told}, lines, code, cases)


def _key(model: Model) -> Key:
    return model.name, model.version
