"""What a server says of a file without sending its bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from envkit.models import urls
from envkit.models.model import Digests
from envkit.models.transfer import answers, digest_headers
from envkit.models.transfer.digest_headers import Told

if TYPE_CHECKING:
    import requests


@dataclass(frozen=True)
class Announcement:
    """What is told of one file: its ``size`` in bytes, and the digests that headers or listings name.

    ``digests.size`` is left None: a size and what proves it are two things. ``etag`` is as it was sent, weak ones too;
    ``url`` is where the file was found after all redirects, without credentials and query, empty where nobody says.
    ``told_by`` says who told a digest, by the name of its field (``md5`` → ``Content-MD5``).
    """

    size: int | None
    digests: Digests
    etag: str | None
    url: str
    told_by: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, told: Iterable[Told], size: int | None, etag: str | None, url: str) -> Announcement:
        """By what was told, the first of a kind before others."""
        found: dict[str, Told] = {}
        for one in told:
            found.setdefault(one.name, one)
        values = {name: one.digest for name, one in found.items()}
        digests = Digests(values.get("md5"), values.get("sha256"), None, values.get("git_blob"))
        return cls(size, digests, etag, url, {name: one.header for name, one in found.items()})

    @classmethod
    def listed(cls, known: Digests, by: str, url: str) -> Announcement:
        """What a list says of a file at ``url``; ``by`` is whose list it is."""
        named = {name: by for name, value in vars(known).items() if isinstance(value, str)}
        return cls(known.size, replace(known, size=None), None, url and urls.plain(url), named)

    def over(self, other: Announcement) -> Announcement:
        """What is told here, and of the rest what ``other`` tells of the same file."""
        return Announcement(
            other.size if self.size is None else self.size,
            self.digests.over(other.digests),
            self.etag or other.etag,
            self.url or other.url,
            {**other.told_by, **self.told_by},
        )


def announced(response: requests.Response) -> Announcement:
    """What an answer says, and the redirects before it in its ``history``.

    Of an answer whose body is packed for the way, neither size nor digests are those of the file.
    """
    is_the_file = answers.encoding(response, response.url) is None
    told = [*digest_headers.told(response.headers)] if is_the_file else []
    size = answers.length(response) if is_the_file else None
    for redirect in reversed(response.history):
        told += digest_headers.told(redirect.headers, on_the_way=True)
        size = _linked_size(redirect) if size is None else size
    return Announcement.of(told, size, response.headers.get("ETag"), urls.plain(response.url))


def _linked_size(redirect: requests.Response) -> int | None:
    text = redirect.headers.get("X-Linked-Size", "")
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None
