"""Carry out a plan: bring the blobs, show them in ``checkpoints/``, keep every failure."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial as bind
from pathlib import Path, PurePosixPath
from secrets import token_hex
from typing import Literal

from envkit.errors import ModelError
from envkit.models import archive, intake, room
from envkit.models.archive import Extracted
from envkit.models.explain import Failure, failure_of
from envkit.models.intake import Intake
from envkit.models.ledger import Ledger
from envkit.models.model import Artifact, Blame, Digests, Model
from envkit.models.plan import Fetch
from envkit.models.progress import Progress
from envkit.models.sources import SOURCES, Hub, Remote
from envkit.models.store import linking, lookup, runs
from envkit.models.store.store import Store
from envkit.models.store.trees import Leaf, Tree
from envkit.models.transfer.fetch import Fetched
from envkit.models.transfer.line import Line
from envkit.models.workspace import Workspace

Placed = Literal["fetched", "linked"]
"""A model in place: its bytes were fetched, or the store had them."""

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
        self._placed: dict[str, set[str]] = {}
        self._intake = Intake(self.store, self.progress, self.line, self.hub, self.jobs)

    def run(self, fetches: Sequence[Fetch]) -> _Outcome:
        """Fetch and publish, ``jobs`` files at a time; by each model's target how that came out.

        Raises:
            ModelError: the disk has no room for it.
        """
        self._intake.partials.sweep()
        room.check([action for action in fetches if not self._seems_there(action)], self.store)
        sizes = [action.artifact.digests.size for action in fetches]
        self.progress.expect(len(fetches), None if None in sizes else sum(size or 0 for size in sizes))
        try:
            with runs.claimed(self.store.staging, self.store.hand) as self._staging, self._intake.at_work():
                results = self.line.crew.run(fetches, self._carry_out, self.jobs, self._intake.ramp())
            self._write_down()
        finally:
            self.progress.close()
        outcomes = {target: outcome for result in results for target, outcome in result.items()}
        failed = {target for target, outcome in outcomes.items() if isinstance(outcome, Failure)}
        in_place = [action for action in fetches if failed.isdisjoint(model.target for model, _ in action.models)]
        # An archive may be left of one who was killed when all that came out of it was in the store.
        self._intake.partials.drop({action.artifact.key for action in in_place})
        return outcomes

    def _write_down(self) -> None:
        try:
            self.ledger.flush()
        except OSError as error:
            # All of it is in place, and proven; only that is not written down.
            self.progress.say(f"the next sync will hash again: {error.filename or 'records'}: {error.strerror}")

    def _seems_there(self, action: Fetch) -> bool:
        return all(lookup.seems_there(model, self.store.blobs, self.store.trees) for model, _ in action.models)

    def _carry_out(self, action: Fetch) -> _Outcome:
        wanted = [model for model, _ in action.models]
        label = _label(wanted)
        origin = SOURCES[action.artifact.source].shown(action.artifact.locator)
        outcome: dict[str, Failure | Placed] = {}
        try:
            with self._intake.held(action.artifact, label):
                # Whoever had the lock before may have brought what is wanted.
                wanted = self._without_those_in_store(wanted, outcome)
                if wanted:
                    outcome |= self._fetch(action.artifact, wanted, label, origin)
        except (ModelError, OSError) as error:
            self.line.crew.check()
            outcome |= dict.fromkeys((model.target for model in wanted), failure_of(error, origin))
        finally:
            self._intake.ended += 1
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
            tree = lookup.find(model, self.store.blobs, self.store.trees, self._intake.checked)
            if tree is None:
                left.append(model)
                continue
            self._place(model, tree)
            self.progress.say(f"{model.name} {model.version}: in the store already, now checkpoints/{model.target}")
            outcome[model.target] = "linked"
        return left

    def _from_archive_in_store(self, artifact: Artifact, models: Sequence[Model], origin: str) -> _Outcome | None:
        """The models out of an archive that a lock has fetched already; None where the store does not have it."""
        if not all(model.unpack for model in models):
            return None
        known = self.store.blobs.find(artifact.digests, self._intake.checked)
        if known is None or known.sha256 is None:
            return None
        path = self.store.blobs.path(known.sha256)
        self._placed.setdefault(artifact.key, set()).add(known.sha256)
        made = {model.target: bind(self._unpacked, model, path, known) for model in models}
        outcome = {model.target: self._publish(model, made[model.target], origin) for model in models}
        return {target: "linked" if placed == "fetched" else placed for target, placed in outcome.items()}

    # --- from a source -------------------------------------------------------------------------------------------

    def _fetch(self, artifact: Artifact, models: Sequence[Model], label: str, origin: str) -> _Outcome:
        if there := self._from_archive_in_store(artifact, models, origin):
            return there
        self.progress.say(f"{label}: fetching from {origin}")
        if SOURCES[artifact.source].holds_many(artifact.locator):
            tree = self._set(artifact, label, origin)
            for model in models:
                self.store.trees.save(model, tree)
            return {model.target: self._publish(model, lambda: tree, origin) for model in models}
        with closing(self._intake.one(artifact, label, origin)) as got:
            return self._published(got, models, origin)

    def _set(self, artifact: Artifact, label: str, origin: str) -> Tree:
        """Every file of a set as a blob, and the list of them."""
        remotes, blames = self._intake.places(artifact, label, origin)
        receive = bind(self._receive_leaf, artifact, label=label, blames=blames)
        received = self.line.crew.each(intake.as_locked(artifact, remotes), receive, self.jobs, self._intake.ramp())
        if failures := [error for error in received if isinstance(error, (ModelError, OSError))]:
            raise failures[0]
        pairs = [pair for pair in received if isinstance(pair, tuple)]
        leaves = sorted((leaf for leaf, _ in pairs), key=lambda leaf: leaf.path)
        # Of one file that is the artifact, all is known by now; a set has no digests of its own.
        whole = artifact.digests.over(pairs[0][1]) if [leaf.path for leaf in leaves] == [""] else artifact.digests
        return Tree(whole, tuple(leaves))

    def _receive_leaf(
        self, artifact: Artifact, remote: Remote | None, *, label: str, blames: tuple[Blame, ...]
    ) -> tuple[Leaf, Digests] | ModelError | OSError:
        """One file of a set; what kept it away, where that is no reason to stop the other models."""
        path = remote.path if remote else ""
        expected = artifact.digests.over(remote.location.digests) if remote else artifact.digests
        known = self.store.blobs.find(expected, self._intake.checked)
        try:
            if known is None:
                with closing(self._intake.receive(artifact, remote, path or label, blames)) as got:
                    known = self._intake.keep(got)
            self._intake.ended += 1
        except (ModelError, OSError) as error:
            self.line.crew.check()
            return error
        return Leaf(artifact.place(path), str(known.sha256), known.size or 0), known

    def _published(self, got: Fetched, models: Sequence[Model], origin: str) -> _Outcome:
        came_from = got.origin if got.origin == origin else f"{got.origin}, named by {origin}"
        packed = [model for model in models if model.unpack is not None]
        unpacked = {model.target: bind(self._unpacked, model, got.path, got.digests) for model in packed}
        outcome = {model.target: self._publish(model, unpacked[model.target], came_from) for model in packed}
        if len(packed) == len(models):
            got.path.unlink()
            return outcome
        digests = self._intake.keep(got)
        tree = Tree(digests, (Leaf("", str(digests.sha256), digests.size or 0),))
        as_it_is = [model for model in models if model.unpack is None]
        for model in as_it_is:
            if model.artifact.paths:
                self.store.trees.save(model, tree)
        return outcome | {model.target: self._publish(model, lambda: tree, came_from) for model in as_it_is}

    def _unpacked(self, model: Model, packed: Path, digests: Digests) -> Tree:
        """The members that a model wants of an archive as blobs, and the list of them."""
        staged = self._staging / token_hex(8)
        staged.mkdir()
        try:
            extracted = self._extract(model, packed, staged)
            leaves = tuple(Leaf(member.path, member.sha256, member.size) for member in extracted.files)
            for leaf in leaves:
                self.store.blobs.add(extracted.folder / leaf.path, Digests(None, leaf.sha256, leaf.size))
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        tree = Tree(digests, leaves if model.is_folder else (_only(model, leaves),))
        self.store.trees.save(model, tree)
        return tree

    def _extract(self, model: Model, packed: Path, into: Path) -> Extracted:
        assert model.unpack is not None
        with closing(self.progress.meter(f"{model.name}: unpacking", part_of_whole=False)) as meter:
            meter.start(packed.stat().st_size)

            def advance(amount: int) -> None:
                self.line.crew.check()
                meter.advance(amount)

            return archive.extract(packed, model.unpack, model.paths, into, advance)

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


def _only(model: Model, leaves: Sequence[Leaf]) -> Leaf:
    """The one member that is the model."""
    name = PurePosixPath(model.paths[0]).name
    if [leaf.path for leaf in leaves] != [name]:
        hint = "a folder whose name looks like a file's: end its path with '/'"
        raise ModelError(f"{model.paths[0]} is a folder in the archive", hint=hint)
    return Leaf("", leaves[0].sha256, leaves[0].size)


def _label(models: Sequence[Model]) -> str:
    return models[0].name + (f" and {len(models) - 1} more" if len(models) > 1 else "")
