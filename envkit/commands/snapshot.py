"""``envkit snapshot``: what the result of a run depends on, written down before the run begins."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from envkit.errors import InputError
from envkit.models import inplace
from envkit.models.locking import lock
from envkit.models.store.hand import Hand, acting_for
from envkit.result import Report, Result
from envkit.runs import foreground, shelf, taking
from envkit.runs.snapshot import ModelFile, Models, ModelState, Snapshot
from envkit.runs.taking import Taking
from envkit.settings import REGISTRY, Settings, refuse_own


def snapshot(settings: Settings, *, file: str | None, command: Sequence[str], report: Report) -> Result:
    """Write a snapshot to ``file``, or below ``.envkit/runs``; then run ``command``, and note how it ended.

    The exit code is the command's; without one, 0.

    Raises:
        InputError: the file cannot be written or is the project's own, or there is no such command.
    """
    if file:
        refuse_own("--output", Path(file), settings.project)
    if command and not shutil.which(command[0]):
        raise InputError(f"{command[0]}: no such command here")
    hand = acting_for(settings.owner)
    begun = Taking(settings, "snapshot", tuple(command) or None, acting=acting(hand))
    place = Path(file).absolute() if file else shelf.prepare(settings.project, hand) / begun.name
    found, patch = begun.take(place, lambda: models_of(settings), thorough=True)
    shelf.put(place, found, patch, hand)
    for line in doubts(found):
        report(line)
    if not command:
        return Result({"file": str(place), **found.as_data()}, (str(place),))
    report(f"snapshot: {place}")
    run = foreground.run(command)
    found = replace(found, run=run)
    try:
        shelf.put(place, found, b"", hand)
    except InputError as error:
        report(f"the end of the command is not noted: {error}")  # its exit code is what counts
    return Result({"file": str(place), **found.as_data()}, exit_code=run.exit_code or 0)


def start(settings: Settings, *, service: str, command: Sequence[str]) -> Result:
    """Note the start of a service below ``.envkit/runs``: what is quick at once, the GPUs when the driver has answered.

    Raises:
        InputError: it cannot be written there.
    """
    hand = acting_for(settings.owner)
    folder = shelf.prepare(settings.project, hand)
    begun = Taking(settings, service, tuple(command), acting=acting(hand))
    place = folder / begun.name
    found, patch = begun.take(place, lambda: models_of(settings), thorough=False)
    shelf.put(place, found, patch, hand)
    shelf.clear(folder)
    if taking.lacks_gpus(found):
        _in_background(lambda: shelf.put(place, taking.with_gpus(found), b"", hand))
    return Result({"file": str(place)})


def models_of(settings: Settings) -> Models:
    """The models in place.

    Raises:
        InputError: ``models.yaml`` or its lock is wrong.
        ModelError: ``checkpoints/`` cannot be read.
    """
    entries = tuple(
        ModelState(
            found.name,
            found.version,
            found.path,
            tuple(ModelFile(facts.path, facts.sha256, facts.size) for facts in found.files),
            found.why,
        )
        for found in inplace.look(settings)
    )
    return Models(str(_sha256(settings.project / REGISTRY)), _sha256(settings.project / lock.FILE), entries)


def doubts(found: Snapshot) -> Iterator[str]:
    """What `envkit reproduce` would not have again, as far as it can be told now."""
    for model in found.models.entries if found.models else ():
        if model.why:
            yield f"not proven: model {model.name!r} {model.version} {model.why}"
    if found.git:
        for nested in found.git.nested:
            if nested.dirty:
                yield f"not stored: changes in {nested.path}, which is a repository of its own: commit them there"
        left = [file for file in found.git.untracked if not file.in_patch]
        if left:
            size = sum(file.size for file in left)
            yield f"not stored: {len(left)} untracked files of {size} bytes ({left[0].path}): commit or ignore them"
    for name in ("git", "models", "python"):
        if name in found.missing:
            yield f"not known: {name}: {found.missing[name]}"


def acting(hand: Hand) -> tuple[int, int] | None:
    """The user and group that Git runs as for ``hand``."""
    return (hand.owner.uid, hand.owner.gid) if hand.owner else None


def _sha256(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None


def _in_background(work: Callable[[], None]) -> None:
    """Do ``work`` after we are gone; nobody hears of its failure."""
    if os.fork():
        return
    try:
        os.setsid()
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nowhere, descriptor)
        work()
    finally:
        os._exit(0)
