"""``envkit up``: one service of the project, running and answering."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from envkit.commands import models
from envkit.errors import ModelError
from envkit.launch import (
    build,
    engine,
    gpu,
    hostpip,
    identity,
    lock,
    loopback,
    plan,
    ports,
    readiness,
    secrets,
    ssh_client,
)
from envkit.launch.spec import CONTAINER_PORT, EnvironmentSpec, Service
from envkit.result import Report, Result
from envkit.settings import CONFIG, Settings

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

State = Literal["unchanged", "created", "started"]


def up(settings: Settings, service: Service, *, port: int | None, gpus: gpu.GpuChoice, report: Report) -> Result:
    """Bring ``service`` to what the settings say and return once it answers; nothing changes where it is so already.

    Raises:
        InputError, ModelError, EngineError: see ``errors.py``; what ended the start is in the message.
    """
    client = engine.connect()
    with lock.exclusive(settings, report):
        _sync(settings, report)
        return _up(client, settings, service, port, gpus, report)


def _sync(settings: Settings, report: Report) -> None:
    """Sync the models out here first, where a proxy or an index of this machine's own is in reach.

    What this records the entrypoint finds in place, and asks nothing of the network. A service that runs already gets
    what `models.yaml` names by now, and a model that cannot be had does not cost it its life.
    """
    if settings.models == "off":
        return
    problems = _problems(settings, report)
    if problems and settings.models == "strict":
        raise ModelError(problems)
    if problems:
        report(problems)
        report("going on all the same: models is 'warn'")


def _problems(settings: Settings, report: Report) -> str:
    try:
        synced = models.sync(settings, dry_run=False, pace=models.Pace(), report=report)
    except ModelError as error:
        return str(error)
    return "\n".join(synced.lines) if synced.exit_code else ""


def _up(
    client: DockerClient, settings: Settings, service: Service, port: int | None, gpus: gpu.GpuChoice, report: Report
) -> Result:
    found = next(iter(engine.find(client, identity.Identity.of(settings.project), service)), None)
    handed, why = _gpus(client, settings, gpus)
    report(why)
    if settings.owner.is_root:
        report(f"{settings.project} belongs to root, so the container's user is root (over SSH: by key only)")
    image = settings.image or build.ensure(settings, gpu.image_variant(settings.variant, handed), report)
    keys = ssh_client.keys(settings) if service == "ssh" else ssh_client.Keys("", ())
    inside, pip_config = _as_seen_inside(settings, hostpip.pip_config(), report)
    kept, runs = (_published(found, service), found.status in ("running", "paused")) if found else (None, False)
    facts = plan.Facts(
        image=image,
        host_port=ports.settle(port, kept, runs, CONTAINER_PORT[service]),
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        secrets=secrets.prepare(inside, service, pip_config, keys.authorized),
        pip_config=pip_config is not None,
        gpus=handed,
        store=settings.store if settings.store and settings.store.is_dir() else None,
    )
    spec = plan.plan(service, inside, facts)
    container, state = _bring_up(client, found, spec, settings, report)
    if service == "jupyter":
        return _jupyter(settings, spec, state, report)
    return _ssh(settings, spec, container, keys, state)


def _gpus(client: DockerClient, settings: Settings, choice: gpu.GpuChoice) -> tuple[str, str]:
    gpus = gpu.count()
    return gpu.decide(choice, settings.variant, gpus, bool(gpus) and engine.gpu_runtime(client))


def _as_seen_inside(settings: Settings, pip_config: str | None, report: Report) -> tuple[Settings, str | None]:
    """The settings and pip's configuration for the container: less what only the host reaches."""
    if not loopback.is_needed(settings, pip_config):
        return settings, pip_config
    report("a proxy or a package index is on this machine's loopback, out of a container's reach: it goes without")
    return loopback.without(settings, pip_config)


def _published(container: Container, service: Service) -> int | None:
    bindings = container.attrs["HostConfig"]["PortBindings"].get(f"{CONTAINER_PORT[service]}/tcp")
    return int(bindings[0]["HostPort"]) if bindings else None


def _bring_up(
    client: DockerClient, found: Container | None, spec: EnvironmentSpec, settings: Settings, report: Report
) -> tuple[Container, State]:
    image = engine.image(client, spec.image, report)
    spec = replace(spec, image_id=image.id, image_digest=image.digest or "")
    if found and (changed := _changed(found, spec, secrets.newest(settings, spec.service))):
        report(f"{spec.name}: its {changed} changed, making it anew")
        engine.remove(found)
        found = None
    state: State = "unchanged"
    if found is None:
        report(f"{spec.name}: starting from {spec.image}")
        state = "created"
    elif found.status != "running":
        report(f"{spec.name}: starting again")
        state = "started"
    try:
        return _start(client, found, spec, settings, report), state
    except KeyboardInterrupt:
        if state != "unchanged":
            report(f"{spec.name}: taking it away again")
            engine.remove_named(client, spec.name)
        raise


def _start(
    client: DockerClient, found: Container | None, spec: EnvironmentSpec, settings: Settings, report: Report
) -> Container:
    since = time.time()
    container = found or engine.create(client, spec)
    if container.status != "running":
        engine.start(container)
    token = secrets.jupyter_token(settings) if spec.service == "jupyter" else ""
    readiness.wait(container, spec.service, spec.ports[0].host_port, token, since, report)
    return container


def _changed(found: Container, spec: EnvironmentSpec, secrets_since: float) -> str:
    """What of a container is no longer as planned; empty if nothing."""
    if found.labels.get(identity.LABEL_SPEC) != spec.digest:
        return "settings"
    if found.attrs["Image"] != spec.image_id:  # the same name may mean another image by now
        return "image"
    # A service reads them when it starts, and goes on admitting whoever it admitted then.
    return "secrets" if engine.started_at(found) < secrets_since else ""


def _jupyter(settings: Settings, spec: EnvironmentSpec, state: str, report: Report) -> Result:
    port = spec.ports[0].host_port
    query = f"?token={secrets.jupyter_token(settings)}"
    base = f"http://{plan.LOOPBACK}:{port}/lab"
    url = base + query
    data = {"service": "jupyter", "container": spec.name, "image": spec.image, "state": state, "port": port, "url": url}
    lines = [f"JupyterLab  {url}"]
    if settings.notebook and not (settings.project / settings.notebook).is_file():
        report(f"{settings.project / CONFIG}: notebook {settings.notebook!r} is not there")
    elif settings.notebook:
        data["notebook_url"] = f"{base}/tree/{quote(settings.notebook)}{query}"
        lines.insert(0, f"start with  {data['notebook_url']}")
    return Result(data=data, lines=lines)


def _ssh(settings: Settings, spec: EnvironmentSpec, container: Container, keys: ssh_client.Keys, state: str) -> Result:
    port = spec.ports[0].host_port
    host = identity.Identity.of(settings.project).ssh_host
    user = "root" if settings.owner.is_root else "paddle"
    host_key = engine.read_file(container, f"{plan.HOST_KEYS}/ssh_host_ed25519_key.pub", settings.owner)
    config = ssh_client.write_config(settings, port, user, host_key, keys.identities)
    data = {
        "service": "ssh",
        "container": spec.name,
        "image": spec.image,
        "state": state,
        "port": port,
        "host": host,
        "user": user,
        "config": str(config),
    }
    lines = [
        f"VS Code Remote-SSH: put this line first in ~/.ssh/config, then connect to {host}",
        f'  Include "{config}"',
        f"in a terminal: ssh -F {config} {host}",
    ]
    return Result(data=data, lines=lines)
