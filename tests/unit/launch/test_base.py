"""Which image a build is on: the order in which they are considered."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from envkit.errors import EngineError
from envkit.launch import base, debian
from envkit.result import Report

DEFAULT = "debian:bookworm-slim"
MADE = "envkit-base:bookworm"


@dataclass
class Engine:
    """What an engine, its registry and the machine's mirror would give."""

    images: tuple[str, ...] = ()
    made: str | None = None
    days: int = 0
    registry: bool = False
    mirror: bool = True
    done: list[str] = field(default_factory=list)

    def pull(self, _reference: str, _: Report) -> bool:
        self.done.append("pull")
        return self.registry

    def make(self, _: Report) -> str:
        self.done.append("make")
        if not self.mirror:
            raise EngineError("mmdebstrap is needed", hint="apt-get install mmdebstrap")
        return MADE


def resolve(monkeypatch: pytest.MonkeyPatch, engine: Engine, asked: str | None = None) -> tuple[str, list[str]]:
    monkeypatch.setattr(base, "exists", engine.images.__contains__)
    monkeypatch.setattr(base, "_made_here", lambda: engine.made)
    monkeypatch.setattr(base, "_age", lambda _: timedelta(days=engine.days))
    monkeypatch.setattr(base, "pull", engine.pull)
    monkeypatch.setattr(base, "make", engine.make)
    return base.resolve("cpu", asked, engine.done.append), engine.done


@pytest.mark.parametrize(
    ("engine", "expected", "done"),
    [
        (Engine(images=(DEFAULT,)), DEFAULT, []),
        (Engine(images=(DEFAULT,), made=MADE), DEFAULT, []),
        (Engine(made=MADE, days=29), MADE, []),
        (Engine(made=MADE, days=30), MADE, ["pull", "make"]),
        (Engine(made=MADE, days=30, registry=True), DEFAULT, ["pull"]),
        (Engine(registry=True), DEFAULT, ["pull"]),
        (Engine(), MADE, ["pull", "make"]),
    ],
)
def test_the_default_else_one_made_here(
    monkeypatch: pytest.MonkeyPatch, engine: Engine, expected: str, done: list[str]
) -> None:
    assert resolve(monkeypatch, engine) == (expected, done)


def test_what_is_asked_for_is_not_second_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve(monkeypatch, Engine(images=(DEFAULT,)), "mine:1") == ("mine:1", [])


def test_an_old_base_serves_where_no_newer_one_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    found, done = resolve(monkeypatch, Engine(made=MADE, days=90, mirror=False))
    assert found == MADE
    assert done[-1] == f"{MADE}: it is 90 days old, but no newer one can be made (mmdebstrap is needed)"


def test_with_neither_registry_nor_tool_both_ways_out_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineError) as error:
        resolve(monkeypatch, Engine(mirror=False))
    assert error.value.message == f"{DEFAULT}: not to be had, and none could be made: mmdebstrap is needed"
    for way in ("apt-get install mmdebstrap", "--base IMAGE", "a mirror of the registry"):
        assert way in str(error.value.hint)


def test_the_gpu_base_is_the_builds_own_to_pull() -> None:
    assert base.resolve("gpu", None, lambda _: None).startswith("paddlepaddle/paddle:3.3.0-gpu-")


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `docker` that imports whatever it is given as `sha256:1`, warning, tags nothing, and writes down its calls."""
    program, calls = tmp_path / "docker", tmp_path / "calls"
    program.write_text(
        f'#!/bin/sh\necho "$1 $2 $3" >>{calls}\n'
        "case $1 in\n"
        '  import) cat >/dev/null; echo "WARNING: odd" >&2; echo sha256:1 ;;\n'
        '  tag) echo "no space left on device" >&2; exit 1 ;;\n'
        "esac\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(debian, "sources", lambda: debian.Sources("test", ("deb http://mirror.test test main",)))
    return calls


def test_a_base_that_cannot_be_named_is_no_base(docker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "maker", lambda _: ["echo", "a tar"])
    with pytest.raises(EngineError, match="the engine would not name it so: no space left on device"):
        base.make(lambda _: None)
    # By what the import printed, its warning left out.
    assert docker.read_text().splitlines()[1:] == ["tag sha256:1 envkit-base:test", "image rm sha256:1"]


def test_a_maker_gets_the_sources_on_its_standard_input(docker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "maker", lambda _: ["sh", "-c", "cat >&2; exit 1"])
    with pytest.raises(EngineError, match=r"deb http://mirror\.test test main"):
        base.make(lambda _: None)
