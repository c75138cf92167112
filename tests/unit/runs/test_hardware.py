"""What the driver says of its GPUs. The program that says it is a stand-in, for want of a GPU."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from envkit.runs import hardware
from envkit.runs.programs import NoAnswerError
from envkit.runs.snapshot import Device
from tests.support.nvidia import COMPUTE, LISTED, nvidia_smi

MIB = 1 << 20


def put(folder: Path, monkeypatch: pytest.MonkeyPatch, **said: str | int) -> None:
    nvidia_smi(folder, **said)  # type: ignore[arg-type]
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_devices_driver_and_cuda(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, monkeypatch)
    found = hardware.AskedGpus().told()
    assert (found.driver, found.cuda) == ("550.54.15", "12.4")
    assert found.devices == (
        Device("NVIDIA H100 80GB HBM3", 81559 * MIB, "GPU-6d2c0f0c-7d0e-6a3c-2d51-2b9c8f3f1c11"),
        Device("NVIDIA H100 80GB HBM3", 81559 * MIB, "GPU-0b41b1aa-52c1-8b0e-7f0a-93c2f2f7b7d2"),
    )


def test_a_gpu_that_shares_the_machines_memory_has_none_of_its_own() -> None:
    line = LISTED.splitlines()[0].replace("81559", "[N/A]")
    assert hardware.parse(line, "").devices[0].memory is None


@pytest.mark.parametrize(
    ("about", "cuda"),
    [
        (COMPUTE, "12.4"),
        (COMPUTE.replace("CUDA Version    ", "CUDA UMD Version"), "12.4"),
        ("", None),
        (COMPUTE.replace("12.4", "N/A"), None),
    ],
)
def test_cuda_is_the_drivers(about: str, cuda: str | None) -> None:
    assert hardware.parse(LISTED, about).cuda == cuda


NO_DRIVER = (
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."
    " Make sure that the latest NVIDIA driver is installed and running."
)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"listed": NO_DRIVER, "code": 9}, "ended with exit code 9: NVIDIA-SMI has failed"),
        ({"listed": "No devices were found", "code": 6}, "ended with exit code 6: No devices were found"),
        ({"listed": "No devices were found"}, "says what cannot be read"),
        ({"listed": ""}, "finds no GPU"),
    ],
)
def test_no_gpu_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: dict[str, str | int], why: str) -> None:
    put(tmp_path, monkeypatch, **said)
    with pytest.raises(NoAnswerError, match=why):
        hardware.AskedGpus().told()


def test_a_driver_that_hangs_is_not_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(hardware, "_SECONDS", 0.2)
    with pytest.raises(NoAnswerError, match=r"nvidia-smi has not answered for 0\.2 s"):
        hardware.AskedGpus().told()


def test_the_machine_is_this_one() -> None:
    found = hardware.machine()
    assert found.architecture == os.uname().machine
    assert found.kernel.startswith("Linux ")
    assert found.cpus >= 1
    assert found.memory > 1 << 27
