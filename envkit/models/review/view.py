"""What all renderings of a review say in the same words, as messages (see `wording`). Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from envkit.models import units
from envkit.models.movement import Movement, in_percent, signed
from envkit.models.review import facts, identity
from envkit.models.review.compare import Change
from envkit.models.review.facts import Subject
from envkit.models.review.fields import origin
from envkit.models.review.gates import Finding, Outcome
from envkit.models.review.identity import Bytes
from envkit.models.review.report import Review
from envkit.models.review.usage import Place
from envkit.models.review.wording import quoted, shown
from envkit.models.revisions import Entry

SIGNS = {"added": "+", "removed": "-", "renamed": ">", "changed": "~"}
_MOST_PLACES = 10
_ARROW = " → "
_WAYS = {
    "same": "the same",
    "better": "better",
    "tolerated": "worse, within tolerance",
    "worse": "WORSE",
    "changed": "which way is better is not declared",
    "new": "new",
    "gone": "not said any more",
    "other unit": "another unit?",
}
_BYTES = {
    "same": "the same",
    "changed": "changed",
    "members": "other files of the artifact",
    "lost": "no digest any more",
    "replaced": "a digest of another kind: nobody can tell",
    "unproven": "no digest on both sides: nobody can tell",
}


@dataclass(frozen=True)
class MetricRow:
    """A line of the table of metrics, each a message; ``outcome`` colours it."""

    name: str
    old: str
    new: str
    delta: str
    judged: str
    outcome: Outcome


def headline(review: Review) -> str:
    """The verdict in one line, without its word."""
    if not review.facts.subjects and not review.findings:
        return "no model changed"
    gates = [gate for gate in review.gates if gate.outcome != "off"]
    for outcome, verb in (("fail", "fail"), ("warn", "warn")):
        if found := [gate.name for gate in gates if gate.outcome == outcome]:
            one = len(found) == 1
            return f"{len(found)} of {len(gates)} gates {verb}{'s' if one else ''}: {', '.join(found)}"
    return f"all {len(gates)} gates pass"


def counts(review: Review) -> str:
    """How many models changed in which way."""
    found = Counter(_kind(subject.change) for subject in review.facts.subjects)
    order = ("changed", "added", "removed", "renamed", "changed in metadata alone")
    return ", ".join(f"{found[kind]} {kind}" for kind in order if found[kind]) or "nothing changed"


def compared(review: Review) -> str:
    """The two sides."""
    return f"{quoted(str(review.compared.base))}{_ARROW}{quoted(str(review.compared.head))}"


def download(review: Review) -> str:
    """How much a first sync fetches on both sides; empty where that is the same."""
    old, new = (facts.download(side) for side in (review.facts.base, review.facts.head))
    if old == new:
        return ""
    unknown = f" and {new[1]} of unknown size" if new[1] else ""
    return f"a first sync fetches {_amount(old[0])}{_ARROW}{_amount(new[0])}{unknown}"


def in_order(review: Review) -> tuple[Subject, ...]:
    """What changed: what fails first, then what is remarked, metadata alone last."""
    found = outcomes(review)

    def rank(subject: Subject) -> tuple[int, bool]:
        return ("fail", "warn", "pass").index(found.get(id(subject.change), "pass")), not subject.change.matters

    return tuple(sorted(review.facts.subjects, key=rank))


def outcomes(review: Review) -> Mapping[int, Outcome]:
    """The worst that was found of each change, by its `id`; nothing where nothing was."""
    return {id(finding.remark.change): _worst(finding) for finding in reversed(review.findings)}


def _worst(finding: Finding) -> Outcome:
    return "fail" if finding.fails else "warn"


def title(change: Change) -> str:
    """Name and version, or what they were and are."""
    old, new = change.old, change.new
    if old and new:
        name = _both(old.model.name, new.model.name)
        return f"{name} {_both(_version(old), _version(new))}"
    beside = ""
    if change.beside:
        beside = f" {'beside' if new else 'gone, there is still'} {quoted(change.beside.version)}"
    return f"{quoted(change.entry.model.name)} {quoted(_version(change.entry))}{beside}"


def rows(subject: Subject) -> Iterator[tuple[str, str]]:
    """What is to be known of a change beside its metrics: a label, and a message."""
    change = subject.change
    yield "from", _both(*(origin(entry.model) if entry else None for entry in (change.old, change.new)))
    if found := _sizes(change.before, change.new or change.old):
        yield "size", found
    if change.bytes:
        yield "bytes", _bytes(change.bytes)
    if subject.evidence and subject.evidence.places:
        was = {"stale": " (as before)", "missing": " (not there)"}.get(subject.evidence.state, "")
        yield "evidence", ", ".join(quoted(place, 300) for place in subject.evidence.places) + was
    elif subject.evidence:
        yield "evidence", "none"
    if subject.code:
        yield "used in", places(subject.code)
    if subject.documents:
        yield "documented in", places(subject.documents)


def metric_rows(subject: Subject) -> Iterator[MetricRow]:
    """The metrics on both sides; the same on both is left out."""
    for movement in subject.movements:
        if movement.way != "same":
            old, new = (metric and metric.text for metric in (movement.old, movement.new))
            before, now = (quoted(shown(text)) if text else "" for text in (old, new))
            judged = _judged(movement)
            yield MetricRow(quoted(movement.name), before, now, _delta(movement), judged, _outcome(movement))


def places(found: Sequence[Place]) -> str:
    """Places by their files: ``code/train.py:12, 40``, and how many more there are."""
    lines = sorted({(place.path, place.line) for place in found})
    shown_, more = lines[:_MOST_PLACES], len(lines) - _MOST_PLACES
    files = (
        quoted(f"{path}:{', '.join(str(line) for _, line in group)}", 300)
        for path, group in groupby(shown_, key=lambda pair: pair[0])
    )
    return "; ".join(files) + (f" and {more} more" if more > 0 else "")


def count_places(found: Iterable[Place]) -> int:
    return len(set(map(attrgetter("path", "line"), found)))


def _kind(change: Change) -> str:
    return (
        "changed in metadata alone"
        if change.kind == "changed" and not change.matters and _metadata_alone(change)
        else change.kind
    )


def _metadata_alone(change: Change) -> bool:
    return all(field.where == "metadata" for field in change.fields)


def _version(entry: Entry) -> str:
    wish, version = entry.model.version, entry.version
    return version if wish == version else f"{version} ({wish})"


def _both(old: str | None, new: str | None) -> str:
    """Two texts, or the one that there is or that both are."""
    found = list(dict.fromkeys(text for text in (old, new) if text))
    return _ARROW.join(quoted(text, 300) for text in found)


def _sizes(old: Entry | None, new: Entry | None) -> str:
    found = [facts.size(entry) if entry else None for entry in (old, new)]
    known = list(dict.fromkeys(_amount(size) for size in found if size is not None))
    if found[0] and found[1] and found[0] != found[1]:
        percent = (found[1] - found[0]) * 100 / found[0]
        return f"{_ARROW.join(known)} ({percent:+.3g}%)"
    return _ARROW.join(known)


def _amount(size: int) -> str:
    return units.scaled(size) if size >= 1024 else f"{size} bytes"


def _bytes(found: Bytes) -> str:
    said = _BYTES[found.state]
    for differing in found.differing[:1]:
        of = f" of {quoted(differing.path)}" if differing.path else ""
        old, new = map(quoted, identity.short(differing))
        said += f": {differing.what}{of} {old}{_ARROW}{new}"
    return said


def _delta(movement: Movement) -> str:
    if not movement.delta:
        return ""
    return signed(movement.delta, percent=in_percent((movement.old, movement.new)))


def _judged(movement: Movement) -> str:
    said = _WAYS[movement.way]
    if movement.way in ("worse", "tolerated"):
        percent = in_percent((movement.old, movement.new))
        allowed = signed(movement.allowance, percent=percent).lstrip("+") if movement.allowance else "nothing"
        before = " before this change" if movement.by else ""
        return f"{said} ({allowed} tolerated{before})" if movement.way == "worse" else f"{said} of {allowed}"
    return said


def _outcome(movement: Movement) -> Outcome:
    ways: dict[str, Outcome] = {"worse": "fail", "other unit": "fail", "better": "pass", "same": "pass"}
    return ways.get(movement.way, "warn" if movement.way == "gone" else "off")
