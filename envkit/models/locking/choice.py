"""What each entry comes to now: of what floats one version, of a branch one commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial as bind
from typing import TypeVar

from envkit.errors import ModelError
from envkit.models import urls, versions
from envkit.models.crew import Crew
from envkit.models.dry_run.probe import ticking
from envkit.models.explain import Failure, failure_of
from envkit.models.locking.lock import Key
from envkit.models.model import Digests, Model, WrongBytesError
from envkit.models.progress import Progress
from envkit.models.registry import registry
from envkit.models.sources import SOURCES, Asking, Hub, Source
from envkit.models.transfer.http import Http
from envkit.models.transfer.retry import Backoff

_T = TypeVar("_T")
_SHOWN = 5  # versions in a message


@dataclass(frozen=True)
class Choosing:
    """Asks every source, once for all entries that have one locator; for one `run`."""

    http: Http
    hub: Hub
    progress: Progress
    backoff: Backoff = field(default_factory=Backoff)
    crew: Crew = field(default_factory=Crew)

    def run(self, models: Sequence[Model], jobs: int) -> Mapping[Key, Model | Failure]:
        """Each model as it would be pinned, or why it cannot be; by its name and the version asked for."""
        groups: dict[tuple[str, str], list[Model]] = {}
        for model in models:
            groups.setdefault((model.artifact.source, model.artifact.locator), []).append(model)
        answers = self.crew.run([*groups.values()], self._choose, jobs)
        return {key: outcome for answer in answers for key, outcome in answer.items()}

    def _choose(self, models: Sequence[Model]) -> Mapping[Key, Model | Failure]:
        """The same for models of one locator."""
        source, locator = SOURCES[models[0].artifact.source], models[0].artifact.locator
        origin = source.shown(locator)
        asking = Asking(self.http, ticking(self.crew, self.progress, f"asking {origin}"), self.hub)
        try:
            floats = any(model.floats for model in models)
            offered = self._again(bind(source.versions, locator, asking), origin) if floats else {}
            commits: dict[str, str] = {}
            return {
                (model.name, model.version): self._pinned(model, source, offered, asking, commits) for model in models
            }
        except (ModelError, OSError) as error:
            self.crew.check()
            return {(model.name, model.version): failure_of(error, origin) for model in models}

    def _pinned(
        self, model: Model, source: Source, offered: Mapping[str, Digests], asking: Asking, commits: dict[str, str]
    ) -> Model | Failure:
        try:
            chosen = decide(model, offered) if model.floats else model
        except ModelError as error:
            return failure_of(error, source.shown(model.artifact.locator))
        at = chosen.artifact.locator
        if at not in commits:
            commits[at] = self._again(bind(source.pinned, at, asking), source.shown(at))
        return replace(chosen, artifact=replace(chosen.artifact, locator=commits[at]))

    def _again(self, ask: Callable[[], _T], origin: str) -> _T:
        return self.backoff.again(ask, self.crew.pause, lambda line: self.progress.say(f"{origin}: {line}"))


def decide(model: Model, offered: Mapping[str, Digests]) -> Model:
    """A model that floats as the newest version that it takes of those ``offered``, each with what is said of it. Pure.

    Raises:
        ModelError: it takes none, or what is said of that one is not what the registry says.
    """
    usable = [version for version in offered if registry.is_name(version)]
    version = versions.choose(model.version, usable)
    if version is None:
        wish = f"version {model.version}" if model.version not in versions.WORDS else f"{model.version} version"
        raise ModelError(f"there is no {wish}", hint=_those_there_are(usable))
    own, said = model.artifact.digests, offered[version]
    if mismatches := own.mismatches(said.over(own)):
        raise WrongBytesError(f"models.yaml and the index say different things of version {version}", mismatches)
    artifact = replace(
        model.artifact,
        locator=SOURCES[model.artifact.source].at(model.artifact.locator, version),
        digests=own.over(said),
        mirrors=tuple(urls.filled(url, version) for url in model.artifact.mirrors),
    )
    return replace(model, version=version, artifact=artifact, floats=False)


def _those_there_are(found: Sequence[str]) -> str:
    known = versions.newest_first(found)
    if not known:
        return f"nothing there is a version: {', '.join(sorted(found)[:_SHOWN])}" if found else "there are none at all"
    more = len(known) - _SHOWN
    return f"there are {', '.join(known[:_SHOWN])}" + (f" and {more} older" if more > 0 else "")
