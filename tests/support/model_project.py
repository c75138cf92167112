"""A folder with a ``models.yaml`` that a test writes, and the commands on it as ``cli.py`` would call them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from envkit.commands import models, models_add, models_lock
from envkit.models.locking import lock
from envkit.models.locking.lock import Lock, Locked, LockedFile
from envkit.models.registry import registry
from envkit.result import Case, Result
from envkit.settings import Owner, Settings, load

WHEN = "2026-11-24T12:00:00Z"


@dataclass(frozen=True)
class Ran:
    """What a command came to; ``data`` as ``--json`` shows it."""

    exit_code: int
    lines: tuple[str, ...]
    data: Any
    cases: tuple[Case, ...] = ()

    @classmethod
    def of(cls, result: Result) -> Ran:
        return cls(result.exit_code, tuple(result.lines), json.loads(json.dumps(result.data)), result.cases)


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

    def write_lock(self, files: Mapping[str, Sequence[LockedFile]]) -> None:
        """Write the lock of the registry, with these files of each model by its name."""
        found = registry.load(self.path / "models.yaml").models
        entries = (
            Locked(model.name, model.asked, model.version, model.artifact.locator, tuple(files[model.name]), WHEN, "x")
            for model in found
        )
        (self.path / lock.FILE).write_text(lock.dump(Lock.of(entries)), "utf-8")

    def column(self, key: str) -> int:
        """Where the value of ``key`` of the first model stands on its line."""
        line = (self.path / "models.yaml").read_text("utf-8").splitlines()[2]
        return line.index(f'"{key}": ') + len(key) + 5

    def sync(self, *, dry_run: bool = False, deep: bool = False, jobs: int = 4, connections: int = 8) -> Ran:
        self.said.clear()
        pace = models.Pace(jobs, connections)
        return Ran.of(models.sync(self.settings, dry_run=dry_run, deep=deep, pace=pace, report=self.said.append))

    def lock(self, *, upgrade: Sequence[str] | None = None, check: bool = False) -> Ran:
        self.said.clear()
        act = models_lock.check if check else models_lock.update
        return Ran.of(act(self.settings, upgrade=upgrade, pace=models.Pace(), report=self.said.append))

    def add(self, source: str, **more: Any) -> Ran:
        self.said.clear()
        wanted = models_add.Wanted(source, **more)
        return Ran.of(models_add.add(self.settings, wanted, pace=models.Pace(), report=self.said.append))

    @property
    def registry_file(self) -> Path:
        return self.path / "models.yaml"

    @property
    def lock_file(self) -> Path:
        return self.path / "models.lock.yaml"

    def locked(self) -> dict[str, Any]:
        """The entries of the lock by their names, as any reader of YAML has them."""
        return {entry["name"]: entry for entry in yaml.safe_load(self.lock_file.read_text("utf-8"))["models"]}

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
