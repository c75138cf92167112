"""A project in a real Git repository, whose commits a test makes one by one."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

import yaml

from envkit.models.locking import lock
from envkit.models.model import Digests
from envkit.settings import Settings, load
from tests.support.model_project import md5, sha256

_BEGIN = datetime(2026, 3, 2, 9, 0, tzinfo=timezone(timedelta(hours=8)))


@dataclass
class GitProject:
    """``root`` is the repository, ``folder`` the project in it. Each commit is a day after the one before."""

    root: Path
    folder: str = ""
    days: int = 0
    author: str = "Li Lei"
    environ: dict[str, str] = field(default_factory=dict)

    @classmethod
    def make(cls, root: Path, folder: str = "") -> GitProject:
        root.mkdir(parents=True, exist_ok=True)
        made = cls(root, folder)
        made.git("init", "--quiet", "--initial-branch=main")
        made.path.mkdir(parents=True, exist_ok=True)
        return made

    @property
    def path(self) -> Path:
        return self.root / self.folder

    @property
    def settings(self) -> Settings:
        return load({"project": str(self.path)}, {"HOME": str(self.root.parent)})

    def git(self, *arguments: str, code: int | None = 0) -> str:
        """What Git prints; no configuration but the repository's own has a say."""
        address = f"{self.author.lower().replace(' ', '.')}@example.com"
        when = (_BEGIN + timedelta(days=self.days)).isoformat()
        own = {
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            "LC_ALL": "C.UTF-8",
            **{f"GIT_{who}_NAME": self.author for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": address for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_DATE": when for who in ("AUTHOR", "COMMITTER")},
        }
        others = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        environ = {**others, **own, **self.environ}
        done = subprocess.run(["git", *arguments], cwd=self.root, env=environ, capture_output=True, check=False)
        assert code is None or done.returncode == code, done.stderr.decode() + done.stdout.decode()
        return done.stdout.decode("utf-8").strip()

    def commit(self, message: str = "a change", *, author: str | None = None, **files: str | None) -> str:
        """Commit ``registry`` and ``lock`` (texts; None: removed) and all else that changed; its full name."""
        self.write(**files)
        self.days += 1
        before, self.author = self.author, author or self.author
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", f"--message={message}")
        self.author = before
        return self.git("rev-parse", "HEAD")

    def write(self, **files: str | None) -> None:
        for key, text in files.items():
            path = self.path / {"registry": "models.yaml", "lock": "models.lock.yaml"}[key]
            if text is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, "utf-8")

    def branch(self, name: str, start: str = "HEAD") -> None:
        """Make a branch, and check it out."""
        self.git("checkout", "--quiet", "-b", name, start)

    def checkout(self, name: str) -> None:
        self.git("checkout", "--quiet", name)

    def merge(self, *names: str, message: str = "merge", registry: str | None = None, ours: bool = False) -> str:
        """Merge for real. ``registry`` is what a person resolves it to, ``ours`` keeps this side's files."""
        self.days += 1
        how = ("--strategy=ours",) if ours else ()
        self.git("merge", "--no-ff", "--no-commit", "--quiet", *how, *names, code=None)
        if registry is not None:
            self.write(registry=registry)
        self.git("add", "--all")
        self.git("commit", "--quiet", f"--message={message}")
        return self.git("rev-parse", "HEAD")

    def clone(self, target: Path, *options: str) -> GitProject:
        """Another repository, cloned from this one as a server would give it."""
        self.git("clone", "--quiet", *options, self.root.as_uri(), str(target))
        return GitProject(target, self.folder, self.days, self.author)

    def move(self, folder: str) -> None:
        """Move the project's files to another folder of the repository; not committed."""
        target = self.root / folder
        target.mkdir(parents=True, exist_ok=True)
        for name in ("models.yaml", "models.lock.yaml"):
            if (self.path / name).exists():
                shutil.move(self.path / name, target / name)
        self.folder = folder


def entry(name: str, version: str, **more: object) -> dict[str, object]:
    """An entry of the registry, with an MD5 that is its own unless ``more`` says otherwise."""
    url = f"https://models.example.com/{name}/{version}/{name}.pdparams"
    known = {"name": name, "version": version, "source": "paddlehub", "hub_url": url}
    return {**known, "md5": md5(f"{name} {version}".encode()), **more}


def floating(name: str, version: str, **more: object) -> dict[str, object]:
    """An entry whose version is a wish; `lock_of` says what it comes to."""
    return {"name": name, "version": version, "source": "pypi", "package": name, "path": f"{name}/", **more}


def registry(*entries: Mapping[str, object], **more: object) -> str:
    """The text of a registry with these entries, as people write it."""
    return yaml.safe_dump({"models": list(entries), **more}, sort_keys=False, allow_unicode=True)


def lock_of(**versions: str) -> str:
    """A lock of what floats, by name: each ``WISH=VERSION``, with digests that are its own."""
    return lock.dump(lock.Lock.of(_locked(name, *text.split("=", 1)) for name, text in versions.items()))


def _locked(name: str, wish: str, version: str) -> lock.Locked:
    asked = {"source": "pypi", "version": wish, "package": name}
    body = f"{name} {version}".encode()
    file = lock.LockedFile("", Digests(md5(body), sha256(body), len(body)), f"https://files.example.com/{version}.whl")
    return lock.Locked(name, asked, version, f"{name}=={version}", (file,), "2026-03-01T00:00:00Z", "the package index")
