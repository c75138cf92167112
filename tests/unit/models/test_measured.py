"""`metrics` and `benchmark`: what is plainly meant for envkit has to be right, anything else may stay as it is."""

from __future__ import annotations

from textwrap import dedent, indent

import pytest

from envkit.errors import InputError, Problem
from envkit.models import metrics
from envkit.models.registry import registry
from envkit.models.registry.registry import Registry

ENTRY = f"""\
models:
  - name: resnet
    version: v1
    source: http
    url: https://h/resnet.onnx
    md5: {"0a" * 16}
"""
TOLD = "write a number, such as 0.768 or 76.8%"
ZERO = "expected a number of 0 or more, such as 0.005 or 0.5%"


def entry(more: str) -> str:
    return ENTRY + indent(dedent(more), "    ")


def problems(text: str) -> list[Problem]:
    with pytest.raises(InputError) as raised:
        registry.parse(text)
    return list(raised.value.problems)


def doubts(text: str) -> list[Problem]:
    found = registry.parse(text).warnings
    assert all(problem.level == "warning" for problem in found)
    return list(found)


def placed(found: list[Problem]) -> list[tuple[str, str, str | None]]:
    return [(f"{problem.line}:{problem.column}", problem.message, problem.hint) for problem in found]


def measured(found: Registry) -> dict[str, float]:
    return {name: metric.value for name, metric in metrics.of(found.models[0], found).items()}


def test_numbers_percentages_and_mappings_are_metrics() -> None:
    text = entry(
        """\
        metrics:
          top1: 76.8%
          map: 0.301
          loss: "1.5e-3"
          latency: {value: 12 , unit: ms, higher_is_better: false, tolerance: 0.5, relative_tolerance: 5%}
          recall:
        benchmark: docs/benchmarks/resnet.md#top1
        """
    )
    found = registry.parse(text)
    assert found.warnings == ()
    assert measured(found) == {"top1": 0.768, "map": 0.301, "loss": 0.0015, "latency": 12.0}


def test_what_is_wrong_about_a_metric_is_told_at_its_place() -> None:
    text = entry(
        """\
        metrics:
          top1: 76,8%
          map: {value: 0.3.1, higher_is_better: sure}
          loss: {valeu: 1, tolerance: -1, dataset: coco}
          recall:
            value: 0.5
            relative_tolerance: [1]
            tolerance:
        """
    )
    assert placed(problems(text)) == [
        ("8:13", "model 'resnet' has metric 'top1' '76,8%', which is no number", TOLD),
        ("9:20", "model 'resnet' has metric 'map' '0.3.1', which is no number", TOLD),
        ("9:45", "model 'resnet' has metric 'map' with higher_is_better 'sure'", "expected true or false"),
        ("10:7", "model 'resnet' has metric 'loss' without a value", "write `value: 76.8%` below it"),
        ("10:14", "model 'resnet' has metric 'loss' with unknown key 'valeu'", "did you mean 'value'?"),
        ("10:35", "model 'resnet' has metric 'loss' with tolerance '-1'", ZERO),
        ("13:29", "model 'resnet' has metric 'recall' with relative_tolerance that is a list", ZERO),
        ("14:9", "model 'resnet' has metric 'recall' with tolerance that is empty", ZERO),
    ]


def test_metrics_of_a_teams_own_shape_stay_with_a_warning() -> None:
    text = entry(
        """\
        metrics:
          dataset: ImageNet
          coco: {map: 0.3, map50: 0.5}
          classes: [0.1, 0.2]
          speed: {value: not yet, unit: ms}
          top1: {value: 0.768, dataset: ImageNet}
          top5: {value: , unit: "%"}
        """
    )
    compares = "nothing compares it"
    assert placed(doubts(text)) == [
        ("8:16", f"model 'resnet' has metric 'dataset' 'ImageNet', which is no number: {compares}", None),
        ("9:13", f"model 'resnet' has metric 'coco' that is a mapping, no number: {compares}", None),
        ("10:16", f"model 'resnet' has metric 'classes' that is a list, no number: {compares}", None),
        ("11:22", f"model 'resnet' has metric 'speed' 'not yet', which is no number: {compares}", None),
    ]
    assert measured(registry.parse(text)) == {"top1": 0.768}


