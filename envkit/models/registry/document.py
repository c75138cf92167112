"""YAML text as values that remember where they stand, without what a registry never needs.

Tags and aliases are refused: the one can name Python objects, the other can make ten lines stand for a gigabyte. The
values are put together here from the parser's flat stream of events, so that nothing recursive ever looks at a document
before its depth is known, and a large registry is read in one pass.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, NoReturn

import yaml

# libyaml is ten times as quick; PyYAML has it in its wheels, but not in every build.
_Loader: type[yaml.SafeLoader | yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MAX_DEPTH = 20
MAX_SCALAR = 64 << 10  # characters
MAX_VALUES = 1_000_000  # a registry of 10,000 entries has some 300,000
_MAX_NUMBER = 300  # characters: a float has as many at most; Python writes no integer of more than 4300 digits
_MAX_REFUSED = 100
_MAX_SHOWN = 80
_NO_KEY = "<not a plain value>"


class Mark(NamedTuple):
    """A place in a text, both counted from 1, columns in characters."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


Complain = Callable[[Mark, str, "str | None"], None]
"""Takes a place, what is wrong there, and what to do about it."""


class NotADocumentError(Exception):
    """The text cannot be read; ``mark`` is where."""

    def __init__(self, mark: Mark, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.mark = mark
        self.message = message
        self.hint = hint


class Field(NamedTuple):
    """A pair of a mapping; ``start`` is the parser's own mark of its key."""

    key: str
    start: object
    value: Value

    @property
    def mark(self) -> Mark:
        """Where the key stands."""
        return _mark(self.start)

    @property
    def place(self) -> Mark:
        """Where to point for what is wrong with the value: at it, or at the key where it begins only below that."""
        found, key = self.value.mark, self.mark
        return found if self.value.scalar or (self.value.scalar is None and found.line == key.line) else key


class Value(NamedTuple):
    """A value of the document: a scalar as it was written, a list, or a mapping.

    ``start`` is the parser's own mark of where it begins. ``items`` are those of a list, ``fields`` the pairs of a
    mapping in their order, keys that occur twice included; each None for anything else. ``quoted`` says of a scalar
    that it is a text, whatever it looks like.
    """

    start: object
    scalar: str | None = None
    quoted: bool = False
    items: tuple[Value, ...] | None = None
    fields: tuple[Field, ...] | None = None

    @property
    def mark(self) -> Mark:
        """Where it begins."""
        return _mark(self.start)

    @property
    def text(self) -> str | None:
        """A scalar as it was written (``1.10`` stays ``1.10``), None for anything else or for an empty one."""
        return self.scalar.strip() or None if self.scalar is not None else None

    @property
    def kind(self) -> str:
        """What it is, as the end of a sentence: for one that has no `text`."""
        if self.scalar is not None:
            return "plain text" if self.text else "empty"
        return "a list" if self.items is not None else "a mapping"

    def plain(self) -> object:
        """The value as JSON types: numbers, booleans and null as YAML reads them, all else as it was written."""
        if self.scalar is not None:
            return self.scalar if self.quoted else _native(self.scalar)
        if self.fields is not None:
            return {field.key: field.value.plain() for field in self.fields}
        return [item.plain() for item in self.items or ()]


def read(text: str, complain: Complain | None = None) -> Value | None:
    """The root of the document, None for an empty one.

    What stands in it that is refused here, and keys that occur twice in one mapping, go to ``complain``; without that
    the first of them is raised. A refused value is there all the same, as it was written.

    Raises:
        NotADocumentError: it is not YAML, or of a size or a depth that is refused.
    """
    try:
        return _Composer(_Loader(text), complain or _refuse).root()
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        from envkit.models.registry import yaml_errors

        line, column, message, hint = yaml_errors.explain(error, text)
        raise NotADocumentError(Mark(line, column), message, hint) from error


def shown(text: str) -> str:
    """A value for a message: in quotes, and cut where it is long."""
    return repr(text) if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]!r}… ({len(text)} characters)"


