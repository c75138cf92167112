"""`envkit up ssh` with the OpenSSH client, for a project of an ordinary user and for one of root."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.project import USER, Project
from tests.support.wait import until


@dataclass(frozen=True)
class Server:
    """A running SSH service and what `envkit up ssh --json` said of it."""

    project: Project
    said: dict[str, Any]

    def ssh(self, *arguments: str, code: int = 0, **keywords: Any) -> subprocess.CompletedProcess[str]:
        command = ["ssh", "-F", self.said["config"], "-o", "BatchMode=yes", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **keywords)
        assert done.returncode == code, done.stderr
        return done

    def with_key_alone(self, key: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Log in with one private key and no other: not through the Host block, which names the user's own."""
        known_hosts = next(Path(self.said["config"]).parent.glob("projects/*/ssh/known_hosts"))
        pinned = ("-o", f"UserKnownHostsFile={known_hosts}", "-o", f"HostKeyAlias={self.said['host']}")
        only = ("-F", "none", "-i", str(key), "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none")
        where = ("-p", str(self.said["port"]), f"{self.said['user']}@127.0.0.1")
        return self.ssh(*only, *pinned, *where, "true", code=code)

    def run(self, *command: str) -> str:
        return self.ssh(self.said["host"], *command).stdout.strip()


ROOT = pytest.param(0, id="root", marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root owns root's files"))


@pytest.fixture(scope="module", params=[pytest.param(USER, id="user"), ROOT])
def server(request: pytest.FixtureRequest, make_project: Callable[..., Project]) -> Server:
    project = make_project(request.param)
    return Server(project, project.json("up", "ssh"))


def test_a_command_runs_as_the_projects_owner_and_sees_the_project(server: Server) -> None:
    said = server.run("id -u; pwd; cat /workspace/models.yaml").splitlines()
    assert said == [str(server.project.owner), "/root" if server.project.owner == 0 else "/home/paddle", "models: []"]


def test_an_interactive_session_begins_in_the_project(server: Server) -> None:
    done = server.ssh("-tt", server.said["host"], input="pwd; exit\n")
    assert "/workspace" in done.stdout


def test_paddle_is_there_in_a_plain_session_and_in_a_login_shell(server: Server) -> None:
    imported = "python3 -c 'import paddle; print(paddle.__version__)'"
    assert server.run(imported).startswith("3.3")
    assert server.run("bash", "-lc", f'"{imported}"').startswith("3.3")


def test_a_session_s_path_is_the_container_s(server: Server) -> None:
    plain, login = server.run("echo $PATH"), server.run("bash", "-lc", "'echo $PATH'")
    assert plain == login
    assert server.project.envkit("exec", "ssh", "--", "sh", "-c", "echo $PATH").stdout.strip() in plain


def test_a_file_made_in_a_session_is_the_owners_on_the_host(server: Server) -> None:
    server.run("mkdir -p /workspace/made && echo x > /workspace/made/here")
    made = server.project.path / "made" / "here"
    assert {made.stat().st_uid, made.parent.stat().st_uid} == {server.project.owner}


def test_sftp_copies_a_file_there_and_back(server: Server, tmp_path: Path) -> None:
    (tmp_path / "up.bin").write_bytes(os.urandom(1 << 20))
    batch = f"put {tmp_path}/up.bin /workspace/copy.bin\nget /workspace/copy.bin {tmp_path}/down.bin\n"
    command = ["sftp", "-F", server.said["config"], "-b", "-", server.said["host"]]
    subprocess.run(command, input=batch, text=True, check=True, capture_output=True, timeout=60)
    assert (tmp_path / "down.bin").read_bytes() == (tmp_path / "up.bin").read_bytes()
    assert (server.project.path / "copy.bin").stat().st_uid == server.project.owner


def test_a_port_is_forwarded(server: Server) -> None:
    port = free_port()
    with serving(server) as remote, background(server, "-N", "-L", f"{port}:127.0.0.1:{remote}"):
        assert until(lambda: get(port), "an answer through -L") == 200


def test_dynamic_forwarding_works_as_vs_code_uses_it(server: Server) -> None:
    port = free_port()
    with serving(server) as remote, background(server, "-N", "-D", str(port)):
        assert until(lambda: get_through_socks(port, remote), "an answer through -D")


def test_a_unix_socket_is_forwarded(server: Server) -> None:
    port = free_port()
    remote = "/tmp/envkit-test.sock"  # noqa: S108 - in the container
    script = (
        f"import socket; s = socket.socket(socket.AF_UNIX); s.bind('{remote}'); s.listen(); s.accept()[0].send(b'hi')"
    )
    user = str(server.project.owner)
    subprocess.run(["docker", "exec", "-d", "-u", user, server.said["container"], "python3", "-c", script], check=True)
    until(lambda: server.run(f"test -S {remote} && echo up || true"), "the socket inside")
    with background(server, "-N", "-L", f"{port}:{remote}"):
        until(lambda: greeted(port), "an answer from the socket")


def test_without_the_key_nobody_comes_in(server: Server, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "id")], check=True)
    assert "Permission denied (publickey)" in server.with_key_alone(tmp_path / "id", code=255).stderr


