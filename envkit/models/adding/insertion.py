"""An entry more in the text of ``models.yaml``, and not one other byte changed.

The place is found by the parser's events, and the entry is written the way that its neighbours are: same indentation,
same line ends, in braces where they are. Round-trip emitters keep comments too, but write the whole file anew by their
own rules, and what they change on the way ends up in somebody's review.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import yaml

from envkit.models.registry import document

Fields = Mapping[str, "str | int | Sequence[str]"]
"""An entry: its keys in their order."""

_LIST = "models"
# Numbers for readers of YAML 1.2, which PyYAML, of 1.1, takes for text.
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+")


class NoPlaceError(Exception):
    """The list is written in a way that nothing can be put into without changing more than that."""


def appended(text: str, entry: Fields) -> str:
    """``text`` with one entry more at the end of its list of models.

    Raises:
        NoPlaceError: there is no such list, or none that can be added to.
    """
    try:
        found = _find(text)
        added = _with(text, found, entry)
        before, after = _plain(text), _plain(added)
    except (yaml.YAMLError, document.NotADocumentError, IndexError) as error:
        raise NoPlaceError from error
    expected = {**before, _LIST: [*(before[_LIST] or []), {key: _as_read(value) for key, value in entry.items()}]}
    if after != expected:
        raise NoPlaceError
    return added


def block(entry: Fields, dash: str = "- ", end: str = "\n", indent: int = 2) -> str:
    """An entry as lines of its own, for a list whose dashes are ``indent`` deep."""
    deeper, lines = " " * (indent + len(dash)), []
    for key, value in entry.items():
        if isinstance(value, (str, int)):
            lines.append(f"{key}: {_scalar(key, value)}")
        else:
            lines += [f"{key}:", *(f"  - {_scalar(key, item)}" for item in value)]
    return "".join(f"{' ' * indent + dash if place == 0 else deeper}{line}{end}" for place, line in enumerate(lines))


def _plain(text: str) -> dict[str, Any]:
    root = document.read(text)
    found = root.plain() if root else None
    if not isinstance(found, dict):
        raise NoPlaceError
    return found


def _as_read(value: str | int | Sequence[str]) -> object:
    return value if isinstance(value, (str, int)) else [*value]


# --- where ---------------------------------------------------------------------------------------------------------


class _Event(NamedTuple):
    """One of the parser's: ``kind`` is ``scalar``, ``start`` or ``end``. Offsets count characters, columns from 0.

    ``flow`` says of a start that it is a bracket or a brace, ``style`` how a scalar is quoted.
    """

    kind: str
    begin: int
    end: int
    column: int
    value: str | None
    flow: bool
    style: str | None


_Item = Sequence[_Event]


@dataclass(frozen=True)
class _Place:
    """The value of ``models``, from its first event to its last, and the events of each of its items.

    ``braces`` says that the mapping around it is in braces.
    """

    first: _Event
    last: _Event
    items: tuple[_Item, ...]
    braces: bool


def _events(text: str) -> list[_Event]:
    found = []
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        begin, end = event.start_mark, event.end_mark
        kind = "scalar" if isinstance(event, (yaml.ScalarEvent, yaml.AliasEvent)) else ""
        kind = "start" if isinstance(event, yaml.CollectionStartEvent) else kind
        kind = "end" if isinstance(event, yaml.CollectionEndEvent) else kind
        if kind and begin and end:
            details = (getattr(event, name, None) for name in ("value", "flow_style", "style"))
            value, flow, style = details
            found.append(_Event(kind, begin.index, end.index, begin.column, value, bool(flow), style))
    return found


def _find(text: str) -> _Place:
    events = _events(text)
    at = 1
    while events[at].kind != "end":
        value = _after(events, at)
        end = _after(events, value)
        if events[at].value == _LIST:
            return _Place(events[value], events[end - 1], _items(events[value:end]), events[0].flow)
        at = end
    raise NoPlaceError


def _items(events: Sequence[_Event]) -> tuple[_Item, ...]:
    found, at = [], 1
    while at < len(events) - 1:
        after = _after(events, at)
        found.append(events[at:after])
        at = after
    return tuple(found)


def _after(events: Sequence[_Event], at: int) -> int:
    """The place of the event after the value that begins at one."""
    depth = 0
    while True:
        depth += (events[at].kind == "start") - (events[at].kind == "end")
        at += 1
        if depth == 0:
            return at


# --- how -----------------------------------------------------------------------------------------------------------


def _with(text: str, place: _Place, entry: Fields) -> str:
    start, end = place.first.begin, place.last.end
    if place.items:
        return _in_brackets(text, place, entry) if place.first.flow else _after_the_last(text, place, entry)
    if not place.first.flow:
        return _below(text, end, entry)
    if place.braces or text[start + 1 : end - 1].strip():
        # What stands between the brackets is a comment.
        return text[: end - 1] + _braces(entry, as_json=True) + text[end - 1 :]
    before = text[:start].rstrip(" ")
    return _below(before + text[end:], len(before), entry)


def _below(text: str, at: int, entry: Fields) -> str:
    """The first entry, below a key that had no value."""
    at = _past_comments(text, _line_end(text, at), 0)
    return _spliced(text, at, block(entry, end=_end_of_lines(text)))


def _after_the_last(text: str, place: _Place, entry: Fields) -> str:
    last, end, column = place.items[-1], _end_of_lines(text), place.first.column
    beside_its_dash = text[: last[0].begin].rpartition("\n")[2].strip() == "-"
    gap = last[0].column - column - 1 if beside_its_dash else 1
    at = _past_comments(text, _content_end(text, last), column)
    written = block(entry, "-" + " " * gap, end, column)
    if last[0].flow:
        written = f"{' ' * column}-{' ' * gap}{_braces(entry, as_json=_is_json(last))}{end}"
    return _spliced(text, at, (end if _are_apart(text, place) else "") + written)


def _in_brackets(text: str, place: _Place, entry: Fields) -> str:
    last, bracket = place.items[-1], place.last.begin
    at = last[-1].end
    written = _braces(entry, as_json=_is_json(last))
    rest = text[at:bracket]
    if "\n" not in text[place.first.begin : bracket]:
        return f"{text[:at]}, {written}{text[at:]}"
    line = text[: last[0].begin].rpartition("\n")[2]
    indent, end = line[: len(line) - len(line.lstrip())], _end_of_lines(text)
    if "\n" not in rest:
        return f"{text[:at]},{end}{indent}{written}{text[at:]}"
    comma = "," if "," in re.sub(r"#.*", "", rest) else ""
    behind = _line_end(text, at)
    return f"{text[:at]}{'' if comma else ','}{text[at:behind]}{indent}{written}{comma}{end}{text[behind:]}"


def _spliced(text: str, at: int, written: str) -> str:
    """With lines put in at the beginning of a line, or at the end of a text that need not end in one."""
    begun = "" if at == 0 or text[at - 1] == "\n" else _end_of_lines(text)
    return text[:at] + begun + written + text[at:]


def _content_end(text: str, item: _Item) -> int:
    """The offset of the line after an item."""
    # Of what has no brackets, the end is only where something else begins.
    last = next(event for event in reversed(item) if event.kind == "scalar" or event.end > event.begin)
    end = last.end
    if last.style in ("|", ">"):
        if "+" in text[last.begin :].partition("\n")[0]:
            return end  # the blank lines behind it are part of it
        end = len(text[:end].rstrip())
    return _line_end(text, end)


def _line_end(text: str, at: int) -> int:
    """Where the next line begins."""
    found = text.find("\n", at)
    return len(text) if found < 0 else found + 1


def _past_comments(text: str, at: int, column: int) -> int:
    """Past the comments from there that are deeper than ``column``: they are about what stands above them."""
    reached = at
    while at < len(text):
        line = text[at : _line_end(text, at)]
        at += len(line)
        stripped = line.strip()
        if stripped.startswith("#") and len(line) - len(line.lstrip(" ")) > column:
            reached = at
        elif stripped:
            break
    return reached


def _are_apart(text: str, place: _Place) -> bool:
    """Whether there is a blank line between the entries."""
    if len(place.items) < 2:
        return False
    between = text[_content_end(text, place.items[-2]) : place.items[-1][0].begin]
    return any(not line.strip() for line in between.split("\n")[:-1])


def _end_of_lines(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _is_json(item: _Item) -> bool:
    return len(item) > 1 and item[1].style == '"'


def _braces(entry: Fields, *, as_json: bool) -> str:
    if as_json:
        return json.dumps({key: _as_read(value) for key, value in entry.items()}, ensure_ascii=False)
    pairs = []
    for key, value in entry.items():
        if isinstance(value, (str, int)):
            pairs.append(f"{key}: {_scalar(key, value)}")
        else:
            pairs.append(f"{key}: [{', '.join(_scalar(key, item) for item in value)}]")
    return "{" + ", ".join(pairs) + "}"


def _scalar(key: str, value: str | int) -> str:
    """A value as plain text where every reader takes it for that, else in quotes."""
    if isinstance(value, int):
        return str(value)
    quoted = json.dumps(value, ensure_ascii=False)
    if _NUMBER.fullmatch(value) or (key == "version" and not value[:1].isalpha()):
        return quoted
    try:
        same = yaml.safe_load(f"a: {value}") == yaml.safe_load(f"{{a: {value}}}") == {"a": value}
    except yaml.YAMLError:
        return quoted
    return value if same else quoted