class _Composer:
    """Events → values, a level of the document on a stack of its own rather than on Python's."""

    def __init__(self, loader: yaml.SafeLoader | yaml.CSafeLoader, complain: Complain) -> None:
        self._next: Callable[[], yaml.Event | None] = loader.get_event
        self._complain = complain
        self._refused = 0
        self._values = 0

    def root(self) -> Value | None:
        levels: list[tuple[object, bool, list[Value]]] = []
        found: list[Value] = []  # of the level that is open
        is_mapping = False
        start: object = None
        while (event := self._next()) is not None:
            if isinstance(event, yaml.ScalarEvent):
                found.append(self._scalar(event))
            elif isinstance(event, yaml.CollectionStartEvent):
                self._check(event)
                if len(levels) == MAX_DEPTH:
                    _refuse(_mark(event.start_mark), f"nested more than {MAX_DEPTH} deep")
                levels.append((start, is_mapping, found))
                start, is_mapping, found = event.start_mark, isinstance(event, yaml.MappingStartEvent), []
            elif isinstance(event, yaml.CollectionEndEvent):
                value = self._mapping(start, found) if is_mapping else Value(start, items=tuple(found))
                start, is_mapping, found = levels.pop()
                found.append(value)
            elif isinstance(event, yaml.AliasEvent):
                found.append(self._alias(event))
            elif isinstance(event, yaml.DocumentStartEvent) and found:
                _refuse(_mark(event.start_mark), "a second document begins here", "a file holds one")
        return found[0] if found and (found[0].scalar != "" or found[0].quoted) else None

    def _scalar(self, event: yaml.ScalarEvent) -> Value:
        self._check(event)
        text = event.value
        if len(text) > MAX_SCALAR:
            hint = f"{MAX_SCALAR} are the most that is read here"
            self._tell(event.start_mark, f"a value of {len(text)} characters", hint)
            text = text[:100]
        return Value(event.start_mark, text, not event.implicit[0])

    def _mapping(self, start: object, found: list[Value]) -> Value:
        fields = tuple(
            [Field(self._key(key), key.start, value) for key, value in zip(found[::2], found[1::2], strict=True)]
        )
        if len({field.key for field in fields}) < len(fields):
            first: dict[str, Field] = {}
            for field in fields:
                if field.key in first and field.key != _NO_KEY:
                    line = first[field.key].mark.line
                    self._tell(field.start, f"{shown(field.key)} is there twice", f"the first is on line {line}")
                first.setdefault(field.key, field)
        return Value(start, fields=fields)

    def _key(self, value: Value) -> str:
        if value.scalar is not None:
            return value.scalar
        self._tell(value.start, f"{value.kind} as a key", "if it is meant as text, put it in quotes")
        return _NO_KEY

    def _alias(self, event: yaml.AliasEvent) -> Value:
        self._tell(event.start_mark, "aliases (`*name`) are not read here", "write the value out")
        return Value(event.start_mark, f"*{event.anchor}")

    def _check(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        self._values += 1
        if self._values > MAX_VALUES:
            _refuse(_mark(event.start_mark), f"more than {MAX_VALUES} values", "no registry has as many")
        if event.tag is not None:
            hint = "leave the tag away, or put the value in quotes if it is meant as text"
            self._tell(event.start_mark, f"tags ({event.tag[:_MAX_SHOWN]}) are not read here", hint)

    def _tell(self, start: object, message: str, hint: str | None) -> None:
        self._refused += 1
        if self._refused > _MAX_REFUSED:
            _refuse(_mark(start), f"more than {_MAX_REFUSED} things that are not read here")
        self._complain(_mark(start), message, hint)


def _native(text: str) -> object:
    if len(text) <= _MAX_NUMBER:
        for tag, pattern in _IMPLICIT.get(text[:1], ()):
            if pattern.match(text):
                with suppress(ValueError):  # `0x_` has the form of a number, and is none
                    found = yaml.constructor.SafeConstructor().construct_document(yaml.ScalarNode(tag, text))
                    if not isinstance(found, float) or math.isfinite(found):
                        return found
                break
    return text


_NATIVE = {f"tag:yaml.org,2002:{name}" for name in ("int", "float", "bool", "null")}
_IMPLICIT: dict[str, list[tuple[str, re.Pattern[str]]]] = {
    first: [(tag, pattern) for tag, pattern in patterns if tag in _NATIVE]
    for first, patterns in yaml.resolver.Resolver.yaml_implicit_resolvers.items()
}
"""What a scalar may be besides text, by its first character: a look there is all that most take."""


def _refuse(mark: Mark, message: str, hint: str | None = None) -> NoReturn:
    raise NotADocumentError(mark, message, hint)


def _mark(mark: object) -> Mark:
    # libyaml's marks are of another class than PyYAML's own; both count from 0.
    return Mark(getattr(mark, "line", 0) + 1, getattr(mark, "column", 0) + 1)
