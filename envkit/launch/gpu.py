"""Which GPUs there are and whether the engine can hand them over. A CPU is never put in a GPU's place silently."""

from __future__ import annotations

import shutil
import subprocess
from typing import Literal

from envkit.errors import EngineError, InputError
from envkit.launch.spec import Variant
from envkit.settings import VariantChoice

GpuChoice = Literal["auto", "all", "none"]

_PROBE_SECONDS = 20


def count() -> int:
    """How many GPUs the NVIDIA driver of this machine lists; 0 where there is no driver."""
    if not shutil.which("nvidia-smi"):
        return 0
    try:
        listed = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=_PROBE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:  # a hung driver
        return 0
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines()) if listed.returncode == 0 else 0


def decide(choice: GpuChoice, variant: VariantChoice, gpus: int, runtime: bool) -> tuple[str, str]:
    """What to hand over and why: (``"all"`` or ``""``, a sentence for the user).

    ``gpus`` is what `count` found, ``runtime`` whether the engine can hand them over.

    Raises:
        EngineError: GPUs were asked for and cannot be had.
        InputError: the CPU image was asked for together with GPUs.
    """
    missing = _missing(gpus, runtime)
    if choice == "all" or (choice == "auto" and variant == "gpu"):
        if variant == "cpu":
            raise InputError("--gpus all with --variant cpu: the CPU image cannot use a GPU", hint="leave one out")
        if missing:
            raise EngineError(f"a GPU was asked for, but {missing}", hint="to go on without: --gpus none --variant cpu")
        return "all", f"GPU: {gpus} found"
    if choice == "none" or variant == "cpu":
        return "", "GPU: not asked for"
    return ("", f"no GPU: {missing}; going on with the CPU") if missing else ("all", f"GPU: {gpus} found")


def image_variant(variant: VariantChoice, handed: str) -> Variant:
    """The image to take: the one asked for, else the one that fits what is handed over."""
    if variant == "auto":
        return "gpu" if handed else "cpu"
    return variant


def _missing(gpus: int, runtime: bool) -> str | None:
    if not gpus:
        return "nvidia-smi finds none here"
    if not runtime:
        return "the engine has no NVIDIA runtime (install nvidia-container-toolkit)"
    return None
