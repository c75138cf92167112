"""What `ModelServer` answers: well by default, and on demand in the ways that servers are known to misbehave."""

from __future__ import annotations

import gzip
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from typing import Literal

Lie = Literal["ignored", "refused", "wrong start", "wrong total", "other etag", "short", "long"]


@dataclass(frozen=True)
class Asked:
    """One request that came in. The names of ``headers`` are found in any case."""

    method: str
    path: str
    headers: Mapping[str, str]
    query: str = ""


@dataclass(frozen=True)
class Answer:
    """One answer. HEADs get the status ``head`` if given.

    ``ranges``: a part is given to who asks for one (RFC 9110, 14), unless there is a ``lie``: parts are "ignored" (200)
    or "refused" (416), or the 206 has another start, total or ETag than it should, or a body shorter or longer than its
    own Content-Range says. ``last_modified`` is an HTTP date.

    ``framing`` is how the body's end is told: by Content-Length (which says ``excess`` bytes more than there are), in
    chunks, or by closing the connection. The byte at ``flip`` of the whole body is wrong, or only in the first answer
    that has it (``flip_once``). At most ``rate`` bytes a second are sent.

    Counted in what this very answer sends: after ``cut`` bytes the connection ends, with a ``reset`` if asked for;
    after ``pause_at`` it sets ``paused`` and waits for ``go_on``, sending a little again and again meanwhile if it is
    to ``trickle``. A ``mute`` one waits before its first byte.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    head: int | None = None
    ranges: bool = False
    lie: Lie | None = None
    etag: str | None = None
    last_modified: str | None = None
    framing: Literal["length", "chunked", "close"] = "length"
    excess: int = 0
    flip: int | None = None
    flip_once: bool = False
    rate: float | None = None
    cut: int | None = None
    reset: bool = False
    pause_at: int | None = None
    trickle: bool = False
    mute: bool = False
    paused: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    flipped: threading.Event = field(default_factory=threading.Event)


Answering = Answer | bytes | Callable[[Asked], Answer]


@dataclass(frozen=True)
class Reply:
    """What goes over the line for one request."""

    status: int
    headers: Mapping[str, str]
    body: memoryview


def reply(answer: Answer, asked: Asked) -> Reply:
    """The whole body or the part that was asked for, with the headers that describe it, truly or not."""
    if asked.method == "HEAD":
        return _described(answer, Reply(answer.head or answer.status, {}, memoryview(answer.body)))
    span = _asked_for(answer, asked)
    if span is None:
        return _described(answer, Reply(answer.status, {}, _bytes(answer, 0, len(answer.body))))
    if answer.lie == "refused" or span[0] >= min(span[1], len(answer.body)):
        return _described(answer, Reply(416, {"Content-Range": f"bytes */{len(answer.body)}"}, memoryview(b"")))
    return _described(answer, _part(answer, span[0], min(span[1], len(answer.body))))


def _asked_for(answer: Answer, asked: Asked) -> tuple[int, int] | None:
    """First byte and the one after the last. What is no range of this simple kind may be ignored, says the RFC."""
    found = re.fullmatch(r"bytes=(\d+)-(\d*)", asked.headers.get("Range", ""))
    if not found or not answer.ranges or answer.status != 200 or answer.lie == "ignored":
        return None
    condition = asked.headers.get("If-Range")
    if condition and answer.lie != "other etag" and condition not in _strong_validators(answer):
        return None
    return int(found[1]), int(found[2]) + 1 if found[2] else len(answer.body)


def _strong_validators(answer: Answer) -> list[str]:
    known = (answer.etag, answer.last_modified)
    return [validator for validator in known if validator and not validator.startswith("W/")]


def _part(answer: Answer, start: int, stop: int) -> Reply:
    total = len(answer.body)
    if answer.lie == "wrong start":  # honest about a part that nobody asked for
        start = 0 if start else 1
    if answer.lie == "wrong total":
        total += 1
    body = _bytes(answer, start, stop)
    if answer.lie == "short":
        body = body[:-1]
    if answer.lie == "long":
        body = memoryview(bytes(body) + b"\0")
    return Reply(206, {"Content-Range": f"bytes {start}-{stop - 1}/{total}"}, body)


def _bytes(answer: Answer, start: int, stop: int) -> memoryview:
    """These bytes, not copied unless one of them is to be wrong."""
    body, at = memoryview(answer.body)[start:stop], answer.flip
    if at is None or not start <= at < stop or (answer.flip_once and answer.flipped.is_set()):
        return body
    answer.flipped.set()
    damaged = bytearray(body)
    damaged[at - start] ^= 1
    return memoryview(damaged)


def _described(answer: Answer, bare: Reply) -> Reply:
    etag = '"another"' if answer.lie == "other etag" and bare.status == 206 else answer.etag
    known = {"ETag": etag, "Last-Modified": answer.last_modified, "Accept-Ranges": "bytes" if answer.ranges else None}
    headers = {**bare.headers, **{name: value for name, value in known.items() if value}, **_framing(answer, bare.body)}
    return replace(bare, headers={**headers, **answer.headers})


def _framing(answer: Answer, body: memoryview) -> Mapping[str, str]:
    if answer.framing == "chunked":
        return {"Transfer-Encoding": "chunked"}
    if answer.framing == "close":
        return {"Connection": "close"}
    return {"Content-Length": str(len(body) + answer.excess)}


def http_date(seconds: float = 0) -> str:
    """So many seconds from now, as HTTP writes it."""
    return formatdate(time.time() + seconds, usegmt=True)


def busy(status: int = 503, retry_after: str | float | None = None) -> Answer:
    """``retry_after``: seconds, or any text, such as an `http_date`."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return Answer(b"busy", status, headers)


def redirect(to: str, status: int = 302) -> Answer:
    """To a URL or a path; to its own path it is a loop."""
    return Answer(status=status, headers={"Location": to})


def gzipped(body: bytes) -> Answer:
    """Compressed, whatever was asked for."""
    return Answer(gzip.compress(body), headers={"Content-Encoding": "gzip"})


def login_page() -> Answer:
    """What a captive portal or a single sign-on gives in place of a file."""
    return Answer(b"<!DOCTYPE html>\n<title>Sign in</title>\n", headers={"Content-Type": "text/html; charset=utf-8"})


class Signed:
    """A path that sends everyone to a signed URL of their own, which is good for ``uses`` requests (None: for ever)."""

    def __init__(self, answer: Answer, uses: int | None = None) -> None:
        self._answer, self._uses = answer, uses
        self._lock = threading.Lock()
        self._left: dict[str, int | None] = {}
        self._issued = 0

    def redirect(self, base: str) -> Answer:
        """To ``base`` with the next signature."""
        with self._lock:
            self._issued += 1
            query = f"sig={self._issued}"
            self._left[query] = self._uses
        return redirect(f"{base}?{query}")

    def answer(self, asked: Asked) -> Answer:
        with self._lock:
            left = self._left.get(asked.query, 0)
            if left == 0:
                return Answer(b"<Error><Code>AccessDenied</Code></Error>", status=403)
            if left is not None:
                self._left[asked.query] = left - 1
        return self._answer

    def expire(self) -> None:
        """Every URL that was given out so far."""
        with self._lock:
            self._left.clear()
