"""`docker compose` with the committed file, for those who use it in envkit's place."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from envkit.launch.readiness import jupyter_answers, ssh_answers
from tests.support.model_server import ModelServer
from tests.support.project import Project, md5
from tests.support.wait import until


@dataclass(frozen=True)
class Compose:
    """`docker compose` in a project with the committed file, on ports of its own; no build: the image is there."""

    project: Project
    environ: dict[str, str]

    def __call__(self, *arguments: str, code: int = 0) -> str:
        command = ["docker", "compose", "--project-name", "envkit-test-compose", "--profile", "*", *arguments]
        done = subprocess.run(
            command, cwd=self.project.path, env=self.environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stderr
        return done.stdout


@pytest.fixture
def compose(cpu_image: str, make_project: Callable[..., Project], tmp_path: Path) -> Iterator[Compose]:
    project = make_project()
    project.add("compose.yaml", "Dockerfile")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "id")], check=True)
    keys = shutil.copy(tmp_path / "id.pub", tmp_path / "authorized_keys")
    os.chown(keys, project.owner, -1)
    environ = {
        "ENVKIT_IMAGE": cpu_image,
        "ENVKIT_JUPYTER_PORT": str(free_port()),
        "ENVKIT_SSH_PORT": str(free_port()),
        "ENVKIT_AUTHORIZED_KEYS": str(keys),
        "HOME": str(project.home),
        "PATH": os.environ["PATH"],
    }
    made = Compose(project, environ)
    yield made
    made("down", "--volumes")


def test_compose_brings_jupyter_up(compose: Compose) -> None:
    compose("up", "--detach", "jupyter")
    told = until(lambda: re.search(r"to see it: (docker exec .*)", compose("logs", "jupyter")), "how to see the token")
    token = subprocess.run(told[1].split(), capture_output=True, text=True, check=True).stdout
    until(lambda: jupyter_answers(int(compose.environ["ENVKIT_JUPYTER_PORT"]), token.strip()), "Jupyter")


def test_compose_brings_ssh_up_for_the_keys_it_is_given(compose: Compose, tmp_path: Path) -> None:
    compose("up", "--detach", "ssh")
    port = compose.environ["ENVKIT_SSH_PORT"]
    until(lambda: ssh_answers(int(port)), "sshd")
    options = ("-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={tmp_path}/known", "-o", "BatchMode=yes")
    command = ["ssh", "-F", "none", *options, "-i", str(tmp_path / "id"), "-p", port, "paddle@127.0.0.1", "id", "-u"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == str(compose.project.owner)


def test_compose_syncs_the_models_and_ends_as_the_sync_does(compose: Compose, model_server: ModelServer) -> None:
    compose.project.declare(model_server.serve("/right.pdparams", b"right"), md5(b"right"))
    compose("run", "--rm", "sync")
    synced = compose.project.path / "checkpoints" / "demo_1.0.pdparams"
    assert synced.read_bytes() == b"right"
    assert synced.stat().st_uid == compose.project.owner
    compose.project.declare(model_server.serve("/wrong.pdparams", b"wrong"), md5(b"other"))
    compose("run", "--rm", "sync", code=3)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
