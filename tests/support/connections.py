"""The wire of `ModelServer`: connections that are kept, counted, paced, cut and reset."""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from requests.structures import CaseInsensitiveDict

from tests.support.answers import Answer, Asked, reply

_PIECE = 256 << 10  # bytes
_DRIP = 100  # bytes
_LOOK_UP = 0.05  # seconds
_NOTHING = memoryview(b"")


class Traffic:
    """What went over all connections so far."""

    def __init__(self) -> None:
        self.connections = 0
        self.at_once = 0
        self.most_at_once = 0
        self.sent: Counter[str] = Counter()
        self._lock = threading.Lock()

    def connect(self) -> None:
        with self._lock:
            self.connections += 1

    def count(self, path: str, amount: int) -> None:
        with self._lock:
            self.sent[path] += amount

    @contextmanager
    def request(self) -> Iterator[Callable[[], None]]:
        """One request is under way until the function that this gives is called, or to the end of the context."""
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        over = threading.Event()

        def end() -> None:
            with self._lock:
                self.at_once -= not over.is_set()
                over.set()

        try:
            yield end
        finally:
            end()


class Listener(ThreadingHTTPServer):
    """Listens on a free port of ``host``; ``take`` says what is answered."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: str, take: Callable[[Asked], Answer]) -> None:
        super().__init__((host, 0), _Handler)
        self.take = take
        self.traffic = Traffic()
        self.closing = threading.Event()
        self._open: set[socket.socket] = set()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.traffic.connect()
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def close(self) -> None:
        """Hang up on everyone, whether a request is under way or the connection is kept for the next."""
        self.closing.set()
        self.shutdown()
        self.server_close()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or a kept connection waits 40 ms between the headers and a short body
    server: Listener

    def handle(self) -> None:
        with suppress(OSError, ValueError):  # who does not trust us goes away, as do others that are meant to
            super().handle()

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def _serve(self) -> None:
        # As a proxy, it is asked for whole URLs.
        where = urlsplit(self.path)
        asked = Asked(self.command, unquote(where.path), CaseInsensitiveDict(self.headers.items()), where.query)
        with self.server.traffic.request() as end:
            answer = self.server.take(asked)
            if answer.mute:
                self._hold(answer)
            got = reply(answer, asked)
            self.send_response(got.status)
            for name, value in got.headers.items():
                self.send_header(name, value)
            if asked.method == "HEAD" or not got.body:
                end()
            self.end_headers()
            if asked.method != "HEAD":
                self._send(answer, got.body, end, asked.path)
                if answer.framing == "length" and got.headers["Content-Length"] != str(len(got.body)):
                    self.close_connection = True

    def _send(self, answer: Answer, whole: memoryview, end: Callable[[], None], path: str) -> None:
        body = whole if answer.cut is None else whole[: answer.cut]
        pause = answer.pause_at or 0
        self._write(answer, body[:pause], path)
        body = body[pause:]
        if answer.pause_at is not None:
            body = body[self._hold(answer, body, path) :]
        self._write(answer, body[:-1], path)
        # Over before its last byte arrives: who asks again right then is not counted twice.
        end()
        self._write(answer, body[-1:], path)
        if answer.cut is not None:
            self._break(answer)
        elif answer.framing == "chunked":
            self.wfile.write(b"0\r\n\r\n")

    def _hold(self, answer: Answer, body: memoryview = _NOTHING, path: str = "") -> int:
        """Wait until the answer may go on; how many bytes of ``body`` have trickled out meanwhile."""
        gone = 0
        answer.paused.set()
        while not answer.go_on.wait(_LOOK_UP):
            if self.server.closing.is_set():
                raise ConnectionAbortedError
            if answer.trickle:
                self._write(answer, body[gone : gone + _DRIP], path)
                gone += _DRIP
        return gone

    def _write(self, answer: Answer, body: memoryview, path: str) -> None:
        size = _PIECE if answer.rate is None else max(1, min(_PIECE, int(answer.rate * _LOOK_UP)))
        begun = time.monotonic()
        for start in range(0, len(body), size):
            if answer.rate is not None:
                self.server.closing.wait(begun + start / answer.rate - time.monotonic())
            self._write_piece(answer, body[start : start + size], path)

    def _write_piece(self, answer: Answer, piece: memoryview, path: str) -> None:
        if answer.framing == "chunked":
            self.wfile.write(b"%x\r\n" % len(piece))
        left = len(piece)
        self.server.traffic.count(path, left)  # before: who has received a byte finds it counted
        try:
            while left:
                left -= self.connection.send(piece[-left:])
        finally:
            self.server.traffic.count(path, -left)
        if answer.framing == "chunked":
            self.wfile.write(b"\r\n")

    def _break(self, answer: Answer) -> None:
        self.close_connection = True
        if answer.reset:
            # A reset throws away what has not arrived yet.
            while struct.unpack("i", fcntl.ioctl(self.connection, termios.TIOCOUTQ, b"\0" * 4))[0]:
                if self.server.closing.wait(0.001):
                    break
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()  # before socketserver would end it properly

    def log_message(self, *_: object) -> None:
        pass