@pytest.mark.parametrize(
    ("more", "place", "message"),
    [
        ("metrics: see the paper", "7:14", "has metrics that are plain text, not a mapping: nothing compares them"),
        ("metrics:\n  - top1", "7:5", "has metrics that are a list, not a mapping: nothing compares them"),
        ("metric: {top1: 1}", "7:5", "has unknown key 'metric'"),
        ("benchmarks: a.md", "7:5", "has unknown key 'benchmarks'"),
        ("benchmark: [a.md, [b.md]]", "7:23", "has a list in its benchmark's list: nothing counts it as evidence"),
        ("benchmark: {dataset: coco}", "7:16", "has a benchmark without a report: nothing counts it as evidence"),
        ("benchmark: {report: []}", "7:16", "has a benchmark without a report: nothing counts it as evidence"),
        ("benchmark:\n- {by: me}", "8:7", "has a benchmark without a report: nothing counts it as evidence"),
    ],
)
def test_what_nothing_reads_is_a_warning(more: str, place: str, message: str) -> None:
    ((found, said, _),) = placed(doubts(entry(more)))
    assert (found, said) == (place, f"model 'resnet' {message}")


@pytest.mark.parametrize(
    "more",
    [
        *("metrics:", "metrics: {}", "benchmark:", "benchmark: {report: }", "benchmark: []"),
        *("benchmark: https://h/a?b", "benchmark: a b.md", "benchmark: ../reports/a.md"),
        "benchmark: [a.md, https://h/a, {report: b.md, by: me}]",
    ],
)
def test_what_is_no_slip_is_no_warning(more: str) -> None:
    assert doubts(entry(more)) == []


@pytest.mark.parametrize(
    ("more", "place", "message", "hint"),
    [
        ("benchmark: ftp://h/a", "7:16", "has a benchmark that is not an http:// or https:// URL", None),
        (
            "benchmark: /srv/report",
            "7:16",
            "has benchmark '/srv/report'",
            "expected a URL, or a path in the repository",
        ),
        ("benchmark: ~/report", "7:16", "has benchmark '~/report'", "expected a URL, or a path in the repository"),
        ("benchmark: a\\b", "7:16", r"has benchmark 'a\\b'", "expected a URL, or a path in the repository"),
        ("benchmark: [a, /b]", "7:20", "has benchmark '/b'", "expected a URL, or a path in the repository"),
        ("benchmark: {report: /a}", "7:25", "has benchmark '/a'", "expected a URL, or a path in the repository"),
        ("benchmark: {reprot: a}", "7:17", "has unknown key 'reprot' in its benchmark", "did you mean 'report'?"),
    ],
)
def test_what_is_wrong_about_a_benchmark(more: str, place: str, message: str, hint: str | None) -> None:
    assert placed(problems(entry(more))) == [(place, f"model 'resnet' {message}", hint)]


def test_the_registrys_own_metrics_hold_for_every_entry() -> None:
    text = "metrics:\n  size_mb: {higher_is_better: false, tolerance: 1, unit: MB}\n" + entry("size_mb: 12")
    found = registry.parse(text)
    (metric,) = metrics.of(found.models[0], found).values()
    assert (metric.value, metric.higher_is_better, metric.tolerance) == (12.0, False, 1.0)


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        (
            "metrics: top1",
            "1:10",
            "'metrics' is plain text, not a mapping",
            "write the name of a metric below it, and `",
        ),
        ("metrics: [top1]", "1:10", "'metrics' is a list, not a mapping", "write the name of a metric below it, and `"),
        ("metrics:\n- top1", "1:1", "'metrics' is a list, not a mapping", "write the name of a metric below it, and `"),
        (
            "metrics:\n  top1: 0.7",
            "2:9",
            "metric 'top1' is plain text, not a mapping",
            "write `higher_is_better: true`",
        ),
        (
            "metrics:\n  top1:",
            "2:3",
            "metric 'top1' is empty, not a mapping",
            "write `higher_is_better: true` below it",
        ),
        (
            "metrics: {a: {lower_is_better: 1}}",
            "1:15",
            "metric 'a' with unknown key 'lower_is_better'",
            "known: higher_is_better, tolerance, relative_tolerance, unit, description",
        ),
        (
            "metrics: {a: {tolerence: 1}}",
            "1:15",
            "metric 'a' with unknown key 'tolerence'",
            "did you mean 'tolerance'?",
        ),
        ("metrics: {a: {tolerance: x}}", "1:26", "metric 'a' with tolerance 'x'", ZERO),
        (
            "metrics: {a: {higher_is_better: 'true'}}",
            "1:33",
            "metric 'a' with higher_is_better 'true'",
            "expected true",
        ),
    ],
)
def test_what_is_wrong_about_the_registrys_own_metrics(text: str, place: str, message: str, hint: str) -> None:
    ((found, said, told),) = placed(problems(f"{text}\nmodels: []"))
    assert (found, said) == (place, message)
    assert (told or "").startswith(hint)


def test_no_metrics_are_no_problem() -> None:
    assert registry.parse("metrics:\nmodels: []").metrics == {}
