"""Programs and interpreters that the peers need, and why one of them is left out."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from bench.peers import BENCH, ENTRY, Tools

NEEDED = {"nginx": "nginx-light", "curl": "curl", "aria2c": "aria2"}


def missing_programs() -> list[str]:
    """Debian's packages of the programs that are not there."""
    return [package for program, package in NEEDED.items() if not shutil.which(program)]


def tools(python: str, cache: Path, *, peers: bool) -> tuple[Tools, dict[str, str]]:
    """The interpreters, and what is left out with the reason."""
    left_out = {}
    environment: str | None = None
    if not peers:
        left_out["pooch, dvc, huggingface_hub"] = "not asked for"
    else:
        try:
            environment = _environment(cache / "venv")
        except subprocess.CalledProcessError as error:
            reason = (error.stderr or "").strip().splitlines() or [str(error)]
            left_out["pooch, dvc, huggingface_hub, the plot"] = f"pip could not install them: {reason[-1]}"
    flag = "--connections" in _said([python, "-c", ENTRY, "models", "sync", "--help"])
    if not flag:
        left_out["envkit over several connections a file"] = "this envkit has no --connections"
    return Tools(python, environment, flag), left_out


def _environment(folder: Path) -> str:
    """A virtual environment with requirements.txt, made anew when that has changed."""
    requirements = BENCH / "requirements.txt"
    stamp, wanted = folder / "made-from", hashlib.sha256(requirements.read_bytes()).hexdigest()
    python = folder / "bin" / "python"
    if not stamp.exists() or stamp.read_text() != wanted:
        sys.stderr.write(f"making {folder}\n")
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "-r", str(requirements)]
        for command in ([sys.executable, "-m", "venv", "--clear", str(folder)], pip):
            subprocess.run(command, check=True, capture_output=True, text=True)
        stamp.write_text(wanted)
    return str(python)


def machine() -> dict[str, str]:
    """What figures depend on, without naming the machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cores = len(os.sched_getaffinity(0))
    return {"cores": str(cores), "memory": f"{memory / 2**30:.0f} GiB", "kernel": platform.release().split("-")[0]}


def versions(tools: Tools) -> dict[str, str]:
    """The versions of all that is compared."""
    found = {
        "nginx": _said(["nginx", "-v"]).split("/")[-1].split()[0],
        "curl": _said(["curl", "--version"]).split()[1],
        "aria2": _said(["aria2c", "--version"]).split()[2],
        "python": _said([tools.python, "--version"]).split()[1],
    }
    if tools.peers:
        code = "import sys, importlib.metadata as m; print(*map(m.version, sys.argv[1:]))"
        names = ("pooch", "dvc", "huggingface_hub")
        found |= dict(zip(names, _said([tools.peers, "-c", code, *names]).split(), strict=True))
    return found


def _said(command: list[str]) -> str:
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout.strip()
