"""What is a metric, which number it is, and which way is better."""

from __future__ import annotations

from fractions import Fraction

import pytest

from envkit.models import metrics
from envkit.models.metrics import Metric
from envkit.models.registry import registry

ENTRY = "  - {{name: a, version: v1, source: http, url: 'https://models.example/a', {more}}}\n"


def of(more: str, top: str = "") -> dict[str, Metric]:
    parsed = registry.parse(f"{top}models:\n{ENTRY.format(more=more)}")
    return dict(metrics.of(parsed.models[0], parsed))


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("76.8%", 0.768),
        ("76.8 %", 0.768),
        (0.768, 0.768),
        ("0.768", 0.768),
        ("1e-3", 0.001),
        ("1E-1%", 0.001),
        (1000, 1000.0),
        ("+5", 5.0),
        ("-.5", -0.5),
        ("5.", 5.0),
        (" 7 ", 7.0),
        ("1e-400", 0.0),
    ],
)
def test_a_number_is_read_as_it_is_meant(written: object, value: float) -> None:
    assert metrics.number(written) == value


NO_NUMBERS = [
    "",
    "%",
    ",8",
    "76,8",
    "0,768",
    "1_000",
    "12 ms",
    "12ms",
    "76.8 ± 0.2",
    "nan",
    "inf",
    "1e999",
    "1e99999999",
]


@pytest.mark.parametrize("written", [*NO_NUMBERS, "\N{FULLWIDTH DIGIT ONE}", "0x10"])
def test_what_is_no_number_is_none(written: str) -> None:
    assert metrics.number(written) is None


@pytest.mark.parametrize("value", [None, True, [1], {"a": 1}])
def test_what_is_no_plain_value_is_no_number(value: object) -> None:
    assert metrics.number(value) is None


@pytest.mark.parametrize("percent", range(0, 1001, 7))
def test_a_percentage_is_the_very_number_that_its_fraction_is(percent: int) -> None:
    tenths = f"{percent // 10}.{percent % 10}"
    assert metrics.number(f"{tenths}%") == float(Fraction(percent, 1000)) == metrics.number(percent / 1000)


def test_exact_is_the_decimal_that_was_written() -> None:
    assert metrics.exact(0.768) - metrics.exact(0.763) == Fraction(5, 1000)
    assert 0.768 - 0.763 != 0.005  # what it is for


@pytest.mark.parametrize(
    "name",
    ["accuracy_top1", "top1_acc", "mAP", "mAP@0.5", "mAP50", "AP_small", "F1-score", "word_acc", "rougeL", "recall@1"],
)
def test_names_that_say_that_more_is_better(name: str) -> None:
    assert metrics.direction(name) is True


@pytest.mark.parametrize("name", ["val_loss", "WER", "error_rate", "latency_ms", "rmse", "ppl"])
def test_names_that_say_that_less_is_better(name: str) -> None:
    assert metrics.direction(name) is False


NO_METRICS = ["description", "input_size", "size", "params", "score", "iou_threshold", "loss_weight", "label_map"]


@pytest.mark.parametrize("name", [*NO_METRICS, "map_path", "acc_loss", "space", "escape"])
def test_other_names_say_nothing(name: str) -> None:
    assert metrics.direction(name) is None


def test_metrics_are_found_where_teams_write_them() -> None:
    found = of("accuracy_top1: 76.8%, epochs: 30, metrics: {psnr: 31.2, speed: {value: 5, higher_is_better: true}}")
    assert {name: (metric.value, metric.higher_is_better) for name, metric in found.items()} == {
        "accuracy_top1": (0.768, True),
        "psnr": (31.2, True),
        "speed": (5.0, True),
    }
    assert found["accuracy_top1"].text == "76.8%"


def test_a_declaration_makes_a_metric_of_a_key_and_says_what_it_means() -> None:
    top = "metrics: {score: {higher_is_better: false, tolerance: 0.5%, relative_tolerance: 2%}}\n"
    assert of("score: 5", top) == {"score": Metric("score", 5.0, "5", False, 0.005, 0.02)}
    assert of("score: 5") == {}


def test_an_entry_says_over_the_registry_what_its_metric_means() -> None:
    top = "metrics: {acc: {higher_is_better: true, tolerance: 1%}}\n"
    found = of("metrics: {acc: {value: 0.5, tolerance: 2%}}", top)
    assert found == {"acc": Metric("acc", 0.5, "0.5", True, 0.02, 0.0)}


def test_a_metric_under_metrics_needs_no_known_name() -> None:
    assert of("metrics: {quality: 5}")["quality"].higher_is_better is None


def test_what_is_no_number_is_no_metric() -> None:
    assert of("accuracy: high, metrics: {acc: [1], f1: {value: none}}") == {}
