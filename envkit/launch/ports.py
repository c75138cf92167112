"""Which port of the host a service is published on."""

from __future__ import annotations

import socket

from envkit.errors import EngineError
from envkit.launch.plan import LOOPBACK

_TRIED = 100


def choose(preferred: int) -> int:
    """``preferred``, or the next port above it that is free on the loopback interface."""
    for port in range(preferred, min(preferred + _TRIED, 65536)):
        if is_free(port):
            return port
    raise EngineError(f"ports {preferred} to {preferred + _TRIED - 1} are all taken", hint="name a free one: --port N")


def is_free(port: int) -> bool:
    """Whether something could listen on ``port`` right now."""
    with socket.socket() as probe:
        # Without it a port that a connection has just left counts as taken for a minute.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
