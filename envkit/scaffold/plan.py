"""The files that a project is to have and those that it has → what is to be done; a pure function."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from envkit.scaffold.merge import Rule

State = Literal["create", "extend", "differs", "same", "blocked"]


@dataclass(frozen=True)
class File:
    """One file to have: its ``path`` below the project, and the ``rule`` for what it says.

    A rule that only ``adds`` takes nothing away that somebody wrote, so nobody needs to be asked.
    """

    path: str
    rule: Rule
    adds: bool = False


@dataclass(frozen=True)
class Found:
    """What is at a path: a ``text``, nothing, or an ``obstacle`` in words."""

    text: str | None = None
    obstacle: str | None = None


@dataclass(frozen=True)
class Action:
    """What is to become of a file: ``before`` and ``after`` are its texts, ``why`` it is ``blocked`` if it is."""

    path: str
    state: State
    before: str = ""
    after: str = ""
    why: str = ""

    @property
    def only_adds(self) -> bool:
        """Whether every line that is there stays, in its order."""
        new = iter(self.after.splitlines())
        return all(line in new for line in self.before.splitlines())

    def diff(self) -> Iterator[str]:
        """The lines of a unified diff, fit for a terminal."""
        old, new = self.before.splitlines(), self.after.splitlines()
        named = "/dev/null" if self.state == "create" else f"a/{self.path}"
        for line in difflib.unified_diff(old, new, named, f"b/{self.path}", lineterm=""):
            yield "".join(letter if letter.isprintable() or letter == "\t" else "\ufffd" for letter in line)


def plan(files: Iterable[File], found: Mapping[str, Found]) -> tuple[Action, ...]:
    """One action for each file, in their order."""
    return tuple(_action(file, found[file.path]) for file in files)


def _action(file: File, found: Found) -> Action:
    if found.obstacle:
        return Action(file.path, "blocked", why=found.obstacle)
    before = found.text or ""
    # Lines end as they do where somebody wrote the file.
    crlf = 0 < before.count("\n") == before.count("\r\n")
    plain = before.replace("\r\n", "\n") if crlf else before
    after = file.rule(None if found.text is None else plain)
    if after is None:
        return Action(file.path, "blocked", before, why="it is not clear where in it")
    if found.text is None:
        return Action(file.path, "create", after=after)
    if after == plain:
        return Action(file.path, "same", before, before)
    after = after.replace("\n", "\r\n") if crlf else after
    return Action(file.path, "extend" if file.adds else "differs", before, after)
