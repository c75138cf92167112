"""What a registry may leave to its lock stops a sync where there is no lock, before anything is touched."""

from __future__ import annotations

import pytest

from envkit.errors import InputError, Problem
from envkit.models.locking import lock
from tests.support.model_project import ModelProject

NO_DIGEST = "has neither md5 nor sha256, and no models.lock.yaml has them: its bytes cannot be proven"
FLOATS = "floats, and no models.lock.yaml says which version that is"
HUB = {"source": "huggingface", "repo": "team/ocr"}
HTTP = {"source": "http", "url": "https://h.example/net.onnx"}
COMMIT = "c0ffee" + "0" * 34


def told(project: ModelProject, **entry: object) -> Problem:
    project.declare({"name": "net", "version": "v1", **entry})
    with pytest.raises(InputError) as raised:
        project.sync()
    assert list(project.path.iterdir()) == [project.path / "models.yaml"]
    (problem,) = raised.value.problems
    assert (problem.line, problem.rule, problem.hint) == (3, "locked", "make one: envkit models lock")
    return problem


@pytest.mark.parametrize(
    "entry",
    [
        HTTP,
        {"source": "file", "path": "/share/net.onnx"},
        {"source": "pypi", "package": "net==1.0", "path": "net/"},
        {**HUB, "path": "net.onnx"},
        {**HUB, "path": "net.onnx", "revision": "v1.0"},
        HUB,
        {**HUB, "path": "onnx/"},
        {**HUB, "revision": "c0ffee"},
    ],
)
def test_an_entry_without_a_digest(project: ModelProject, entry: dict[str, object]) -> None:
    problem = told(project, **entry)
    assert problem.message == f"model 'net' v1 {NO_DIGEST}"
    assert problem.column == len('{"name": ') + 1


@pytest.mark.parametrize(
    "entry",
    [
        {**HTTP, "url": "https://h.example/{version}.onnx", "index_url": "https://h.example/"},
        {"source": "pypi", "package": "net", "path": "net/"},
        HUB,
    ],
)
@pytest.mark.parametrize("wish", ["latest", "stable", ">=3.3,<4"])
def test_a_version_that_floats(project: ModelProject, entry: dict[str, object], wish: str) -> None:
    problem = told(project, **entry, version=wish)
    assert problem.message == f"model 'net' {wish} {FLOATS}"
    assert problem.column == len('{"name": "net", "version": ') + 1


def test_a_commit_is_proof_enough(project: ModelProject) -> None:
    project.declare({"name": "net", "version": "v1", **HUB, "revision": COMMIT})
    assert [model.name for model in lock.load_project(project.path).models] == ["net"]


def test_every_entry_that_needs_a_lock_is_told_at_once(project: ModelProject) -> None:
    project.declare({"name": "a", "version": "v1", **HTTP}, {"name": "b", "version": "latest", **HUB})
    with pytest.raises(InputError) as raised:
        lock.load_project(project.path)
    assert [(problem.line, problem.message) for problem in raised.value.problems] == [
        (3, f"model 'a' v1 {NO_DIGEST}"),
        (4, f"model 'b' latest {FLOATS}"),
    ]
