"""Fetching as a sync does, without a project around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from envkit.models.crew import Crew
from envkit.models.model import Digests
from envkit.models.progress import Lines, Meter
from envkit.models.transfer import fetch
from envkit.models.transfer.fetch import Fetched, Wanted
from envkit.models.transfer.http import Http
from envkit.models.transfer.line import Line
from envkit.models.transfer.location import Location
from envkit.models.transfer.partial import Partials
from envkit.models.transfer.rate import Limiter
from tests.support.model_project import md5, sha256

KEY = "k" * 32


@dataclass
class Fetcher:
    """``folder`` is where partial files go, ``said`` what was said, ``last`` what the last fetch came to.

    ``crew`` has the threads of the one that is going on.
    """

    folder: Path
    http: Http = field(default_factory=Http)
    limiter: Limiter | None = None
    reserve: Callable[[int], None] = lambda _: None
    said: list[str] = field(default_factory=list)
    last: Fetched | None = None
    crew: Crew = field(default_factory=Crew)

    def __call__(
        self,
        *places: str | Location,
        expected: Digests | None = None,
        connections: int = 8,
        meter: Meter | None = None,
    ) -> bytes:
        """The bytes that were fetched, from the first of ``places`` that gives ``expected`` (None: anything)."""
        self.last = self.fetched(*places, expected=expected, connections=connections, meter=meter)
        body = self.last.path.read_bytes()
        self.last.path.unlink()
        self.last.close()
        return body

    def fetched(
        self,
        *places: str | Location,
        expected: Digests | None = None,
        connections: int = 8,
        meter: Meter | None = None,
    ) -> Fetched:
        """The same, not yet put away."""
        locations = tuple(Location(place) if isinstance(place, str) else place for place in places)
        self.crew = Crew()
        line = Line(self.http, self.crew, connections, self.limiter, reserve=self.reserve)
        counted = meter or Lines(lambda _: None).meter("x")
        wanted = Wanted(expected or Digests(), locations, KEY)
        self.said.clear()
        return fetch.fetch(wanted, Partials(self.folder), line, counted, self.said.append)


def digests(body: bytes) -> Digests:
    """All that a registry can say of ``body``."""
    return Digests(md5(body), sha256(body), len(body))
