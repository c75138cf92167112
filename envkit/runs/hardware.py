"""The machine that a run is on: its GPUs as the NVIDIA driver tells of them, processor, memory, kernel."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from envkit.runs.programs import Asked, NoAnswerError
from envkit.runs.snapshot import Device, Gpu, Machine

_SECONDS = 30.0  # a driver that is not kept loaded takes seconds for each GPU
_FIELDS = "name,memory.total,uuid,driver_version"
_MIB = 1 << 20


class AskedGpus:
    """``nvidia-smi``, which runs by now."""

    def __init__(self) -> None:
        self._listed = Asked(["nvidia-smi", f"--query-gpu={_FIELDS}", "--format=csv,noheader,nounits"], "nvidia-smi")
        self._about = Asked(["nvidia-smi", "-q", "-d", "COMPUTE"], "nvidia-smi")

    def told(self) -> Gpu:
        """The answer.

        Raises:
            NoAnswerError: there is none, or no GPU.
        """
        try:
            listed = self._listed.answer(_SECONDS)
        finally:
            about = self._told_about()
        return parse(listed, about)

    def _told_about(self) -> str:
        try:
            return self._about.answer(_SECONDS)
        except NoAnswerError:
            return ""


def has_driver() -> bool:
    """Whether there is somebody to ask for GPUs."""
    return shutil.which("nvidia-smi") is not None


def parse(listed: str, about: str) -> Gpu:
    """Two answers of ``nvidia-smi``: a line of CSV for each GPU, and the head of its log, which has CUDA's version."""
    rows = [[cell.strip() for cell in line.split(",")] for line in listed.splitlines() if line.strip()]
    if not rows:
        raise NoAnswerError("nvidia-smi finds no GPU")
    try:
        devices = tuple(Device(name, _bytes(memory), uuid) for name, memory, uuid, _ in rows)
    except ValueError as error:
        raise NoAnswerError(f"nvidia-smi says what cannot be read: {listed.strip()[:80]!r}") from error
    cuda = re.search(r"^CUDA (?:UMD )?Version\s*:\s*([0-9.]+)", about, re.MULTILINE)
    return Gpu(rows[0][3], cuda.group(1) if cuda else None, devices)


def _bytes(mebibytes: str) -> int | None:
    """None where the GPU has no memory of its own: ``[N/A]``."""
    return None if mebibytes.startswith("[") else int(mebibytes) * _MIB


def machine() -> Machine:
    """The machine at hand."""
    system = os.uname()
    return Machine(
        cpu=_cpu(),
        cpus=len(os.sched_getaffinity(0)),
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        architecture=system.machine,
        kernel=f"{system.sysname} {system.release}",
    )


def _cpu() -> str | None:
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        return None
    found = re.search(r"^(?:model name|Model|Processor)\s*:\s*(.+)$", text, re.MULTILINE)
    return found.group(1).strip() if found else None
