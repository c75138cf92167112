"""The SSH service: keys only, the owner only, a host key that stays, and sessions that find Paddle's environment.

``tests/e2e/test_ssh.py`` comes in through the launcher; here are the cases that a container alone decides.
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.image.container import ROOT_SSH, Box, Boxes
from tests.support.project import USER
from tests.support.wait import until


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return make_key(tmp_path / "key")


def make_key(path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", path], check=True)
    return path


def public(key: Path) -> str:
    return key.with_suffix(".pub").read_text("utf-8")


def start(
    boxes: Boxes,
    key: Path,
    *arguments: str,
    owner: int = USER,
    volumes: Mapping[str, str] | None = None,
    **options: Any,
) -> Box:
    """Start the service, with ``arguments`` for it, and wait until it answers."""
    secrets = boxes.folder(owner, files={"authorized_keys": public(key)})
    if owner == 0:
        options["capabilities"] = ROOT_SSH
    mounts = {str(secrets): "/run/secrets:ro", **(volumes or {})}
    return boxes.start("ssh", *arguments, project=boxes.folder(owner), volumes=mounts, **options).answering()


def client(box: Box, key: Path, *arguments: str, program: str = "ssh") -> list[str]:
    host, port = box.address(2222).split(":")
    return [
        *(program, "-F", "/dev/null", "-i", str(key), "-oBatchMode=yes", "-oIdentitiesOnly=yes", f"-oPort={port}"),
        *("-oStrictHostKeyChecking=accept-new", f"-oUserKnownHostsFile={key.parent}/known_hosts", "-oLogLevel=ERROR"),
        *(argument.replace("HOST", host) for argument in arguments),
    ]


def call(box: Box, key: Path, *arguments: str, code: int = 0, program: str = "ssh", said: str | None = None) -> str:
    """Run a client to its end with ``said`` as its input; what it printed."""
    command = client(box, key, *arguments, program=program)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, input=said)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("owner", [USER, 0])
def test_commands_logins_and_sftp_work_for_the_owner(boxes: Boxes, key: Path, owner: int, tmp_path: Path) -> None:
    box = start(boxes, key, owner=owner)
    user = "root" if owner == 0 else "paddle"
    assert call(box, key, f"{user}@HOST", "id -u").strip() == str(owner)
    assert "/dev/pts/" in call(box, key, "-tt", f"{user}@HOST", said="tty; exit\n")
    (tmp_path / "sent").write_text("bytes")
    batch = f"put {tmp_path}/sent /workspace/sent\n"
    call(box, key, "-b", "-", f"{user}@HOST", program="sftp", said=batch)
    assert box.run("stat", "-c", "%u", "/workspace/sent", user=str(owner)).strip() == str(owner)


def test_nobody_else_gets_in(boxes: Boxes, key: Path, tmp_path: Path) -> None:
    box = start(boxes, key)
    refused = "Permission denied (publickey)"
    assert refused in call(box, key, "root@HOST", "id", code=255)
    assert refused in call(box, make_key(tmp_path / "other"), "paddle@HOST", "id", code=255)
    assert refused in call(box, key, "-oPubkeyAuthentication=no", "paddle@HOST", "id", code=255)
    passwords = "-oPreferredAuthentications=password,keyboard-interactive"
    assert refused in call(box, key, passwords, "paddle@HOST", "id", code=255)


def test_the_host_keys_survive_the_container(boxes: Boxes, key: Path) -> None:
    host_keys = boxes.volume()
    for _ in range(2):
        # The second time the client has the key, and would refuse another.
        box = start(boxes, key, volumes={host_keys: "/var/lib/envkit/ssh"})
        call(box, key, f"-oHostKeyAlias={host_keys}", "paddle@HOST", "true")
        box.container.stop()


def test_a_key_that_is_taken_away_is_out_after_the_next_start(boxes: Boxes, key: Path, tmp_path: Path) -> None:
    home, other = boxes.volume(), make_key(tmp_path / "other")
    volumes: Mapping[str, str] = {home: "/home/paddle"}
    start(boxes, key, volumes=volumes)
    box = start(boxes, other, volumes=volumes)
    assert "Permission denied" in call(box, key, "paddle@HOST", "id", code=255)


@pytest.mark.parametrize("how", ["env", "bash -lc env"])
def test_sessions_have_paddles_environment_and_no_secrets(boxes: Boxes, key: Path, how: str) -> None:
    environ = {
        "LD_LIBRARY_PATH": "/usr/local/cuda/lib64",
        "FLAGS_odd": "two words, a \"quote\", a $dollar, a back\\slash, an 'apostrophe'",
        "PIP_NO_COLOR": "1",
        "MY_PASSWORD": "secret",
    }
    box = start(boxes, key, environ=environ)
    said = call(box, key, "paddle@HOST", how).splitlines()
    for name in ("LD_LIBRARY_PATH", "FLAGS_odd", "PIP_NO_COLOR"):
        assert f"{name}={environ[name]}" in said
    (path,) = [line for line in said if line.startswith("PATH=")]
    assert path.startswith("PATH=/home/paddle/.local/bin:")
    assert "secret" not in "\n".join(said)


def test_a_stop_ends_it_at_once_with_a_session_open(boxes: Boxes, key: Path) -> None:
    box = start(boxes, key)
    with subprocess.Popen(client(box, key, "paddle@HOST", "echo in; sleep 600"), stdout=subprocess.PIPE) as session:
        assert session.stdout
        assert session.stdout.readline() == b"in\n"
        began = time.monotonic()
        box.container.stop()
        assert time.monotonic() - began < 3
        assert session.wait(10) == 255
    assert box.wait() == 0


@pytest.mark.parametrize("owner", [USER, 0])
def test_a_client_that_says_nothing_gets_out_of_the_way(boxes: Boxes, key: Path, owner: int) -> None:
    box = start(boxes, key, "-oLoginGraceTime=2", "-oMaxStartups=1", owner=owner)
    host, port = box.address(2222).split(":")
    user = "root" if owner == 0 else "paddle"
    with socket.create_connection((host, int(port)), timeout=30) as mute:
        mute.sendall(b"SSH-2.0-mute\r\n")  # only then the server splits in two
        assert mute.recv(4) == b"SSH-"
        assert call(box, key, f"{user}@HOST", "true", code=255), "the one slot is free"

        def admitted() -> bool:
            command = client(box, key, f"{user}@HOST", "true")
            return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0

        until(admitted, "the slot is free again", 20)


def test_another_port_is_still_found_by_the_health_check(boxes: Boxes, key: Path) -> None:
    secrets = boxes.folder(files={"authorized_keys": public(key)})
    box = boxes.start("ssh", "-p", "2244", volumes={str(secrets): "/run/secrets:ro"}, project=boxes.folder())
    assert "on port 2244" in box.answering().run("/opt/envkit/entrypoint.sh", "--health")


def test_without_a_key_it_does_not_start(boxes: Boxes) -> None:
    box = boxes.start("ssh")
    assert box.wait() == 2
    assert "no SSH key is allowed in" in box.log


def test_a_private_key_in_the_place_of_a_public_one_is_told(boxes: Boxes, key: Path) -> None:
    box = boxes.start("ssh", environ={"ENVKIT_AUTHORIZED_KEYS": key.read_text()})
    assert box.wait() == 2
    assert "the authorized keys hold a private key" in box.log
    assert key.read_text().splitlines()[1] not in box.log


def test_what_is_no_key_is_wrong_input(boxes: Boxes) -> None:
    box = boxes.start("ssh", environ={"ENVKIT_AUTHORIZED_KEYS": "my password"})
    assert box.wait() == 2
    assert "the authorized keys are not public keys" in box.log


def test_both_ways_to_give_keys_at_once_are_wrong_input(boxes: Boxes, key: Path) -> None:
    environ = {"ENVKIT_AUTHORIZED_KEYS": public(key), "ENVKIT_AUTHORIZED_KEYS_FILE": "/run/secrets/authorized_keys"}
    box = boxes.start("ssh", environ=environ)
    assert box.wait() == 2
    assert "both ENVKIT_AUTHORIZED_KEYS and ENVKIT_AUTHORIZED_KEYS_FILE are set" in box.log
