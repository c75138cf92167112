"""The build context: what is in it, and what its digest depends on."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from envkit import __version__
from envkit.launch import context
from tests.support.project import REPOSITORY

DOCKERFILE = (REPOSITORY / "Dockerfile").read_text("utf-8")


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of its own, that envkit takes for the one it is run from."""
    for file in context.files():
        (tmp_path / file.name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file.source, tmp_path / file.name)
    monkeypatch.setattr(context, "PACKAGE", tmp_path / "envkit")
    monkeypatch.setattr(context, "_IN_WHEEL", tmp_path / "envkit" / "_context")
    return tmp_path


def names() -> set[str]:
    return {file.name for file in context.files()}


def test_everything_that_the_dockerfile_asks_for_is_there() -> None:
    copied = re.findall(r"^COPY (\S+) ", DOCKERFILE, re.MULTILINE)
    mounted = re.findall(r"type=bind,source=([^,\s]+)", DOCKERFILE)
    assert copied
    assert mounted
    for wanted in (*copied, *mounted):
        assert any(name == wanted or name.startswith(f"{wanted}/") for name in names()), wanted


def test_envkit_is_there_as_its_model_half() -> None:
    package = {name for name in names() if name.startswith("envkit/")}
    assert {"envkit/cli.py", "envkit/settings.py", "envkit/commands/models.py", "envkit/models/sync.py"} <= package
    assert {"envkit/commands/snapshot.py", "envkit/runs/taking.py"} <= package
    others = ("/up.py", "/reproduce.py", "/reproduce_check.py")
    assert not {name for name in package if name.startswith("envkit/launch") or name.endswith(others)}


def test_the_digest_is_the_same_for_a_copy(tree: Path) -> None:
    copied = context.image_name("cpu")
    (tree / "envkit" / "models" / "__pycache__").mkdir()
    (tree / "envkit" / "models" / "__pycache__" / "x.py").touch()
    (tree / "requirements" / "dev.txt").write_text("not for the image")
    (tree / "entrypoint.sh").chmod(0o600)
    assert context.image_name("cpu") == copied


def test_a_wheel_gives_the_same_files(tree: Path) -> None:
    before = names(), context.image_name("cpu")
    inside = tree / "envkit" / "_context"
    inside.mkdir()
    for name in ("Dockerfile", "entrypoint.sh", "jupyter", "sshd", "requirements"):
        (tree / name).rename(inside / name)
    assert (names(), context.image_name("cpu")) == before


@pytest.mark.parametrize(
    "name", ["Dockerfile", "sshd/sshd_config", "requirements/jupyter.txt", "envkit/models/plan.py"]
)
def test_a_changed_input_is_another_image(tree: Path, name: str) -> None:
    before = context.image_name("cpu")
    with (tree / name).open("a") as stream:
        stream.write("# a change\n")
    assert context.image_name("cpu") != before


def test_a_new_input_is_another_image(tree: Path) -> None:
    before = context.image_name("cpu")
    (tree / "jupyter" / "overrides.json").write_text("{}")
    assert context.image_name("cpu") != before


def test_variant_and_base_are_in_the_name() -> None:
    found = {context.image_name("cpu"), context.image_name("gpu"), context.image_name("cpu", "debian:trixie")}
    assert len(found) == 3
    assert all(re.fullmatch(rf"envkit:{re.escape(__version__)}-[cg]pu-[0-9a-f]{{12}}", name) for name in found)
    assert context.image_name("gpu").startswith(context.short_name("gpu"))


def test_the_default_bases_are_the_dockerfiles() -> None:
    assert f"ARG CPU_BASE={context.default_base('cpu')}\n" in DOCKERFILE
    assert f"ARG GPU_BASE={context.default_base('gpu')}\n" in DOCKERFILE


def test_a_staged_context_has_normal_modes_and_is_gone_afterwards(tree: Path) -> None:
    for path in tree.rglob("*"):
        path.chmod(0o700)
    with context.stage() as folder:
        staged = {path.relative_to(folder).as_posix(): path.stat() for path in folder.rglob("*")}
        assert {name for name in staged if (folder / name).is_file()} == names()
        assert oct(staged["entrypoint.sh"].st_mode) == "0o100755"
        assert oct(staged["sshd/sshd_config"].st_mode) == "0o100644"
        assert oct(staged["envkit/models"].st_mode) == "0o40755"
    assert not folder.exists()
