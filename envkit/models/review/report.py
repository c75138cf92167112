"""One review, whole: what `envkit models diff` shows in each of its forms."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from envkit.errors import Problem
from envkit.git import Repository
from envkit.models import units
from envkit.models.locking.lock import FILE as LOCK
from envkit.models.review import changed, compare, evidence, facts, gates, reading, usage
from envkit.models.review import levels as levels_
from envkit.models.review.compare import Change
from envkit.models.review.evidence import Tree
from envkit.models.review.facts import Facts
from envkit.models.review.gates import Finding, Gate
from envkit.models.review.levels import Levels
from envkit.models.review.ranges import Range
from envkit.models.review.reading import Sides
from envkit.models.review.rules import RULES
from envkit.models.review.wording import plain, quoted
from envkit.result import Case
from envkit.settings import REGISTRY


@dataclass(frozen=True)
class Review:
    """What was compared, all that is known of it, what the gates say, and what else a reviewer has to know."""

    compared: Range
    facts: Facts
    gates: tuple[Gate, ...]
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> Literal["pass", "warn", "fail"]:
        return gates.verdict(self.gates)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the gates found: what fails first, then in their order."""
        found = [finding for gate in self.gates for finding in gate.findings]
        return tuple(sorted(found, key=lambda finding: not finding.fails))


def review(repository: Repository, compared: Range, levels: Levels) -> Review:
    """Look at a range, and at what in the repository bears on it; ``levels`` count where the older side's are laxer.

    Raises:
        InputError: as `reading.read` does.
    """
    sides = reading.read(repository, compared)
    changes = compare.compare(sides.base, sides.head)
    paths = changed.paths(repository, compared.start, compared.head.commit)
    tree = Tree(repository.prefix, _present(repository, compared, changes), paths)
    sought = list(dict.fromkeys(word for change in changes for word in facts.sought(change)))
    large = usage.large(repository, compared.head.commit) if sought else ()
    found = usage.search(repository, compared.head.commit, sought[: usage.MOST_WORDS], large)
    there = facts.words_there(sides.head)
    registries = sides.base.registry, sides.head.registry
    known = Facts(
        sides.base,
        sides.head,
        tuple(facts.subject(change, *registries, tree, found, there) for change in changes),
        changed.documents(paths),
        sides.rules,
        comparable=sides.comparable,
    )
    notes = tuple(_notes(sides, known, sought, large))
    return judged(compared, known, levels_.stricter(sides.levels, levels), notes)


def judged(compared: Range, known: Facts, levels: Levels, notes: tuple[str, ...] = ()) -> Review:
    """The review of facts that are known. Pure."""
    return Review(compared, known, gates.judge(known, levels, RULES), notes)


def cases(found: Review) -> tuple[Case, ...]:
    """Each gate on each entry that changed, with the problem it has with it, at its line of the newer side."""
    listed = []
    for gate in found.gates:
        if gate.outcome == "off":
            continue
        group, about = f"review/{gate.name}", {id(finding.remark.change): finding for finding in gate.findings}
        listed += [Case(group, label(finding.remark.change), problem(finding)) for finding in gate.findings]
        quiet = (subject.change for subject in found.facts.subjects if id(subject.change) not in about)
        listed += [Case(group, label(change)) for change in quiet]
        if not found.facts.subjects and not gate.findings:
            listed.append(Case(group, label(None), note="no model changed"))
    return tuple(listed)


def problem(finding: Finding) -> Problem:
    """A finding as a problem of the file that it is about."""
    remark, rule = finding.remark, f"review/{finding.gate}"
    message, hint = plain(remark.message), plain(remark.hint) if remark.hint else None
    empty = Problem(REGISTRY, 0, 0, message, hint, rule, "error" if finding.fails else "warning")
    change = remark.change
    if change is None:
        return empty
    named = replace(empty, message=f"{change.entry.model} {message}")
    if change.new is None:
        return named
    if remark.in_lock and change.new.locked:
        line, column = change.new.locked.mark
        return replace(named, file=LOCK, line=line, column=column)
    line, column = change.new.model.place(remark.key)
    return replace(named, line=line, column=column)


def label(change: Change | None) -> str:
    """The entry of a change for a list: its name and version; of none, what is about all of them."""
    return f"{change.entry.model.name} {change.entry.version}" if change else "all models"


def _present(repository: Repository, compared: Range, changes: Iterable[Change]) -> frozenset[str]:
    wanted = {
        place for change in changes if change.new for place in evidence.wanted(change.new.model, repository.prefix)
    }
    return changed.present(repository, compared.head.commit, wanted) if wanted else frozenset()


def _notes(sides: Sides, known: Facts, sought: list[str], large: Collection[str]) -> Iterable[str]:
    yield from sides.notes
    undirected = {
        movement.name: None for subject in known.subjects for movement in subject.movements if movement.way == "changed"
    }
    for name in undirected:
        yield f"nobody says which way {quoted(name)} is better: declare it under metrics in {REGISTRY}"
    if len(sought) > usage.MOST_WORDS:
        yield f"who uses them was looked for by {usage.MOST_WORDS} of {len(sought)} names"
    if large:
        files = units.counted(len(large), "file")
        yield f"who uses them was not looked for in {files} of more than {units.scaled(usage.LARGE)}"
