"""The GPU target's layers, without its base of 19 GB and without a GPU.

They are built on a stand-in with the same layout (a system Python that has Paddle in dist-packages), and on a plain
base with an index of Paddle's that serves a stand-in of a wheel.
"""

from __future__ import annotations

import configparser
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from envkit.launch import base, context, hostpip
from envkit.settings import load
from tests.image.container import Boxes
from tests.support.model_server import ModelServer
from tests.support.project import REPOSITORY

Build = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def debian(cpu_image: str) -> str:
    """What the CPU image was built on."""
    return base.resolve("cpu", load({"project": str(REPOSITORY)}).base, _say)


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Builds a target: ``build(target, ARGUMENT=value, tag=…)``. ``index`` is a host that pip is to trust."""

    def run(
        target: str, tag: str | None = None, index: str | None = None, **arguments: str
    ) -> subprocess.CompletedProcess[str]:
        certificates = load({"project": str(REPOSITORY)}).ca_bundle
        options = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
        options += ["--tag", tag, "--load"] if tag else []
        options += ["--secret", f"id=ca,src={certificates}"] if certificates else []
        options += ["--secret", f"id=pip,src={_pip_config(tmp_path / 'pip.conf', index)}"]
        with context.stage() as folder:
            command = ["docker", "buildx", "build", "--builder", "default", "--progress", "plain", "--provenance=false"]
            command += ["--target", target, *options, str(folder)]
            return subprocess.run(command, capture_output=True, text=True, timeout=540, check=False)

    return run


def _pip_config(path: Path, trusted: str | None) -> Path:
    config = configparser.ConfigParser(interpolation=None)
    config.read_string(hostpip.pip_config() or "[global]\n")
    if trusted:
        config["global"]["trusted-host"] = f"{config['global'].get('trusted-host', '')} {trusted}".strip()
    with path.open("w", encoding="utf-8") as stream:
        config.write(stream)
    return path


@pytest.fixture
def tag() -> Iterator[Callable[[str], str]]:
    """Names for images that are gone when the test is."""
    given: list[str] = []

    def name(part: str) -> str:
        given.append(f"envkit-test:{part}")
        return given[-1]

    yield name
    subprocess.run(["docker", "image", "rm", "--force", *given], capture_output=True, check=False)


def test_on_a_base_that_has_paddle_its_own_is_used(
    boxes: Boxes, build: Build, debian: str, tag: Callable[[str], str]
) -> None:
    stand_in, image = tag("gpu-base"), tag("gpu")
    done = build("cpu-paddle", stand_in, CPU_BASE=debian)
    assert done.returncode == 0, done.stderr
    done = build("gpu", image, VARIANT="gpu", GPU_BASE=stand_in)
    assert done.returncode == 0, done.stderr
    assert "Collecting paddlepaddle" not in done.stderr

    boxes.image = image
    box = boxes.start("jupyter", project=boxes.folder()).answering()
    box.container.reload()
    assert box.container.labels["io.envkit.variant"] == "gpu"
    kernel = box.run("cat", "/opt/jupyter/share/jupyter/kernels/python3/kernel.json")
    assert '"display_name": "PaddlePaddle 3.3 (Python 3.' in kernel
    imported = "import paddle, cv2, ipykernel; print(paddle.__version__)"
    assert box.run("python3", "-c", imported) == "3.3.1\n"


def test_on_a_plain_base_paddle_comes_from_paddles_index(build: Build, debian: str, model_server: ModelServer) -> None:
    model_server.serve_wheel("paddlepaddle-gpu", "3.3.0", {"paddle/__init__.py": b"print('the stand-in')"})
    index, host = model_server.url("/simple/"), model_server.address.split(":")[0]
    done = build("gpu-paddle", index=host, VARIANT="gpu", GPU_BASE=debian, PADDLE_INDEX=index)
    assert done.returncode == 0, done.stderr
    assert model_server.count("GET", "/files/paddlepaddle_gpu-3.3.0-py3-none-any.whl") == 1


@pytest.mark.parametrize(
    ("target", "variant", "said"),
    [
        ("gpu", "cpu", "target gpu wants --build-arg VARIANT=gpu"),
        ("cpu", "gpu", "target cpu wants no --build-arg VARIANT=gpu"),
    ],
)
def test_a_target_of_the_other_variant_says_which_argument_to_give(
    build: Build, debian: str, target: str, variant: str, said: str
) -> None:
    done = build(target, VARIANT=variant, CPU_BASE=debian, GPU_BASE=debian)
    assert done.returncode != 0
    assert said in done.stderr


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
