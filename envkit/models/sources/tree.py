"""The files of a repository, as a hub lists them, and which of them an entry's ``path`` picks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from envkit.errors import ModelError
from envkit.models import spelling, urls
from envkit.models.model import Digests

Tree = Mapping[str, Digests]
"""What each file has to be, by its path."""

_HEX = {"sha1": re.compile(r"[0-9a-f]{40}"), "sha256": re.compile(r"[0-9a-f]{64}")}
_GIT_ONLY = ".gitattributes"
_SHOWN = 5


class OddAnswerError(Exception):
    """What a hub never says; the message is what it answered with."""


def commit(answer: Any) -> str:
    """The commit that an answer about a revision names. Raises `OddAnswerError`, as `files` does."""
    found = answer.get("sha") if isinstance(answer, dict) else None
    if not isinstance(found, str) or not _HEX["sha1"].fullmatch(found):
        raise OddAnswerError("no commit")
    return found


def names(answer: Any) -> tuple[str, ...]:
    """The tags and branches that an answer about a repository's refs has."""
    if not isinstance(answer, dict):
        raise OddAnswerError("no tags and branches")
    refs = [ref for kind in ("tags", "branches") for ref in answer.get(kind) or ()]
    found = [ref.get("name") if isinstance(ref, dict) else None for ref in refs]
    if not all(isinstance(name, str) for name in found):
        raise OddAnswerError("no tags and branches")
    return tuple(dict.fromkeys(str(name) for name in found))


def files(page: Any) -> Tree:
    """The files on one page of a hub's list."""
    if not isinstance(page, list):
        raise OddAnswerError("no list of files")
    found = {}
    for entry in page:
        if not isinstance(entry, dict) or not isinstance(entry.get("path"), str):
            raise OddAnswerError("no list of files")
        if entry.get("type") == "file":
            found[_safe(entry["path"])] = _digests(entry)
    return found


def choose(paths: tuple[str, ...], tree: Tree, name: str) -> tuple[str, ...]:
    """The files at or below ``paths`` (none: all), less those that only Git needs. ``name`` is the repository's.

    Raises:
        ModelError: there is no such file, or two would be in one place: of a folder its contents are shown, of a file
            the file itself.
    """
    if urls.are_one_file(paths):
        return (_one(str(PurePosixPath(paths[0])), tree, name),)
    placed: dict[str, str] = {}
    for root in [PurePosixPath(path) for path in paths] or [PurePosixPath()]:
        found = [path for path in map(PurePosixPath, tree) if path.is_relative_to(root)]
        if not found and root.parts:
            raise _missing(str(root), tree, name)
        for path in found:
            place = str(path.relative_to(root)) if path != root else path.name
            if path.name == _GIT_ONLY and path != root:
                continue
            if placed.setdefault(place, str(path)) != str(path):
                raise ModelError(f"two files of {name} would be {place}: {placed[place]} and {path}")
    if not placed:
        raise ModelError(f"{name} has no files")
    return tuple(dict.fromkeys(placed.values()))


def _one(path: str, tree: Tree, name: str) -> str:
    if path in tree:
        return path
    if any(other.startswith(f"{path}/") for other in tree):
        hint = "a folder whose name looks like a file's: end its path with '/'"
        raise ModelError(f"{path} is a folder of {name}", hint=hint)
    raise _missing(path, tree, name)


def _missing(path: str, tree: Tree, name: str) -> ModelError:
    if not tree:
        return ModelError(f"{name} has no files")
    if meant := spelling.near(path, tree):
        return ModelError(f"{name} has no {path}", hint=f"did you mean {meant!r}?")
    some = sorted(tree)[:_SHOWN]
    return ModelError(f"{name} has no {path}", hint=f"it has {', '.join(some)}{', …' if len(tree) > len(some) else ''}")


def _digests(entry: Mapping[str, Any]) -> Digests:
    """LFS names the SHA-256 of the file; Git its own digest, which for what is in LFS is that of a pointer."""
    lfs = entry.get("lfs")
    kind, facts = ("sha256", lfs) if lfs else ("sha1", entry)
    size, digest = (facts.get("size"), facts.get("oid")) if isinstance(facts, Mapping) else (None, None)
    if not isinstance(size, int) or not isinstance(digest, str) or not _HEX[kind].fullmatch(digest):
        raise OddAnswerError(f"no size or no digest of {entry['path']!r}")
    return Digests(sha256=digest, size=size) if lfs else Digests(size=size, git_blob=digest)


def _safe(path: str) -> str:
    """A path as the hub lists it: it is to become one below the model's folder."""
    parsed = PurePosixPath(path)
    plain = str(parsed) == path and not parsed.is_absolute() and ".." not in parsed.parts
    if not parsed.parts or not plain or re.search(r"[\\\0]", path):
        raise OddAnswerError(f"a file {path!r}, which leads out of the model's folder")
    return path
