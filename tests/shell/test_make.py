"""The Makefile and the scripts behind it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.shell.scripts import call, sourced
from tests.support.project import REPOSITORY

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


def test_tools_that_the_tests_lack_are_named(tmp_path: Path) -> None:
    code = "can_install() { return 1; }; PATH=$1 main"
    for tool in ("grep", "sort"):
        (tmp_path / tool).symlink_to(shutil.which(tool) or "")
    done = sourced("test-tools.sh", code, str(tmp_path))
    assert done.returncode == 4
    assert done.stderr.endswith("install these, or what your distribution calls them: chromium git openssh-client\n")
