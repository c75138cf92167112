"""``envkit status``: what of the project runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.launch import engine
from envkit.launch.identity import LABEL_SERVICE, Identity
from envkit.result import Result
from envkit.settings import Settings

if TYPE_CHECKING:
    from docker.models.containers import Container


def status(settings: Settings) -> Result:
    """One entry a service: its state, its health as it reports it itself, where it is published, from which image."""
    client = engine.connect()
    services = [_describe(container) for container in engine.find(client, Identity.of(settings.project))]
    services.sort(key=lambda entry: entry["service"])
    lines = [f"{'SERVICE':9}{'STATE':14}{'HEALTH':11}{'ADDRESS':18}IMAGE"] if services else ["nothing is running"]
    lines += ["{service:9}{state:14}{health:11}{address:18}{image}".format(**entry) for entry in services]
    return Result(data={"project": str(settings.project), "services": services}, lines=lines)


def _describe(container: Container) -> dict[str, str]:
    state = container.attrs["State"]
    bindings = (container.attrs["HostConfig"]["PortBindings"] or {}).values()
    addresses = [f"{bound['HostIp']}:{bound['HostPort']}" for binding in bindings for bound in binding]
    return {
        "service": container.labels[LABEL_SERVICE],
        "container": str(container.name),
        "state": state["Status"] if state["Status"] != "exited" else f"exited ({state['ExitCode']})",
        "health": state.get("Health", {}).get("Status", "-") if state["Status"] == "running" else "-",
        "address": " ".join(addresses) or "-",
        "image": container.attrs["Config"]["Image"],
    }
