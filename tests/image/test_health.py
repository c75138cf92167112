"""Docker's own health check, with its interval shortened."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.image.container import ENTRYPOINT, Box, Boxes
from tests.support.project import USER
from tests.support.wait import until

SECOND = 1_000_000_000  # nanoseconds, which the engine counts in
OFTEN = {"interval": SECOND // 2, "retries": 2}


def until_health_is(box: Box, wanted: str) -> None:
    until(lambda: health(box)["Status"] == wanted, f"the engine calls the container {wanted}")


def health(box: Box) -> dict[str, Any]:
    """The engine's record of the health checks."""
    box.container.reload()
    record: dict[str, Any] = box.container.attrs["State"]["Health"]
    return record


@pytest.fixture
def keys(boxes: Boxes, tmp_path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    return boxes.folder(files={"authorized_keys": (tmp_path / "key.pub").read_text("utf-8")})


@pytest.mark.parametrize("service", ["jupyter", "ssh"])
def test_a_service_that_answers_is_healthy(boxes: Boxes, keys: Path, service: str) -> None:
    volumes = {str(keys): "/run/secrets:ro"}
    until_health_is(boxes.start(service, project=boxes.folder(), volumes=volumes, healthcheck=OFTEN), "healthy")


@pytest.mark.parametrize(("service", "process"), [("jupyter", "jupyterlab"), ("ssh", "/usr/sbin/sshd")])
def test_a_service_that_hangs_is_not(boxes: Boxes, keys: Path, service: str, process: str) -> None:
    often, volumes = {**OFTEN, "timeout": SECOND}, {str(keys): "/run/secrets:ro"}
    box = boxes.start(service, project=boxes.folder(), volumes=volumes, healthcheck=often)
    until_health_is(box, "healthy")
    box.run("pkill", "-STOP", "-f", process, user=str(USER))
    until_health_is(box, "unhealthy")


def test_a_server_with_another_host_key_is_not_this_ones(boxes: Boxes, keys: Path) -> None:
    box = boxes.start("ssh", project=boxes.folder(), volumes={str(keys): "/run/secrets:ro"}).answering()
    box.run("sed", "-i", "s/AAAA/AAAB/", "/run/envkit/known_hosts", user=str(USER))
    said = box.run(ENTRYPOINT, "--health", code=1)
    assert "sshd does not answer on port 2222: " in said


def test_health_checks_leave_nothing_in_the_log_of_ssh(boxes: Boxes, keys: Path) -> None:
    box = boxes.start("ssh", project=boxes.folder(), volumes={str(keys): "/run/secrets:ro"}, healthcheck=OFTEN)
    until_health_is(box, "healthy")
    before, first = box.log, health(box)["Log"][-1]["Start"]
    until(lambda: first not in [check["Start"] for check in health(box)["Log"]], "five more checks")
    assert box.log == before
    assert before.rstrip().endswith("Server listening on :: port 2222.")


def test_a_command_that_runs_is_healthy(boxes: Boxes) -> None:
    until_health_is(boxes.start("sleep", "600", healthcheck=OFTEN), "healthy")
