"""What a command gives back, and how it says what it is doing meanwhile.

A command never prints: it returns a `Result`, which ``cli.py`` shows as text or as JSON, and tells its progress to a
`Report`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

Report = Callable[[str], None]
"""Takes one line of progress for a person to read; ``cli.py`` writes it to standard error."""


@dataclass(frozen=True)
class Result:
    """The outcome of one command.

    ``data`` is what ``--json`` prints (JSON types only), ``lines`` what a person reads on standard output (it may be a
    generator that goes on, as a followed log does), and ``exit_code`` one of those in ``errors.py``.
    """

    data: Mapping[str, object] = field(default_factory=dict)
    lines: Iterable[str] = ()
    exit_code: int = 0
