"""An entry put into the text of a models.yaml: it is there, as its neighbours are written, and nothing else changed."""

from __future__ import annotations

import difflib
import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from envkit.models.adding import insertion
from envkit.models.adding.insertion import Fields, NoPlaceError, appended
from envkit.models.registry import document, registry
from tests.support.project import REPOSITORY

thorough = settings(max_examples=200, deadline=None, derandomize=True, database=None)

ENTRY: Fields = {
    "name": "new",
    "version": "1.0",
    "source": "http",
    "url": "https://h/new_1.0.bin",
    "md5": "0a" * 16,
    "size": 5,
}
LINES = f"""\
  - name: new
    version: "1.0"
    source: http
    url: https://h/new_1.0.bin
    md5: {"0a" * 16}
    size: 5
"""
FLOW = f'{{name: new, version: "1.0", source: http, url: https://h/new_1.0.bin, md5: {"0a" * 16}, size: 5}}'
JSON = json.dumps(ENTRY)
ONE = "  - name: a\n    version: v1\n"
OUTDENTED = "".join(line[2:] + "\n" for line in LINES.splitlines())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("models:\n", f"models:\n{LINES}"),
        ("models:", f"models:\n{LINES}"),
        ("models: []\n", f"models:\n{LINES}"),
        ("models: [ ]  # none yet\nx: 1\n", f"models:  # none yet\n{LINES}x: 1\n"),
        ("models:  # here\n  # put yours\n\nx: 1\n", f"models:  # here\n  # put yours\n{LINES}\nx: 1\n"),
        (f"models:\n{ONE}", f"models:\n{ONE}{LINES}"),
        (f"models:\n{ONE}"[:-1], f"models:\n{ONE}{LINES}"),
        (f"models:\n{ONE}\n{ONE}", f"models:\n{ONE}\n{ONE}\n{LINES}"),
        (f"models:\n{ONE}\n# b\n{ONE}\nx: 1\n", f"models:\n{ONE}\n# b\n{ONE}\n{LINES}\nx: 1\n"),
        (f"models:\n{ONE}    # about a\n\n# the end\n", f"models:\n{ONE}    # about a\n{LINES}\n# the end\n"),
        (f"models:\n{ONE}\n    # about a\n# end\n", f"models:\n{ONE}\n    # about a\n{LINES}# end\n"),
        (f"models:\n{ONE}  # - name: off\n", f"models:\n{ONE}{LINES}  # - name: off\n"),
        (f"x: 1\nmodels:\n{ONE}y: 2\n", f"x: 1\nmodels:\n{ONE}{LINES}y: 2\n"),
        (f"models:\n{ONE}    n: # none\n", f"models:\n{ONE}    n: # none\n{LINES}"),
        (f"models:\n{ONE}    n: |\n      two\n\nx: 1\n", f"models:\n{ONE}    n: |\n      two\n{LINES}\nx: 1\n"),
        (f"models:\n{ONE}    n: |+\n      two\n\nx: 1\n", f"models:\n{ONE}    n: |+\n      two\n\n{LINES}x: 1\n"),
        (f"models:\n{ONE}    n: >-\n      two\n      x", f"models:\n{ONE}    n: >-\n      two\n      x\n{LINES}"),
        (f"models:\n{ONE}    p:\n      - x # why\n", f"models:\n{ONE}    p:\n      - x # why\n{LINES}"),
        ("models:\n- name: a\n  v: 1\n", f"models:\n- name: a\n  v: 1\n{OUTDENTED}"),
        ("models:\n-\n  name: a\n", f"models:\n-\n  name: a\n{OUTDENTED}"),
        ("models:\n- {name: a}\nx: 1\n", f"models:\n- {{name: a}}\n- {FLOW}\nx: 1\n"),
        ('models:\n- {"name": "a"}\n', f'models:\n- {{"name": "a"}}\n- {JSON}\n'),
        ("models: [{name: a}]  # x\n", f"models: [{{name: a}}, {FLOW}]  # x\n"),
        ("models: [{name: a},]\n", f"models: [{{name: a}}, {FLOW},]\n"),
        ("models: [\n  {name: a}, # one\n]\n", f"models: [\n  {{name: a}}, # one\n  {FLOW},\n]\n"),
        ("models: [\n  {name: a} # one\n]\n", f"models: [\n  {{name: a}}, # one\n  {FLOW}\n]\n"),
        ("models: [\n  {name: a}]\n", f"models: [\n  {{name: a}},\n  {FLOW}]\n"),
        ('{"models": []}', f'{{"models": [{JSON}]}}'),
        ('{"models": [\n\n{"name": "a"}]}\n', f'{{"models": [\n\n{{"name": "a"}},\n{JSON}]}}\n'),
        ("models: [ # none\n]\n", f"models: [ # none\n{JSON}]\n"),
        ("# 日本 𝄞\nmodels:\n  - name: é𝄞\nx: 1\n", f"# 日本 𝄞\nmodels:\n  - name: é𝄞\n{LINES}x: 1\n"),
    ],
)  # fmt: skip
def test_an_entry_is_written_as_its_neighbours_are(before: str, after: str) -> None:
    assert appended(before, ENTRY) == after
    windows = appended(before.replace("\n", "\r\n"), ENTRY)
    if "\n" in before:
        assert windows == after.replace("\n", "\r\n")


