"""A snapshot's file → `Snapshot`, or what is wrong with it."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from envkit.errors import InputError
from envkit.runs.snapshot import SCHEMA, Snapshot

_WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def read(path: Path) -> Snapshot:
    """Read a snapshot.

    Raises:
        InputError: there is none, or it is none that this envkit reads.
    """
    try:
        data = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        hint = "expected the JSON that `envkit snapshot` writes"
        raise InputError(f"{path}: no snapshot: {error}", hint=hint) from error
    found = data.get("schema") if isinstance(data, dict) else None
    if found != SCHEMA:
        raise InputError(f"{path}: no snapshot that this envkit reads: schema is {found!r}, not {SCHEMA}")
    try:
        return typing.cast(Snapshot, _value(Snapshot, data, ""))
    except _UnexpectedError as error:
        raise InputError(f"{path}: {error}") from error


class _UnexpectedError(Exception):
    pass


def _value(kind: Any, data: Any, place: str) -> Any:
    """``data`` as a value of ``kind``: a dataclass, a tuple of one kind, a mapping of texts, a plain type, or None."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:
        (kind,) = (choice for choice in arguments if choice is not type(None))
        return None if data is None else _value(kind, data, place)
    if dataclasses.is_dataclass(kind):
        return _record(kind, data, place)
    if origin is tuple:
        items = _of(list, data, place, "a list")
        return tuple(_value(arguments[0], item, f"{place}[{index}]") for index, item in enumerate(items))
    if origin is Mapping:
        pairs = _of(dict, data, place, "an object").items()
        return {key: _value(arguments[1], value, f"{place}.{key}") for key, value in pairs}
    if kind is float and type(data) is int:
        return float(data)
    if type(data) is not kind:
        raise _UnexpectedError(f"{place}: expected {_WORDS[kind]}, got {_shown(data)}")
    return data


def _record(kind: Any, data: Any, place: str) -> Any:
    found = _of(dict, data, place, "an object")
    hints = typing.get_type_hints(kind)
    values = {}
    for name, hint in hints.items():
        if name not in found:
            raise _UnexpectedError(f"{place or 'the document'}: there is no {name!r}")
        values[name] = _value(hint, found[name], f"{place}.{name}" if place else name)
    return kind(**values)


def _of(kind: type, data: Any, place: str, words: str) -> Any:
    if not isinstance(data, kind):
        raise _UnexpectedError(f"{place}: expected {words}, got {_shown(data)}")
    return data


def _shown(data: Any) -> str:
    text = json.dumps(data)
    return text if len(text) <= 40 else f"{text[:39]}…"
