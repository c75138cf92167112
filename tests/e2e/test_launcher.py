"""`envkit up`, `status`, `logs`, `exec`, `down` on the real engine."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from envkit.launch.readiness import jupyter_answers
from tests.support.project import REPOSITORY, Project
from tests.support.wait import until


def inspect(container: str) -> dict[str, Any]:
    shown = subprocess.run(["docker", "inspect", container], capture_output=True, text=True, check=True)
    inspected: dict[str, Any] = json.loads(shown.stdout)[0]
    return inspected


@pytest.fixture(scope="module")
def running(make_project: Callable[..., Project]) -> tuple[Project, dict[str, Any]]:
    project = make_project()
    return project, project.json("up", "jupyter")


def test_up_ends_with_a_url_that_lets_one_in(running: tuple[Project, dict[str, Any]]) -> None:
    project, said = running
    shown = project.envkit("up", "jupyter").stdout.splitlines()
    assert shown[-1].split()[-1] == said["url"]
    base, token = said["url"].split("?token=")
    assert base == f"http://127.0.0.1:{said['port']}/lab"
    assert jupyter_answers(said["port"], token)
    assert not jupyter_answers(said["port"], "wrong")


def test_up_again_changes_nothing(running: tuple[Project, dict[str, Any]]) -> None:
    project, said = running
    before = inspect(said["container"])
    again = project.json("up", "jupyter")
    assert again == {**said, "state": "unchanged"}
    after = inspect(said["container"])
    assert (after["Id"], after["State"]["StartedAt"]) == (before["Id"], before["State"]["StartedAt"])


def test_a_stopped_service_is_started_again_with_its_token_and_port(running: tuple[Project, dict[str, Any]]) -> None:
    project, said = running
    subprocess.run(["docker", "stop", said["container"]], check=True, capture_output=True)
    assert project.json("up", "jupyter") == {**said, "state": "started"}


def test_the_token_shows_in_no_place_but_its_file(running: tuple[Project, dict[str, Any]]) -> None:
    project, said = running
    token = said["url"].split("?token=")[1]
    name = said["container"]
    logged = subprocess.run(["docker", "logs", name], capture_output=True, text=True, check=True)
    commands = "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '"
    listed = subprocess.run(["docker", "exec", name, "sh", "-c", commands], capture_output=True, text=True, check=False)
    assert "jupyter" in listed.stdout
    for text in (json.dumps(inspect(name)), logged.stdout, logged.stderr, listed.stdout):
        assert token not in text
    (kept,) = project.home.rglob("jupyter_token")
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.stat().st_uid == project.owner


def test_it_is_published_on_loopback_only_and_with_few_privileges(running: tuple[Project, dict[str, Any]]) -> None:
    host = inspect(running[1]["container"])["HostConfig"]
    assert {bound["HostIp"] for binding in host["PortBindings"].values() for bound in binding} == {"127.0.0.1"}
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert not host["Privileged"]


def test_status_shows_state_health_and_address(running: tuple[Project, dict[str, Any]]) -> None:
    project, said = running
    project.envkit("up", "jupyter")
    (entry,) = until(
        lambda: [s for s in project.json("status")["services"] if s["health"] == "healthy"], "a healthy service"
    )
    assert entry["service"] == "jupyter"
    assert entry["state"] == "running"
    assert entry["address"] == f"127.0.0.1:{said['port']}"
    assert f"127.0.0.1:{said['port']}" in project.envkit("status").stdout


def test_logs_show_what_the_service_wrote(running: tuple[Project, dict[str, Any]]) -> None:
    project, _ = running
    whole = project.envkit("logs", "jupyter").stdout
    assert "models.yaml" in whole or "models" in whole
    assert project.envkit("logs", "jupyter", "-n", "1").stdout == whole.splitlines(keepends=True)[-1]


def test_exec_runs_as_the_service_s_user_and_passes_the_exit_code_on(running: tuple[Project, dict[str, Any]]) -> None:
    project, _ = running
    done = project.envkit("exec", "jupyter", "--", "sh", "-c", "id -u; pwd; exit 7", code=7)
    assert done.stdout.split() == [str(project.owner), "/workspace"]


def test_two_services_of_a_project_run_side_by_side_and_down_takes_the_one_named(
    running: tuple[Project, dict[str, Any]],
) -> None:
    project, _ = running
    project.envkit("up", "jupyter")
    project.envkit("up", "ssh")
    assert {entry["service"] for entry in project.json("status")["services"]} == {"jupyter", "ssh"}
    project.envkit("down", "ssh")
    assert {entry["service"] for entry in project.json("status")["services"]} == {"jupyter"}


def test_a_taken_port_gives_the_next_free_one(make_project: Callable[..., Project]) -> None:
    project = make_project()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 8888))
            taken.listen()
        except OSError:
            pass  # another service has it: as good
        assert project.json("up", "jupyter")["port"] > 8888
    project.envkit("down")


def test_a_changed_setting_makes_the_container_anew_and_says_so(running: tuple[Project, dict[str, Any]]) -> None:
    project, _ = running
    project.envkit("up", "jupyter")
    done = project.envkit("up", "jupyter", "--models", "warn")
    assert "settings changed" in done.stderr
    assert project.envkit("exec", "jupyter", "--", "printenv", "ENVKIT_MODELS").stdout.strip() == "warn"


def test_down_leaves_nothing_but_files_and_volumes_and_down_volumes_not_even_those(
    make_project: Callable[..., Project],
) -> None:
    project = make_project()
    name = project.json("up", "ssh")["container"]
    key = name.removesuffix("-ssh")

    def there(kind: str) -> str:
        command = ["docker", kind, "ls", "-q", "--filter", f"name={key}"]
        return subprocess.run(
            [*command, *(["-a"] if kind == "container" else [])], capture_output=True, text=True, check=True
        ).stdout

    project.envkit("down")
    assert not there("container")
    assert len(there("volume").split()) == 2
    project.envkit("down", "--volumes")
    assert not there("volume")
    assert (project.path / "models.yaml").is_file()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("down", "jupiter"), 2, "no service 'jupiter'"),
        (("logs", "ssh"), 4, "envkit up ssh"),
        (("exec", "ssh", "--", "true"), 4, "envkit up ssh"),
        (("up", "ssh", "--image", "no-such-image:1"), 4, "no-such-image:1"),
    ],
)
def test_what_cannot_be_done_says_why(project: Project, arguments: tuple[str, ...], code: int, message: str) -> None:
    done = project.envkit(*arguments, code=code)
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_gpu_that_is_not_there_is_an_error_and_never_a_cpu_in_disguise(project: Project, tmp_path: Path) -> None:
    (tmp_path / "docker").symlink_to(shutil.which("docker") or "")  # and no nvidia-smi, wherever this runs
    done = project.envkit("up", "jupyter", "--gpus", "all", code=4, PATH=str(tmp_path))
    assert "a GPU was asked for, but nvidia-smi finds none here" in done.stderr
    assert project.json("status")["services"] == []


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("unix:///nowhere/docker.sock", "No such file or directory"),
        ("tcp://127.0.0.1:1", "Connection refused"),
        ("tcp://:99999999", "Port out of range"),
    ],
)
def test_no_engine_is_told_in_the_system_s_words(project: Project, host: str, words: str) -> None:
    done = project.envkit("status", code=4, DOCKER_HOST=host)
    first, hint = done.stderr.splitlines()
    assert first.startswith(f"no Docker engine answers: {words}")
    assert "DOCKER_HOST" in hint


def test_the_repository_itself_is_a_project() -> None:
    from envkit.settings import load

    settings = load({"project": str(REPOSITORY)})
    assert settings.notebook is not None
    assert (REPOSITORY / settings.notebook).is_file()
