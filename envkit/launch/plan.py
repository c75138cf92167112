"""Settings, project and machine facts → `EnvironmentSpec`. Pure: it looks at nothing but its arguments."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from envkit.launch.identity import LABEL_PROJECT, LABEL_SERVICE, Identity
from envkit.launch.spec import CONTAINER_PORT, EnvironmentSpec, Mount, Port, Service
from envkit.settings import Settings

WORKSPACE = "/workspace"
SECRETS = "/run/secrets"
CA_BUNDLE = "/etc/envkit/ca.crt"
HOST_KEYS = "/var/lib/envkit/ssh"

JUPYTER_TOKEN = "jupyter_token"  # noqa: S105 - the name of a file
AUTHORIZED_KEYS = "authorized_keys"
PIP_CONFIG = "pip.conf"
PROXIES = "proxy.env"

LOOPBACK = "127.0.0.1"
_CA_VARIABLES = ("CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")

# What root needs before it becomes the user: own the home folder, switch. No process of the user's keeps any.
_PREPARE = ("CHOWN", "SETGID", "SETUID")
# What a user who stays root (a project that root owns) needs besides: sshd's privilege separation chroots and ends its
# other half, and a login with a terminal is written to the audit log, or refused; apt wants its way with others' files.
_STAY_ROOT = ("AUDIT_WRITE", "DAC_OVERRIDE", "FOWNER", "KILL", "SYS_CHROOT")

_GIB = 1 << 30


@dataclass(frozen=True)
class Facts:
    """What the plan cannot know by itself: ``memory`` in bytes, ``secrets`` the host folder mounted as such.

    ``store`` is the store of models that is named in the settings, where it is there.
    """

    image: str
    host_port: int
    memory: int
    secrets: Path
    pip_config: bool = False
    gpus: str = ""
    store: Path | None = None


def plan(service: Service, settings: Settings, facts: Facts) -> EnvironmentSpec:
    """The container that gives ``service`` to the project of ``settings``."""
    identity = Identity.of(settings.project)
    return EnvironmentSpec(
        service=service,
        name=identity.container(service),
        image=facts.image,
        command=(service,),
        hostname=identity.slug,
        env=_environment(service, settings, facts),
        mounts=_mounts(service, settings, facts, identity),
        ports=(Port(LOOPBACK, facts.host_port, CONTAINER_PORT[service]),),
        labels=((LABEL_PROJECT, str(identity.path)), (LABEL_SERVICE, service)),
        cap_add=tuple(sorted((*_PREPARE, *(_STAY_ROOT if settings.owner.is_root else ())))),
        shm_size=shared_memory(facts.memory),
        gpus=facts.gpus,
    )


@dataclass(frozen=True)
class Command:
    """One command in a container of its own: its words, and the folder below the project to call it in.

    ``env`` are variables for it, ``home`` the volume with its home folder (none: one that goes with the container),
    ``mounts`` what it sees beside the project.
    """

    name: str
    argv: tuple[str, ...]
    folder: str = ""
    env: tuple[tuple[str, str], ...] = ()
    home: str | None = None
    mounts: tuple[Mount, ...] = ()


def plan_command(command: Command, settings: Settings, facts: Facts) -> EnvironmentSpec:
    """The container that runs ``command`` in the project of ``settings``: JupyterLab's, less its ports and secrets."""
    whole = plan("jupyter", settings, facts)
    kept = (mount for mount in whole.mounts if mount.target not in (SECRETS, home(settings)))
    at_home = (Mount("volume", command.home, home(settings)),) if command.home else ()
    env = {name: value for name, value in whole.env if not value.startswith(f"{SECRETS}/")}
    return replace(
        whole,
        name=command.name,
        command=command.argv,
        env=tuple(sorted({**dict(command.env), **env}.items())),
        mounts=(*kept, *at_home, *command.mounts),
        ports=(),
        labels=((LABEL_PROJECT, whole.labels[0][1]), (LABEL_SERVICE, "command")),
        working_dir=f"{WORKSPACE}/{command.folder}" if command.folder else "",
    )


def shared_memory(memory: int) -> int:
    """Bytes of /dev/shm: a quarter of the machine's, at least 2 GiB where that is no more than half of it.

    Docker's 64 MiB end Paddle's data loaders with a bus error (PaddleSpeech#790, PaddleClas#999).
    """
    return max(memory // 4, min(2 * _GIB, memory // 2))


def home(settings: Settings) -> str:
    """The home folder of the user in the container."""
    return "/root" if settings.owner.is_root else "/home/paddle"


def has_credentials(proxies: tuple[tuple[str, str], ...]) -> bool:
    """Whether a proxy's URL names a user: then the variables travel as a secret, out of ``docker inspect``'s sight."""
    return any("@" in value for _, value in proxies)


def _environment(service: Service, settings: Settings, facts: Facts) -> tuple[tuple[str, str], ...]:
    env = {
        "ENVKIT_UID": str(settings.owner.uid),
        "ENVKIT_GID": str(settings.owner.gid),
        "ENVKIT_MODELS": settings.models,
    }
    if not has_credentials(settings.proxies):
        env.update(settings.proxies)
    if service == "jupyter":
        env["JUPYTER_TOKEN_FILE"] = f"{SECRETS}/{JUPYTER_TOKEN}"
    else:
        env["ENVKIT_AUTHORIZED_KEYS_FILE"] = f"{SECRETS}/{AUTHORIZED_KEYS}"
    if facts.pip_config:
        env["PIP_CONFIG_FILE"] = f"{SECRETS}/{PIP_CONFIG}"
    if settings.ca_bundle:
        env.update(dict.fromkeys(_CA_VARIABLES, CA_BUNDLE))
    return tuple(sorted(env.items()))


def _mounts(service: Service, settings: Settings, facts: Facts, identity: Identity) -> tuple[Mount, ...]:
    mounts = [
        Mount("bind", str(identity.path), WORKSPACE),
        Mount("volume", identity.volume("home"), home(settings)),
        Mount("bind", str(facts.secrets), SECRETS, read_only=True),
    ]
    if service == "ssh":
        mounts.append(Mount("volume", identity.volume("ssh"), HOST_KEYS))
    if settings.ca_bundle:
        mounts.append(Mount("bind", str(settings.ca_bundle), CA_BUNDLE, read_only=True))
    if facts.store:
        # On another file system, models are links into it: they have to lead to the same place in the container.
        mounts.append(Mount("bind", str(facts.store), str(facts.store), read_only=True))
    return tuple(mounts)
