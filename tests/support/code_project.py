"""A project in a Git repository of its own, that a test commits to and changes; Git has no other configuration."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.project import REPOSITORY

GIT_ENVIRON = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    **{f"GIT_{who}_{what}": "ada@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    **{f"GIT_{who}_DATE": "2026-11-24T12:00:00Z" for who in ("AUTHOR", "COMMITTER")},
}


@dataclass(frozen=True)
class CodeProject:
    """``path`` is the repository, and the project."""

    path: Path

    @classmethod
    def make(cls, path: Path, files: Mapping[str, str | bytes] | None = None) -> CodeProject:
        """A repository with one commit of ``files``, and of a registry without models."""
        path.mkdir(exist_ok=True)
        made = cls(path)
        made.git("init", "-q", "-b", "main")
        made.write({"models.yaml": "models: []\n", **(files or {})})
        made.commit("first")
        return made

    def git(self, *arguments: str, code: int | None = 0) -> str:
        done = subprocess.run(
            ["git", "-c", "protocol.file.allow=always", "-c", "safe.directory=*", *arguments],
            cwd=self.path,
            env={"PATH": os.environ["PATH"], "HOME": str(self.path.parent), **GIT_ENVIRON},
            capture_output=True,
            text=True,
            check=False,
        )
        assert code is None or done.returncode == code, done.stderr
        return done.stdout.strip()

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for name, content in files.items():
            place = self.path / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content if isinstance(content, bytes) else content.encode())

    def commit(self, message: str = "more") -> str:
        self.git("add", "--all")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    def give(self, owner: int) -> None:
        """Make everything that user's and their group's, which only root can do."""
        for path in (self.path, *self.path.rglob("*")):
            os.chown(path, owner, owner, follow_symlinks=False)

    def files(self, folder: Path | None = None) -> dict[str, tuple[int, bytes]]:
        """Every file that is not Git's or envkit's own, by its path: executable or not, and its bytes or its link."""
        root = folder or self.path
        found = {}
        for path in sorted(root.rglob("*")):
            name = path.relative_to(root).as_posix()
            if not {".git", ".envkit"} & set(path.relative_to(root).parts) and (path.is_symlink() or path.is_file()):
                mode = 0 if path.is_symlink() else path.stat().st_mode & 0o100
                found[name] = mode, os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
        return found

    def environ(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """What a process of envkit's is given."""
        own = {key: value for key, value in os.environ.items() if not key.startswith(("ENVKIT_", "SUDO_", "XDG_"))}
        home = self.path.parent
        return {**own, **GIT_ENVIRON, "HOME": str(home), "PYTHONPATH": str(REPOSITORY), **(more or {})}

    def envkit(
        self,
        *arguments: str,
        code: int | None = 0,
        cwd: Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run ``envkit`` in the project; fails unless it ends with ``code``."""
        done = subprocess.run(
            [sys.executable, "-m", "envkit", *arguments],
            cwd=cwd or self.path,
            env=self.environ(environ),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        said = f"envkit {' '.join(arguments)}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
        assert code is None or done.returncode == code, said
        return done
