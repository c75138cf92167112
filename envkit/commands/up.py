"""``envkit up``: one service of the project, running and answering."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from envkit.launch import build, engine, gpu, hostpip, identity, plan, ports, readiness, secrets, ssh_client
from envkit.launch.spec import CONTAINER_PORT, EnvironmentSpec, Service, Variant
from envkit.result import Report, Result
from envkit.settings import Settings

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container


def up(settings: Settings, service: Service, *, port: int | None, gpus: gpu.GpuChoice, report: Report) -> Result:
    """Bring ``service`` to what the settings say and return once it answers; nothing changes where it is so already.

    Raises:
        InputError, ModelError, EngineError: see ``errors.py``; what ended the start is in the message.
    """
    client = engine.connect()
    names = identity.Identity.of(settings.project)
    found = next(iter(engine.find(client, names, service)), None)
    handed, why = _gpus(client, settings, gpus)
    variant: Variant = "gpu" if handed else "cpu"
    report(why)
    if settings.owner.is_root:
        report(f"{settings.project} belongs to root, so the container's user is root (over SSH: by key only)")
    image = settings.image or build.ensure(settings, variant, report)
    keys = ssh_client.keys(settings) if service == "ssh" else ssh_client.Keys("", None)
    pip_config = hostpip.pip_config()
    folder = secrets.prepare(settings, service, pip_config, keys.authorized)
    spec = plan.plan(
        service,
        settings,
        plan.Facts(
            image=image,
            host_port=port or (_published(found, service) if found else None) or ports.choose(CONTAINER_PORT[service]),
            memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            secrets=folder,
            pip_config=pip_config is not None,
            gpus=handed,
        ),
    )
    container, state = _bring_up(client, found, spec, settings, report)
    if service == "jupyter":
        return _jupyter(settings, spec, state)
    return _ssh(settings, spec, container, keys, state)


def _gpus(client: DockerClient, settings: Settings, choice: gpu.GpuChoice) -> tuple[str, str]:
    gpus = gpu.count()
    return gpu.decide(choice, settings.variant, gpus, bool(gpus) and engine.gpu_runtime(client))


def _published(container: Container, service: Service) -> int | None:
    bindings = container.attrs["HostConfig"]["PortBindings"].get(f"{CONTAINER_PORT[service]}/tcp")
    return int(bindings[0]["HostPort"]) if bindings else None


def _bring_up(
    client: DockerClient, found: Container | None, spec: EnvironmentSpec, settings: Settings, report: Report
) -> tuple[Container, str]:
    image_id = engine.image_id(client, spec.image, report)
    if found and (changed := _changed(found, spec, image_id)):
        report(f"{spec.name}: its {changed} changed, making it anew")
        engine.remove(found)
        found = None
    state = "unchanged"
    since = time.time()
    if found is None:
        report(f"{spec.name}: starting from {spec.image}")
        found, state = engine.create(client, spec), "created"
        engine.start(found)
    elif found.status != "running":
        report(f"{spec.name}: starting again")
        state = "started"
        engine.start(found)
    token = secrets.jupyter_token(settings) if spec.service == "jupyter" else ""
    readiness.wait(found, spec.service, spec.ports[0].host_port, token, since, report)
    return found, state


def _changed(found: Container, spec: EnvironmentSpec, image_id: str) -> str:
    if found.labels.get(identity.LABEL_SPEC) != spec.digest:
        return "settings"
    # The same name may mean another image by now.
    return "image" if found.attrs["Image"] != image_id else ""


def _jupyter(settings: Settings, spec: EnvironmentSpec, state: str) -> Result:
    port = spec.ports[0].host_port
    token = secrets.jupyter_token(settings)
    base = f"http://{plan.LOOPBACK}:{port}/lab"
    url = f"{base}?token={token}"
    data = {"service": "jupyter", "container": spec.name, "image": spec.image, "state": state, "port": port, "url": url}
    lines = [f"JupyterLab  {url}"]
    if settings.notebook:
        data["notebook_url"] = f"{base}/tree/{settings.notebook}?token={token}"
        lines.insert(0, f"start with  {data['notebook_url']}")
    return Result(data=data, lines=lines)


def _ssh(settings: Settings, spec: EnvironmentSpec, container: Container, keys: ssh_client.Keys, state: str) -> Result:
    port = spec.ports[0].host_port
    host = identity.Identity.of(settings.project).ssh_host
    user = "root" if settings.owner.is_root else "paddle"
    host_key = engine.read_file(container, f"{plan.HOST_KEYS}/ssh_host_ed25519_key.pub", settings.owner)
    config = ssh_client.write_config(settings, port, user, host_key, keys.identity)
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
