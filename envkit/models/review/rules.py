"""What each gate looks at. Pure: facts → remarks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from envkit.models import units
from envkit.models.locking.lock import FILE as LOCK
from envkit.models.locking.lock import MEND
from envkit.models.movement import Movement, decimal, in_percent, signed
from envkit.models.review import evidence as evidences
from envkit.models.review import facts as facts_
from envkit.models.review import identity
from envkit.models.review.compare import Change
from envkit.models.review.facts import Facts, Subject
from envkit.models.review.gates import Remark, Rule
from envkit.models.review.identity import Bytes
from envkit.models.review.levels import Levels
from envkit.models.review.usage import Place
from envkit.models.review.wording import quoted, shown

_OWN_VERSION = "other bytes are another version: give it one"
_LICENCES = ("license", "licence")
_FEW = 3
_JUDGES = {
    "metrics": "what is a regression by either is one",
    "review": "this change is judged by the stricter",
    "policy": "`models check` goes by that",
}


def digest(facts: Facts, _: Levels) -> Iterator[Remark]:
    """Other bytes under the same version, or what could be; and a new version that is none."""
    for subject in facts.subjects:
        change = subject.change
        if change.bytes is None:
            continue
        if change.same_version:
            yield from _same_version(change, change.bytes)
        elif change.kind == "changed" and change.bytes.state == "same" and change.old:
            hint = "were the digest and the place to get it from left as they were?"
            message = f"is a new version, and the very bytes that {quoted(change.old.version)} was"
            yield Remark(message, change, hint, "version", mild=True)


def _same_version(change: Change, bytes_: Bytes) -> Iterator[Remark]:
    if bytes_.state == "changed":
        in_lock = _only_in_lock(change)
        yield Remark(_other_bytes(change, bytes_), change, _OWN_VERSION, _digest_key(bytes_), in_lock=in_lock)
    elif bytes_.state == "lost":
        hint = f"put it back, or have one by `{MEND}`"
        yield Remark("has no digest any more: nothing says that it is the same bytes", change, hint)
    elif bytes_.state == "replaced":
        hint = "keep the one it had beside it: both have to match then"
        yield Remark("has a digest of another kind than before: nothing says that it is the same bytes", change, hint)
    elif bytes_.state == "members":
        yield Remark("is other files under the same version", change, _OWN_VERSION, "path", mild=True)
    elif bytes_.state == "unproven":
        message = "comes from another place under the same version, and no digest says that it is the same"
        yield Remark(message, change, _OWN_VERSION, "source", mild=True)


def _other_bytes(change: Change, bytes_: Bytes) -> str:
    if not bytes_.differing:
        return "is pinned to another commit under the same version"
    first = bytes_.differing[0]
    of = f" of {quoted(first.path)}" if first.path else ""
    files = {differing.path for differing in bytes_.differing}
    more = f", and {len(files) - 1} more of its files" if len(files) > 1 else ""
    only = f"; only {LOCK} shows it" if _only_in_lock(change) else ""
    old, new = map(quoted, identity.short(first))
    said = f"{first.what}{of} was {old} and is {new}"
    return f"has OTHER BYTES under the same version: {said}{more}{only}"


def _only_in_lock(change: Change) -> bool:
    return not any(field.where == "registry" for field in change.fields)


def _digest_key(bytes_: Bytes) -> str:
    return bytes_.differing[0].what if bytes_.differing else "revision"


def regression(facts: Facts, _: Levels) -> Iterator[Remark]:
    """Numbers that are worse by more than is tolerated, gone, or not to be compared."""
    for subject in facts.subjects:
        change = subject.change
        beside = change.old is None
        for movement in subject.movements:
            if movement.way == "worse":
                hint = "the version before stays beside it" if beside else None
                yield Remark(_worse(movement, change), change, hint, _metric_key(movement, change), mild=beside)
            elif movement.way == "other unit":
                yield _other_unit(movement, change, mild=beside)
            elif movement.way == "gone" and movement.old and not beside:
                message = f"does not say its {quoted(movement.name)} any more; it was {quoted(movement.old.text)}"
                hint = "measure it again, or say why it is gone"
                mild = movement.old.higher_is_better is None or not change.matters
                yield Remark(message, change, hint, "metrics", mild=mild)


def _worse(movement: Movement, change: Change) -> str:
    old, new = movement.old, movement.new
    assert old is not None
    assert new is not None
    assert movement.delta is not None
    percent = in_percent((old, new))
    fell = "fell" if movement.delta < 0 else "rose"
    than = f" (of {quoted(change.beside.version)})" if change.old is None and change.beside else ""
    tolerated = signed(movement.allowance, percent=percent).lstrip("+") if movement.allowance else "nothing"
    by = signed(movement.delta, percent=percent)
    values = f"from {quoted(old.text)}{than} to {quoted(new.text)}"
    judge = " by its direction and tolerance before this change" if movement.by else ""
    return f"is worse{judge}: {quoted(movement.name)} {fell} {values} ({by}; {tolerated} is tolerated)"


def _other_unit(movement: Movement, change: Change, *, mild: bool) -> Remark:
    old, new = movement.old, movement.new
    assert old is not None
    assert new is not None
    message = f"has a {quoted(movement.name)} that went from {quoted(old.text)} to {quoted(new.text)}: another unit?"
    larger = new if new.value > old.value else old
    written = shown(larger.text)
    hint = f"76.8% and 0.768 are one number, 76.8 is another: is {quoted(written)} meant as {quoted(f'{written}%')}?"
    more_is_better = movement.rule is not None and movement.rule.higher_is_better is True
    return Remark(message, change, hint, _metric_key(movement, change), mild=mild or not more_is_better)


def _metric_key(movement: Movement, change: Change) -> str:
    return movement.name if change.new and movement.name in change.new.model.marks else "metrics"


def evidence(facts: Facts, _: Levels) -> Iterator[Remark]:
    """New bytes, a new version or a new model with nothing to show how good it is; and new numbers for old bytes."""
    for subject in facts.subjects:
        change, found = subject.change, subject.evidence
        if found is None:
            if _only_numbers(subject):
                hint = f"who measured it? name the report: {evidences.KEY}"
                yield Remark("has other numbers for the same bytes, and no other evidence", change, hint, mild=True)
        elif found.state == "none":
            hint = found.why or f"name a report, by its URL or its path in the repository: {evidences.KEY}"
            yield Remark("has no evidence of how good it is", change, hint)
        elif found.state == "missing":
            message = f"names {quoted(found.places[0])} as its evidence: {found.why}"
            yield Remark(message, change, "commit the report with the change", evidences.KEY)
        elif found.state == "stale":
            message = f"names {quoted(found.places[0])} as its evidence, as it did before: is that of the new bytes?"
            yield Remark(message, change, None, evidences.KEY, mild=True)


def _only_numbers(subject: Subject) -> bool:
    change = subject.change
    if not (change.old and change.new) or change.matters:
        return False
    moved = any(movement.way not in ("same", "new", "gone") for movement in subject.movements)
    return moved and not any(field.key.partition(".")[0] == evidences.KEY for field in change.fields)


def licence(facts: Facts, _: Levels) -> Iterator[Remark]:
    """A licence that is another, or is not said any more."""
    for subject in facts.subjects:
        change, before = subject.change, subject.change.before
        if change.new is None or before is None:
            continue
        old, new = _licence(before.model.metadata), _licence(change.new.model.metadata)
        if old and not new:
            yield Remark(f"does not say its licence any more; it was {quoted(old)}", change, None)
        elif old and new and old.casefold() != new.casefold():
            key = next(key for key in _LICENCES if key in change.new.model.metadata)
            yield Remark(f"is under another licence: {quoted(old)} before, {quoted(new)} now", change, None, key)


def _licence(metadata: Mapping[str, object]) -> str | None:
    found = next((metadata[key] for key in _LICENCES if metadata.get(key)), None)
    return shown(found).strip() if found else None


def size(facts: Facts, levels: Levels) -> Iterator[Remark]:
    """A model that is larger by more than the part that goes unremarked."""
    for subject in facts.subjects:
        change, before = subject.change, subject.change.before
        if change.new is None or before is None:
            continue
        old, new = facts_.size(before), facts_.size(change.new)
        if old and new and new - old > levels.growth * old:
            by = f"+{(new - old) * 100 / old:.3g}%"
            hint = f"more than {decimal(levels.growth * 100)}% is remarked"
            yield Remark(f"is larger: {units.scaled(old)} before, {units.scaled(new)} now ({by})", change, hint, "size")


def usage(facts: Facts, _: Levels) -> Iterator[Remark]:
    """Code and configurations that name what will not be there any more."""
    for subject in facts.subjects:
        if broken := [place for place in subject.broken if not place.is_document]:
            yield Remark(f"is still named as it was in {_listed(broken)}", subject.change, _instead(subject.change))


def _instead(change: Change) -> str:
    if found := change.new or change.beside:
        return f"there is {quoted(facts_.stem(found))} now"
    return "take it out there too"


def docs(facts: Facts, _: Levels) -> Iterator[Remark]:
    """Models that changed without the documentation, or that it still calls by what they were."""
    changed = [subject for subject in facts.subjects if subject.change.matters]
    for subject in changed:
        if broken := [place for place in subject.broken if place.is_document]:
            yield Remark(f"is still named as it was in {_listed(broken)}", subject.change, _instead(subject.change))
    if changed and not facts.documents:
        places = sorted({place for subject in changed for place in subject.documents})
        hint = f"these name them: {_listed(places)}" if places else None
        yield Remark("no documentation changed with the models", None, hint)


def rules(facts: Facts, _: Levels) -> Iterator[Remark]:
    """A change of what the change is judged by."""
    for field in facts.rules:
        old, new = ("none" if text is None else quoted(text) for text in (field.old, field.new))
        yield Remark(f"{quoted(field.key)} was {old} and is {new}: {_JUDGES[field.key.partition('.')[0]]}")
    for subject in facts.subjects:
        for movement in subject.movements:
            if movement.old and movement.new and _own_rule_changed(movement, facts):
                message = f"is judged by another direction or tolerance of {quoted(movement.name)} than before"
                yield Remark(message, subject.change, None, "metrics")


def _own_rule_changed(movement: Movement, facts: Facts) -> bool:
    old, new = movement.old, movement.new
    assert old is not None
    assert new is not None
    if facts.base.registry.metrics.get(movement.name) != facts.head.registry.metrics.get(movement.name):
        return False
    return (old.higher_is_better, old.tolerance, old.relative_tolerance) != (
        new.higher_is_better,
        new.tolerance,
        new.relative_tolerance,
    )


def _listed(places: Iterable[Place]) -> str:
    """A few places, and how many more there are; a line that names a thing in two ways is one."""
    found = list(dict.fromkeys(map(str, places)))
    more = f" and {len(found) - _FEW} more" if len(found) > _FEW else ""
    return ", ".join(map(quoted, found[:_FEW])) + more


RULES: Mapping[str, Rule] = {
    "digest": digest,
    "regression": regression,
    "evidence": evidence,
    "licence": licence,
    "size": size,
    "usage": usage,
    "docs": docs,
    "rules": rules,
}
"""Each gate's rule, by its name; what each does where nobody says otherwise is in `levels`."""
