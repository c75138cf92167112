"""What the command line itself promises: help, versions, exit codes, JSON, quick start-up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from envkit import __version__

ONE = "models:\n- {name: a, version: '1', source: http, url: 'http://127.0.0.1/a', md5: " + "0" * 32 + "}\n"


def run(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "envkit", *arguments]
    env = {**os.environ, "XDG_CACHE_HOME": str(cwd / ".cache"), **environ}
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
    assert done.stderr.startswith("models.yaml:2:3: model 'a' has no version\n")
    assert "\nmodels.yaml:3:3: model 'a' has unknown key 'verison'\n  did you mean 'version'?\n" in done.stderr


def test_what_the_output_cannot_hold_is_escaped(folder: Path) -> None:
    ascii_only = {"PYTHONIOENCODING": "ascii"}
    done = run("models", "check", "--branch", "\u4e2d\u00e9", cwd=folder, **ascii_only)
    assert (done.returncode, "\\u4e2d\\xe9" in done.stdout) == (0, True), done
    done = run("models", "check", "--branch", "\u4e2d\u00e9", "--json", cwd=folder, **ascii_only)
    assert json.loads(done.stdout)["branch"] == "\u4e2d\u00e9"


def test_a_folder_is_found_by_git_also_where_names_are_ascii(tmp_path: Path) -> None:
    folder = tmp_path / "\u4e2d\u6587" / "\u6a21"
    folder.mkdir(parents=True)
    (folder / "models.yaml").write_text(ONE)
    _commit(tmp_path / "\u4e2d\u6587", "first")
    plain = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = run("models", "history", cwd=folder, **plain)
    assert (done.returncode, done.stderr) == (0, "")
    assert "127.0.0.1/a" in done.stdout
    written = run("snapshot", cwd=folder, **plain).stdout
    assert Path(written.strip()).parent == folder / ".envkit" / "runs"
    assert Path(json.loads(run("snapshot", "--json", cwd=folder, **plain).stdout)["file"]).is_relative_to(folder)


@pytest.mark.parametrize("arguments", ["models check --branch main", "models check --branch main --json", "fly --json"])
def test_a_full_disk_below_the_output_is_told(folder: Path, arguments: str) -> None:
    done = _shell(f"{arguments} >/dev/full", folder)
    assert done.returncode == 2
    assert "standard output cannot be written to: No space left on device\n" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_change_nothing_about_the_result(folder: Path, closed: str) -> None:
    done = _shell(f"models check --branch main {closed}", folder)
    assert (done.returncode, done.stderr) == (0, "")
    (folder / "models.yaml").write_text(ONE)
    done = _shell(f"models verify {closed}", folder)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("models", "check", "--junit", "models.yaml"),
        ("models", "check", "--codequality", "./models.lock.yaml"),
        ("models", "sync", "--junit", "link.xml"),
        ("models", "diff", "HEAD", "-o", "models.yaml"),
        ("models", "diff", "HEAD", "-o", "link.xml"),
        ("models", "history", "--html", "models.lock.yaml"),
        ("snapshot", "-o", "envkit.yaml"),
        ("snapshot", "-o", "models.yaml", "--", "touch", "ran"),
    ],
)
def test_no_output_goes_over_a_project_s_own_files(folder: Path, arguments: tuple[str, ...]) -> None:
    (folder / "models.yaml").rename(folder / "registry")
    (folder / "models.yaml").symlink_to("registry")
    (folder / "link.xml").symlink_to("registry")
    _commit(folder, "first")
    done = run(*arguments, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        f"{Path(arguments[arguments.index('--') - 1 if '--' in arguments else -1])} is a project's own file"
        in done.stderr
    )
    assert (folder / "registry").read_text() == "models: []\n"
    assert (folder / "models.yaml").is_symlink()
    assert not any((folder / name).exists() for name in ("models.lock.yaml", "envkit.yaml", "ran"))


def test_a_report_of_wrong_settings_does_not_go_over_them(folder: Path) -> None:
    (folder / "envkit.yaml").write_text("modles: strict\n")
    done = run("models", "check", "--junit", "envkit.yaml", cwd=folder)
    assert "own file" in done.stderr
    assert (folder / "envkit.yaml").read_text() == "modles: strict\n"


def _shell(arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    script = f"{sys.executable} -m envkit {arguments}"
    return subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def _commit(folder: Path, message: str) -> None:
    git = ("git", "-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgSign=false")
    for words in (("init", "-q"), ("add", "--all"), ("commit", "-qm", message)):
        subprocess.run([*git, *words], cwd=folder, check=True, capture_output=True)
