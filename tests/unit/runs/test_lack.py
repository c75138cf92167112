"""What differs is said in the terms of who has to decide, and what cannot be had decides the exit code."""

from __future__ import annotations

from dataclasses import replace

import pytest

from envkit.runs import lack
from envkit.runs.lack import Lack
from envkit.runs.snapshot import Device, Gpu, Machine, ModelFile, ModelState, Python

H100 = Gpu("550.54.15", "12.4", (Device("NVIDIA H100 80GB HBM3", 1 << 36, "GPU-1"),))
PYTHON = Python("/usr/bin/python3", "3.10.12", {"numpy": "1.26.4", "paddlepaddle": "3.3.0"})
MACHINE = Machine("AMD EPYC", 8, 1 << 34, "x86_64", "Linux 6.1")


@pytest.mark.parametrize(
    ("codes", "stop"), [((), 0), ((0, 0), 0), ((0, 3), 3), ((3, 4), 4), ((4, 3, 2, 0), 2), ((3, 3), 3)]
)
def test_the_first_thing_that_is_needed_decides(codes: tuple[int, ...], stop: int) -> None:
    assert lack.stop(Lack("x", "x", None, code) for code in codes) == stop


@pytest.mark.parametrize(
    ("here", "said"),
    [
        (PYTHON, []),
        (None, []),
        (replace(PYTHON, executable="/elsewhere"), []),
        (replace(PYTHON, version="3.11.2"), ["Python is 3.11.2, and was 3.10.12"]),
        (replace(PYTHON, packages={"numpy": "2.0.0", "paddlepaddle": "3.3.0"}), ["numpy is 2.0.0, and was 1.26.4"]),
        (replace(PYTHON, packages={"numpy": "1.26.4"}), ["paddlepaddle 3.3.0 is not there"]),
        (replace(PYTHON, packages={**PYTHON.packages, "zlib-ng": "1"}), ["zlib-ng 1 was not there"]),
    ],
)
def test_python_and_its_packages(here: Python | None, said: list[str]) -> None:
    assert [found.message for found in lack.python(PYTHON, here)] == said
    assert not any(found.exit_code for found in lack.python(PYTHON, here))


def test_of_many_packages_the_first_are_named_and_the_rest_counted() -> None:
    many = replace(PYTHON, packages={f"p{number:02}": "1" for number in range(30)})
    said = [found.message for found in lack.python(replace(PYTHON, packages={}), many)]
    assert said[0] == "p00 1 was not there"
    assert said[-1] == "18 more packages are others"
    assert len(said) == 13


@pytest.mark.parametrize(
    ("recorded", "here", "said"),
    [
        (None, H100, []),
        (H100, H100, []),
        (H100, None, ["it had 1 GPUs (NVIDIA H100 80GB HBM3): none here"]),
        (H100, replace(H100, driver="560.1"), ["the driver is 560.1, and was 550.54.15"]),
        (H100, replace(H100, cuda=None), ["the driver's CUDA is None, and was 12.4"]),
        (
            H100,
            replace(H100, devices=(Device("NVIDIA A100", 1, "GPU-2"),)),
            ["the GPUs are NVIDIA A100, and were NVIDIA H100 80GB HBM3"],
        ),
        (H100, replace(H100, devices=(Device("NVIDIA H100 80GB HBM3", 1 << 36, "GPU-2"),)), []),
    ],
)
def test_gpus(recorded: Gpu | None, here: Gpu | None, said: list[str]) -> None:
    assert [found.message for found in lack.gpu(recorded, here, "none here")] == said


def test_the_machine_as_far_as_it_matters() -> None:
    here = replace(MACHINE, cpu="Intel", cpus=4, architecture="aarch64", kernel="Linux 7", memory=1)
    assert [found.message for found in lack.machine(MACHINE, here)] == [
        "the architecture is aarch64, and was x86_64",
        "the processor is Intel, and was AMD EPYC",
        "the number of processors is 4, and was 8",
    ]


MODEL = ModelState("m", "1", "checkpoints/m_1", (ModelFile("a", "1" * 64, 9), ModelFile("b", "2" * 64, 9)), None)
UNPROVEN = replace(MODEL, files=(), why="is not there yet")


@pytest.mark.parametrize(
    ("model", "here", "all_known", "codes"),
    [
        (MODEL, {("m", "1"): {"a": "1" * 64, "b": "2" * 64}}, True, []),
        (MODEL, {("m", "1"): {"a": "1" * 64}}, False, []),
        (MODEL, {("m", "1"): {"a": "1" * 64}}, True, [3]),
        (MODEL, {("m", "1"): {"a": "9" * 64}}, False, [3]),
        (MODEL, {("m", "1"): {}}, True, [3, 3]),
        (MODEL, {("m", "2"): {}}, False, [3]),
        (MODEL, {}, True, [3]),
        (UNPROVEN, {("m", "1"): {"a": "1" * 64}}, True, [0]),
    ],
)
def test_models(
    model: ModelState, here: dict[tuple[str, str], dict[str, str]], all_known: bool, codes: list[int]
) -> None:
    assert [found.exit_code for found in lack.models([model], here, all_known=all_known)] == codes


def test_other_bytes_have_both_digests_side_by_side() -> None:
    (found,) = lack.models([MODEL], {("m", "1"): {"a": "1" * 64, "b": "9" * 64}}, all_known=True)
    assert str(found) == (
        f"cannot be had again: model 'm' 1, b: other bytes than it had\n  sha256 expected {'2' * 64}, got {'9' * 64}"
    )
