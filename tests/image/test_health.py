"""Docker's own health check, with its interval shortened."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.image.container import Box, Boxes
from tests.support.project import USER
from tests.support.wait import until

SECOND = 1_000_000_000  # nanoseconds, which the engine counts in
OFTEN = {"interval": SECOND // 2, "retries": 2}


def until_health_is(box: Box, wanted: str) -> None:
    def health() -> bool:
        box.container.reload()
        return bool(box.container.attrs["State"]["Health"]["Status"] == wanted)

    until(health, f"the engine calls the container {wanted}")


@pytest.fixture
def keys(boxes: Boxes, tmp_path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    return boxes.folder(files={"authorized_keys": (tmp_path / "key.pub").read_text("utf-8")})


@pytest.mark.parametrize("service", ["jupyter", "ssh"])
def test_a_service_that_answers_is_healthy(boxes: Boxes, keys: Path, service: str) -> None:
    volumes = {str(keys): "/run/secrets:ro"}
    until_health_is(boxes.start(service, project=boxes.folder(), volumes=volumes, healthcheck=OFTEN), "healthy")


def test_a_service_that_hangs_is_not(boxes: Boxes) -> None:
    box = boxes.start("jupyter", project=boxes.folder(), healthcheck={**OFTEN, "timeout": SECOND})
    until_health_is(box, "healthy")
    box.run("pkill", "-STOP", "-f", "jupyterlab", user=str(USER))
    until_health_is(box, "unhealthy")


def test_a_command_that_runs_is_healthy(boxes: Boxes) -> None:
    until_health_is(boxes.start("sleep", "600", healthcheck=OFTEN), "healthy")
