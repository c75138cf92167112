"""Where a text is no YAML, the place of the slip is told, and what is usually behind it."""

from __future__ import annotations

import pytest
import yaml

from envkit.errors import InputError
from envkit.models.registry import document, registry

ALIKE = "indent the keys of an entry alike"

SLIPS = [
    ("models:\n\t- name: a\n", "2:1", "that is a tab: indent with blanks"),
    ("models:\n  - name: a\n\tversion: 1\n", "3:1", "that is a tab: indent with blanks"),
    ("models:\n  - task: foo: bar\n", "2:14", f"{ALIKE}, and put a value with ': ' in it in quotes"),
    ("models:\n  - name: a\n      version: 1\n", "3:14", f"{ALIKE}, and put a value with ': ' in it in quotes"),
    ("models:\n  - name: a\n   version: 1\n", "3:4", ALIKE),
    ("models:\n  - name: @a\n", "2:11", "put a value that begins with @ in quotes"),
    ("models:\n  - version: >=3.3,<4\n", "2:15", "put a value that begins with > or | in quotes"),
    ("models:\n  - version: *\n", "2:15", "put a value that begins with * or & in quotes"),
    (
        "models:\n  - task: it's\n    name: 'it's'\n",
        "3:15",
        f"{ALIKE}, and put a value with a quote in it in quotes of",
    ),
    ('models:\n  - task: "C:\\models"\n', "2:14", "in double quotes a \\ is special, in single quotes it is not"),
    ('models:\n  - name: "a\n    version: 1\n', "2:11", "close what is opened with a quote"),
    ("models:\n  - name: a\n    version 1\n    md5: x\n", "3:5", "each line is `KEY: VALUE`, or `- ` and a value"),
    ("models:\n  - path: [a\n    version: 1\n", "3:12", "close what is opened with ["),
    ("models:\n  - {name: a\n", "2:13", "close what is opened with {"),
    (
        "models:\n<<<<<<< HEAD\n  - name: a\n=======\n  - name: b\n>>>>>>> x\n",
        "2:1",
        "a merge left both sides in it: ta",
    ),
    ("models:\n  - name: é\x07b\n", "2:12", "remove it"),
    ("models:\n  - name: '🙂\x80'\n", "2:13", "remove it"),
    ("models: [\ud800]\n", "1:10", "remove it"),
]


@pytest.mark.parametrize("loader", [yaml.CSafeLoader, yaml.SafeLoader])
@pytest.mark.parametrize(("text", "place", "hint"), SLIPS)
def test_a_slip_is_told_where_it_is_and_what_to_do(
    text: str, place: str, hint: str | None, loader: type[yaml.SafeLoader], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document, "_Loader", loader)
    with pytest.raises(InputError) as raised:
        registry.parse(text)
    (problem,) = raised.value.problems
    assert problem.message.startswith("not valid YAML: ")
    assert (problem.hint or "").startswith(hint or "")
    # The parsers count a backslash's column from either side of it.
    assert f"{problem.line}:{problem.column}" in (place, place.replace("2:14", "2:15") if "\\" in text else place)
