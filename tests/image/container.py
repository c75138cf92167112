"""A container of the image, run as hardened as the launcher runs it, and asked as a test wants to ask."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.project import USER
from tests.support.wait import until

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

# What each case needs of root's rights, found by trial (docs/reference/image.md).
CAPABILITIES = ("CHOWN", "SETGID", "SETUID")
ROOT_SSH = ("AUDIT_WRITE", "KILL", "SETGID", "SETUID", "SYS_CHROOT")
ROOT_PACKAGES = (*CAPABILITIES, "DAC_OVERRIDE", "FOWNER")

ENTRYPOINT = "/opt/envkit/entrypoint.sh"

# How JupyterLab, envkit and Python mark a line that somebody should read; and what a missing capability looks like.
_ALARM = re.compile(r"^\[[WEC] |\b(WARNING|ERROR|CRITICAL|Traceback)\b|Operation not permitted", re.MULTILINE)
# JupyterLab says that it heard the signal as if it were a calamity.
_EXPECTED = re.compile(r"received signal 15, stopping")


@dataclass
class Box:
    """One container. ``expected`` is a pattern of log lines that the test brings about on purpose."""

    container: Container
    expected: re.Pattern[str] | None = None

    @property
    def log(self) -> str:
        return self.container.logs().decode("utf-8", "replace")

    def wait(self, seconds: float = 60) -> int:
        """Wait for its end; the exit code."""
        return int(self.container.wait(timeout=seconds)["StatusCode"])

    def run(self, *command: str, user: str = "", code: int = 0, environ: Mapping[str, str] | None = None) -> str:
        """Run a command in it (as root, unless ``user`` is given) and return what it printed."""
        done = self.container.exec_run(list(command), user=user, environment=dict(environ or {}))
        said = b"".join([done.output]).decode("utf-8", "replace")  # type: ignore[list-item]
        assert done.exit_code == code, f"{command}: exit code {done.exit_code}\n{said}"
        return said

    def answering(self, seconds: float = 60) -> Box:
        """Wait until the image's own health check says that the service answers."""

        def healthy() -> bool:
            self.container.reload()
            assert self.container.status == "running", f"it ended:\n{self.log}"
            return bool(self.container.exec_run([ENTRYPOINT, "--health"]).exit_code == 0)

        until(healthy, "the service answers", seconds)
        return self

    def logged(self, text: str) -> None:
        """Wait until the log has ``text``."""
        until(lambda: text in self.log, f"{text!r} in the log")

    def address(self, port: int) -> str:
        """Where the container's ``port`` is published on this machine."""
        self.container.reload()
        (published,) = self.container.ports[f"{port}/tcp"] or [{}]
        return f"{published['HostIp']}:{published['HostPort']}"

    def processes(self) -> list[tuple[int, int, str]]:
        """Of every process in it: user, group and command line."""
        table = self.container.top(ps_args="-eo pid,uid,gid,args")["Processes"]
        return [(int(uid), int(gid), args) for _, uid, gid, args in table]

    def alarms(self) -> str:
        """The log's lines that nobody expected, with the log; empty if there are none."""
        found = [line for line in self.log.splitlines() if _ALARM.search(line) and not _EXPECTED.search(line)]
        unexpected = [line for line in found if not (self.expected and self.expected.search(line))]
        return "\n".join([*unexpected, "in:", self.log]) if unexpected else ""


@dataclass
class Boxes:
    """Starts containers for a test and takes away all that they left."""

    engine: DockerClient
    image: str
    _boxes: list[Box] = field(default_factory=list)
    _folders: list[Path] = field(default_factory=list)
    _volumes: list[str] = field(default_factory=list)

    def folder(self, owner: int = USER, files: Mapping[str, str | bytes] | None = None) -> Path:
        """A new folder of ``owner``'s with ``files`` in it, for nobody else to read.

        Skips the test where only root could make one.
        """
        if os.geteuid() not in (0, owner):
            pytest.skip(f"only root can make a folder of uid {owner}'s")
        path = Path(tempfile.mkdtemp(prefix="envkit-image-"))
        self._folders.append(path)
        for name, content in (files or {}).items():
            place = path / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content if isinstance(content, bytes) else content.encode())
            place.chmod(0o600)
        if os.geteuid() == 0:
            for found in (path, *path.rglob("*")):
                os.chown(found, owner, owner)
        return path

    def volume(self) -> str:
        name = str(self.engine.volumes.create().name)
        self._volumes.append(name)
        return name

    def start(
        self,
        *command: str,
        project: Path | None = None,
        environ: Mapping[str, str] | None = None,
        volumes: Mapping[str, str] | None = None,
        capabilities: Sequence[str] = CAPABILITIES,
        expected: str | None = None,
        **options: Any,
    ) -> Box:
        """Start a container. ``volumes`` are targets with ``:ro`` or nothing, by host path or name."""
        binds = {str(project): "/workspace", **(volumes or {})} if project else dict(volumes or {})
        container = self.engine.containers.run(
            self.image,
            list(command),
            detach=True,
            environment=dict(environ or {}),
            volumes=[f"{source}:{target}" for source, target in binds.items()],
            cap_drop=["ALL"],
            cap_add=list(capabilities),
            security_opt=["no-new-privileges:true"],
            ports={"8888/tcp": ("127.0.0.1", 0), "2222/tcp": ("127.0.0.1", 0)},
            **options,
        )
        box = Box(container, re.compile(expected) if expected else None)
        self._boxes.append(box)
        return box

    def remove(self) -> str:
        """Take everything away; returns the unexpected lines of all logs."""
        alarms = ""
        for box in self._boxes:
            alarms += box.alarms()
            box.container.remove(force=True, v=True)
        for name in self._volumes:
            self.engine.volumes.get(name).remove()
        for path in self._folders:
            shutil.rmtree(path)
        return alarms
