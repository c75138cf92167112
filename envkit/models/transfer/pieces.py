"""Which bytes of a file are there, which are on their way, and which nobody has asked for yet. No I/O, no locks.

Parts are handed out from the front, so that what is hashed in order follows closely behind what is received.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

Spans = tuple[tuple[int, int], ...]
"""Ranges of bytes, each from its start up to its end, in order and apart from each other."""

LEAST = 4 << 20
"""No part is made smaller than this (bytes): below, asking costs more than it brings."""


@dataclass(eq=False)
class Claim:
    """A part that one connection receives: bytes up to ``position`` are there. ``end`` is None if not known."""

    start: int
    position: int
    end: int | None

    @property
    def left(self) -> int | None:
        return None if self.end is None else self.end - self.position


class Pieces:
    """``size`` is the file's length in bytes, None if not known; ``done`` is what is there already."""

    def __init__(self, size: int | None, done: Spans = ()) -> None:
        self.size = size
        self._done = merged(done)
        self._claims: list[Claim] = []

    @property
    def frontier(self) -> int:
        """How many bytes are there from the beginning on, without a gap."""
        spans = self.there
        return spans[0][1] if spans and spans[0][0] == 0 else 0

    @property
    def there(self) -> Spans:
        """All that is there."""
        if not self._done and len(self._claims) == 1:
            claim = self._claims[0]
            return ((claim.start, claim.position),) if claim.position > claim.start else ()
        return merged((*self._done, *((claim.start, claim.position) for claim in self._claims)))

    @property
    def received(self) -> int:
        return sum(end - start for start, end in self.there)

    @property
    def complete(self) -> bool:
        return self.size is not None and self.frontier >= self.size

    def claim(self, most: int) -> Claim | None:
        """The first bytes that nobody has claimed, ``most`` of them; else half of what another has most left of.

        None where there is nothing left to claim.
        """
        gap = self._first_gap(0)
        if gap is not None:
            start, end = gap
            taken = Claim(start, start, None if end is None else min(end, start + most))
        else:
            slowest = max(self._claims, key=lambda claim: claim.left or 0, default=None)
            if slowest is None or slowest.end is None or (slowest.left or 0) < 2 * LEAST:
                return None
            middle = slowest.position + (slowest.end - slowest.position) // 2
            taken, slowest.end = Claim(middle, middle, slowest.end), middle
        self._claims.append(taken)
        return taken

    def extend(self, claim: Claim, most: int) -> bool:
        """Let a claim that was received to its end go on with the bytes behind it, if nobody has claimed those."""
        if claim.end is None or claim.end != claim.position:
            return False
        gap = self._first_gap(claim.end)
        if gap is None or gap[0] != claim.end or gap[1] is None:
            return False
        claim.end = min(gap[1], claim.end + most)
        return True

    def release(self, claim: Claim) -> None:
        """Give back what of a claim was not received."""
        self._claims.remove(claim)
        self._done = merged((*self._done, (claim.start, claim.position)))

    def unclaimed(self) -> int:
        """How many bytes nobody has claimed or received (0 if the size is not known)."""
        if self.size is None:
            return 0
        taken = merged((*self._done, *((claim.start, claim.end or claim.position) for claim in self._claims)))
        return self.size - sum(end - start for start, end in taken)

    def end(self, claim: Claim) -> None:
        """The file turned out to end where this claim is."""
        self.size = claim.end = claim.position

    def _first_gap(self, start: int) -> tuple[int, int | None] | None:
        """The first bytes from ``start`` on that are neither there nor claimed."""
        if self.size is None and self._claims:
            return None
        for low, high in merged((*self._done, *((c.start, c.end or c.position) for c in self._claims))):
            if start < low:
                return start, low
            start = max(start, high)
        if self.size is None:
            return start, None
        return (start, self.size) if start < self.size else None


def merged(spans: Iterable[tuple[int, int]]) -> Spans:
    """The same bytes in as few ranges as can be, empty ones left out."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(span for span in spans if span[1] > span[0]):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return tuple(found)
