"""Wait until the service itself answers; if it ends before, say why, in its own last words."""

from __future__ import annotations

import http.client
import re
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from envkit.errors import EngineError, EnvkitError, InputError, ModelError
from envkit.launch.engine import explained
from envkit.launch.plan import LOOPBACK
from envkit.launch.spec import Service
from envkit.result import Report

if TYPE_CHECKING:
    from docker.models.containers import Container

POLL_SECONDS = 0.1
PROBE_SECONDS = 5
# The entrypoint and the sync write a line every few seconds while they work; a silent service that does not answer
# for as long as this has hung.
SILENCE_SECONDS = 180
LAST_LINES = 15
# What a service says of itself while it starts helps nobody who waits for it, and Jupyter's addresses there mislead.
_CHATTER = re.compile(r"\[I \d{4}-|Server listening on ")

_FAILURES: dict[int, type[EnvkitError]] = {2: InputError, 3: ModelError}


def wait(container: Container, service: Service, port: int, token: str, since: float, report: Report) -> None:
    """Return once ``service`` answers on ``port`` of the host, passing on the container's log lines meanwhile.

    ``since`` is the Unix time of the start: older log lines are another run's.

    Raises:
        InputError, ModelError: the container ended with that exit code.
        EngineError: it ended with another, or was silent for `SILENCE_SECONDS` without answering.
    """
    answers: Callable[[], bool] = (
        (lambda: jupyter_answers(port, token)) if service == "jupyter" else (lambda: ssh_answers(port))
    )
    seen = 0
    heard = time.monotonic()
    while True:
        lines = _log(container, since)
        if len(lines) > seen:
            heard = time.monotonic()
            for line in lines[seen:]:
                if not _CHATTER.match(line):
                    report(f"  {line}")
            seen = len(lines)
        with explained(f"show {container.name}"):
            container.reload()
        if container.status in ("exited", "dead", "removing"):
            raise _ended(container, _log(container, since))
        if answers():
            return
        if time.monotonic() - heard > SILENCE_SECONDS:
            raise EngineError(
                f"{container.name} runs, but its {service} has not answered on {LOOPBACK}:{port}",
                hint=_last(lines),
            )
        time.sleep(POLL_SECONDS)


def jupyter_answers(port: int, token: str) -> bool:
    """Whether a Jupyter server that takes ``token`` answers on ``port``."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=PROBE_SECONDS)
    try:
        connection.request("GET", "/api/status", headers={"Authorization": f"token {token}"})
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def ssh_answers(port: int) -> bool:
    """Whether an SSH server greets on ``port`` (the engine's own proxy accepts before there is one)."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=PROBE_SECONDS) as connection:
            return connection.recv(8).startswith(b"SSH-2.0")
    except OSError:
        return False


def _log(container: Container, since: float) -> list[str]:
    with explained(f"read the log of {container.name}"):
        output = container.logs(since=since)
    return str(output.decode(errors="replace")).splitlines()


def _ended(container: Container, lines: list[str]) -> EnvkitError:
    code = container.attrs["State"]["ExitCode"]
    kind = _FAILURES.get(code, EngineError)
    return kind(f"{container.name} ended with exit code {code} before it was ready", hint=_last(lines))


def _last(lines: list[str]) -> str:
    return "\n  ".join(["its log ends:", *lines[-LAST_LINES:]]) if lines else "its log is empty"
