"""What a command gives back, and how it says what it is doing meanwhile.

A command never prints: it returns a `Result`, which ``cli.py`` shows as text or as JSON, and tells its progress to a
`Report`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from envkit.errors import Problem

Report = Callable[[str], None]
"""Takes one line of progress for a person to read; ``cli.py`` writes it to standard error."""


@dataclass(frozen=True)
class Case:
    """One thing that a command looked at, for reports that list them all: what it was, and what was wrong with it."""

    group: str
    name: str
    problem: Problem | None = None
    note: str = ""


@dataclass(frozen=True)
class Result:
    """The outcome of one command.

    ``data`` is what ``--json`` prints (JSON types only), ``lines`` what a person reads on standard output (it may be a
    generator that goes on, as a followed log does), and ``exit_code`` one of those in ``errors.py``. ``cases`` are what
    it looked at one by one, for the reports of CI systems.
    """

    data: Mapping[str, object] = field(default_factory=dict)
    lines: Iterable[str] = ()
    exit_code: int = 0
    cases: tuple[Case, ...] = ()

    def as_json(self) -> str:
        """What ``--json`` prints."""
        return json.dumps({**self.data, "exit_code": self.exit_code} if self.exit_code else self.data, **JSON_STYLE)


JSON_STYLE: Mapping[str, Any] = {"indent": 2, "ensure_ascii": False}
