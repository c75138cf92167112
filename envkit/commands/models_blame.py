"""``envkit models blame``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from envkit import git
from envkit.models import units
from envkit.models.history import blame as find
from envkit.models.history import gather, plain, table
from envkit.result import Result
from envkit.settings import Settings

if TYPE_CHECKING:
    from envkit.models.history.facts import Change, Facts
    from envkit.models.history.gather import History, Version
    from envkit.models.history.walk import Commit

_MOST_CHANGES = 20
_LABEL = 12


def blame(settings: Settings, target: str) -> Result:
    """Which commit brought what ``target`` names: a model, ``NAME@VERSION``, a file in place, part of a digest.

    Raises:
        InputError: there is no repository, nothing was ever called so, or what is pinned now is in no commit.
    """
    history = gather.gather(git.repository(settings.project))
    found = _meant(history, settings.project, target)
    answers = [{"name": one.facts.name, **plain.version(one)} for one in found]
    return Result({"answers": answers}, (*_lines(found), *table.notes(history)))


def _meant(history: History, project: Path, target: str) -> Sequence[Version]:
    name, at, version = target.partition("@")
    if name in history.models:
        return find.of_name(history, name, version if at else None, project)
    if "/" in target or Path(target).exists():
        return find.of_path(history, Path(target), project)
    if find.is_digest(target):
        return find.of_digest(history, target.lower())
    return find.of_name(history, name, version if at else None, project)


def _lines(found: Sequence[Version]) -> Iterator[str]:
    for position, version in enumerate(found):
        if position:
            yield ""
        yield f"{version.facts.name} {table.shown_version(version.facts)}"
        yield from (f"  {label:<{_LABEL}}{table.printable(text)}" for label, text in _facts(version))


def _facts(version: Version) -> Iterator[tuple[str, str]]:
    arrival, stay = version.arrival, version.stay
    yield "commit", arrival.commit.id
    yield "author", arrival.commit.author
    yield "date", arrival.commit.when.replace("T", " ")
    yield "subject", arrival.commit.subject
    if version.is_cut:
        yield "", "or an earlier one: this clone is shallow"
    yield "by", " and ".join(arrival.brought_by)
    yield from zip(("changed", *("",) * _MOST_CHANGES), _changed(arrival.changes), strict=False)
    yield from (("also by", _named(other.commit)) for other in stay.arrivals if other is not arrival)
    if stay.other_bytes:
        yield "!", f"{table.SAME_VERSION}: {table.bytes_changed(stay.other_bytes, stay)}"
    yield "from", version.facts.origin
    yield "bytes", _bytes(version.facts)
    if stay.pinned and stay.pinned != arrival.commit:
        yield "", f"known since {_named(stay.pinned)}"
    if version.left:
        yield "until", _named(version.left)
    yield "carried by", table.names((*version.branches, *version.tags))


def _changed(changes: Sequence[Change]) -> Iterator[str]:
    if not changes:
        yield "nothing before it: its first version"
    for change in changes[:_MOST_CHANGES]:
        yield f"{change.field}: {_value(change.old)} → {_value(change.new)}"
    if len(changes) > _MOST_CHANGES:
        yield f"and {len(changes) - _MOST_CHANGES} more"


def _value(value: str | None) -> str:
    return "none" if value is None else table.shortened(value, 72)


def _named(commit: Commit) -> str:
    return f"{commit.short} ({commit.day}, {commit.author}): {commit.subject}"


def _bytes(facts: Facts) -> str:
    if len(facts.files) > 1:
        return f"{len(facts.files)} files"
    for digests in facts.files.values():
        known = {"sha256": digests.sha256, "md5": digests.md5, "git blob": digests.git_blob}
        named = next((f"{name} {value}" for name, value in known.items() if value), None)
        size = units.scaled(digests.size) if digests.size else None
        return ", ".join(part for part in (named, size) if part)
    return "not known: neither models.yaml nor its lock says what they are"
