"""What the headers of an answer say."""

from __future__ import annotations

import base64
import re
from email.utils import parsedate_to_datetime
from time import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from envkit.errors import ModelError

if TYPE_CHECKING:
    import requests

_BUSY = {408, 425, 429, 500, 502, 503, 504}
_LENGTH = re.compile(r"[0-9]{1,18}")
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")
# A date is as good as a strong validator once the file cannot have changed twice within it (RFC 9110, 8.8.2.2).
_SETTLED = 60.0  # seconds


class TransientError(ModelError):
    """What may work in a moment; ``retry_after`` is how many seconds the server asked to be left alone."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class StatusError(ModelError):
    """The server answered, and does not give it: ``status`` is HTTP's, ``code`` a hub's own word for why."""

    def __init__(self, message: str, status: int, code: str | None, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.code = code


class UnsatisfiableError(ModelError):
    """The server has the file, but does not give the part that was asked for, or gives one and does not say which."""


def check(response: requests.Response) -> None:
    """Raise what a status other than success means."""
    status = response.status_code
    if status == 200 or (status == 206 and "Range" in response.request.headers):
        return
    answer = f"the server answered {status} {response.reason or ''}".rstrip()
    if status in _BUSY:
        pause = retry_after(response.headers.get("Retry-After", ""))
        raise TransientError(f"{answer}, and asks to be left alone for {pause:.0f} s" if pause else answer, pause)
    if status == 416:
        raise UnsatisfiableError(answer)
    raise StatusError(answer, status, response.headers.get("X-Error-Code"), hint=_HINTS.get(status))


_CREDENTIALS = "credentials for it can stand in ~/.netrc, a token in ENVKIT_TOKEN_… (docs/reference/settings.md)"
_GONE = "look at the address in a browser: the file may have moved"
_HINTS = {401: _CREDENTIALS, 403: _CREDENTIALS, 404: _GONE, 410: _GONE}


def retry_after(text: str) -> float | None:
    """Seconds from the header of that name, given as a number or as a date (RFC 9110, 10.2.3)."""
    text = text.strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time())
    except (ValueError, OverflowError):
        return None


def length(response: requests.Response) -> int | None:
    """How many bytes the body has, if that is said; what comes in chunks says so itself (RFC 9112, 6.3)."""
    text = response.headers.get("Content-Length", "").strip()
    chunked = "Transfer-Encoding" in response.headers
    return int(text) if _LENGTH.fullmatch(text) and not chunked else None


def extent(response: requests.Response) -> tuple[int, int | None]:
    """Where in the file the body starts, and how long the whole file is.

    Raises:
        UnsatisfiableError: an answer with a part does not say which.
    """
    if response.status_code != 206:
        return 0, length(response)
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    if found is None:
        raise UnsatisfiableError("the server answered with a part of the file, and does not say with which")
    return int(found[1]), None if found[3] == "*" else int(found[3])


def validator(response: requests.Response) -> str | None:
    """What names this version of the file, for ``If-Range``: a strong ETag, else a date old enough to be as good."""
    etag = response.headers.get("ETag", "")
    if re.fullmatch(r'"[^"\r\n]*"', etag):
        return etag
    modified = response.headers.get("Last-Modified", "")
    try:
        age = parsedate_to_datetime(response.headers["Date"]) - parsedate_to_datetime(modified)
        settled = age.total_seconds() >= _SETTLED
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
    return modified if settled and not etag else None


def encoding(response: requests.Response, url: str) -> str | None:
    """How the body is packed for the way; None for the file itself, as a ``.tar.gz`` labelled gzip is."""
    found = response.headers.get("Content-Encoding", "").strip().lower().removeprefix("x-")
    as_it_is = found == "gzip" and urlsplit(url).path.lower().endswith((".gz", ".tgz"))
    return None if found in ("", "identity") or as_it_is else found


def is_html(response: requests.Response) -> bool:
    return response.headers.get("Content-Type", "").strip().lower().startswith("text/html")


def looks_like_html(beginning: bytes, *, labelled: bool) -> bool:
    """Whether the first bytes of a file are a page's; ``labelled`` if the server calls it one."""
    text = beginning[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return text.startswith((b"<!doctype html", b"<html")) or (labelled and text.startswith(b"<"))


def not_a_model() -> ModelError:
    hint = "a login or an error page, it seems: look at the address in a browser, or at the proxy settings"
    return ModelError("the server answered with an HTML page, not with a model", hint=hint)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
