"""What a person sees who writes a registry in VS Code: asked of the very server that it asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import pytest

from envkit.models.registry import keys, schema
from envkit.models.sources import SOURCES
from tests.support import node
from tests.support.language_server import LanguageServer, Opened

pytestmark = pytest.mark.skipif(not node.installed(), reason="scripts/test-tools.sh brings yaml-language-server")

BLANK = " "  # at the end of a line, where no editor takes it away
FIRST_LINE = "# yaml-language-server: $schema=schemas/{}\n"
REGISTRY = f"""\
{FIRST_LINE.format(schema.MODELS)}\
models:
  - name: resnet50
    version: 1.10
    source: paddlehub
    hub_url: https://h.example/resnet50.pdparams
    md5: ca6f485ee1ab0492d38f323885b0ad80
    task: image classification
   {BLANK}
  - name: det
    source:{BLANK}
"""
SETTINGS = f"""\
{FIRST_LINE.format(schema.SETTINGS)}\
models:{BLANK}
policy:
  main:{BLANK}
review:
 {BLANK}
"""

Show = Callable[[str], Opened]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanguageServer]:
    folder = tmp_path_factory.mktemp("project")
    (folder / "schemas").mkdir()
    schema.write(folder / "schemas")
    with LanguageServer(node.YAML_LANGUAGE_SERVER, folder) as running:
        yield running


@pytest.fixture
def show(server: LanguageServer, names: Iterator[str]) -> Show:
    """Opens a text in the editor."""
    return lambda text: server.open(next(names), text)


@pytest.fixture(scope="module")
def names() -> Iterator[str]:
    return (f"{number}.yaml" for number in count())


def test_keys_of_an_entry_are_completed_with_what_they_are_for(show: Show) -> None:
    opened = show(REGISTRY)
    offered = opened.completion(9, 5)
    there = {"name", "version", "source", "hub_url", "md5", "task"}
    assert set(offered) == {key.name for key in keys.KEYS} - there
    told = {key.name: key.description for key in keys.KEYS}
    assert {name: item["documentation"] for name, item in offered.items()} == {name: told[name] for name in offered}


def test_sources_are_completed(show: Show) -> None:
    opened = show(REGISTRY)
    offered = opened.completion(11, 13)
    assert {name: item["documentation"] for name, item in offered.items()} == keys.SOURCES
    assert set(offered) == set(SOURCES)


@pytest.mark.parametrize(
    ("line", "column", "said"),
    [
        (7, 6, "The MD5 of the file, archive or wheel as it is fetched."),
        (7, 6, "ca6f485ee1ab0492d38f323885b0ad80"),
        (6, 20, "Where PaddleHub has the file."),
        (5, 6, "A wheel of the package index that pip is configured for"),
        (2, 2, "The models of this project"),
        (8, 6, "What it is for."),
    ],
)
def test_what_a_key_is_for_is_shown_where_the_pointer_is(show: Show, line: int, column: int, said: str) -> None:
    opened = show(REGISTRY)
    assert said in opened.hover(line, column)


@pytest.mark.parametrize(
    ("old", "new", "line", "column", "message"),
    [
        ("ca6f485e", "ca6f", 7, 10, "Expected 32 hexadecimal digits."),
        ("paddlehub", "paddle", 5, 13, "Value is not accepted. Valid values: "),
        ("paddlehub", "model_zoo_official", 3, 5, 'Missing property "weights_url".'),
        ("https://h.example", "h.example", 6, 14, "Expected an http:// or https:// URL."),
        ("resnet50\n", "../resnet50\n", 3, 11, "Expected letters, digits and . _ + -, a letter or digit first."),
        ("1.10", "latest", 3, 5, 'Missing property "index_url".'),
    ],
)
def test_what_is_wrong_is_marked_where_envkit_would_point(
    show: Show, old: str, new: str, line: int, column: int, message: str
) -> None:
    text = REGISTRY.partition("    \n")[0]
    assert show(text).marks == []
    (found,) = show(text.replace(old, new, 1)).marks
    assert found["range"]["start"] == {"line": line - 1, "character": column - 1}
    assert found["message"].startswith(message)


def test_settings_are_completed_too(show: Show) -> None:
    opened = show(SETTINGS)
    assert {word.strip('"') for word in opened.completion(2, 9)} == {"strict", "warn", "off"}
    assert {"exact", "stable", "floating"} <= set(opened.completion(4, 9))
    offered = opened.completion(6, 3)
    assert {"regression", "digest", "evidence", "licence", "size", "docs"} <= {word.strip('"') for word in offered}
    assert "What a model that is not proven does at a start" in opened.hover(2, 3)
