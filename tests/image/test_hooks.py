"""Scripts of the image's and of the project's that run before the service."""

from __future__ import annotations

import time

import pytest

from tests.image.container import Boxes
from tests.support.project import USER

IMAGES = "/etc/envkit/start.d:ro"


def test_hooks_run_by_name_the_images_as_root_and_the_projects_as_its_owner(boxes: Boxes) -> None:
    hooks = boxes.folder(0, {"10-a.sh": "echo image $EUID a", "20-b.sh": "echo image $EUID b", "notes.txt": "exit 1"})
    hooks.chmod(0o755)
    project = boxes.folder(files={".envkit/start.d/01-first.sh": "echo project $EUID; touch made"})
    box = boxes.start("echo", "the command", project=project, volumes={str(hooks): IMAGES})
    assert box.wait() == 0
    said = [line for line in box.log.splitlines() if not line.startswith("envkit: ")]
    assert said == ["image 0 a", "image 0 b", f"project {USER}", "the command"]
    assert (project / "made").stat().st_uid == USER


@pytest.mark.parametrize("whose", ["image", "project"])
def test_a_hook_that_fails_stops_the_start(boxes: Boxes, whose: str) -> None:
    if whose == "image":
        hooks = boxes.folder(0, {"broken.sh": "exit 7"})
        box = boxes.start("echo", "the command", project=boxes.folder(), volumes={str(hooks): IMAGES})
    else:
        box = boxes.start("echo", "the command", project=boxes.folder(files={".envkit/start.d/broken.sh": "exit 7"}))
    assert box.wait() == 2
    assert "broken.sh failed with exit code 7" in box.log
    assert "the command" not in box.log


@pytest.mark.parametrize("whose", ["image", "project"])
def test_a_stop_is_heard_while_a_hook_runs(boxes: Boxes, whose: str) -> None:
    slow = {"slow.sh": "echo begun; sleep 600"}
    if whose == "image":
        box = boxes.start("true", project=boxes.folder(), volumes={str(boxes.folder(0, slow)): IMAGES})
    else:
        box = boxes.start("true", project=boxes.folder(files={".envkit/start.d/slow.sh": slow["slow.sh"]}))
    box.logged("begun")
    began = time.monotonic()
    box.container.stop()
    assert time.monotonic() - began < 3
    assert box.wait() == 143
