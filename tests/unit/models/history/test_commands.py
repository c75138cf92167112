"""`envkit models history` and `blame` as they are called."""

from __future__ import annotations

import itertools
import json
import re
import shlex
from pathlib import Path

import pytest

from envkit import cli
from tests.support import example_history
from tests.support.history_project import GitProject, entry, registry
from tests.support.markdown import fences
from tests.support.project import REPOSITORY

FROM = "models.example.com/…/ocr.pdparams"


@pytest.fixture
def grown(repo: GitProject, monkeypatch: pytest.MonkeyPatch) -> GitProject:
    repo.commit("one", author="张伟", registry=registry(entry("ocr", "1", accuracy="76.2%")))
    repo.git("tag", "v0.1")
    repo.commit("two", registry=registry(entry("ocr", "2", accuracy="76.8%"), entry("det", "1")))
    monkeypatch.chdir(repo.path)
    monkeypatch.setenv("HOME", str(repo.root.parent))
    return repo


def test_history_is_a_table_for_each_model(grown: GitProject, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = (grown.git("rev-parse", "--short=7", name) for name in ("HEAD~1", "HEAD"))
    assert cli.main(["models", "history", "ocr"]) == 0
    assert [re.split(" {2,}", line) for line in capsys.readouterr().out.splitlines()] == [
        ["ocr"],
        ["", "version", "since", "by", "commit", "from", "metrics", "carried by"],
        ["* 2", "2026-03-04", "Li Lei", two, FROM, "accuracy 76.8% (+0.6 pp ↑)", "main"],
        ["", "1", "2026-03-03", "张伟", one, FROM, "accuracy 76.2%", "until 2026-03-04, v0.1"],
    ]


def test_all_models_in_the_order_of_the_registry(grown: GitProject, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models", "history"]) == 0
    assert [line for line in capsys.readouterr().out.splitlines() if line in ("ocr", "det")] == ["ocr", "det"]


def test_as_json(grown: GitProject, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--json", "models", "history", "ocr", "--branch", "main"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["at"] == "main"
    assert [version["version"] for version in data["models"][0]["versions"]] == ["2", "1"]
    assert cli.main(["--json", "models", "blame", "ocr@1"]) == 0
    (answer,) = json.loads(capsys.readouterr().out)["answers"]
    assert (answer["name"], answer["version"], answer["since"]["author"]) == ("ocr", "1", "张伟")


def test_a_page(grown: GitProject, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.main(["models", "history", "--html", "history.html"]) == 0
    assert capsys.readouterr().out == "history.html: 3 versions of 2 models\n"
    assert (grown.path / "history.html").read_text("utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize("verb", ["history", "blame"])
def test_a_name_that_never_was_is_a_wrong_input(
    grown: GitProject, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    assert cli.main(["models", verb, "orc"]) == 2
    assert capsys.readouterr().err == "no commit ever had a model 'orc'\n  did you mean 'ocr'?\n"


def test_the_how_to_shows_what_the_commands_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    repo = example_history.make(tmp_path / "ocr-service")
    monkeypatch.chdir(repo.path)
    monkeypatch.setenv("HOME", str(tmp_path))
    blocks = fences(REPOSITORY / "docs" / "how-to" / "trace-a-models-history.md")
    shown = [(block, after) for block, after in itertools.pairwise(blocks) if after.info == "text"]
    assert len(shown) == 2
    for block, after in shown:
        assert cli.main(shlex.split(block.text)[1:]) == 0
        said = capsys.readouterr().out.splitlines()
        assert anonymous(after.text.splitlines()) == anonymous(said[: len(after.text.splitlines())])


def anonymous(lines: list[str]) -> list[str]:
    """Without the names of commits: they change with whatever the files of the example come to look like."""
    return [re.sub(r"\b([0-9a-f]{40}|[0-9a-f]{7})\b", "…", line) for line in lines]
