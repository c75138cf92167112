"""The hooks for pre-commit: those that `envkit init` writes, and those that this repository offers to others."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests.support.project import REPOSITORY
from tests.support.scaffold import Done, Scaffold

OFFERED = ("envkit-models-check", "envkit-models-lock-check")

# As far as `pip install` of this repository looks at it.
PACKAGE = (
    *(".pre-commit-hooks.yaml", "Dockerfile", "LICENSE", "README.md", "entrypoint.sh", "pyproject.toml"),
    *("envkit", "jupyter", "requirements", "schemas", "sshd"),
)

EXACT = "models: []\n"
FLOATING = "models:\n- {name: m, version: latest, source: pypi, package: m}\n"
FLOATS = "models.yaml:2:"


def pre_commit(scaffold: Scaffold, *arguments: str, environ: Mapping[str, str], code: int | None = None) -> Done:
    return scaffold.run(sys.executable, "-m", "pre_commit", *arguments, environ=environ, code=code)


@pytest.fixture
def environ(scaffold: Scaffold, tmp_path: Path) -> Mapping[str, str]:
    """With an `envkit` on PATH, which hooks of a project's own go by."""
    (tmp_path / "bin").mkdir()
    envkit = tmp_path / "bin" / "envkit"
    envkit.write_text(f'#!/bin/sh\nexec {sys.executable} -m envkit "$@"\n')
    envkit.chmod(0o755)
    return {"PATH": f"{envkit.parent}:{os.environ['PATH']}", "PRE_COMMIT_HOME": str(tmp_path / "cache")}


def test_a_commit_that_breaks_the_rules_of_its_branch_is_stopped(
    scaffold: Scaffold, environ: Mapping[str, str]
) -> None:
    scaffold.init()
    scaffold.git("init")
    pre_commit(scaffold, "install", environ=environ, code=0)
    commit = ("git", "-c", "user.name=Test", "-c", "user.email=test@example.com", "commit", "--message", "A model")
    scaffold.git("add", "--all")
    scaffold.run(*commit, environ=environ)
    scaffold.write({"models.yaml": FLOATING})
    scaffold.git("add", "--all")
    done = scaffold.run(*commit, code=1, environ=environ)
    assert "models.yaml keeps the rules of its branch" in done.stderr
    assert FLOATS in done.stderr
    assert scaffold.git("rev-list", "--count", "HEAD").strip() == "1"


def test_a_commit_of_something_else_runs_no_hook(scaffold: Scaffold, environ: Mapping[str, str]) -> None:
    scaffold.init()
    scaffold.git("init")
    scaffold.commit("All")
    scaffold.write({"README.md": "docs\n"})
    scaffold.git("add", "--all")
    done = pre_commit(scaffold, "run", environ=environ, code=0)
    assert done.stdout.count("Skipped") == 2


# --- this repository's ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def offered(tmp_path_factory: pytest.TempPathFactory) -> Scaffold:
    """A repository with this package in it, as pre-commit clones one, and a cache of pre-commit beside it."""
    folder = tmp_path_factory.mktemp("offered")
    (folder / "home").mkdir()
    repository = Scaffold(folder / "envkit", folder / "home")
    repository.path.mkdir()
    for name in PACKAGE:
        source, target = REPOSITORY / name, repository.path / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    repository.git("init")
    repository.commit("All")
    return repository


@pytest.mark.parametrize(("text", "code"), [(EXACT, 0), (FLOATING, 1)], ids=["passes", "fails"])
def test_this_repository_is_one_of_hooks(scaffold: Scaffold, offered: Scaffold, text: str, code: int) -> None:
    hooks = [{"id": name} for name in OFFERED]
    revision = offered.git("rev-parse", "HEAD").strip()
    config = {"repos": [{"repo": str(offered.path), "rev": revision, "hooks": hooks}]}
    scaffold.init("--no-pre-commit")
    scaffold.write({".pre-commit-config.yaml": yaml.safe_dump(config), "models.yaml": text})
    scaffold.git("init")
    scaffold.commit("All")
    # Nothing of this checkout's: the hooks bring an envkit of their own.
    environ = {"PYTHONPATH": "", "PRE_COMMIT_HOME": str(offered.home / "pre-commit")}
    done = pre_commit(scaffold, "run", "--all-files", environ=environ, code=code)
    assert done.stdout.count("Passed") == (2 if code == 0 else 0), done.stdout
    assert (FLOATS in done.stdout) == (code == 1)
    # What was installed has all that it writes.
    (envkit,) = offered.home.glob("pre-commit/repo*/py_env-*/bin/envkit")
    before = scaffold.listing().keys()
    shutil.rmtree(scaffold.path / ".devcontainer")
    scaffold.run(str(envkit), "init", environ=environ)
    assert scaffold.listing().keys() == before


def test_the_project_and_this_repository_have_the_same_hooks(scaffold: Scaffold) -> None:
    scaffold.init()
    (ours,) = yaml.safe_load(scaffold.read(".pre-commit-config.yaml"))["repos"]
    theirs = yaml.safe_load((REPOSITORY / ".pre-commit-hooks.yaml").read_text("utf-8"))
    same = ("id", "name", "entry", "files", "pass_filenames")
    assert [[hook[key] for key in same] for hook in ours["hooks"]] == [[hook[key] for key in same] for hook in theirs]
    assert tuple(hook["id"] for hook in theirs) == OFFERED
