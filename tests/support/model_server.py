"""A real HTTP server on this machine that answers as a test says, well or badly, and remembers what it was asked."""

from __future__ import annotations

import base64
import hashlib
import io
import ssl
import tarfile
import threading
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from urllib.parse import unquote, urlsplit

_DRIP = 100  # bytes


@dataclass(frozen=True)
class Answer:
    """One answer. HEADs get the status ``head`` if given.

    After ``cut`` bytes of the body the connection ends; after ``pause_at`` it sets ``paused`` and waits for ``go_on``,
    sending a little again and again meanwhile if it is to ``trickle``. A ``mute`` one waits before its first byte.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    head: int | None = None
    cut: int | None = None
    pause_at: int | None = None
    trickle: bool = False
    mute: bool = False
    paused: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Asked:
    """One request that came in."""

    method: str
    path: str
    headers: Mapping[str, str]


class ModelServer:
    """Use as a context manager; ``host`` is the address to listen on and to name in URLs.

    ``certificate`` is a PEM file with a key and its certificate: with one, HTTPS is spoken.
    """

    def __init__(self, host: str = "127.0.0.1", certificate: Path | None = None) -> None:
        self.asked: list[Asked] = []
        self._answers: dict[str, list[Answer]] = {}
        self._password: tuple[str, str] | None = None
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer((host, 0), self._handler())
        self._http.daemon_threads = True
        self._scheme = "http"
        if certificate:
            self._scheme, context = "https", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            # The handshake belongs to the thread of the connection: one that is refused must not end the server.
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def __enter__(self) -> ModelServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def address(self) -> str:
        host, port = self._http.server_address[:2]
        return f"{host!s}:{port}"

    def url(self, path: str) -> str:
        return f"{self._scheme}://{self.address}{path}"

    def serve(self, path: str, *answers: Answer | bytes) -> str:
        """Answer GETs of ``path`` one after the other, the last for ever (HEADs likewise); the URL."""
        self._answers[path] = [Answer(answer) if isinstance(answer, bytes) else answer for answer in answers]
        return self.url(path)

    def serve_wheel(self, name: str, version: str, members: Mapping[str, bytes]) -> bytes:
        """Offer a wheel in a simple index at ``/simple/``; its bytes."""
        filename = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
        body = wheel(name, version, members)
        link = f'<a href="/files/{filename}#sha256={hashlib.sha256(body).hexdigest()}">{filename}</a>'
        self.serve(f"/simple/{name}/", Answer(link.encode(), headers={"Content-Type": "text/html"}))
        self.serve(f"/files/{filename}", body)
        return body

    def require(self, user: str, password: str) -> None:
        """From now on answer only who knows these."""
        self._password = user, password

    def count(self, method: str, path: str) -> int:
        return sum((asked.method, asked.path) == (method, path) for asked in self.asked)

    def _take(self, method: str, path: str, headers: Mapping[str, str]) -> Answer:
        with self._lock:
            self.asked.append(Asked(method, path, headers))
            if self._password and headers.get("Authorization") != _basic(*self._password):
                return Answer(status=401, headers={"WWW-Authenticate": 'Basic realm="models"'})
            answers = self._answers.get(path)
            if not answers:
                return Answer(b"nothing here", status=404)
            return answers.pop(0) if method == "GET" and len(answers) > 1 else answers[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def handle(self) -> None:
                with suppress(ssl.SSLError, ConnectionError):  # who does not trust us goes away
                    super().handle()

            def do_GET(self) -> None:
                self._answer("GET")

            def do_HEAD(self) -> None:
                self._answer("HEAD")

            def _answer(self, method: str) -> None:
                # As a proxy, it is asked for whole URLs.
                answer = server._take(method, unquote(urlsplit(self.path).path), dict(self.headers))
                if answer.mute:
                    answer.paused.set()
                    answer.go_on.wait()
                self.send_response(answer.head if method == "HEAD" and answer.head else answer.status)
                for key, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                    self.send_header(key, value)
                self.end_headers()
                if method == "GET":
                    with suppress(OSError):  # the client went away, as some are meant to
                        self._send(answer)

            def _send(self, answer: Answer) -> None:
                body = answer.body if answer.cut is None else answer.body[: answer.cut]
                if answer.pause_at is not None:
                    self.wfile.write(body[: answer.pause_at])
                    body = body[answer.pause_at :]
                    answer.paused.set()
                    while not answer.go_on.wait(0.05 if answer.trickle else None):
                        self.wfile.write(body[:_DRIP])
                        body = body[_DRIP:]
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def wheel(name: str, version: str, members: Mapping[str, bytes]) -> bytes:
    """The smallest wheel that pip takes, with ``members`` in it."""
    package = f"{name.replace('-', '_')}-{version}.dist-info"
    about = {
        f"{package}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{package}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{package}/RECORD": b"",
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, body in {**members, **about}.items():
            archive.writestr(path, body)
    return packed.getvalue()


def tarball(members: Mapping[str, bytes]) -> bytes:
    """A tar with ``members`` in it; compression is left to the tests of archives."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path, body in members.items():
            info = tarfile.TarInfo(path)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return packed.getvalue()


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
