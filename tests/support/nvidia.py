"""A stand-in for ``nvidia-smi`` where there is no GPU: answers in the form of driver 550's, written down by hand."""

from __future__ import annotations

from pathlib import Path

LISTED = """\
NVIDIA H100 80GB HBM3, 81559, GPU-6d2c0f0c-7d0e-6a3c-2d51-2b9c8f3f1c11, 550.54.15
NVIDIA H100 80GB HBM3, 81559, GPU-0b41b1aa-52c1-8b0e-7f0a-93c2f2f7b7d2, 550.54.15
"""

COMPUTE = """\

==============NVSMI LOG==============

Timestamp                                 : Tue Nov 24 12:00:00 2026
Driver Version                            : 550.54.15
CUDA Version                              : 12.4

Attached GPUs                             : 2
GPU 00000000:18:00.0
    Compute Mode                          : Default

GPU 00000000:2A:00.0
    Compute Mode                          : Default

"""


def nvidia_smi(folder: Path, listed: str = LISTED, about: str = COMPUTE, code: int = 0, first: str = ":") -> None:
    """Put the program into ``folder``; ``first`` is shell code that it begins with."""
    program = folder / "nvidia-smi"
    answers = {"--query-gpu=*": listed, "-q": about}
    cases = "".join(f"{asked}) cat <<'END'\n{text}\nEND\n;;\n" for asked, text in answers.items())
    program.write_text(f"#!/bin/sh\n{first}\ncase $1 in\n{cases}esac\nexit {code}\n")
    program.chmod(0o755)
