"""One location → one file, over as many connections as bring more, hashed while it arrives.

Each connection writes what it receives to its place in the file. Two threads follow the bytes that are there without a
gap, one for each digest (hashlib lets go of the interpreter meanwhile), so that the last byte received is all but the
last byte hashed; a resumed file is read again by the very same threads. A keeper writes the journal and decides how
many connections there are: twice as many for as long as that brings half as much again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial as bind
from threading import Condition, RLock

from envkit.errors import ModelError
from envkit.models.model import Digests
from envkit.models.progress import Meter
from envkit.models.transfer import hashing, receiving
from envkit.models.transfer.announcement import Announcement
from envkit.models.transfer.answers import TransientError, UnsatisfiableError
from envkit.models.transfer.http import Part, Reply
from envkit.models.transfer.journal import Journal, source_of
from envkit.models.transfer.line import Line
from envkit.models.transfer.location import Location
from envkit.models.transfer.partial import Partial
from envkit.models.transfer.pieces import LEAST, Claim, Pieces
from envkit.models.transfer.watch import Watch

_CHUNK = 1 << 20  # bytes at most: what has arrived is taken, however little
SMALL = 8 << 20
"""Files up to this size (bytes) are received and hashed by one thread: more would cost more than they bring."""
_EXCESS = 64 << 20  # bytes over the expected size that are not read for the sake of the message
_MOST_PART = 64 << 20
_PART_SECONDS = 4.0  # what one request for a part should take: a round trip is little beside it
_JOURNAL_EVERY, _BEAT = 1.0, 0.1  # seconds
_BLOCK = 512  # bytes, in which the kernel counts
_ROUND_TRIPS, _SHORTEST_TRIAL, _LONGEST_TRIAL = 4, 0.15, 3.0  # how long more connections are tried, in seconds
_WORTH_IT = 1.5  # times as fast, for twice as many


_NO_PARTS = "the server has no parts to give"


class RestartError(ModelError):
    """What is there of the file cannot be gone on with; ``single`` where the server has no parts to give."""

    def __init__(self, message: str, *, single: bool = False) -> None:
        super().__init__(message)
        self.single = single


@dataclass
class Download:
    """One try at one file from one place. For one `run`.

    ``journal`` is what the partial file has already; ``single`` is set for a server that has no parts to give.
    """

    line: Line
    location: Location
    expected: Digests
    partial: Partial
    meter: Meter
    say: Callable[[str], None]
    journal: Journal | None = None
    single: bool = False
    _lock: RLock = field(default_factory=RLock, init=False)
    _pieces: Pieces = field(default_factory=lambda: Pieces(None), init=False)
    _receiving: int = field(default=0, init=False)
    _failure: BaseException | None = field(default=None, init=False)
    _hashes: dict[str, str] = field(default_factory=dict, init=False)
    _validator: str | None = field(default=None, init=False)
    _rate: float = field(default=0.0, init=False)
    _latency: float = field(default=0.0, init=False)
    told: Announcement | None = field(default=None, init=False)
    """What the server said of the file, beside its bytes."""
    persistent: bool = field(default=False, init=False)
    """Whether failures were tried again in here: nothing is gained by trying yet again."""
    _busy: int = field(default=0, init=False)
    _settled: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        # Two conditions on one lock: a chunk that came is of interest to those who hash, and to nobody else.
        self._more, self._over = Condition(self._lock), Condition(self._lock)

    def run(self) -> Digests:
        """Receive the file, and say what came.

        Raises:
            RestartError: it has to begin anew, from an empty file; ``message`` says why.
            WrongBytesError: its length is not the expected one, so that its bytes cannot be.
            TransientError: the server is busy or the connection broke, again and again.
            ModelError: anything else that keeps the bytes away.
        """
        asked = time.monotonic()
        with self._open(self._first_part()) as reply:
            self._latency = time.monotonic() - asked
            self._begin(reply)
            if reply.size is not None and reply.size <= SMALL and self.journal is None:
                return self._receive_small(reply)
            return self._receive_large(reply)

    def _first_part(self) -> Part | None:
        if self.journal is None:
            return None
        gap = Pieces(self.journal.size, self.journal.done).claim(self.journal.size)
        # All of it is there: ask for the last byte, to learn whether it is still the same file.
        start = gap.start if gap else max(0, self.journal.size - 1)
        same = self.journal.source == source_of(self.location.url)
        return Part(start, None, self.journal.validator if same else None)

    def _begin(self, reply: Reply) -> None:
        receiving.check_size(reply, self.expected.size)
        if self.journal is not None:
            self._check_resumable(reply, self.journal)
        self._validator = reply.validator
        self.told = Announcement(reply.size, Digests(), reply.etag, reply.url)
        self._pieces = Pieces(reply.size, self.journal.done if self.journal else ())
        size = reply.size if reply.size is not None else self.expected.size
        if size is not None:
            # Not what was noted: behind that there are bytes on the disk that will be written over.
            self.line.reserve(size - os.fstat(self.partial.descriptor).st_blocks * _BLOCK)
        self.meter.start(size, self._pieces.received)
        if self.journal is not None and size:
            self.say(f"going on at {self._pieces.received / size:.0%} of {size / (1 << 20):.1f} MiB")

    def _check_resumable(self, reply: Reply, journal: Journal) -> None:
        same = journal.source == source_of(self.location.url)
        if reply.size != journal.size or (same and receiving.differ(reply.validator, journal.validator)):
            changed = RestartError("the file changed where it comes from since the download began")
            raise receiving.unless_a_page(reply, changed)
        part = self._first_part()
        if part is not None and reply.start != part.start:
            raise RestartError(_NO_PARTS, single=True)

    @contextmanager
    def _open(self, part: Part | None) -> Iterator[Reply]:
        try:
            with self.line.http.open(self.location, part) as reply:
                yield reply
        except UnsatisfiableError as error:
            # It became shorter, or parts are not what this server is good at: it is gone on without them.
            raise RestartError(error.message, single=self._receiving > 0) from error

    # --- a small file: one thread, bytes hashed as they pass -----------------------------------------------------

    def _receive_small(self, reply: Reply) -> Digests:
        hashes = {name: hashing.begun(name, reply.size) for name in hashing.wanted(self.expected)}
        position = 0
        watch = Watch()
        while chunk := self._read(reply, watch, first=position == 0):
            for digest in hashes.values():
                digest.update(chunk)
            self._write(chunk, position)
            position += len(chunk)
            self.meter.advance(len(chunk))
        if reply.length is not None and position != reply.length:
            raise receiving.short(position, reply.length)
        return hashing.summed(position, ((name, digest.hexdigest()) for name, digest in hashes.items()))

    # --- a large file: receivers, followers and a keeper --------------------------------------------

    def _receive_large(self, reply: Reply) -> Digests:
        names = hashing.wanted(self.expected)
        self._receiving, self.persistent = 1, not self.single and self._pieces.size is not None
        try:
            for name in names:
                self.line.crew.spawn(bind(self._guarded, bind(self._follow, name)))
            self.line.crew.spawn(bind(self._guarded, bind(self._keep, reply.ranges and not self.single)))
            self._guarded(bind(self._receive, reply))
            with self._lock:
                while not (self._failure or self._done(names)):
                    self._over.wait(_BEAT)
                    self.line.crew.check()
        finally:
            self._finish(names)
        if self._failure:
            raise self._failure
        # It may be an archive that takes long to unpack: killed meanwhile, nobody has to fetch it again.
        with suppress(OSError):
            self._note()
        return hashing.summed(self._pieces.size or 0, self._hashes.items())

    def _finish(self, names: tuple[str, ...]) -> None:
        """See to it that nobody writes to the file any more, and that what came is noted where that is not all."""
        with self._lock:
            if not self._done(names):
                self._failure = self._failure or ModelError("interrupted")
            self._more.notify_all()
            self._over.notify_all()
            self._over.wait_for(lambda: self._busy == 0)
        worth = self._failure and not self.line.crew.stopped and not isinstance(self._failure, RestartError)
        if worth and self._pieces.received > SMALL:
            with suppress(OSError):
                self._note(self.partial.note_the_last)

    def _done(self, names: tuple[str, ...]) -> bool:
        return self._pieces.complete and len(self._hashes) == len(names)

    @contextmanager
    def _using_the_file(self) -> Iterator[None]:
        """For writing to it, or to its journal. Raises once the download is over: it may be another's by then."""
        with self._lock:
            if self._failure:
                raise self._failure
            self._busy += 1
        try:
            yield
        finally:
            with self._lock:
                self._busy -= 1
                if not self._busy:
                    self._over.notify_all()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # raised again where the file is waited for
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            self._failure = self._failure or error
            self._more.notify_all()
            self._over.notify_all()

    def _follow(self, name: str) -> None:
        found = hashing.follow(name, self._pieces.size or self.expected.size, self.partial.descriptor, self._there)
        with self._lock:
            self._hashes[name] = found
            self._over.notify_all()

    def _there(self, position: int) -> int:
        def more() -> bool:
            return bool(self._failure) or self._pieces.complete or self._pieces.frontier > position

        with self._lock:
            self._more.wait_for(more)
            if self._failure:
                raise self._failure
            return self._pieces.frontier

    def _receive(self, reply: Reply | None) -> None:
        """One connection: part after part until there is none left, or it is of no use."""
        failures = 0
        while (claim := self._claimed()) is not None:
            begun, error = claim.position, None
            try:
                self._receive_part(claim, reply)
            except (ModelError, OSError) as caught:
                error = caught
            reply = None
            # In a row: who is refused once in a while comes through in the end.
            failures = 0 if error is None else 1 if claim.position > begun + LEAST else failures + 1
            delay = self._returned(claim, error, failures)
            if delay is None:
                return
            self.line.crew.pause(delay)

    def _claimed(self) -> Claim | None:
        """The next part to receive; None for a connection that has left."""
        with self._lock:
            claim = None if self._failure else self._pieces.claim(self._portion())
            if claim is None:
                self._receiving -= 1
            return claim

    def _returned(self, claim: Claim, error: ModelError | OSError | None, failures: int) -> float | None:
        """Give back a part, received or not; how long to wait before the next, None for a connection that has left.

        All in one breath: whoever leaves because nothing is left to do must have seen what others leave undone.
        """
        with self._lock:
            self._pieces.release(claim)
            if error is None:
                return 0.0
            # The server may want fewer connections: one of several does not insist.
            delay = None
            if isinstance(error, TransientError) and self._receiving == 1 and self.persistent:
                delay = self.line.backoff.delay(failures, error)
            if delay is None:
                self._leave(error)
                return None
        self.say(f"{error}; trying again in {delay:.1f} s")
        return delay

    def _portion(self) -> int:
        """How much one connection asks for at once: less towards the end, so that all are done at the same time."""
        if self.single or self._pieces.size is None:
            return self._pieces.size or _MOST_PART
        share = self._pieces.unclaimed() // (2 * max(1, self._receiving))
        return max(LEAST, min(share, int(self._rate * _PART_SECONDS), _MOST_PART))

    def _leave(self, error: ModelError | OSError) -> None:
        self._receiving -= 1
        self._settled = True
        fatal = isinstance(error, OSError) or (isinstance(error, RestartError) and not error.single)
        if (fatal or self._receiving == 0) and not self._pieces.complete:
            self._fail(error)

    def _receive_part(self, claim: Claim, reply: Reply | None) -> None:
        if reply is not None:
            try:
                self._stream(claim, reply)
            finally:
                reply.close()
            return
        with self._open(Part(claim.position, claim.end, self._validator)) as answer:
            self._check_part(claim, answer)
            self._stream(claim, answer)

    def _check_part(self, claim: Claim, reply: Reply) -> None:
        if reply.size not in (None, self._pieces.size) or receiving.differ(reply.validator, self._validator):
            changed = RestartError("the file changed where it comes from during the download")
            raise receiving.unless_a_page(reply, changed)
        if reply.start != claim.position:
            raise RestartError(_NO_PARTS, single=True)

    def _stream(self, claim: Claim, reply: Reply) -> None:
        watch, begun = Watch(), claim.position
        last = None if reply.length is None else reply.start + reply.length
        while chunk := self._read(reply, watch, first=claim.position == 0):
            if not self._take(claim, chunk, last):
                if claim.position == last:
                    with suppress(TransientError):
                        reply.read(1)  # the end of the answer: its connection can be used again
                return
        with self._lock:
            if self._pieces.size is None and last is None:
                self._pieces.end(claim)
                self._more.notify_all()
            elif claim.end is None or claim.position < claim.end:
                raise receiving.short(claim.position - begun, (claim.end or 0 if last is None else last) - reply.start)

    def _take(self, claim: Claim, chunk: bytes, last: int | None) -> bool:
        """Write what arrived; whether the connection may go on with what comes next, up to ``last``."""
        rest = memoryview(chunk)
        while rest:
            with self._using_the_file():
                fits = len(rest) if claim.end is None else min(len(rest), claim.end - claim.position)
                self._write(rest[:fits], claim.position)
                with self._lock:
                    claim.position += fits
                    self._more.notify_all()
            self.meter.advance(fits)
            rest = rest[fits:]
            if claim.position == claim.end and not self._extended(claim, last):
                return False
        return True

    def _extended(self, claim: Claim, last: int | None) -> bool:
        """Whether a connection may go on behind its part, in the answer that it has."""
        with self._lock:
            left = None if last is None else last - claim.position
            return left != 0 and self._pieces.extend(claim, min(self._portion(), left or _MOST_PART))

    def _read(self, reply: Reply, watch: Watch, *, first: bool) -> bytes:
        return receiving.pull(reply, watch, self.line, _CHUNK, first=first)

    def _write(self, chunk: bytes | memoryview, position: int) -> None:
        expected = self.expected.size
        if expected is not None and position > expected + _EXCESS:
            raise ModelError(f"stopped after {position} bytes: models.yaml says size {expected}")
        view = memoryview(chunk)
        while view:
            try:
                written = os.pwrite(self.partial.descriptor, view, position)
            except OSError as error:  # of a descriptor, it does not say where
                raise OSError(error.errno, error.strerror, str(self.partial.path.parent)) from error
            view, position = view[written:], position + written

    # --- the keeper ----------------------------------------------------------------------------------------------

    def _keep(self, may_grow: bool) -> None:
        trial = min(_LONGEST_TRIAL, max(_SHORTEST_TRIAL, _ROUND_TRIPS * self._latency))
        noted = seen_at = time.monotonic()
        seen, slower, growing = self._received(), 0.0, may_grow
        # All the while: a journal written a moment too late would speak of a file that is another's by then.
        with self._using_the_file():
            while self._going_on():
                now = time.monotonic()
                if now - noted >= _JOURNAL_EVERY:
                    self._note()
                    noted = time.monotonic()
                if now - seen_at < trial:
                    continue
                received = self._received()
                rate, seen, seen_at = (received - seen) / (now - seen_at), received, now
                with self._lock:
                    self._rate = rate / max(1, self._receiving)
                if growing and not self._settled:
                    growing = rate >= _WORTH_IT * slower and self._grow()
                    slower = rate

    def _going_on(self) -> bool:
        with self._lock:
            self._over.wait_for(lambda: self._failure or self._pieces.complete, _BEAT)
            return not self._failure and not self._pieces.complete and not self.line.crew.stopped

    def _received(self) -> int:
        with self._lock:
            return self._pieces.received

    def _note(self, note: Callable[[Journal], None] | None = None) -> None:
        with self._lock:
            size, there = self._pieces.size, self._pieces.there
        if size is not None and not self.single:
            (note or self.partial.note)(Journal(source_of(self.location.url), self._validator, size, there))

    def _grow(self) -> bool:
        """Double the connections, as far as there is work and room for them; whether there may be yet more."""
        with self._lock:
            room = min(self._receiving, self.line.connections - self._receiving)
            worth = min(room, self._pieces.unclaimed() // LEAST)
            self._receiving += worth
        for _ in range(worth):
            self.line.crew.spawn(bind(self._guarded, bind(self._receive, None)))
        return worth > 0