def test_a_wider_dash_is_a_wider_dash() -> None:
    before = "models:\n    -   name: a\n        v: 1\n"
    assert appended(before, {"name": "new", "path": ["a/", "b"]}) == (
        before + "    -   name: new\n        path:\n          - a/\n          - b\n"
    )


@pytest.mark.parametrize(
    "before", ["", "x: 1\n", "- models\n", "models: x\n", "models: {a: 1}\n", "models: [\n", "a: *b\n"]
)
def test_where_there_is_no_place_nothing_is_made_up(before: str) -> None:
    with pytest.raises(NoPlaceError):
        appended(before, ENTRY)


@pytest.mark.parametrize("file", ["models.yaml", "examples/models.zoo.yaml"])
def test_the_repositorys_own_registries_get_lines_and_lose_none(file: str) -> None:
    before = (REPOSITORY / file).read_text("utf-8")
    after = appended(before, ENTRY)
    changed = [line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[0] in "-+"]
    assert changed == ["+ ", *(f"+ {line}" for line in LINES.splitlines())]
    assert registry.parse(after).models[:-1] == registry.parse(before).models


usual = st.characters(codec="utf-8", exclude_characters="\x7f\ufeff", exclude_categories=["Cs", "Cc"])
odd = ["yes", "null", "1e3", "0x1F", "1.10", "~", "2024-01-01", "a: b", "a #b", "- a", "[", "'", '"', "0o7", "=", "*a"]
scalars = st.text(usual, max_size=9) | st.sampled_from([*odd, "!a", "a,b", " a", "a ", "", "%a", "@a", "`a", "?"])


@thorough
@given(
    st.dictionaries(st.sampled_from("abcdef"), scalars | st.integers(0, 9) | st.lists(scalars, min_size=1, max_size=3))
)
def test_any_value_is_read_as_it_was_meant_in_every_style(more: dict[str, str | int | list[str]]) -> None:
    entry = {"name": "new", **more}
    for before in (
        "models:\n",
        "models:\n- name: a\n",
        "models:\n- {name: a}\n",
        '{"models": [{"name": "a"}]}',
        "models: [{name: a}]\n",
    ):
        after = appended(before, entry)
        root = document.read(after)
        assert root is not None
        assert root.plain()["models"][-1] == entry  # type: ignore[index]
        assert yaml.safe_load(after)["models"][-1] == entry


texts = st.text(st.sampled_from("ab #:-\n'\"|>[]{},é"), max_size=12)


@thorough
@given(st.lists(texts, max_size=4), st.sampled_from([False, None, True]), st.data())
def test_whatever_stands_there_all_that_changes_is_that_something_was_put_in(
    values: list[str], flow: bool | None, data: st.DataObject
) -> None:
    entries = [{"name": f"m{number}", "notes": value} for number, value in enumerate(values)]
    text = yaml.safe_dump({"models": entries, "metrics": {"a": 1}}, default_flow_style=flow, allow_unicode=True)
    lines = text.split("\n")
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(lines)))
        lines.insert(place, data.draw(st.sampled_from(["", "# c", "   # c", "      # c"])))
    text = "\n".join(lines)
    try:
        before = document.read(text)
    except document.NotADocumentError:
        return  # what was put in is no comment there
    assert before is not None
    after = appended(text, ENTRY)
    kept, found = before.plain(), document.read(after)
    assert isinstance(kept, dict)
    assert found is not None
    assert found.plain() == {**kept, "models": [*(kept["models"] or []), ENTRY]}
    rest = iter(after)
    assert all(character in rest for character in (text if values or flow else text.replace("models: []", "models:")))


def test_what_is_given_by_hand_is_a_right_entry_too() -> None:
    assert insertion.block(ENTRY) == LINES
