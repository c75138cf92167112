"""The links of a page of HTML: a folder as a web server shows it, a package's page of an index."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urljoin


def absolute(text: str, url: str) -> list[str]:
    """Where the links of a page lead, in its order; ``url`` is the page's own. What is no URL is left out."""
    found = _Links()
    found.feed(text)
    base = _joined(url, found.base) or url
    return [link for link in (_joined(base, link) for link in found.links) if link]


def _joined(base: str, link: str) -> str | None:
    try:
        return urljoin(base, link)
    except ValueError:
        return None


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.base = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        target = dict(attrs).get("href")
        if target and tag == "a":
            self.links.append(target)
        elif target and tag == "base":
            self.base = target
