"""`envkit snapshot`: the file is there before the command runs, and the command's end is envkit's."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from envkit.runs import reading
from tests.support.code_project import CodeProject
from tests.support.nvidia import nvidia_smi
from tests.support.wait import until


def only(project: CodeProject) -> Path:
    (found,) = (project.path / ".envkit" / "runs").glob("*.json")
    return found


def load(path: Path) -> Any:
    return json.loads(path.read_text())


def test_without_a_command_it_is_written_and_named(project: CodeProject) -> None:
    said = project.envkit("snapshot").stdout.strip()
    found = reading.read(Path(said))
    assert Path(said) == only(project)
    assert Path(said).name.endswith(f"Z-snapshot-{found.id}.json")
    assert (found.command, found.run, found.service) == (None, None, "snapshot")
    assert found.git is not None
    assert found.git.commit == project.git("rev-parse", "HEAD")
    assert found.missing["image"] == "not in a container of envkit's image"


def test_the_file_is_there_before_the_command_runs_and_knows_its_end_afterwards(project: CodeProject) -> None:
    done = project.envkit("snapshot", "-o", "s.json", "--", "sh", "-c", "cat s.json; exit 7", code=7)
    assert json.loads(done.stdout)["run"] == {"exit_code": None, "seconds": None}
    found = load(project.path / "s.json")
    assert found["command"] == ["sh", "-c", "cat s.json; exit 7"]
    assert found["run"]["exit_code"] == 7
    assert found["run"]["seconds"] >= 0
    assert sorted(path.name for path in project.path.glob("s.json*")) == ["s.json"]


def test_what_was_not_committed_lies_beside_it(project: CodeProject) -> None:
    project.write({"train.py": "print('two')\n", "new.py": "x"})
    project.envkit("snapshot", "-o", "out/s.json", code=2)
    (project.path / "out").mkdir()
    project.envkit("snapshot", "-o", "out/s.json")
    diff = load(project.path / "out" / "s.json")["git"]["diff"]
    patch = (project.path / "out" / diff["file"]).read_bytes()
    assert hashlib.sha256(patch).hexdigest() == diff["sha256"]
    project.write({"train.py": "print('one')\n"})
    (project.path / "new.py").unlink()
    project.git("apply", "out/s.json.patch")
    assert (project.path / "train.py").read_text() == "print('two')\n"


def test_options_of_the_command_are_the_commands(project: CodeProject) -> None:
    done = project.envkit("snapshot", "--", "echo", "-o", "--", "--json", "-h")
    assert done.stdout == "-o -- --json -h\n"
    assert load(only(project))["command"] == ["echo", "-o", "--", "--json", "-h"]


@pytest.mark.parametrize(("script", "code"), [("exit 300", 44), ("kill -9 $$", 137), ("kill -15 $$", 143)])
def test_an_end_by_a_signal_is_a_shells_exit_code(project: CodeProject, script: str, code: int) -> None:
    project.envkit("snapshot", "-o", "s.json", "--", "sh", "-c", script, code=code)
    assert load(project.path / "s.json")["run"]["exit_code"] == code


def test_a_command_that_there_is_not_writes_nothing(project: CodeProject) -> None:
    done = project.envkit("snapshot", "--", "no-such-command", code=2)
    assert done.stderr == "no-such-command: no such command here\n"
    assert not (project.path / ".envkit").exists()


@contextmanager
def running(project: CodeProject, script: str) -> Iterator[subprocess.Popen[str]]:
    """A snapshot whose command is Python code, once that has said so; in a process group of its own."""
    with subprocess.Popen(
        [sys.executable, "-m", "envkit", "snapshot", "-o", "s.json", "--", sys.executable, "-c", script],
        cwd=project.path,
        env=project.environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def test_ctrl_c_is_the_commands_to_answer(project: CodeProject) -> None:
    script = (
        "import time\ntry:\n    print('ready', flush=True)\n    time.sleep(600)\n"
        "except KeyboardInterrupt:\n    raise SystemExit(9)\n"
    )
    with running(project, script) as process:
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does it
        assert process.wait(60) == 9
    assert load(project.path / "s.json")["run"]["exit_code"] == 9


def test_a_request_to_end_is_handed_on(project: CodeProject) -> None:
    script = (
        "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(8))\n"
        "print('ready', flush=True)\ntime.sleep(600)\n"
    )
    with running(project, script) as process:
        process.terminate()
        assert process.wait(60) == 8
    assert load(project.path / "s.json")["run"]["exit_code"] == 8


def test_what_nohup_ignores_the_command_ignores_too(project: CodeProject) -> None:
    script = "import signal; print(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)"
    envkit = [sys.executable, "-m", "envkit", "snapshot", "-o", "s.json", "--", sys.executable, "-c", script]
    done = subprocess.run(
        ["nohup", *envkit], cwd=project.path, env=project.environ(), capture_output=True, text=True, check=True
    )
    assert done.stdout == "True\n"


def declare(project: CodeProject, tmp_path: Path, body: bytes = b"weights") -> None:
    (tmp_path / "m.bin").write_bytes(body)
    md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
    entry = f"{{name: m, version: v1, source: file, path: {tmp_path}/m.bin, md5: {md5}}}"
    project.write({"models.yaml": f"models:\n- {entry}\n"})


def test_models_are_known_by_their_records_and_by_nothing_else(project: CodeProject, tmp_path: Path) -> None:
    declare(project, tmp_path)
    assert "not proven: model 'm' v1 is not there yet" in project.envkit("snapshot", "-o", "a.json").stderr
    project.envkit("models", "sync")
    assert "not proven" not in project.envkit("snapshot", "-o", "b.json").stderr
    models = load(project.path / "b.json")["models"]
    assert models["registry"] == hashlib.sha256((project.path / "models.yaml").read_bytes()).hexdigest()
    assert models["lock"] is None
    assert models["entries"] == [
        {
            "name": "m",
            "version": "v1",
            "path": "checkpoints/m_v1.bin",
            "files": [{"path": "", "sha256": hashlib.sha256(b"weights").hexdigest(), "size": 7}],
            "why": None,
        }
    ]
    place = project.path / "checkpoints" / "m_v1.bin"
    place.unlink()
    place.write_bytes(b"WEIGHTS")
    said = project.envkit("snapshot", "-o", "c.json").stderr
    assert "not proven: model 'm' v1 looks other than when it was verified" in said
    assert load(project.path / "c.json")["models"]["entries"][0]["files"] == []


def test_a_registry_that_is_wrong_is_a_reason_and_no_failure(project: CodeProject) -> None:
    project.write({"models.yaml": "models:\n- name: m\n  verison: 1\n"})
    project.envkit("snapshot", "-o", "s.json")
    found = load(project.path / "s.json")
    assert found["models"] is None
    assert found["missing"]["models"].startswith("models.yaml:2:")


def test_without_a_repository_that_is_the_reason(tmp_path: Path, project: CodeProject) -> None:
    shutil.rmtree(project.path / ".git")
    assert "not known: git: " in project.envkit("snapshot", "-o", "s.json").stderr
    assert "not in a Git repository" in load(project.path / "s.json")["missing"]["git"]


def test_variables_that_matter_and_no_secret(project: CodeProject) -> None:
    said = {
        "FLAGS_cudnn_deterministic": "1",
        "CUDA_VISIBLE_DEVICES": "0",
        "OMP_NUM_THREADS": "4",
        "PYTHONHASHSEED": "0",
    }
    hidden = {
        "PADDLE_API_TOKEN": "hush",
        "FLAGS_secret_key": "hush",
        "NCCL_PASSWORD": "hush",
        "AWS_SECRET_ACCESS_KEY": "hush",
        "PADDLE_MIRROR": "https://ada:hush@example.com/",
        "HOME_OF": "hush",
    }
    project.envkit("snapshot", "-o", "s.json", environ={**said, **hidden})
    environment = load(project.path / "s.json")["environment"]
    assert said.items() <= environment.items()
    assert not hidden.keys() & environment.keys()
    assert "hush" not in (project.path / "s.json").read_text()


def test_gpus_are_those_that_the_driver_tells_of(project: CodeProject, tmp_path: Path) -> None:
    nvidia_smi(tmp_path)
    project.envkit("snapshot", "-o", "s.json", environ={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    found = load(project.path / "s.json")
    assert (found["gpu"]["driver"], found["gpu"]["cuda"], len(found["gpu"]["devices"])) == ("550.54.15", "12.4", 2)
    assert "gpu" not in found["missing"]


def test_json_is_the_document_with_its_place(project: CodeProject) -> None:
    printed = json.loads(project.envkit("snapshot", "--json").stdout)
    assert printed.pop("file") == str(only(project))
    assert printed == load(only(project))


def test_the_folder_that_it_is_called_in_is_noted(project: CodeProject) -> None:
    (project.path / "code").mkdir()
    project.envkit("snapshot", "-o", "s.json", "--", "pwd", cwd=project.path / "code")
    found = load(project.path / "code" / "s.json")
    assert (found["project"], found["folder"]) == (str(project.path), "code")


def test_root_reads_a_users_repository_as_that_user_and_leaves_nothing_of_its_own(anothers: CodeProject) -> None:
    anothers.write({"new.py": "x"})
    anothers.give(1234)
    anothers.envkit("snapshot")
    assert load(only(anothers))["git"]["diff"]["size"] > 0
    assert {path.lstat().st_uid for path in anothers.path.rglob("*")} == {1234}


def test_an_end_that_cannot_be_noted_leaves_the_commands_exit_code(project: CodeProject) -> None:
    script = "mv out away; exit 5"
    (project.path / "out").mkdir()
    done = project.envkit("snapshot", "-o", "out/s.json", "--", "sh", "-c", script, code=5)
    assert "the end of the command is not noted: " in done.stderr


class TestStart:
    def test_is_noted_with_its_arguments_and_nothing_runs(self, project: CodeProject) -> None:
        done = project.envkit("snapshot", "--start", "command", "--", "sh", "-c", "touch ran")
        assert (done.stdout, done.stderr) == ("", "")
        found = load(only(project))
        assert (found["service"], found["command"], found["run"]) == ("command", ["sh", "-c", "touch ran"], None)
        assert not (project.path / "ran").exists()

    def test_does_not_wait_for_the_gpus_and_has_them_later(self, project: CodeProject, tmp_path: Path) -> None:
        (tmp_path / "go").touch()
        os.mkfifo(tmp_path / "gate")
        nvidia_smi(tmp_path, first=f"read line <{tmp_path}/gate")
        project.envkit("snapshot", "--start", "jupyter", environ={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
        assert load(only(project))["missing"]["gpu"] == "nvidia-smi had not answered by then"
        with (tmp_path / "gate").open("w") as gate:  # both questions wait for it, and both see the end
            gate.write("go\ngo\n")
        until(lambda: load(only(project))["gpu"], "the GPUs in the snapshot")
        assert "gpu" not in load(only(project))["missing"]

    def test_a_large_file_is_not_read(self, project: CodeProject) -> None:
        with (project.path / "huge.bin").open("wb") as file:
            file.truncate(1 << 40)  # sparse: to read it would take minutes
        project.envkit("snapshot", "--start", "jupyter")
        (untracked,) = load(only(project))["git"]["untracked"]
        assert untracked == {"path": "huge.bin", "size": 1 << 40, "sha256": None, "in_patch": False}
