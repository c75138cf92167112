"""Why a text is no YAML: what the parser says, where the slip behind it is, and what to do about that."""

from __future__ import annotations

import re

import yaml

_CONFLICT = re.compile(r"^(?:<<<<<<<|>>>>>>>) ", re.MULTILINE)
# What YAML allows in no text (https://yaml.org/spec/1.1/#nb-char), and half a surrogate pair.
_CONTROL = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # https://yaml.org/spec/1.1/#b-generic
_ALIKE = "indent the keys of an entry alike"
_QUOTED = "and put a value with a quote in it in quotes of the other kind"
_HINTS = (
    ("mapping values are not allowed", f"{_ALIKE}, and put a value with ': ' in it in quotes"),
    ("could not find expected ':'", "each line is `KEY: VALUE`, or `- ` and a value"),
    ("unexpected end of stream", "close what is opened with a quote"),
    ("',' or ']'", "close what is opened with ["),
    ("',' or '}'", "close what is opened with {"),
    ("unknown escape", "in double quotes a \\ is special, in single quotes it is not"),
    ("alphabetic or numeric", "put a value that begins with * or & in quotes"),
    ("comment or line break", "put a value that begins with > or | in quotes"),
    ("chomping or indentation", "put a value that begins with > or | in quotes"),
    ("whitespace or line break", "put a value that begins with ! in quotes"),
    ("'-' indicator", _ALIKE),
    ("but found '<block mapping start>'", _ALIKE),
    ("expected key", f"{_ALIKE}, {_QUOTED}"),
    ("expected <block end>", f"{_ALIKE}, {_QUOTED}"),
)
# Where the slip is before the place at which the parser gave up.
_EARLIER = ("could not find expected ':'", "unexpected end of stream")

Explained = tuple[int, int, str, "str | None"]
"""Line and column, both from 1, what is wrong, and what to do about it."""


def explain(error: Exception, text: str) -> Explained:
    """Why ``text`` could not be parsed: ``error`` is a `yaml.YAMLError`, or says that it cannot be written as UTF-8."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return _control_character(error, text)
    problem = str(error.problem)
    mark = error.problem_mark
    if error.context_mark is not None and any(words in problem for words in _EARLIER):
        mark = error.context_mark
    # At the end the parsers count a line that the file does not have.
    line, column = (mark.line + 1, mark.column + 1) if mark.index < len(text) else _place(text, len(text.rstrip()))
    return line, column, f"not valid YAML: {problem}", _hint(problem, text[mark.index : mark.index + 1], text)


def has_conflict(text: str) -> bool:
    """Whether a merge left its marks in a text."""
    return bool(_CONFLICT.search(text))


def _hint(problem: str, character: str, text: str) -> str | None:
    if has_conflict(text):
        return "a merge left both sides in it: take either"
    if character == "\t":
        return "that is a tab: indent with blanks"
    if "cannot start any token" in problem:
        return f"put a value that begins with {character} in quotes"
    return next((hint for words, hint in _HINTS if words in problem), None)


def _control_character(error: Exception, text: str) -> Explained:
    found = _CONTROL.search(text)
    if found is None:
        return 1, 1, f"not valid YAML: {' '.join(str(error).split())}", None
    what = f"not valid YAML: a control character (U+{ord(found[0]):04X})"
    return *_place(text, found.start()), what, "remove it"


def _place(text: str, index: int) -> tuple[int, int]:
    ends = [found.end() for found in _BREAK.finditer(text, 0, index)]
    return len(ends) + 1, index - (ends[-1] if ends else 0) + 1
