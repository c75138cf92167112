"""What asking for one file came to, from whichever place answered well."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from envkit.errors import ModelError
from envkit.models.dry_run.grade import Grade, Graded, grade
from envkit.models.explain import Failure, failure_of
from envkit.models.locking.lock import LockedFile
from envkit.models.model import PLACEHOLDER_MD5, Artifact, Blame, Digests, NoSourceError, WrongBytesError
from envkit.models.sources import SOURCES
from envkit.models.transfer import fetch
from envkit.models.transfer.announcement import Announcement

LockedFiles = Mapping[Artifact, Mapping[str, LockedFile]]
"""What the lock says of each artifact's files, by their paths in it."""


@dataclass(frozen=True)
class Verdict:
    """One file of an artifact: ``path`` in the set, empty where it is the artifact.

    ``place`` is where it was asked for, in words free of secrets; ``evidence`` what the grade rests on; ``failure`` why
    it is changed or unreachable, None of the others; ``passed_over`` are places before that did not answer well.
    """

    path: str
    grade: Grade
    evidence: str
    place: str
    told: Announcement | None = None
    failure: Failure | None = None
    passed_over: tuple[Blame, ...] = ()

    @property
    def size(self) -> int | None:
        return self.told.size if self.told else None


Look = Callable[[], tuple[Verdict, ...]]
"""Asks one place for the files of an artifact."""


def first_good(looks: Sequence[Look]) -> tuple[Verdict, ...]:
    """What the first place says that answers well, with what was wrong with those before; else all that was wrong."""
    failed: list[Verdict] = []
    for look in looks:
        verdicts = look()
        bad = [verdict for verdict in verdicts if verdict.failure]
        if not bad:
            return tuple(replace(verdict, passed_over=_blames(failed)) for verdict in verdicts)
        if len(looks) == 1:
            return verdicts
        failed += bad
    changed = next((verdict for verdict in failed if verdict.grade == "changed"), failed[0])
    failure = Failure(NoSourceError(_blames(failed)), failed[0].place)
    return (replace(changed, failure=failure),)


def judged(
    artifact: Artifact, place: str, told: Mapping[str, Announcement], locked: LockedFiles
) -> tuple[Verdict, ...]:
    """Grade every file that a place tells of, and those that it should have told of."""
    listed = locked.get(artifact, {})
    verdicts = []
    for path, announcement in told.items():
        expected = expected_of(artifact, path, announcement.digests)
        found = grade(expected, listed.get(path), announcement)
        failure = Failure(_changed(expected, found), place) if found.grade == "changed" else None
        verdicts.append(Verdict(path, found.grade, found.evidence, place, announcement, failure))
    for path, _ in artifact.files:
        if path not in told:
            verdicts.append(gone(place, path))
    return tuple(verdicts)


def unreachable(place: str, error: ModelError | OSError, path: str = "") -> Verdict:
    return Verdict(path, "unreachable", "", place, failure=failure_of(error, place))


def gone(place: str, path: str) -> Verdict:
    """Of a file that was locked, and that its source does not list any more."""
    failure = Failure(ModelError(f"{path} is not there any more"), place)
    return Verdict(path, "changed", "not listed", place, failure=failure)


def expected_of(artifact: Artifact, path: str, told: Digests) -> Digests:
    """What a file of an artifact has to be; where its locator alone pins the bytes, that is what its source tells."""
    known = dict(artifact.files).get(path, Digests()) if path else artifact.digests
    if not known.is_proof and SOURCES[artifact.source].is_proof(artifact.locator):
        return known.over(told)
    return known


def _changed(expected: Digests, found: Graded) -> WrongBytesError:
    hint = fetch.PLACEHOLDER if expected.md5 == PLACEHOLDER_MD5 else fetch.CHANGED
    return WrongBytesError(f"announces other bytes than expected ({found.evidence})", found.mismatches, hint=hint)


def _blames(failed: Sequence[Verdict]) -> tuple[Blame, ...]:
    return tuple(Blame(verdict.place, verdict.failure.error) for verdict in failed if verdict.failure)
