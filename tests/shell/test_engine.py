"""What engine.sh does with the engine that there is, and says where there is none."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import pytest

from tests.shell.scripts import Done, bare_path, call, program
from tests.support.project import REPOSITORY, USER

if TYPE_CHECKING:
    from docker import DockerClient

BOOKWORM = "ID=debian\nVERSION_CODENAME=bookworm\n"
FEDORA = "ID=fedora\n"


class Machine:
    """A machine without Docker as an ordinary user of it sees it: a PATH, an os-release, and no socket."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.socket = top / "docker.sock"
        self.path = bare_path(top / "bin")
        shutil.copytree(REPOSITORY / "scripts", top / "scripts")

    def install(self, name: str, text: str) -> None:
        program(self.top / "bin" / name, text)

    def engine_sh(self, release: str, **environ: str) -> Done:
        (self.top / "os-release").write_text(release)
        known = {
            "PATH": self.path,
            "SBIN": self.path,
            "OS_RELEASE": str(self.top / "os-release"),
            "ENGINE_SOCKET": str(self.socket),
        }
        user = USER if os.geteuid() == 0 else None
        return call(self.top / "scripts" / "engine.sh", user=user, environ={**known, **environ})


@pytest.fixture
def machine() -> Iterator[Machine]:
    top = Path(mkdtemp(prefix="envkit-machine-"))
    top.chmod(0o755)
    yield Machine(top)
    shutil.rmtree(top)


def test_a_running_engine_is_used_as_it_is(engine: DockerClient) -> None:
    done = call(REPOSITORY / "scripts" / "engine.sh")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_an_engine_an_ordinary_user_gets_the_commands(machine: Machine) -> None:
    done = machine.engine_sh(BOOKWORM)
    assert done.returncode == 4
    assert done.stderr.startswith("no Docker engine is installed here\n")
    assert f"sudo {machine.top}/scripts/engine.sh" in done.stderr
    assert "sudo usermod -aG docker" in done.stderr


def test_on_another_system_it_says_what_to_install(machine: Machine) -> None:
    done = machine.engine_sh(FEDORA)
    assert done.returncode == 4
    assert "install Docker Engine 20.10 or later with its buildx and compose plugins" in done.stderr
    assert "apt" not in done.stderr


def test_an_engine_that_does_not_run_is_to_be_started(machine: Machine) -> None:
    machine.install("dockerd", "exit 1")
    done = machine.engine_sh(FEDORA)
    assert done.returncode == 4
    assert done.stderr.startswith("Docker is installed but not running\n  start it: sudo ")


def test_an_engine_that_was_chosen_elsewhere_gets_no_other_beside_it(machine: Machine) -> None:
    done = machine.engine_sh(BOOKWORM, DOCKER_HOST="tcp://127.0.0.1:1")
    assert done.returncode == 4
    assert done.stderr.startswith("DOCKER_HOST=tcp://127.0.0.1:1 does not answer\n")


def test_a_docker_context_that_does_not_answer_is_named(machine: Machine) -> None:
    machine.install("docker", '[ "$1 $2" = "context inspect" ] && echo rootless')
    done = machine.engine_sh(BOOKWORM)
    assert done.returncode == 4
    assert done.stderr.startswith("docker context rootless does not answer\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a socket that another user may not use")
def test_an_engine_of_somebody_else_is_joined_by_its_group(machine: Machine) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(machine.socket))
        machine.socket.chmod(0o600)
        done = machine.engine_sh(BOOKWORM)
    assert done.returncode == 4
    assert "may not use it\n  join its group, then log in again: sudo usermod -aG docker" in done.stderr


@pytest.mark.parametrize(
    ("release", "advice"),
    [
        (BOOKWORM, "sudo apt-get install docker-buildx/trixie docker-compose/trixie"),
        ("ID=debian\nVERSION_CODENAME=trixie\n", "sudo apt-get install docker-buildx docker-compose"),
        ("ID=ubuntu\nVERSION_CODENAME=noble\n", "sudo apt-get install docker-buildx docker-compose-v2"),
        (FEDORA, "docker-buildx-plugin, docker-compose-plugin, or whatever your distribution calls them"),
    ],
)
def test_plugins_that_a_running_engine_lacks_are_named(machine: Machine, release: str, advice: str) -> None:
    machine.install("docker", '[ "$1" = version ]')
    done = machine.engine_sh(release)
    assert done.returncode == 4
    assert done.stderr == f"Docker is here without: buildx compose\n  install what is missing: {advice}\n"
