"""The names of what envkit keeps for one project: containers, volumes, its folder on the host.

They follow from the project folder's real path alone, so two checkouts never share a container and one checkout
always finds its own.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from envkit.launch.spec import Service

LABEL_PROJECT = "io.envkit.project"
LABEL_SERVICE = "io.envkit.service"
LABEL_SPEC = "io.envkit.spec"

VolumeKind = Literal["home", "ssh"]
VOLUME_KINDS: tuple[VolumeKind, ...] = ("home", "ssh")


@dataclass(frozen=True)
class Identity:
    """One project's identity; ``key`` is ``<slug>-<8 hex digits>``."""

    path: Path
    slug: str
    key: str

    @classmethod
    def of(cls, project: Path) -> Identity:
        real = project.resolve()
        slug = re.sub(r"[^a-z0-9]+", "-", real.name.lower()).strip("-")[:24].rstrip("-") or "project"
        return cls(real, slug, f"{slug}-{hashlib.sha256(bytes(real)).hexdigest()[:8]}")

    @property
    def ssh_host(self) -> str:
        """The alias of the SSH Host block; the key keeps two projects of one name apart."""
        return f"{self.key}.envkit"

    def container(self, service: Service) -> str:
        return f"envkit-{self.key}-{service}"

    def volume(self, kind: VolumeKind) -> str:
        return f"envkit-{self.key}-{kind}"

    def state(self, root: Path) -> Path:
        """envkit's own folder for this project under ``root``, the state folder of the settings."""
        return root / "projects" / self.key
