"""What the command line itself promises: help, versions, exit codes, JSON, quick start-up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from envkit import __version__


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "envkit", *arguments]
    env = {**os.environ, "XDG_CACHE_HOME": str(cwd / ".cache")}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "models.yaml").write_text("models: []\n")
    return tmp_path


def test_version(folder: Path) -> None:
    assert run("--version", cwd=folder).stdout == f"envkit {__version__}\n"


@pytest.mark.parametrize("verb", ["up", "down", "status", "logs", "exec", "build", "export", "models"])
def test_every_command_has_help(folder: Path, verb: str) -> None:
    assert verb in run("--help", cwd=folder).stdout
    shown = run(verb, "--help", cwd=folder)
    assert shown.returncode == 0
    assert f"envkit {verb}" in shown.stdout


@pytest.mark.parametrize(
    "arguments",
    [("up",), ("up", "tensorboard"), ("up", "ssh", "--port", "0"), ("up", "ssh", "--port", "x"), ("models",), ("fly",)],
)
def test_a_wrong_call_is_exit_code_2_and_shows_the_usage(folder: Path, arguments: tuple[str, ...]) -> None:
    done = run(*arguments, cwd=folder)
    assert done.returncode == 2
    assert "usage: envkit" in done.stderr


def test_outside_a_project_is_exit_code_2(tmp_path: Path) -> None:
    done = run("status", cwd=tmp_path)
    assert done.returncode == 2
    assert "no models.yaml here" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_error_is_json_too(tmp_path: Path) -> None:
    done = run("status", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["exit_code"] == done.returncode == 2


def test_flags_are_taken_before_and_after_the_verb(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for arguments in (
        ("--project", str(folder), "--json", "models", "sync"),
        ("models", "sync", "--project", str(folder), "--json"),
    ):
        done = run(*arguments, cwd=elsewhere)
        assert done.returncode == 0, done.stderr
        json.loads(done.stdout)


def test_help_imports_nothing_heavy(folder: Path) -> None:
    script = (
        "import sys\nfrom envkit.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(*sorted({'docker', 'requests', 'tqdm', 'yaml'} & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stderr.strip() == ""


@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_a_reader_that_goes_away_changes_nothing_about_the_result(folder: Path, as_json: tuple[str, ...]) -> None:
    (folder / "models.yaml").write_text(
        "models:\n- {name: a, version: '1', source: http, url: 'http://127.0.0.1/a', md5: " + "0" * 32 + "}\n"
    )
    for arguments, code in ((("export", "compose"), 0), (("models", "verify"), 3)):
        envkit = f"{sys.executable} -m envkit {' '.join((*arguments, *as_json))}"
        script = f"{envkit} | true; exit ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, check=False)
        assert (done.returncode, "Traceback" in done.stderr) == (code, False)


def test_a_wrong_call_is_json_too(folder: Path) -> None:
    done = run("up", "jupyter", "--port", "abc", "--json", cwd=folder)
    assert json.loads(done.stdout)["exit_code"] == done.returncode == 2
    assert "usage: envkit up" in done.stderr


def test_a_registry_s_problem_begins_with_its_place(folder: Path) -> None:
    (folder / "models.yaml").write_text("models:\n- name: a\n  verison: 1\n")
    done = run("models", "sync", cwd=folder)
    assert done.returncode == 2
    assert done.stderr.startswith("models.yaml:2: model 'a'")
    assert "did you mean 'version'?" in done.stderr
