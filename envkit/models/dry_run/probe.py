"""Whether artifacts could be had, and what their sources say they are, without their bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial as bind

from envkit.errors import ModelError
from envkit.models.crew import Crew
from envkit.models.dry_run.verdict import LockedFiles, Look, Verdict, first_good, judged, unreachable
from envkit.models.model import Artifact
from envkit.models.progress import Progress, pulse
from envkit.models.sources import SOURCES, Asking, Hub, Tick
from envkit.models.transfer import fetch
from envkit.models.transfer.announcement import Announcement
from envkit.models.transfer.http import Http
from envkit.models.transfer.location import Location
from envkit.models.transfer.retry import Backoff


@dataclass(frozen=True)
class Probe:
    """Asks every place; for one `run`. ``locked`` is what the lock says of the artifacts."""

    http: Http
    hub: Hub
    progress: Progress
    locked: LockedFiles
    backoff: Backoff = field(default_factory=lambda: Backoff(attempts=3))
    crew: Crew = field(default_factory=Crew)

    def run(self, artifacts: Sequence[Artifact], jobs: int) -> Mapping[Artifact, tuple[Verdict, ...]]:
        """A verdict on each file of each artifact, ``jobs`` artifacts at a time."""
        try:
            return dict(self.crew.run(artifacts, self._ask, jobs))
        finally:
            self.progress.close()

    def _ask(self, artifact: Artifact) -> tuple[Artifact, tuple[Verdict, ...]]:
        return artifact, first_good([*self._looks(artifact)])

    def _looks(self, artifact: Artifact) -> Iterator[Look]:
        source = SOURCES[artifact.source]
        place = source.shown(artifact.locator)
        asking = Asking(self.http, ticking(self.crew, self.progress, f"asking {place}"), self.hub)
        yield bind(self._look, artifact, place, bind(source.probe, artifact.locator, artifact.paths, asking))
        # Where the source alone knows what the bytes have to be, nobody can stand in for it.
        for url in artifact.mirrors if artifact.digests.is_proof else ():
            mirror = Location(url)
            yield bind(self._look, artifact, fetch.shown(mirror, self.http), bind(self._at_mirror, mirror))

    def _at_mirror(self, mirror: Location) -> Mapping[str, Announcement]:
        return {"": self.http.probe(mirror)}

    def _look(
        self, artifact: Artifact, place: str, ask: Callable[[], Mapping[str, Announcement]]
    ) -> tuple[Verdict, ...]:
        try:
            told = self.backoff.again(ask, self.crew.pause, lambda line: self.progress.say(f"{place}: {line}"))
        except (ModelError, OSError) as error:
            self.crew.check()
            return (unreachable(place, error),)
        return judged(artifact, place, told, self.locked)


def ticking(crew: Crew, progress: Progress, line: str) -> Tick:
    """What a source calls while it waits."""
    beat = pulse(progress, line)

    def tick() -> None:
        crew.check()
        beat()

    return tick
