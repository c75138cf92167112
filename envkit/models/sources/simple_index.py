"""The wheels on a package's page of an index, in HTML (PEP 503) or JSON (PEP 691), and which of them pip takes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urljoin, urlsplit

from envkit.errors import ModelError
from envkit.models import versions
from envkit.models.model import Digests
from envkit.models.sources import links

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.5, text/html;q=0.4"
MOST = 64 << 20
"""Bytes of a page that are read."""


@dataclass(frozen=True)
class Wheel:
    """One wheel as the index offers it; ``digests`` are those that it names, with the size where it does."""

    filename: str
    url: str
    digests: Digests


def page_of(index: str, package: str) -> str:
    """The URL of a package's page."""
    from packaging.utils import canonicalize_name

    return f"{index.rstrip('/')}/{canonicalize_name(package)}/"


def wheels(text: str, url: str) -> tuple[Wheel, ...]:
    """The wheels that a page lists; ``url`` is what its links are relative to.

    Raises:
        ModelError: it is no such page.
    """
    if text.lstrip().startswith("{"):
        return tuple(_in_json(text, url))
    return tuple(_linked(link) for link in links.absolute(text, url) if _path(link).endswith(".whl"))


def best(found: Iterable[Wheel], version: str) -> Wheel | None:
    """The wheel that pip takes here for ``==version``: the newest, then the one made for most of what this machine is.

    None where there is none for this machine.
    """
    from packaging.tags import sys_tags
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    ranks = {tag: rank for rank, tag in enumerate(sys_tags())}
    fitting = []
    for wheel in found:
        try:
            _, its, build, tags = parse_wheel_filename(wheel.filename)
        except InvalidWheelFilename:
            continue
        rank = min((ranks[tag] for tag in tags if tag in ranks), default=None)
        if rank is not None and versions.satisfies(str(its), version):
            fitting.append((its, -rank, build, wheel))
    return max(fitting, key=lambda one: one[:3])[3] if fitting else None


def _in_json(text: str, url: str) -> Iterator[Wheel]:
    try:
        listed = json.loads(text)["files"]
        for entry in listed:
            if str(entry["filename"]).endswith(".whl"):
                yield Wheel(entry["filename"], urljoin(url, entry["url"]), _digests(entry["hashes"], entry.get("size")))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError("the index answered with no page of a package") from error


def _linked(url: str) -> Wheel:
    """A link whose fragment names a digest: ``…#sha256=…``."""
    return Wheel(unquote(_path(url)).rpartition("/")[2], url.partition("#")[0], _digests(dict(_fragment(url)), None))


def _fragment(url: str) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(url).fragment)


def _path(url: str) -> str:
    return urlsplit(url).path


def _digests(hashes: Mapping[str, Any], size: Any) -> Digests:
    return Digests(_digest(hashes, "md5", 32), _digest(hashes, "sha256", 64), size if isinstance(size, int) else None)


def _digest(hashes: Mapping[str, Any], name: str, digits: int) -> str | None:
    found = str(hashes.get(name, "")).lower()
    return found if re.fullmatch(rf"[0-9a-f]{{{digits}}}", found) else None
