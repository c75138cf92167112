"""What a registry says of how good its models are: ``metrics`` and ``benchmark``, checked where they are written.

Both were free metadata before envkit read them. So only what is plainly meant for it has to be right: a number, a
mapping with `value` or a tolerance in it, an address. What is of another shape stays metadata, with a warning.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol

from envkit.models import spelling, urls
from envkit.models.registry import shapes
from envkit.models.registry.document import Field, Mark, shown

_TOLERANCES = ("tolerance", "relative_tolerance")
_PLAINLY = ("value", "higher_is_better", *_TOLERANCES)
_HOW = "write a number, such as 0.768 or 76.8%"
_MAPPING = "write `higher_is_better: true` below it"
_LIKE_A_NUMBER = re.compile(r"[+-]?\.?[0-9]")


class Teller(Protocol):
    """Who is told, about an entry or about the file: the message goes on from what it is about."""

    def complain(self, mark: Mark, message: str, hint: str | None = None) -> None: ...

    def warn(self, mark: Mark, message: str, hint: str | None = None) -> None: ...


def declared(field: Field, teller: Teller) -> Mapping[str, object]:
    """The registry's own ``metrics``, as JSON types: what each of them means."""
    value = field.value
    if value.fields is None:
        if value.scalar is None or value.text:
            hint = "write the name of a metric below it, and `higher_is_better: true` below that"
            teller.complain(field.place, f"'metrics' is {value.kind}, not a mapping", hint)
        return {}
    for metric in value.fields:
        label = f"metric {shown(metric.key)}"
        if metric.value.fields is None:
            teller.complain(metric.place, f"{label} is {metric.value.kind}, not a mapping", _MAPPING)
            continue
        for fact in metric.value.fields:
            if fact.key in shapes.DECLARED:
                _check_fact(fact, label, teller)
            else:
                # What is only for people has keys of its own: a word for another direction must not be passed over.
                hint = spelling.meant(fact.key, shapes.DECLARED) or f"known: {', '.join(shapes.DECLARED)}"
                teller.complain(fact.mark, f"{label} with unknown key {shown(fact.key)}", hint)
    return {metric.key: metric.value.plain() for metric in value.fields}


def check_metrics(field: Field, teller: Teller) -> None:
    """Say what is wrong with the ``metrics`` of an entry."""
    if field.value.fields is None:
        if field.value.plain() is not None:
            teller.warn(field.place, f"has metrics that are {field.value.kind}, not a mapping: nothing compares them")
        return
    for metric in field.value.fields:
        label = f"has metric {shown(metric.key)}"
        if metric.value.fields is None or not _is_meant(metric.value.fields):
            _check_value(metric, label, teller)
        else:
            _check_mapped(metric, metric.value.fields, label, teller)


def _check_mapped(metric: Field, facts: tuple[Field, ...], label: str, teller: Teller) -> None:
    for fact in facts:
        if fact.key == "value":
            _check_value(fact, label, teller)
        elif fact.key in shapes.MEASURED:
            _check_fact(fact, label, teller)
        elif hint := spelling.meant(fact.key, shapes.MEASURED):
            teller.complain(fact.mark, f"{label} with unknown key {shown(fact.key)}", hint)
    if not any(fact.key == "value" for fact in facts):
        teller.complain(metric.mark, f"{label} without a value", "write `value: 76.8%` below it")


def _check_value(field: Field, label: str, teller: Teller) -> None:
    """A metric, or the value of one: what looks like a number has to be one."""
    text = field.value.text
    if field.value.scalar is None:
        teller.warn(field.place, f"{label} that is {field.value.kind}, no number: nothing compares it")
    elif text is None or field.value.plain() is None or _number(field.value.plain()) is not None:
        return  # nothing yet, or a number
    elif _LIKE_A_NUMBER.match(text):
        teller.complain(field.place, f"{label} {shown(text)}, which is no number", _HOW)
    else:
        teller.warn(field.place, f"{label} {shown(text)}, which is no number: nothing compares it")


def _check_fact(fact: Field, label: str, teller: Teller) -> None:
    value = fact.value.plain()
    if fact.key == "higher_is_better":
        wanted = "" if isinstance(value, bool) else "expected true or false"
    elif fact.key in _TOLERANCES:
        found = _number(value) if fact.value.text else None
        wanted = "expected a number of 0 or more, such as 0.005 or 0.5%" if found is None or found < 0 else ""
    else:
        return
    if wanted:
        text = f"that is {fact.value.kind}" if fact.value.text is None else shown(fact.value.text)
        teller.complain(fact.place, f"{label} with {fact.key} {text}", wanted)


def _is_meant(facts: tuple[Field, ...]) -> bool:
    return any(fact.key in _PLAINLY or spelling.near(fact.key, _PLAINLY) for fact in facts)


def check_benchmark(field: Field, teller: Teller) -> None:
    """Say what is wrong with the ``benchmark`` of an entry: an address, a mapping with a report, or a list of them."""
    for value in (field.value,) if field.value.items is None else field.value.items:
        place = field.place if value is field.value else value.mark
        if value.fields is not None:
            _check_mapping(value.fields, place, teller)
        elif value.items is not None:
            teller.warn(place, "has a list in its benchmark's list: nothing counts it as evidence")
        elif value.text is not None:
            _check_report(value.text, place, teller)


def _check_mapping(facts: tuple[Field, ...], place: Mark, teller: Teller) -> None:
    report = next((fact for fact in facts if fact.key == "report"), None)
    slip = next((fact for fact in facts if spelling.near(fact.key, ("report",))), None)
    if report and report.value.text is not None:
        _check_report(report.value.text, report.place, teller)
    elif slip and not report:
        teller.complain(slip.mark, f"has unknown key {shown(slip.key)} in its benchmark", "did you mean 'report'?")
    elif not report or report.value.scalar is None:
        teller.warn(place, "has a benchmark without a report: nothing counts it as evidence")


def _check_report(text: str, place: Mark, teller: Teller) -> None:
    if "://" in text:
        if problem := urls.problem(text):
            teller.complain(place, f"has a benchmark that {problem}")
    elif text.startswith(("/", "~")) or "\\" in text:
        teller.complain(place, f"has benchmark {shown(text)}", "expected a URL, or a path in the repository")


def _number(value: object) -> float | None:
    # Most registries have none, and are read without it.
    from envkit.models.metrics import number

    return number(value)
