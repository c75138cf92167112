"""Every byte is asked for by one connection at a time, until all are there."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from envkit.models.transfer import pieces
from envkit.models.transfer.pieces import Claim, Pieces, merged

SIZE = 1000
POSITIONS = st.integers(0, SIZE)
SPANS = st.lists(st.tuples(POSITIONS, POSITIONS), max_size=8).map(tuple)


def positions(spans: tuple[tuple[int, int], ...]) -> set[int]:
    return {position for start, end in spans for position in range(start, end)}


@given(spans=SPANS)
def test_merged_ranges_have_the_same_bytes_and_stand_apart(spans: tuple[tuple[int, int], ...]) -> None:
    found = merged(spans)
    assert positions(found) == positions(spans)
    assert all(start < end for start, end in found)
    assert all(one[1] < other[0] for one, other in itertools.pairwise(found))
    assert merged(found) == found


def test_a_file_of_unknown_length_has_one_piece() -> None:
    whole = Pieces(None)
    claim = whole.claim(10)
    assert claim
    assert (claim.start, claim.end, claim.left) == (0, None, None)
    assert whole.claim(10) is None
    assert not whole.extend(claim, 10)
    claim.position = 70
    assert (whole.frontier, whole.received, whole.complete, whole.unclaimed()) == (70, 70, False, 0)
    whole.release(claim)
    again = whole.claim(10)
    assert again
    assert again.start == 70
    again.position = 100
    whole.end(again)
    assert (whole.complete, whole.size) == (True, 100)


def test_a_file_without_bytes_is_there() -> None:
    assert Pieces(0).complete
    assert Pieces(0).claim(10) is None


class Receiving(RuleBasedStateMachine):
    """Connections that claim, receive, go on, break and leave, in any order."""

    def __init__(self) -> None:
        super().__init__()
        pieces.LEAST = 20
        self.pieces = Pieces(SIZE, ((100, 150), (900, 1000)))
        self.claims: list[Claim] = []
        self.there = positions(((100, 150), (900, 1000)))

    def teardown(self) -> None:
        pieces.LEAST = 4 << 20

    @rule(most=st.integers(1, 300))
    def claim(self, most: int) -> None:
        taken = self.pieces.claim(most)
        if taken is not None:
            assert taken.start == taken.position
            assert taken.end is not None
            assert taken.start < taken.end
            assert not positions(((taken.start, taken.end),)) & self.there
            self.claims.append(taken)
        else:
            # Nothing is free, and nobody has so much left that it would be worth sharing.
            assert self.pieces.unclaimed() == 0
            assert all((claim.left or 0) < 2 * pieces.LEAST for claim in self.claims)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), amount=st.integers(0, 100))
    def receive(self, data: st.DataObject, amount: int) -> None:
        claim = data.draw(st.sampled_from(self.claims))
        before = claim.position
        claim.position += min(amount, claim.left or 0)
        came = positions(((before, claim.position),))
        assert not came & self.there  # no byte is received twice
        self.there |= came

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), most=st.integers(1, 300))
    def extend(self, data: st.DataObject, most: int) -> None:
        claim = data.draw(st.sampled_from(self.claims))
        before = claim.end
        extended = self.pieces.extend(claim, most)
        assert before is not None
        assert claim.end is not None
        assert extended == (claim.end > before)
        assert not extended or (claim.position == before and claim.end - before <= most)

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        claim = data.draw(st.sampled_from(self.claims))
        self.claims.remove(claim)
        self.pieces.release(claim)

    @invariant()
    def nothing_is_lost_or_made_up(self) -> None:
        assert positions(self.pieces.there) == self.there
        assert self.pieces.received == len(self.there)
        frontier = next(position for position in range(SIZE + 1) if position not in self.there)
        assert self.pieces.frontier == frontier
        assert self.pieces.complete == (frontier == SIZE)

    @invariant()
    def no_two_have_the_same_byte(self) -> None:
        wanted = [positions(((claim.position, claim.end or 0),)) for claim in self.claims]
        assert len(set().union(*wanted)) == sum(map(len, wanted))
        free = SIZE - len(self.there) - sum(map(len, wanted))
        assert self.pieces.unclaimed() == free


TestReceiving = Receiving.TestCase
TestReceiving.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)


@given(done=SPANS, most=st.integers(1, SIZE))
def test_one_connection_alone_brings_it_to_its_end(done: tuple[tuple[int, int], ...], most: int) -> None:
    all_of_it = Pieces(SIZE, done)
    while (claim := all_of_it.claim(most)) is not None:
        claim.position = claim.end or 0
        all_of_it.release(claim)
    assert all_of_it.complete