def test_a_password_is_not_even_asked_for(server: Server) -> None:
    options = ("-o", "PubkeyAuthentication=no", "-o", "PreferredAuthentications=password,keyboard-interactive")
    refused = server.ssh(*options, server.said["host"], "true", code=255)
    assert "Permission denied (publickey)" in refused.stderr


def test_root_comes_in_only_where_the_project_is_root_s(server: Server) -> None:
    code = 0 if server.project.owner == 0 else 255
    done = server.ssh("-l", "root", server.said["host"], "id -u", code=code)
    assert (done.stdout.strip() == "0") == (code == 0)


def test_the_host_key_is_pinned_and_survives_a_new_container(server: Server) -> None:
    config = Path(server.said["config"]).parent
    pinned = next(config.glob("projects/*/ssh/known_hosts")).read_text()
    server.project.envkit("down", "ssh")
    assert server.project.json("up", "ssh")["state"] == "created"
    assert next(config.glob("projects/*/ssh/known_hosts")).read_text() == pinned
    assert server.run("true") == ""


def test_a_foreign_host_key_is_refused(server: Server, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "k")], check=True)
    kind, key, *_ = (tmp_path / "k.pub").read_text().split()
    (tmp_path / "known").write_text(f"{server.said['host']} {kind} {key}\n")
    refused = server.ssh("-o", f"UserKnownHostsFile={tmp_path}/known", server.said["host"], "true", code=255)
    assert "verification failed" in refused.stderr


def test_a_key_that_is_gone_no_longer_opens(make_project: Callable[..., Project], tmp_path: Path) -> None:
    project = make_project()
    keys = project.home / ".ssh"
    keys.mkdir(mode=0o700)
    for name in ("old", "new"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(keys / name)], check=True)
    server = Server(project, project.json("up", "ssh"))
    server.with_key_alone(keys / "old")
    shutil.move(keys / "old.pub", tmp_path)
    assert "its secrets changed" in project.envkit("up", "ssh").stderr
    assert "Permission denied" in server.with_key_alone(keys / "old", code=255).stderr
    server.run("true")
    project.envkit("down")


@contextmanager
def serving(server: Server) -> Iterator[int]:
    """An HTTP server inside the container, reached by nothing but SSH; gives its port there."""
    port = 18080
    name = server.said["container"]
    script = f"python3 -m http.server --bind 127.0.0.1 {port}"
    subprocess.run(["docker", "exec", "--detach", name, "sh", "-c", script], check=True)
    probe = f"python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", {port}))'"
    until(
        lambda: server.ssh(server.said["host"], f"{probe} 2>/dev/null && echo up || true").stdout, "the server inside"
    )
    try:
        yield port
    finally:
        subprocess.run(["docker", "exec", name, "pkill", "-f", script], check=False)


@contextmanager
def background(server: Server, *arguments: str) -> Iterator[None]:
    command = ["ssh", "-F", server.said["config"], "-o", "ExitOnForwardFailure=yes", *arguments, server.said["host"]]
    process = subprocess.Popen(command)
    try:
        yield
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def greeted(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            return connection.recv(2) == b"hi"
    except ConnectionRefusedError:
        return False


def get(port: int) -> int | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()


def get_through_socks(port: int, remote: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(b"\x05\x01\x00")  # RFC 1928: version 5, one method, no authentication
            assert connection.recv(2) == b"\x05\x00"
            connection.sendall(b"\x05\x01\x00\x01\x7f\x00\x00\x01" + remote.to_bytes(2, "big"))
            assert connection.recv(10)[:2] == b"\x05\x00"
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return connection.recv(64).startswith(b"HTTP/1.0 200")
    except ConnectionRefusedError:
        return False
