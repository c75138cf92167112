"""A folder with a ``models.yaml`` that a test writes, and the commands on it as ``cli.py`` would call them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from envkit.commands import models
from envkit.result import Result
from envkit.settings import Owner, Settings, load


@dataclass(frozen=True)
class Ran:
    """What a command came to; ``data`` as ``--json`` shows it."""

    exit_code: int
    lines: tuple[str, ...]
    data: Any

    @classmethod
    def of(cls, result: Result) -> Ran:
        return cls(result.exit_code, tuple(result.lines), json.loads(json.dumps(result.data)))


@dataclass
class ModelProject:
    """``path`` is the project; ``said`` is what the last command told its `Report`; ``environ`` is for settings."""

    path: Path
    owner: Owner = field(default_factory=lambda: Owner(os.geteuid(), os.getegid()))
    said: list[str] = field(default_factory=list)
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def settings(self) -> Settings:
        settings = load({"project": str(self.path)}, {"HOME": str(self.path.parent), **self.environ})
        return replace(settings, owner=self.owner)

    def declare(self, *entries: Mapping[str, object]) -> None:
        """Write the registry. JSON is YAML, with a line to each entry: the first model is on line 3."""
        lines = ",\n".join(json.dumps(entry) for entry in entries)
        (self.path / "models.yaml").write_text(f'{{"models": [\n\n{lines}]}}\n', "utf-8")

    def sync(self, *, dry_run: bool = False, jobs: int = 4, connections: int = 8) -> Ran:
        self.said.clear()
        return Ran.of(
            models.sync(self.settings, dry_run=dry_run, pace=models.Pace(jobs, connections), report=self.said.append)
        )

    def verify(self) -> Ran:
        self.said.clear()
        return Ran.of(models.verify(self.settings, report=self.said.append))

    def listing(self) -> dict[str, bytes]:
        """Every file below ``checkpoints/`` but the bookkeeping, with its bytes."""
        found = (path for path in sorted(self.checkpoints.rglob("*")) if path.is_file())
        relative = {str(path.relative_to(self.checkpoints)): path.read_bytes() for path in found}
        return {name: body for name, body in relative.items() if not name.startswith((".envkit/", ".gitignore"))}

    @property
    def store(self) -> Path:
        """The store that the project shares with others below the same home folder."""
        return self.path.parent / ".cache" / "envkit" / "store"

    def leftovers(self) -> list[Path]:
        """Temporary files and folders that are still there."""
        runs = (self.checkpoints / ".envkit" / "runs").rglob("*")
        stored = [path for name in ("partial", "staging") for path in (self.store / name).rglob("*")]
        return [*runs, *(path for path in stored if path.name != "locks")]


def states(ran: Ran) -> dict[str, str]:
    """The state of each model by its name."""
    return {row["name"]: row["state"] for row in ran.data["models"]}


def entry(name: str, url: str, body: bytes, **more: object) -> dict[str, object]:
    """An entry of ``source: http`` whose MD5 is that of ``body``."""
    return {"name": name, "version": "v1", "source": "http", "url": url, "md5": md5(body), **more}


def md5(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
