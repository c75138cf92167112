"""What an announcement proves of a file whose bytes nobody has seen. Nothing here asks the network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from envkit.models.locking.lock import LockedFile
from envkit.models.model import PLACEHOLDER_MD5, Digests, Mismatch
from envkit.models.transfer.announcement import Announcement

Grade = Literal["changed", "unreachable", "unverifiable", "size", "locked", "proven"]
GRADES: tuple[Grade, ...] = ("changed", "unreachable", "unverifiable", "size", "locked", "proven")
"""The worst first.

``proven``: a digest that is told is ours. ``locked``: it is the version that was locked, by its validator. ``size``:
only the size agrees. ``unverifiable``: nothing is told that could be compared. ``changed``: a digest or the size that
is told is another than ours. ``unreachable`` is not decided here: nothing was told at all.
"""

ANOTHER_ETAG = "another ETag than locked"
"""Evidence of a ``size`` that is the same, where there is a sign that the bytes may not be."""

_KINDS = ("sha256", "git_blob", "md5")


@dataclass(frozen=True)
class Graded:
    """A grade, what it rests on in words, and of what changed each fact."""

    grade: Grade
    evidence: str = ""
    mismatches: tuple[Mismatch, ...] = ()


def grade(expected: Digests, locked: LockedFile | None, told: Announcement) -> Graded:
    """Compare what is told of a file with what it has to be, and with what was told when it was locked.

    What is told against us counts before what is told for us. A different ETag counts neither way: the same bytes get
    another one when they are uploaded again, in other parts, or moved to another server. An ETag that is one of our
    digests is one: no other file has it.
    """
    known = expected.over(locked.digests) if locked else expected
    if differing := tuple(_differing(known, told)):
        evidence = ", ".join(by for _, by in differing)
        return Graded("changed", evidence, tuple(mismatch for mismatch, _ in differing))
    if proof := _proof(known, told):
        return Graded("proven", proof)
    if locked and _is_same_version(locked.etag, known.size, told):
        return Graded("locked", "ETag as locked" if told.size is None else "ETag and size as locked")
    if known.size is not None and told.size == known.size:
        another = locked and locked.etag and told.etag and told.etag != locked.etag
        return Graded("size", ANOTHER_ETAG if another else "")
    return Graded("unverifiable")


def worst(grades: Iterable[Grade]) -> Grade:
    return min(grades, key=GRADES.index)


def name_of(kind: str) -> str:
    """What people call a field of `Digests`."""
    return kind.replace("_", " ")


def _differing(known: Digests, told: Announcement) -> Iterator[tuple[Mismatch, str]]:
    """Each fact that is told and is not ours, and who told it."""
    for kind in _KINDS:
        ours, theirs = getattr(known, kind), getattr(told.digests, kind)
        if ours and theirs and ours != theirs:
            yield Mismatch(name_of(kind), ours, theirs), f"{name_of(kind)} by {told.told_by.get(kind, 'its server')}"
    if known.size is not None and told.size is not None and known.size != told.size:
        yield Mismatch("size", str(known.size), str(told.size)), "size"
    if known.md5 == PLACEHOLDER_MD5 and told.size and not told.digests.md5:
        yield Mismatch("md5", PLACEHOLDER_MD5, f"that of {told.size} bytes"), "size"


def _proof(known: Digests, told: Announcement) -> str | None:
    for kind in _KINDS:
        ours = getattr(known, kind)
        if ours and ours == getattr(told.digests, kind):
            return f"{name_of(kind)} by {told.told_by.get(kind, 'its server')}"
    tag = _opaque(told.etag).lower().rpartition(":")[2]  # of `md5:…`, as some write it
    return next((f"{name_of(kind)} by its ETag" for kind in _KINDS if tag and tag == getattr(known, kind)), None)


def _is_same_version(locked: str | None, size: int | None, told: Announcement) -> bool:
    """By validator and size. A strong validator will do alone, a weak one says that the bytes may differ a little."""
    if not locked or not told.etag or _opaque(locked) != _opaque(told.etag):
        return False
    if told.size is not None and size is not None:
        return told.size == size
    return not (locked.startswith("W/") or told.etag.startswith("W/"))


def _opaque(etag: str | None) -> str:
    """An ETag without the sign that it is weak (nginx makes one so when it packs), and without quotes."""
    return (etag or "").strip().removeprefix("W/").strip('"')
