"""No service starts before every model is what models.yaml says."""

from __future__ import annotations

import hashlib
import time

import pytest

from tests.image.container import Boxes
from tests.support.model_server import Answer, ModelServer
from tests.support.project import USER

WEIGHTS = b"weights" * 1000
PUBLISHED = "checkpoints/tiny_v1.0.pdparams"


def registry(url: str, md5: str = hashlib.md5(WEIGHTS).hexdigest()) -> dict[str, str | bytes]:  # noqa: S324
    entry = f"models:\n- name: tiny\n  version: v1.0\n  source: paddlehub\n  hub_url: {url}\n  md5: {md5}\n"
    return {"models.yaml": entry}


@pytest.mark.parametrize("command", [("jupyter",), ("bash", "-c", "echo Serving"), ("sync",)])
def test_a_corrupted_model_stops_the_start(boxes: Boxes, model_server: ModelServer, command: tuple[str, ...]) -> None:
    project = boxes.folder(files=registry(model_server.serve("/tiny.pdparams", b"other bytes")))
    box = boxes.start(*command, project=project)
    assert box.wait() == 3
    assert "tiny" in box.log
    assert hashlib.md5(WEIGHTS).hexdigest() in box.log  # noqa: S324
    assert hashlib.md5(b"other bytes").hexdigest() in box.log  # noqa: S324
    assert "Serving" not in box.log
    assert not (project / PUBLISHED).exists()


def test_an_unreachable_model_stops_the_start(boxes: Boxes, model_server: ModelServer) -> None:
    url = model_server.url("/tiny.pdparams")
    model_server.__exit__(None, None, None)
    box = boxes.start("jupyter", project=boxes.folder(files=registry(url)))
    assert box.wait(120) == 3
    assert "tiny" in box.log
    assert url.split("/")[2].split(":")[0] in box.log
    assert "Serving" not in box.log


def test_a_wrong_entry_stops_the_start(boxes: Boxes) -> None:
    project = boxes.folder(files={"models.yaml": "models:\n- name: tiny\n  version: v1.0\n  source: nowhere\n"})
    box = boxes.start("jupyter", project=project)
    assert box.wait() == 2
    assert "models.yaml:4:11: model 'tiny' has unknown source 'nowhere'" in box.log
    assert "Serving" not in box.log


def test_a_verified_model_is_there_when_the_service_answers(boxes: Boxes, model_server: ModelServer) -> None:
    project = boxes.folder(files=registry(model_server.serve("/tiny.pdparams", WEIGHTS)))
    boxes.start("jupyter", project=project).answering()
    assert (project / PUBLISHED).read_bytes() == WEIGHTS
    assert (project / PUBLISHED).stat().st_uid == USER


def test_warn_starts_all_the_same_and_says_so(boxes: Boxes, model_server: ModelServer) -> None:
    project = boxes.folder(files=registry(model_server.serve("/tiny.pdparams", b"other bytes")))
    expected = "WARNING: ENVKIT_MODELS=warn: starting although the models are not what models.yaml says"
    box = boxes.start("jupyter", project=project, environ={"ENVKIT_MODELS": "warn"}, expected=expected)
    box.answering()
    assert expected in box.log


def test_off_asks_for_nothing_and_says_so(boxes: Boxes, model_server: ModelServer) -> None:
    project = boxes.folder(files=registry(model_server.serve("/tiny.pdparams", b"other bytes")))
    expected = "WARNING: ENVKIT_MODELS=off: the models are neither fetched nor verified"
    box = boxes.start("jupyter", project=project, environ={"ENVKIT_MODELS": "off"}, expected=expected)
    box.answering()
    assert expected in box.log
    assert not model_server.asked


def test_a_mode_that_there_is_not_is_wrong_input(boxes: Boxes) -> None:
    box = boxes.start("jupyter", environ={"ENVKIT_MODELS": "maybe"})
    assert box.wait() == 2
    assert "ENVKIT_MODELS is 'maybe'" in box.log


def test_sync_ends_when_the_models_are_there(boxes: Boxes, model_server: ModelServer) -> None:
    project = boxes.folder(files=registry(model_server.serve("/tiny.pdparams", WEIGHTS)))
    assert boxes.start("sync", project=project).wait() == 0
    assert (project / PUBLISHED).read_bytes() == WEIGHTS


def test_a_stop_while_the_models_are_synced_is_heard_at_once(boxes: Boxes, model_server: ModelServer) -> None:
    answer = Answer(WEIGHTS, pause_at=100)
    project = boxes.folder(files=registry(model_server.serve("/tiny.pdparams", answer)))
    box = boxes.start("jupyter", project=project)
    assert answer.paused.wait(60)
    assert "being synced" in box.run("/opt/envkit/entrypoint.sh", "--health", code=1)
    began = time.monotonic()
    box.container.stop()
    assert time.monotonic() - began < 3
    assert box.wait() == 143
    assert not (project / PUBLISHED).exists()
    answer.go_on.set()
