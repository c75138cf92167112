"""What `envkit reproduce` finds out before it does anything: what cannot be had again, and what differs here."""

from __future__ import annotations

import posixpath
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, cast

from envkit import git
from envkit.commands import models
from envkit.commands.snapshot import acting
from envkit.errors import EngineError, EnvkitError, InputError, ModelError
from envkit.launch import context, engine, gpu, images, oneoff
from envkit.models.locking import lock
from envkit.models.model import Model
from envkit.models.store.hand import acting_for
from envkit.models.store.store import likely
from envkit.result import Report
from envkit.runs import hardware, interpreter, lack, shelf
from envkit.runs.lack import Lack
from envkit.runs.programs import NoAnswerError
from envkit.runs.snapshot import Diff, Gpu, Python, Snapshot
from envkit.runs.worktree import Source
from envkit.settings import REGISTRY, Settings

if TYPE_CHECKING:
    from docker import DockerClient


@dataclass(frozen=True)
class Asked:
    """What was asked for: the snapshot's ``file``, the folder to bring the code ``into``, the ``image`` to use instead.

    ``along`` are files and folders of the project to show to the command, ``command`` is the one to run instead.
    """

    file: str
    into: str | None = None
    image: str | None = None
    along: tuple[str, ...] = ()
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ready:
    """What there is to do it with, and everything that is to be said first.

    ``image`` is the reference to run in, None to run on this machine; ``client`` is the engine then.
    """

    source: Source
    command: tuple[str, ...]
    lacks: tuple[Lack, ...]
    image: str | None = None
    client: DockerClient | None = None
    gpus: str = ""


def look(settings: Settings, recorded: Snapshot, asked: Asked, report: Report) -> Ready:
    """Find out whether all of a snapshot can be had again. Nothing is written but temporary files.

    Raises:
        InputError: there is no repository, or no command.
    """
    source = _source(settings, recorded, asked)
    lacks = list(source.lacks())
    code_is_there = not lacks
    command, client, image, gpus = _command(recorded, asked), None, None, ""
    lacks += _along(settings, asked)
    if recorded.image or asked.image:
        try:
            client = engine.connect()
            image, found = _image(client, settings, recorded, asked)
            lacks += found
            gpus = _gpus(client, recorded)
        except EngineError as error:
            lacks.append(Lack("image", error.message, error.hint, error.exit_code))
    else:
        report("the snapshot was taken outside of a container: the command runs on this machine, as it is")
    if code_is_there:
        found_command, command = _findable(settings, source, recorded, asked, command, in_image=bool(client))
        lacks += found_command
        lacks += _models(settings, source, recorded, report)
    lacks += _differences(settings, recorded, client, image, command)
    return Ready(source, command, tuple(lacks), image, client, gpus)


# --- the code and the command --------------------------------------------------------------------------------------


def _source(settings: Settings, recorded: Snapshot, asked: Asked) -> Source:
    repository = git.repository(settings.project, acting(acting_for(settings.owner)))
    if recorded.git is None:
        why = recorded.missing.get("git", "nobody knows why")
        raise InputError(f"{asked.file}: the snapshot has no commit: {why}")
    return Source(repository, recorded.git, _patch(Path(asked.file), recorded.git.diff))


def _patch(file: Path, diff: Diff | None) -> bytes | None:
    """The patch beside a snapshot, under the name that it was given, or the one that goes with the snapshot's now."""
    places = [file.with_name(PurePosixPath(diff.file).name), shelf.patch_of(file)] if diff else []
    return next((place.read_bytes() for place in places if place.is_file()), None)


def _command(recorded: Snapshot, asked: Asked) -> tuple[str, ...]:
    if asked.command:
        return asked.command
    if recorded.command and recorded.service in ("command", "snapshot"):
        return recorded.command
    what = f"the start of {recorded.service}" if recorded.service in shelf.STARTS else "no command"
    hint = f"name one: envkit reproduce {asked.file} -- python train.py"
    raise InputError(f"{asked.file}: the snapshot is of {what}", hint=hint)


def _along(settings: Settings, asked: Asked) -> Iterator[Lack]:
    for path in asked.along:
        place = settings.project / path
        if ".." in PurePosixPath(path).parts or path.startswith("/") or not place.exists():
            hint = "--with takes files and folders by their path in the project"
            yield Lack("along", f"{path}: not in {settings.project}", hint, InputError.exit_code)
        else:
            yield Lack("along", f"{path} is taken along as it is now")


def _findable(
    settings: Settings, source: Source, recorded: Snapshot, asked: Asked, command: tuple[str, ...], *, in_image: bool
) -> tuple[list[Lack], tuple[str, ...]]:
    """Whether the program itself can be found, as far as that can be told; the command to run in the end."""
    word = command[0]
    if "/" not in word:
        if in_image or shutil.which(word):
            return [], command
        return [Lack("code", f"{word}: no such command here", None, InputError.exit_code)], command
    path = posixpath.normpath(posixpath.join(recorded.folder, word))
    brought = any(PurePosixPath(path).is_relative_to(along) for along in asked.along)
    if word.startswith("/") or brought or source.read(path)[path] is not None:
        return [], command
    own = settings.project / path
    if not in_image and own.exists():
        # A virtual environment in the project is the usual case: its path is part of it, so it is used where it is.
        used = Lack("code", f"{path} is not in Git: the project's own is used, as it is now")
        return [used], (str(own), *command[1:])
    hint = f"if Git ignores it: --with {PurePosixPath(path).parts[0]}"
    lost = Lack("code", f"{path}: the command is not in the code of the snapshot", hint, InputError.exit_code)
    return [lost], command


