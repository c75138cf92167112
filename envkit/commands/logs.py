"""``envkit logs``: what a service wrote."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from envkit.launch import engine
from envkit.launch.spec import Service
from envkit.result import Result
from envkit.settings import Settings

if TYPE_CHECKING:
    from docker.models.containers import Container


def logs(settings: Settings, service: Service, *, follow: bool, tail: int | None) -> Result:
    """The service's log, its last ``tail`` lines; with ``follow`` the lines go on until it ends.

    Raises:
        EngineError: there is no such service of this project.
    """
    container = engine.require(engine.connect(), settings, service)
    lines = _lines(container, follow, tail)
    if follow:
        return Result(lines=lines)
    taken = list(lines)
    return Result(data={"container": str(container.name), "lines": taken}, lines=taken)


def _lines(container: Container, follow: bool, tail: int | None) -> Iterator[str]:
    rest = b""
    with engine.explained(f"read the log of {container.name}"):
        for chunk in container.logs(stream=True, follow=follow, tail="all" if tail is None else tail):
            *whole, rest = (rest + chunk).split(b"\n")
            yield from (line.decode(errors="replace") for line in whole)
    if rest:
        yield rest.decode(errors="replace")
