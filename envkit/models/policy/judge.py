"""A registry and its lock, held against the rules of a branch. Pure: nothing is read or asked here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from envkit.errors import Problem
from envkit.models import versions
from envkit.models.locking import lock as locks
from envkit.models.locking.lock import FILE, MEND, Lock, Locked
from envkit.models.model import PLACEHOLDER_MD5, Model
from envkit.models.policy.policy import Rules
from envkit.models.registry.registry import Registry
from envkit.models.sources import SOURCES
from envkit.result import Case


def judge(registry: Registry, lock: Lock | None, rules: Rules) -> tuple[Problem, ...]:
    """Every rule that is broken, entry by entry, with the place of the key to change and what to write there."""
    return tuple(case.problem for case in cases(registry, lock, rules) if case.problem)


def cases(registry: Registry, lock: Lock | None, rules: Rules) -> tuple[Case, ...]:
    """One for each rule in force and each entry; the lock as a whole is one more."""
    return (*_whole(registry, lock, rules), *_each(registry, lock, rules))


def warnings(registry: Registry, lock: Lock | None, rules: Rules) -> tuple[Problem, ...]:
    """What no rule in force forbids, and will not work all the same: placeholders, and a lock that does not fit."""
    found = registry.warnings if rules.placeholders else ()
    misfits = () if rules.locked else locks.misfits(registry, lock)
    return (*found, *(replace(problem, level="warning") for problem in misfits))


def _whole(registry: Registry, lock: Lock | None, rules: Rules) -> Iterator[Case]:
    if not rules.locked:
        return
    if lock is None:
        if registry.models:
            message = f"there is no {FILE} beside it, and every entry has to be locked"
            problem = Problem(registry.file, 0, 0, message, f"make one, and commit it: {MEND}", rule="policy/locked")
            yield Case("policy/locked", FILE, problem)
        return
    named = {(model.name, model.version) for model in registry.models}
    left = Lock({key: entry for key, entry in lock.entries.items() if key not in named})
    for problem in locks.misfits(replace(registry, models=()), left):
        yield Case("policy/locked", f"{FILE}:{problem.line}", replace(problem, rule="policy/locked"))


def _each(registry: Registry, lock: Lock | None, rules: Rules) -> Iterator[Case]:
    for model in registry.models:
        entry = lock.entries.get((model.name, model.version)) if lock else None
        own = replace(registry, models=(model,))
        misfit = next(locks.misfits(own, Lock({entry.key: entry} if entry else {})), None)
        # What does not fit says nothing of this entry.
        judged = _Entry(registry, model, None if misfit else entry, rules)
        for rule, problem in judged.verdicts():
            yield Case(f"policy/{rule}", f"{model.name} {model.version}", problem)
        if rules.locked and lock is not None:
            problem = replace(misfit, rule="policy/locked") if misfit else None
            yield Case("policy/locked", f"{model.name} {model.version}", problem)


class _Entry:
    """One entry, and what it came to where the lock has that."""

    def __init__(self, registry: Registry, model: Model, locked: Locked | None, rules: Rules) -> None:
        self.registry, self.model, self.locked, self.rules = registry, model, locked, rules

    def verdicts(self) -> Iterator[tuple[str, Problem | None]]:
        rules = self.rules
        if rules.versions == "exact":
            yield "exact", self._inexact()
        if rules.versions == "stable":
            yield "stable", self._unstable()
        if not rules.prereleases:
            yield "prerelease", self._prerelease()
        if rules.digests:
            yield "digests", self._undigested()
        if not rules.placeholders:
            yield "placeholder", self._placeholder()

    def _inexact(self) -> Problem | None:
        if self.model.floats:
            return self._problem("exact", "version", "names no exact version", self._exact())
        if self._moves:
            shown = SOURCES[self.model.artifact.source].shown(self.model.artifact.locator)
            key = "revision" if "revision" in self.model.marks else "name"
            return self._problem("exact", key, f"comes from {shown}, and that can move", self._pinning())
        return None

    def _unstable(self) -> Problem | None:
        if not versions.takes_prereleases(self.model.version):
            return None
        latest = self.model.version == versions.LATEST
        hint = "write `version: stable`" if latest else "write a range that names no pre-release"
        return self._problem("stable", "version", "takes pre-releases too", hint)

    def _prerelease(self) -> Problem | None:
        version = self.locked.version if self.locked else self.model.version
        if versions.is_wish(version) or not versions.is_prerelease(version):
            return None
        message = f"came to {version}, a pre-release" if self.model.floats else "is a pre-release"
        hint = f"write `version: stable`, then: {MEND}" if self.model.floats else "write a release, or a range of them"
        return self._problem("prerelease", "version", message, hint)

    def _undigested(self) -> Problem | None:
        digests = self.model.artifact.digests
        placeholder = digests.md5 == PLACEHOLDER_MD5
        if digests.sha256 or (digests.md5 and not placeholder) or self._is_proof:
            return None
        if (placeholder and not self.rules.placeholders) or (self._moves and self.rules.versions == "exact"):
            return None  # said already, and what mends that mends this
        message = "has neither md5 nor sha256 of its own"
        if self._is_set:
            return self._problem("digests", "name", message, self._pinning())
        known = self.locked.files[0].digests if self.locked else None
        found = next((f"{key}: {value}" for key in ("sha256", "md5") if (value := getattr(known, key, None))), None)
        hint = f"write `{found}`, as {FILE} has it" if found else f"`{MEND}` finds its sha256: write that"
        return self._problem("digests", "name", message, hint)

    def _placeholder(self) -> Problem | None:
        if self.model.artifact.digests.md5 != PLACEHOLDER_MD5:
            return None
        message = "has the MD5 of an empty file, a placeholder"
        return self._problem("placeholder", "md5", message, "write the one that its publisher gives")

    @property
    def _is_set(self) -> bool:
        return SOURCES[self.model.artifact.source].holds_many(self.model.artifact.locator)

    @property
    def _is_proof(self) -> bool:
        return SOURCES[self.model.artifact.source].is_proof(self.model.artifact.locator)

    @property
    def _moves(self) -> bool:
        """Whether it goes by the name of a set of files that are others tomorrow, and has no digest that would tell."""
        digests = self.model.artifact.digests
        return self._is_set and not self._is_proof and not (digests.md5 or digests.sha256)

    def _exact(self) -> str:
        if self.locked is None:
            return f"`{MEND}` finds one: write that"
        revision = f" and `revision: {self._commit}`" if self._is_set and self._commit else ""
        return f"write `version: {self.locked.version}`{revision}, as {FILE} has it"

    @property
    def _commit(self) -> str:
        return self.locked.locator.partition("@")[2] if self.locked else ""

    def _pinning(self) -> str:
        found = f"write `revision: {self._commit}`, as {FILE} has it" if self._commit else None
        return found or f"`{MEND}` finds its commit: write that as its revision"

    def _problem(self, rule: str, key: str, message: str, hint: str) -> Problem:
        return self.registry.problem(self.model, key, message, hint, rule=f"policy/{rule}")
