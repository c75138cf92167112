"""One URL → one temporary file whose digests matched.

MD5 and SHA-256 are computed while the bytes arrive, so a file is read once. Nothing here retries: whoever wants to
knows from `TransientError` when it makes sense.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from time import time
from typing import BinaryIO, Protocol
from urllib.parse import urlsplit
from urllib.request import url2pathname

import requests
import urllib3

from envkit import __version__
from envkit.errors import ModelError
from envkit.models import session
from envkit.models.model import PLACEHOLDER_MD5, Digests, WrongBytesError
from envkit.models.progress import Meter
from envkit.models.sources.base import Location

_CHUNK = 1 << 20  # bytes at most: what has arrived is taken, however little
_TIMEOUT = (10.0, 30.0)  # seconds to connect, and between two reads
_HEADERS = {"User-Agent": f"envkit/{__version__} requests/{requests.__version__}", "Accept-Encoding": "identity"}
# A body that is this much longer than the registry says (bytes) is not read to its end for the sake of the message.
_EXCESS = 64 << 20
_BUSY = {408, 429, 500, 502, 503, 504}
# Some object stores sign a URL for GET alone, some servers know nothing else.
_HEAD_NOT_SERVED = {403, 405, 501}


class TransientError(ModelError):
    """What may work in a moment; ``retry_after`` is how many seconds the server asked to be left alone."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True)
class Request:
    """Where to fetch from, what the bytes have to be, and the certificate bundle to trust (None: requests' own)."""

    location: Location
    expected: Digests
    ca_bundle: Path | None


class _Body(Protocol):
    def read(self, amount: int, /) -> bytes: ...


def fetch(request: Request, into: Path, meter: Meter, check: Callable[[], None]) -> Digests:
    """Receive the bytes into the file ``into``, made anew, and prove them; their digests and size.

    ``check`` is called as bytes arrive; what it raises ends the transfer.

    Raises:
        WrongBytesError: a digest or the size is not as expected.
        TransientError: the server is busy, or the connection broke.
        ModelError: anything else that keeps the bytes away.
    """
    expected = request.expected
    with _opened(request.location, request.ca_bundle) as (body, announced), into.open("wb") as out:
        meter.start(expected.size if announced is None else announced)
        got = _receive(body, out, meter, check, limit=None if expected.size is None else expected.size + _EXCESS)
    if announced is not None and got.size != announced:
        raise TransientError(f"the transfer ended after {got.size} of {announced} bytes")
    _prove(request, got)
    return got


def probe(location: Location, ca_bundle: Path | None) -> int | None:
    """Ask for the headers alone; the size in bytes, where the server tells it. Raises as `fetch` does."""
    for method in ("HEAD", "GET"):
        with _response(method, location, ca_bundle) as response:
            if method == "HEAD" and response.status_code in _HEAD_NOT_SERVED:
                continue
            _check_status(response)
            if response.headers.get("Content-Type", "").startswith("text/html"):
                raise _not_a_model()
            return _announced(response)
    raise AssertionError("GET always returns or raises")


def _prove(request: Request, got: Digests) -> None:
    expected, announced = request.expected, request.location.sha256
    wanted = Digests(expected.md5, expected.sha256 or announced, expected.size)
    mismatches = wanted.mismatches(got)
    if not mismatches:
        return
    if expected.md5 == PLACEHOLDER_MD5:
        hint = "that md5 is the one of an empty file, a placeholder: if these bytes are right, write their own"
    elif announced is not None and announced == got.sha256:
        hint = "the index announces these very bytes: models.yaml is wrong, or the package was replaced"
    else:
        hint = "either the bytes changed where they come from, or models.yaml is wrong; checkpoints/ is as it was"
    raise WrongBytesError("other bytes than models.yaml names", mismatches, hint=hint)


