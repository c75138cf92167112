"""``envkit models check``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from envkit.errors import PolicyError, Problem
from envkit.models import units
from envkit.models.locking import lock
from envkit.models.policy import branch as branches
from envkit.models.policy import judge, policy
from envkit.models.policy.branch import Branch
from envkit.models.policy.policy import Applied
from envkit.models.registry import registry
from envkit.result import Case, Result
from envkit.settings import REGISTRY, Settings


def check(settings: Settings, *, branch: str | None) -> Result:
    """Hold ``models.yaml`` and its lock, as they are in the project, against the policy of the branch they are on.

    Nothing is asked of the network. Exit code 5 if a rule is broken.

    Raises:
        InputError: either file or the policy is wrong, or nothing says which branch this is.
    """
    rules = policy.read(settings.policy)
    found = registry.load(settings.project / REGISTRY)
    locked = lock.load(settings.project / lock.FILE)
    if locked and not any(lock.misfits(found, locked)):
        lock.pin(found, locked)  # two entries may have come to one version, and so to one file
    by = branches.choose(branch, settings.ci, settings.project, rules)
    applied = rules.applied(by.name)
    cases = judge.cases(found, locked, applied.rules)
    warnings = judge.warnings(found, locked, applied.rules)
    broken = [case.problem for case in cases if case.problem]
    return Result(
        _data(by, applied, len(found.models), (*broken, *warnings)),
        (*map(str, broken), *_noted(warnings), _summary(by, applied, len(found.models), len(broken))),
        PolicyError.exit_code if broken else 0,
        (*cases, *(Case(problem.rule, problem.place, problem) for problem in warnings)),
    )


def _data(by: Branch, applied: Applied, count: int, problems: tuple[Problem, ...]) -> dict[str, object]:
    return {
        "branch": by.name,
        "because": by.why,
        "pattern": applied.pattern,
        "rules": asdict(applied.rules),
        "models": count,
        "problems": [asdict(problem) for problem in problems],
    }


def _noted(warnings: tuple[Problem, ...]) -> Iterator[str]:
    for problem in warnings:
        yield f"{problem.place}: warning: {str(problem).removeprefix(f'{problem.place}: ')}"


def _summary(by: Branch, applied: Applied, count: int, broken: int) -> str:
    models = units.counted(count, "model")
    problems = units.counted(broken, "problem") if broken else "no problem"
    rules = f"{applied.rules}" if applied.pattern else f"{applied.rules}: no rule names it"
    return f"{models}, {problems} by the policy of {by.name} ({rules}), {by.why}"
