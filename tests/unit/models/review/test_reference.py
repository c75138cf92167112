"""The reference has every gate with its default, and every key of the JSON, and the reverse."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest

from envkit.models import movement
from envkit.models.review import evidence, gates, identity, levels
from envkit.models.review.rules import RULES
from tests.support.project import REPOSITORY
from tests.support.reviewed import MD5_B, Repository, entry, said

PAGE = (REPOSITORY / "docs" / "reference" / "review.md").read_text("utf-8")


def table(heading: str) -> dict[str, str]:
    """The first table below a line of the page: each row by what its first cell names."""
    below = PAGE.split(f"{heading}\n")[1].lstrip().split("\n\n")
    rows = next(part for part in below if part.startswith("|")).splitlines()[2:]
    return {name: row for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}


def test_every_gate_is_there_with_its_default() -> None:
    found = {gate: row.split("|")[2].strip(" `") for gate, row in table("## Gates").items()}
    assert found == levels.DEFAULTS
    assert RULES.keys() == levels.DEFAULTS.keys()


@pytest.fixture
def review(tmp_path: Path) -> Any:
    repository = Repository.make(tmp_path / "repository")
    repository.write("a.py", "load('resnet_v1')\n")
    repository.change(entry(accuracy=0.7))
    repository.change(entry(accuracy=0.6, version="v2", md5=MD5_B))
    return said(repository.diff("HEAD~1..HEAD"))


def test_every_key_of_the_json_is_there(review: Any) -> None:
    top = table("## JSON")
    assert set(top) == set(review)
    assert in_words(top["base"]) >= {f"`{key}`" for key in review["base"]}
    gate = next(gate for gate in review["gates"] if gate["findings"])
    assert in_words(top["gates"]) >= {f"`{key}`" for key in (*gate, *gate["findings"][0])}


def test_every_key_of_a_change_is_there(review: Any) -> None:
    (change,) = review["changes"]
    rows = table("Of a change:")
    assert set(rows) == set(change)
    for key, one in (("new", change["new"]), ("fields", change["fields"][0]), ("metrics", change["metrics"][0])):
        assert in_words(rows[key]) >= {f"`{name}`" for name in one}
    assert in_words(rows["evidence"]) >= {f"`{name}`" for name in change["evidence"]}
    assert in_words(rows["usage"]) >= {f"`{name}`" for name in change["usage"]["code"][0]}


def test_every_word_that_a_key_can_have_is_there() -> None:
    rows = table("Of a change:")
    for key, words in (
        ("bytes", get_args(identity.State)),
        ("metrics", get_args(movement.Way)),
        ("evidence", get_args(evidence.State)),
    ):
        assert in_words(rows[key]) >= {f"`{word}`" for word in words}
    assert in_words(table("## JSON")["gates"]) >= {f"`{word}`" for word in get_args(gates.Outcome)}


def in_words(row: str) -> set[str]:
    return set(re.findall(r"`[^`]+`", row))
