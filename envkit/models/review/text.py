"""A review for a terminal or a log."""

from __future__ import annotations

from collections.abc import Iterator

from envkit.models.review import view
from envkit.models.review.facts import Subject
from envkit.models.review.report import Review, label
from envkit.models.review.view import SIGNS
from envkit.models.review.wording import cut, plain

_WORDS = {"fail": "FAIL", "warn": "warn", "pass": "pass", "off": "off"}
_MOST = 160  # characters of a value
_MOST_FIELDS = 60
_WIDTH = 12


def render(review: Review) -> Iterator[str]:
    """Its lines: the verdict, the gates, and what changed, the worst first."""
    yield f"{_WORDS[review.verdict]}: {plain(view.headline(review))}"
    yield f"{_plain(view.compared(review))}: {view.counts(review)}"
    if download := view.download(review):
        yield _plain(download)
    for note in review.notes:
        yield f"note: {_plain(note)}"
    if review.facts.subjects or review.findings:
        yield ""
        yield from _gates(review)
    for subject in view.in_order(review):
        yield ""
        yield from _subject(subject)


def _gates(review: Review) -> Iterator[str]:
    for finding in review.findings:
        change = finding.remark.change
        who = f"{label(change)} " if change else ""
        word = _WORDS["fail" if finding.fails else "warn"]
        yield f"{word}  {finding.gate:<{_WIDTH}}{who}{_plain(finding.remark.message)}"
        if finding.remark.hint:
            yield f"{'':<{_WIDTH + 6}}{_plain(finding.remark.hint)}"
    for outcome in ("pass", "off"):
        if names := [gate.name for gate in review.gates if gate.outcome == outcome]:
            yield f"{outcome:<4}  {', '.join(names)}"


def _subject(subject: Subject) -> Iterator[str]:
    change = subject.change
    yield f"{SIGNS[change.kind]} {_plain(view.title(change))}"
    for what, said in view.rows(subject):
        yield _row(what, _plain(said))
    for row in view.metric_rows(subject):
        values = f"{_plain(row.old)} -> {_plain(row.new)}".strip(" ->") if not row.delta else None
        values = values or f"{_plain(row.old)} -> {_plain(row.new)} ({row.delta})"
        yield _row(plain(row.name), f"{values}, {row.judged}")
    for field in change.fields[:_MOST_FIELDS]:
        where = {"lock": "lock: ", "registry": "", "metadata": ""}[field.where]
        old, new = ("none" if text is None else cut(text, _MOST) for text in (field.old, field.new))
        yield _row(f"{where}{field.key}", f"{old} -> {new}")
    if (more := len(change.fields) - _MOST_FIELDS) > 0:
        yield _row("", f"and {more} more fields")


def _row(what: str, said: str) -> str:
    return f"    {what:<{_WIDTH + 2}}{' ' if len(what) >= _WIDTH + 2 else ''}{said}"


def _plain(message: str) -> str:
    return plain(message).replace("→", "->")
