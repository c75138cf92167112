"""From a source into the store: what a sync and a lock have in common. Which files there are, then each of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial as bind
from threading import Semaphore

from envkit.errors import ModelError
from envkit.models.dry_run.probe import ticking
from envkit.models.model import Artifact, Blame, Digests, short_hash
from envkit.models.progress import Progress
from envkit.models.ramp import Ramp
from envkit.models.sources import SOURCES, Asking, Hub, Remote
from envkit.models.store.locks import Locks
from envkit.models.store.store import Store
from envkit.models.transfer import fetch
from envkit.models.transfer.fetch import Fetched, Wanted
from envkit.models.transfer.line import Line
from envkit.models.transfer.location import Location
from envkit.models.transfer.partial import Partials

_BEAT = 0.2  # seconds
_FILE = 64 << 10  # what a file counts for beside its bytes, when it is judged how fast it goes
_SHOWN = 3  # paths in a message


@dataclass
class Intake:
    """What all fetches of one run share; for its threads. ``ended`` counts files that are over, whatever came of them.

    What is asked of it raises `ModelError` where a source has no answer or does not give the right bytes, and `OSError`
    where the disk does not take them.
    """

    store: Store
    progress: Progress
    line: Line
    hub: Hub
    jobs: int
    ended: int = 0

    def __post_init__(self) -> None:
        self._slots = Semaphore(self.jobs)
        self.partials = Partials(self.store.partials)
        self._locks = Locks(self.store.partials, self.store.hand, self.line.crew)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """For as long as something is fetched: others see that it is. Entered once."""
        self.line.crew.spawn(bind(self._locks.beat, self.progress.tick))
        try:
            yield
        finally:
            self._locks.abandon()
            self.partials.abandon()

    def ramp(self) -> Ramp:
        return Ramp(self.jobs, lambda: self.line.received.amount + _FILE * self.ended)

    def held(self, artifact: Artifact, label: str) -> AbstractContextManager[None]:
        """The lock on an artifact: whoever had it before may have brought what is wanted."""
        return self._locks.held(artifact.key, lambda line: self.progress.say(f"{label}: {line}"))

    def asking(self, label: str, origin: str) -> Asking:
        """What a source may use, and says now and then while it waits."""
        return Asking(self.line.http, ticking(self.line.crew, self.progress, f"{label}: asking {origin}"), self.hub)

    def located(self, artifact: Artifact, label: str, origin: str) -> tuple[Remote, ...]:
        """Where the files are. A hub or an index that is busy is asked again, as a server of files is."""
        asking = self.asking(label, origin)
        locate = bind(SOURCES[artifact.source].locate, artifact.locator, artifact.paths, asking)
        say = self.progress.say
        return self.line.backoff.again(locate, self.line.crew.pause, lambda line: say(f"{label}: {origin}: {line}"))

    def places(
        self, artifact: Artifact, label: str, origin: str
    ) -> tuple[tuple[Remote | None, ...], tuple[Blame, ...]]:
        """Where the files are; of one whose source cannot say, and that has mirrors, None and what the source said."""
        try:
            return self.located(artifact, label, origin), ()
        except ModelError as error:
            self.line.crew.check()
            if not artifact.mirrors or not artifact.digests.is_proof:
                raise
            self.progress.say(f"{label}: {origin}: {error.message}; trying its mirrors")
            return (None,), (Blame(origin, error),)

    def one(self, artifact: Artifact, label: str, origin: str) -> Fetched:
        """The file that an artifact is, from its source, else from a mirror; to be closed."""
        remotes, blames = self.places(artifact, label, origin)
        return self.receive(artifact, remotes[0], label, blames)

    def receive(self, artifact: Artifact, remote: Remote | None, label: str, blames: tuple[Blame, ...] = ()) -> Fetched:
        """The file at ``remote``, else at a mirror of the artifact; None for ``remote`` where its source is away."""
        inside = remote.path if remote else ""
        own = (remote.location,) if remote else ()
        # A mirror too is held to what the source says; a set has no digests of its own.
        expected = artifact.digests.over(remote.location.digests) if remote else artifact.digests
        # Where nothing says what the bytes have to be, as before they are locked, only the source may say it.
        mirrors = artifact.mirrors if expected.is_proof and not inside else ()
        places = (*own, *map(Location, mirrors))
        wanted = Wanted(expected, places, artifact.key + (f"-{short_hash(inside)}" if inside else ""), blames)
        with closing(self.progress.meter(label)) as meter:
            say = self.progress.say
            with self._slot():
                return fetch.fetch(wanted, self.partials, self.line, meter, lambda line: say(f"{label}: {line}"))

    def keep(self, got: Fetched) -> Digests:
        """Put what was received into the store, as the blob that it is."""
        self.store.blobs.add(got.path, got.digests)
        return got.digests

    def checked(self, amount: int) -> None:
        """To be told how much was hashed: raises if it is time to stop."""
        del amount
        self.line.crew.check()

    @contextmanager
    def _slot(self) -> Iterator[None]:
        """One of ``jobs``: several sets at a time have no more files on their way than one."""
        while not self._slots.acquire(timeout=_BEAT):
            self.line.crew.check()
        try:
            yield
        finally:
            self._slots.release()


def as_locked(artifact: Artifact, remotes: Sequence[Remote | None]) -> tuple[Remote | None, ...]:
    """The files of a set as the lock has them, where it does: each by its digests, whatever the hub says now.

    Raises:
        ModelError: the hub lists other files than the lock has.
    """
    if not artifact.files:
        return tuple(remotes)
    locked, listed = dict(artifact.files), {remote.path: remote for remote in remotes if remote}
    if locked.keys() != listed.keys():
        raise ModelError("the hub lists other files than the lock has", hint=_difference(set(locked), set(listed)))
    return tuple(
        replace(remote, location=replace(remote.location, digests=locked[path].over(remote.location.digests)))
        for path, remote in listed.items()
    )


def _difference(locked: set[str], listed: set[str]) -> str:
    parts = (("missing", sorted(locked - listed)), ("not in the lock", sorted(listed - locked)))
    shown = [f"{what}: {', '.join(paths[:_SHOWN])}{', …' * (len(paths) > _SHOWN)}" for what, paths in parts if paths]
    return "; ".join(shown) + ". The same commit has the same files everywhere: try another HF_ENDPOINT"
