"""A server of somebody else's, run as a process of its own for as long as a test needs it."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.wait import until

HOST = "127.0.0.1"


def free_port() -> int:
    with socket.create_server((HOST, 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


@contextmanager
def listening(command: Sequence[str], port: int, log: Path) -> Iterator[None]:
    """Run ``command``, which is to listen on ``port``, its output in ``log``; it is asked to end, and waited for."""
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as process:
        try:
            until(lambda: process.poll() is not None or _answers(port), f"{command[0]} listens on port {port}")
            assert process.poll() is None, log.read_text("utf-8", "replace")
            yield
        finally:
            process.terminate()
            try:
                process.wait(30)
            finally:
                process.kill()


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex((HOST, port)) == 0
