"""What one running service needs, as plain data.

``plan.py`` computes an `EnvironmentSpec`; the modules of ``render/`` turn it into a Docker API call and a compose
service. Nothing else decides ports, mounts, GPUs or secrets, so a feature added here reaches every rendering.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal

Service = Literal["jupyter", "ssh"]
Variant = Literal["cpu", "gpu"]

SERVICES: tuple[Service, ...] = ("jupyter", "ssh")
_OF_THE_IMAGE = ("image_id", "image_digest")
CONTAINER_PORT: dict[Service, int] = {"jupyter": 8888, "ssh": 2222}


@dataclass(frozen=True)
class Mount:
    """A host path (``bind``) or a named volume (``volume``) seen at ``target`` in the container."""

    kind: Literal["bind", "volume"]
    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True)
class Port:
    """``container_port`` published on ``host_ip:host_port``."""

    host_ip: str
    host_port: int
    container_port: int


@dataclass(frozen=True)
class EnvironmentSpec:
    """One service of one project: everything an engine has to be told, and nothing it decides itself.

    ``shm_size`` is in bytes. ``env`` and ``labels`` are sorted pairs, so that equal specs are equal values. ``gpus``
    is ``"all"`` or empty, ``working_dir`` empty for the image's own. ``image_id`` and ``image_digest`` are what
    ``image`` is on the engine, for the container to note down.
    """

    service: Service
    name: str
    image: str
    command: tuple[str, ...]
    hostname: str
    env: tuple[tuple[str, str], ...]
    mounts: tuple[Mount, ...]
    ports: tuple[Port, ...]
    labels: tuple[tuple[str, str], ...]
    cap_add: tuple[str, ...]
    shm_size: int
    gpus: str = ""
    working_dir: str = ""
    image_id: str = ""
    image_digest: str = ""

    @property
    def digest(self) -> str:
        """The first 16 hex digits of a SHA-256: equal exactly when nothing has to be recreated.

        It is over every field but the two about the image: whether that is another is seen by the container itself, and
        one that was pushed to a registry gets a digest, and stays what it is.
        """
        fields = {key: value for key, value in asdict(self).items() if key not in _OF_THE_IMAGE}
        canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]
