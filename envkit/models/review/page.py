"""A review as one page that opens from disk: light and dark, no script, no request to anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path

from envkit.models import units
from envkit.models.review import evidence, view
from envkit.models.review.facts import Subject
from envkit.models.review.fields import FieldChange
from envkit.models.review.gates import Finding, Outcome
from envkit.models.review.report import Review, label
from envkit.models.review.wording import cut, marked, plain

_WORDS = {"fail": "fail", "warn": "warning", "pass": "pass", "off": "off"}
_VERDICTS = {"fail": "Do not merge", "warn": "Look before you merge", "pass": "Nothing speaks against it"}
_MOST_VALUE = 2000
_ALLOWED = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_OPEN = 20  # changes whose fields are not folded
_STYLE = Path(__file__).with_name("page.css")


def render(review: Review) -> Iterator[str]:
    """Its lines."""
    title = f"{_VERDICTS[review.verdict]}: {plain(view.headline(review))}"
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    # Whatever slips through could neither run nor call home.
    yield f'<meta http-equiv="Content-Security-Policy" content="{_ALLOWED}">'
    yield '<meta name="referrer" content="no-referrer"><link rel="icon" href="data:,">'
    yield f"<title>{escape(title)}</title>\n<style>\n{_STYLE.read_text('utf-8')}</style>\n</head>\n<body>"
    yield from _header(review)
    yield '<main>\n<section class="gates" aria-label="Gates">'
    yield from _gates(review)
    yield "</section>"
    outcomes = view.outcomes(review)
    for number, subject in enumerate(view.in_order(review)):
        yield from _subject(subject, outcomes.get(id(subject.change), "pass"), is_open=number < _OPEN)
    yield f"</main>\n<footer><code>envkit models diff {escape(review.compared.text)}</code></footer>\n</body>\n</html>"


def message(text: str) -> str:
    """A message of ours, with what is another's in it as code."""
    return marked(text, escape, lambda theirs: f"<code>{escape(theirs)}</code>")


def linked(text: str) -> str:
    """The same, with what is a plain URL as a link that shows where it leads."""
    return marked(text, escape, _link)


def _link(text: str) -> str:
    if not evidence.is_link(text):
        return f"<code>{escape(text)}</code>"
    return f'<a href="{escape(text)}" rel="noopener noreferrer nofollow">{escape(text)}</a>'


def _header(review: Review) -> Iterator[str]:
    yield f'<header class="{review.verdict}"><div>'
    yield f"<h1>{_VERDICTS[review.verdict]}</h1>\n<p class=headline>{message(view.headline(review))}</p>"
    yield f"<p>{message(view.compared(review))}</p>"
    parts = [view.counts(review), message(view.download(review))]
    yield f"<p>{' · '.join(part for part in parts if part)}</p>"
    for finding in review.findings:
        if finding.gate == "digest" and finding.fails:
            yield f'<p class="alarm" role="alert">{_finding(finding)}</p>'
    for note in review.notes:
        yield f'<p class="note">{message(note)}</p>'
    yield "</div></header>"


def _gates(review: Review) -> Iterator[str]:
    order: tuple[Outcome, ...] = ("fail", "warn", "pass", "off")
    for outcome in order:
        gates = [gate for gate in review.gates if gate.outcome == outcome]
        for gate in (gate for gate in gates if gate.findings):
            found = sorted(gate.findings, key=lambda finding: not finding.fails)
            yield f'<div class="gate {outcome}"><b>{gate.name}</b>{_chip(outcome)}'
            yield f"<ul>{''.join(f'<li>{_finding(finding)}</li>' for finding in found)}</ul></div>"
        if quiet := [gate.name for gate in gates if not gate.findings]:
            yield f'<div class="gate {outcome}"><b>{", ".join(quiet)}</b>{_chip(outcome)}</div>'


def _chip(outcome: Outcome) -> str:
    return f'<span class="chip {outcome}">{_WORDS[outcome]}</span>'


def _finding(finding: Finding) -> str:
    change, remark = finding.remark.change, finding.remark
    who = f"<code>{escape(label(change))}</code> " if change else ""
    hint = f"<small>{message(remark.hint)}</small>" if remark.hint else ""
    return f"{who}{message(remark.message)}{hint}"


def _subject(subject: Subject, outcome: Outcome, *, is_open: bool) -> Iterator[str]:
    change = subject.change
    chip = _chip(outcome) if outcome != "pass" else ""
    yield f'<article class="{outcome}"><h2><span class="kind {change.kind}">{change.kind}</span> '
    yield f"{message(view.title(change))}{chip}</h2>\n<dl>"
    for what, said in view.rows(subject):
        yield f"<dt>{what}</dt><dd>{linked(said) if what == 'evidence' else message(said)}</dd>"
    yield "</dl>"
    if metrics := list(view.metric_rows(subject)):
        yield "<table><thead><tr><th>metric<th>before<th>now<th>change<th></tr></thead><tbody>"
        yield from (_metric(row) for row in metrics)
        yield "</tbody></table>"
    if change.fields:
        yield f"<details{' open' if is_open else ''}><summary>{units.counted(len(change.fields), 'field')}</summary>"
        yield '<table class="fields"><thead><tr><th><th>field<th>before<th>now</tr></thead><tbody>'
        yield from (_field(field) for field in change.fields)
        yield "</tbody></table></details>"
    yield "</article>"


def _metric(row: view.MetricRow) -> str:
    cells = (message(row.name), message(row.old), message(row.new), escape(row.delta), escape(row.judged))
    return f'<tr class="{row.outcome}">{"".join(f"<td>{cell}" for cell in cells)}</tr>'


def _field(field: FieldChange) -> str:
    where = {"registry": "", "lock": "lock", "metadata": "metadata"}[field.where]
    old, new = (
        "" if text is None else f"<code>{escape(cut(text, _MOST_VALUE))}</code>" for text in (field.old, field.new)
    )
    return f'<tr><td>{where}<td><code>{escape(field.key)}</code><td class="old">{old}<td class="new">{new}</tr>'
