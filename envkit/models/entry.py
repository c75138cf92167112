"""One entry of ``models.yaml`` → a `Model`, or every problem it has."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import cast

from envkit.models import spelling, urls
from envkit.models.document import Value
from envkit.models.model import Artifact, Digests, Model, Unpack
from envkit.models.sources import SOURCES, Source

Complain = Callable[[int, str, "str | None"], None]
"""Takes a line, what is wrong there, and what to do about it."""

# A letter or digit of any script first: no hidden file, no option, no way out of checkpoints/.
_NAME = re.compile(r"[^\W_][\w.+-]*")
_MAX_NAME = 100  # bytes: name, version and suffix share the 255 that a file name may have
_HEX_DIGITS = {"md5": 32, "sha256": 64}
_OWN = "leave it away: the source names those of each file"
_OF_ONE_FILE = {"md5": _OWN, "sha256": _OWN, "size": _OWN, "mirrors": "a mirror is the URL of one file"}
_UNPACK = {"tar": "tar", "zip": "zip", "none": None}
_LOCATORS = tuple(source.key for source in SOURCES.values())
_OPTIONS = tuple(option for source in SOURCES.values() for option in source.options)
_ALWAYS = ("name", "version", "source")
_MEMBERS = "path"
_BYTES = ("md5", "sha256", "size", "unpack", "mirrors")
KNOWN_KEYS = tuple(dict.fromkeys((*_ALWAYS, *_LOCATORS, *_OPTIONS, _MEMBERS, *_BYTES)))
"""The keys that decide which bytes end up where. All others are metadata, and free."""


def read_entry(entry: Value, position: int, complain: Complain) -> Model | None:
    """Read the ``position``-th entry (from 1); None after complaining of everything that is wrong with it."""
    fields = entry.fields
    if fields is None:
        complain(entry.line, f"model #{position} is not a mapping", "write `- name: …`, and its keys below")
        return None
    return _Reader(entry.line, fields, position, complain).model()


class _Reader:
    """The fields of one entry, and whether any of them was complained of."""

    def __init__(self, line: int, fields: tuple[tuple[str, Value], ...], position: int, complain: Complain) -> None:
        self.line = line
        self.fields = dict(fields)
        self.complain_to = complain
        self.faulty = False
        name = self.fields["name"].text if "name" in self.fields else None
        self.label = f"model {name!r}" if name else f"model #{position}"
        self._check_keys(fields)

    def model(self) -> Model | None:
        name, version = self._name("name"), self._name("version")
        source_name, source = self._source()
        digests = Digests(self._digest("md5"), self._digest("sha256"), self._size())
        mirrors = self._mirrors()
        locator = self._locator(source_name, source) if source else None
        many = source is not None and source.holds_many(locator or "")
        unpack = self._unpack(source, locator) if source and locator else None
        paths = self._paths(source) if source else ()
        # Of a locator that is wrong nobody can say whether it pins the bytes.
        pinned = source.is_proof(locator) if source and locator else many
        self._check_proof(pinned=pinned, is_set=many and not urls.are_one_file(paths))
        if source and locator:
            self._check_paths(source_name, unpack, paths, many=many)
        if self.faulty or source is None or locator is None:
            return None
        suffix = _suffix(source.filename(locator), paths, inside=unpack is not None or many)
        return Model(
            name=name,
            version=version,
            line=self.line,
            artifact=Artifact(source_name, locator, digests, mirrors, paths if many else ()),
            unpack=unpack,
            paths=paths,
            suffix=suffix,
            is_folder=(unpack is not None or many) and not suffix,
            metadata=self._metadata(source),
        )

    def _metadata(self, source: Source) -> dict[str, object]:
        """Every key that means nothing here, such as `repo` where the source is a URL."""
        read = {*_ALWAYS, source.key, *source.options, _MEMBERS, *_BYTES}
        return {key: value.plain() for key, value in self.fields.items() if key not in read}

    def complain(self, line: int, message: str, hint: str | None = None) -> None:
        self.faulty = True
        self.complain_to(line, f"{self.label} {message}", hint)

    def _check_keys(self, fields: tuple[tuple[str, Value], ...]) -> None:
        seen: dict[str, int] = {}
        for key, value in fields:
            if key in seen:
                self.complain(value.line, f"has {key!r} twice", f"the first is on line {seen[key]}")
            seen.setdefault(key, value.line)
            if key not in KNOWN_KEYS and (meant := spelling.near(key, KNOWN_KEYS)):
                self.complain(value.line, f"has unknown key {key!r}", f"did you mean {meant!r}?")

    def _text(self, key: str) -> tuple[int, str] | None:
        """Line and text of a field that is there; complains where it is no plain value."""
        if key not in self.fields:
            return None
        value = self.fields[key]
        if value.text is None:
            self.complain(value.line, f"has a {key} that is empty or not a plain value")
            return None
        return value.line, value.text

    def _required(self, key: str, hint: str | None = None) -> tuple[int, str] | None:
        if key not in self.fields:
            self.complain(self.line, f"has no {key}", hint)
        return self._text(key)

    def _name(self, key: str) -> str:
        line, text = self._required(key) or (0, "")
        if text and not _NAME.fullmatch(text):
            self.complain(line, f"has {key} {text!r}", "letters, digits and . _ + - only, a letter or digit first")
        elif len(text.encode()) > _MAX_NAME:
            self.complain(line, f"has a {key} of more than {_MAX_NAME} bytes")
        return text

    def _source(self) -> tuple[str, Source | None]:
        known = f"known sources: {', '.join(sorted(SOURCES))}"
        line, name = self._required("source", known) or (0, "")
        if name and name not in SOURCES:
            meant = spelling.near(name, SOURCES)
            self.complain(line, f"has unknown source {name!r}", f"did you mean {meant!r}? {known}" if meant else known)
        return name, SOURCES.get(name)

    def _locator(self, source_name: str, source: Source) -> str | None:
        others = [key for key in _LOCATORS if key in self.fields and key not in (source.key, _MEMBERS)]
        hint = f"source {source_name!r} goes by {source.key!r}" + (f", not by {others[0]!r}" if others else "")
        if self._required(source.key, hint) is None:
            return None
        found = {key: text for key in (source.key, *source.options) if (text := self._text(key))}
        if any(key in self.fields and key not in found for key in source.options):
            return None
        values = {key: text for key, (_, text) in found.items()}
        if problem := source.problem(values):
            # Not shown: what is no URL cannot be freed of the secrets in it.
            key, why = problem
            self.complain(found[key][0] if key in found else self.line, f"has a {key} that {why}")
            return None
        return source.locator(values)

    def _mirrors(self) -> tuple[str, ...]:
        if "mirrors" not in self.fields:
            return ()
        value = self.fields["mirrors"]
        urls_given = [self._mirror(item) for item in (value.items if value.items is not None else (value,))]
        return tuple(dict.fromkeys(url for url in urls_given if url))

    def _mirror(self, value: Value) -> str | None:
        problem = urls.problem(value.text) if value.text else "is empty or not a plain value"
        if problem:
            self.complain(value.line, f"has a mirror that {problem}")
        return value.text

    def _digest(self, key: str) -> str | None:
        found = self._text(key)
        if found is None:
            return None
        line, text = found
        if not re.fullmatch(rf"[0-9a-fA-F]{{{_HEX_DIGITS[key]}}}", text):
            what = f"{len(text)} characters" if len(text) != _HEX_DIGITS[key] else "others among them"
            self.complain(line, f"has {key} {text!r}", f"expected {_HEX_DIGITS[key]} hexadecimal digits, got {what}")
        return text.lower()

    def _size(self) -> int | None:
        found = self._text("size")
        if found is None:
            return None
        line, text = found
        if not re.fullmatch(r"[0-9]{1,18}", text):
            self.complain(line, f"has size {text!r}", "expected a whole number of bytes")
            return None
        return int(text)

    def _unpack(self, source: Source, locator: str) -> Unpack | None:
        found = self._text("unpack")
        if found is None:
            return urls.archive_kind(source.filename(locator))
        line, text = found
        if text not in _UNPACK:
            self.complain(line, f"has unpack {text!r}", f"expected one of: {', '.join(_UNPACK)}")
        elif _UNPACK[text] and source.holds_many(locator):
            self.complain(line, "has unpack, but its files are taken as they are", "leave it away")
        return cast("Unpack | None", _UNPACK.get(text))

    def _paths(self, source: Source) -> tuple[str, ...]:
        if "path" not in self.fields or source.key == _MEMBERS:
            return ()
        value = self.fields["path"]
        items = value.items if value.items is not None else (value,)
        if not items:
            self.complain(value.line, "has an empty list as its path")
        return tuple(self._path(item) for item in items)

    def _path(self, value: Value) -> str:
        text = value.text or ""
        path = PurePosixPath(text)
        if not path.parts or path.is_absolute() or ".." in path.parts or "\\" in text:
            self.complain(value.line, f"has path {text!r}", "expected a path inside, from its root")
        return f"{path}/" if text.endswith("/") else str(path)

    def _check_proof(self, *, pinned: bool, is_set: bool) -> None:
        """Complain where nothing says which bytes are the right ones, or something that cannot be true of a set."""
        for key in (key for key in _OF_ONE_FILE if is_set and key in self.fields):
            self.complain(self.fields[key].line, f"has {key} of a set of files", _OF_ONE_FILE[key])
        if pinned:
            return
        if is_set:
            line = self.fields["revision"].line if "revision" in self.fields else self.line
            hint = "name a commit, 40 hexadecimal digits: a set of files is proven by what it had then"
            self.complain(line, "has no commit as its revision", hint)
        elif "md5" not in self.fields and "sha256" not in self.fields:
            self.complain(self.line, "has neither md5 nor sha256", "without one its bytes cannot be proven")

    def _check_paths(self, source_name: str, unpack: Unpack | None, paths: tuple[str, ...], *, many: bool) -> None:
        if source_name == "pypi" and not paths:
            self.complain(self.line, "has no path", "name the file or folder inside the wheel")
        if paths and unpack is None and not many:
            self.complain(self.fields["path"].line, "has a path, but its artifact is no archive", "unpack: tar or zip")


def _suffix(filename: str, paths: tuple[str, ...], *, inside: bool) -> str:
    if not inside:
        return urls.suffix(filename)
    return urls.suffix(paths[0]) if urls.are_one_file(paths) else ""
