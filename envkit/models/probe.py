"""Whether artifacts could be had, without their bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from envkit.errors import ModelError
from envkit.models.crew import Crew
from envkit.models.explain import Failure, failure_of
from envkit.models.model import Artifact, Blame, Mismatch, NoSourceError, WrongBytesError
from envkit.models.progress import Progress, pulse
from envkit.models.sources import SOURCES, Asking, Hub, Tick
from envkit.models.transfer import fetch
from envkit.models.transfer.http import Http
from envkit.models.transfer.location import Location


def probe(
    artifacts: Sequence[Artifact], http: Http, hub: Hub, jobs: int, progress: Progress
) -> Mapping[Artifact, Failure | int | None]:
    """Ask every source whether it has its artifact, without the bytes: a failure, or the size where it is told."""
    crew = Crew()

    def ask(artifact: Artifact) -> tuple[Artifact, Failure | int | None]:
        source = SOURCES[artifact.source]
        origin = source.shown(artifact.locator)
        try:
            asking = Asking(http, ticking(crew, progress, f"asking {origin}"), hub)
            size = source.probe(artifact.locator, artifact.paths, asking)
            _check_size(artifact.digests.size, size)
        except (ModelError, OSError) as error:
            return artifact, _ask_mirrors(artifact, http, failure_of(error, origin))
        return artifact, size

    try:
        return dict(crew.run(artifacts, ask, jobs))
    finally:
        progress.close()


def _ask_mirrors(artifact: Artifact, http: Http, failure: Failure) -> Failure | int | None:
    """The size that the first mirror tells which has the artifact, else why nobody has."""
    blames = [Blame(failure.origin, failure.error)]
    for url in artifact.mirrors:
        try:
            size = http.probe(Location(url))
            _check_size(artifact.digests.size, size)
        except ModelError as error:  # noqa: PERF203 - failing is what this loop is about
            blames.append(Blame(fetch.shown(Location(url), http), error))
        else:
            return size
    return Failure(NoSourceError(tuple(blames)), failure.origin) if artifact.mirrors else failure


def _check_size(expected: int | None, announced: int | None) -> None:
    if expected is not None and announced is not None and expected != announced:
        mismatch = Mismatch("size", str(expected), str(announced))
        raise WrongBytesError("other bytes than models.yaml names", (mismatch,))


def ticking(crew: Crew, progress: Progress, line: str) -> Tick:
    """What a source calls while it waits."""
    beat = pulse(progress, line)

    def tick() -> None:
        crew.check()
        beat()

    return tick
