"""Which port of the host a service is published on."""

from __future__ import annotations

import errno
import socket

from envkit.errors import EngineError, InputError
from envkit.launch.plan import LOOPBACK

_TRIED = 100


def settle(asked: int | None, kept: int | None, is_kept: bool, preferred: int) -> int:
    """The port to publish on: the one asked for, else the one ``kept`` from before, else ``preferred`` or the next.

    ``is_kept`` says that the service holds its old port right now, so that this one is not taken by a stranger.

    Raises:
        InputError: something else listens on the port that was asked for.
        EngineError: no port is free.
    """
    if is_kept and asked in (None, kept) and kept is not None:
        return kept
    if asked is not None:
        if not is_free(asked):
            raise InputError(f"port {asked} is taken", hint="name another, or leave --port out for the next free one")
        return asked
    return kept if kept is not None and is_free(kept) else choose(preferred)


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
        except OSError as error:
            # Below 1024 an ordinary user may not listen; the engine may.
            return error.errno != errno.EADDRINUSE
    return True
