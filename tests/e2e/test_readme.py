"""What the README shows does what it says: its blocks marked ``sh engine``, run as they are, one after the other."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.markdown import Fence, fences
from tests.support.project import REPOSITORY, Project

BLOCKS = [fence for fence in fences(REPOSITORY / "README.md") if fence.info == "sh engine"]


@pytest.fixture(scope="module")
def started(make_project: Callable[..., Project]) -> Project:
    project = make_project()
    project.envkit("up", "jupyter")
    return project


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_blocks_run_in_their_order(started: Project, block: Fence) -> None:
    done = subprocess.run(
        ["bash", "-Eeuo", "pipefail", "-c", block.text],
        cwd=started.path,
        env={
            **os.environ,
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "HOME": str(started.home),
            "ENVKIT_IMAGE": str(started.image),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
