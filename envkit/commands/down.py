"""``envkit down``: the project's services stopped and removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.errors import InputError
from envkit.launch import engine, lock, secrets, ssh_client
from envkit.launch.identity import LABEL_SERVICE, Identity
from envkit.launch.spec import SERVICES
from envkit.result import Report, Result
from envkit.settings import Settings

if TYPE_CHECKING:
    from docker import DockerClient


def down(settings: Settings, services: tuple[str, ...], *, volumes: bool, report: Report) -> Result:
    """Remove the containers of ``services`` (none named: of all); with ``volumes`` what they kept, too.

    The project's files, its models and the image stay. Removing what is not there is no error.

    Raises:
        InputError: a service that does not exist, or ``volumes`` for only some services (they share them).
    """
    for service in services:
        if service not in SERVICES:
            raise InputError(f"no service {service!r}", hint=f"there are: {', '.join(SERVICES)}")
    if volumes and services:
        raise InputError("--volumes with a service named: all services share the volumes", hint="envkit down --volumes")
    client = engine.connect()
    with lock.exclusive(settings, report):
        removed = _remove(client, settings, services, report)
        gone = engine.remove_volumes(client, Identity.of(settings.project)) if volumes else []
        if volumes:
            secrets.forget(settings)
    lines = [f"removed {name}" for name in removed] + [f"removed the volume {name}" for name in gone]
    return Result(data={"removed": removed, "volumes": gone}, lines=lines or ["nothing was running"])


def _remove(client: DockerClient, settings: Settings, services: tuple[str, ...], report: Report) -> list[str]:
    removed = []
    for container in engine.find(client, Identity.of(settings.project)):
        if services and container.labels[LABEL_SERVICE] not in services:
            continue
        report(f"{container.name}: stopping")
        engine.remove(container)
        removed.append(str(container.name))
    if not services or "ssh" in services:
        ssh_client.remove_config(settings)
    return removed
