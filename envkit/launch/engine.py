"""The only module that talks to a Docker engine (``build.py`` drives ``docker buildx``, which the SDK has not)."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Image:
    """An image that is here. ``digest`` is how a registry names it (``repository@sha256:…``), None if none does."""

    id: str
    digest: str | None


def image_here(client: DockerClient, reference: str) -> Image | None:
    """What ``reference``, a name or an id, means here now; None for nothing."""
    from docker.errors import ImageNotFound

    with explained(f"look {reference} up"):
        try:
            found = client.images.get(reference)
        except ImageNotFound:
            return None
    # Of several repositories' names for it, that of the one it was asked for by.
    digests = sorted(found.attrs.get("RepoDigests") or (), key=lambda name: not _is_of(reference, name))
    return Image(str(found.id), digests[0] if digests else None)


def image(client: DockerClient, reference: str, report: Report) -> Image:
    """What ``reference`` names here now; pulled first if that is nothing.

    Raises:
        EngineError: it is neither here nor to be had.
    """
    if found := image_here(client, reference):
        return found
    report(f"{reference}: not here, pulling it")
    # The command shows its own progress; the SDK would leave drawing it to us.
    if _docker("pull", reference, stdout=sys.stderr) == 0 and (found := image_here(client, reference)):
        return found
    raise EngineError(f"{reference}: not here, and it could not be pulled", hint="the engine's reason is above")


def why_not_pulled(client: DockerClient, reference: str) -> str | None:
    """Why ``reference`` could not be pulled, as its registry answers; None if it could. Nothing is pulled."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    try:
        client.images.get_registry_data(reference)
    except (DockerException, RequestException) as error:
        return _cause(error)
    return None


def _is_of(reference: str, digest: str) -> bool:
    return re.sub(r":[^/:]*$", "", reference.partition("@")[0]) == digest.partition("@")[0]


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


def run(client: DockerClient, spec: EnvironmentSpec) -> int:
    """Run the container of ``spec`` on this terminal until it ends, and take it away; returns its exit code.

    However this ends, no container is left.

    Raises:
        EngineError: it could not be made or started.
    """
    try:
        container = create(client, spec)
        _docker("start", "--attach", spec.name)
        with explained(f"wait for {container.name}"):
            container.reload()
            state = container.attrs["State"]
            if state["Status"] == "created":
                raise EngineError(f"{container.name} could not be started", hint=state["Error"] or "see above")
            return int(container.wait()["StatusCode"])
    finally:
        remove_named(client, spec.name)


def output(client: DockerClient, spec: EnvironmentSpec, seconds: float) -> str:
    """What the container of ``spec`` writes to standard output; it is taken away afterwards.

    Raises:
        EngineError: it could not be started, failed, or had not ended after so many ``seconds``.
    """
    try:
        container = create(client, spec)
        start(container)
        with explained(f"wait for {container.name}"):
            code = int(container.wait(timeout=seconds)["StatusCode"])
            said = container.logs(stdout=True, stderr=code != 0).decode("utf-8", "replace")
        if code:
            raise EngineError(f"{container.name} ended with exit code {code}", hint=said.strip()[-200:] or None)
        return said
    finally:
        remove_named(client, spec.name)


def has_volume(client: DockerClient, name: str) -> bool:
    """Whether there is a volume of that name."""
    from docker.errors import NotFound

    with explained(f"look the volume {name} up"):
        try:
            client.volumes.get(name)
        except NotFound:
            return False
    return True


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
