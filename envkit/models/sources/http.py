"""A URL in the registry. PaddleHub and the official model zoo are this, under the keys that teams already use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from envkit.models import urls
from envkit.models.sources.base import Location, Tick


@dataclass(frozen=True)
class HttpSource:
    """The locator is the URL itself."""

    key: str

    def problem(self, locator: str) -> str | None:
        return urls.problem(locator)

    def filename(self, locator: str) -> str:
        return urls.filename(locator)

    def shown(self, locator: str) -> str:
        return urls.redacted(locator)

    def locate(self, locator: str, tick: Tick) -> Location:
        del tick  # nothing to wait for
        return Location(locator)

    def probe(self, locator: str, ca_bundle: Path | None, tick: Tick) -> int | None:
        from envkit.models import fetch

        del tick  # `fetch` has time-outs of its own
        return fetch.probe(Location(locator), ca_bundle)
