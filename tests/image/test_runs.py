"""A start is noted down with all that its result depends on, and nothing that keeps it from that stops it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tests.image.container import Box, Boxes
from tests.support.code_project import CodeProject
from tests.support.model_server import ModelServer
from tests.support.project import USER, md5
from tests.support.wait import until

IMAGE = {"ENVKIT_IMAGE": "envkit:test", "ENVKIT_IMAGE_ID": "sha256:1", "ENVKIT_IMAGE_DIGEST": "r/envkit@sha256:2"}
SHOW = ("sh", "-c", "cat .envkit/runs/*.json")


def repository(boxes: Boxes, files: dict[str, str] | None = None) -> CodeProject:
    """A user's project in a Git repository, with one commit."""
    made = CodeProject.make(boxes.folder(), files)
    if os.geteuid() == 0:
        made.give(USER)
    return made


def ended(box: Box, code: int = 0) -> str:
    assert box.wait(120) == code, box.log
    return box.container.logs(stdout=True, stderr=False).decode()


def noted(project: Path) -> Any:
    """The one snapshot of a project, once it is there."""
    (found,) = until(lambda: [*(project / ".envkit" / "runs").glob("*.json")], "a snapshot")
    return json.loads(found.read_text())


def test_a_command_finds_its_start_noted_with_code_image_models_and_packages(
    boxes: Boxes, model_server: ModelServer
) -> None:
    url = model_server.serve("/tiny.pdparams", b"weights")
    entry = f"models:\n- {{name: tiny, version: v1, source: http, url: '{url}', md5: {md5(b'weights')}}}\n"
    project = repository(boxes, {"models.yaml": entry, "train.py": "1\n"})
    project.write({"train.py": "2\n"})
    box = boxes.start(*SHOW, project=project.path, environ={**IMAGE, "FLAGS_a": "1", "PADDLE_TOKEN": "hush"})
    found = json.loads(ended(box))
    assert (found["service"], found["command"], found["project"]) == ("command", list(SHOW), "/workspace")
    assert (found["git"]["commit"], found["git"]["dirty"]) == (project.git("rev-parse", "HEAD"), True)
    assert found["image"] == {"reference": "envkit:test", "id": "sha256:1", "digest": "r/envkit@sha256:2"}
    assert [(model["name"], model["why"], len(model["files"])) for model in found["models"]["entries"]] == [
        ("tiny", None, 1)
    ]
    assert found["python"]["packages"]["paddlepaddle"].startswith("3.3")
    assert "pyyaml" not in found["python"]["packages"]  # which envkit's own environment has
    assert found["environment"]["FLAGS_a"] == "1"
    assert "hush" not in json.dumps(found)
    assert found["missing"] == {"gpu": "there is no nvidia-smi here"}


def test_it_is_the_users_and_git_does_not_see_it(boxes: Boxes) -> None:
    project = repository(boxes)
    boxes.start("jupyter", project=project.path).answering()
    found = noted(project.path)
    assert (found["service"], found["command"], found["git"]["dirty"]) == ("jupyter", ["jupyter"], False)
    files = [project.path / ".envkit", *(project.path / ".envkit").rglob("*")]
    assert {path.stat().st_uid for path in files} == {USER}
    assert project.git("status", "--porcelain") == ""


def test_nothing_of_it_is_left_to_the_service(boxes: Boxes) -> None:
    project = repository(boxes)
    box = boxes.start("jupyter", project=project.path).answering()
    noted(project.path)
    until(lambda: not [line for *_, line in box.processes() if "snapshot" in line], "the end of the snapshot")
    assert not [line for *_, line in box.processes() if "defunct" in line]


def test_a_project_that_cannot_be_written_to_starts_and_one_line_says_so(boxes: Boxes) -> None:
    project = repository(boxes)
    box = boxes.start("echo", "started", volumes={str(project.path): "/workspace:ro"})
    assert ended(box) == "started\n"
    (line,) = [line for line in box.log.splitlines() if "not noted" in line]
    assert line.startswith("envkit: this start is not noted: /workspace/.envkit: cannot be written: Read-only")


def test_without_a_repository_the_rest_is_noted(boxes: Boxes) -> None:
    project = boxes.folder(files={"models.yaml": "models: []\n"})
    found = json.loads(ended(boxes.start(*SHOW, project=project)))
    assert found["git"] is None
    assert "not in a Git repository" in found["missing"]["git"]
    assert found["image"] == {"reference": None, "id": None, "digest": None}


def test_a_session_can_note_a_command_of_its_own(boxes: Boxes) -> None:
    project = repository(boxes)
    box = boxes.start("jupyter", project=project.path, environ=IMAGE).answering()
    login = ". /run/envkit/environment; exec envkit snapshot -o s.json -- python -c 'print(6 * 7)'"
    said = box.run("env", "-i", "sh", "-c", login, user=str(USER))
    assert "42\n" in said
    found = json.loads((project.path / "s.json").read_text())
    assert (found["run"]["exit_code"], found["image"]["id"]) == (0, "sha256:1")
    assert found["python"]["packages"]["paddlepaddle"].startswith("3.3")
