"""``envkit reproduce``: a command run again in the code, the image and the models that a snapshot names."""

from __future__ import annotations

import re
import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from envkit.commands import models
from envkit.commands.reproduce_check import Asked, Ready, look, with_store
from envkit.commands.snapshot import acting, models_of
from envkit.errors import InputError, ModelError
from envkit.launch import engine, oneoff, plan
from envkit.launch.spec import Mount
from envkit.models.store.hand import acting_for
from envkit.result import Report, Result
from envkit.runs import foreground, lack, reading, shelf
from envkit.runs.snapshot import Snapshot
from envkit.settings import REGISTRY, Settings

__all__ = ["Asked", "reproduce"]

_FOLDER = ".envkit/reproduced"
# What says where things are on one machine, or is the engine's to say.
_NOT_AGAIN = re.compile(r"(NVIDIA|LD)_|CUDA_(HOME|PATH|ROOT|VERSION)")


def reproduce(settings: Settings, asked: Asked, *, check: bool, report: Report) -> Result:
    """Run a snapshot's command again; the exit code is the command's.

    First everything is said that cannot be had again, or differs here. If something cannot be had, or with ``check``,
    that is all.

    Raises:
        InputError: there is no such snapshot, no repository, or no command; or the folder for the code is there.
        ModelError: the models turned out to be others.
        EngineError: the container could not be made or started.
    """
    recorded = reading.read(Path(asked.file))
    ready = look(settings, recorded, asked, report)
    code = lack.stop(ready.lacks)
    data = {"id": recorded.id, "possible": code == 0, "lacks": [found.as_data() for found in ready.lacks]}
    lines = [str(found) for found in ready.lacks]
    if check or code:
        return Result(data, lines or ["everything can be had again"], code)
    for line in lines:
        report(line)
    target = _target(settings, recorded, asked)
    with _kept(target, report):
        ready.source.check_out(target)
        ready.source.bring(target, acting_for(settings.owner))
        inside = with_store(settings, target / ready.source.code.prefix)
        _bring_models(inside, recorded, report)
        ended = _run(settings, inside, recorded, asked, ready, report)
    return Result({**data, "folder": str(target), "command": ready.command, "image": ready.image}, exit_code=ended)


def _target(settings: Settings, recorded: Snapshot, asked: Asked) -> Path:
    hand = acting_for(settings.owner)
    target = Path(asked.into).resolve() if asked.into else settings.project / _FOLDER / recorded.id
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        hint = f"to remove it: git worktree remove --force {target}; or name another: --into DIR"
        raise InputError(f"{target}: is there already", hint=hint)
    if not asked.into:
        shelf.prepare(settings.project, hand, _FOLDER)
    return target


@contextmanager
def _kept(target: Path, report: Report) -> Iterator[None]:
    """Say in the end where the code is, however that end came; a request to end is as good as Ctrl-C."""
    report(f"the code goes to {target}")
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        if target.exists():
            report(f"kept: {target}\n  to remove it: git worktree remove --force {target}")


def _bring_models(settings: Settings, recorded: Snapshot, report: Report) -> None:
    """Sync, and compare with the bytes that there were."""
    if not (settings.project / REGISTRY).is_file():
        return
    synced = models.sync(settings, dry_run=False, pace=models.Pace(), report=report)
    if synced.exit_code:
        raise ModelError("\n".join(synced.lines))
    if recorded.models is None:
        return
    here = {
        (model.name, model.version): {file.path: file.sha256 for file in model.files}
        for model in models_of(settings).entries
    }
    others = [found for found in lack.models(recorded.models.entries, here, all_known=True) if found.exit_code]
    if others:
        raise ModelError("\n".join(map(str, others)))


def _run(settings: Settings, inside: Settings, recorded: Snapshot, asked: Asked, ready: Ready, report: Report) -> int:
    if ready.client is None or ready.image is None:
        return _run_here(settings, inside, recorded, asked, ready, report)
    if engine.image_here(ready.client, ready.image) is None:
        engine.image(ready.client, ready.image, report)
    report(f"running in {ready.image}: {shlex.join(ready.command)}")
    spec = oneoff.spec(
        ready.client,
        inside,
        ready.image,
        ready.command,
        home_of=settings.project,
        folder=recorded.folder,
        env=tuple((name, value) for name, value in recorded.environment.items() if not _NOT_AGAIN.match(name)),
        mounts=tuple(_mounts(settings, inside, asked, ready)),
        gpus=ready.gpus,
    )
    return engine.run(ready.client, spec)


def _mounts(settings: Settings, inside: Settings, asked: Asked, ready: Ready) -> Iterator[Mount]:
    """What the command sees beside the code: what was asked for, and the repository, for those who ask Git."""
    hand = acting_for(settings.owner)
    for path in asked.along:
        source, place = settings.project / path, inside.project / path
        # The engine would make it as root.
        for folder in reversed([above for above in place.parents if above.is_relative_to(inside.project)][:-1]):
            hand.make(folder)
        if source.is_dir():
            hand.make(place)
        elif not place.exists():
            hand.write(place, b"")
        yield Mount("bind", str(source.resolve()), f"{plan.WORKSPACE}/{path}", read_only=True)
    if not ready.source.code.prefix:
        common = ready.source.repository.text("rev-parse", "--git-common-dir")
        folder = (ready.source.repository.root / common).resolve()
        yield Mount("bind", str(folder), str(folder), read_only=True)


def _run_here(
    settings: Settings, inside: Settings, recorded: Snapshot, asked: Asked, ready: Ready, report: Report
) -> int:
    for path in asked.along:
        place = inside.project / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(settings.project / path)

    def moved(text: str) -> str:
        return text.replace(f"{recorded.project}/", f"{inside.project}/")

    again = [(name, value) for name, value in recorded.environment.items() if not _NOT_AGAIN.match(name)]
    first = moved(ready.command[0])
    # A virtual environment of the project's is not in the worktree, and works where it is.
    command = (first if Path(first).exists() else ready.command[0], *map(moved, ready.command[1:]))
    report(f"running on this machine: {shlex.join(command)}")
    words = ["env", *(f"{name}={moved(value)}" for name, value in again), *command]
    run = foreground.run(words, inside.project / recorded.folder, acting(acting_for(settings.owner)))
    return run.exit_code or 0
