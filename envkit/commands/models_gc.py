"""``envkit models gc``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from envkit.errors import ModelError
from envkit.models.checkpoints import Checkpoints
from envkit.models.locking import lock
from envkit.models.store.gc import Garbage, garbage, out_of_sight, outdated, temporary
from envkit.models.store.store import local_root
from envkit.result import Result
from envkit.settings import REGISTRY, Settings

_MIB = 1 << 20


def gc(settings: Settings, *, remove: bool, gone: bool) -> Result:
    """What is of no use: models that ``models.yaml`` names no more, and what no project uses of the stores.

    The stores are those that these settings lead to: the shared one, and the project's own. Nothing goes unless
    ``remove`` says so; exit code 3 if something could not be removed. ``gone`` says that projects which are not in
    sight are no more.

    Raises:
        InputError: ``models.yaml`` or its lock is wrong, or they do not fit.
        ModelError: what a project uses is not for the caller to read.
    """
    found = list(_outdated(settings))
    # First, for the blobs of these are of no use after that.
    stuck = _remove(found) if remove else []
    roots = [
        root for root in (settings.store or settings.cache / "store", local_root(settings.project)) if root.is_dir()
    ]
    stored = [(root, item) for root in roots for item in garbage(root, (settings.project,), gone=gone)]
    stuck += _remove(stored) if remove else []
    found += stored
    hidden = [] if gone else sorted({str(project) for root in roots for project in out_of_sight(root)})
    rows = [{"place": str(place), "kind": item.kind, "name": item.name, "size": item.size} for place, item in found]
    data = {"garbage": rows, "removed": remove, "stuck": stuck, "out_of_sight": hidden}
    gone_by_now = [(place, item) for place, item in found if item.name not in stuck]
    lines = (*_lines(gone_by_now, hidden, remove=remove), *(f"could not be removed: {name}" for name in stuck))
    return Result(data, lines, ModelError.exit_code if stuck else 0)


def _outdated(settings: Settings) -> Iterator[tuple[Path, Garbage]]:
    checkpoints = Checkpoints(settings.project)
    if (settings.project / REGISTRY).is_file():
        # As the lock has them: what floats has its name from there.
        wanted = {model.target for model in lock.load_project(settings.project).models}
        yield from ((checkpoints.folder, item) for item in outdated(checkpoints, wanted))
    halves = [*checkpoints.bookkeeping.glob("*.new"), *checkpoints.bookkeeping.glob("records/*.new")]
    yield from ((checkpoints.bookkeeping, item) for item in temporary(halves, time.time()))
    written = [path for name in (REGISTRY, lock.FILE) for path in settings.project.glob(f"{name}.????????.new")]
    yield from ((settings.project, item) for item in temporary(written, time.time()))


def _remove(found: list[tuple[Path, Garbage]]) -> list[str]:
    """Remove these; the names of those that stay."""
    stuck = []
    for _, item in found:
        try:
            item.remove()
        except OSError:  # noqa: PERF203 - one that stays is no reason to keep the others
            stuck.append(item.name)
    return stuck


def _lines(found: list[tuple[Path, Garbage]], hidden: list[str], *, remove: bool) -> Iterator[str]:
    for _, item in found:
        yield f"{item.kind:<13} {item.size / _MIB:10.1f} MiB  {item.name}"
    for project in hidden:
        yield f"{project}: not in sight; what it uses is kept (--gone: it is no more)"
    total = sum(item.size for _, item in found) / _MIB
    if not found:
        yield "nothing that is of no use"
    elif remove:
        yield f"{_count(found)}, {total:.1f} MiB, removed"
    else:
        yield f"{_count(found)}, {total:.1f} MiB, can go: envkit models gc --remove"


def _count(found: list[tuple[Path, Garbage]]) -> str:
    return "1 thing" if len(found) == 1 else f"{len(found)} things"
