"""The history as text: a table for each model, the newest version first."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from envkit.models.history.facts import Facts
from envkit.models.history.gather import History, Unreadable, Version
from envkit.models.history.readings import readings
from envkit.models.history.stays import Stay

SAME_VERSION = "changed under the same version"

_HEAD = ("version", "since", "by", "commit", "from", "metrics", "carried by")
_MOST_NAMES = 3
_MOST_PROBLEMS = 3
_WIDEST = 40  # columns of one cell
_DIGITS = 12
# Control characters, and those that turn the direction of writing.
_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def lines(history: History, models: Sequence[str]) -> Iterator[str]:
    """The tables of ``models``, and what there is to say of the whole."""
    for position, name in enumerate(models):
        if position:
            yield ""
        yield from _of_model(name, history.models[name])
    yield from notes(history)


def notes(history: History) -> Iterator[str]:
    """What limits what can be known."""
    if history.uncommitted:
        yield f"{' and '.join(history.uncommitted)}: what is changed there is in no commit, and not in this"
    for commit in history.cut:
        yield f"this clone is shallow: its history begins at {commit.short} ({commit.day}); git fetch --unshallow"
    for found in history.unreadable[-_MOST_PROBLEMS:]:
        yield printable(f"not readable at {_named(found)}: {found.problem.splitlines()[0]}")
    if (more := len(history.unreadable) - _MOST_PROBLEMS) > 0:
        yield f"not readable at {more} earlier commit{'s' if more > 1 else ''} either"


def _named(found: Unreadable) -> str:
    return f"{found.commit.short} ({found.commit.author}, {found.commit.day})"


def _of_model(name: str, versions: Sequence[Version]) -> Iterator[str]:
    gone = not any(version.is_current for version in versions)
    left = versions[-1].left
    yield name + (f" (gone since {left.day}, {left.short})" if gone and left else "")
    newest = list(reversed(versions))
    rows = [_HEAD, *map(_row, newest)]
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    for row, version in zip(rows, [None, *newest], strict=True):
        mark = "*" if version and version.is_current else " "
        cells = (padded(cell, room) for cell, room in zip(row, widths, strict=True))
        yield f"{mark} {'  '.join(cells)}".rstrip()
        for remark in remarks(version) if version else ():
            yield f"    {remark}"


def _row(version: Version) -> tuple[str, ...]:
    commit = version.arrival.commit
    return (
        shown_version(version.facts),
        f"<= {commit.day}" if version.is_cut else commit.day,
        shortened(printable(commit.author), 24),
        commit.short,
        shortened(printable(short_origin(version.facts.origin)), _WIDEST),
        printable(", ".join(map(str, readings(version)))) or "-",
        carried_by(version),
    )


def remarks(version: Version) -> Iterator[str]:
    """What is loud about a version."""
    stay = version.stay
    if stay.other_bytes:
        yield f"! {SAME_VERSION}: {bytes_changed(stay.other_bytes, stay)}"
    for edit in stay.edits:
        for change in edit.changes:
            if change.field.removeprefix("metrics.") in version.facts.metrics:
                commit = edit.commit
                said = f"{change.field}: {change.old} → {change.new} ({commit.day}, {commit.short}, {commit.author})"
                yield printable(said)


def bytes_changed(old: Stay, new: Stay) -> str:
    """Which digest was what, of two that cannot be the same bytes."""
    before, after = old.facts, new.first.facts
    for path in before.files.keys() & after.files.keys():
        for mismatch in before.files[path].mismatches(after.files[path].over(before.files[path])):
            of = f" of {path}" if path else ""
            one, other = mismatch.expected[:_DIGITS], mismatch.got[:_DIGITS]
            return f"{mismatch.what}{of} {one} → {other}, the earlier bytes came with {old.first.commit.short}"
    return f"the earlier bytes came with {old.first.commit.short}"


def shown_version(facts: Facts) -> str:
    if facts.wish is None:
        return facts.version
    return f"{facts.version} (not locked)" if facts.floats else f"{facts.version} ({facts.wish})"


def carried_by(version: Version) -> str:
    until = (f"until {version.left.day}",) if version.left and not version.branches else ()
    return names((*until, *version.branches, *version.tags))


def names(found: Sequence[str]) -> str:
    """Names of branches and tags: the first and the last of many."""
    kept = found if len(found) <= _MOST_NAMES + 1 else (*found[: _MOST_NAMES - 1], found[-1])
    more = len(found) - len(kept)
    return ", ".join(kept) + (f" and {more} more" if more else "") or "-"


def short_origin(origin: str) -> str:
    """A URL as its host and the file's name."""
    if not origin.startswith(("http://", "https://")):
        return origin
    parts = urlsplit(origin)
    folder, _, name = parts.path.rpartition("/")
    return f"{parts.netloc}/{'…/' if folder else ''}{name}"


def printable(text: str) -> str:
    """``text`` without what would steer a terminal: names and values come from other people."""
    return _STEERING.sub("�", text)


def shortened(text: str, room: int) -> str:
    """``text`` without its middle where it takes more than ``room`` columns."""
    if width(text) <= room:
        return text
    half = (room - 1) // 2
    return f"{_fitting(text, half)}…{_fitting(text[::-1], half)[::-1]}"


def _fitting(text: str, room: int) -> str:
    kept = ""
    for character in text:
        if width(kept + character) > room:
            break
        kept += character
    return kept


def width(text: str) -> int:
    """The columns that a terminal gives to a text: two to each Chinese character."""
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def padded(text: str, room: int) -> str:
    return text + " " * (room - width(text))
