"""What an announcement proves: a table of what is known, what is told, and the grade."""

from __future__ import annotations

import itertools

import pytest

from envkit.models.dry_run.grade import GRADES, Grade, Graded, grade, worst
from envkit.models.locking.lock import LockedFile
from envkit.models.model import PLACEHOLDER_MD5, Digests, Mismatch
from envkit.models.transfer.announcement import Announcement

MD5, SHA256, BLOB = "0123456789abcdef" * 2, "fedcba9876543210" * 4, "0a1b2c3d" * 5
OTHER_MD5, OTHER_SHA256, OTHER_BLOB = MD5[::-1], SHA256[::-1], BLOB[::-1]
BOTH = Digests(MD5, SHA256, 10)
STRONG, WEAK = '"5c0-1f"', 'W/"5c0-1f"'


def told(size: int | None = None, etag: str | None = None, *, by: str = "Some-Header", **digests: str) -> Announcement:
    return Announcement(size, Digests(**digests), etag, "http://h/f", dict.fromkeys(digests, by))  # type: ignore[arg-type]


def locked(etag: str | None = STRONG, digests: Digests = BOTH) -> LockedFile:
    return LockedFile("", digests, "http://h/f", etag)


@pytest.mark.parametrize(
    ("expected", "lock", "announced", "grade_", "evidence"),
    [
        (Digests(MD5), None, told(md5=MD5, by="Content-MD5"), "proven", "md5 by Content-MD5"),
        (BOTH, None, told(10, md5=MD5), "proven", "md5 by Some-Header"),
        (BOTH, None, told(10, md5=MD5, sha256=SHA256), "proven", "sha256 by Some-Header"),
        (Digests(git_blob=BLOB), None, told(git_blob=BLOB, by="the hub"), "proven", "git blob by the hub"),
        (Digests(), locked(), told(sha256=SHA256), "proven", "sha256 by Some-Header"),
        # An ETag that is one of our digests is one, however it is dressed.
        (Digests(MD5), None, told(etag=f'"{MD5}"'), "proven", "md5 by its ETag"),
        (Digests(MD5), None, told(etag=f'"{MD5.upper()}"'), "proven", "md5 by its ETag"),
        (Digests(MD5), None, told(etag=f'W/"{MD5}"'), "proven", "md5 by its ETag"),
        (Digests(MD5), None, told(etag=f'"md5:{MD5}"'), "proven", "md5 by its ETag"),
        (BOTH, None, told(10, f'"{SHA256}"'), "proven", "sha256 by its ETag"),
        (Digests(git_blob=BLOB), None, told(etag=f'"{BLOB}"'), "proven", "git blob by its ETag"),
        # One that is another digest, or none, says nothing.
        (Digests(MD5), None, told(10, f'"{OTHER_MD5}"'), "unverifiable", ""),
        (Digests(MD5), None, told(10, f'"{MD5}-2"'), "unverifiable", ""),
        (BOTH, None, told(10, f'"{OTHER_MD5}"'), "size", ""),
        # The lock's validator.
        (BOTH, locked(), told(10, STRONG), "locked", "ETag and size as locked"),
        (BOTH, locked(), told(10, WEAK), "locked", "ETag and size as locked"),
        (BOTH, locked(WEAK), told(10, STRONG), "locked", "ETag and size as locked"),
        (BOTH, locked(), told(None, STRONG), "locked", "ETag as locked"),
        (BOTH, locked(WEAK), told(None, WEAK), "unverifiable", ""),
        (BOTH, locked(), told(None, WEAK), "unverifiable", ""),
        (BOTH, locked(), told(10, '"another"'), "size", "another ETag than locked"),
        (BOTH, locked(), told(None, '"another"'), "unverifiable", ""),
        (BOTH, locked(None), told(10, STRONG), "size", ""),
        (BOTH, locked(""), told(10, '""'), "size", ""),
        (BOTH, locked(), told(10), "size", ""),
        # Sizes.
        (Digests(size=10), None, told(10), "size", ""),
        (Digests(MD5), locked(), told(10), "size", ""),
        (Digests(MD5), None, told(10), "unverifiable", ""),
        (BOTH, None, told(), "unverifiable", ""),
        (Digests(MD5), None, told(sha256=SHA256), "unverifiable", ""),
        # What speaks against us counts before what speaks for us.
        (BOTH, None, told(11), "changed", "size"),
        (BOTH, None, told(0), "changed", "size"),
        (BOTH, locked(), told(11, STRONG), "changed", "size"),
        (BOTH, None, told(10, md5=OTHER_MD5, by="Content-MD5"), "changed", "md5 by Content-MD5"),
        (BOTH, None, told(10, md5=MD5, sha256=OTHER_SHA256), "changed", "sha256 by Some-Header"),
        (BOTH, None, told(11, md5=MD5), "changed", "size"),
        (BOTH, locked(), told(10, STRONG, md5=OTHER_MD5), "changed", "md5 by Some-Header"),
        (Digests(git_blob=BLOB), None, told(git_blob=OTHER_BLOB), "changed", "git blob by Some-Header"),
        (Digests(), locked(), told(md5=OTHER_MD5), "changed", "md5 by Some-Header"),
        # The MD5 of nothing, and there is something.
        (Digests(PLACEHOLDER_MD5), None, told(12), "changed", "size"),
        (Digests(PLACEHOLDER_MD5), None, told(0), "unverifiable", ""),
        (Digests(PLACEHOLDER_MD5), None, told(), "unverifiable", ""),
    ],
)
def test_a_grade_and_what_it_rests_on(
    expected: Digests, lock: LockedFile | None, announced: Announcement, grade_: Grade, evidence: str
) -> None:
    found = grade(expected, lock, announced)
    assert (found.grade, found.evidence) == (grade_, evidence)
    assert bool(found.mismatches) == (grade_ == "changed")


def test_of_what_changed_both_values_are_told() -> None:
    assert grade(BOTH, None, told(11, md5=OTHER_MD5, sha256=OTHER_SHA256)) == Graded(
        "changed",
        "sha256 by Some-Header, md5 by Some-Header, size",
        (
            Mismatch("sha256", SHA256, OTHER_SHA256),
            Mismatch("md5", MD5, OTHER_MD5),
            Mismatch("size", "10", "11"),
        ),
    )
    (found,) = grade(Digests(PLACEHOLDER_MD5), None, told(12)).mismatches
    assert found == Mismatch("md5", PLACEHOLDER_MD5, "that of 12 bytes")


def test_the_registry_counts_before_the_lock() -> None:
    mine = Digests(MD5, SHA256, 10)
    theirs = locked(digests=Digests(OTHER_MD5, OTHER_SHA256, 11))
    assert grade(mine, theirs, told(10, sha256=SHA256)).grade == "proven"


def test_of_several_files_the_worst_counts() -> None:
    for one, other in itertools.combinations(GRADES, 2):
        assert worst([other, one, other]) == one
