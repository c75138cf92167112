"""Starting dockerd past what a killed one left behind."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shell.scripts import bare_path, call, program, sourced
from tests.support.project import REPOSITORY
from tests.support.wait import until


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder that stands for /var/run."""
    folder = tmp_path / "run"
    (folder / "docker" / "containerd").mkdir(parents=True)
    (folder / "containerd").mkdir()
    return folder


@pytest.fixture
def living(tmp_path: Path) -> Iterator[dict[str, int]]:
    """Processes that run programs of these names, by their pids."""
    processes = {}
    for name in ("dockerd", "containerd"):
        shutil.copy(shutil.which("sleep") or "", tmp_path / name)
        processes[name] = subprocess.Popen([str(tmp_path / name), "300"])
    yield {name: process.pid for name, process in processes.items()}
    for process in processes.values():
        process.kill()
        process.wait()


def remove_stale(run: Path) -> None:
    done = sourced("dockerd.sh", "remove_stale", environ={"ENGINE_RUN": str(run)})
    assert (done.returncode, done.stderr) == (0, "")


def test_the_files_of_a_living_engine_stay(run: Path, living: dict[str, int]) -> None:
    kept = {"docker.pid": living["dockerd"], "docker/containerd/containerd.pid": living["containerd"]}
    for name, pid in kept.items():
        (run / name).write_text(str(pid))
    (run / "docker/containerd/containerd.sock").touch()
    remove_stale(run)
    assert all((run / name).exists() for name in (*kept, "docker/containerd/containerd.sock"))


def test_a_pid_that_another_program_has_by_now_is_stale(run: Path) -> None:
    (run / "docker.pid").write_text(f"{os.getpid()}\n")
    (run / "docker/containerd/containerd.pid").write_text(f"{os.getpid()}")
    (run / "docker/containerd/containerd.sock").touch()
    (run / "docker/containerd/containerd.toml").touch()
    remove_stale(run)
    assert [path.name for path in run.rglob("*") if path.is_file()] == ["containerd.toml"]


@pytest.mark.parametrize("text", ["", "not a number", "999999999"])
def test_a_pid_that_nobody_has_is_stale(run: Path, text: str) -> None:
    (run / "docker.pid").write_text(text)
    remove_stale(run)
    assert not (run / "docker.pid").exists()


def test_a_zombie_is_no_engine(run: Path, tmp_path: Path) -> None:
    shutil.copy(shutil.which("true") or "", tmp_path / "dockerd")
    ended = subprocess.Popen([str(tmp_path / "dockerd")])
    status = Path(f"/proc/{ended.pid}/status")
    until(lambda: "State:\tZ" in status.read_text(), "it ended, and nobody asked how")
    (run / "docker.pid").write_text(str(ended.pid))
    remove_stale(run)
    assert not (run / "docker.pid").exists()
    ended.wait()


def test_a_socket_of_containerd_that_nobody_listens_on_is_stale(run: Path) -> None:
    path = run / "containerd" / "containerd.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        remove_stale(run)
        assert path.exists()
    remove_stale(run)
    assert not path.exists()


@pytest.mark.skipif(Path("/run/systemd/system").exists(), reason="where systemd runs, it starts the engine")
def test_a_dockerd_that_ends_at_once_is_exit_code_4_with_its_last_words(tmp_path: Path, run: Path) -> None:
    path = bare_path(tmp_path / "bin")
    program(tmp_path / "bin" / "dockerd", "echo failed to start daemon: no iptables")
    environ = {
        "PATH": path,
        "ENGINE_RUN": str(run),
        "ENGINE_LOG": str(tmp_path / "log"),
        "SOCKET": str(run / "no.sock"),
    }
    code = 'engine_answers() { socket_answers "$SOCKET"; }; delegate_cgroups() { :; }; start_engine; echo went on'
    done = sourced("dockerd.sh", code, environ=environ)
    assert done.returncode == 4
    assert "  | failed to start daemon: no iptables" in done.stderr
    assert "went on" not in done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a chroot")
def test_in_a_chroot_the_engine_gets_the_chroot_as_its_namespace_s_root(tmp_path: Path) -> None:
    # What runc's exec sees is what nsenter sees: the root of the mount namespace.
    seen = "nsenter --mount=/proc/self/ns/mnt stat -c %d:%i /"
    inside = (
        f'. "{REPOSITORY}/scripts/lib.sh"; . "{REPOSITORY}/scripts/dockerd.sh"; '
        f'in_chroot; stat -c %d:%i /; {seen}; "${{WITH_OWN_ROOT[@]}}" {seen}'
    )
    script = (
        'mount -t tmpfs tmpfs "$1" && for dir in bin dev etc lib lib64 proc sys usr; do '
        '[ -e "/$dir" ] || continue; mkdir "$1/$dir" && mount --rbind "/$dir" "$1/$dir"; done; '
        'mkdir -p "$1$2" && mount --bind "$2" "$1$2"; exec chroot "$1" bash -ec "$3"'
    )
    done = call("unshare", "--mount", "bash", "-ec", script, "bash", str(tmp_path), str(REPOSITORY), inside)
    assert done.returncode == 0, done.stderr
    chroot, before, after = done.stdout.split()
    assert before != chroot
    assert after == chroot
