"""What can go wrong, as one tree: a branch is an exit code.

====  =================  ==========================================================
code  class              meaning
====  =================  ==========================================================
0     --                 done
1     any other          a bug in envkit; its traceback is kept
2     ``InputError``     your input is wrong; nothing was touched
3     ``ModelError``     a model could not be fetched or did not match its digest
4     ``EngineError``    the container engine is missing, refused, or a service did not start
5     ``PolicyError``    a policy was broken
130   KeyboardInterrupt  interrupted
====  =================  ==========================================================

A message says where, what, and the next step; it may have several lines, the first of which stands alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

INTERRUPTED = 130


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, or at a ``level`` of ``warning`` will turn out to be, and where.

    ``file`` is a name below the project, ``line`` and ``column`` count from 1 (0: of the file as a whole). ``rule`` is
    what it breaks, in the words of whoever found it; the same from run to run, for tools that compare them.
    """

    file: str
    line: int
    column: int
    message: str
    hint: str | None = None
    rule: str = "schema"
    level: Literal["error", "warning"] = "error"

    @property
    def place(self) -> str:
        return ":".join([self.file, *(str(number) for number in (self.line, self.column) if number)])

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" + (f"\n  {self.hint}" if self.hint else "")


class EnvkitError(Exception):
    """Something the user can act on. Never raised itself: raise the branch whose exit code it is.

    ``problems`` are what it is about where that has places in files; the message then has them all.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.problems = problems

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\n  {self.hint}"


class InputError(EnvkitError):
    """A flag, a variable or a file of the user's is wrong."""

    exit_code = 2


class ModelError(EnvkitError):
    """A model could not be fetched, or its bytes are not the ones the registry names."""

    exit_code = 3


class EngineError(EnvkitError):
    """The container engine is missing, refused what was asked, or what it started did not stay up."""

    exit_code = 4


class PolicyError(EnvkitError):
    """The registry breaks a rule of the branch it is on."""

    exit_code = 5
