"""The table of the page: a row for each version, whose cells say what to sort them by."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from functools import partial
from typing import NamedTuple

from envkit.models.history import table
from envkit.models.history.facts import Change, names
from envkit.models.history.gather import Version
from envkit.models.history.markup import Markup, join, tag
from envkit.models.history.readings import Reading, readings
from envkit.models.history.walk import Commit

_MOST_COLUMNS = 4
_MOST_TAGS = 4
_MOST_CHANGES = 12
_DIGITS = 8
_NAMED = re.compile(r"(the [a-z ]+) \((.+)\)")


class _Column(NamedTuple):
    """``kind`` is its class: a ``number`` is sorted as one."""

    name: str
    kind: str | None
    cell: Callable[[Version], Markup]


def table_of(rows: Sequence[tuple[Version, str]]) -> Markup:
    """The table; each version comes with the id of its row."""
    columns = _columns([version for version, _ in rows])
    return tag(
        "table",
        tag("thead", tag("tr", *map(_head, columns))),
        tag("tbody", *(_row(version, anchor, columns) for version, anchor in rows)),
    )


def _columns(versions: Sequence[Version]) -> Sequence[_Column]:
    """One model has a column for each metric, as long as they are few, and none for its name."""
    metrics = tuple(dict.fromkeys(name for version in versions for name in version.facts.metrics))
    is_one = len({version.facts.name for version in versions}) == 1
    first, last = [_Column("model", None, _name), *_BEFORE], [_Column("carried by", None, _carried)]
    if is_one and len(metrics) <= _MOST_COLUMNS:
        return [*first[1:], *(_Column(name, "number", partial(_metric, name)) for name in metrics), *last]
    return [*first, *([_Column("metrics", "number metrics", _metrics)] if metrics else []), *last]


def _head(column: _Column) -> Markup:
    button = tag("button", tag("span", column.name), tag("span", class_="arrow", aria_hidden="true"), type="button")
    return tag("th", button, scope="col", aria_sort="none", class_=column.kind)


def _row(version: Version, anchor: str, columns: Sequence[_Column]) -> Markup:
    loud = "loud" if version.stay.other_bytes else None
    cells = (column.cell(version) for column in columns)
    return tag("tr", *cells, id=anchor, data_model=version.facts.name, class_=loud)


def _name(version: Version) -> Markup:
    return tag("td", version.facts.name, data_sort=version.facts.name, class_="name")


def _version(version: Version) -> Markup:
    facts = version.facts
    wish = "not locked" if facts.floats else facts.wish
    return tag(
        "td",
        tag("span", facts.version, class_="version"),
        " ",
        tag("span", wish, class_="chip", title="as models.yaml has it") if wish else None,
        " ",
        tag("span", "now", class_="chip now", title="what was looked at has it") if version.is_current else None,
        data_sort=facts.version,
    )


def _since(version: Version) -> Markup:
    commit = version.arrival.commit
    shown = f"{'≤ ' if version.is_cut else ''}{commit.day}"
    return tag("td", shown, data_sort=_utc(commit), title=commit.when, class_="plain")


def _utc(commit: Commit) -> str:
    # As Python 3.10 reads it; each author's clock has an offset of its own.
    moment = datetime.fromisoformat(commit.when.replace("Z", "+00:00"))
    return moment.astimezone(timezone.utc).isoformat()


def _author(version: Version) -> Markup:
    author = version.arrival.commit.author
    return tag("td", author, data_sort=author, title=author, class_="plain")


def _commit(version: Version) -> Markup:
    """The commit's subject; what it changed is a click away."""
    arrival, other = version.arrival, version.stay.other_bytes
    head = join(tag("code", arrival.commit.short), " ", arrival.commit.subject)
    edits = ((f"{edit.commit.short}, {edit.commit.day}: ", edit.changes) for edit in version.stay.edits)
    every = [(said, change) for said, changes in (("", arrival.changes), *edits) for change in changes]
    items = [tag("li", said, _change(change)) for said, change in every[:_MOST_CHANGES]]
    if len(every) > _MOST_CHANGES:
        items.append(tag("li", f"and {len(every) - _MOST_CHANGES} more"))
    by = tag("p", f"by {' and '.join(arrival.brought_by)}")
    alarm = (
        tag("span", table.SAME_VERSION, class_="alarm", title=table.bytes_changed(other, version.stay))
        if other
        else None
    )
    shown = tag("details", tag("summary", head), by, tag("ul", *items)) if items else head
    return tag("td", alarm, shown, data_sort=arrival.commit.subject, class_="commit")


