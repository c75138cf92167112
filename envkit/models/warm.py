"""The answer of a sync that had nothing to do, for as long as nothing has changed.

A start at which every model is in place should cost what starting Python costs. So the answer is kept, with the stat
facts of every file it rests on: `models.yaml`, its lock, `envkit.yaml`, and each file of each model as its record has
it. If all still hold, it is given again, by a program that has imported next to nothing. Anything else (another option,
another setting, one file touched, one byte of this memory damaged) leads to the sync proper.
"""

from __future__ import annotations

import os
import zlib

from envkit import __version__

TYPE_CHECKING = False  # typing itself would be a tenth of the time that all this takes
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from envkit.models.records import Record
    from envkit.result import Result
    from envkit.settings import Settings

_INPUTS = ("models.yaml", "models.lock.yaml", "envkit.yaml")
_ABSENT = "-"


def answer(words: Sequence[str], environ: Mapping[str, str]) -> tuple[bytes, bytes] | None:
    """What `envkit models sync` would print to standard output and error; None if the sync proper has to say."""
    asked = _asked(words)
    if asked is None:
        return None
    named, as_json = asked
    try:
        project = os.path.realpath(named) if named else _project_above(os.curdir)
        with open(_path(project, environ), "rb") as file:  # noqa: PTH123 - pathlib is not imported here
            head, _, rest = file.read().partition(b"\n")
        if head.decode() != _head(rest):
            return None
        facts, text, json, errors = rest.split(b"\0")
        if not all(_holds(project, line) for line in facts.decode("utf-8", "surrogateescape").split("\n")):
            return None
    except (OSError, ValueError, IndexError):
        return None
    return (json if as_json else text), errors


def look(project: Path) -> tuple[str, ...]:
    """The stat facts of what a sync reads: to be taken before it reads them."""
    return tuple(_facts_line(str(project), name) for name in _INPUTS)


def remember(
    settings: Settings,
    seen: tuple[str, ...],
    errors: Sequence[str],
    result: Result,
    places: Sequence[tuple[str, Record]],
) -> None:
    """Keep the answer of a sync that had nothing to do; ``places`` has every model's path below the project.

    That it cannot be kept is no failure.
    """
    from contextlib import suppress
    from pathlib import Path

    from envkit.models.store.hand import acting_for

    lines = list(seen)
    for place, record in places:
        for facts in record.files:
            name = f"{place}/{facts.path}" if facts.path else place
            lines.append(" ".join(map(str, facts.stat_facts)) + f" {name}")
    if any("\n" in line or "\0" in line for line in lines):
        return
    text = "".join(f"{line}\n" for line in result.lines)
    body = "\0".join(("\n".join(lines), text, result.as_json() + "\n", "".join(f"{line}\n" for line in errors)))
    rest = body.encode("utf-8", "surrogateescape")
    target = Path(_path(str(settings.project), os.environ))
    with suppress(OSError):
        acting_for(settings.owner).write(target, f"{_head(rest)}\n".encode() + rest)
        if _is_racy(target, lines):
            target.unlink()


def forget(project: Path) -> None:
    """Drop every answer that is kept for a project."""
    for path in (project / "checkpoints" / ".envkit").glob("warm-*"):
        path.unlink(missing_ok=True)


def _asked(words: Sequence[str]) -> tuple[str | None, bool] | None:
    """The project named and whether JSON is wanted, for `models sync` without further options; else None."""
    verbs, project, as_json = [], None, False
    todo = list(words)
    while todo:
        word = todo.pop(0)
        if word == "--json":
            as_json = True
        elif word == "--project" and todo and not todo[0].startswith("~"):
            project = todo.pop(0)
        else:
            verbs.append(word)
    return (project, as_json) if verbs == ["models", "sync"] and project != "" else None


def _project_above(folder: str) -> str:
    folder = os.path.realpath(folder)
    while not os.path.isfile(f"{folder}/{_INPUTS[0]}"):  # noqa: PTH113
        above = os.path.dirname(folder)  # noqa: PTH120
        if above == folder:
            raise FileNotFoundError(folder)
        folder = above
    return folder


def _path(project: str, environ: Mapping[str, str]) -> str:
    """Where the answer is kept that holds for this user and these settings: a container has others than its host."""
    # What a variable says may be nothing that is allowed: with another value, the sync proper has to look at it.
    # (Not what no sync goes by: which image a container is of changes with every build.)
    beside = ("ENVKIT_TOKEN_", "ENVKIT_IMAGE")
    names = sorted(name for name in environ if name.startswith("ENVKIT_") and not name.startswith(beside))
    said = [f"{name}={environ.get(name, '')}" for name in [*names, "SUDO_UID", "SUDO_GID"]]
    # A project that was moved has to be made known to the store again.
    circumstances = "\0".join([str(os.geteuid()), project, *said])
    return f"{project}/checkpoints/.envkit/warm-{zlib.crc32(circumstances.encode('utf-8', 'surrogateescape')):08x}"


def _head(rest: bytes) -> str:
    return f"envkit {__version__} 1 {zlib.crc32(rest):08x}"


def _facts_line(project: str, name: str) -> str:
    try:
        found = os.stat(f"{project}/{name}")  # noqa: PTH116
    except OSError:
        return f"{_ABSENT} {name}"
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_dev} {found.st_ino} {name}"


def _holds(project: str, line: str) -> bool:
    name = line.split(" ", 1)[1] if line.startswith(_ABSENT) else line.split(" ", 5)[5]
    return _facts_line(project, name) == line


def _is_racy(path: Path, lines: Sequence[str]) -> bool:
    """Whether a file was changed within the tick of the clock at which this was written: it might change once more."""
    changed = [int(line.split(" ", 3)[2]) for line in lines if not line.startswith(_ABSENT)]
    return max(changed, default=0) >= path.stat().st_ctime_ns
