"""What the documents say is so: commands, variables, exit codes, links, and the blocks that say they can be run.

A fenced block whose info string is ``sh run`` is executed here, and a ``text`` block after it is what it has to say;
``sh engine`` blocks are for ``tests/e2e/test_readme.py``.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from itertools import takewhile
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

from envkit import cli, errors, settings
from envkit.models.policy import policy
from envkit.models.registry import registry
from tests.support.markdown import Fence, documents, fences, prose
from tests.support.project import REPOSITORY

DOCUMENTS = documents()
REFERENCE = REPOSITORY / "docs" / "reference"
ENVKIT = Path(sys.executable).with_name("envkit")
CONTAINER = ("Dockerfile", "entrypoint.sh", "compose.yaml", "jupyter", "sshd")
PIPELINES = ("yaml github", "yaml gitlab", "groovy")
SCAFFOLD = "envkit/scaffold/templates"
FENCES = [fence for path in DOCUMENTS for fence in fences(path)]


def _name(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def leaves(parser: argparse.ArgumentParser, words: tuple[str, ...] = ()) -> Iterator[tuple[str, set[str]]]:
    """Every command with its own options, those of all commands left out."""
    nested = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for action in nested:
        for word, subparser in action.choices.items():
            yield from leaves(subparser, (*words, word))
    if not nested:
        options = {option for action in parser._actions for option in action.option_strings}
        yield " ".join(words), options - {"-h", "--help", "--project", "--json"}


def test_the_reference_has_every_command_with_just_its_options() -> None:
    sections = re.split(r"^## `envkit (.+)`$", (REFERENCE / "cli.md").read_text("utf-8"), flags=re.MULTILINE)
    documented = {
        command: set(re.findall(r"`(--?[a-z][a-z-]*)", "".join(re.findall(r"^\| `.*?\|(?!\|)", text, re.MULTILINE))))
        for command, text in zip(sections[1::2], sections[2::2], strict=True)
    }
    assert documented == dict(leaves(cli._parser()))


@pytest.mark.parametrize("fence", FENCES, ids=str)
def test_commands_in_blocks_are_commands(fence: Fence) -> None:
    for words in commands(fence):
        if words[:1] == ["envkit"] and "…" not in words:
            arguments = cli._parser().parse_args(words[1:])
            assert arguments.command
        elif words[:1] == ["make"]:
            assert set(words[1:]) <= make_targets()


def commands(fence: Fence) -> Iterator[list[str]]:
    if fence.info.startswith("sh"):
        for line in fence.text.splitlines():
            words = shlex.split(line, comments=True)
            yield list(takewhile(lambda word: word not in ("||", "&&", "|"), words))
    elif fence.info in PIPELINES:
        yield from (shlex.split(line) for line in re.findall(r"\benvkit [a-z][^'\n]*", fence.text))


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (REPOSITORY / "Makefile").read_text("utf-8"), re.MULTILINE))


def test_every_make_target_is_in_the_guide_for_contributors() -> None:
    guide = (REPOSITORY / "CONTRIBUTING.md").read_text("utf-8")
    assert {target for target in make_targets() if f"make {target}" not in guide} == set()


def test_every_variable_is_in_the_reference_and_the_reverse() -> None:
    pattern = re.compile(r"\b(?:ENVKIT_[A-Z][A-Z_]*[A-Z]|JUPYTER_TOKEN(?:_FILE)?)\b")
    sources = [*(REPOSITORY / "envkit").rglob("*.py"), *map(REPOSITORY.joinpath, (*CONTAINER, SCAFFOLD))]
    files = [path for source in sources for path in ([source] if source.is_file() else source.rglob("*"))]
    used = {name for path in files if path.is_file() for name in pattern.findall(path.read_text("utf-8"))}
    used |= {f"ENVKIT_{key.upper()}" for key in settings._KEYS} | set(settings._CA_VARIABLES)
    used = {name for name in used if pattern.fullmatch(name)}
    reference = {name for path in REFERENCE.glob("*.md") for name in pattern.findall(path.read_text("utf-8"))}
    assert reference == used
    mentioned = {name for path in DOCUMENTS for name in pattern.findall(path.read_text("utf-8"))}
    for_tests = {
        name for path in (REPOSITORY / "tests").rglob("*.py") for name in pattern.findall(path.read_text("utf-8"))
    }
    assert mentioned <= used | for_tests


def test_the_settings_page_has_every_key_of_envkit_yaml() -> None:
    page = (REFERENCE / "settings.md").read_text("utf-8")
    section = page.split("## ")[1]
    documented = set(re.findall(r"^\| `([a-z_]+)` \|", section, re.MULTILINE))
    assert documented == {*settings._KEYS, settings._REWRITE, *settings._SECTIONS}


def test_the_policy_page_has_the_default_policy_and_every_rule_of_each_preset() -> None:
    page = (REFERENCE / "policy.md").read_text("utf-8")
    branches = re.findall(r"^\| (`[^|]+|tags [^|]+)\| `(\w+)` \|$", page, re.MULTILINE)
    assert {name: rules for names, rules in branches for name in re.findall(r"`([^`]+)`", names)} == policy.DEFAULT
    rows = re.findall(r"^\| `([a-z]+)` \| `?(\w+)`? \| `?(\w+)`? \| `?(\w+)`? \|", page, re.MULTILINE)
    assert {key: values for key, *values in rows} == {
        field.name: [str(getattr(rules, field.name)).lower() for rules in policy.PRESETS.values()]
        for field in fields(policy.Rules)
    }
    source = (REPOSITORY / "envkit" / "models" / "policy" / "judge.py").read_text("utf-8")
    judged = {f"policy/{rule}" for rule in re.findall(r'yield "([a-z]+)"', source)} | {"policy/locked"}
    assert set(re.findall(r"^\| `(policy/[a-z]+)` \|", page, re.MULTILINE)) == judged


def test_the_exit_codes_are_those_of_the_exceptions() -> None:
    rows = re.findall(
        r"^\| (\d+) \|(?: `?([\w ]+?)`?)? \|", (REFERENCE / "exit-codes.md").read_text("utf-8"), re.MULTILINE
    )
    branches = {str(branch.exit_code): branch.__name__ for branch in errors.EnvkitError.__subclasses__()}
    others = {"0": "", "1": "any other", str(errors.INTERRUPTED): "KeyboardInterrupt"}
    assert dict(rows) == branches | others


def test_every_dependency_has_a_reason() -> None:
    reasons = (REPOSITORY / "docs" / "explanation" / "dependencies.md").read_text("utf-8")
    asked_for = "\n".join(path.read_text("utf-8") for path in (REPOSITORY / "requirements").glob("*.in"))
    packages = set(re.findall(r"^([A-Za-z][\w.-]*)", asked_for, re.MULTILINE))
    installed = re.findall(r"install\.sh apt ([^&\n]+)", (REPOSITORY / "Dockerfile").read_text("utf-8"))
    packages |= {package for line in installed for package in line.split()}
    assert {package for package in packages if not re.search(rf"\b{re.escape(package)}\b", reasons)} == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in _links(path):
        if re.match(r"[a-z]+:", target):
            continue
        place, _, anchor = unquote(target).partition("#")
        linked = (path.parent / place).resolve() if place else path
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


def test_pages_that_messages_and_comments_name_are_there() -> None:
    places = ("envkit", "scripts", "jupyter", "sshd", "examples", "entrypoint.sh", "models.yaml", "envkit.yaml")
    roots = [REPOSITORY / place for place in places]
    files = [path for root in roots for path in [root, *root.rglob("*")] if path.suffix in (".py", ".sh", ".yaml")]
    named = {page for path in files for page in re.findall(r"\bdocs/[\w/-]+\.md\b", path.read_text("utf-8"))}
    assert {page for page in named if not (REPOSITORY / page).is_file()} == set()


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_index_names_every_page() -> None:
    index = REPOSITORY / "docs" / "README.md"
    linked = {(index.parent / target).resolve() for target in _links(index)}
    assert set((REPOSITORY / "docs").rglob("*.md")) - {index} <= linked


def test_both_readmes_have_the_same_blocks_and_links() -> None:
    english, chinese = REPOSITORY / "README.md", REPOSITORY / "README.zh-CN.md"
    assert [_uncommented(fence) for fence in fences(english)] == [_uncommented(fence) for fence in fences(chinese)]
    assert _links(english) - {chinese.name} == _links(chinese) - {english.name}


def _links(path: Path) -> set[str]:
    return set(re.findall(r"\]\(([^)\s]+)\)", prose(path)))


def _uncommented(fence: Fence) -> tuple[str, str]:
    return fence.info, re.sub(r"\s*#.*", "", fence.text)


@pytest.mark.parametrize("fence", FENCES, ids=str)
def test_registries_and_settings_in_blocks_are_valid(fence: Fence, tmp_path: Path) -> None:
    if fence.info != "yaml":
        return
    document = yaml.safe_load(fence.text)
    if "models" in document and isinstance(document["models"], list):
        (tmp_path / "models.yaml").write_text(fence.text, "utf-8")
        assert registry.load(tmp_path / "models.yaml").models
    else:
        assert set(document) <= {*settings._KEYS, settings._REWRITE, *settings._SECTIONS}
        assert policy.read(document.get("policy", {})).patterns


@pytest.mark.parametrize("path", sorted({fence.path for fence in FENCES if fence.info == "sh run"}), ids=_name)
def test_blocks_marked_so_run_and_say_what_the_next_block_shows(path: Path, synced: Path) -> None:
    blocks, folder = fences(path), synced
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        if block.info == "sh run":
            said, folder = run(block, folder)
            shown = following.text.splitlines() if following and following.info == "text" else []
            assert [line for line in shown if line not in said.splitlines()] == [], said


@pytest.fixture
def synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the models of this repository, as `make up` leaves it, but for a store of its own."""
    monkeypatch.setenv("ENVKIT_STORE", str(tmp_path / "store"))
    for name in ("models.yaml", "models.lock.yaml"):
        shutil.copy(REPOSITORY / name, tmp_path)
    subprocess.run([ENVKIT, "models", "sync"], cwd=tmp_path, check=True, capture_output=True, timeout=300)
    return tmp_path


def run(fence: Fence, folder: Path) -> tuple[str, Path]:
    """What a block says, and the folder in which it leaves whoever types on."""
    path = f"{ENVKIT.parent}:{os.environ['PATH']}"
    who = {f"GIT_{role}_{part}": "test@example.com" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["bash", "-Eeuo", "pipefail", "-c", f"{fence.text}\npwd"],
        cwd=folder,
        env={**os.environ, **who, "PATH": path, "GIT_CONFIG_GLOBAL": os.devnull},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout, Path(done.stdout.splitlines()[-1])
