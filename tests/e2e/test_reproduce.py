"""A run in a container comes out the same after code and models have gone on, or says beforehand why it cannot."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.code_project import CodeProject
from tests.support.model_server import Answer, ModelServer
from tests.support.project import Project, md5

TRAIN = """\
import os, pathlib, subprocess
import numpy, paddle
print("numpy", numpy.__version__, "paddle", paddle.__version__, "as", os.getuid(), "in", os.getcwd())
print("lr 0.1, seed", os.environ.get("FLAGS_seed"))
print(pathlib.Path("checkpoints/demo_1.0.pdparams").read_text())
print(subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip())
"""


def containers() -> set[str]:
    listed = subprocess.run(["docker", "ps", "-aq"], capture_output=True, text=True, check=True)
    return set(listed.stdout.split())


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.fixture(scope="module")
def written(make_project: Callable[..., Project], server: ModelServer) -> tuple[Project, str]:
    """A run in a service, in ``run.json``: of a commit, a change that was not committed, and a model. Its output."""
    project = make_project()
    code = CodeProject.make(project.path, {"train.py": TRAIN})
    project.declare(server.serve("/demo.pdparams", b"weights of then"), md5(b"weights of then"))
    code.commit()
    code.write({"train.py": TRAIN.replace("0.1", "0.2"), "notes.txt": "a thought"})
    project.give()
    project.envkit("up", "jupyter")
    words = ("env", "FLAGS_seed=7", "envkit", "snapshot", "-o", "run.json", "--", "python", "-W", "ignore", "train.py")
    output = project.envkit("exec", "jupyter", "--", *words).stdout
    assert "lr 0.2, seed 7\nweights of then\n" in output

    (project.path / "run.json").rename(project.path.parent / "run.json")
    (project.path / "run.json.patch").rename(project.path.parent / "run.json.patch")
    code.git("checkout", "-q", "--", ".")
    (project.path / "notes.txt").unlink()
    code.write({"train.py": "print('something else')\n"})
    project.declare(server.serve("/other.pdparams", b"other weights"), md5(b"other weights"))
    code.commit()
    project.give()
    project.envkit("models", "sync")
    return project, output


def changed(project: Project, **changes: Any) -> Path:
    """The snapshot with some of its fields changed, under another name."""
    data = json.loads((project.path.parent / "run.json").read_text())
    place = project.path.parent / "changed.json"
    place.write_text(json.dumps({**data, **changes}))
    return place


def removed(project: Project, folder: Path) -> None:
    CodeProject(project.path).git("worktree", "remove", "--force", str(folder))


def test_the_same_output_comes_out_and_nothing_else_is_left(written: tuple[Project, str]) -> None:
    project, output = written
    before = containers()
    done = project.envkit("reproduce", "../run.json")
    assert done.stdout == output
    assert containers() == before
    (folder,) = (project.path / ".envkit" / "reproduced").glob("[0-9a-f]*")
    assert f"kept: {folder}" in done.stderr
    assert {path.stat().st_uid for path in (folder, *folder.rglob("*"))} == {project.owner}
    removed(project, folder)


def test_another_command_runs_in_the_same_place_and_its_exit_code_is_passed_on(written: tuple[Project, str]) -> None:
    project, _ = written
    folder = project.path / ".envkit" / "again"
    done = project.envkit(
        "reproduce", "../run.json", "--into", str(folder), "--", "sh", "-c", "cat notes.txt; exit 9", code=9
    )
    assert done.stdout == "a thought"
    (noted,) = (folder / ".envkit" / "runs").glob("*.json")
    data = json.loads(noted.read_text())
    assert (
        data["git"]["diff"]["tree"] == json.loads((project.path.parent / "run.json").read_text())["git"]["diff"]["tree"]
    )
    removed(project, folder)


def test_an_image_that_is_gone_is_told_with_what_could_be_taken_instead(written: tuple[Project, str]) -> None:
    project, _ = written
    before = containers()
    file = changed(project, image={"reference": project.image, "id": "sha256:" + "0" * 64, "digest": None})
    done = project.envkit("reproduce", str(file), code=4)
    assert done.stdout.startswith(f"cannot be had again: image {project.image} (sha256:{'0' * 64}) is not here")
    assert f"--image {project.image}" in done.stdout
    assert containers() == before
    assert not [*(project.path / ".envkit" / "reproduced").glob("[0-9a-f]*")]
    taken = project.json("reproduce", str(file), "--check", "--image", str(project.image))
    assert [lack["what"] for lack in taken["lacks"]] == ["image"]


def test_bytes_that_are_nowhere_any_more_are_told_before_anything_starts(
    written: tuple[Project, str], server: ModelServer
) -> None:
    project, _ = written
    before = containers()
    store = project.path / "checkpoints" / ".envkit" / "store"
    shared = project.home / ".cache" / "envkit" / "store"
    kept = [place.rename(place.with_name("away")) for place in (store, shared) if place.exists()]
    server.serve("/demo.pdparams", Answer(status=404))
    try:
        done = project.envkit("reproduce", "../run.json", code=3)
    finally:
        server.serve("/demo.pdparams", b"weights of then")
        for place in kept:
            place.rename(place.with_name("store"))
    assert "cannot be had again: models.yaml:5:8: model 'demo' 1.0: " in done.stdout
    assert "404" in done.stdout
    assert containers() == before
    assert not [*(project.path / ".envkit" / "reproduced").glob("[0-9a-f]*")]


def test_packages_that_are_others_are_told(written: tuple[Project, str]) -> None:
    project, _ = written
    python = json.loads((project.path.parent / "run.json").read_text())["python"]
    python["packages"] |= {"numpy": "1.0", "a-package-of-mine": "2.0"}
    done = project.envkit("reproduce", str(changed(project, python=python)), "--check")
    assert "differs: a-package-of-mine 2.0 is not there" in done.stdout
    assert "differs: numpy is " in done.stdout
    assert "and was 1.0" in done.stdout


def test_what_git_ignores_can_be_shown_to_the_command(written: tuple[Project, str]) -> None:
    project, _ = written
    folder, data = project.path / ".envkit" / "with", project.path / "checkpoints" / "set"
    data.mkdir()
    (data / "a.csv").write_text("1,2\n")
    script = "cat checkpoints/set/a.csv; touch checkpoints/set/b"
    words = ("--into", str(folder), "--with", "checkpoints/set", "--", "sh", "-c", script)
    done = project.envkit("reproduce", "../run.json", *words, code=1)
    assert done.stdout == "1,2\n"
    assert "Read-only file system" in done.stderr
    removed(project, folder)


@pytest.mark.parametrize("end", [lambda pid: os.killpg(pid, signal.SIGINT), lambda pid: os.kill(pid, signal.SIGTERM)])
def test_ctrl_c_or_a_request_to_end_leaves_no_container_and_keeps_the_code(
    written: tuple[Project, str], end: Callable[[int], None]
) -> None:
    project, _ = written
    before, folder = containers(), project.path / ".envkit" / "interrupted"
    script = "import time; print('ready', flush=True); time.sleep(600)"
    words = ("reproduce", "../run.json", "--into", str(folder), "--", "python", "-c", script)
    with subprocess.Popen(
        [sys.executable, "-m", "envkit", *words],
        cwd=project.path,
        env={**os.environ, "HOME": str(project.home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline() == "ready\n"
            end(process.pid)
            said = process.stderr.read()
            assert process.wait(60) == 130
        finally:
            process.kill()
    assert containers() == before
    assert f"kept: {folder}" in said
    assert (folder / "train.py").is_file()
    removed(project, folder)
