"""Carry out a plan: fetch artifacts side by side, publish what comes out of them, keep every failure."""

from __future__ import annotations

import random
import shutil
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from envkit.errors import ModelError
from envkit.models import archive, fetch, urls
from envkit.models.crew import Crew
from envkit.models.explain import Failure
from envkit.models.fetch import Request, TransientError
from envkit.models.model import Artifact, Digests, Mismatch, Model, Unpack, WrongBytesError
from envkit.models.plan import Fetch
from envkit.models.progress import Progress, pulse
from envkit.models.sources import SOURCES, Location, Tick
from envkit.models.workspace import Workspace


@dataclass(frozen=True)
class Backoff:
    """How often to try, and how long to wait in between (seconds, each delay drawn from the upper half of its range).

    A server that asks for more than ``patience`` is not waited for: a start that hangs says less than one that fails.
    """

    attempts: int = 4
    first: float = 0.5
    longest: float = 8.0
    patience: float = 30.0

    def delay(self, failures: int, error: TransientError) -> float | None:
        """How long to wait after that many failures; None to give up."""
        asked = error.retry_after or 0.0
        if failures >= self.attempts or asked > self.patience:
            return None
        longest = min(self.longest, self.first * 2.0 ** (failures - 1))
        return max(asked, longest * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret


@dataclass(frozen=True)
class Sync:
    """What all fetches of one sync share. It is for one `run`."""

    workspace: Workspace
    progress: Progress
    ca_bundle: Path | None
    backoff: Backoff = Backoff()
    crew: Crew = field(default_factory=Crew)

    def run(self, fetches: Sequence[Fetch], jobs: int) -> Mapping[str, Failure | None]:
        """Fetch and publish, ``jobs`` artifacts at a time; by each model's target a failure, or None for success."""
        try:
            results = self.crew.run(fetches, self._carry_out, jobs)
        finally:
            self.progress.close()
        return {target: outcome for result in results for target, outcome in result.items()}

    def _carry_out(self, action: Fetch) -> dict[str, Failure | None]:
        source, locator = SOURCES[action.artifact.source], action.artifact.locator
        models = [model for model, _ in action.models]
        origin = source.shown(locator)
        received = self.workspace.fresh()
        try:
            self.progress.say(f"{_label(models)}: fetching from {origin}")
            location = source.locate(locator, _tick(self.crew, self.progress, f"{_label(models)}: asking {origin}"))
            if location.url != locator:
                origin = f"{urls.redacted(location.url)} ({locator})"
            got = self._receive(action.artifact, location, received, _label(models))
        except (ModelError, OSError) as error:
            failure = Failure(_as_model_error(error), origin)
            return dict.fromkeys((model.target for model in models), failure)
        with self.crew.finishing():
            try:
                return {
                    model.target: self._publish(model, received, got, origin, shared=len(models) > 1)
                    for model in models
                }
            finally:
                received.unlink(missing_ok=True)

    def _receive(self, artifact: Artifact, location: Location, into: Path, label: str) -> Digests:
        request = Request(location, artifact.digests, self.ca_bundle)
        failures = 0
        with closing(self.progress.meter(label)) as meter:
            while True:
                try:
                    return fetch.fetch(request, into, meter, self.crew.check)
                except TransientError as error:  # noqa: PERF203 - failing is what this loop is about
                    failures += 1
                    delay = self.backoff.delay(failures, error)
                    if delay is None:
                        raise
                    self.progress.say(f"{label}: {error.message}; trying again in {delay:.1f} s")
                    self.crew.pause(delay)

    def _publish(self, model: Model, received: Path, got: Digests, origin: str, *, shared: bool) -> Failure | None:
        try:
            self.crew.check()
            staged, digests = self._stage(model, received, got, shared=shared)
            self.workspace.publish(staged, model, got, digests)
        except (ModelError, OSError) as error:
            return Failure(_as_model_error(error), origin)
        self.progress.say(f"{model.name} {model.version}: verified, now checkpoints/{model.target}")
        return None

    def _stage(self, model: Model, received: Path, got: Digests, *, shared: bool) -> tuple[Path, Mapping[str, str]]:
        """What is to become the model, and the SHA-256 of each of its files."""
        staged = self.workspace.fresh()
        if model.unpack is None:
            # Not a hard link: one model's name would then change the other's stat facts.
            staged = Path(shutil.copyfile(received, staged)) if shared else received
            return staged, {"": str(got.sha256)}
        staged.mkdir()
        folder, digests = self._extract(model, model.unpack, received, staged)
        if model.is_folder:
            return folder, digests
        name = PurePosixPath(model.paths[0]).name
        if set(digests) != {name}:
            hint = "a folder whose name looks like a file's: end its path with '/'"
            raise ModelError(f"{model.paths[0]} is a folder in the archive", hint=hint)
        return folder / name, {"": digests[name]}

    def _extract(self, model: Model, kind: Unpack, received: Path, into: Path) -> tuple[Path, Mapping[str, str]]:
        with closing(self.progress.meter(f"{model.name}: unpacking")) as meter:
            meter.start(received.stat().st_size)

            def advance(amount: int) -> None:
                self.crew.check()
                meter.advance(amount)

            return archive.extract(received, kind, model.paths, into, advance)


def probe(
    artifacts: Sequence[Artifact], ca_bundle: Path | None, jobs: int, progress: Progress
) -> Mapping[Artifact, Failure | int | None]:
    """Ask every source whether it has its artifact, without the bytes: a failure, or the size where it is told."""
    crew = Crew()

    def ask(artifact: Artifact) -> tuple[Artifact, Failure | int | None]:
        source = SOURCES[artifact.source]
        origin = source.shown(artifact.locator)
        try:
            size = source.probe(artifact.locator, ca_bundle, _tick(crew, progress, f"asking {origin}"))
            _check_size(artifact.digests.size, size)
        except (ModelError, OSError) as error:
            return artifact, Failure(_as_model_error(error), origin)
        return artifact, size

    try:
        return dict(crew.run(artifacts, ask, jobs))
    finally:
        progress.close()


def _tick(crew: Crew, progress: Progress, line: str) -> Tick:
    beat = pulse(progress, line)

    def tick() -> None:
        crew.check()
        beat()

    return tick


def _check_size(expected: int | None, announced: int | None) -> None:
    if expected is not None and announced is not None and expected != announced:
        mismatch = Mismatch("size", str(expected), str(announced))
        raise WrongBytesError("other bytes than models.yaml names", (mismatch,))


def _label(models: Sequence[Model]) -> str:
    return models[0].name + (f" and {len(models) - 1} more" if len(models) > 1 else "")


def _as_model_error(error: ModelError | OSError) -> ModelError:
    if isinstance(error, ModelError):
        return error
    return ModelError(f"{error.filename or 'checkpoints'}: {error.strerror or error}")
