"""The versions that an ``index_url`` lists: a page of links, as a web server makes of a folder, or JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from envkit.errors import ModelError
from envkit.models import urls
from envkit.models.model import Digests
from envkit.models.sources import links
from envkit.models.sources.base import Asking
from envkit.models.transfer.location import Location

if TYPE_CHECKING:
    from envkit.models.transfer.http import Page

_ACCEPT = "application/json, text/html, */*;q=0.5"
_MOST = 16 << 20  # bytes of a page
_MOST_PAGES = 100
_LIST = 'expected a JSON list of versions, {"versions": …}, or a page with links to the files or their folders'
# What lists of releases and tags call it (GitHub's and GitLab's have the last two).
_NAMES = ("version", "tag_name", "name")
_HEX = {"md5": 32, "sha256": 64}
_VERSION = urls.VERSION


def versions(index_url: str, template: str, asking: Asking) -> Mapping[str, Digests]:
    """The versions at ``index_url``, in no order, each with what is said there of its bytes.

    From a page, those whose link is ``template`` with a version filled in, or a folder on the way to that.

    Raises:
        ModelError: the index cannot be reached, or lists nothing.
    """
    found: dict[str, Digests] = {}
    for page in _pages(index_url, asking):
        found |= _listed(page.text, page.url, index_url, template)
    if not found:
        raise ModelError(f"{urls.redacted(index_url)} lists no versions", hint=_LIST)
    return found


def _pages(index_url: str, asking: Asking) -> Iterator[Page]:
    wanted = index_url
    for _ in range(_MOST_PAGES):
        asking.tick()
        page = asking.http.page(Location(wanted), _ACCEPT, _MOST)
        yield page
        if page.following is None:
            return
        wanted = page.following
    raise ModelError(f"{urls.redacted(index_url)} has a list without end")


def _listed(text: str, page: str, index_url: str, template: str) -> Mapping[str, Digests]:
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return dict.fromkeys(_in_page(text, page, template), Digests())
    return dict(_in_json(answer, urls.redacted(index_url)))


def _in_json(answer: Any, shown: str) -> Iterator[tuple[str, Digests]]:
    listed = answer.get("versions") if isinstance(answer, dict) else answer
    if isinstance(listed, dict):
        listed = [{**(about if isinstance(about, dict) else {}), _NAMES[0]: name} for name, about in listed.items()]
    for item in listed if isinstance(listed, list) else ():
        about = item if isinstance(item, dict) else {_NAMES[0]: item}
        name = next((about[key] for key in _NAMES if isinstance(about.get(key), str)), None)
        if name is not None:
            yield name, _digests(about, f"{shown} says of version {name}")


def _digests(about: Mapping[str, Any], where: str) -> Digests:
    """What is said of one version; a digest that is none is no reason to go without."""
    values: dict[str, str | None] = {}
    for key, digits in _HEX.items():
        value = about.get(key)
        if value is not None and not re.fullmatch(rf"[0-9a-fA-F]{{{digits}}}", str(value)):
            raise ModelError(f"{where} that its {key} is {value!r}", hint=f"expected {digits} hexadecimal digits")
        values[key] = None if value is None else str(value).lower()
    size = about.get("size")
    if size is not None and (type(size) is not int or size < 0):
        raise ModelError(f"{where} that its size is {size!r}", hint="expected a number of bytes")
    return Digests(values["md5"], values["sha256"], size)


# --- a page of links -----------------------------------------------------------------------------------------------


def _in_page(text: str, page: str, template: str) -> list[str]:
    found = links.absolute(text, page)
    # A mirror's page has its own links; its files are where the template says.
    return _matching(found, template, _whole) or _matching(found, template, _path)


def _matching(found: Iterable[str], template: str, part: Callable[[str, bool], str]) -> list[str]:
    # Without a query, where the version does not stand in it: a link to a file may be signed.
    query = _VERSION in urlsplit(template).query
    patterns = _patterns(part(template, query))
    plain = (part(link, query).rstrip("/") for link in found)
    return [match[1] for link in plain for pattern in patterns if (match := pattern.fullmatch(link))]


def _patterns(template: str) -> list[re.Pattern[str]]:
    """The file with any version in its place, and every folder above it that has the version in its path."""
    parts = template.split("/")
    first = next((place for place, part in enumerate(parts) if _VERSION in part), len(parts))
    return [_pattern("/".join(parts[: end + 1])) for end in range(first, len(parts))]


def _pattern(template: str) -> re.Pattern[str]:
    before, _, after = template.partition(_VERSION)
    again = re.escape(after).replace(re.escape(_VERSION), r"(?:\1)")
    return re.compile(rf"{re.escape(before)}([^/]+?){again}")


def _whole(url: str, query: bool) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{_path(url, query)}"


def _path(url: str, query: bool) -> str:
    parts = urlsplit(url)
    return unquote(parts.path) + (f"?{unquote(parts.query)}" if query else "")
