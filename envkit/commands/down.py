"""``envkit down``: the project's services stopped and removed."""

from __future__ import annotations

from envkit.errors import InputError
from envkit.launch import engine, secrets, ssh_client
from envkit.launch.identity import LABEL_SERVICE, Identity
from envkit.launch.spec import SERVICES
from envkit.result import Report, Result
from envkit.settings import Settings


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
    names = Identity.of(settings.project)
    removed = []
    for container in engine.find(client, names):
        if services and container.labels[LABEL_SERVICE] not in services:
            continue
        report(f"{container.name}: stopping")
        engine.remove(container)
        removed.append(str(container.name))
    if not services or "ssh" in services:
        ssh_client.remove_config(settings)
    gone = engine.remove_volumes(client, names) if volumes else []
    if volumes:
        secrets.forget(settings)
    lines = [f"removed {name}" for name in (*removed, *gone)] or ["nothing was running"]
    return Result(data={"removed": removed, "volumes": gone}, lines=lines)
