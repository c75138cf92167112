"""``envkit models add``."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from envkit.commands import models_lock, models_reach
from envkit.commands.models_common import Pace
from envkit.errors import InputError, ModelError, Problem
from envkit.models import archive, explain
from envkit.models import progress as progresses
from envkit.models.adding import addition, draft, insertion
from envkit.models.adding.addition import Addition
from envkit.models.adding.draft import Draft
from envkit.models.adding.insertion import Fields, NoPlaceError
from envkit.models.checkpoints import Checkpoints
from envkit.models.explain import Failure
from envkit.models.intake import Intake
from envkit.models.locking import committed, lock, measure
from envkit.models.locking.choice import Choosing
from envkit.models.locking.lock import FILE, Lock, Locked
from envkit.models.locking.measure import Measured, Measuring
from envkit.models.model import Model
from envkit.models.progress import Progress
from envkit.models.registry import registry
from envkit.models.registry.registry import Registry
from envkit.models.store import runs
from envkit.models.store.hand import acting_for
from envkit.models.store.store import Store
from envkit.result import Report, Result
from envkit.settings import REGISTRY, Settings

_BOM = "\ufeff"
_SHOWN = 12  # members of a wheel
_ANY = "any/"
_CODE = (".py", ".pyi", ".pyc", ".so", ".typed")


@dataclass(frozen=True)
class Wanted:
    """What to add (see `addition`): its name and version where they are not to be guessed, and what it is for."""

    source: str
    name: str | None = None
    version: str | None = None
    paths: tuple[str, ...] = ()
    task: str | None = None


def add(settings: Settings, wanted: Wanted, *, pace: Pace, report: Report) -> Result:
    """Fetch a model once, and add it to ``models.yaml`` with its digests; to the lock too, where there is one.

    All else in ``models.yaml`` stays as it is. If anything goes wrong, both files are as they were.

    Raises:
        InputError: that is no source, ``models.yaml`` or the lock is wrong, or such a model is there already.
        ModelError: it cannot be had, or not what is wanted out of it.
    """
    path = settings.project / REGISTRY
    _check_text(path)
    former = lock.load(settings.project / FILE)
    given = addition.read(wanted.source, wanted.paths, settings.hub_endpoint, Path.cwd())
    todo = _draft(given, wanted)
    if todo.version:
        _check_new(path, todo.name, todo.version)
    progress = progresses.choose(report)
    try:
        chosen = _chosen(settings, todo, progress)
        measured = _measured(settings, todo, chosen, pace, progress)
    finally:
        progress.close()
    entry = todo.made(chosen, measured)
    added = _added(path, entry)
    found = registry.parse(added.removeprefix(_BOM), path.name)
    locked = None if former is None else _locked(found, former, chosen, measured)
    hand = acting_for(settings.owner)
    committed.write(path, added.encode(), hand)
    if locked is not None:
        committed.write(settings.project / FILE, lock.dump(locked).encode(), hand)
    return _told(found.models[-1], chosen, entry, measured, given, wanted, locked=locked is not None)


def _draft(given: Addition, wanted: Wanted) -> Draft:
    """With all that has to be known before anybody is asked."""
    name, version = wanted.name or given.name, wanted.version or given.version
    if not name:
        raise InputError(f"{draft.shown(given)}: that makes no name", hint="say which: --name NAME")
    if not version and given.source in ("http", "file"):
        raise InputError(f"{draft.shown(given)}: there is no version in that", hint="say which: --version VERSION")
    return Draft(given, name, version, (("task", wanted.task),) if wanted.task else ())


def _askable(todo: Draft) -> Fields:
    # Of a wheel without a path it is asked which it has.
    lacks_path = todo.addition.source == "pypi" and not todo.addition.paths
    return {**todo.asked, **({"path": _ANY} if lacks_path else {})}


# --- models.yaml ---------------------------------------------------------------------------------------------------


def _check_text(path: Path) -> None:
    registry.parse(_text(path).removeprefix(_BOM), path.name)


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name}: not UTF-8 at byte {error.start}") from error
    except OSError as error:
        raise InputError(f"{path.name}: cannot be read: {error.strerror}") from error


def _check_new(path: Path, name: str, version: str) -> None:
    for model in registry.load(path).models:
        if (model.name, model.version) == (name, version):
            message = f"model {name!r} {version} is there already"
            problem = Problem(path.name, *model.place("name"), message, "another one needs a --name or a --version")
            raise InputError(str(problem), problems=(problem,))


def _added(path: Path, entry: Fields) -> str:
    """The text as it is now, with the entry in it."""
    _check_new(path, str(entry["name"]), str(entry["version"]))
    text = _text(path)
    bom = _BOM if text.startswith(_BOM) else ""
    try:
        return bom + insertion.appended(text.removeprefix(_BOM), entry)
    except NoPlaceError as error:
        hint = f"add it by hand:\n{insertion.block(entry)}".rstrip()
        raise InputError(f"{path.name}: its list of models cannot be added to as it is written", hint=hint) from error


def _locked(found: Registry, former: Lock, chosen: Model, measured: Measured) -> Lock:
    """The lock with the last model of the registry in it; entries of others are none of our business here."""
    made, locator = found.models[-1], chosen.artifact.locator
    version = chosen.version if made.floats else made.version  # that of a commit was not known when it was asked for
    entry = Locked(made.name, made.asked, version, locator, measured.files, models_lock.now(), measured.origin)
    locked = Lock.of([*former.entries.values(), entry])
    if not any(lock.misfits(found, locked)):
        lock.pin(found, locked)  # what floats may come to a file that is there already
    return locked


# --- its source ----------------------------------------------------------------------------------------------------


def _chosen(settings: Settings, todo: Draft, progress: Progress) -> Model:
    choosing = Choosing(models_reach.http(settings), models_reach.hub(settings), progress)
    (outcome,) = choosing.run([draft.model(_askable(todo))], 1).values()
    if isinstance(outcome, Failure):
        raise _refusal(todo, outcome)
    return outcome


def _measured(settings: Settings, todo: Draft, chosen: Model, pace: Pace, progress: Progress) -> Measured:
    tasks = measure.tasks({(chosen.name, chosen.version): chosen}, {})
    with models_reach.store(settings, progress) as store:
        line = models_reach.line(settings, store, pace.connections)
        intake = Intake(store, progress, line, models_reach.hub(settings), pace.jobs)
        (outcome,) = Measuring(intake, Checkpoints(settings.project), by_bytes=True).run(tasks).values()
        if isinstance(outcome, Failure):
            raise _refusal(todo, outcome)
        if outcome.files[0].digests.size == 0 and len(outcome.files) == 1:
            raise _refusal(todo, Failure(ModelError("there are no bytes in it"), outcome.origin))
        _check_inside(store, todo, chosen, outcome)
        return outcome


def _refusal(todo: Draft, failure: Failure) -> ModelError:
    return ModelError(f"{todo.name}{' ' if todo.version else ''}{todo.version}: {explain.told(failure)}")


def _check_inside(store: Store, todo: Draft, chosen: Model, measured: Measured) -> None:
    """Whether an archive has what is wanted out of it: to be known before it is written down."""
    packed = store.blobs.path(str(measured.files[0].digests.sha256))
    if chosen.unpack is None or not packed.exists():
        return
    if not todo.addition.paths and todo.addition.source == "pypi":
        raise InputError(f"{draft.shown(todo.addition)}: what of it? It has", hint="\n  ".join(_offers(packed)))
    with runs.claimed(store.staging, store.hand) as staged:
        try:
            archive.extract(packed, chosen.unpack, chosen.paths, staged, lambda _: None)
        except ModelError as error:
            raise _refusal(todo, Failure(error, measured.origin)) from error


def _offers(wheel: Path) -> list[str]:
    """The folders of a wheel that have more than code in them."""
    with zipfile.ZipFile(wheel) as archived:
        names = [PurePosixPath(name) for name in archived.namelist() if not name.endswith("/")]
    data = [name for name in names if name.suffix not in _CODE and not name.parts[0].endswith(".dist-info")]
    folders = sorted({str(name.parent) for name in data if len(name.parts) > 1})
    more = ["…"] if len(folders) > _SHOWN else []
    return [*(f"--path {folder}/" for folder in folders[:_SHOWN]), *more] or ["nothing but code"]


# --- what is told --------------------------------------------------------------------------------------------------


def _told(
    made: Model, chosen: Model, entry: Fields, measured: Measured, given: Addition, wanted: Wanted, *, locked: bool
) -> Result:
    guessed = [key for key, said in (("name", wanted.name), ("version", wanted.version)) if not said]
    lines = [f"added    {made.name} {made.version}: {REGISTRY}:{made.mark.line}"]
    if guessed:
        options = " and ".join(f"--{key}" for key in guessed)
        verb = "say" if len(guessed) > 1 else "says"
        lines.append(f"  {' and '.join(guessed)} by {given.from_what}; {options} {verb} otherwise")
    lines += [f"  which now is {chosen.version}"] if made.floats else []
    lines += [f"  {what:<8}{value}" for what, value in _facts(measured)]
    lines.append(f"  {_next(made, locked=locked)}")
    data = {"file": REGISTRY, "line": made.mark.line, "entry": _as_json(entry), "guessed": guessed, "locked": locked}
    return Result(data, lines)


def _facts(measured: Measured) -> Iterator[tuple[str, object]]:
    if len(measured.files) > 1 or measured.files[0].path:
        yield "files", len(measured.files)
        yield "from", measured.origin
        return
    known = measured.files[0].digests
    yield from (("md5", known.md5), ("sha256", known.sha256), ("size", known.size), ("from", measured.origin))


def _next(made: Model, *, locked: bool) -> str:
    if locked:
        return f"{FILE} has it too; next: envkit models sync"
    return f"next: {lock.MEND}" if made.floats else "next: envkit models sync"


def _as_json(entry: Fields) -> Mapping[str, object]:
    return {key: value if isinstance(value, (str, int)) else [*value] for key, value in entry.items()}
