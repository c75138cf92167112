"""The figures of the image and of `up`: `make bench` prints them as a table (Markdown).

Machines are shared and noisy: compare figures of one run with each other, not with another day's.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from envkit.launch.readiness import jupyter_answers  # noqa: E402 - the checkout's own, wherever this is run from
from tests.support.project import Project  # noqa: E402
from tests.support.wait import until  # noqa: E402

Rows = list[tuple[str, str]]
TOKEN = "bench-only-on-loopback"  # noqa: S105


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="runs a figure; the median is shown")
    parser.add_argument("--skip-build", action="store_true", help="leave out the build from nothing (minutes)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        copy = copied_checkout(Path(scratch))
        rows = [] if arguments.skip_build else build_figures(copy)
    image = envkit(REPOSITORY, "build", "cpu").split()[-1]
    rows += size_figures(image) + start_figures(image, arguments.runs) + up_figures(image, arguments.runs)
    width = max(len(name) for name, _ in rows)
    sys.stdout.write(f"\n| {'figure':{width}} | value |\n|{'-' * (width + 2)}|---|\n")
    sys.stdout.writelines(f"| {name:{width}} | {value} |\n" for name, value in rows)


def build_figures(copy: Path) -> Rows:
    """From nothing (package caches kept, no layer used), then after a change in ``envkit/`` alone."""
    whole = timed(lambda: envkit(copy, "build", "cpu", "--no-cache"))
    changed = copy / "envkit" / "__init__.py"
    changed.write_text(changed.read_text() + "# a change\n")
    again = timed(lambda: envkit(copy, "build", "cpu"))
    return [
        ("image build, no layer cached", seconds(whole)),
        ("image build after a change in envkit/", f"{seconds(again)} ({again / whole:.3f} of the whole)"),
    ]


# Group and what its layers' commands hold; the first that fits, else the base.
LAYERS = (
    ("Paddle", ("paddle-cpu.txt", "paddlepaddle-gpu")),
    ("the rest of Paddle's environment", ("paddle-common.txt",)),
    ("JupyterLab", ("/opt/jupyter",)),
    ("envkit and what it needs", ("/opt/envkit",)),
    ("Debian packages", ("install.sh apt",)),
)


def size_figures(image: str) -> Rows:
    """Sizes of the layers by group, as `docker history` has them."""
    command = ["docker", "history", "--human=false", "--no-trunc", "--format", "{{.Size}}\t{{.CreatedBy}}", image]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    groups = dict.fromkeys(("the base", *(group for group, _ in LAYERS)), 0)
    for line in shown.splitlines():
        size, created = line.split("\t", 1)
        fitting = (group for group, marks in LAYERS if any(mark in created for mark in marks))
        groups[next(fitting, "the base")] += int(size)
    rows = [(f"image size: {name}", f"{size / 1e6:.0f} MB") for name, size in groups.items()]
    return [*rows, ("image size: all", f"{sum(groups.values()) / 1e6:.0f} MB")]


def start_figures(image: str, runs: int) -> Rows:
    """`docker run` until Jupyter's first 200, with the warm sync of three models and without any sync."""
    with project() as scratch:
        scratch.add("models.yaml")
        scratch.envkit("models", "sync", ENVKIT_IMAGE=image)
        times: dict[str, list[float]] = {"strict": [], "off": []}
        for _ in range(runs):
            for mode, taken in times.items():  # side by side, so that both see the same machine
                taken.append(docker_run(image, scratch, mode))
    strict, off = (statistics.median(times[mode]) for mode in ("strict", "off"))
    return [
        ("docker run to Jupyter's first 200, models in place", f"{seconds(strict)} ({strict / off:.2f} of without)"),
        ("docker run to Jupyter's first 200, ENVKIT_MODELS=off", seconds(off)),
    ]


def docker_run(image: str, scratch: Project, mode: str) -> float:
    environ = ["--env", f"ENVKIT_MODELS={mode}", "--env", "JUPYTER_TOKEN"]
    where = ["--volume", f"{scratch.path}:/workspace", "--publish", "127.0.0.1::8888"]
    started = time.perf_counter()
    name = docker("run", "--detach", "--rm", *environ, *where, image, "jupyter")
    try:
        port = int(docker("port", name, "8888/tcp").rsplit(":", 1)[1])
        until(lambda: jupyter_answers(port, TOKEN), "Jupyter")
        return time.perf_counter() - started
    finally:
        docker("stop", name)


def up_figures(image: str, runs: int) -> Rows:
    """`envkit up` with the image there: the first time, and when it runs already."""
    with project() as scratch:
        first = timed(lambda: scratch.envkit("up", "jupyter", ENVKIT_IMAGE=image))
        again = [timed(lambda: scratch.envkit("up", "jupyter", ENVKIT_IMAGE=image)) for _ in range(runs)]
        asked = [timed(lambda: docker("version")) for _ in range(runs)]
    shown, engine = statistics.median(again), statistics.median(asked)
    return [
        ("envkit up jupyter, image there", seconds(first)),
        ("envkit up jupyter, running already", f"{seconds(shown)} ({shown / engine:.1f} of `docker version`)"),
    ]


@contextmanager
def project() -> Iterator[Project]:
    made = Project.make(os.geteuid())
    try:
        yield made
    finally:
        made.remove()


def copied_checkout(folder: Path) -> Path:
    ignored = shutil.ignore_patterns(".git", ".venv", "checkpoints", "__pycache__", ".*_cache")
    return Path(shutil.copytree(REPOSITORY, folder / "checkout", ignore=ignored))


def envkit(checkout: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "envkit", *arguments]
    return subprocess.run(command, cwd=checkout, stdout=subprocess.PIPE, text=True, check=True).stdout


def docker(*arguments: str) -> str:
    environ = {**os.environ, "JUPYTER_TOKEN": TOKEN}  # handed over by name
    return subprocess.run(
        ["docker", *arguments], env=environ, capture_output=True, text=True, check=True
    ).stdout.strip()


def timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def seconds(value: float) -> str:
    return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"


if __name__ == "__main__":
    main()
