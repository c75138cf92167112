"""What a service must know and nobody else may: kept as 0600 files in a folder that is mounted as ``/run/secrets``.

The folder is the container user's own, since its processes read the files after root has dropped its privileges.
"""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from envkit.launch import private
from envkit.launch.identity import Identity
from envkit.launch.plan import AUTHORIZED_KEYS, JUPYTER_TOKEN, PIP_CONFIG, PROXIES, has_credentials
from envkit.launch.spec import Service
from envkit.settings import Settings


def folder(settings: Settings, service: Service) -> Path:
    """The host folder with the secrets of one service of the project."""
    return Identity.of(settings.project).state(settings.state) / "secrets" / service


def prepare(settings: Settings, service: Service, pip_config: str | None, authorized_keys: str = "") -> Path:
    """Write the secrets of ``service`` and drop any other; one that is as it should be stays, with its time."""
    place = folder(settings, service)
    private.make_folder(place.parent, settings.caller)
    private.make_folder(place, settings.owner)
    private.hand_over(place, settings.owner)
    wanted = {JUPYTER_TOKEN: jupyter_token(settings)} if service == "jupyter" else {AUTHORIZED_KEYS: authorized_keys}
    if pip_config:
        wanted[PIP_CONFIG] = pip_config
    if has_credentials(settings.proxies):
        wanted[PROXIES] = "".join(f"{name}={value}\n" for name, value in settings.proxies)
    for name, text in wanted.items():
        if not private.holds(place / name, text, settings.owner):
            private.write(place / name, text, settings.owner)
    for stale in place.iterdir():
        if stale.name not in wanted:
            stale.unlink()
    return place


def newest(settings: Settings, service: Service) -> float:
    """The Unix time of the last change: a service that was started before it still goes by the old ones."""
    place = folder(settings, service)
    return max(path.stat().st_mtime for path in (place, *place.iterdir()))  # the folder's own: one may have gone


def jupyter_token(settings: Settings) -> str:
    """The project's token; a new one of 192 random bits if it has none yet."""
    try:
        return (folder(settings, "jupyter") / JUPYTER_TOKEN).read_text("utf-8")
    except FileNotFoundError:
        return secrets.token_hex(24)


def forget(settings: Settings) -> None:
    """Remove the project's secrets and keys from the host."""
    shutil.rmtree(Identity.of(settings.project).state(settings.state), ignore_errors=True)
