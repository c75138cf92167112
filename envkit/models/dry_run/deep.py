"""What artifacts are, by every byte of them: streamed and hashed, and kept nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial as bind

from envkit.errors import ModelError
from envkit.models.dry_run.grade import Grade, name_of
from envkit.models.dry_run.probe import ticking
from envkit.models.dry_run.verdict import Look, Verdict, expected_of, first_good, gone, unreachable
from envkit.models.explain import Failure
from envkit.models.model import Artifact, Digests, Mismatch, WrongBytesError
from envkit.models.progress import Meter, Progress
from envkit.models.sources import SOURCES, Asking, Hub, Remote
from envkit.models.transfer import fetch
from envkit.models.transfer.announcement import Announcement
from envkit.models.transfer.line import Line
from envkit.models.transfer.location import Location
from envkit.models.transfer.stream import Stream
from envkit.models.urls import plain


@dataclass(frozen=True)
class _Item:
    """One file of an artifact: where its source has it, or what is known without looking there."""

    artifact: Artifact
    path: str
    remote: Remote | None = None
    known: Verdict | None = None

    @property
    def expected(self) -> Digests:
        if self.remote is None:
            return self.artifact.digests
        told = self.remote.location.digests
        return expected_of(self.artifact, self.path, told).over(told)


@dataclass(frozen=True)
class Deep:
    """Streams every file of every artifact; for one `run`. ``labels`` are the artifacts' names for people."""

    line: Line
    hub: Hub
    progress: Progress
    labels: Mapping[Artifact, str]

    def run(self, artifacts: Sequence[Artifact], jobs: int) -> Mapping[Artifact, tuple[Verdict, ...]]:
        """A verdict on each file of each artifact, ``jobs`` files at a time."""
        try:
            # Both in one run of the crew: Ctrl-C ends whichever is going on.
            (found,) = self.line.crew.run([artifacts], bind(self._all, jobs=jobs), 1)
            return found
        finally:
            self.progress.close()

    def _all(self, artifacts: Sequence[Artifact], *, jobs: int) -> Mapping[Artifact, tuple[Verdict, ...]]:
        located = self.line.crew.each(artifacts, self._located, jobs)
        items = [item for found in located for item in found]
        sizes = [item.expected.size for item in items]
        self.progress.expect(len(items), None if None in sizes else sum(size or 0 for size in sizes))
        found: dict[Artifact, tuple[Verdict, ...]] = {}
        for artifact, verdicts in self.line.crew.each(items, self._judged, jobs):
            found[artifact] = (*found.get(artifact, ()), *verdicts)
        return {artifact: tuple(sorted(verdicts, key=lambda one: one.path)) for artifact, verdicts in found.items()}

    def _located(self, artifact: Artifact) -> list[_Item]:
        source, origin = SOURCES[artifact.source], self._origin(artifact)
        asking = Asking(self.line.http, ticking(self.line.crew, self.progress, f"asking {origin}"), self.hub)
        locate = bind(source.locate, artifact.locator, artifact.paths, asking)
        try:
            remotes = self.line.backoff.again(locate, self.line.crew.pause, bind(self._say, artifact, ""))
        except (ModelError, OSError) as error:
            self.line.crew.check()
            return [_Item(artifact, "", known=unreachable(origin, error))]
        there = {remote.path for remote in remotes}
        missing = [path for path, _ in artifact.files if path not in there]
        return [
            *(_Item(artifact, remote.path, remote) for remote in remotes),
            *(_Item(artifact, path, known=gone(origin, path)) for path in missing),
        ]

    def _judged(self, item: _Item) -> tuple[Artifact, tuple[Verdict, ...]]:
        # One meter, whether it is read twice or at several places.
        with closing(self.progress.meter(item.path or self.labels[item.artifact])) as meter:
            return item.artifact, first_good([*self._looks(item, meter)])

    def _looks(self, item: _Item, meter: Meter) -> Iterator[Look]:
        if (known := item.known) is not None:
            yield lambda: (known,)
        if item.remote:
            yield bind(self._look, item, item.remote.location, self._origin(item.artifact), meter)
        if not item.path and item.expected.is_proof:
            for url in item.artifact.mirrors:
                mirror = Location(url)
                yield bind(self._look, item, mirror, fetch.shown(mirror, self.line.http), meter)

    def _look(self, item: _Item, location: Location, place: str, meter: Meter) -> tuple[Verdict, ...]:
        try:
            return (self._measured(item, location, place, meter),)
        except WrongBytesError as error:
            self.line.crew.check()
            evidence = _named([mismatch.what for mismatch in error.mismatches])
            return (Verdict(item.path, "changed", evidence, place, failure=Failure(error, place)),)
        except (ModelError, OSError) as error:
            self.line.crew.check()
            return (unreachable(place, error, item.path),)

    def _measured(self, item: _Item, location: Location, place: str, meter: Meter) -> Verdict:
        """Raises `WrongBytesError` where other bytes come, twice: a bit may have turned over on the way."""
        expected = item.expected
        for again in (False, True):
            got = Stream(self.line, location, expected, meter, bind(self._say, item.artifact, item.path)).run()
            mismatches = expected.mismatches(got)
            if not mismatches:
                url = plain(self.line.http.rules.apply(location.url))
                told = Announcement(got.size, Digests(got.md5, got.sha256), None, url)
                grade: Grade = "proven" if expected.is_proof else "unverifiable"
                return Verdict(item.path, grade, _named(_known(expected)), place, told)
            if again or fetch.is_final(item.artifact.digests, location, got):
                break
            self._say(item.artifact, item.path, "other bytes than expected came: once more, from the start")
        raise _other(mismatches, fetch.why(item.artifact.digests, location, got))

    def _say(self, artifact: Artifact, path: str, line: str) -> None:
        self.progress.say(f"{path or self.labels[artifact]}: {line}")

    def _origin(self, artifact: Artifact) -> str:
        return SOURCES[artifact.source].shown(artifact.locator)


def _other(mismatches: tuple[Mismatch, ...], hint: str) -> WrongBytesError:
    return WrongBytesError("has other bytes than expected", mismatches, hint=hint)


def _known(expected: Digests) -> list[str]:
    return [name_of(kind) for kind in ("sha256", "md5", "git_blob") if getattr(expected, kind)]


def _named(facts: Sequence[str]) -> str:
    """``md5 and sha256 of its bytes``; a size is seen without them."""
    digests = [fact for fact in facts if fact != "size"]
    return f"{' and '.join(digests)} of its bytes" if digests else ", ".join(facts)