def _change(change: Change) -> Markup:
    old, new = (table.shortened(value, 60) if value else "none" for value in (change.old, change.new))
    return join(tag("b", change.field), f" {old} → {new}")


def _origin(version: Version) -> Markup:
    """What it is there, and below that where: the file of a URL and its host, the package of an index."""
    origin = version.facts.origin
    if found := _NAMED.fullmatch(origin):
        where, name = found.groups()
    else:
        where, _, name = table.short_origin(origin).rpartition("/")
        where = where.removesuffix("/…")
    below = tag("div", where, class_="aside")
    return tag("td", name or origin, below, data_sort=origin, title=origin, class_="plain")


def _bytes(version: Version) -> Markup:
    files = version.facts.files
    if len(files) > 1:
        return tag("td", f"{len(files)} files", data_sort=len(files))
    known = next((digest for digests in files.values() for digest in names(digests) if digest), "")
    return tag("td", tag("code", known[:_DIGITS]) if known else "-", data_sort=known, title=known or None)


def _metric(name: str, version: Version) -> Markup:
    found = next((reading for reading in readings(version) if reading.metric.name == name), None)
    if found is None:
        return tag("td", class_="number")
    return tag("td", *_reading(found), data_sort=repr(found.metric.value), class_="number")


def _metrics(version: Version) -> Markup:
    """All in one cell, which sorts by the worst of what became of them."""
    found = readings(version)
    worst = min((reading.relative for reading in found), default=None)
    lines = (tag("div", tag("span", reading.metric.name, class_="of"), *_reading(reading)) for reading in found)
    return tag("td", *lines, data_sort=None if worst is None else repr(worst), class_="number metrics")


def _reading(reading: Reading) -> Iterator[Markup]:
    yield tag("span", reading.metric.text, class_="value")
    yield change_of(reading)


def change_of(reading: Reading) -> Markup:
    """By how much a metric changed, coloured by which way."""
    if reading.change is None:
        return Markup("")
    change = reading.change.replace("-", "\N{MINUS SIGN}")
    said = f"{change} {reading.arrow}" + (" worse" if reading.verdict == "worse" else "")
    return tag("span", said, class_=f"change {reading.verdict}")


def _carried(version: Version) -> Markup:
    last, rest = version.tags[-_MOST_TAGS:], version.tags[:-_MOST_TAGS]
    left = version.left
    more = tag("details", tag("summary", f"{len(rest)} earlier tags"), *_chips("tag", rest)) if rest else None
    until = tag("span", f"until {left.day}", class_="until", title=f"{left.short} {left.subject}") if left else None
    by = " ".join((*version.branches, *version.tags))
    return tag("td", *_chips("branch", version.branches), *_chips("tag", last), more, until, data_sort=by)


def _chips(kind: str, found: Sequence[str]) -> Iterator[Markup]:
    # With blanks, for those who copy the text, or hear it.
    return (join(tag("span", name, class_=f"chip {kind}"), " ") for name in found)


_BEFORE = (
    _Column("version", None, _version),
    _Column("since", None, _since),
    _Column("by", None, _author),
    _Column("commit", None, _commit),
    _Column("from", None, _origin),
    _Column("bytes", None, _bytes),
)
