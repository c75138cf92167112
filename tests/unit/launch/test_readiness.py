"""Ready means that the service itself answers, not that something listens."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

from envkit.launch.readiness import jupyter_answers, ssh_answers


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        ready = self.path == "/api/status" and self.headers["Authorization"] == "token right"
        self.send_response(200 if ready else 403)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_jupyter_is_asked_with_the_token() -> None:
    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        assert jupyter_answers(server.server_port, "right")
        assert not jupyter_answers(server.server_port, "wrong")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert not jupyter_answers(server.server_port, "right")


@contextmanager
def greeting(banner: bytes) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            with server.accept()[0] as connection:
                connection.sendall(banner)

        thread = threading.Thread(target=greet)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def test_ssh_is_ready_once_it_greets() -> None:
    with greeting(b"SSH-2.0-OpenSSH_9.2\r\n") as port:
        assert ssh_answers(port)
    with greeting(b"") as port:  # what the engine's proxy does while nothing listens inside
        assert not ssh_answers(port)
    assert not ssh_answers(port)