# --- the image -----------------------------------------------------------------------------------------------------


def _image(client: DockerClient, settings: Settings, recorded: Snapshot, asked: Asked) -> tuple[str | None, list[Lack]]:
    then = images.Wanted(recorded.image.reference, recorded.image.id, recorded.image.digest) if recorded.image else None
    if asked.image:
        choice = images.named(client, asked.image)
        if choice.reference is None:
            return None, [Lack("image", f"image {asked.image} {choice.why}", None, EngineError.exit_code)]
        differs = choice.here is None or then is None or choice.here.id != then.id
        was = f"and was {then}" if then else "and there was none"
        return choice.reference, [Lack("image", f"the image is {asked.image}, {was}")] if differs else []
    assert then is not None  # one of the two is why we are here
    choice = images.choose(client, then)
    if choice.reference is not None:
        return choice.reference, []
    return None, [Lack("image", f"image {then} {choice.why}", _instead(settings, then, choice), EngineError.exit_code)]


def _instead(settings: Settings, then: images.Wanted, choice: images.Choice) -> str:
    if choice.instead and then.reference:
        return f"{then.reference} is {choice.instead.id} by now; to take that: --image {then.reference}"
    other = settings.image or context.image_name("cpu")
    return f"to take the one that `envkit up` would take now: --image {other}"


def _gpus(client: DockerClient, recorded: Snapshot) -> str:
    return "all" if recorded.gpu and gpu.count() and engine.gpu_runtime(client) else ""


# --- the models ----------------------------------------------------------------------------------------------------


def with_store(settings: Settings, project: Path) -> Settings:
    """The same settings for another folder, and the store of this project for it: the bytes are in there."""
    store = likely(settings)
    return replace(settings, project=project, store=store if store.is_dir() else settings.store)


def _models(settings: Settings, source: Source, recorded: Snapshot, report: Report) -> Iterator[Lack]:
    if recorded.models is None:
        yield Lack("models", f"the snapshot does not know its models: {recorded.missing.get('models', 'no reason')}")
    texts = source.read(REGISTRY, lock.FILE)
    if texts[REGISTRY] is None:
        return
    with tempfile.TemporaryDirectory(prefix="envkit-models-") as name:
        folder = Path(name)
        for file, text in texts.items():
            if text is not None:
                (folder / file).write_bytes(text)
        try:
            registry = lock.load_project(folder)
            if recorded.models:
                here = {(model.name, model.version): _known(model) for model in registry.models}
                yield from lack.models(recorded.models.entries, here, all_known=False)
            yield from _foretold(with_store(settings, folder), report)
        except EnvkitError as error:
            yield Lack("models", error.message, error.hint, ModelError.exit_code)


def _known(model: Model) -> Mapping[str, str]:
    """The SHA-256 of a model's files, by their paths, as far as the registry and its lock have it."""
    if model.unpack:
        return {}  # that is the archive's
    files = model.artifact.files or (() if model.is_folder else (("", model.artifact.digests),))
    return {path: digests.sha256 for path, digests in files if digests.sha256}


def _foretold(settings: Settings, report: Report) -> Iterator[Lack]:
    result = models.sync(settings, dry_run=True, pace=models.Pace(), report=report)
    rows = cast("Iterable[Mapping[str, object]]", result.data["models"])
    # Of those whose bytes are in the store it does not matter what has become of their source.
    needed = {f"{row['name']} {row['version']}" for row in rows if row["action"] == "fetch"}
    for case in result.cases:
        if case.problem and case.problem.level == "error" and case.name.partition(": ")[0] in needed:
            found = case.problem
            yield Lack("models", f"{found.place}: {found.message}", found.hint, ModelError.exit_code)


# --- what is only said ---------------------------------------------------------------------------------------------


def _differences(
    settings: Settings, recorded: Snapshot, client: DockerClient | None, image: str | None, command: tuple[str, ...]
) -> Iterator[Lack]:
    try:
        python = _python(settings, recorded, client, image, command)
        yield from lack.python(recorded.python, python)
    except (EnvkitError, NoAnswerError) as error:
        yield Lack("python", f"the packages cannot be compared: {str(error).splitlines()[0]}")
    here, why = _gpu(recorded)
    yield from lack.gpu(recorded.gpu, here, why)
    yield from lack.machine(recorded.machine, hardware.machine())


def _python(
    settings: Settings, recorded: Snapshot, client: DockerClient | None, image: str | None, command: tuple[str, ...]
) -> Python | None:
    if recorded.python is None or (recorded.image and image is None):
        return None
    if client is None:
        return interpreter.told(interpreter.ask(interpreter.choose(command)))
    if image is None or engine.image_here(client, image) is None:
        return None  # to be pulled first: it is the very one
    said = oneoff.said_by(client, settings, image, ("python3", "-c", interpreter.LISTING))
    return interpreter.parse(said)


def _gpu(recorded: Snapshot) -> tuple[Gpu | None, str]:
    if recorded.gpu is None or not hardware.has_driver():
        return None, "there is no nvidia-smi here"
    try:
        return hardware.AskedGpus().told(), ""
    except NoAnswerError as error:
        return None, str(error)
