"""The locks lock what pyproject.toml asks for, to hashes, and name no index."""

from __future__ import annotations

import re

import pytest

from tests.support.project import REPOSITORY

REQUIREMENTS = REPOSITORY / "requirements"
PYPROJECT = (REPOSITORY / "pyproject.toml").read_text("utf-8")
LOCKS = sorted(path.name for path in REQUIREMENTS.glob("*.txt"))


def listed(key: str) -> set[str]:
    """The strings of a list in pyproject.toml (Python 3.10 has no reader of TOML)."""
    found = re.search(rf"^{key} = \[(.*?)\]", PYPROJECT, re.MULTILINE | re.DOTALL)
    assert found
    return set(re.findall(r'"([^"]+)"', found.group(1)))


def asked(name: str) -> set[str]:
    """The requirements of an ``.in`` file."""
    lines = (REQUIREMENTS / name).read_text("utf-8").splitlines()
    return {line for line in lines if line and not line.startswith(("#", "-"))}


def test_the_hosts_lock_has_the_projects_dependencies() -> None:
    assert asked("host.in") == {*listed("dependencies"), *listed("requires"), "editables"}


def test_the_developers_lock_has_the_dev_group() -> None:
    assert asked("dev.in") == listed("dev")


@pytest.mark.parametrize("lock", LOCKS)
def test_every_version_is_exact_and_has_hashes(lock: str) -> None:
    text = (REQUIREMENTS / lock).read_text("utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        assert re.fullmatch(r"[\w.-]+==\S+( +; [^-]+)?( +--hash=sha256:[0-9a-f]{64})+", line), line


@pytest.mark.parametrize("lock", LOCKS)
def test_every_lock_has_what_is_asked_for(lock: str) -> None:
    locked = set(re.findall(r"^([\w.-]+)==", (REQUIREMENTS / lock).read_text("utf-8"), re.MULTILINE))
    names = {re.split(r"[<>=!~ ]", line)[0].lower().replace("_", "-") for line in asked(lock.replace(".txt", ".in"))}
    assert names <= locked


def test_the_developers_packages_are_those_with_a_reason() -> None:
    page = (REPOSITORY / "docs/explanation/dependencies.md").read_text("utf-8").split("## For development")[1]
    words = re.findall(r"[\w-]+", " ".join(re.findall(r"^\| (.+?) \| .* \|$", page, re.MULTILINE)))
    builders = {"hatchling", "editables"}  # host.in has them, for the editable install
    assert set(words) - {"package", "with"} - builders == {re.split(r"[<>=]", line)[0] for line in asked("dev.in")}
