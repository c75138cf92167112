"""What is in ``checkpoints/``, by the records alone: nothing is hashed, and what only that could tell is not proven."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from envkit.models.checkpoints import FOLDER, Checkpoints
from envkit.models.locking import lock
from envkit.models.plan import WHY_FETCH
from envkit.models.records import FileFacts
from envkit.models.store.blobs import Blobs
from envkit.models.store.hand import Hand
from envkit.models.store.store import likely
from envkit.settings import Settings

_DOUBTFUL = "looks other than when it was verified"


@dataclass(frozen=True)
class InPlace:
    """One model. ``why`` says why it is not proven; of one that is, it is None, and there are ``files``."""

    name: str
    version: str
    path: str
    files: tuple[FileFacts, ...]
    why: str | None


def look(settings: Settings) -> tuple[InPlace, ...]:
    """Every model of the registry, as it is pinned.

    Raises:
        InputError: ``models.yaml`` or its lock is wrong.
        ModelError: ``checkpoints/`` cannot be read.
    """
    return tuple(_look(settings))


def _look(settings: Settings) -> Iterator[InPlace]:
    checkpoints = Checkpoints(settings.project, Blobs(likely(settings), Hand()).facts)
    for model in lock.load_project(settings.project).models:
        finding = checkpoints.glance(model)
        place = f"{FOLDER}/{model.target}"
        if finding and finding.record:
            yield InPlace(model.name, model.version, place, finding.record.files, None)
        else:
            why = WHY_FETCH[finding.state] if finding else _DOUBTFUL
            yield InPlace(model.name, model.version, place, (), why)
