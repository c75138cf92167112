"""What the files of artifacts are, byte for byte: known already where that is proven, else fetched once, to the store.

A hub's word is taken for what a commit has, as a sync takes it: a set of files is not fetched to be measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from envkit.errors import ModelError
from envkit.models import records, urls
from envkit.models.checkpoints import Checkpoints
from envkit.models.explain import Failure, failure_of
from envkit.models.intake import Intake
from envkit.models.locking.lock import Key, Locked, LockedFile
from envkit.models.model import Artifact, Digests, Mismatch, Model, WrongBytesError
from envkit.models.sources import SOURCES, Remote
from envkit.models.transfer.announcement import Announcement
from envkit.models.transfer.fetch import Fetched
from envkit.models.transfer.location import Location

_REPLACED = "the one named is on this machine: either it was replaced there, or models.yaml has another file's digest"


@dataclass(frozen=True)
class Measured:
    """The files of an artifact, and where they were found in words free of secrets."""

    files: tuple[LockedFile, ...]
    origin: str


@dataclass(frozen=True)
class Task:
    """One artifact to measure, by all that is known of it, for the models that come out of it, as they are pinned.

    ``former`` is what it was the last time, where it is to be kept as long as its server has that.
    """

    artifact: Artifact
    models: tuple[tuple[Key, Model], ...]
    former: Locked | None = None


def tasks(models: Mapping[Key, Model], former: Mapping[tuple[str, str], Locked]) -> tuple[Task, ...]:
    """Models that come out of one artifact together, as far as what is said of it agrees. Pure.

    ``former`` has what is to be kept by source and locator.
    """
    found: dict[tuple[str, str, tuple[str, ...]], list[Task]] = {}
    for key, model in sorted(models.items()):
        artifact = model.artifact
        same = found.setdefault((artifact.source, artifact.locator, artifact.paths), [])
        for place, task in enumerate(same):
            if merged := _merged(task.artifact, artifact):
                same[place] = replace(task, artifact=merged, models=(*task.models, (key, model)))
                break
        else:
            same.append(Task(artifact, ((key, model),), former.get((artifact.source, artifact.locator))))
    return tuple(task for same in found.values() for task in same)


def _merged(one: Artifact, other: Artifact) -> Artifact | None:
    """Both as one, with what either says; None where they contradict each other."""
    if one.digests.mismatches(other.digests.over(one.digests)):
        return None
    mirrors = tuple(dict.fromkeys((*one.mirrors, *other.mirrors)))
    return replace(one, digests=one.digests.over(other.digests), mirrors=mirrors)


@dataclass(frozen=True)
class Measuring:
    """Measures by what is in ``checkpoints``, by the store, and from sources; for one `run`.

    ``by_bytes``: a single file that a hub vouches for as well.
    """

    intake: Intake
    checkpoints: Checkpoints
    by_bytes: bool = False

    def run(self, todo: Sequence[Task]) -> Mapping[Task, Measured | Failure]:
        """Every artifact measured, or why it cannot be."""
        intake = self.intake
        intake.partials.sweep()
        with intake.at_work():
            return dict(intake.line.crew.run(todo, self._measure, intake.jobs, intake.ramp()))

    def _measure(self, task: Task) -> tuple[Task, Measured | Failure]:
        artifact, label = task.artifact, task.models[0][1].name
        origin = SOURCES[artifact.source].shown(artifact.locator)
        try:
            if SOURCES[artifact.source].holds_many(artifact.locator):
                return task, self._by_hub(task, label, origin)
            return task, self._by_bytes(task, label, origin)
        except (ModelError, OSError) as error:
            self.intake.line.crew.check()
            return task, failure_of(error, origin)
        finally:
            self.intake.ended += 1

    # --- a hub -----------------------------------------------------------------------------------------------------

    def _by_hub(self, task: Task, label: str, origin: str) -> Measured:
        (first, *others), _ = self.intake.places(task.artifact, label, origin)
        remotes = [remote for remote in (first, *others) if remote is not None]
        if not urls.are_one_file(task.artifact.paths):
            files = [LockedFile(remote.path, remote.location.digests) for remote in remotes]
            return Measured(tuple(sorted(files, key=lambda file: file.path)), origin)
        if first is not None and not self.by_bytes and _covers(first, task.artifact.digests):
            listed = first.location.digests
            if mismatches := task.artifact.digests.mismatches(listed):
                raise WrongBytesError("other bytes than models.yaml names", mismatches)
            return Measured((LockedFile("", listed),), origin)
        return self._by_bytes(task, label, origin)

    # --- one file --------------------------------------------------------------------------------------------------

    def _by_bytes(self, task: Task, label: str, origin: str) -> Measured:
        artifact = task.artifact
        if task.former and self._is_as_before(artifact, task.former, label):
            return Measured(task.former.files, task.former.origin)
        known = self._known(task)
        if known is not None:
            return Measured((self._still(artifact, known, label),), origin)
        with self.intake.held(artifact, label):
            (remote, *_), blames = self.intake.places(artifact, label, origin)
            # Whoever had the lock before may have brought it; and an index says which bytes it would give.
            said = remote.location.digests if remote else Digests()
            if (known := self._in_store(artifact.digests.over(said))) is not None:
                return Measured((self._still(artifact, known, label),), origin)
            self.intake.progress.say(f"{label}: fetching from {origin}, to know its digests")
            with closing(self.intake.receive(artifact, remote, label, blames)) as got:
                digests = self.intake.keep(got)
        return self._received(artifact, got, digests, origin)

    def _known(self, task: Task) -> Digests | None:
        """All digests of an artifact by what is on this machine, where that is proven."""
        wanted = task.artifact.digests
        if not (wanted.md5 or wanted.sha256):
            return None
        for _, model in task.models:
            finding = self.checkpoints.glance(model) or self.checkpoints.inspect(model, self.intake.checked)
            if finding.record and _is_complete(found := finding.record.artifact) and not wanted.mismatches(found):
                return found
        return self._in_store(wanted)

    def _in_store(self, wanted: Digests) -> Digests | None:
        blobs = self.intake.store.blobs
        found = blobs.find(wanted, self.intake.checked)
        if found is None or _is_complete(found):
            return found
        seen = records.observe(blobs.path(str(found.sha256)), "", self.intake.checked)
        return seen[1] if seen and not wanted.mismatches(replace(seen[1], git_blob=wanted.git_blob)) else None

    def _received(self, artifact: Artifact, got: Fetched, digests: Digests, origin: str) -> Measured:
        by_mirror = got.place.url in artifact.mirrors
        address = self._address(got.place, got.told) if by_mirror or _has_address(artifact) else (None, None)
        found = urls.redacted(got.place.url) if by_mirror else origin
        return Measured((LockedFile("", replace(digests, git_blob=None), *address),), found)

    # --- what a server says, without the bytes ---------------------------------------------------------------------

    def _is_as_before(self, artifact: Artifact, former: Locked, label: str) -> bool:
        """Whether the server says that it has the very file of the last time."""
        (file, *others) = former.files
        if others or not _has_address(artifact) or file.etag is None or artifact.digests.mismatches(file.digests):
            return False
        told = self._announced(artifact, label)
        return told is not None and (told.etag, told.size) == (file.etag, file.digests.size)

    def _still(self, artifact: Artifact, known: Digests, label: str) -> LockedFile:
        """A file that need not be fetched, with its address, if its server does not contradict."""
        told = self._announced(artifact, label) if _has_address(artifact) else None
        if told is None:
            return LockedFile("", replace(known, git_blob=None))
        mismatches = replace(told.digests, size=told.size).mismatches(known.over(told.digests))
        if mismatches:
            now = tuple(Mismatch(mismatch.what, mismatch.got, mismatch.expected) for mismatch in mismatches)
            raise WrongBytesError(
                "its server has another file than the one that models.yaml names", now, hint=_REPLACED
            )
        address = self._address(Location(artifact.locator), told)
        return LockedFile("", replace(known, git_blob=None), *address)

    def _announced(self, artifact: Artifact, label: str) -> Announcement | None:
        try:
            return self.intake.line.http.probe(Location(artifact.locator))
        except ModelError as error:
            self.intake.line.crew.check()
            shown = SOURCES[artifact.source].shown(artifact.locator)
            self.intake.progress.say(f"{label}: {shown}: {error.message}; its address and ETag are not known")
            return None

    def _address(self, place: Location, told: Announcement | None) -> tuple[str | None, str | None]:
        """Where a file is to be found, and its ETag there; what a rule of this machine leads to is nobody else's."""
        if self.intake.line.http.rules.apply(place.url) != place.url:
            return urls.plain(place.url), None
        return (told.url or None, told.etag) if told else (urls.plain(place.url), None)


def _has_address(artifact: Artifact) -> bool:
    return SOURCES[artifact.source].has_address


def _covers(remote: Remote, wanted: Digests) -> bool:
    """Whether what a hub says of a file is enough to judge it by all that is wanted."""
    said = remote.location.digests
    return not (wanted.md5 and not said.md5) and not (wanted.sha256 and not said.sha256)


def _is_complete(digests: Digests) -> bool:
    return bool(digests.md5 and digests.sha256) and digests.size is not None
