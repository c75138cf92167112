"""docs/reference/image.md says what the Dockerfile and the scripts do."""

from __future__ import annotations

import re

from tests.support.project import REPOSITORY

PAGE = (REPOSITORY / "docs/reference/image.md").read_text("utf-8")
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text("utf-8")
SCRIPTS = "".join(
    (REPOSITORY / name).read_text("utf-8") for name in ("entrypoint.sh", "jupyter/start.sh", "sshd/start.sh")
)


def column(section: str, number: int = 1) -> list[str]:
    """What is in backticks in one column of a section's tables."""
    text = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
    rows = [row.split(" | ") for row in re.findall(r"^\| (.*) \|$", text, re.MULTILINE)]
    return [name for row in rows if len(row) >= number for name in re.findall(r"`([^`]+)`", row[number - 1])]


def test_every_variable_that_the_scripts_read_is_there_and_no_other() -> None:
    read = set(re.findall(r"\$\{(ENVKIT_[A-Z_]+)", SCRIPTS))
    for name in re.findall(r"\bsecret ([A-Z_]+) ", SCRIPTS):
        if name != "NAME":
            read |= {name, f"{name}_FILE"}
    assert set(column("Variables")) == read


def test_every_path_is_one_of_theirs() -> None:
    missing = [
        path for path in column("Paths") if path.removesuffix("/*.sh").split("/", 2)[-1] not in DOCKERFILE + SCRIPTS
    ]
    assert not missing


def test_every_argument_of_the_build_has_its_default() -> None:
    defaults = dict(re.findall(r"^ARG (\w+)=(\S+)$", DOCKERFILE, re.MULTILINE))
    assert dict(zip(column("Building it"), column("Building it", 2), strict=True)) == defaults


def test_the_ports_are_those_exposed() -> None:
    assert re.findall(r"^\| (\d+) \|", PAGE.split("## Volumes and ports")[1].split("\n## ")[0], re.MULTILINE) == [
        "8888",
        "2222",
    ]
    assert "EXPOSE 8888 2222" in DOCKERFILE


def test_sessions_get_what_the_page_says() -> None:
    text = PAGE.split("gets these of the container's variables")[1].split("those of proxies")[0]
    kept = re.search(r"case \$name in\n(.*?)\)\n", SCRIPTS, re.DOTALL)
    assert kept
    patterns = set(re.findall(r"[A-Za-z_]+\*?", kept.group(1)))
    others = {name for name in patterns if "proxy" in name.lower() or "SSL" in name or name.endswith("_BUNDLE")}
    assert set(re.findall(r"`([^`]+)`", text)) == patterns - others
