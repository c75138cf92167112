"""The built wheel alone, in an empty virtual environment, brings another project up."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.project import REPOSITORY, USER, Project


@pytest.fixture(scope="module")
def python() -> Iterator[Path]:
    """The interpreter of a virtual environment that has the wheel and what it depends on, and no checkout."""
    folder = Path(tempfile.mkdtemp(prefix="envkit-test-wheel-"))
    folder.chmod(0o755)  # for the ordinary user
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(REPOSITORY)]
    subprocess.run([*pip, *build], check=True, timeout=300)
    (wheel,) = folder.glob("paddle_envkit-*.whl")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True, timeout=120)
    python = folder / "venv" / "bin" / "python"
    subprocess.run([str(python), "-m", "pip", "--quiet", "install", str(wheel)], check=True, timeout=300)
    yield python
    shutil.rmtree(folder)


def test_it_carries_all_that_a_build_needs(python: Path, cpu_image: str, tmp_path: Path) -> None:
    script = (
        "from envkit.launch import context\n"
        "import envkit, sys\n"
        "print(envkit.__file__)\n"
        "print(context.image_name('cpu'))\n"
    )
    done = subprocess.run([str(python), "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    where, image = done.stdout.split()
    assert str(REPOSITORY) not in where
    assert image == cpu_image


def test_it_carries_the_schemas_for_editors(python: Path, tmp_path: Path) -> None:
    script = (
        "from importlib.resources import files\n"
        "from envkit.models.registry import schema\n"
        "carried = {path.name: path.read_text('utf-8') for path in files('envkit').joinpath('_schemas').iterdir()}\n"
        "assert carried == dict(schema.texts()), list(carried)\n"
    )
    subprocess.run([str(python), "-I", "-c", script], cwd=tmp_path, check=True)


def test_it_brings_another_project_up(python: Path, make_project: Callable[..., Project]) -> None:
    project = make_project(os.geteuid())
    envkit = python.with_name("envkit")
    environ = {"HOME": str(project.home), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [str(envkit), "up", "jupyter", "--variant", "cpu"],
        cwd=project.path,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "/lab?token=" in done.stdout


def test_an_ordinary_user_of_the_docker_group_can_use_it(python: Path, make_project: Callable[..., Project]) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    socket = Path("/var/run/docker.sock").stat()
    project = make_project(USER)
    os.chown(project.home, USER, USER)
    try:
        subprocess.run([str(python), "-c", ""], user=USER, group=USER, extra_groups=[], check=True)
    except (PermissionError, subprocess.CalledProcessError):
        pytest.skip("this interpreter lies in a folder that another user cannot read")
    done = subprocess.run(
        [str(python), "-m", "envkit", "up", "jupyter"],
        cwd=project.path,
        env={"HOME": str(project.home), "PATH": os.environ["PATH"], "ENVKIT_IMAGE": project.image or ""},
        user=USER,
        group=USER,
        extra_groups=[socket.st_gid],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert {path.stat().st_uid for path in project.home.rglob("*")} == {USER}
