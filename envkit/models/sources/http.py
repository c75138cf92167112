"""A URL in the registry. PaddleHub and the official model zoo are this, under the keys that teams already use.

``{version}`` in a URL stands for the entry's version. Which versions there are is known where ``index_url`` names a
list of them (see `index`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envkit.models import urls, versions
from envkit.models.model import Digests
from envkit.models.sources.base import Asking, OneFile, Remote
from envkit.models.transfer.location import Location

if TYPE_CHECKING:
    from envkit.models.transfer.announcement import Announcement

_INDEX = "index_url"


@dataclass(frozen=True)
class HttpSource(OneFile):
    """The locator is the URL itself; of one that floats, its template, a blank, and the URL of its index."""

    key: str
    options: tuple[str, ...] = (_INDEX,)
    has_address = True

    def locator(self, values: Mapping[str, str]) -> str:
        url, version = values[self.key], values["version"]
        return f"{url} {values[_INDEX]}" if versions.is_wish(version) else urls.filled(url, version)

    def problem(self, values: Mapping[str, str]) -> tuple[str, str] | None:
        for key in (self.key, _INDEX):
            if key in values and (why := urls.problem(values[key])):
                return key, why
        if versions.is_wish(values["version"]):
            if _INDEX not in values:
                return "version", f"names no one version, and nothing says which there are: add {_INDEX!r}"
            if urls.VERSION not in values[self.key]:
                return self.key, f"is the same for every version: write {urls.VERSION} where the version stands in it"
        return None

    def filename(self, locator: str) -> str:
        return urls.filename(_url(locator))

    def shown(self, locator: str) -> str:
        return urls.redacted(_url(locator))

    def versions(self, locator: str, asking: Asking) -> Mapping[str, Digests]:
        from envkit.models.sources import index

        template, _, listed = locator.partition(" ")
        return index.versions(listed, template, asking)

    def at(self, locator: str, version: str) -> str:
        return urls.filled(_url(locator), version)

    def locate(self, locator: str, paths: tuple[str, ...], asking: Asking) -> tuple[Remote, ...]:
        del paths, asking  # one file, and nothing to find out
        return (Remote("", Location(locator)),)

    def probe(self, locator: str, paths: tuple[str, ...], asking: Asking) -> Mapping[str, Announcement]:
        del paths
        return {"": asking.http.probe(Location(locator))}


def _url(locator: str) -> str:
    return locator.partition(" ")[0]
