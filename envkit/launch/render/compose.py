"""The services as a ``compose.yaml`` that anyone can use from a checkout, whoever and wherever they are.

What a spec says of one machine (paths, user, ports, image) becomes a variable with a default; the entrypoint finds
the rest out: the user from the owner of ``/workspace``, a Jupyter token of its own where none is given.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import yaml

from envkit import __version__
from envkit.launch import plan
from envkit.launch.spec import CONTAINER_PORT, SERVICES, EnvironmentSpec, Service
from envkit.settings import Owner, Settings

HEADER = """\
# The services for people who prefer `docker compose`:
#
#   docker compose --profile jupyter up     JupyterLab; its log says how to get the token
#   docker compose --profile ssh up         SSH, for the keys in ~/.ssh/authorized_keys
#   docker compose --profile sync up        only bring checkpoints/ to what models.yaml says
#
# Generated from envkit's own specification by `make compose`; a test keeps it equal. Variables, all optional:
# ENVKIT_IMAGE, ENVKIT_CPU_BASE, ENVKIT_JUPYTER_PORT, ENVKIT_SSH_PORT, ENVKIT_SHM_SIZE, ENVKIT_MODELS, and as files
# ENVKIT_AUTHORIZED_KEYS, ENVKIT_CA_BUNDLE and ENVKIT_PIP_CONFIG (the last two for the build and the running service).

"""

_IMAGE = f"${{ENVKIT_IMAGE:-envkit:{__version__}-cpu}}"
_PORT = {"jupyter": "${ENVKIT_JUPYTER_PORT:-8888}", "ssh": "${ENVKIT_SSH_PORT:-2222}"}
_CA_FILE = "${ENVKIT_CA_BUNDLE:-/dev/null}"
_PIP_FILE = "${ENVKIT_PIP_CONFIG:-/dev/null}"
_KEYS_FILE = "${ENVKIT_AUTHORIZED_KEYS:-~/.ssh/authorized_keys}"
_HOMES = ("/home/paddle", "/root")  # who the user is shows only at the start, so the volume is seen in both places


def compose() -> str:
    """The text of ``compose.yaml``; the same on every machine."""
    specs = {service: plan.plan(service, _nobodys_settings(), _no_facts(service)) for service in SERVICES}
    services: dict[str, Any] = {service: _service(service, spec) for service, spec in specs.items()}
    sync = dataclasses.replace(specs["jupyter"], command=("sync",), ports=())
    document = {
        "services": {**services, "sync": _service("sync", sync)},
        "secrets": {
            "ca": {"file": _CA_FILE},
            "pip": {"file": _PIP_FILE},
            plan.AUTHORIZED_KEYS: {"file": _KEYS_FILE},
        },
        "volumes": {"home": {}, "ssh": {}},
    }
    return HEADER + yaml.safe_dump(document, sort_keys=False, default_flow_style=False, width=120)


def _service(profile: str, spec: EnvironmentSpec) -> dict[str, Any]:
    rendered: dict[str, Any] = {
        "profiles": [profile],
        "image": spec.image,
        "build": {
            "context": ".",
            "target": "cpu",
            "args": {"VARIANT": "cpu", "CPU_BASE": "${ENVKIT_CPU_BASE:-debian:bookworm-slim}"},
            "secrets": ["ca", "pip"],
        },
        "command": list(spec.command),
        "environment": {"ENVKIT_IMAGE": spec.image, "ENVKIT_MODELS": "${ENVKIT_MODELS:-strict}"},
        "volumes": _volumes(spec),
        "cap_drop": ["ALL"],
        "cap_add": list(spec.cap_add),
        "security_opt": ["no-new-privileges:true"],
        "shm_size": "${ENVKIT_SHM_SIZE:-2gb}",
    }
    if spec.ports:
        rendered["ports"] = [f"{port.host_ip}:{_PORT[spec.service]}:{port.container_port}" for port in spec.ports]
    if spec.service == "ssh":
        rendered["environment"]["ENVKIT_AUTHORIZED_KEYS_FILE"] = dict(spec.env)["ENVKIT_AUTHORIZED_KEYS_FILE"]
        rendered["secrets"] = [plan.AUTHORIZED_KEYS]
    return rendered


def _volumes(spec: EnvironmentSpec) -> list[str]:
    volumes = [f".:{plan.WORKSPACE}", *(f"home:{home}" for home in _HOMES)]
    if any(mount.target == plan.HOST_KEYS for mount in spec.mounts):
        volumes.append(f"ssh:{plan.HOST_KEYS}")
    volumes.append(f"{_CA_FILE}:{plan.CA_BUNDLE}:ro")
    volumes.append(f"{_PIP_FILE}:{plan.SECRETS}/{plan.PIP_CONFIG}:ro")
    return volumes


def _nobodys_settings() -> Settings:
    # Root's plan, since a project may be root's: it asks for the most, and the entrypoint drops it for any other user.
    root = Owner(0, 0)
    return Settings(project=Path("/project"), owner=root, caller=root, home=Path("/root"), state=Path("/state"))


def _no_facts(service: Service) -> plan.Facts:
    return plan.Facts(image=_IMAGE, host_port=CONTAINER_PORT[service], memory=0, secrets=Path("/secrets"))
