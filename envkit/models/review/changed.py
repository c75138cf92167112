"""What else changed between the two sides: the paths, and which of them are documentation."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable

from envkit.git import Repository

_DOCS = re.compile(r"(?:^|/)docs?/|(?:^|/)README[^/]*$|\.(?:md|markdown|rst|adoc)$", re.IGNORECASE)
# They say that something changed, and are read by nobody who wants to know how it is now.
_LOGS = "CHANGELOG|CHANGES|HISTORY|NEWS|LICEN[CS]E|NOTICE"
_NO_DOCS = re.compile(rf"(?:^|/)(?:{_LOGS})[^/]*$|^\.git(?:hub|lab)/", re.IGNORECASE)


def paths(repository: Repository, base: str, head: str | None) -> frozenset[str]:
    """Every path of the repository that differs; ``head`` None is the working tree, with what Git does not know yet."""
    sides = (base, head) if head else (base,)
    listed = repository.run("diff", "--name-only", "--no-renames", "--no-ext-diff", "-z", *sides)
    if head is None:
        listed += repository.run("ls-files", "--others", "--exclude-standard", "--full-name", "-z")
    return frozenset(text(path) for path in listed.split(b"\0") if path)


def documents(changed: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(path for path in changed if is_document(path)))


def is_document(path: str) -> bool:
    """Whether a path is what people read to know how something is."""
    return bool(_DOCS.search(path)) and not is_log(path)


def is_log(path: str) -> bool:
    """Whether a path tells what happened, or is a form."""
    return bool(_NO_DOCS.search(path))


def present(repository: Repository, head: str | None, wanted: Collection[str]) -> frozenset[str]:
    """Those of some paths of the repository that are there: folders, and files that are not empty."""
    if head is None:
        return frozenset(path for path in wanted if _on_disk(repository, path))
    asked = list(wanted)
    names = "".join(f"{head}:{path}\n" for path in asked)
    lines = repository.run("cat-file", "--batch-check=%(objecttype) %(objectsize)", given=names.encode("utf-8"))
    answers = lines.decode("utf-8", "replace").split("\n")
    return frozenset(path for path, answer in zip(asked, answers, strict=False) if _is_there(answer))


def text(path: bytes) -> str:
    """A path as text, whatever its bytes are."""
    return path.decode("utf-8", "backslashreplace")


def _on_disk(repository: Repository, path: str) -> bool:
    found = repository.root / posixpath.normpath(path)
    try:
        return found.is_dir() or (found.is_file() and found.stat().st_size > 0)
    except OSError:
        return False


def _is_there(answer: str) -> bool:
    kind, _, size = answer.partition(" ")
    return kind == "tree" or (kind == "blob" and size not in ("", "0"))
