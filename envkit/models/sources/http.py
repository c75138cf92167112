"""A URL in the registry. PaddleHub and the official model zoo are this, under the keys that teams already use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from envkit.models import urls
from envkit.models.sources.base import Asking, OneFile, Remote
from envkit.models.transfer.location import Location


@dataclass(frozen=True)
class HttpSource(OneFile):
    """The locator is the URL itself."""

    key: str

    def problem(self, values: Mapping[str, str]) -> tuple[str, str] | None:
        why = urls.problem(values[self.key])
        return (self.key, why) if why else None

    def filename(self, locator: str) -> str:
        return urls.filename(locator)

    def shown(self, locator: str) -> str:
        return urls.redacted(locator)

    def locate(self, locator: str, paths: tuple[str, ...], asking: Asking) -> tuple[Remote, ...]:
        del paths, asking  # one file, and nothing to find out
        return (Remote("", Location(locator)),)

    def probe(self, locator: str, paths: tuple[str, ...], asking: Asking) -> int | None:
        del paths
        return asking.http.probe(Location(locator))
