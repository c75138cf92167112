"""What is found wrong with a file while it is read: all of it, in the order of the file."""

from __future__ import annotations

from typing import NoReturn

from envkit.errors import InputError, Problem
from envkit.models.registry.document import Mark

_MOST = 1000  # more at once helps nobody, and a file made for it could have a million


class Complaints:
    """Errors and warnings about one file; ``file`` is its name for messages."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._refused: set[Mark] = set()
        self._errors: list[Problem] = []
        self._warnings: list[Problem] = []
        self._left_out = 0

    def refuse(self, mark: Mark, message: str, hint: str | None = None) -> None:
        """Say that what stands at a place is not read: the one thing that is then said of that place."""
        self.complain(mark, message, hint)
        self._refused.add(mark)

    def complain(self, mark: Mark, message: str, hint: str | None = None) -> None:
        if len(self._errors) >= _MOST:
            self._left_out += 1
        elif mark not in self._refused:
            self._errors.append(Problem(self._file, *mark, message, hint))

    def warn(self, mark: Mark, message: str, hint: str | None = None) -> None:
        """Say what is not wrong, but will not do what it may be meant to."""
        if mark not in self._refused and len(self._warnings) < _MOST:
            self._warnings.append(Problem(self._file, *mark, message, hint, level="warning"))

    @property
    def any(self) -> bool:
        return bool(self._errors)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return _in_order(self._warnings)

    def fail(self) -> NoReturn:
        """Raise what was complained of, as one `InputError`."""
        problems = _in_order(self._errors)
        if self._left_out:
            problems += (Problem(self._file, 0, 0, f"and {self._left_out} more like these"),)
        raise InputError("\n".join(map(str, problems)), problems=problems)


def _in_order(problems: list[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=lambda problem: (problem.line, problem.column)))
