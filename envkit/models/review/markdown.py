"""A review as a comment of a pull request: GitHub's Markdown, which GitLab and Gitea read too.

What stands in ``models.yaml`` comes from whoever opened the pull request. It is put nowhere but in code spans, in which
no markup, no link and no mention of a person is made of it; what a code span cannot hold is written as entities in an
element. A marker in the first line lets a pipeline find its comment again, to write it anew.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from envkit.models.review import evidence, view
from envkit.models.review.facts import Subject
from envkit.models.review.fields import FieldChange
from envkit.models.review.gates import Finding
from envkit.models.review.report import Review, label
from envkit.models.review.wording import cut, marked

_T = TypeVar("_T")

MARKER = "<!-- envkit models diff -->"
MOST = 65_000
"""Characters, as GitHub counts them: it takes 65,536."""

_SIGNS = {"fail": "❌", "warn": "⚠️", "pass": "✅", "off": "💤"}
_VERDICTS = {"fail": "Do not merge", "warn": "Look before you merge", "pass": "Nothing speaks against it"}
_STEPS = (60, 40, 20, 10, 5, 2, 1)
"""How much of each list is shown, tried until it fits: findings of a gate, notes, models, fields of a model."""
_MOST_VALUE = 300
_ROOM_TO_SAY_SO = 800
_SAFE = re.compile(r"[^`|\\]*")
_LITERAL = re.compile(r"[^A-Za-z0-9 ]")


def render(review: Review) -> str:
    """The whole comment. Where it would be too long, lists are cut and the last details left out, and it says so."""
    command = f"envkit models diff {review.compared.text}"
    end = f"\n<sub>{code(command)}</sub>\n"
    room = MOST - _length(end) - _ROOM_TO_SAY_SO
    top = _fitting(("\n".join(_top(review, most)) for most in _STEPS), room) or ""
    room -= _length(top)
    kept = []
    subjects = view.in_order(review)
    for subject in subjects:
        block = _fitting(("\n".join(_detail(subject, most)) for most in _STEPS), room)
        if block is None:
            break
        room -= _length(block) + 1
        kept.append(block)
    if left := len(subjects) - len(kept):
        kept.append(
            f"*The details of {left} more are left out here, where a comment has no room for them:* "
            f"{code(f'{command} --format html')} *shows all.*\n"
        )
    return "\n".join([top, *kept, end])


def code(text: str) -> str:
    """A text of another's as it is, in a table or out of one."""
    if not text.strip():
        return "<code>&nbsp;</code>"
    if _SAFE.fullmatch(text) and text == text.strip():
        return f"`{text}`"
    return f"<code>{_entities(text)}</code>"


def message(text: str) -> str:
    """A message of ours, with what is another's in it as code."""
    return marked(text, _ours, code)


def linked(text: str) -> str:
    """The same, with what is a plain URL as a link that shows where it leads."""
    return marked(text, _ours, lambda theirs: f"<{theirs}>" if evidence.is_link(theirs) else code(theirs))


def _ours(text: str) -> str:
    return re.sub(r"([\\*_<>|~\[\]#@])", r"\\\1", text)


def _top(review: Review, most: int) -> Iterator[str]:
    yield MARKER
    yield f"## {_SIGNS[review.verdict]} {_VERDICTS[review.verdict]}: {message(view.headline(review))}"
    yield ""
    parts = [message(view.compared(review)), view.counts(review), message(view.download(review))]
    yield " · ".join(part for part in parts if part)
    for finding in [found for found in review.findings if found.gate == "digest" and found.fails][:most]:
        yield f"\n> [!CAUTION]\n> {_finding(finding)}"
    for note in review.notes[:most]:
        yield f"\n> [!NOTE]\n> {message(note)}"
    yield ""
    if review.facts.subjects or review.findings:
        yield from _gates(review, most)
        yield ""
    if review.facts.subjects:
        yield from _overview(review, most)
        yield ""


