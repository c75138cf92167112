"""``policy:`` in ``envkit.yaml``: which branch takes what. ``judge`` has what each rule means.

A pattern is compared with the whole name of the branch, in which ``*`` takes slashes too; a tag goes by ``tags/NAME``.
The most exact pattern wins, whatever the order: a mapping has none in YAML.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatchcase
from typing import Any, Literal

from envkit.errors import InputError, Problem
from envkit.models import spelling
from envkit.settings import CONFIG

Versions = Literal["exact", "stable", "floating"]


@dataclass(frozen=True)
class Rules:
    """What a branch takes; by default anything that ``models.yaml`` can say.

    ``versions`` that are ``exact``, or ``stable`` (exact ones, and wishes that no pre-release can come of), or any;
    entries that come to ``prereleases``; only ``locked`` entries; only entries with ``digests`` of their own;
    ``placeholders`` in place of a digest.
    """

    versions: Versions = "floating"
    prereleases: bool = True
    locked: bool = False
    digests: bool = False
    placeholders: bool = True

    @property
    def strictness(self) -> tuple[int, int]:
        """More for more that is refused."""
        refused = (not self.prereleases, self.locked, self.digests, not self.placeholders)
        return -_LEVELS.index(self.versions), sum(refused)

    def __str__(self) -> str:
        name = next((name for name, rules in PRESETS.items() if rules == self), None)
        facts = (f"{field.name}: {str(getattr(self, field.name)).lower()}" for field in fields(self))
        return name or ", ".join(facts)


_LEVELS: tuple[Versions, ...] = ("exact", "stable", "floating")

PRESETS: Mapping[str, Rules] = {
    "exact": Rules("exact", locked=True, digests=True, placeholders=False),
    "stable": Rules("stable", prereleases=False, locked=True, placeholders=False),
    "floating": Rules(),
}

DEFAULT: Mapping[str, str] = {
    "main": "exact",
    "master": "exact",
    "tags/*": "exact",
    "develop": "stable",
    "feature/*": "floating",
}
"""By pattern, the preset; what no pattern fits is ``floating``."""


@dataclass(frozen=True)
class Applied:
    """The rules for one branch, and the ``pattern`` that they come from: None where none fits."""

    rules: Rules
    pattern: str | None


@dataclass(frozen=True)
class Policy:
    """Rules by pattern: the project's own, and the default ones that it has none for."""

    patterns: Mapping[str, Rules]

    def applied(self, branch: str) -> Applied:
        """The rules of the most exact pattern that fits; of two that are as exact, of the first."""
        fitting = [pattern for pattern in self.patterns if fnmatchcase(branch, pattern)]
        if not fitting:
            return Applied(Rules(), None)
        pattern = max(fitting, key=_exactness)
        return Applied(self.patterns[pattern], pattern)

    def strictest(self, branches: Iterable[str]) -> str:
        """The one of several branches that takes the least; the first of those that take as little."""
        return max(branches, key=lambda branch: self.applied(branch).rules.strictness)


def read(section: Mapping[str, object]) -> Policy:
    """The policy that the section of ``envkit.yaml`` makes, added to the default one pattern by pattern.

    Raises:
        InputError: a value that is no preset and no mapping of rules.
    """
    default = {pattern: PRESETS[name] for pattern, name in DEFAULT.items()}
    return Policy({**default, **{pattern: _rules(pattern, value) for pattern, value in section.items()}})


def _exactness(pattern: str) -> tuple[int, int, int]:
    plain = re.sub(r"\[[^]]*\]|[*?]", "", pattern)
    return len(plain), -pattern.count("*"), -pattern.count("?")


def _rules(pattern: str, value: object) -> Rules:
    if pattern.startswith("refs/"):
        raise _wrong(pattern, "is no name of a branch", "write it without refs/heads/; a tag is tags/NAME")
    if isinstance(value, dict):
        return _mapped(pattern, {str(key): item for key, item in value.items()})
    if isinstance(value, str) and value in PRESETS:
        return PRESETS[value]
    raise _wrong(
        pattern,
        f"is {_shown(value)}",
        spelling.meant(str(value), PRESETS) or f"expected one of {_list(PRESETS)}, or rules",
    )


def _mapped(pattern: str, given: Mapping[str, object]) -> Rules:
    """A preset, changed: the one that ``versions`` names, else the default one of this very pattern."""
    known = [field.name for field in fields(Rules)]
    for key, value in given.items():
        if key not in known:
            raise _wrong(pattern, f"has unknown rule {key!r}", spelling.meant(key, known) or f"known: {_list(known)}")
        if key == "versions" and value not in _LEVELS:
            raise _wrong(
                pattern,
                f"versions is {_shown(value)}",
                spelling.meant(str(value), PRESETS) or f"expected {_list(PRESETS)}",
            )
        if key != "versions" and not isinstance(value, bool):
            raise _wrong(pattern, f"{key} is {_shown(value)}", "expected true or false")
    base = given.get("versions") or DEFAULT.get(pattern)
    if base is None:
        raise _wrong(pattern, "says nothing of versions", f"add one of {_list(PRESETS)}: `versions: exact`")
    changes: dict[str, Any] = dict(given)
    return replace(PRESETS[str(base)], **changes)


def _wrong(pattern: str, message: str, hint: str) -> InputError:
    problem = Problem(CONFIG, 0, 0, f"policy: {pattern}: {message}", hint, rule="policy")
    return InputError(str(problem), problems=(problem,))


def _shown(value: object) -> str:
    # As YAML has it, which reads a bare `off` as false.
    return "empty" if value is None else repr(value) if isinstance(value, str) else str(value).lower()


def _list(words: Iterable[str]) -> str:
    return ", ".join(words)
