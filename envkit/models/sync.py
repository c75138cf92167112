"""Carry out a plan: fetch artifacts side by side, publish what comes out of them, keep every failure.

The only threads of envkit's are here.
"""

from __future__ import annotations

import random
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

from envkit.errors import ModelError
from envkit.models import archive, fetch, urls
from envkit.models.explain import Failure
from envkit.models.fetch import Request, TransientError
from envkit.models.model import Artifact, Digests, Mismatch, Model, WrongBytesError
from envkit.models.plan import Fetch
from envkit.models.progress import Progress
from envkit.models.sources import SOURCES, Location
from envkit.models.workspace import Workspace

_T = TypeVar("_T")
_R = TypeVar("_R")


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
    """What all fetches of one sync share."""

    workspace: Workspace
    progress: Progress
    ca_bundle: Path | None
    backoff: Backoff = Backoff()

    def run(self, fetches: Sequence[Fetch], jobs: int) -> Mapping[str, Failure | None]:
        """Fetch and publish, ``jobs`` artifacts at a time; by each model's target a failure, or None for success."""
        cancelled = threading.Event()
        results = _in_pool(fetches, lambda action: self._carry_out(action, cancelled), jobs, cancelled)
        return {target: outcome for result in results for target, outcome in result.items()}

    def _carry_out(self, action: Fetch, cancelled: threading.Event) -> dict[str, Failure | None]:
        source, locator = SOURCES[action.artifact.source], action.artifact.locator
        models = [model for model, _ in action.models]
        origin = source.shown(locator)
        received = self.workspace.fresh()
        try:
            self.progress.say(f"{_label(models)}: fetching from {origin}")
            location = source.locate(locator)
            if location.url != locator:
                origin = f"{urls.redacted(location.url)} ({locator})"
            got = self._receive(action.artifact, location, received, _label(models), cancelled)
        except (ModelError, OSError) as error:
            failure = Failure(_as_model_error(error), origin)
            return dict.fromkeys((model.target for model in models), failure)
        try:
            return {
                model.target: self._publish(model, received, got, origin, shared=len(models) > 1) for model in models
            }
        finally:
            received.unlink(missing_ok=True)

    def _receive(
        self, artifact: Artifact, location: Location, into: Path, label: str, cancelled: threading.Event
    ) -> Digests:
        request = Request(location, artifact.digests, self.ca_bundle)
        meter = self.progress.meter(label)
        failures = 0
        try:
            while True:
                try:
                    return fetch.fetch(request, into, meter, cancelled.is_set)
                except TransientError as error:  # noqa: PERF203 - failing is what this loop is about
                    failures += 1
                    delay = self.backoff.delay(failures, error)
                    if delay is None:
                        raise
                    self.progress.say(f"{label}: {error.message}; trying again in {delay:.1f} s")
                    if cancelled.wait(delay):
                        raise
        finally:
            meter.close()

    def _publish(self, model: Model, received: Path, got: Digests, origin: str, *, shared: bool) -> Failure | None:
        try:
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
        folder, digests = archive.extract(received, model.unpack, model.paths, staged)
        if model.is_folder:
            return folder, digests
        name = PurePosixPath(model.paths[0]).name
        if set(digests) != {name}:
            hint = "a folder whose name looks like a file's: end its path with '/'"
            raise ModelError(f"{model.paths[0]} is a folder in the archive", hint=hint)
        return folder / name, {"": digests[name]}


def probe(artifacts: Sequence[Artifact], ca_bundle: Path | None, jobs: int) -> Mapping[Artifact, Failure | int | None]:
    """Ask every source whether it has its artifact, without the bytes: a failure, or the size where it is told."""

    def ask(artifact: Artifact) -> tuple[Artifact, Failure | int | None]:
        source = SOURCES[artifact.source]
        try:
            size = source.probe(artifact.locator, ca_bundle)
            _check_size(artifact.digests.size, size)
        except ModelError as error:
            return artifact, Failure(error, source.shown(artifact.locator))
        return artifact, size

    return dict(_in_pool(artifacts, ask, jobs, threading.Event()))


def _check_size(expected: int | None, announced: int | None) -> None:
    if expected is not None and announced is not None and expected != announced:
        mismatch = Mismatch("size", str(expected), str(announced))
        raise WrongBytesError("other bytes than models.yaml names", (mismatch,))


def _in_pool(items: Sequence[_T], work: Callable[[_T], _R], jobs: int, cancelled: threading.Event) -> list[_R]:
    with ThreadPoolExecutor(jobs, thread_name_prefix="envkit-models") as pool:
        try:
            return [future.result() for future in as_completed([pool.submit(work, item) for item in items])]
        except BaseException:
            # Ctrl-C, or a bug in one of them: the others are to stop at their next chunk.
            cancelled.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _label(models: Sequence[Model]) -> str:
    return models[0].name + (f" and {len(models) - 1} more" if len(models) > 1 else "")


def _as_model_error(error: ModelError | OSError) -> ModelError:
    if isinstance(error, ModelError):
        return error
    return ModelError(f"{error.filename or 'checkpoints'}: {error.strerror or error}")
