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
from pathlib import Path
from types import TracebackType

from tests.support.answers import Answer, Answering, Asked, Signed, busy
from tests.support.connections import Listener

__all__ = ["Answer", "ModelServer", "tarball", "wheel"]


class ModelServer:
    """Use as a context manager; ``host`` is the address to listen on and to name in URLs.

    ``certificate`` is a PEM file with a key and its certificate: with one, HTTPS is spoken.
    """

    def __init__(self, host: str = "127.0.0.1", certificate: Path | None = None) -> None:
        self.asked: list[Asked] = []
        self._answers: dict[str, list[Answering]] = {}
        self._password: tuple[str, str] | None = None
        self._limit: tuple[int, Answer] | None = None
        self._lock = threading.Lock()
        self._http = Listener(host, self._take)
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
        self._http.close()
        self._thread.join()

    @property
    def address(self) -> str:
        host, port = self._http.server_address[:2]
        return f"{host!s}:{port}"

    def url(self, path: str) -> str:
        return f"{self._scheme}://{self.address}{path}"

    @property
    def connections(self) -> int:
        """How many were accepted so far."""
        return self._http.traffic.connections

    @property
    def most_at_once(self) -> int:
        """How many requests were under way at the same time, at most."""
        return self._http.traffic.most_at_once

    def sent(self, path: str | None = None) -> int:
        """Bytes of bodies handed to the system, of one path or of all, those that a client never took included."""
        sent = self._http.traffic.sent
        return sent.total() if path is None else sent[path]

    def serve(self, path: str, *answers: Answering) -> str:
        """Answer GETs of ``path`` one after the other, the last for ever (HEADs likewise); the URL."""
        self._answers[path] = list(answers)
        return self.url(path)

    def serve_signed(
        self, path: str, answer: Answer, *, uses: int | None = None, by: ModelServer | None = None
    ) -> Signed:
        """Send who asks for ``path`` to a signed URL, of the server ``by`` if given, that expires."""
        signed, storage = Signed(answer, uses), by or self
        base = storage.serve(f"/signed{path}", signed.answer)
        self.serve(path, lambda _: signed.redirect(base))
        return signed

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

    def at_most(self, requests: int, beyond: Answer | None = None) -> None:
        """From now on give who comes while so many requests are under way the answer ``beyond`` (a plain 503)."""
        self._limit = requests, beyond or busy(503)

    def count(self, method: str, path: str) -> int:
        return sum((asked.method, asked.path) == (method, path) for asked in self.asked)

    def _take(self, asked: Asked) -> Answer:
        with self._lock:
            self.asked.append(asked)
            if self._password and asked.headers.get("Authorization") != _basic(*self._password):
                return Answer(status=401, headers={"WWW-Authenticate": 'Basic realm="models"'})
            if self._limit and self._http.traffic.at_once > self._limit[0]:
                return self._limit[1]
            answers = self._answers.get(asked.path)
            if not answers:
                return Answer(b"nothing here", status=404)
            answer = answers.pop(0) if asked.method == "GET" and len(answers) > 1 else answers[0]
        if callable(answer):
            return answer(asked)
        return Answer(answer) if isinstance(answer, bytes) else answer


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
