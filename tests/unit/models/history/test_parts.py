"""A registry read entry by entry says what it says as a whole, and one that is wrong is wrong in the same way."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from envkit.errors import InputError
from envkit.models.history.parts import Parts, cut
from envkit.models.locking import lock
from envkit.models.model import Model
from envkit.models.registry import registry
from tests.support.history_project import entry, lock_of
from tests.support.history_project import registry as registry_of

thorough = settings(max_examples=300, deadline=None, derandomize=True, database=None)

ENTRY = """\
- name: {0}
  version: "1"
  source: http
  url: https://models.example/{0}
"""
# Lines that a person may have between, in or after entries, some of which make a registry that is none.
LINES = [
    *(
        "",
        "# a comment",
        "  # a comment",
        "  - a: 1",
        "- b",
        "---",
        "...",
        "metrics:",
        "  top1: {}",
        "models:",
        "other: 1",
    ),
    *(
        "  note: |",
        "    - name: c",
        '  note: "a',
        '- b"',
        "  note: [1,",
        "  2]",
        "\t",
        "  deep:",
        "    - x",
        "-",
        "- ",
        "? x",
    ),
]
texts = st.lists(
    st.one_of(
        st.sampled_from([ENTRY.format(name) for name in "abc"]), st.sampled_from([f"{line}\n" for line in LINES])
    ),
    max_size=8,
).map("".join)
indents = st.sampled_from(["", "  ", "    "])


def whole(text: str) -> tuple[Model, ...] | str:
    try:
        return registry.parse(text).models
    except InputError as error:
        return str(error)


def by_parts(text: str, parts: Parts[registry.Registry]) -> tuple[Model, ...] | str:
    """As `states` reads it."""
    try:
        models = tuple(model for part in parts(text) for model in part.models)
        return whole(text) if registry.clashes(models) else models
    except InputError as error:
        return str(error)


@thorough
@given(texts, texts, indents)
def test_the_parts_are_the_whole(before: str, body: str, indent: str) -> None:
    indented = "".join(f"{indent}{line}" if line.strip() else line for line in body.splitlines(keepends=True))
    parts = Parts(registry.parse)
    for text in (f"models:\n{indented}", f"{before}models:\n{indented}", f"models:\n{indented}{before}", body):
        assert by_parts(text, parts) == whole(text), text
        assert by_parts(text.replace("\n", "\r\n"), parts) == whole(text.replace("\n", "\r\n"))


def test_an_entry_that_stays_is_read_once() -> None:
    read: list[str] = []

    def reading(text: str) -> registry.Registry:
        read.append(text)
        return registry.parse(text)

    parts = Parts(reading)
    models = [entry(f"m{number}", "1") for number in range(50)]
    first = parts(registry_of(*models))
    assert len(read) == 50
    models[7] = entry("m7", "2")
    second = parts(registry_of(*models))
    assert len(read) == 51
    assert [one is other for one, other in zip(first, second, strict=True)] == [number != 7 for number in range(50)]


def test_what_stands_around_the_list_is_part_of_each() -> None:
    text = registry_of(entry("a", "1"), entry("b", "1"), metrics={"top1": {"tolerance": 1}})
    found = cut(text)
    assert found is not None
    assert [yaml.safe_load(found.head + item + found.tail)["metrics"] for item in found.items] == [
        {"top1": {"tolerance": 1}}
    ] * 2


@pytest.mark.parametrize("text", ["", "models: []\n", "models:\n", '{"models": [{"name": "a"}]}\n', "a: 1\n"])
def test_what_is_no_block_list_is_read_whole(text: str) -> None:
    assert cut(text) is None


def test_a_lock_is_cut_as_well() -> None:
    text = lock_of(a="stable=1", b="stable=2")
    parts = Parts(lock.parse)(text)
    assert len(parts) == 2
    assert {key: entry for part in parts for key, entry in part.entries.items()} == lock.parse(text).entries
