"""Where a repository's code, configurations and documents name a model: what would feel a change of it.

Found is the name as a word of its own, also with the version left open (``resnet50_{version}``), the file or folder in
``checkpoints/``, and the ``config_path``. A name that could be any word, such as ``detector``, counts where it
is written as a value: in quotes, after ``/``, ``=`` or ``: ``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from envkit.git import Repository
from envkit.models.locking.lock import FILE as LOCK
from envkit.models.model import Model
from envkit.models.review import changed
from envkit.settings import REGISTRY

MOST_WORDS = 2000
"""More are not looked for."""

LARGE = 1 << 20
"""Bytes; a larger file is not looked at. It is data, or a page that was made, and has lines of megabytes."""

_MOST_PATTERNS = 32  # Git tries each of them on each line: 2,000 take minutes
_MOST_LEFT_OUT = 1000  # Git compares each of them with each path
_OURS = (":(exclude,glob)**/.envkit/**",)  # what `envkit init` writes names nobody's model

_OPTIONS = ("-I", "-F", "-n", "-z", "--full-name", "--no-color", "--no-column", "--no-recurse-submodules")
_LINE = re.compile(rb"([^\0\n]*)\0(\d+)[\0:]([^\n]*)\n?")
_WORD = r"[\w+-]"
# A word ends before what is no part of a name or a version, or before the blank that a version is put into.
_END = rf"(?:(?!{_WORD}|\.\d)|(?=[_-](?!{_WORD})))"
_START = re.compile(rf"(?<!{_WORD})(?=\S)")
_TELLING = re.compile(r"[^a-zA-Z]")
_AS_VALUE = r"""(?:(?<=["'`/=])|(?<=[:\-]\s))"""
CONFIG = "config_path"


@dataclass(frozen=True, order=True)
class Place:
    """A line that names a model; ``word`` is what it names it by, ``path`` is from the root of the repository."""

    path: str
    line: int
    word: str

    @property
    def is_document(self) -> bool:
        return changed.is_document(self.path)

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


def configs(model: Model) -> tuple[str, ...]:
    """The configuration that an entry says goes with it."""
    named = model.metadata.get(CONFIG)
    return (named,) if isinstance(named, str) and named.strip() and named.isprintable() else ()


def large(repository: Repository, commit: str | None) -> tuple[str, ...]:
    """The files that are not looked at for their size, by their paths from the root, the largest first."""
    sizes = sorted(_on_disk(repository) if commit is None else _committed(repository, commit), reverse=True)
    return tuple(path for size, path in sizes if size > LARGE)[:_MOST_LEFT_OUT]


def search(
    repository: Repository, commit: str | None, sought: Iterable[str], left_out: Iterable[str] = ()
) -> Mapping[str, tuple[Place, ...]]:
    """Every line of text that has one of the words, by the word; ``commit`` None looks at the working tree.

    Not looked at: registries and their locks, which name models by nature, changelogs, binary files, and ``left_out``.
    """
    wanted = list(dict.fromkeys(word for word in sought if word))
    if not wanted:
        return {}
    patterns = {word: re.compile(_pattern(word)) for word in wanted}
    found: dict[str, list[Place]] = {word: [] for word in wanted}
    lengths = sorted(set(map(len, wanted)))
    for path, line, text in _grep(repository, commit, wanted, left_out):
        for word in _words(text, lengths, patterns):
            found[word].append(Place(path, line, word))
    return {word: tuple(places) for word, places in found.items()}


def _words(text: str, lengths: Iterable[int], patterns: Mapping[str, re.Pattern[str]]) -> set[str]:
    """The words in a line: one pass over it, however many there are to look for."""
    found = set()
    for start in (match.start() for match in _START.finditer(text)):
        for length in lengths:
            word = text[start : start + length]
            if word in patterns and word not in found and patterns[word].match(text, start):
                found.add(word)
    return found


def _beginnings(words: Collection[str]) -> list[str]:
    """A few texts of which each word begins with one, as long as they can be."""
    for length in range(max(map(len, words)), 1, -1):
        found = {word[:length] for word in words}
        if len(found) <= _MOST_PATTERNS:
            return sorted(found)
    return sorted({word[0] for word in words})


def _pattern(word: str) -> str:
    start = rf"(?<!{_WORD})" + ("" if _TELLING.search(word) else _AS_VALUE)
    return f"{start}{re.escape(word)}{_END}"


def _grep(
    repository: Repository, commit: str | None, wanted: Collection[str], large_files: Iterable[str]
) -> Iterator[tuple[str, int, str]]:
    where = ("--untracked",) if commit is None else (commit,)
    left_out = (
        *(f":(exclude,glob)**/{name}" for name in (REGISTRY, LOCK)),
        *_OURS,
        *(f":(exclude,top,literal){path}" for path in large_files),
    )
    output = repository.found(
        "grep", *_OPTIONS, "-f", "-", *where, "--", ".", *left_out, given="\n".join(_beginnings(wanted)).encode("utf-8")
    )
    for path, line, text in _LINE.findall(output or b""):
        name = changed.text(path.removeprefix(f"{commit}:".encode()) if commit else path)
        if not changed.is_log(name):
            yield name, int(line), text.decode("utf-8", "replace")


def _committed(repository: Repository, commit: str) -> Iterator[tuple[int, str]]:
    listed = repository.run("ls-tree", "-r", "-l", "-z", "--full-tree", commit)
    for about, _, path in (line.partition(b"\t") for line in listed.split(b"\0")):
        size = about.split()[-1:]
        if size and size[0].isdigit():  # a submodule has none
            yield int(size[0]), os.fsdecode(path)


def _on_disk(repository: Repository) -> Iterator[tuple[int, str]]:
    listed = repository.run("ls-files", "--cached", "--others", "--exclude-standard", "--full-name", "-z")
    for path in set(listed.split(b"\0")) - {b""}:
        with suppress(OSError):
            yield (repository.root / os.fsdecode(path)).lstat().st_size, os.fsdecode(path)
