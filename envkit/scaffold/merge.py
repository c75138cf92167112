"""What a file should say, given what it says: each function here makes one such rule.

A rule takes the text that is there, its lines ended as on Unix, or None where there is no file; it gives the text to
have, or None where it cannot tell how to bring the two together.
"""

from __future__ import annotations

import re
from collections.abc import Callable

Rule = Callable[[str | None], str | None]

_BOM = "\ufeff"
_SECTION = re.compile(r"^\^?\[", re.MULTILINE)
# `repos:` with its list, and nothing of the top level after it.
_REPOS = re.compile(r"^repos:[ \t]*(?:#.*)?\n(?P<list>(?:(?:[ \t]+.*|-.*|#.*|)\n)+)\Z", re.MULTILINE)


def whole(text: str) -> Rule:
    """Just that text."""
    return lambda _: text


def once(text: str) -> Rule:
    """The text for a beginning; afterwards it is the project's own."""
    return lambda there: text if there is None else there


def with_schema(schema: str, text: str) -> Rule:
    """As `once`, with a first line that tells editors where the file's JSON Schema is."""
    head = f"# yaml-language-server: $schema={schema}\n"

    def rule(there: str | None) -> str:
        if there is None or not there.strip(f"{_BOM} \t\n"):
            return head + text
        if "# yaml-language-server:" in there:
            return there
        mark = _BOM if there.startswith(_BOM) else ""
        return mark + head + there[len(mark) :]

    return rule


def with_lines(text: str) -> Rule:
    """A ``.gitignore`` with these lines: those that are missing come last."""

    def rule(there: str | None) -> str:
        if there is None:
            return text
        known = {_plain(line) for line in there.splitlines()}
        return _appended(there, _missing(text, lambda line: _plain(line) in known))

    return rule


def _plain(line: str) -> str:
    return line.strip().removesuffix("*").strip("/")


def with_owners(text: str) -> Rule:
    """A ``CODEOWNERS`` with these lines, but for the files that have an owner.

    They come last, but before the first of GitLab's sections: in one they would be part of it, and its approval may be
    optional.
    """

    def rule(there: str | None) -> str:
        if there is None:
            return text
        owned = {line.split()[0].lstrip("/") for line in there.splitlines() if line.strip()}
        missing = _missing(text, lambda line: line.split()[0].lstrip("/") in owned)
        section = _SECTION.search(there)
        if section is None or not missing:
            return _appended(there, missing)
        before, after = there[: section.start()], there[section.start() :]
        return f"{_appended(before, missing)}\n{after}"

    return rule


def _missing(text: str, has: Callable[[str], bool]) -> str:
    """The lines that are not there yet, below their comment; nothing if all are."""
    comments = [line for line in text.splitlines(keepends=True) if line.startswith("#")]
    missing = [line for line in text.splitlines(keepends=True) if not line.startswith("#") and not has(line)]
    return "".join([*comments, *missing]) if missing else ""


def _appended(there: str, text: str) -> str:
    if not text:
        return there
    return f"{there.rstrip()}\n\n{text}" if there.strip() else text


def with_part(whole_text: str, part: str, sign: str) -> Rule:
    """A text that has a ``part`` in it, known by its ``sign``; else that comes last."""

    def rule(there: str | None) -> str:
        if there is None:
            return whole_text
        return there if sign in there else _appended(there, part)

    return rule


def with_hooks(hooks: str, text: str, sign: str) -> Rule:
    """A pre-commit configuration that has these ``hooks``, known by their ``sign``; else they end its list."""

    def rule(there: str | None) -> str | None:
        if there is None:
            return text
        if sign in there:
            return there
        found = _REPOS.search(there if there.endswith("\n") else f"{there}\n")
        item = re.search(r"^([ \t]*)-", found["list"], re.MULTILINE) if found else None
        if item is None:
            return None
        lines = (f"{item[1]}{line.removeprefix('  ')}" for line in hooks.splitlines(keepends=True))
        return f"{there.rstrip()}\n{''.join(lines)}"

    return rule
