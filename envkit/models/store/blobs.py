"""Files by their SHA-256, for all projects of a host: each once, read-only, with the stat facts of when it was proven.

A name in here is a claim like any other: a blob whose stat facts are not those that were noted is hashed again before
it is used, and removed if it turns out to be another.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from secrets import token_hex

from envkit.models import records
from envkit.models.model import Digests
from envkit.models.records import FileFacts
from envkit.models.store.hand import Hand

_READ_ONLY = 0o444  # a program that writes to a model in place would write to that of every other project
WORTH_NOTING = 1 << 20
"""Smaller blobs (bytes) are hashed whenever they are asked for: that is as quick as looking up what was noted."""


class Blobs:
    """The blobs below ``root``."""

    def __init__(self, root: Path, hand: Hand) -> None:
        self._folder, self._names = root / "blobs", root / "names"
        self._hand = hand

    def path(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / sha256

    def find(self, expected: Digests, advance: Callable[[int], None]) -> Digests | None:
        """A blob that is ``expected``, and all digests that are known of it; None if there is none.

        ``advance`` is told how many bytes were hashed, where that was needed.
        """
        sha256 = expected.sha256 or self._named(expected)
        if sha256 is None or not self.path(sha256).exists():
            return None
        facts = self.facts(sha256)
        if facts and facts.still_true(self.path(sha256)) and all(name == sha256 for name in self._all_named(expected)):
            known: Digests | None = Digests(expected.md5, sha256, facts.size, expected.git_blob)
        else:
            got = self._proven(sha256, advance)
            # Git's name is not hashed here: what the link of that name leads to was, when it was made.
            known = got and replace(got, git_blob=expected.git_blob if self._named(expected) == sha256 else None)
        return known if known and not replace(expected, sha256=sha256).mismatches(known) else None

    def has(self, expected: Digests) -> bool:
        """Whether there is a blob of that name."""
        sha256 = expected.sha256 or self._named(expected)
        return sha256 is not None and self.path(sha256).exists()

    def _proven(self, sha256: str, advance: Callable[[int], None]) -> Digests | None:
        """Hash a blob; None for one that is another, and then it is gone."""
        seen = records.observe(self.path(sha256), "", advance)
        if seen is None:
            return None
        facts, got = seen
        if got.sha256 != sha256:
            self.remove(sha256)
            return None
        self.note(facts)
        return got

    def add(self, file: Path, got: Digests) -> Path:
        """Take ``file``, whose digests are ``got``, out of where it is into the store; its path there."""
        sha256 = str(got.sha256)
        path = self.path(sha256)
        self._hand.seal(file, _READ_ONLY)
        try:
            file.replace(path)
        except FileNotFoundError:
            self._hand.make_all(path.parent)
            file.replace(path)
        for name in _other_names(got):
            self._give_name(name, sha256)
        return path

    def facts(self, sha256: str) -> FileFacts | None:
        """What was noted of a blob."""
        with suppress(OSError, UnicodeDecodeError):
            return records.facts_from_json(self._facts_path(sha256).read_text("utf-8"))
        return None

    def note(self, facts: FileFacts) -> None:
        """Remember how a blob looks whose bytes are proven. That it cannot be noted costs time, nothing else."""
        if facts.size >= WORTH_NOTING:
            with suppress(OSError):
                self._hand.write(self._facts_path(facts.sha256), records.facts_to_json(facts).encode())

    def remove(self, sha256: str) -> int:
        """Remove a blob; how many bytes it had."""
        path = self.path(sha256)
        size = 0
        with suppress(OSError):
            self._facts_path(sha256).unlink(missing_ok=True)
            size = path.stat().st_size
            path.unlink()
        return size

    def all(self) -> list[str]:
        """The SHA-256 of every blob."""
        return sorted(path.name for path in self._folder.glob("??/*") if len(path.name) == 64)

    def _facts_path(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / f"{sha256}.json"

    def names(self) -> Iterator[tuple[Path, str]]:
        """Every link that names a blob by another digest, and the SHA-256 that it leads to."""
        for link in sorted(self._names.glob("??/*")):
            yield link, os.readlink(link)  # noqa: PTH115 - a name, not a path

    def _named(self, expected: Digests) -> str | None:
        return next((name for name in self._all_named(expected) if name), None)

    def _all_named(self, expected: Digests) -> Iterator[str | None]:
        """What each digest but the SHA-256 leads to."""
        for name in _other_names(expected):
            yield self._target(self._link(name))

    def _target(self, link: Path) -> str | None:
        try:
            return os.readlink(link)  # noqa: PTH115 - a name, not a path
        except OSError:
            return None

    def _give_name(self, name: str, sha256: str) -> None:
        link = self._link(name)
        self._hand.make_all(link.parent)
        try:
            link.symlink_to(sha256)
        except FileExistsError:
            if self._target(link) == sha256:
                return
            # It leads to what is not so named: what is, was hashed just now.
            staged = link.with_name(f"{name}.{token_hex(4)}.new")
            staged.symlink_to(sha256)
            staged.replace(link)
        self._hand.give(link)

    def _link(self, name: str) -> Path:
        return self._names / name[-2:] / name


def _other_names(digests: Digests) -> list[str]:
    named = (("md5", digests.md5), ("git", digests.git_blob))
    return [f"{kind}-{value}" for kind, value in named if value]
