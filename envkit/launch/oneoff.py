"""One command in a container of its own, in the image and with the home folder that a project's services have."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

from envkit.launch import engine, loopback, plan
from envkit.launch.identity import Identity
from envkit.launch.spec import EnvironmentSpec, Mount
from envkit.settings import Settings

if TYPE_CHECKING:
    from docker import DockerClient

_LISTING_SECONDS = 120.0


def spec(
    client: DockerClient,
    settings: Settings,
    image: str,
    argv: tuple[str, ...],
    *,
    home_of: Path,
    folder: str = "",
    env: tuple[tuple[str, str], ...] = (),
    mounts: tuple[Mount, ...] = (),
    gpus: str = "",
) -> EnvironmentSpec:
    """The container that runs ``argv`` in ``image``, with the project of ``settings`` at its place.

    The home folder is the volume of the project ``home_of``, if that has one: what a user installed is in there.
    """
    home = Identity.of(home_of).volume("home")
    command = plan.Command(
        name=f"envkit-{Identity.of(settings.project).key}-{token_hex(4)}",
        argv=argv,
        folder=folder,
        env=env,
        home=home if engine.has_volume(client, home) else None,
        mounts=mounts,
    )
    facts = plan.Facts(
        image=image,
        host_port=0,
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        secrets=Path(plan.SECRETS),
        gpus=gpus,
        store=settings.store if settings.store and settings.store.is_dir() else None,
    )
    inside, _ = loopback.without(settings, None) if loopback.is_needed(settings, None) else (settings, None)
    return plan.plan_command(command, inside, facts)


def said_by(client: DockerClient, settings: Settings, image: str, argv: tuple[str, ...]) -> str:
    """What a command prints in ``image``, without the project; raises `EngineError` if it fails."""
    whole = spec(client, settings, image, argv, home_of=settings.project)
    mounts = tuple(mount for mount in whole.mounts if mount.target != plan.WORKSPACE)
    return engine.output(client, replace(whole, mounts=mounts), _LISTING_SECONDS)
