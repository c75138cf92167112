"""What all downloads of a sync share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from envkit.models.crew import Crew
from envkit.models.transfer.http import Http
from envkit.models.transfer.rate import Limiter
from envkit.models.transfer.retry import Backoff


@dataclass
class Counter:
    """Bytes that all connections together have received; now and then one is lost between two threads."""

    amount: int = 0


@dataclass(frozen=True)
class Line:
    """What all downloads of a sync share: the way out, the threads, and what they may use of the line.

    ``connections`` is how many one file may have; ``reserve`` is told of a file's size once a server has named it,
    and raises where the disk has no room for it.
    """

    http: Http
    crew: Crew
    connections: int = 8
    limiter: Limiter | None = None
    backoff: Backoff = field(default_factory=Backoff)
    reserve: Callable[[int], None] = lambda _: None
    received: Counter = field(default_factory=Counter)
