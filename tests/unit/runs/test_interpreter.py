"""The packages are those that the code would import, in the interpreter that it runs in."""

from __future__ import annotations

import importlib.metadata
import os
import re
import sys
from pathlib import Path

import pytest

from envkit.runs import interpreter
from envkit.runs.programs import NoAnswerError
from envkit.runs.snapshot import Python


def listed(name: str = sys.executable) -> Python:
    return interpreter.told(interpreter.ask(name))


def distribution(folder: Path, name: str, version: str, metadata: str | None = None) -> None:
    place = folder / f"{re.sub('[-.]', '_', name)}-{version}.dist-info"
    place.mkdir(parents=True)
    (place / "METADATA").write_text(
        metadata or f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nVersion: 9\n"
    )


def test_they_are_those_that_python_itself_finds() -> None:
    normal = {
        re.sub(r"[-_.]+", "-", found.metadata["Name"]).lower(): found.version
        for found in reversed([*importlib.metadata.distributions()])
    }
    found = listed()
    assert dict(found.packages) == normal
    assert found.version == sys.version.split()[0]
    assert found.executable == sys.executable


def test_the_first_on_the_path_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distribution(tmp_path / "a", "My.Package", "2.0+cu118")
    distribution(tmp_path / "b", "my-package", "1.0")
    (tmp_path / "b" / "Old-0.1.egg-info").write_text("Metadata-Version: 1.0\nName: Old\nVersion: 0.1\n")
    (tmp_path / "b" / "broken-1.dist-info").mkdir()
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}/a:{tmp_path}/b:{tmp_path}/nowhere")
    packages = listed().packages
    assert (packages["my-package"], packages["old"]) == ("2.0+cu118", "0.1")
    assert "broken" not in packages


def test_a_module_of_the_project_is_not_taken_for_pythons_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("json", "re", "os"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('taken')\n")
    monkeypatch.chdir(tmp_path)
    assert listed().packages


def test_the_interpreter_is_the_commands_own_if_it_names_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / ".venv" / "bin" / "python3.11"
    place.parent.mkdir(parents=True)
    place.symlink_to(sys.executable)
    monkeypatch.chdir(tmp_path)
    assert interpreter.choose((".venv/bin/python3.11", "train.py")) == str(place)
    monkeypatch.setenv("PATH", f"{place.parent}:{os.environ['PATH']}")
    assert interpreter.choose(("python3.11", "train.py")) == str(place)
    for other in (None, (), ("bash", "run.sh"), ("./nowhere/python",), ("pythonic",)):
        assert interpreter.choose(other) == "python3"


def test_none_at_all_says_so() -> None:
    with pytest.raises(NoAnswerError, match="no-such-python: No such file or directory"):
        listed("no-such-python")


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("exit 3", "ended with exit code 3"),
        ("echo why >&2; exit 1", "ended with exit code 1: why"),
        ("echo nonsense", "the list of packages cannot be read: 'nonsense"),
        ("true", "the list of packages cannot be read"),
    ],
)
def test_one_that_does_not_answer_says_why(tmp_path: Path, script: str, why: str) -> None:
    program = tmp_path / "python3"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    with pytest.raises(NoAnswerError, match=re.escape(why)):
        listed(str(program))
