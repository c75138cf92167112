"""Facts → gates that pass, warn or fail, and one verdict. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from envkit.models.review.compare import Change
from envkit.models.review.facts import Facts
from envkit.models.review.levels import Level, Levels

Outcome = Literal["pass", "warn", "fail", "off"]


@dataclass(frozen=True)
class Remark:
    """What a rule has to say; the gate's level is what becomes of it.

    ``message`` (see `wording`) goes on from the model's name where it is about a ``change``. ``key`` is the key of the
    entry that it is about; ``in_lock`` says that only the lock shows it. What is ``mild`` warns at most.
    """

    message: str
    change: Change | None = None
    hint: str | None = None
    key: str = "name"
    mild: bool = False
    in_lock: bool = False


Rule = Callable[[Facts, Levels], Iterator[Remark]]


@dataclass(frozen=True)
class Finding:
    """A remark with its gate, and whether it ``fails``."""

    gate: str
    remark: Remark
    fails: bool


@dataclass(frozen=True)
class Gate:
    """One gate, its level, and what it found."""

    name: str
    level: Level
    findings: tuple[Finding, ...] = ()

    @property
    def outcome(self) -> Outcome:
        if self.level == "off":
            return "off"
        if any(finding.fails for finding in self.findings):
            return "fail"
        return "warn" if self.findings else "pass"


def judge(facts: Facts, levels: Levels, rules: Mapping[str, Rule]) -> tuple[Gate, ...]:
    """Every gate, in the order of the levels. One that is off has no findings."""
    return tuple(_gate(name, level, rules[name], facts, levels) for name, level in levels.gates.items())


def verdict(gates: tuple[Gate, ...]) -> Literal["pass", "warn", "fail"]:
    """The worst of them."""
    outcomes = {gate.outcome for gate in gates}
    return "fail" if "fail" in outcomes else "warn" if "warn" in outcomes else "pass"


def _gate(name: str, level: Level, rule: Rule, facts: Facts, levels: Levels) -> Gate:
    if level == "off":
        return Gate(name, level)
    remarks = rule(facts, levels)
    failing = level == "fail" and facts.comparable
    return Gate(name, level, tuple(Finding(name, remark, failing and not remark.mild) for remark in remarks))
