"""What models are measured by: numbers out of ``models.yaml``, which way is better, and how much may be lost.

A metric is a value under an entry's ``metrics``, or a key of the entry that is declared in the registry's own
``metrics`` or is called what metrics are called (``accuracy_top1``). ``76.8%`` and ``0.768`` are one number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from envkit.models.model import Model
from envkit.models.registry.registry import Registry

_NUMBER = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(?:[eE]([+-]?[0-9]{1,4}))?\s*(%?)")
_GOOD = (
    "acc|accuracy|ap|auc|auprc|auroc|bleu|cider|dice|f1|f1score|fps|hmean|hota|idf1|iou|ips|kappa|map|mcc|meteor|miou|"
    "mota|mrr|ndcg|pck|precision|psnr|qps|r2|recall|rouge[0-9l]?|sensitivity|specificity|ssim|throughput|top[0-9]+"
)
_BAD = "cer|der|eer|epe|err|error|fid|kid|latency|loss|lpips|mae|mape|mse|nll|perplexity|ppl|rmse|wer"
# Settings are called after metrics too, and are none: `iou_threshold`, `loss_weight`.
_NONE = "bits|epoch|epochs|function|label|labels|name|path|size|step|steps|thr|thresh|threshold|type|weight|weights"
_EDGE = r"(?:^|(?<=[^a-z0-9])){}(?=[^a-z0-9]|$)"
_HIGHER, _LOWER, _SETTING = (
    re.compile(_EDGE.format(rf"(?:{words})(?:@?[0-9]+)?"), re.IGNORECASE) for words in (_GOOD, _BAD, _NONE)
)
_TOLERANCES = ("tolerance", "relative_tolerance")


@dataclass(frozen=True)
class Metric:
    """``value`` is the number, ``text`` how it was written. ``higher_is_better`` is None where nobody said.

    ``tolerance`` is how much worse is no regression, in the metric's own unit; ``relative_tolerance`` the same as a
    part of the older value. Where both are given, the wider counts.
    """

    name: str
    value: float
    text: str
    higher_is_better: bool | None
    tolerance: float = 0.0
    relative_tolerance: float = 0.0


def number(value: object) -> float | None:
    """The number that a value of ``models.yaml`` is; None for none. ``76.8%`` is 0.768.

    It is the double nearest to what is written, so that one number written in two ways is one double.
    """
    if isinstance(value, bool):
        return None
    found = _NUMBER.fullmatch(str(value).strip())
    if found is None:
        return None
    digits, exponent, percent = found.groups()
    parsed = float(f"{digits}e{int(exponent or 0) - (2 if percent else 0)}")
    return parsed if math.isfinite(parsed) else None


def exact(value: float) -> Fraction:
    """The decimal that was written, to calculate with: 0.768 - 0.763 is 0.005, which it is not in binary."""
    return Fraction(repr(value))


def of(model: Model, registry: Registry) -> Mapping[str, Metric]:
    """The metrics of a model by their names, in the order in which it has them. What is no number is none."""
    found: dict[str, Metric] = {}
    for key, value in model.metadata.items():
        if key == "metrics" and isinstance(value, dict):
            for name, own in value.items():
                found |= _metric(name, own, registry.metrics.get(name))
        elif key in registry.metrics or direction(key) is not None:
            found |= _metric(key, value, registry.metrics.get(key))
    return found


def direction(name: str) -> bool | None:
    """Whether more is better, by what metrics are usually called."""
    if _SETTING.search(name):
        return None
    lower, higher = (bool(pattern.search(name)) for pattern in (_LOWER, _HIGHER))
    return None if lower == higher else higher


def _metric(name: str, own: object, declared: object) -> dict[str, Metric]:
    """The metric, declared for all models and, over that, by this one; nothing where its value is no number."""
    facts = {**_mapping(declared), **(_mapping(own) if isinstance(own, dict) else {"value": own})}
    value = number(facts.get("value"))
    if value is None:
        return {}
    said = facts.get("higher_is_better")
    higher = said if isinstance(said, bool) else direction(name)
    tolerances = (max(number(facts.get(key)) or 0.0, 0.0) for key in _TOLERANCES)
    return {name: Metric(name, value, str(facts["value"]), higher, *tolerances)}


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}
