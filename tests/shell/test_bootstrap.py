"""The Python side of set-up, in copies of the checkout, with the real pip and the machine's own index."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shell.scripts import Done, call, checkout, program
from tests.support.project import USER

OWNER = USER if os.geteuid() == 0 else os.geteuid()
PYTHON = os.path.realpath(sys.executable)


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A checkout after its first set-up, owned by an ordinary user."""
    with checkout(OWNER) as root:
        done = bootstrap(root)
        assert done.returncode == 0, done.stderr
        yield root


def bootstrap(root: Path, *arguments: str, **environ: str) -> Done:
    return call(root / "scripts" / "bootstrap.sh", *arguments, environ=environ)


def decide(root: Path, code: str, **environ: str) -> bool:
    """Whether a condition of bootstrap.sh holds in this checkout."""
    sourcing = f". {root}/scripts/bootstrap.sh; cd {root}; {code}"
    return call("bash", "-c", sourcing, environ=environ).returncode == 0


def test_the_first_makes_envkit_and_the_next_changes_nothing(made: Path) -> None:
    assert version(made).startswith("envkit ")
    before = state(made)
    done = bootstrap(made)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert state(made) == before


def version(root: Path) -> str:
    # As the Makefile has it, so that root leaves no compiled modules in a user's folder.
    environ = {"PYTHONDONTWRITEBYTECODE": "1"}
    return call(root / ".venv" / "bin" / "envkit", "--version", environ=environ).stdout


def state(root: Path) -> dict[Path, tuple[int, int]]:
    found = ((path, path.lstat()) for path in root.rglob("*"))
    return {path: (facts.st_mtime_ns, facts.st_ino) for path, facts in found}


def test_every_file_is_the_owners(made: Path) -> None:
    assert {path.lstat().st_uid for path in made.rglob("*")} == {OWNER}


def test_a_changed_lock_is_installed_in_place(made: Path) -> None:
    assert decide(made, "is_current host && is_usable")
    lock = made / "requirements" / "host.txt"
    text = lock.read_text()
    lock.write_text(f"{text}# a change\n")
    assert decide(made, "! is_current host && is_usable")
    lock.write_text(text)
    assert decide(made, "is_current host && ! is_current host dev")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (".*", "incomplete"),
        (" in .*", " in /another/place"),
        ("python [0-9.]*", "python 3.9.0"),
    ],
    ids=["interrupted", "moved", "another Python"],
)
def test_what_cannot_be_mended_is_made_anew(made: Path, old: str, new: str) -> None:
    stamp = made / ".venv" / ".envkit-setup"
    text = stamp.read_text()
    assert call("sed", "-i", f"1s#{old}#{new}#", str(stamp)).returncode == 0
    assert decide(made, "! is_current host && ! is_usable")
    stamp.write_text(text)
    assert decide(made, "is_current host")


def test_a_python_that_went_away_is_replaced(made: Path) -> None:
    link = made / ".venv" / "bin" / "python3"
    target = link.readlink()
    link.unlink()
    link.symlink_to("/nonexistent/python3")
    assert decide(made, "! is_current host && ! is_usable")
    done = bootstrap(made)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("Making .venv with Python 3.")
    assert link.readlink() == target or link.resolve().is_file()
    assert version(made).startswith("envkit ")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_venv_of_somebody_else_is_made_anew(made: Path) -> None:
    os.chown(made / ".venv", 0, 0)
    assert decide(made, "! is_usable")
    os.chown(made / ".venv", OWNER, OWNER)
    assert decide(made, "is_usable")


def test_a_python_that_cannot_make_a_venv_is_exit_code_4(tmp_path: Path) -> None:
    program(tmp_path / "python3", 'case "$*" in *ensurepip*) exit 1 ;; esac\nexec ' + PYTHON + ' "$@"')
    with checkout(os.geteuid()) as root:
        done = bootstrap(root, PYTHON=str(tmp_path / "python3"))
        assert not (root / ".venv").exists()
    assert done.returncode == 4
    assert done.stderr == f"PYTHON={tmp_path}/python3 is no Python 3.10 or later with the modules venv and ensurepip\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize(
    ("release", "advice"),
    [
        ("ID=debian\nVERSION_CODENAME=bookworm", "sudo apt-get install python3 python3-venv"),
        ("ID=fedora", "name one: make up PYTHON="),
    ],
)
def test_an_ordinary_user_is_told_what_to_install(release: str, advice: str) -> None:
    with checkout(USER) as root:
        (root / "os-release").write_text(release)
        code = f". {root}/scripts/bootstrap.sh; find_python() {{ return 1; }}; install_python"
        done = call("bash", "-c", code, user=USER, environ={"OS_RELEASE": str(root / "os-release")})
    assert done.returncode == 4
    assert advice in done.stderr


def test_an_old_python_is_passed_over(tmp_path: Path) -> None:
    program(tmp_path / "python3", "exit 1")
    shutil.copy(tmp_path / "python3", tmp_path / "python3.14")
    (tmp_path / "python3.13").symlink_to(PYTHON)
    with checkout(os.geteuid()) as root:
        code = f'. {root}/scripts/bootstrap.sh; find_python "import venv"'
        done = call("bash", "-c", code, environ={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert Path(done.stdout.strip()).resolve() == Path(PYTHON)
