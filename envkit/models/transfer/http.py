"""Requests, and what their answers mean: which bytes come, of how many, and whether it makes sense to ask again.

``requests`` gives the connections, proxies and certificates; redirects are followed here, host by host, because each
has its own proxy, its own token, and no business with another's.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple
from urllib.parse import urljoin, urlsplit
from urllib.request import url2pathname

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import get_auth_from_url, get_environ_proxies, get_netrc_auth, parse_header_links, requote_uri

from envkit import __version__
from envkit.errors import ModelError
from envkit.models import urls
from envkit.models.model import Digests
from envkit.models.transfer import answers, digest_headers
from envkit.models.transfer.announcement import Announcement, announced
from envkit.models.transfer.answers import TransientError
from envkit.models.transfer.location import Location, Route
from envkit.models.transfer.packed import Unpacked
from envkit.models.transfer.rewrite import Rules

_TIMEOUT = (10.0, 30.0)  # seconds to connect, and between two reads
_HEADERS = {"User-Agent": f"envkit/{__version__} requests/{requests.__version__}", "Accept-Encoding": "identity"}
_MOST_REDIRECTS = 10
_MOST_DRAINED = 64 << 10  # bytes: a longer body costs more to read than a new connection
_MOST_JSON = 64 << 20  # bytes
_CONNECTIONS = 64
# Some object stores sign a URL for GET alone, some servers know nothing else.
_HEAD_NOT_SERVED = {403, 405, 501}


@dataclass(frozen=True)
class Reply:
    """An answer that carries bytes; ``read`` raises as `Http.open` does, wherever it is called.

    ``start`` is the offset of its first byte in the file, ``size`` the file's whole length, ``length`` that of this
    body; ``validator`` names this version of the file (a strong ETag, or a date that will do), ``ranges`` says whether
    the server takes requests for parts, ``html`` whether it says that this is a page. ``close`` ends it before the
    context does: whoever reads no further keeps no connection busy. ``etag`` is as it was sent, ``url`` where the file
    was found after all redirects, without credentials and query, empty where that is a file of this machine.
    """

    read: Callable[[int], bytes]
    start: int
    size: int | None
    length: int | None
    validator: str | None
    ranges: bool
    html: bool = False
    close: Callable[[], None] = lambda: None
    etag: str | None = None
    url: str = ""


@dataclass(frozen=True)
class Part:
    """Bytes of a file from ``start`` up to ``end`` (None: to its end), of the version that ``validator`` names."""

    start: int
    end: int | None = None
    validator: str | None = None


class Page(NamedTuple):
    """A page as text; ``url`` is what its links are relative to, ``following`` that of its next page."""

    text: str
    url: str
    following: str | None


@dataclass
class Http:
    """The way out of this machine; for all threads of a sync.

    ``ca_bundle`` is whom to trust (None: requests' own); ``tokens`` are sent to their hosts as bearer tokens, by the
    host's name with ``.`` as ``_`` and ``-`` as ``__``.
    """

    ca_bundle: Path | None = None
    rules: Rules = field(default_factory=Rules)
    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)
    _adapter: HTTPAdapter = field(init=False, repr=False)
    _judge: requests.Session = field(init=False, repr=False)
    _ways: dict[tuple[str, str], tuple[dict[str, str], str | None]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._adapter = HTTPAdapter(pool_connections=_CONNECTIONS, pool_maxsize=_CONNECTIONS)
        self._judge = requests.Session()
        self._ways = {}

    @contextmanager
    def open(self, location: Location, part: Part | None = None) -> Iterator[Reply]:
        """The bytes behind a location, or a part of them.

        A server that has no parts, or another version than the one asked for, answers with the whole file.

        Raises:
            TransientError: the server is busy, or the connection broke; also while the bytes are read.
            answers.UnsatisfiableError: the part cannot be had.
            ModelError: anything else that keeps the bytes away.
        """
        if urlsplit(location.url).scheme == "file":
            with _opened(location.url, part) as reply:
                yield reply
            return
        asked = {}
        if part is not None:
            asked["Range"] = f"bytes={part.start}-{'' if part.end is None else part.end - 1}"
            if part.validator:
                asked["If-Range"] = part.validator
        with self._response("GET", location, asked) as response:
            answers.check(response)
            yield _reply(response, location.url)

    def probe(self, location: Location) -> Announcement:
        """Ask for the headers alone; what the server tells of the file. Raises as `open` does."""
        if urlsplit(location.url).scheme == "file":
            with _opened(location.url, None) as reply:
                return Announcement(reply.size, Digests(), None, location.url)
        for method in ("HEAD", "GET"):
            with self._response(method, location, digest_headers.WANTED) as response:
                if method == "HEAD" and response.status_code in _HEAD_NOT_SERVED:
                    continue
                answers.check(response)
                if answers.is_html(response):
                    raise answers.not_a_model()
                told = announced(response)
                # A length of 0 is what some servers have for every HEAD: no model is that short.
                if method == "GET" or told.size != 0:
                    return told
        raise AssertionError("GET always returns or raises")

    def json(self, location: Location) -> tuple[Any, str | None]:
        """What an API answers, and the URL of its next page where there is one. Raises as `open` does."""
        text, following = self._body(location, "application/json", _MOST_JSON)
        try:
            return json.loads(text), following
        except (ValueError, RecursionError) as error:
            raise ModelError("the server answered with something else than JSON") from error

    def page(self, location: Location, accept: str, most: int) -> Page:
        """A page, of the media types in ``accept``. Raises as `open` does.

        What has more than ``most`` bytes is no page.
        """
        with self._response("GET", location, {"Accept": accept}) as response:
            answers.check(response)
            body = response.raw.read(most + 1, decode_content=True)
            if len(body) > most:
                raise ModelError(f"the server answered with a page of more than {most} bytes")
            return Page(body.decode("utf-8", "replace"), response.url, _next(response, response.url))

    def _body(self, location: Location, accept: str, most: int) -> tuple[bytes, str | None]:
        with self._response("GET", location, {"Accept": accept}) as response:
            answers.check(response)
            return response.raw.read(most, decode_content=True), _next(response, location.url)

    @contextmanager
    def _response(self, method: str, location: Location, asked: Mapping[str, str]) -> Iterator[requests.Response]:
        """The answer at the end of all redirects; what goes wrong meanwhile as a `ModelError`."""
        with _translated():
            response = self._follow(method, location, asked)
            try:
                yield response
            finally:
                # What was read to its end goes back to the pool, to be used again; anything else is cut off.
                response.close()

    def _follow(self, method: str, location: Location, asked: Mapping[str, str]) -> requests.Response:
        url, authorization = self.rules.apply(location.url), location.authorization
        passed: list[requests.Response] = []
        for _ in range(_MOST_REDIRECTS):
            authorization = authorization or self._way(url)[1]
            response = self._send(method, url, authorization, location.route, asked)
            following = _target(self._judge, response, url)
            if following is None:
                response.history = passed
                return response
            passed.append(response)
            size = answers.length(response)
            if size is not None and size <= _MOST_DRAINED:
                with suppress(urllib3.exceptions.HTTPError, OSError):
                    response.raw.drain_conn()
            response.close()
            if self._judge.should_strip_auth(url, following):  # type: ignore[no-untyped-call]
                authorization = None
            url = following
        raise ModelError(f"redirected more than {_MOST_REDIRECTS} times")

    def _send(
        self, method: str, url: str, authorization: str | None, route: Route, asked: Mapping[str, str]
    ) -> requests.Response:
        proxies, _ = self._way(url)
        if authorization and not (authorization.isascii() and authorization.isprintable()):
            # Said here: what `requests` says of it has the token in it.
            shown = urlsplit(url).hostname
            raise ModelError(f"the token or password for {shown} has a character in it that no request can carry")
        headers = {**_HEADERS, **asked, **({"Authorization": authorization} if authorization else {})}
        request = _request(method, url, headers)
        if route.proxy:
            # As with pip, a proxy that is named outright is used for every host, whatever NO_PROXY says.
            proxies = {"http": route.proxy, "https": route.proxy}
        bundle = route.ca_bundle or self.ca_bundle
        verify: bool | str = str(bundle) if bundle else True
        if _is_trusted(url, route):
            verify = False
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        certificate = str(route.client_certificate) if route.client_certificate else None
        return self._adapter.send(request, True, _TIMEOUT, verify, certificate, proxies)

    def _way(self, url: str) -> tuple[dict[str, str], str | None]:
        """Proxies for a URL and credentials for its host: looked up once a host, in the environment and the netrc."""
        parts = urlsplit(url)
        place = (parts.scheme, parts.netloc)
        if place not in self._ways:
            self._ways[place] = (get_environ_proxies(url), self._credentials(url, parts.hostname or ""))
        return self._ways[place]

    def _credentials(self, url: str, host: str) -> str | None:
        token = self.tokens.get(host.replace("-", "__").replace(".", "_").lower())
        if token:
            return f"Bearer {token}"
        user, password = get_auth_from_url(url)
        found = (user, password) if user or password else get_netrc_auth(url)
        return answers.basic(*found) if found else None


def _request(method: str, url: str, headers: Mapping[str, str]) -> requests.PreparedRequest:
    """A request without what a session would add: cookies, hooks, a body. It is half of the cost of a small file."""
    request = requests.PreparedRequest()
    request.prepare_method(method)
    request.prepare_headers(headers)
    if url.isascii():
        request.url = requote_uri(url)
    else:
        request.prepare_url(url, None)
    return request


def _next(response: requests.Response, base: str) -> str | None:
    """The URL of the page after this one (RFC 8288), where there is one."""
    links = parse_header_links(response.headers.get("Link", ""))
    following = next((link["url"] for link in links if link.get("rel") == "next"), None)
    return following and urljoin(base, following)


@contextmanager
def _translated() -> Iterator[None]:
    """What goes wrong on the way to a server and back, as a `ModelError`."""
    try:
        yield
    except requests.exceptions.SSLError as error:
        hint = "behind a proxy with a certificate of its own: name its CA bundle in ENVKIT_CA_BUNDLE"
        raise ModelError(f"no trusted connection: {root_cause(error)}", hint=hint) from error
    except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError) as error:
        raise TransientError(f"the connection failed: {root_cause(error)}") from error
    except requests.RequestException as error:
        raise ModelError(f"the request failed: {root_cause(error)}") from error


def _target(judge: requests.Session, response: requests.Response, url: str) -> str | None:
    """Where an answer to ``url`` sends us; None for one that is the answer.

    Raises:
        ModelError: to no place of the web, be it a path of this machine.
    """
    try:
        target = judge.get_redirect_target(response)
        if not target:
            return None
        following = urljoin(url, target)
        parts = urlsplit(following)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return following
        shown = f"{urls.redacted(following)}, which is no http:// or https:// URL"
    except ValueError:
        shown = "what is no URL"
    response.close()
    raise ModelError(f"redirected to {shown}")


def _is_trusted(url: str, route: Route) -> bool:
    """Whether the route takes the certificate of this host as it is; one named without a port is meant with all."""
    parts = urlsplit(url)
    return bool({parts.netloc.rpartition("@")[2], parts.hostname or ""} & set(route.trusted_hosts))


def _reply(response: requests.Response, url: str) -> Reply:
    raw = response.raw
    # The transfer's end is compared with what was announced where the bytes are counted.
    raw.enforce_content_length = False
    # urllib3 before 2.2 has no `read1`, and waits until a chunk is full.
    pull: Callable[[int], bytes] = getattr(raw, "read1", raw.read)

    def read(amount: int) -> bytes:
        with _translated():
            return pull(amount)

    start, size = answers.extent(response)
    length = answers.length(response)
    html = answers.is_html(response)
    if answers.encoding(response, url) == "gzip":
        unpacked = Unpacked(read, length)
        return Reply(
            unpacked.read,
            start,
            None,
            None,
            None,
            ranges=False,
            html=html,
            close=response.close,
            url=urls.plain(response.url),
        )
    return Reply(
        read,
        start,
        size,
        length,
        answers.validator(response),
        ranges=response.status_code == 206 or response.headers.get("Accept-Ranges", "").lower() == "bytes",
        html=html,
        close=response.close,
        etag=response.headers.get("ETag"),
        url=urls.plain(response.url),
    )


@contextmanager
def _opened(url: str, part: Part | None) -> Iterator[Reply]:
    """A file of this machine or of a share, as if a server had answered."""
    path = Path(url2pathname(urlsplit(url).path))
    with _reading(path):
        file = path.open("rb", buffering=0)
    with file:
        found = os.fstat(file.fileno())
        validator = f'"{found.st_ino}-{found.st_size}-{found.st_mtime_ns}"'
        start = part.start if part and part.validator in (None, validator) else 0
        start = min(start, found.st_size)
        end = min(found.st_size, part.end if part and part.end and start else found.st_size)
        file.seek(start)
        yield Reply(_bounded(file, path, end - start), start, found.st_size, end - start, validator, ranges=True)


def _bounded(file: IO[bytes], path: Path, left: int) -> Callable[[int], bytes]:
    def read(amount: int) -> bytes:
        nonlocal left
        with _reading(path):
            chunk = file.read(min(amount, left))
        left -= len(chunk)
        return chunk

    return read


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """What keeps a file from being read, as a `ModelError`; who takes its bytes has failures of their own."""
    try:
        yield
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error


def root_cause(error: BaseException) -> str:
    """The innermost reason in words. The outer ones repeat the URL, with every secret in its query."""
    # What happened while another error was handled is its reason only where the system says so.
    context = error.__context__ if isinstance(error.__context__, OSError) else None
    for seen in (error, context):
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror
    for inner in (getattr(error, "reason", None), *error.args, error.__cause__):
        if isinstance(inner, BaseException):
            return root_cause(inner)
    text = str(error)
    return text if text and "/" not in text else type(error).__name__
