"""Carry out a plan: bring the blobs, show them in ``checkpoints/``, keep every failure."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial as bind
from pathlib import Path, PurePosixPath
from secrets import token_hex
from threading import Semaphore
from typing import Literal

from envkit.errors import ModelError
from envkit.models import archive, room
from envkit.models.archive import Extracted
from envkit.models.explain import Failure, failure_of
from envkit.models.ledger import Ledger
from envkit.models.model import Artifact, Blame, Digests, Model, short_hash
from envkit.models.plan import Fetch
from envkit.models.probe import ticking
from envkit.models.progress import Progress
from envkit.models.ramp import Ramp
from envkit.models.sources import SOURCES, Asking, Hub, Remote
from envkit.models.store import linking, lookup, runs
from envkit.models.store.locks import Locks
from envkit.models.store.store import Store
from envkit.models.store.trees import Leaf, Tree
from envkit.models.transfer import fetch
from envkit.models.transfer.answers import TransientError
from envkit.models.transfer.fetch import Fetched, Wanted
from envkit.models.transfer.line import Line
from envkit.models.transfer.location import Location
from envkit.models.transfer.partial import Partials
from envkit.models.workspace import Workspace
from envkit.result import Report

Placed = Literal["fetched", "linked"]
"""A model in place: its bytes were fetched, or the store had them."""

_BEAT = 0.2  # seconds
_FILE = 64 << 10  # what a file counts for beside its bytes, when it is judged how fast it goes
_Outcome = Mapping[str, "Failure | Placed"]


@dataclass
class Sync:
    """What all fetches of one sync share. It is for one `run`."""

    workspace: Workspace
    store: Store
    ledger: Ledger
    progress: Progress
    line: Line
    hub: Hub
    jobs: int

    def __post_init__(self) -> None:
        self._ended = 0
        self._slots = Semaphore(self.jobs)
        self._placed: dict[str, set[str]] = {}
        self._partials = Partials(self.store.partials)
        self._locks = Locks(self.store.partials, self.store.hand, self.line.crew)

    def run(self, fetches: Sequence[Fetch]) -> _Outcome:
        """Fetch and publish, ``jobs`` files at a time; by each model's target how that came out.

        Raises:
            ModelError: the disk has no room for it.
        """
        self._partials.sweep()
        room.check([action for action in fetches if not self._seems_there(action)], self.store.partials)
        sizes = [action.artifact.digests.size for action in fetches]
        self.progress.expect(len(fetches), None if None in sizes else sum(size or 0 for size in sizes))
        self.line.crew.spawn(bind(self._locks.beat, self.progress.tick))
        try:
            with runs.claimed(self.store.staging, self.store.hand) as self._staging:
                try:
                    results = self.line.crew.run(fetches, self._carry_out, self.jobs, self._ramp())
                finally:
                    self._locks.abandon()
                    self._partials.abandon()
            self._write_down()
        finally:
            self.progress.close()
        outcomes = {target: outcome for result in results for target, outcome in result.items()}
        failed = {target for target, outcome in outcomes.items() if isinstance(outcome, Failure)}
        in_place = [action for action in fetches if failed.isdisjoint(model.target for model, _ in action.models)]
        # An archive may be left of one who was killed when all that came out of it was in the store.
        self._partials.drop({action.artifact.key for action in in_place})
        return outcomes

    def _write_down(self) -> None:
        try:
            self.ledger.flush()
        except OSError as error:
            # All of it is in place, and proven; only that is not written down.
            self.progress.say(f"the next sync will hash again: {error.filename or 'records'}: {error.strerror}")

    def _seems_there(self, action: Fetch) -> bool:
        return all(lookup.seems_there(model, self.store.blobs, self.store.trees) for model, _ in action.models)

    def _ramp(self) -> Ramp:
        return Ramp(self.jobs, lambda: self.line.received.amount + _FILE * self._ended)

    def _carry_out(self, action: Fetch) -> _Outcome:
        wanted = [model for model, _ in action.models]
        label = _label(wanted)
        origin = SOURCES[action.artifact.source].shown(action.artifact.locator)
        outcome: dict[str, Failure | Placed] = {}
        try:
            with self._locks.held(action.artifact.key, lambda line: self.progress.say(f"{label}: {line}")):
                # Whoever had the lock before may have brought what is wanted.
                wanted = self._without_those_in_store(wanted, outcome)
                if wanted:
                    outcome |= self._fetch(action.artifact, wanted, label, origin)
        except (ModelError, OSError) as error:
            self.line.crew.check()
            outcome |= dict.fromkeys((model.target for model in wanted), failure_of(error, origin))
        finally:
            self._ended += 1
            if not self.store.keeps:
                # A copy is in checkpoints/, and nothing else will ever be made of these.
                for sha256 in self._placed.pop(action.artifact.key, ()):
                    self.store.blobs.remove(sha256)
        return outcome

    # --- from the store ------------------------------------------------------------------------------------------

    def _without_those_in_store(self, models: Sequence[Model], outcome: dict[str, Failure | Placed]) -> list[Model]:
        """Place the models that the store has the bytes of; the others."""
        left = []
        for model in models:
            tree = lookup.find(model, self.store.blobs, self.store.trees, self._checked)
            if tree is None:
                left.append(model)
                continue
            self._place(model, tree)
            self.progress.say(f"{model.name} {model.version}: in the store already, now checkpoints/{model.target}")
            outcome[model.target] = "linked"
        return left

    def _checked(self, amount: int) -> None:
        del amount
        self.line.crew.check()

    # --- from a source -------------------------------------------------------------------------------------------

    def _fetch(self, artifact: Artifact, models: Sequence[Model], label: str, origin: str) -> _Outcome:
        source = SOURCES[artifact.source]
        self.progress.say(f"{label}: fetching from {origin}")
        tick = ticking(self.line.crew, self.progress, f"{label}: asking {origin}")
        blames: tuple[Blame, ...] = ()
        try:
            asking = Asking(self.line.http, tick, self.hub)
            remotes = self._located(artifact, asking, lambda line: self.progress.say(f"{label}: {origin}: {line}"))
        except ModelError as error:
            self.line.crew.check()
            if not artifact.mirrors:
                raise
            self.progress.say(f"{label}: {origin}: {error.message}; trying its mirrors")
            remotes, blames = (), (Blame(origin, error),)
        if source.holds_many(artifact.locator):
            receive = bind(self._receive_leaf, artifact, label=label)
            received = self.line.crew.each(remotes, receive, self.jobs, self._ramp())
            leaves = [leaf for leaf in received if isinstance(leaf, Leaf)]
            if failures := [error for error in received if not isinstance(error, Leaf)]:
                raise failures[0]
            tree = Tree(artifact.digests, tuple(sorted(leaves, key=lambda leaf: leaf.path)))
            for model in models:
                self.store.trees.save(model, tree)
            return {model.target: self._publish(model, lambda: tree, origin) for model in models}
        with closing(self._receive(artifact, remotes[0] if remotes else None, label, blames)) as got:
            return self._published(got, models, origin)

    def _located(self, artifact: Artifact, asking: Asking, say: Report) -> tuple[Remote, ...]:
        """Where the files are. A hub or an index that is busy is asked again, as a server of files is."""
        failures = 0
        while True:
            try:
                return SOURCES[artifact.source].locate(artifact.locator, artifact.paths, asking)
            except TransientError as error:  # noqa: PERF203 - failing is what this loop is about
                failures += 1
                delay = self.line.backoff.delay(failures, error)
                if delay is None:
                    raise
                say(f"{error.message}; trying again in {delay:.1f} s")
                self.line.crew.pause(delay)

    def _published(self, got: Fetched, models: Sequence[Model], origin: str) -> _Outcome:
        came_from = got.origin if got.origin == origin else f"{got.origin}, named by {origin}"
        packed = [model for model in models if model.unpack is not None]
        outcome = {model.target: self._publish(model, bind(self._unpacked, model, got), came_from) for model in packed}
        if len(packed) == len(models):
            got.path.unlink()
            return outcome
        tree = self._as_blob(got)
        as_it_is = [model for model in models if model.unpack is None]
        return outcome | {model.target: self._publish(model, lambda: tree, came_from) for model in as_it_is}

    def _receive(
        self, artifact: Artifact, remote: Remote | None, label: str, blames: tuple[Blame, ...] = ()
    ) -> Fetched:
        """The file at ``remote``, else at a mirror of the artifact; None for ``remote`` where its source is away."""
        inside = remote.path if remote else ""
        own = (remote.location,) if remote else ()
        places = (*own, *(Location(url) for url in artifact.mirrors if not inside))
        # A mirror too is held to what the source says; a set has no digests of its own.
        expected = artifact.digests.over(remote.location.digests) if remote else artifact.digests
        wanted = Wanted(expected, places, artifact.key + (f"-{short_hash(inside)}" if inside else ""), blames)
        with closing(self.progress.meter(label)) as meter:
            say = self.progress.say
            with self._slot():
                return fetch.fetch(wanted, self._partials, self.line, meter, lambda line: say(f"{label}: {line}"))

    @contextmanager
    def _slot(self) -> Iterator[None]:
        """One of ``jobs``: several sets at a time have no more files on their way than one."""
        while not self._slots.acquire(timeout=_BEAT):
            self.line.crew.check()
        try:
            yield
        finally:
            self._slots.release()

    def _receive_leaf(self, artifact: Artifact, remote: Remote, *, label: str) -> Leaf | ModelError | OSError:
        """One file of a set; what kept it away, where that is no reason to stop the other models."""
        known = self.store.blobs.find(artifact.digests.over(remote.location.digests), self._checked)
        try:
            if known is None:
                with closing(self._receive(artifact, remote, remote.path or label)) as got:
                    known = self._as_blob(got).artifact
            self._ended += 1
        except (ModelError, OSError) as error:
            self.line.crew.check()
            return error
        return Leaf(_inside(remote.path, artifact.paths), str(known.sha256), known.size or 0)

    def _as_blob(self, got: Fetched) -> Tree:
        self.store.blobs.add(got.path, got.digests)
        return Tree(got.digests, (Leaf("", str(got.digests.sha256), got.digests.size or 0),))

    def _unpacked(self, model: Model, got: Fetched) -> Tree:
        """The members that a model wants as blobs, and the list of them."""
        staged = self._staging / token_hex(8)
        staged.mkdir()
        try:
            extracted = self._extract(model, got, staged)
            leaves = tuple(Leaf(member.path, member.sha256, member.size) for member in extracted.files)
            for leaf in leaves:
                self.store.blobs.add(extracted.folder / leaf.path, Digests(None, leaf.sha256, leaf.size))
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        tree = Tree(got.digests, leaves if model.is_folder else (_only(model, leaves),))
        self.store.trees.save(model, tree)
        return tree

    def _extract(self, model: Model, got: Fetched, into: Path) -> Extracted:
        assert model.unpack is not None
        with closing(self.progress.meter(f"{model.name}: unpacking", part_of_whole=False)) as meter:
            meter.start(got.path.stat().st_size)

            def advance(amount: int) -> None:
                self.line.crew.check()
                meter.advance(amount)

            return archive.extract(got.path, model.unpack, model.paths, into, advance)

    # --- into checkpoints/ ---------------------------------------------------------------------------------------

    def _publish(self, model: Model, made: Callable[[], Tree], origin: str) -> Failure | Placed:
        try:
            self._place(model, made())
        except (ModelError, OSError) as error:
            self.line.crew.check()
            return failure_of(error, origin)
        self.progress.say(f"{model.name} {model.version}: verified, now checkpoints/{model.target}")
        return "fetched"

    def _place(self, model: Model, tree: Tree) -> None:
        """Show a tree's blobs under the model's name."""
        staged = self.workspace.fresh()
        if model.is_folder:
            self.workspace.hand.make(staged)
        for leaf in tree.leaves:
            self._show(leaf, staged / leaf.path)
        with self.line.crew.finishing():
            self.workspace.publish(staged, model)
        self.ledger.proven(model, tree.artifact, tree.leaves)
        self._placed.setdefault(model.artifact.key, set()).update(leaf.sha256 for leaf in tree.leaves)

    def _show(self, leaf: Leaf, path: Path) -> None:
        if leaf.path:
            self.workspace.hand.make_all(path.parent)
        how = linking.link(self.store.blobs.path(leaf.sha256), path, symlink=self.store.symlink)
        if how != "hardlink":
            self.workspace.hand.give(path)


def _inside(path: str, wanted: Iterable[str]) -> str:
    """Where a file of a set belongs in the model's folder: below the folder that was asked for."""
    for root in wanted:
        if path == root:
            return PurePosixPath(path).name
        if path.startswith(root.rstrip("/") + "/"):
            return path[len(root.rstrip("/")) + 1 :]
    return path


def _only(model: Model, leaves: Sequence[Leaf]) -> Leaf:
    """The one member that is the model."""
    name = PurePosixPath(model.paths[0]).name
    if [leaf.path for leaf in leaves] != [name]:
        hint = "a folder whose name looks like a file's: end its path with '/'"
        raise ModelError(f"{model.paths[0]} is a folder in the archive", hint=hint)
    return Leaf("", leaves[0].sha256, leaves[0].size)


def _label(models: Sequence[Model]) -> str:
    return models[0].name + (f" and {len(models) - 1} more" if len(models) > 1 else "")
