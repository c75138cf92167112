"""Versions as PEP 440 has them (``1.0`` is ``1.0.0``, ``v1.0-rc1`` is ``1.0rc1``), and wishes for one of several.

`packaging` does the comparing. It is imported where something is compared: most registries are read without.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.version import Version

LATEST, STABLE = "latest", "stable"
WORDS = (LATEST, STABLE)
_OPERATORS = ("<", ">", "=", "!", "~")
_PLAIN = re.compile(r"v?[0-9]+(?:\.[0-9]+)*")


def is_wish(text: str) -> bool:
    """Whether a version says which ones would do (``latest``, ``stable``, ``>=3.3,<4``) instead of being one."""
    return text in (LATEST, STABLE) or text.startswith(_OPERATORS)


def problem(wish: str) -> str | None:
    """Why a text that begins like a range of versions is none, or None."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        SpecifierSet("" if wish in (LATEST, STABLE) else wish)
    except InvalidSpecifier:
        return "expected versions as PEP 440 writes them, such as >=3.3,<4"
    return None


def is_version(text: str) -> bool:
    """Whether a text is a version. Most are numbers with dots between them, which takes no `packaging` to see."""
    return bool(_PLAIN.fullmatch(text)) or parsed(text) is not None


def parsed(text: str) -> Version | None:
    """A version to compare, None for what is none."""
    from packaging.version import InvalidVersion, Version

    try:
        return Version(text)
    except InvalidVersion:
        return None


def is_prerelease(text: str) -> bool:
    """Whether a version is one before its release (``3.3rc1``, ``4.0.dev2``); False for what is no version."""
    if _PLAIN.fullmatch(text):
        return False
    found = parsed(text)
    return found is not None and found.is_prerelease


def takes_prereleases(text: str) -> bool:
    """Whether a pre-release can come of a wish: of ``latest``, and of a range that names one."""
    from packaging.specifiers import SpecifierSet

    return text == LATEST or (is_wish(text) and text != STABLE and bool(SpecifierSet(text).prereleases))


def choose(wish: str, candidates: Iterable[str]) -> str | None:
    """The newest of ``candidates`` that a wish takes, as it is written there; None if it takes none.

    ``latest`` is the newest of all, ``stable`` and ranges take no pre-release, but where a range names one itself
    (``>=3.3rc1``), as pip does. What is no version is passed over.
    """
    from packaging.specifiers import SpecifierSet

    ranged = SpecifierSet("" if wish in (LATEST, STABLE) else wish)
    allowed = wish == LATEST or bool(ranged.prereleases)
    found = [(version, text) for text in candidates if (version := parsed(text))]
    taken = [pair for pair in found if ranged.contains(pair[0], prereleases=allowed)]
    return max(taken, default=(None, None))[1] if taken else None


def takes(wish: str, version: str) -> bool:
    """Whether ``version`` can have come of a wish: ``latest`` takes all, ``stable`` what is no pre-release.

    A range takes what `choose` would choose; what is no version is in none.
    """
    if wish in WORDS:
        return wish == LATEST or not is_prerelease(version)
    return choose(wish, [version]) is not None


def satisfies(candidate: str, wanted: str) -> bool:
    """Whether ``==wanted`` takes ``candidate``. Its local part (``+cu118``) counts only where one is wanted."""
    from packaging.specifiers import SpecifierSet

    if parsed(candidate) is None or parsed(wanted) is None:
        return False
    return SpecifierSet(f"=={wanted}", prereleases=True).contains(candidate)


def newest_first(texts: Iterable[str]) -> list[str]:
    """Those that are versions."""
    found = [(version, text) for text in texts if (version := parsed(text))]
    return [text for _, text in sorted(found, reverse=True)]
