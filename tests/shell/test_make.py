"""The Makefile and the scripts behind it."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.shell.scripts import Done, call, checkout, sourced
from tests.support.project import REPOSITORY

TOOLS = REPOSITORY / "tests" / "tools"
MAKEFILE = (REPOSITORY / "Makefile").read_text("utf-8")

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="this machine has no make")


def test_help_is_the_default_and_lists_every_target() -> None:
    done = call("make", "--directory", str(REPOSITORY), "--no-print-directory")
    targets = re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE)
    assert [line.split()[1] for line in done.stdout.splitlines()] == targets
    assert set(re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[0].split()) == set(targets)


def test_ci_runs_what_a_user_runs() -> None:
    script = (REPOSITORY / ".ci" / "run").read_text("utf-8")
    assert script.splitlines()[-1] == "exec make test"


def test_a_scripts_exit_code_is_in_makes_last_line(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "Makefile").write_text(MAKEFILE)
    script = tmp_path / "scripts" / "bootstrap.sh"
    script.write_text("#!/bin/sh\necho something is missing >&2\nexit 4\n")
    script.chmod(0o755)
    done = call("make", "--directory", str(tmp_path), "up")
    lines = [line for line in done.stderr.splitlines() if "directory" not in line]
    assert lines[0] == "something is missing"
    assert lines[-1].endswith("Error 4")


def test_every_shell_script_is_checked() -> None:
    done = sourced("check.sh", f"cd {REPOSITORY}; shell_scripts")
    found = set(done.stdout.split())
    tracked = {f"./{path.relative_to(REPOSITORY)}" for path in (REPOSITORY / "scripts").iterdir()}
    assert found >= tracked | {".ci/run", "./entrypoint.sh", "./requirements/install.sh"}


def test_a_check_that_fails_is_named_with_its_output_and_the_others_run() -> None:
    done = sourced("check.sh", 'failed=(); check bash -c "echo oops; exit 1"; check true; echo "failed: ${failed[*]}"')
    assert done.stdout == "failed: bash\n"
    assert done.stderr == "oops\nFAILED  bash -c\nok      true\n"


@pytest.fixture
def bare(tmp_path: Path) -> str:
    """A folder for PATH with no more than the script itself needs."""
    for tool in ("grep", "sort"):
        (tmp_path / tool).symlink_to(shutil.which(tool) or "")
    return str(tmp_path)


def test_tools_that_the_tests_lack_are_named(bare: str) -> None:
    done = sourced("test-tools.sh", "can_install() { return 1; }; SBIN=; PATH=$1 main", bare)
    assert done.returncode == 4
    said = "install these, or what your distribution calls them: chromium git nginx openssh-client rsync\n"
    assert done.stderr.endswith(said)


def test_nginx_is_found_where_only_root_looks(bare: str, tmp_path: Path) -> None:
    (tmp_path / "sbin").mkdir()
    (tmp_path / "sbin" / "nginx").touch(0o755)
    done = sourced("test-tools.sh", "SBIN=$1/sbin; PATH=$1 missing_packages", bare)
    assert "git" in done.stdout
    assert "nginx" not in done.stdout


@pytest.mark.parametrize(("systemd", "masked"), [("true", "mask --quiet nginx.service"), ("false", None)])
def test_an_nginx_that_comes_for_the_tests_serves_nothing_else(systemd: str, masked: str | None) -> None:
    code = f"""
        can_install() {{ :; }}; missing_packages() {{ printf '%s\\n' git nginx; }}; get_own_chromium() {{ :; }}
        get_node_tools() {{ :; }}
        has_systemd() {{ {systemd}; }}; systemctl() {{ echo "$*"; }}; apt_install() {{ echo "install ${{*:2}}"; }}
        main"""
    done = sourced("test-tools.sh", code)
    assert done.stdout.splitlines() == ([masked] if masked else []) + ["install git nginx"]


def test_node_programs_are_fetched_once_and_anew_for_another_lock() -> None:
    with checkout(os.geteuid()) as root:
        tools = root / "tests" / "tools"
        shutil.copytree(TOOLS, tools, ignore=shutil.ignore_patterns("node_modules"))
        (root / ".venv").symlink_to(sys.prefix)
        assert get_node_tools(root).stderr == "Fetching the Node.js programs of tests/tools\n"
        assert (tools / "node_modules" / ".bin" / "gitlab-ci-local").exists()
        assert (tools / "node_modules" / ".bin" / "yaml-language-server").exists()
        assert get_node_tools(root).stderr == ""
        lock = tools / "package-lock.json"
        lock.write_text(f"{lock.read_text()}\n")
        assert get_node_tools(root).stderr == "Fetching the Node.js programs of tests/tools\n"


def get_node_tools(root: Path) -> Done:
    done = call("bash", "-c", f". {root}/scripts/test-tools.sh; get_node_tools")
    assert done.returncode == 0, done.stderr
    return done


def test_the_lock_of_node_programs_has_a_digest_of_each_and_names_no_registry() -> None:
    packages = json.loads((TOOLS / "package-lock.json").read_text("utf-8"))["packages"]
    del packages[""]
    assert {name for name, package in packages.items() if not package["integrity"].startswith("sha512-")} == set()
    assert {name for name, package in packages.items() if "resolved" in package} == set()
