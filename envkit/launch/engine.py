"""The only module that talks to a Docker engine (``build.py`` drives ``docker buildx``, which the SDK has not)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING, TextIO

from envkit.errors import EngineError
from envkit.launch.identity import LABEL_PROJECT, LABEL_SERVICE, VOLUME_KINDS, Identity
from envkit.launch.spec import EnvironmentSpec, Service
from envkit.result import Report
from envkit.settings import Owner, Settings

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

STOP_SECONDS = 10


def connect() -> DockerClient:
    """A client of the engine that ``DOCKER_HOST`` or the default socket leads to, after it has answered.

    Raises:
        EngineError: none answers there.
    """
    import docker
    from docker.errors import DockerException

    try:
        client = docker.from_env()
        client.ping()
    except (DockerException, ValueError) as error:  # the latter for a DOCKER_HOST that is none
        hint = (
            "one elsewhere is named by DOCKER_HOST or a docker context; for one here, see docs/how-to/install-engine.md"
            " (in a checkout of envkit, `make up` installs or starts it)"
        )
        raise EngineError(f"no Docker engine answers: {_cause(error)}", hint=hint) from error
    return client


def find(client: DockerClient, identity: Identity, service: Service | None = None) -> list[Container]:
    """The project's containers, running or not; those of one service if it is named."""
    labels = [f"{LABEL_PROJECT}={identity.path}"]
    if service:
        labels.append(f"{LABEL_SERVICE}={service}")
    with explained("list containers"):
        return client.containers.list(all=True, filters={"label": labels})


def require(client: DockerClient, settings: Settings, service: Service) -> Container:
    """The project's container of ``service``.

    Raises:
        EngineError: there is none.
    """
    found = find(client, Identity.of(settings.project), service)
    if not found:
        raise EngineError(f"{settings.project}: no {service} service here", hint=f"start it: envkit up {service}")
    return found[0]


def image_id(client: DockerClient, reference: str, report: Report) -> str:
    """The id of the image that ``reference`` names here now; pulled first if there is none.

    Raises:
        EngineError: it is neither here nor to be had.
    """
    from docker.errors import ImageNotFound

    with explained(f"look {reference} up"):
        try:
            return str(client.images.get(reference).id)
        except ImageNotFound:
            report(f"{reference}: not here, pulling it")
    # The command shows its own progress; the SDK would leave drawing it to us.
    if _docker("pull", reference, stdout=sys.stderr) != 0:
        raise EngineError(f"{reference}: not here, and it could not be pulled", hint="the engine's reason is above")
    with explained(f"look {reference} up"):
        return str(client.images.get(reference).id)


def create(client: DockerClient, spec: EnvironmentSpec) -> Container:
    """Make the container of ``spec``, not yet started."""
    from envkit.launch.render.docker_api import create_arguments

    with explained(f"create {spec.name}"):
        return client.containers.create(**create_arguments(spec))


def start(container: Container) -> None:
    """Start it. One that cannot be started (its port was taken meanwhile) is removed: it would only be in the way."""
    if container.status == "paused":
        with explained(f"unpause {container.name}"):
            container.unpause()
        return
    try:
        with explained(f"start {container.name}"):
            container.start()
    except EngineError:
        with explained(f"remove {container.name}"):
            container.remove()
        raise


def remove(container: Container) -> None:
    """Stop it, giving the service its time to end, and remove it; named volumes stay."""
    with explained(f"remove {container.name}"):
        if container.status == "paused":
            container.unpause()
        container.stop(timeout=STOP_SECONDS)
        container.remove()


def remove_named(client: DockerClient, name: str) -> None:
    """Remove the container of that name at once, if there is one."""
    from docker.errors import NotFound

    with explained(f"remove {name}"):
        try:
            client.containers.get(name).remove(force=True)
        except NotFound:
            return


def remove_volumes(client: DockerClient, identity: Identity) -> list[str]:
    """Remove the project's named volumes; returns the names of those there were."""
    from docker.errors import NotFound

    removed = []
    for name in map(identity.volume, VOLUME_KINDS):
        with explained(f"remove volume {name}"):
            try:
                client.volumes.get(name).remove()
            except NotFound:
                continue
        removed.append(name)
    return removed


def read_file(container: Container, path: str, owner: Owner) -> str:
    """The text of a file in a running container, read as the user ``owner`` (its root may read no user's folder)."""
    with explained(f"read {path} in {container.name}"):
        code, output = container.exec_run(["cat", path], user=f"{owner.uid}:{owner.gid}")
    assert isinstance(output, bytes)  # it is an iterator only where a stream was asked for
    text = output.decode(errors="replace")
    if code != 0:
        raise EngineError(f"cannot read {path} in {container.name}: {text.strip()}")
    return text


def run_in(container: Container, owner: Owner, argv: tuple[str, ...]) -> int:
    """Run a command in a running container as ``owner``, on this terminal; returns its exit code.

    It gets the environment of a login: the start wrote down PATH, proxies and certificates (entrypoint.sh).
    """
    terminal = ["--tty"] if sys.stdin.isatty() and sys.stdout.isatty() else []
    where = ["--interactive", *terminal, "--user", f"{owner.uid}:{owner.gid}", str(container.name)]
    login = '[ ! -r /run/envkit/environment ] || . /run/envkit/environment; exec "$@"'
    return _docker("exec", *where, "sh", "-c", login, "sh", *argv)


def _docker(*arguments: str, stdout: TextIO | None = None) -> int:
    try:
        return subprocess.run(["docker", *arguments], stdout=stdout, check=False).returncode
    except FileNotFoundError as error:
        raise EngineError("no `docker` command here", hint="install the Docker client (Debian: docker-cli)") from error


def started_at(container: Container) -> float:
    """The Unix time of the container's last start."""
    whole, _, fraction = container.attrs["State"]["StartedAt"].rstrip("Z").partition(".")
    return datetime.fromisoformat(whole).replace(tzinfo=timezone.utc).timestamp() + float(f"0.{fraction or 0}")


def gpu_runtime(client: DockerClient) -> bool:
    """Whether the engine can hand NVIDIA GPUs to a container: its runtime is registered, or a CDI device is."""
    with explained("ask the engine what it is"):
        info = client.info()
    devices = info.get("DiscoveredDevices") or []
    return "nvidia" in (info.get("Runtimes") or {}) or any("nvidia.com/gpu" in str(device) for device in devices)


@contextmanager
def explained(action: str) -> Iterator[None]:
    """Turn what the engine or the line to it objects to, during ``action``, into an `EngineError`."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except (DockerException, RequestException) as error:
        raise EngineError(f"the engine would not {action}: {_cause(error)}") from error


def _cause(error: BaseException) -> str:
    """The reason in the engine's or the system's own words. Of a failed connection the SDK shows every layer."""
    if explained_by_engine := getattr(error, "explanation", None):
        return str(explained_by_engine)
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror
        told = (getattr(seen, "reason", None), *seen.args)
        inner = next((word for word in told if isinstance(word, Exception)), None)
        seen = inner or seen.__cause__ or seen.__context__
    return str(error)
