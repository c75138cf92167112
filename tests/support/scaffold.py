"""`envkit init` as a user calls it: a process of its own, in a home folder that is not the real one."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.project import REPOSITORY

Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Scaffold:
    """``path`` is the folder to be a project; it need not be there. ``home`` is the caller's."""

    path: Path
    home: Path

    @property
    def environ(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ENVKIT_", "GIT_", "SUDO_"))}
        return {**kept, "HOME": str(self.home), "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"}

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "envkit", "init", str(self.path), *arguments]

    def init(self, *arguments: str, code: int = 0) -> Done:
        """Without a terminal; fails unless it exits with ``code``."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.home,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, f"exit code {done.returncode}, expected {code}\n{done.stdout}{done.stderr}"
        return done

    def json(self, *arguments: str) -> Any:
        return json.loads(self.init(*arguments, "--json").stdout)

    def asked(self, typed: str, *arguments: str) -> tuple[int, str]:
        """At a terminal on which ``typed`` is typed: the exit code, and what the terminal showed."""
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            self.command(*arguments), cwd=self.home, env=self.environ, stdin=theirs, stdout=theirs, stderr=theirs
        ) as process:
            os.close(theirs)
            os.write(ours, typed.encode())
            shown = _all(ours)
            code = process.wait(60)
        return code, shown.replace("\r\n", "\n")

    def run(self, *command: str, code: int | None = 0, environ: Mapping[str, str] | None = None) -> Done:
        """A program in the project; its exit code has to be ``code`` (None: any)."""
        done = subprocess.run(
            command,
            cwd=self.path,
            env={**self.environ, **(environ or {})},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert code in (None, done.returncode), f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def git(self, *arguments: str) -> str:
        return self.run(*_GIT, *arguments).stdout

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--no-verify", "--message", message)

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_bytes(text.encode())

    def read(self, name: str) -> str:
        return (self.path / name).read_bytes().decode()

    def listing(self) -> dict[str, tuple[bytes, int]]:
        """Every file outside of ``.git``, with its bytes and when they were written."""
        found = (path for path in sorted(self.path.rglob("*")) if path.is_file())
        relative = {str(path.relative_to(self.path)): path for path in found}
        return {
            name: (path.read_bytes(), path.stat().st_mtime_ns)
            for name, path in relative.items()
            if not name.startswith(".git/")
        }


_GIT: Sequence[str] = (
    *("git", "-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "init.defaultBranch=main"),
    *("-c", "commit.gpgSign=false", "-c", "protocol.file.allow=always"),
)


def _all(descriptor: int) -> str:
    """What comes until the other side is closed."""
    shown = b""
    while True:
        try:
            piece = os.read(descriptor, 65536)
        except OSError:  # Linux, at the end of a terminal
            break
        if not piece:
            break
        shown += piece
    os.close(descriptor)
    return shown.decode()
