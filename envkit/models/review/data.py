"""A review as JSON types, for ``--json`` and ``--format json``: docs/reference/review.md has every key."""

from __future__ import annotations

from collections.abc import Sequence

from envkit.models.movement import Movement
from envkit.models.review import facts, view
from envkit.models.review.facts import Subject
from envkit.models.review.fields import origin
from envkit.models.review.gates import Gate
from envkit.models.review.ranges import Side
from envkit.models.review.report import Review, problem
from envkit.models.review.usage import Place
from envkit.models.review.wording import plain, shown
from envkit.models.revisions import Entry, Revision

SCHEMA = 1


def render(review: Review) -> dict[str, object]:
    """The whole of it."""
    known = review.facts
    return {
        "schema": SCHEMA,
        "range": review.compared.text,
        "base": _side(review.compared.base, known.base),
        "head": _side(review.compared.head, known.head),
        "verdict": review.verdict,
        "headline": plain(view.headline(review)),
        "gates": [_gate(gate) for gate in review.gates],
        "changes": [_subject(subject) for subject in known.subjects],
        "documents": list(known.documents),
        "notes": [plain(note) for note in review.notes],
    }


def _side(side: Side, revision: Revision) -> dict[str, object]:
    size, unknown = facts.download(revision)
    return {
        "name": side.name,
        "commit": side.commit,
        "models": len(revision.registry.models),
        "download": size,
        "of_unknown_size": unknown,
    }


def _gate(gate: Gate) -> dict[str, object]:
    found = []
    for finding in gate.findings:
        said, entry = problem(finding), finding.remark.change and finding.remark.change.entry
        found.append(
            {
                "name": entry.model.name if entry else None,
                "version": entry.version if entry else None,
                "outcome": "fail" if finding.fails else "warn",
                "message": plain(finding.remark.message),
                "hint": said.hint,
                "file": said.file,
                "line": said.line,
                "column": said.column,
            }
        )
    return {"gate": gate.name, "level": gate.level, "outcome": gate.outcome, "findings": found}


def _subject(subject: Subject) -> dict[str, object]:
    change = subject.change
    return {
        "kind": change.kind,
        "name": change.entry.model.name,
        "matters": change.matters,
        "same_version": change.same_version,
        "bytes": change.bytes.state if change.bytes else None,
        "old": _entry(change.old),
        "new": _entry(change.new),
        "beside": change.beside.version if change.beside else None,
        "fields": [{"key": f.key, "where": f.where, "old": f.old, "new": f.new} for f in change.fields],
        "metrics": [_movement(movement) for movement in subject.movements],
        "evidence": _evidence(subject),
        "usage": {"code": _places(subject.code), "documents": _places(subject.documents)},
        "broken": _places(subject.broken),
    }


def _entry(entry: Entry | None) -> dict[str, object] | None:
    if entry is None:
        return None
    digests = entry.digests
    return {
        "name": entry.model.name,
        "version": entry.version,
        "asked": entry.model.version,
        "locked": entry.locked is not None,
        "from": origin(entry.model),
        "path": f"checkpoints/{facts.stem(entry)}{entry.model.suffix}",
        "size": facts.size(entry),
        "md5": digests.md5,
        "sha256": digests.sha256,
    }


def _movement(movement: Movement) -> dict[str, object]:
    rule = movement.rule
    return {
        "name": shown(movement.name),
        "way": movement.way,
        "old": movement.old and movement.old.value,
        "new": movement.new and movement.new.value,
        "old_text": movement.old and shown(movement.old.text),
        "new_text": movement.new and shown(movement.new.text),
        "delta": None if movement.delta is None else float(movement.delta),
        "higher_is_better": rule and rule.higher_is_better,
        "tolerance": float(movement.allowance),
    }


def _evidence(subject: Subject) -> dict[str, object] | None:
    found = subject.evidence
    return None if found is None else {"state": found.state, "places": list(found.places)}


def _places(places: Sequence[Place]) -> list[dict[str, object]]:
    return [{"path": place.path, "line": place.line, "word": place.word} for place in places]
