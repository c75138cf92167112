"""One location → the digests of what is there, with nothing written anywhere.

One connection, hashed as it comes. Where it breaks, the rest is asked for: the digests of what came are in memory. A
server without parts is asked for all of it again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from envkit.errors import ModelError
from envkit.models.model import Digests
from envkit.models.progress import Meter
from envkit.models.transfer import hashing, receiving
from envkit.models.transfer.answers import TransientError, UnsatisfiableError
from envkit.models.transfer.hashing import Hash
from envkit.models.transfer.http import Part, Reply
from envkit.models.transfer.line import Line
from envkit.models.transfer.location import Location
from envkit.models.transfer.watch import Watch

_CHUNK = 1 << 20  # bytes
_PROGRESS = 64 << 10  # bytes that a try has to bring to be called one that went on
_EXCESS = 64 << 20  # bytes over the expected size that are not read for the sake of the message


@dataclass
class Stream:
    """For one `run`; ``expected`` says which digests there have to be."""

    line: Line
    location: Location
    expected: Digests
    meter: Meter
    say: Callable[[str], None]
    _hashes: dict[str, Hash] = field(default_factory=dict, init=False)
    _position: int = field(default=0, init=False)
    _size: int | None = field(default=None, init=False)
    _validator: str | None = field(default=None, init=False)

    def run(self) -> Digests:
        """Receive it all, and say what it was.

        Raises:
            WrongBytesError: it has another size than expected.
            TransientError: the server is busy or the connection broke, again and again.
            ModelError: anything else that keeps the bytes away.
        """
        failures = furthest = 0
        while True:
            try:
                self._receive()
                return hashing.summed(self._position, ((name, one.hexdigest()) for name, one in self._hashes.items()))
            except TransientError as error:  # noqa: PERF203 - failing is what this loop is about
                # A server without parts comes as far again and again: only what is new counts.
                went_on = self._position > furthest + _PROGRESS
                failures, furthest = (1, self._position) if went_on else (failures + 1, furthest)
                delay = self.line.backoff.delay(failures, error)
                if delay is None:
                    raise
                self.say(f"{error.message}; trying again in {delay:.1f} s")
                self.line.crew.pause(delay)

    def _receive(self) -> None:
        part = Part(self._position, None, self._validator) if self._position else None
        try:
            with self.line.http.open(self.location, part) as reply:
                receiving.check_size(reply, self.expected.size)
                if not self._goes_on(reply):
                    self._begin(reply)
                self._hash(reply)
        except UnsatisfiableError as error:
            # It became shorter, or parts are not what this server is good at.
            self._position = 0
            raise TransientError(error.message) from error

    def _goes_on(self, reply: Reply) -> bool:
        """Whether an answer begins where the last one ended, in the same version of the file."""
        same = reply.size == self._size and not receiving.differ(reply.validator, self._validator)
        goes_on = self._position > 0 and reply.start == self._position and same
        if not goes_on and reply.start != 0:
            self._position = 0
            raise TransientError("the file changed where it comes from meanwhile")
        return goes_on

    def _begin(self, reply: Reply) -> None:
        self._position, self._size, self._validator = 0, reply.size, reply.validator
        size = self.expected.size if reply.size is None else reply.size
        self._hashes = {name: hashing.begun(name, size) for name in hashing.wanted(self.expected)}
        self.meter.start(size)

    def _hash(self, reply: Reply) -> None:
        watch = Watch()
        while chunk := receiving.pull(reply, watch, self.line, _CHUNK, first=self._position == 0):
            for digest in self._hashes.values():
                digest.update(chunk)
            self._position += len(chunk)
            self.meter.advance(len(chunk))
            expected = self.expected.size
            if expected is not None and self._position > expected + _EXCESS:
                raise ModelError(f"stopped after {self._position} bytes: models.yaml says size {expected}")
        end = reply.size if reply.size is not None or reply.length is None else reply.start + reply.length
        if end is not None and self._position != end:
            raise receiving.short(self._position, end)
