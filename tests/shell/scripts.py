"""The set-up scripts: called whole, or sourced for one of their functions."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from tests.support.project import REPOSITORY, USER

# Enough for the scripts themselves; neither docker nor dockerd, wherever this machine keeps them.
COMMANDS = (
    *(
        "awk",
        "bash",
        "cat",
        "chmod",
        "chown",
        "cut",
        "dirname",
        "echo",
        "env",
        "getent",
        "grep",
        "id",
        "mkdir",
        "mktemp",
    ),
    *(
        "mv",
        "python3",
        "readlink",
        "rm",
        "sed",
        "setpriv",
        "setsid",
        "sha256sum",
        "sleep",
        "stat",
        "tail",
        "tee",
        "timeout",
    ),
)

Done = subprocess.CompletedProcess[str]


def call(
    command: str | Path, *arguments: str, user: int | None = None, environ: Mapping[str, str] | None = None
) -> Done:
    """Run a program, as ``user`` if that is given (this takes root)."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SUDO_", "DOCKER_", "PYTHON"))}
    become = [] if user is None else ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    return subprocess.run(
        [*become, str(command), *arguments],
        env={**kept, **(environ or {})},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def sourced(script: str, code: str, *arguments: str, environ: Mapping[str, str] | None = None) -> Done:
    """Source ``scripts/<script>`` after the library, and run ``code``, ``arguments`` being ``$1`` and so on."""
    folder = REPOSITORY / "scripts"
    prelude = "".join(f'. "{folder / name}"; ' for name in dict.fromkeys(("lib.sh", script)))
    return call("bash", "-c", prelude + code, "bash", *arguments, environ=environ)


@contextmanager
def checkout(owner: int = USER) -> Iterator[Path]:
    """A copy of what set-up needs of a checkout, in a folder that everybody may read, owned by ``owner``."""
    top = Path(mkdtemp(prefix="envkit-checkout-"))
    top.chmod(0o755)
    root = top / "project"
    root.mkdir()
    for name in ("scripts", "requirements", "envkit", "jupyter", "schemas", "sshd"):
        shutil.copytree(REPOSITORY / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "Dockerfile", "entrypoint.sh"):
        shutil.copy(REPOSITORY / name, root / name)
    if os.geteuid() == 0:
        for path in (root, *root.rglob("*")):
            os.chown(path, owner, owner)
    try:
        yield root
    finally:
        shutil.rmtree(top)


def bare_path(folder: Path) -> str:
    """A PATH with nothing of Docker's on it, in ``folder``."""
    folder.mkdir()
    for name in COMMANDS:
        found = shutil.which(name)
        assert found, f"this machine has no {name}"
        (folder / name).symlink_to(found)
    return str(folder)


def program(path: Path, text: str) -> Path:
    """A shell script that stands for a program."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path
