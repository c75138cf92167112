"""One entry of ``models.yaml`` → a `Model`, or every problem it has."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import cast

from envkit.models import spelling, urls, versions
from envkit.models.model import Artifact, Digests, Model, Unpack
from envkit.models.registry import keys, measured, shapes
from envkit.models.registry.complaints import Complaints
from envkit.models.registry.document import Field, Mark, Value, shown
from envkit.models.sources import SOURCES, Source

# A letter or digit of any script first: no hidden file, no option, no way out of checkpoints/.
NAME = re.compile(r"[^\W_][\w.+-]*")
_ALLOWED = "letters, digits and . _ + - only, a letter or digit first"
_DIGESTS = {key: re.compile(shapes.HEXADECIMAL % digits) for key, digits in shapes.DIGITS.items()}
_SIZE = re.compile(r"[0-9]{1,18}")
_OWN = "leave it away: the source names those of each file"
_OF_ONE_FILE = {"md5": _OWN, "sha256": _OWN, "size": _OWN, "mirrors": "a mirror is the URL of one file"}
_LOCATORS = tuple(source.key for source in SOURCES.values())
_KNOWN_SOURCES = f"known sources: {', '.join(sorted(SOURCES))}"
_READ = {
    name: {*keys.ALWAYS, source.key, *source.options, keys.MEMBERS, *shapes.DIGITS, "size", "unpack", "mirrors"}
    for name, source in SOURCES.items()
}
_MEASURED = {"metrics": measured.check_metrics, "benchmark": measured.check_benchmark}
_LONGEST = 2 * max(map(len, keys.KNOWN))


def read_entry(entry: Value, position: int, complaints: Complaints) -> Model | None:
    """Read the ``position``-th entry (from 1); None after complaining of everything that is wrong with it."""
    if entry.fields is None:
        what = f"model #{position} is not a mapping, but {shown(entry.text) if entry.text else entry.kind}"
        complaints.complain(entry.mark, what, "write `- name: …`, and its keys below")
        return None
    return _Reader(entry, entry.fields, position, complaints).model()


def is_name(text: str) -> bool:
    """Whether a text may be a name or a version: what cannot lead out of ``checkpoints/``."""
    return bool(NAME.fullmatch(text)) and len(text.encode()) <= keys.MAX_NAME


class _Reader:
    """The fields of one entry, and whether any of them was complained of."""

    def __init__(self, entry: Value, fields: tuple[Field, ...], position: int, complaints: Complaints) -> None:
        self.entry = entry
        self.fields = {field.key: field for field in fields}
        self.position = position
        self.complaints = complaints
        self.faulty = False
        self._check_keys(fields)

    def model(self) -> Model | None:
        name, version = self._name("name"), self._version()
        source_name, source = self._source()
        digests = Digests(self._digest("md5"), self._digest("sha256"), self._size())
        mirrors = self._mirrors()
        values = self._values(source_name, source, version) if source else {}
        locator = source.locator(values) if source and values else None
        many = source is not None and source.holds_many(locator or "")
        unpack = self._unpack(source, locator)
        paths = self._paths(source) if source else ()
        if many and not urls.are_one_file(paths):
            self._check_set()
        if source and keys.MEMBERS not in self.fields and keys.MEMBERS in keys.ALSO_NEEDED.get(source_name, ()):
            self.complain(self.entry.mark, "has no path", "name the file or folder inside the wheel")
        if locator and paths and unpack is None and not many:
            self._blame(keys.MEMBERS, "has a path, but its artifact is no archive", "unpack: tar or zip")
        if self.faulty or source is None or locator is None:
            return None
        suffix = _suffix(source.filename(locator), paths, inside=unpack is not None or many)
        return Model(
            name=name,
            version=version,
            artifact=Artifact(source_name, locator, digests, mirrors, paths if many else ()),
            unpack=unpack,
            paths=paths,
            suffix=suffix,
            is_folder=(unpack is not None or many) and not suffix,
            floats=versions.is_wish(version),
            mark=self.entry.mark,
            marks={key: field.place for key, field in self.fields.items()},
            asked={"source": source_name, **values, **({"path": "\n".join(paths)} if many and paths else {})},
            metadata=self._metadata(source_name),
        )

    def _metadata(self, source_name: str) -> dict[str, object]:
        """Every key that means nothing here, such as `repo` where the source is a URL."""
        read = _READ[source_name]
        return {key: field.value.plain() for key, field in self.fields.items() if key not in read}

    def complain(self, mark: Mark, message: str, hint: str | None = None) -> None:
        self.faulty = True
        self.complaints.complain(mark, f"{self._label()} {message}", hint)

    def warn(self, mark: Mark, message: str, hint: str | None = None) -> None:
        self.complaints.warn(mark, f"{self._label()} {message}", hint)

    def _blame(self, key: str, message: str, hint: str | None = None) -> None:
        """Complain of the value of a key, or of the entry for want of it."""
        self.complain(self.fields[key].place if key in self.fields else self.entry.mark, message, hint)

    def _label(self) -> str:
        name = self.fields["name"].value.text if "name" in self.fields else None
        return f"model {shown(name)}" if name else f"model #{self.position}"

    def _check_keys(self, fields: tuple[Field, ...]) -> None:
        for field in fields:
            if field.key in _MEASURED:
                _MEASURED[field.key](field, self)
            elif len(field.key) <= _LONGEST and (meant := _meant(field.key)):
                # A slip of what decides no bytes breaks nothing, and may be a word of the team's own.
                tell = self.warn if meant in _MEASURED else self.complain
                tell(field.mark, f"has unknown key {shown(field.key)}", f"did you mean {meant!r}?")

    def _text(self, key: str) -> str | None:
        """The text of a field that is there; complains where it is no plain value."""
        field = self.fields.get(key)
        if field is None:
            return None
        if (text := field.value.text) is None:
            self._blame(key, f"has a {key} that is {field.value.kind}", "expected plain text")
        return text

    def _required(self, key: str, hint: str | None = None) -> str:
        if key not in self.fields:
            self.complain(self.entry.mark, f"has no {key}", hint)
        return self._text(key) or ""

    def _name(self, key: str) -> str:
        text = self._required(key)
        if text and not is_name(text):
            long = bool(NAME.fullmatch(text))
            self._blame(key, f"has {key} {shown(text)}", f"{keys.MAX_NAME} bytes are the most" if long else _ALLOWED)
        return text

    def _version(self) -> str:
        field = self.fields.get("version")
        text = field.value.text if field else None
        if text is None or not versions.is_wish(text):
            return self._name("version")
        if problem := versions.problem(text):
            self._blame("version", f"has version {shown(text)}", problem)
        return text

    def _source(self) -> tuple[str, Source | None]:
        name = self._required("source", _KNOWN_SOURCES)
        source = SOURCES.get(name)
        if name and source is None:
            meant = spelling.near(name, SOURCES) or spelling.beginning(name, SOURCES)
            hint = f"did you mean {meant!r}? {_KNOWN_SOURCES}" if meant else _KNOWN_SOURCES
            self._blame("source", f"has unknown source {shown(name)}", hint)
        return name, source

    def _values(self, source_name: str, source: Source, version: str) -> dict[str, str]:
        """The values that make the locator; none where they cannot."""
        if source.key not in self.fields:
            others = [key for key in _LOCATORS if key in self.fields and key != keys.MEMBERS]
            hint = f"source {source_name!r} goes by {source.key!r}" + (f", not by {others[0]!r}" if others else "")
            self.complain(self.entry.mark, f"has no {source.key}", hint)
            return {}
        found = {key: self._text(key) for key in (source.key, *source.options) if key in self.fields}
        values = {"version": version, **{key: text for key, text in found.items() if text}}
        if not version or len(values) <= len(found):
            return {}
        if problem := source.problem(values):
            self._tell_value(*problem)
            return {}
        return values

    def _tell_value(self, key: str, why: str) -> None:
        text = self.fields[key].value.text or "" if key in self.fields else ""
        # What is no URL cannot be freed of the secrets in it.
        may_be_secret = not text or any(part in text for part in ("://", "@", "?"))
        self._blame(key, f"has a {key} that {why}" if may_be_secret else f"has {key} {shown(text)}, which {why}")

    def _mirrors(self) -> tuple[str, ...]:
        if "mirrors" not in self.fields:
            return ()
        value = self.fields["mirrors"].value
        urls_given = [self._mirror(item) for item in (value.items if value.items is not None else (value,))]
        return tuple(dict.fromkeys(url for url in urls_given if url))

    def _mirror(self, value: Value) -> str | None:
        problem = urls.problem(value.text) if value.text else f"is {value.kind}"
        if problem:
            mark = value.mark if value.text else self.fields["mirrors"].place
            self.complain(mark, f"has a mirror that {problem}")
        return value.text

    def _digest(self, key: str) -> str | None:
        text = self._text(key)
        if text is None:
            return None
        if not _DIGESTS[key].fullmatch(text):
            wanted = shapes.DIGITS[key]
            got = "others among them" if len(text) == wanted else f"{len(text)} character{'s' * (len(text) != 1)}"
            other = next((f": did you mean {name!r}?" for name in _DIGESTS if _DIGESTS[name].fullmatch(text)), "")
            self._blame(key, f"has {key} {shown(text)}", f"expected {wanted} hexadecimal digits, got {got}{other}")
        return text.lower()

    def _size(self) -> int | None:
        text = self._text("size")
        if text is None:
            return None
        if not _SIZE.fullmatch(text):
            self._blame("size", f"has size {shown(text)}", "expected a whole number of bytes")
            return None
        return int(text)

    def _unpack(self, source: Source | None, locator: str | None) -> Unpack | None:
        text = self._text("unpack")
        if text is not None and text not in keys.UNPACK:
            allowed = f"expected one of: {', '.join(keys.UNPACK)}"
            meant = urls.archive_kind(f".{text}".replace("..", ".")) or spelling.near(text, keys.UNPACK)
            self._blame(
                "unpack", f"has unpack {shown(text)}", f"did you mean {meant!r}? {allowed}" if meant else allowed
            )
        if source is None or locator is None:
            return None
        if text is None:
            return urls.archive_kind(source.filename(locator))
        if text != "none" and source.holds_many(locator):
            self._blame("unpack", "has unpack, but its files are taken as they are", "leave it away")
        return cast("Unpack | None", text if text in ("tar", "zip") else None)

    def _paths(self, source: Source) -> tuple[str, ...]:
        if keys.MEMBERS not in self.fields or source.key == keys.MEMBERS:
            return ()
        value = self.fields[keys.MEMBERS].value
        items = value.items if value.items is not None else (value,)
        if not items:
            self._blame(keys.MEMBERS, "has an empty list as its path")
        return tuple([self._path(item) for item in items])

    def _path(self, value: Value) -> str:
        text = value.text or ""
        parts = [part for part in text.split("/") if part not in ("", ".")]
        if not parts or text.startswith("/") or ".." in parts or "\\" in text or "\0" in text:
            mark = value.mark if text else self.fields[keys.MEMBERS].place
            found = shown(text) if text or value.scalar is not None else f"that is {value.kind}"
            self.complain(mark, f"has path {found}", "expected a path inside, from its root")
        return "/".join(parts) + ("/" if text.endswith("/") else "")

    def _check_set(self) -> None:
        """Complain of what cannot be true of a set of files."""
        for key in (key for key in _OF_ONE_FILE if key in self.fields):
            self._blame(key, f"has {key} of a set of files", _OF_ONE_FILE[key])


@lru_cache(maxsize=4096)
def _meant(key: str) -> str | None:
    """The known key of which one that is not known looks like a slip. A registry has the same few over and over."""
    return None if key in keys.KNOWN else spelling.near(key, (*keys.KNOWN, *_MEASURED))


def _suffix(filename: str, paths: tuple[str, ...], *, inside: bool) -> str:
    if not inside:
        return urls.suffix(filename)
    return urls.suffix(paths[0]) if urls.are_one_file(paths) else ""