def _receive(body: _Body, out: BinaryIO, meter: Meter, check: Callable[[], None], limit: int | None) -> Digests:
    md5, sha256, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
    # urllib3 before 2.2 has no `read1`, and waits until a chunk is full.
    read: Callable[[int], bytes] = getattr(body, "read1", body.read)
    while chunk := read(_CHUNK):
        check()
        if size == 0 and chunk[:1024].lstrip().lower().startswith((b"<!doctype html", b"<html")):
            raise _not_a_model()
        for sink in (md5.update, sha256.update, out.write):
            sink(chunk)
        size += len(chunk)
        meter.advance(len(chunk))
        if limit is not None and size > limit:
            raise ModelError(f"stopped after {size} bytes: models.yaml says size {limit - _EXCESS}")
    return Digests(md5.hexdigest(), sha256.hexdigest(), size)


@contextmanager
def _opened(location: Location, ca_bundle: Path | None) -> Iterator[tuple[_Body, int | None]]:
    """The bytes behind a location, and how many there will be if that is known."""
    parts = urlsplit(location.url)
    if parts.scheme == "file":
        # pip's find-links may be a folder of this machine.
        path = Path(url2pathname(parts.path))
        with path.open("rb") as body:
            yield body, path.stat().st_size
        return
    with _response("GET", location, ca_bundle) as response:
        _check_status(response)
        # `fetch` compares, and says by how much the body fell short.
        response.raw.enforce_content_length = False
        # Raw, as requests leaves it: a `.tar.gz` labelled `Content-Encoding: gzip` arrives as the file it is.
        yield response.raw, _announced(response)


@contextmanager
def _response(method: str, location: Location, ca_bundle: Path | None) -> Iterator[requests.Response]:
    """One request, its connection closed afterwards; what goes wrong meanwhile as a `ModelError`."""
    try:
        with (
            session.opened(location.route) as opened,
            opened.request(
                method,
                location.url,
                headers=_HEADERS,
                auth=location.auth,
                stream=True,
                timeout=_TIMEOUT,
                allow_redirects=True,
                **session.options(location.route, ca_bundle),
            ) as response,
        ):
            yield response
    except requests.exceptions.SSLError as error:
        hint = "behind a proxy with a certificate of its own: name its CA bundle in ENVKIT_CA_BUNDLE"
        raise ModelError(f"no trusted connection: {_root_cause(error)}", hint=hint) from error
    except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError) as error:
        raise TransientError(f"the connection failed: {_root_cause(error)}") from error
    except requests.RequestException as error:
        raise ModelError(f"the request failed: {_root_cause(error)}") from error


def _check_status(response: requests.Response) -> None:
    status = response.status_code
    if status == 200:
        return
    answer = f"the server answered {status} {response.reason or ''}".rstrip()
    if status in _BUSY:
        pause = _retry_after(response)
        raise TransientError(f"{answer}, and asks to be left alone for {pause:.0f} s" if pause else answer, pause)
    hint = "credentials for it can stand in ~/.netrc" if status in (401, 403) else None
    raise ModelError(answer, hint=hint)


def _retry_after(response: requests.Response) -> float | None:
    """Seconds from the header of that name, given as a number or as a date (RFC 9110, 10.2.3)."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time())
    except ValueError:
        return None


def _announced(response: requests.Response) -> int | None:
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _not_a_model() -> ModelError:
    hint = "a login or an error page, it seems: look at the address in a browser, or at the proxy settings"
    return ModelError("the server answered with an HTML page, not with a model", hint=hint)


def _root_cause(error: BaseException) -> str:
    """The innermost reason in words. The outer ones repeat the URL, with every secret in its query."""
    # What happened while another error was handled is its reason only where the system says so.
    context = error.__context__ if isinstance(error.__context__, OSError) else None
    for seen in (error, context):
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror
    for inner in (getattr(error, "reason", None), *error.args, error.__cause__):
        if isinstance(inner, BaseException):
            return _root_cause(inner)
    text = str(error)
    return text if text and "/" not in text else type(error).__name__
