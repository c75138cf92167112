"""What the set-up scripts share: messages, long steps, and whose the checkout is."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.shell.scripts import call, checkout, sourced
from tests.support.project import REPOSITORY, USER

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def test_a_step_that_fails_shows_the_end_of_its_output_and_stops_with_exit_code_4() -> None:
    done = sourced("lib.sh", 'step "  counting" bash -c "seq 40; exit 7"; echo went on')
    assert done.returncode == 4
    assert "went on" not in done.stdout
    lines = done.stderr.splitlines()
    assert lines[0] == "  counting"
    assert lines[1:-1] == [f"  | {number}" for number in range(26, 41)]
    assert lines[-1] == "counting: failed with exit code 7; what it said last is above"


def test_a_step_that_succeeds_says_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    done = sourced("lib.sh", 'step "counting" seq 40', environ={"TMPDIR": str(tmp_path)})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "counting\n")
    assert list(tmp_path.iterdir()) == []


def test_an_unexpected_failure_says_where() -> None:
    done = sourced("lib.sh", "cat /nonexistent\necho went on")
    assert done.returncode == 1
    assert "'cat /nonexistent' ended with 1" in done.stderr
    assert "went on" not in done.stdout


@AS_ROOT
@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, f"{USER}:{USER}"),
        ({"SUDO_UID": "1000", "SUDO_GID": "1001"}, "1000:1001"),
        ({"SUDO_UID": "0", "SUDO_GID": "0"}, f"{USER}:{USER}"),
        ({"SUDO_UID": "no number", "SUDO_GID": "1"}, f"{USER}:{USER}"),
    ],
)
def test_the_owner_is_who_called_sudo_else_the_folders(environ: dict[str, str], expected: str) -> None:
    with checkout() as root:
        done = call("bash", "-c", f". {root}/scripts/lib.sh; owner", environ=environ)
    assert done.stdout.strip() == expected


@AS_ROOT
def test_an_ordinary_caller_is_the_owner() -> None:
    with checkout() as root:
        done = call("bash", "-c", f". {root}/scripts/lib.sh; owner", user=1000)
    assert done.stdout.strip() == "1000:1000"


@AS_ROOT
def test_what_root_does_for_the_owner_it_does_as_the_owner() -> None:
    with checkout() as root:
        code = f". {root}/scripts/lib.sh; as_owner touch {root}/made; as_owner id -G"
        done = call("bash", "-c", code)
        assert (root / "made").stat().st_uid == USER
    assert done.stdout.strip() == str(USER)  # none of root's groups


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ("ID=debian\nVERSION_CODENAME=bookworm\n", "debian bookworm"),
        ('ID=ubuntu\nVERSION_CODENAME=noble\nPRETTY_NAME="Ubuntu 24.04"\n', "ubuntu noble"),
        ("ID=fedora\nVERSION_ID=42\n", ""),
        (None, ""),
    ],
)
def test_the_distributions_whose_packages_are_known(tmp_path: Path, release: str | None, expected: str) -> None:
    path = tmp_path / "os-release"
    if release is not None:
        path.write_text(release)
    done = sourced("lib.sh", "distribution", environ={"OS_RELEASE": str(path)})
    assert (done.returncode, done.stdout.strip()) == (0, expected)


def test_no_pipeline_ends_in_a_reader_that_leaves_early() -> None:
    # Under pipefail, a writer that is still at work fails it with 141 when `grep -q` ends at the first match.
    scripts = [path for path in REPOSITORY.rglob("*.sh") if not path.relative_to(REPOSITORY).parts[0].startswith(".")]
    lines = [f"{path.name}: {line}" for path in scripts for line in path.read_text("utf-8").splitlines()]
    assert len(scripts) > 10
    assert [line for line in lines if re.search(r"[^|]\|\s*(grep -\w*q|head\b)", line)] == []
