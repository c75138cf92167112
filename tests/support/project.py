"""A project folder on disk, owned by whom a test says, and `envkit` as its user would call it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]

# An ordinary user of the host. For root one with no account: files can be theirs all the same.
USER = os.geteuid() or 1234


def md5(body: bytes) -> str:
    """The digest as a registry has it."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Project:
    """``path`` is the project, ``home`` the home folder that `envkit` is given in place of the real one."""

    path: Path
    home: Path
    owner: int
    image: str | None = None

    @classmethod
    def make(cls, owner: int, registry: str = "models: []\n", image: str | None = None) -> Project:
        """Make a project in a folder of its own; `remove` takes it away with all that envkit made for it."""
        root = Path(tempfile.mkdtemp(prefix="envkit-test-"))
        root.chmod(0o755)
        path, home = root / "demo", root / "home"
        path.mkdir()
        home.mkdir()
        (path / "models.yaml").write_text(registry)
        project = cls(path, home, owner, image)
        project.give()
        return project

    def give(self) -> None:
        """Make all files in the project its owner's."""
        for found in (self.path, *self.path.rglob("*")):
            os.chown(found, self.owner, self.owner if os.geteuid() == 0 else -1, follow_symlinks=False)

    def add(self, *names: str) -> None:
        """Copy files and folders of the repository into the project."""
        for name in names:
            source, target = REPOSITORY / name, self.path / name
            if source.is_dir():
                shutil.copytree(source, target)
            else:
                shutil.copy(source, target)
        self.give()

    def declare(self, url: str, digest: str) -> None:
        """Write a registry of one model, `demo` 1.0, at ``url`` with the MD5 ``digest``."""
        entry = f"- name: demo\n  version: '1.0'\n  source: http\n  url: {url}\n  md5: {digest}\n"
        (self.path / "models.yaml").write_text(f"models:\n{entry}")

    def envkit(self, *arguments: str, code: int | None = 0, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run `envkit` in the project; fails unless it exits with ``code`` (None: any)."""
        env = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("ENVKIT_", "SUDO_", "XDG_"))},
            "HOME": str(self.home),
            **({"ENVKIT_IMAGE": self.image} if self.image else {}),
            **environ,
        }
        done = subprocess.run(
            [sys.executable, "-m", "envkit", *arguments],
            cwd=self.path,
            env=env,
            capture_output=True,
            text=True,
            timeout=540,
            check=False,
        )
        if code is not None and done.returncode != code:
            called = " ".join(arguments)
            raise AssertionError(
                f"envkit {called}: exit code {done.returncode}, expected {code}\n{done.stdout}{done.stderr}"
            )
        return done

    def json(self, *arguments: str, code: int | None = 0, **environ: str) -> dict[str, Any]:
        """Run it with ``--json`` and give what it printed."""
        printed: dict[str, Any] = json.loads(self.envkit(*arguments, "--json", code=code, **environ).stdout)
        return printed

    def remove(self) -> None:
        """End what runs, and take away volumes, files and home."""
        self.envkit("down", "--volumes", code=None)
        shutil.rmtree(self.path.parent)
