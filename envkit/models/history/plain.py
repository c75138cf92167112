"""The history as JSON types."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from envkit.models.history.facts import Change, Facts
from envkit.models.history.gather import History, Version
from envkit.models.history.readings import Reading, readings
from envkit.models.history.stays import Arrival, Edit
from envkit.models.history.walk import Commit

Plain = dict[str, object]


def history(found: History, names: Sequence[str]) -> Plain:
    """Of the models ``names``; the newest version of each first."""
    return {
        "at": found.at,
        "models": [
            {"name": name, "versions": [version(one) for one in reversed(found.models[name])]} for name in names
        ],
        "unreadable": [{"commit": commit(one.commit), "problem": one.problem} for one in found.unreadable],
        "uncommitted": list(found.uncommitted),
        "shallow_at": [commit(one) for one in found.cut],
    }


def version(found: Version) -> Plain:
    stay = found.stay
    return {
        **facts(found.facts),
        "metrics": {reading.metric.name: _reading(reading) for reading in readings(found)},
        **arrival(found.arrival),
        "or_earlier": found.is_cut,
        "also_brought_by_commits": [commit(one.commit) for one in stay.arrivals if one is not found.arrival],
        "edits": [_edit(edit) for edit in stay.edits],
        "other_bytes_than": commit(stay.other_bytes.first.commit) if stay.other_bytes else None,
        "left": commit(found.left) if found.left else None,
        "current": found.is_current,
        "branches": list(found.branches),
        "tags": list(found.tags),
    }


def facts(found: Facts) -> Plain:
    """What a version is; ``asked`` is what stands in ``models.yaml`` where that floats."""
    files = ({"path": path, **_known(vars(digests))} for path, digests in found.files.items())
    return {
        "version": found.version,
        "asked": found.wish,
        "source": found.source,
        "from": found.origin,
        "files": list(files),
    }


def arrival(found: Arrival) -> Plain:
    return {
        "since": commit(found.commit),
        "brought_by": list(found.brought_by),
        "changes": changes(found.changes),
    }


def commit(found: Commit) -> Plain:
    return {"commit": found.id, "author": found.author, "date": found.when, "subject": found.subject}


def changes(found: Iterable[Change]) -> list[Plain]:
    return [change._asdict() for change in found]


def _edit(found: Edit) -> Plain:
    return {**commit(found.commit), "changes": changes(found.changes)}


def _reading(found: Reading) -> Plain:
    return {
        "value": found.metric.value,
        "text": found.metric.text,
        "higher_is_better": found.metric.higher_is_better,
        "before": found.before.text if found.before else None,
        "change": found.change,
        "verdict": found.verdict,
    }


def _known(values: dict[str, object]) -> Plain:
    return {key: value for key, value in values.items() if value is not None}
