"""An `EnvironmentSpec` as the arguments of the Docker SDK's ``containers.create``."""

from __future__ import annotations

from typing import Any

from docker.types import DeviceRequest, Mount

from envkit.launch.identity import LABEL_SPEC
from envkit.launch.spec import EnvironmentSpec


def create_arguments(spec: EnvironmentSpec) -> dict[str, Any]:
    """Keyword arguments for ``client.containers.create``; the spec's digest goes along as a label.

    The container is told its image: it has no other way to know it, and notes it down (docs/reference/snapshot.md).
    """
    image = {
        "ENVKIT_IMAGE": spec.image,
        "ENVKIT_IMAGE_ID": spec.image_id,
        "ENVKIT_IMAGE_DIGEST": spec.image_digest,
    }
    return {
        "image": spec.image,
        "command": list(spec.command),
        "name": spec.name,
        "hostname": spec.hostname,
        "working_dir": spec.working_dir or None,
        "environment": {**{name: value for name, value in image.items() if value}, **dict(spec.env)},
        "mounts": [Mount(m.target, m.source, type=m.kind, read_only=m.read_only) for m in spec.mounts],
        "ports": {f"{port.container_port}/tcp": (port.host_ip, port.host_port) for port in spec.ports},
        "labels": {**dict(spec.labels), LABEL_SPEC: spec.digest},
        "cap_drop": ["ALL"],
        "cap_add": list(spec.cap_add),
        "security_opt": ["no-new-privileges"],
        "shm_size": spec.shm_size,
        "device_requests": [DeviceRequest(count=-1, capabilities=[["gpu"]])] if spec.gpus else [],
    }