def _gates(review: Review, most: int) -> Iterator[str]:
    yield "| | gate | what it found |"
    yield "|---|---|---|"
    for gate in sorted(review.gates, key=lambda gate: ("fail", "warn", "pass", "off").index(gate.outcome)):
        found = sorted(gate.findings, key=lambda finding: not finding.fails)
        if not found:
            continue
        yield f"| {_SIGNS[gate.outcome]} | {gate.name} | {_listed(found, _finding, most)} |"
    for outcome, said in (("pass", ""), ("off", "off in envkit.yaml")):
        if names := [gate.name for gate in review.gates if gate.outcome == outcome]:
            yield f"| {_SIGNS[outcome]} | {', '.join(names)} | {said} |"


def _finding(finding: Finding) -> str:
    change, remark = finding.remark.change, finding.remark
    who = f"**{code(label(change))}** " if change else ""
    hint = f" *{message(remark.hint)}*" if remark.hint else ""
    return f"{who}{message(remark.message)}.{hint}" if hint else f"{who}{message(remark.message)}"


def _overview(review: Review, most: int) -> Iterator[str]:
    found = view.outcomes(review)
    subjects = view.in_order(review)
    yield "| | model | size | metrics | used in |"
    yield "|---|---|---|---|---|"
    for subject in subjects[:most]:
        facts = dict(view.rows(subject))
        sign = _SIGNS[found.get(id(subject.change), "pass")]
        model = f"{subject.change.kind}: {message(view.title(subject.change))}"
        metrics = _listed(list(view.metric_rows(subject)), _metric, 5)
        count = view.count_places(subject.code)
        places = f"{count} place{'s' if count != 1 else ''}" if count else ""
        yield f"| {sign} | {model} | {message(facts.get('size', ''))} | {metrics} | {places} |"
    if (more := len(subjects) - most) > 0:
        yield f"| | *and {more} more* | | | |"


def _metric(row: view.MetricRow) -> str:
    values = " → ".join(message(value) for value in (row.old, row.new) if value)
    sign = {"fail": " ❌", "warn": " ⚠️"}.get(row.outcome, "")
    return f"{message(row.name)} {values}" + (f" ({row.delta})" if row.delta else "") + sign


def _listed(found: Sequence[_T], show: Callable[[_T], str], most: int) -> str:
    more = [f"and {len(found) - most} more"] if len(found) > most else []
    return "<br>".join([*map(show, found[:most]), *more])


def _detail(subject: Subject, most: int) -> Iterator[str]:
    change = subject.change
    title = marked(view.title(change), html.escape, lambda text: f"<code>{_entities(text)}</code>")
    yield f"<details><summary>{change.kind}: {title}</summary>"
    yield ""
    for what, said in view.rows(subject):
        yield f"- {what}: {linked(said) if what == 'evidence' else message(said)}"
    if metrics := list(view.metric_rows(subject)):
        yield "\n| metric | before | now | | |\n|---|---|---|---|---|"
        for row in metrics[:most]:
            cells = (message(row.name), message(row.old), f"**{message(row.new)}**" if row.new else "")
            yield f"| {' | '.join(cells)} | {row.delta} | {_ours(row.judged)} |"
    if change.fields:
        yield "\n| | field | before | now |\n|---|---|---|---|"
        yield from (_field(field) for field in change.fields[:most])
    if (more := len(change.fields) - most) > 0:
        yield f"| | *and {more} more* | | |"
    yield "\n</details>\n"


def _field(field: FieldChange) -> str:
    old, new = ("" if text is None else code(cut(text, _MOST_VALUE)) for text in (field.old, field.new))
    where = {"registry": "", "lock": "lock", "metadata": "metadata"}[field.where]
    return f"| {where} | {code(cut(field.key, _MOST_VALUE))} | {old} | {new} |"


def _entities(text: str) -> str:
    return _LITERAL.sub(lambda found: f"&#{ord(found[0])};", text)


def _fitting(texts: Iterable[str], room: int) -> str | None:
    """The first text that there is room for."""
    return next((text for text in texts if _length(text) < room), None)


def _length(text: str) -> int:
    """As a form counts it: what lies beyond the basic plane is two."""
    return len(text.encode("utf-16-le")) // 2
