"""compose.yaml is the specification in another form, and Docker Compose takes it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from envkit.launch.render.compose import compose
from tests.support.project import REPOSITORY


def test_the_committed_file_is_what_the_specification_renders() -> None:
    assert (REPOSITORY / "compose.yaml").read_text() == compose(), "run `make compose`"


def test_docker_compose_reads_it_and_publishes_on_loopback_only(tmp_path: Path) -> None:
    keys = tmp_path / "authorized_keys"
    keys.touch()
    done = subprocess.run(
        ["docker", "compose", "--profile", "*", "config", "--format", "json"],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "ENVKIT_AUTHORIZED_KEYS": str(keys)},
        capture_output=True,
        text=True,
        check=True,
    )
    services = json.loads(done.stdout)["services"]
    assert set(services) == {"jupyter", "ssh", "sync"}
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert {port["host_ip"] for port in published} == {"127.0.0.1"}
    assert all(service["cap_drop"] == ["ALL"] and "privileged" not in service for service in services.values())
