"""YAML text as mappings that remember their lines, without what a registry never needs.

Tags and aliases are refused: the one can name Python objects, the other can make ten lines stand for a gigabyte. Both
are found in the flat stream of parser events, before anything recursive looks at the document.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass

import yaml

# libyaml is ten times as quick; PyYAML has it in its wheels, but not in every build.
_Loader: type[yaml.SafeLoader | yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_DEPTH = 20
_MAX_NUMBER = 300  # characters: a float has as many at most; Python writes no integer of more than 4300 digits
_NATIVE = {f"tag:yaml.org,2002:{name}" for name in ("int", "float", "bool", "null")}


class NotADocumentError(Exception):
    """The text cannot be read; ``line`` is where (from 1)."""

    def __init__(self, line: int, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.line = line
        self.message = message
        self.hint = hint


@dataclass(frozen=True)
class Value:
    """A value of the document and the line it starts on."""

    line: int
    node: yaml.Node

    @property
    def text(self) -> str | None:
        """A scalar as it was written (``1.10`` stays ``1.10``), None for anything else or for an empty one."""
        if isinstance(self.node, yaml.ScalarNode):
            return str(self.node.value).strip() or None
        return None

    @property
    def items(self) -> tuple[Value, ...] | None:
        """The items of a list, None for anything else."""
        if isinstance(self.node, yaml.SequenceNode):
            return tuple(_value(item) for item in self.node.value)
        return None

    @property
    def fields(self) -> tuple[tuple[str, Value], ...] | None:
        """The pairs of a mapping in their order, keys that occur twice included; None for anything else."""
        if isinstance(self.node, yaml.MappingNode):
            return tuple((_plain_key(key), Value(_line(key), value)) for key, value in self.node.value)
        return None

    def plain(self) -> object:
        """The value as JSON types: numbers, booleans and null as YAML reads them, all else as it was written."""
        if (fields := self.fields) is not None:
            return {key: value.plain() for key, value in fields}
        if (items := self.items) is not None:
            return [item.plain() for item in items]
        if self.node.tag in _NATIVE and len(self.node.value) <= _MAX_NUMBER:
            with suppress(ValueError):  # `0x_` has the form of a number, and is none
                found = yaml.constructor.SafeConstructor().construct_document(self.node)
                if not isinstance(found, float) or math.isfinite(found):
                    return found
        return str(self.node.value)


def read(text: str) -> Value | None:
    """The root of the document, None for an empty one.

    Raises:
        NotADocumentError: it is not YAML, or uses what is refused here.
    """
    try:
        _refuse_constructs(text)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise NotADocumentError(_mark_line(error.problem_mark), f"not valid YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise NotADocumentError(1, f"not valid YAML: {' '.join(str(error).split())}") from error
    return None if node is None else _value(node)


def _refuse_constructs(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        line = _mark_line(event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            raise NotADocumentError(line, "aliases (`*name`) are not read here", "write the value out")
        if (tag := getattr(event, "tag", None)) is not None:
            raise NotADocumentError(line, f"tags ({tag}) are not read here", "leave the tag away")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise NotADocumentError(line, f"nested more than {_MAX_DEPTH} deep")


def _value(node: yaml.Node) -> Value:
    return Value(_line(node), node)


def _line(node: yaml.Node) -> int:
    return _mark_line(node.start_mark)


def _mark_line(mark: object) -> int:
    # libyaml's marks are of another class than PyYAML's own; both count lines from 0.
    return int(getattr(mark, "line", 0)) + 1


def _plain_key(node: yaml.Node) -> str:
    # A list or a mapping as a key is none that we know, whatever is in it.
    return str(node.value) if isinstance(node, yaml.ScalarNode) else "<not a plain value>"
