"""`envkit reproduce` of what ran outside of a container: what cannot be had is said first; else it is the same run."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.code_project import CodeProject
from tests.support.nvidia import nvidia_smi

TRAIN = """\
import os, pathlib, sys
print("lr 0.1", os.environ.get("FLAGS_seed"), sys.argv[1:])
print(*(path.read_text() for path in sorted(pathlib.Path("checkpoints").glob("*.bin"))))
pathlib.Path("result.txt").write_text("done")
"""
MATTER = {"FLAGS_seed": "7"}


def declare(project: CodeProject, source: Path, body: bytes) -> None:
    source.write_bytes(body)
    md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
    project.write({"models.yaml": f"models:\n- {{name: m, version: v1, source: file, path: {source}, md5: {md5}}}\n"})


@pytest.fixture
def run(project: CodeProject, tmp_path: Path) -> str:
    """A run that was written down: of a commit, changes that were not committed, and a model. Its output."""
    project.write({"train.py": TRAIN})
    declare(project, tmp_path / "m.bin", b"weights")
    project.commit()
    project.write({"train.py": TRAIN.replace("0.1", "0.2"), "new.py": "x"})
    project.envkit("models", "sync")
    words = ("snapshot", "-o", "../s.json", "--", "python3", "train.py", "--epochs", "1")
    return project.envkit(*words, environ=MATTER).stdout


def go_on(project: CodeProject, tmp_path: Path) -> None:
    """The project moves on: other code, another model under the same name."""
    project.git("reset", "-q", "--hard")
    project.git("clean", "-qfd")
    project.write({"train.py": "print('something else')\n"})
    declare(project, tmp_path / "other.bin", b"other weights")
    project.commit()
    project.envkit("models", "sync")


def lacks(project: CodeProject, code: int, *arguments: str, **changes: Any) -> list[dict[str, Any]]:
    """What a check finds, of the snapshot with some of its fields changed (``git.commit`` as ``git__commit``)."""
    data = json.loads((project.path.parent / "s.json").read_text())
    for place, value in changes.items():
        *folders, name = place.split("__")
        inner = data
        for folder in folders:
            inner = inner[folder]
        inner[name] = value
    (project.path.parent / "s.json").write_text(json.dumps(data))
    printed = json.loads(project.envkit("reproduce", "--check", "--json", *arguments, "../s.json", code=code).stdout)
    assert printed["possible"] == (code == 0)
    assert not (project.path / ".envkit" / "reproduced").exists()
    found: list[dict[str, Any]] = printed["lacks"]
    return found


def test_the_same_comes_out_after_everything_has_changed(project: CodeProject, tmp_path: Path, run: str) -> None:
    go_on(project, tmp_path)
    done = project.envkit("reproduce", "../s.json")
    assert done.stdout == run == "lr 0.2 7 ['--epochs', '1']\nweights\n"
    (target,) = (project.path / ".envkit" / "reproduced").glob("[0-9a-f]*")
    assert f"kept: {target}\n  to remove it: git worktree remove --force {target}" in done.stderr
    assert (target / "result.txt").read_text() == "done"
    assert (target / "new.py").read_text() == "x"
    assert not (project.path / "result.txt").exists()
    assert project.git("status", "--porcelain") == ""
    assert "the command runs on this machine" in done.stderr

    again = project.envkit("reproduce", "../s.json", code=2).stderr
    assert f"{target}: is there already" in again
    project.git("worktree", "remove", "--force", str(target))
    assert project.envkit("reproduce", "../s.json").stdout == run


def test_models_come_from_the_store_when_their_source_is_gone(project: CodeProject, tmp_path: Path, run: str) -> None:
    go_on(project, tmp_path)
    (tmp_path / "m.bin").unlink()
    assert project.envkit("reproduce", "../s.json").stdout == run


def test_the_projects_own_store_serves_the_worktree_too(anothers: CodeProject, tmp_path: Path) -> None:
    declare(anothers, tmp_path / "m.bin", b"weights")
    anothers.commit()
    anothers.give(1234)
    anothers.envkit("models", "sync")
    assert (anothers.path / "checkpoints" / ".envkit" / "store").is_dir()
    anothers.envkit("snapshot", "-o", "../s.json", "--", "cat", "checkpoints/m_v1.bin")
    (tmp_path / "m.bin").unlink()
    assert anothers.envkit("reproduce", "../s.json").stdout == "weights"
    assert {path.lstat().st_uid for path in anothers.path.rglob("*")} == {1234}


def test_bytes_that_are_nowhere_any_more_are_told_before_anything_is_done(
    project: CodeProject, tmp_path: Path, run: str
) -> None:
    go_on(project, tmp_path)
    (tmp_path / "m.bin").unlink()
    shutil.rmtree(tmp_path / ".cache" / "envkit" / "store")
    (lack,) = lacks(project, 3)
    assert lack["what"] == "models"
    assert "m.bin" in lack["message"]
    done = project.envkit("reproduce", "../s.json", code=3)
    assert done.stdout.startswith("cannot be had again: ")
    assert not (project.path / ".envkit" / "reproduced").exists()


def test_a_model_with_other_bytes_than_it_had_stops_before_the_command(project: CodeProject, run: str) -> None:
    data = json.loads((project.path.parent / "s.json").read_text())
    data["models"]["entries"][0]["files"][0]["sha256"] = "0" * 64
    (project.path.parent / "s.json").write_text(json.dumps(data))
    done = project.envkit("reproduce", "../s.json", code=3)
    assert f"sha256 expected {'0' * 64}, got {hashlib.sha256(b'weights').hexdigest()}" in done.stderr
    assert done.stdout == ""
    assert "kept: " in done.stderr


def test_a_lock_that_says_so_already_is_believed_before_anything_is_done(
    project: CodeProject, tmp_path: Path, run: str
) -> None:
    sha256 = hashlib.sha256(b"weights").hexdigest()
    entry = (project.path / "models.yaml").read_text().replace("}", f", sha256: '{sha256}'}}")
    project.write({"models.yaml": entry})
    project.envkit("snapshot", "-o", "../s.json", "--", "true")
    assert lacks(project, 0) == []
    files = [{"path": "", "sha256": "0" * 64, "size": 7}]
    entries = [{"name": "m", "version": "v1", "path": "checkpoints/m_v1.bin", "files": files, "why": None}]
    (lack,) = lacks(project, 3, models__entries=entries)
    assert lack["hint"] == f"sha256 expected {'0' * 64}, got {sha256}"


def test_a_check_finds_everything_at_once_and_does_nothing(project: CodeProject, tmp_path: Path, run: str) -> None:
    before = project.git("worktree", "list")
    assert lacks(project, 0) == []
    assert "everything can be had again" in project.envkit("reproduce", "../s.json", "--check").stdout
    found = lacks(project, 2, git__commit="0" * 40, python__version="2.7.18", machine__cpu="8086")
    assert [(lack["what"], lack["exit_code"]) for lack in found] == [("code", 2), ("python", 0), ("machine", 0)]
    assert project.git("worktree", "list") == before


def test_a_patch_that_was_not_kept_is_told(project: CodeProject, tmp_path: Path, run: str) -> None:
    (tmp_path / "s.json.patch").rename(tmp_path / "elsewhere")
    (lack,) = lacks(project, 2)
    assert "s.json.patch" in lack["hint"]


def test_a_snapshot_and_its_patch_can_be_given_other_names(project: CodeProject, tmp_path: Path, run: str) -> None:
    (tmp_path / "s.json").rename(tmp_path / "t.json")
    (tmp_path / "s.json.patch").rename(tmp_path / "t.json.patch")
    assert project.envkit("reproduce", "../t.json").stdout == run


def test_what_differs_is_said_and_no_reason_to_stop(project: CodeProject, tmp_path: Path, run: str) -> None:
    nvidia_smi(tmp_path)
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    project.envkit("snapshot", "-o", "../s.json", "--", "true", environ=path)
    done = project.envkit("reproduce", "../s.json")
    assert (
        "differs: it had 2 GPUs (NVIDIA H100 80GB HBM3, NVIDIA H100 80GB HBM3): there is no nvidia-smi" in done.stderr
    )


def test_another_command_can_be_given_and_its_exit_code_is_passed_on(project: CodeProject, run: str) -> None:
    done = project.envkit("reproduce", "../s.json", "--into", "../again", "--", "sh", "-c", "pwd; exit 9", code=9)
    assert done.stdout == f"{project.path.parent}/again\n"


def test_the_start_of_a_service_is_no_command_to_run(project: CodeProject) -> None:
    project.envkit("snapshot", "--start", "jupyter", "--", "jupyter")
    (file,) = (project.path / ".envkit" / "runs").glob("*.json")
    done = project.envkit("reproduce", str(file), code=2)
    assert done.stderr.startswith(f"{file}: the snapshot is of the start of jupyter\n")
    assert "-- python train.py" in done.stderr


def test_a_command_of_a_folder_is_called_there(project: CodeProject, tmp_path: Path) -> None:
    project.write({"code/where.py": "import os; print(os.getcwd())\n"})
    project.commit()
    project.envkit("snapshot", "-o", "../../s.json", "--", "python3", "where.py", cwd=project.path / "code")
    assert project.envkit("reproduce", "../s.json", "--into", "../again").stdout == f"{tmp_path}/again/code\n"


def test_a_project_below_its_repository_comes_back_below_it(project: CodeProject, tmp_path: Path) -> None:
    project.write({"sub/models.yaml": "models: []\n", "sub/a.txt": "then\n"})
    project.commit()
    inside = project.path / "sub"
    project.envkit("snapshot", "-o", "../../s.json", "--", "cat", "a.txt", cwd=inside)
    project.write({"sub/a.txt": "now\n"})
    project.commit()
    assert project.envkit("reproduce", "../../s.json", cwd=inside).stdout == "then\n"


def test_paths_into_the_project_are_paths_into_the_worktree(project: CodeProject, tmp_path: Path) -> None:
    project.write({"a.txt": "then\n"})
    project.commit()
    variable = {"PYTHONPATH": f"{project.environ()['PYTHONPATH']}:{project.path}/lib"}
    script = f"cat {project.path}/a.txt; echo $PYTHONPATH"
    project.envkit("snapshot", "-o", "../s.json", "--", "sh", "-c", script, environ=variable)
    project.write({"a.txt": "now\n"})
    project.commit()
    text, path = project.envkit("reproduce", "../s.json", "--into", "../again").stdout.splitlines()
    assert text == "then"
    assert path.endswith(f":{tmp_path}/again/lib")


def test_what_git_ignores_can_be_taken_along(project: CodeProject) -> None:
    project.write({".gitignore": "data/\n"})
    project.commit()
    project.write({"data/set.csv": "1,2\n"})
    project.envkit("snapshot", "-o", "../s.json", "--", "cat", "data/set.csv")
    assert "No such file" in project.envkit("reproduce", "../s.json", "--into", "../a", code=1).stderr
    done = project.envkit("reproduce", "../s.json", "--into", "../b", "--with", "data")
    assert done.stdout == "1,2\n"
    assert "differs: data is taken along as it is now" in done.stderr
    refused = project.envkit("reproduce", "../s.json", "--into", "../c", "--with", "../home", code=2)
    assert "../home: not in" in refused.stdout


def test_a_virtual_environment_in_the_project_is_used_where_it_is(project: CodeProject) -> None:
    project.write({".gitignore": ".venv/\n"})
    project.commit()
    place = project.path / ".venv" / "bin" / "python"
    place.parent.mkdir(parents=True)
    place.symlink_to(sys.executable)
    words = (".venv/bin/python", "-c", "import sys; print(sys.executable)")
    project.envkit("snapshot", "-o", "../s.json", "--", *words)
    done = project.envkit("reproduce", "../s.json")
    assert done.stdout == f"{place}\n"
    assert ".venv/bin/python is not in Git: the project's own is used" in done.stderr
    shutil.rmtree(project.path / ".venv")
    (lack,) = [lack for lack in lacks_of(project) if lack["exit_code"]]
    assert lack["message"] == ".venv/bin/python: the command is not in the code of the snapshot"


def lacks_of(project: CodeProject) -> list[dict[str, Any]]:
    printed = json.loads(project.envkit("reproduce", "--check", "--json", "../s.json", code=2).stdout)
    found: list[dict[str, Any]] = printed["lacks"]
    return found


def test_an_image_without_an_engine_is_told_with_all_the_rest(project: CodeProject, run: str) -> None:
    image = {"reference": "envkit:1", "id": "sha256:1", "digest": None}
    data = json.loads((project.path.parent / "s.json").read_text())
    data["git"]["commit"] = "0" * 40
    (project.path.parent / "s.json").write_text(json.dumps({**data, "image": image}))
    nowhere = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
    done = project.envkit("reproduce", "../s.json", "--check", code=2, environ=nowhere)
    assert "cannot be had again: commit 0000" in done.stdout
    assert "cannot be had again: no Docker engine answers" in done.stdout


def test_without_a_commit_in_it_there_is_nothing_to_go_by(project: CodeProject, tmp_path: Path) -> None:
    shutil.move(project.path / ".git", tmp_path / "git")
    project.envkit("snapshot", "-o", "../s.json", "--", "true")
    shutil.move(tmp_path / "git", project.path / ".git")
    done = project.envkit("reproduce", "../s.json", code=2)
    assert "the snapshot has no commit: " in done.stderr
    assert "not in a Git repository" in done.stderr


def test_ctrl_c_ends_the_command_and_keeps_the_code(project: CodeProject, tmp_path: Path) -> None:
    script = "import time\nprint('ready', flush=True)\ntime.sleep(600)\n"
    project.write({"train.py": script})
    project.commit()
    project.envkit("snapshot", "-o", "../s.json", "--", "true")
    with subprocess.Popen(
        [sys.executable, "-m", "envkit", "reproduce", "../s.json", "--into", "../again", "--", "python3", "train.py"],
        cwd=project.path,
        env=project.environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline() == "ready\n"
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does it
            said = process.stderr.read()
            assert process.wait(60) == 130
        finally:
            process.kill()
    assert f"kept: {tmp_path}/again" in said
    assert (tmp_path / "again" / "train.py").read_text() == script
