"""A real Git repository with a project in it, and ``envkit models diff`` on it as ``cli.py`` would call it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from envkit.commands import models_diff
from envkit.result import Result
from envkit.settings import load

MD5_A, MD5_B, MD5_C = "0a" * 16, "0b" * 16, "0c" * 16
SHA_A, SHA_B, SHA_C = "0a" * 32, "0b" * 32, "0c" * 32

_ENVIRON = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    **{
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "A"), ("EMAIL", "a@b"))
    },
}


class _Dumper(yaml.SafeDumper):
    """Writes a value that two entries share twice: a registry has no aliases."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        return True


@dataclass(frozen=True)
class Repository:
    """``root`` is the top of the work tree, ``folder`` the project's place in it."""

    root: Path
    folder: str = "."

    @classmethod
    def make(cls, root: Path, folder: str = ".") -> Repository:
        made = cls(root, folder)
        made.project.mkdir(parents=True, exist_ok=True)
        made.git("init", "--quiet", "--initial-branch=main")
        return made

    @property
    def project(self) -> Path:
        return self.root / self.folder

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.root,
            env={**os.environ, **_ENVIRON},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def declare(self, *entries: Mapping[str, object], metrics: Mapping[str, object] | None = None) -> None:
        """Write the registry: the models on lines that `line_of` finds."""
        document = {**({"metrics": metrics} if metrics else {}), "models": [dict(entry) for entry in entries]}
        self.write("models.yaml", yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True))

    def write(self, path: str, content: str | bytes) -> None:
        """Write a file of the project."""
        target = self.project / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, message: str = "a change") -> str:
        """Commit everything; the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def change(self, *entries: Mapping[str, object], metrics: Mapping[str, object] | None = None) -> str:
        """Declare and commit."""
        self.declare(*entries, metrics=metrics)
        return self.commit()

    def line_of(self, text: str, path: str = "models.yaml") -> int:
        lines = (self.project / path).read_text("utf-8").splitlines()
        return next(number for number, line in enumerate(lines, start=1) if text in line)

    def diff(self, compared: str | None = None, **keywords: Any) -> Result:
        """Review a range, by the settings of the project."""
        settings = load({"project": str(self.project)}, {"HOME": str(self.root.parent)})
        return models_diff.diff(settings, compared, **keywords)


def entry(name: object = "resnet", **more: object) -> dict[str, object]:
    """An entry that no gate minds: with digest, size, evidence and licence. None takes a key away."""
    usual: dict[str, object] = {
        "name": name,
        "version": "v1",
        "source": "http",
        "url": f"https://models.example/{name}.pdparams",
        "md5": MD5_A,
        "size": 1000,
        "license": "Apache-2.0",
        "benchmark": "https://bench.example/1",
    }
    return {key: value for key, value in {**usual, **more}.items() if value is not None}


def said(result: Result) -> Any:
    """What ``--json`` prints."""
    return json.loads(result.as_json())


def text(result: Result) -> str:
    return "\n".join(result.lines)


def outcomes(result: Result) -> dict[str, str]:
    """The outcome of each gate that did not pass."""
    return {gate["gate"]: gate["outcome"] for gate in said(result)["gates"] if gate["outcome"] != "pass"}


def findings(result: Result, gate: str) -> list[str]:
    """What a gate found: the entry, and the message."""
    found = next(row for row in said(result)["gates"] if row["gate"] == gate)["findings"]
    return [f"{row['name']}: {row['message']}" if row["name"] else row["message"] for row in found]
