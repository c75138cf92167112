"""What no download can outrun on this machine: the line, the digests on one core, the disk. All in bytes a second."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.server import Server
from bench.sources import BLOCK, Sources


def limits(sources: Sources, server: Server, scratch: Path, rate: int) -> dict[str, float]:
    """Measure each once, with the one large file of ``sources``; ``rate`` is that of the paced line."""
    path = sources.root / sources.folder / "0000.bin"
    size = path.stat().st_size
    paced = [*_dropping(server.paced, sources), "--range", f"0-{3 * rate - 1}"]  # three seconds of it
    found = {
        "line, 1 connection, bytes dropped": size / _run(_dropping(server.fast, sources)),
        "paced line, 1 connection": 3 * rate / _run(paced),
        "hashlib md5": _hashing("md5"),
        "hashlib sha256": _hashing("sha256"),
        "hashlib md5 and sha256, one after the other": _hashing("md5", "sha256"),
        "md5sum": size / _run(["md5sum", str(path)]),
    }
    if shutil.which("openssl"):
        found |= {f"openssl {name}": size / _run(["openssl", name, str(path)]) for name in ("md5", "sha256")}
    return found | {f"disk, {name}": speed for name, speed in _disk(scratch / "disk", size).items()}


def _dropping(server: str, sources: Sources) -> list[str]:
    return ["curl", "--silent", "--fail", "--output", "/dev/null", f"{server}/{sources.folder}/0000.bin"]


def _run(command: list[str]) -> float:
    return timed(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))


def _hashing(*names: str) -> float:
    """From memory, in blocks, on one thread."""
    block, count = os.urandom(BLOCK), 512
    digests = [hashlib.new(name, usedforsecurity=False) for name in names]

    def hash_all() -> None:
        for _ in range(count):
            for digest in digests:
                digest.update(block)

    return count * BLOCK / timed(hash_all)


def _disk(path: Path, size: int) -> Mapping[str, float]:
    """Writing as the downloads do, and until the disk has it."""
    block = os.urandom(BLOCK)
    os.sync()
    with path.open("wb", buffering=0) as stream:

        def write() -> None:
            for _ in range(size // BLOCK):
                stream.write(block)

        written = timed(write)
        flushed = timed(lambda: os.fdatasync(stream.fileno()))
    path.unlink()
    return {"write into memory": size / written, "write and fdatasync": size / (written + flushed)}


def timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started
