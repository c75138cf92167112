"""The JSON Schemas that editors go by: published as they are generated, taking what is right, refusing what is not."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
import yaml
from hypothesis import given, settings

from envkit import settings as project_settings
from envkit.models.registry import document, keys, registry, schema, setting_keys
from envkit.models.sources import SOURCES
from tests.support.markdown import documents, fences
from tests.support.project import REPOSITORY
from tests.support.registries import Declared, as_yaml, declarations

MODELS = jsonschema.Draft7Validator(schema.models())
SETTINGS = jsonschema.Draft7Validator(schema.settings())
MD5 = "0a" * 16
RIGHT: dict[str, object] = {
    "name": "net",
    "version": "v1",
    "source": "http",
    "url": "https://h.example/net.tar",
    "md5": MD5,
}
BLOCKS = [fence for path in documents() for fence in fences(path) if fence.info == "yaml"]


def is_configuration(found: dict[str, object]) -> bool:
    return set(found) <= {key.name for key in setting_keys.KEYS} and not isinstance(found.get("models"), list)


REGISTRIES = [
    *(
        (path.name, path.read_text("utf-8"))
        for path in (REPOSITORY / "models.yaml", *REPOSITORY.glob("examples/*.yaml"))
    ),
    *((str(fence), fence.text) for fence in BLOCKS if re.search(r"^models:$", fence.text, re.MULTILINE)),
]
CONFIGURATIONS = [
    ("envkit.yaml", (REPOSITORY / "envkit.yaml").read_text("utf-8")),
    *((str(fence), fence.text) for fence in BLOCKS if is_configuration(yaml.safe_load(fence.text))),
]


def plain(text: str) -> Any:
    """A document as JSON types, as envkit reads it."""
    root = document.read(text)
    return root.plain() if root else None


def refused(validator: jsonschema.Draft7Validator, document: object) -> set[str]:
    """The places of what is wrong, such as ``models.0.md5``."""
    return {".".join(map(str, error.absolute_path)) for error in validator.iter_errors(document)}


@pytest.mark.parametrize("name", schema.texts())
def test_what_is_published_is_what_is_generated(name: str) -> None:
    text = schema.texts()[name]
    assert (REPOSITORY / "schemas" / name).read_text("utf-8") == text, "run `make schema`"
    jsonschema.Draft7Validator.check_schema(json.loads(text))


def test_files_are_written_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    (tmp_path / schema.MODELS).write_text("old")
    schema.write(tmp_path)
    assert {path.name: path.read_text("utf-8") for path in tmp_path.iterdir()} == dict(schema.texts())


@pytest.mark.parametrize(("name", "text"), REGISTRIES, ids=[name for name, _ in REGISTRIES])
def test_every_registry_of_the_repository_is_right(name: str, text: str) -> None:
    assert refused(MODELS, plain(text)) == set()


@pytest.mark.parametrize(("name", "text"), CONFIGURATIONS, ids=[name for name, _ in CONFIGURATIONS])
def test_every_configuration_of_the_repository_is_right(name: str, text: str) -> None:
    assert refused(SETTINGS, plain(text)) == set()


@pytest.mark.parametrize("path", ["models.yaml", "envkit.yaml", "examples/models.zoo.yaml"])
def test_the_first_line_of_a_file_names_its_schema(path: str) -> None:
    first = (REPOSITORY / path).read_text("utf-8").splitlines()[0]
    named = (REPOSITORY / path).parent / first.removeprefix("# yaml-language-server: $schema=")
    name = schema.SETTINGS if path == "envkit.yaml" else schema.MODELS
    assert named.read_text("utf-8") == schema.texts()[name]


def test_there_are_registries_and_configurations_in_the_documents() -> None:
    assert len(REGISTRIES) > 5
    assert len(CONFIGURATIONS) > 1


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(declarations())
def test_what_is_right_for_the_reader_is_right_for_an_editor(declared: Declared) -> None:
    text = as_yaml({"models": [declared[0]]})
    assert registry.parse(text).models
    assert refused(MODELS, plain(text)) == set()


@pytest.mark.parametrize(
    "more",
    [
        {"version": 1.10},
        {"version": ">=3.3,<4", "index_url": "https://h.example/"},
        {"name": "文字检测"},
        {"md5": 11111111111111111111111111111111},
        {"url": "HTTPS://h.example/a?b=c#d"},
        {"size": 0},
        {"unpack": "none"},
        {"mirrors": "https://h.example/a"},
        {"mirrors": []},
        {"path": ["a", "b/..c/d"]},
        {"metrics": {"top1": "76.8%", "dataset": "coco", "classes": [1], "map": {"value": 0.5, "tolerance": "1%"}}},
        {"metrics": "see the paper", "benchmark": None},
        {"benchmark": {"report": "a.md", "anything": 1}},
        {"benchmark": ["a.md", {"report": "b.md"}]},
        {"anything": {"at": ["all"]}, "task": 5, "revision": {}},
    ],
)
def test_what_is_right_is_taken(more: dict[str, object]) -> None:
    entry = {**RIGHT, **more}
    assert refused(MODELS, {"models": [entry]}) <= ({"models.0.revision"} if "revision" in more else set())


@pytest.mark.parametrize(
    ("entry", "places"),
    [
        ("text", {""}),
        ({}, {""}),
        ({**RIGHT, "name": "../evil"}, {"name"}),
        ({**RIGHT, "name": "a b"}, {"name"}),
        ({**RIGHT, "name": "_a"}, {"name"}),
        ({**RIGHT, "name": "a" * 101}, {"name"}),
        ({**RIGHT, "version": "v1/2"}, {"version"}),
        ({**RIGHT, "version": ["v1"]}, {"version"}),
        ({**RIGHT, "version": "latest"}, {""}),
        ({**RIGHT, "source": "htpp"}, {"source"}),
        ({**RIGHT, "source": "paddlehub"}, {""}),
        ({**RIGHT, "source": "pypi"}, {""}),
        ({**RIGHT, "url": "ftp://h.example/a"}, {"url"}),
        ({**RIGHT, "url": "https://h.example/a b"}, {"url"}),
        ({**RIGHT, "md5": MD5[1:]}, {"md5"}),
        ({**RIGHT, "md5": "x" * 32}, {"md5"}),
        ({**RIGHT, "sha256": MD5}, {"sha256"}),
        ({**RIGHT, "size": "15 MB"}, {"size"}),
        ({**RIGHT, "size": -1}, {"size"}),
        ({**RIGHT, "size": 1.5}, {"size"}),
        ({**RIGHT, "unpack": "rar"}, {"unpack"}),
        ({**RIGHT, "mirrors": ["ftp://h.example/a"]}, {"mirrors.0"}),
        ({**RIGHT, "path": "/a"}, {"path"}),
        ({**RIGHT, "path": "a/../b"}, {"path"}),
        ({**RIGHT, "path": "a\\b"}, {"path"}),
        ({**RIGHT, "path": []}, {"path"}),
        ({**RIGHT, "path": ["a", ".."]}, {"path.1"}),
        ({**RIGHT, "source": "file"}, {""}),
        ({**RIGHT, "source": "file", "path": "a/b"}, {"path"}),
        ({**RIGHT, "source": "file", "path": "/a/"}, {"path"}),
        ({**RIGHT, "source": "pypi", "package": "a>=1", "path": "a/"}, {"package"}),
        ({**RIGHT, "source": "pypi", "package": "a==1"}, {""}),
        ({**RIGHT, "source": "huggingface", "repo": "ocr"}, {"repo"}),
        ({**RIGHT, "source": "huggingface", "repo": "team/ocr", "revision": "a b"}, {"revision"}),
        ({**RIGHT, "metrics": {"top1": "76,8%"}}, {"metrics.top1"}),
        ({**RIGHT, "metrics": {"top1": {"value": "0.7.1"}}}, {"metrics.top1.value"}),
        ({**RIGHT, "metrics": {"top1": {"value": 1, "higher_is_better": "yes"}}}, {"metrics.top1.higher_is_better"}),
        ({**RIGHT, "benchmark": 5}, {"benchmark"}),
        ({**RIGHT, "benchmark": [["a.md"]]}, {"benchmark.0"}),
    ],
)
def test_what_is_wrong_is_refused_at_its_place(entry: object, places: set[str]) -> None:
    assert refused(MODELS, {"models": [entry]}) == {f"models.0.{place}".rstrip(".") for place in places}


@pytest.mark.parametrize(
    ("document", "places"),
    [
        ([], {""}),
        ({}, {""}),
        ({"models": {"a": 1}}, {"models"}),
        ({"models": [], "metrics": {"top1": 0.5}}, {"metrics.top1"}),
        ({"models": [], "metrics": {"top1": {"lower_is_better": True}}}, {"metrics.top1"}),
        ({"models": [], "metrics": {"top1": {"tolerance": "x"}}}, {"metrics.top1.tolerance"}),
    ],
)
def test_what_is_no_registry_is_refused(document: object, places: set[str]) -> None:
    assert refused(MODELS, document) == places


@pytest.mark.parametrize(
    ("document", "places"),
    [
        (None, set()),
        ({"models": "warn", "limit_rate": "1.5G", "notebook": "a/b.ipynb", "store": "~/store"}, set()),
        ({"rewrite": {"https://a.example/": "http://b.example/"}}, set()),
        ({"policy": {"main": "exact", "feature/*": {"versions": "floating", "locked": False}}}, set()),
        ({"review": {"regression": "warn", "docs": "off", "growth": "20%"}}, set()),
        ({"modles": "warn"}, {""}),
        ({"models": "sometimes"}, {"models"}),
        ({"variant": "tpu"}, {"variant"}),
        ({"limit_rate": "fast"}, {"limit_rate"}),
        ({"limit_rate": 5}, {"limit_rate"}),
        ({"notebook": "../a.ipynb"}, {"notebook"}),
        ({"store": "store"}, {"store"}),
        ({"rewrite": {"a.example": "http://b.example/"}}, {"rewrite"}),
        ({"policy": {"main": "exactly"}}, {"policy.main"}),
        ({"policy": {"main": {"version": "exact"}}}, {"policy.main"}),
        ({"review": {"regresion": "warn"}}, {"review"}),
        ({"review": {"regression": "maybe"}}, {"review.regression"}),
    ],
)
def test_what_a_configuration_may_be(document: object, places: set[str]) -> None:
    assert refused(SETTINGS, document) == places


def test_the_table_has_every_key_of_every_source() -> None:
    read = {key for source in SOURCES.values() for key in (source.key, *source.options)}
    assert read | {*keys.ALWAYS, *keys.ALSO_NEEDED["pypi"]} <= set(keys.KNOWN)
    assert set(keys.SOURCES) == set(SOURCES)
    assert len({key.name for key in keys.KEYS}) == len(keys.KEYS)


def test_the_table_has_every_gate_of_the_review() -> None:
    levels = pytest.importorskip("envkit.models.review.levels")
    review = next(key.shape for key in setting_keys.KEYS if key.name == "review")
    assert set(review["properties"]) == {*levels.DEFAULTS, "growth"}
    assert set(review["properties"]["digest"]["enum"]) == set(get_args(levels.Level))


def test_the_table_has_every_rule_of_the_policy() -> None:
    policy = pytest.importorskip("envkit.models.policy.policy")
    shape = next(key.shape for key in setting_keys.KEYS if key.name == "policy")
    presets, rules = shape["additionalProperties"]["anyOf"]
    assert set(presets["enum"]) == set(policy.PRESETS)
    assert set(rules["properties"]) == {field.name for field in fields(policy.Rules)}
    assert set(rules["properties"]["versions"]["enum"]) == set(get_args(policy.Versions))


def test_the_table_has_every_key_of_envkit_yaml() -> None:
    read = {*project_settings._KEYS, project_settings._REWRITE, *project_settings._SECTIONS}
    assert {key.name for key in setting_keys.KEYS} == read
    choices = {key.name: tuple(key.shape["enum"]) for key in setting_keys.KEYS if "enum" in key.shape}
    assert choices == project_settings._CHOICES


@pytest.mark.parametrize("key", [*keys.KEYS, *setting_keys.KEYS], ids=lambda key: str(key.name))
def test_every_key_is_told_in_a_sentence_or_two(key: keys.Key) -> None:
    assert re.fullmatch(r"[A-Z][^\n]{8,118}\.", key.description)
    for example in key.shape.get("examples", ()):
        jsonschema.validate(example, dict(key.shape), jsonschema.Draft7Validator)
