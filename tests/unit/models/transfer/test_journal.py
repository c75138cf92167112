"""A journal is a hint: whatever it says, and whatever became of the file beside it, no wrong file comes of it."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from envkit.models.transfer import journal as journals
from envkit.models.transfer.journal import Journal
from envkit.models.transfer.partial import Partials
from tests.support.fetching import KEY, Fetcher, digests
from tests.support.model_server import Answer, ModelServer

BODY = random.Random(108).randbytes(250_000)  # noqa: S311
SPANS = st.lists(st.tuples(st.integers(-10, len(BODY) + 10), st.integers(-10, len(BODY) + 10)), max_size=5).map(tuple)
OFTEN = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def lasting() -> Iterator[ModelServer]:
    with ModelServer() as running:
        running.serve("/a", Answer(BODY, ranges=True, etag='"1"'))
        yield running


def left(folder: Path, journal: bytes, part: bytes) -> None:
    """As a dead process leaves it."""
    (folder / f"{KEY}.dead-0.part").write_bytes(part)
    (folder / f"{KEY}.dead-0.journal").write_bytes(journal)


def fetched(server: ModelServer, journal: bytes, part: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        left(Path(folder), journal, part)
        body = Fetcher(Path(folder))(server.url("/a"), expected=digests(BODY))
        assert [path for path in Path(folder).iterdir() if path.suffix in (".part", ".journal")] == []
    return body


@OFTEN
@given(done=SPANS, size=st.integers(0, 1 << 40), validator=st.none() | st.text(), source=st.text())
def test_what_is_written_is_read_again(
    done: tuple[tuple[int, int], ...], size: int, validator: str, source: str
) -> None:
    journal = Journal(source, validator, size, done)
    found = journals.loads(journal.dumps())
    assert found
    assert (found.source, found.validator, found.size) == (source, validator, size)
    assert all(0 <= start < end <= size for start, end in found.done)
    assert found.done == tuple(sorted(found.done))
    assert set(positions(found.done)) == set(positions(done)) & set(range(min(size, len(BODY) + 10)))


def positions(done: tuple[tuple[int, int], ...]) -> Iterator[int]:
    for start, end in done:
        yield from range(start, end)


GOOD = Journal("0" * 64, '"1"', len(BODY), ((0, 100_000), (200_000, 250_000))).dumps()


def test_one_that_is_torn_is_none() -> None:
    assert [length for length in range(len(GOOD)) if journals.loads(GOOD[:length]) is not None] == []


@OFTEN
@given(at=st.integers(0, len(GOOD) - 1), with_=st.integers(1, 255))
def test_one_with_another_byte_is_none(at: int, with_: int) -> None:
    harmed = bytearray(GOOD)
    harmed[at] ^= with_
    assert journals.loads(bytes(harmed)) is None


@OFTEN
@given(data=st.binary(max_size=300))
@example(b"")
@example(b"\n\n")
@example(GOOD + b"\n")
@example(GOOD * 2)
def test_anything_else_is_none(data: bytes) -> None:
    assert journals.loads(data) is None


@pytest.mark.parametrize(
    "line",
    [
        b'{"schema": 2, "source": "", "validator": null, "size": 1, "done": []}',
        b'{"schema": 1}',
        b'{"schema": 1, "source": "", "validator": null, "size": "1", "done": []}',
        b'{"schema": 1, "source": "", "validator": null, "size": 1, "done": [[0]]}',
        b'{"schema": 1, "source": "", "validator": null, "size": 1, "done": [["0", "1"]]}',
        b'{"schema": 1, "source": "", "validator": null, "size": 1, "done": 7}',
        b"[]",
        b"\xff",
        b"",
    ],
)
def test_one_of_another_version_is_none(line: bytes) -> None:
    assert journals.loads(line + b"\n" + journals._check(line) + b"\n") is None


@settings(OFTEN, max_examples=100)
@given(data=st.data())
def test_no_journal_makes_a_wrong_file_whatever_is_beside_it(lasting: ModelServer, data: st.DataObject) -> None:
    source = journals.source_of(lasting.url("/a"))
    journal = Journal(
        data.draw(st.sampled_from([source, "another"])),
        data.draw(st.sampled_from([None, '"1"', '"2"'])),
        data.draw(st.sampled_from([len(BODY), len(BODY) - 1, len(BODY) + 1, 0, 1])),
        data.draw(SPANS),
    )
    part = bytearray(BODY if data.draw(st.booleans()) else b"")
    for _ in range(data.draw(st.integers(0, 2))):
        at = data.draw(st.integers(0, len(BODY)))
        part[at : at + 1] = b"?"
    part = part[: data.draw(st.integers(0, len(BODY) + 10))]
    assert fetched(lasting, journal.dumps(), bytes(part)) == BODY


@settings(OFTEN, max_examples=30)
@given(length=st.integers(0, 400), at=st.integers(0, 400), bit=st.integers(0, 7))
def test_no_damage_to_a_journal_makes_a_wrong_file(lasting: ModelServer, length: int, at: int, bit: int) -> None:
    source = journals.source_of(lasting.url("/a"))
    harmed = bytearray(Journal(source, '"1"', len(BODY), ((0, 200_000),)).dumps()[:length])
    if at < len(harmed):
        harmed[at] ^= 1 << bit
    assert fetched(lasting, bytes(harmed), BODY[:200_000]) == BODY


def test_a_file_that_lost_its_end_is_gone_on_with_where_it_ends(lasting: ModelServer, fetcher: Fetcher) -> None:
    source = journals.source_of(lasting.url("/a"))
    left(fetcher.folder, Journal(source, '"1"', len(BODY), ((0, 200_000),)).dumps(), BODY[:150_000])
    lasting.asked.clear()
    assert fetcher(lasting.url("/a"), expected=digests(BODY)) == BODY
    assert lasting.asked[0].headers["Range"] == "bytes=150000-"
    (said,) = fetcher.said
    assert said.startswith("going on at ")


def test_the_journal_speaks_of_what_is_on_the_disk(fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written before the bytes are, it would promise what a loss of power takes away (aria2#1644)."""
    order: list[str] = []
    flush, replace = os.fdatasync, Path.replace

    def flushed(descriptor: int) -> None:
        order.append("bytes")
        flush(descriptor)

    def replaced(self: Path, target: Path) -> Path:
        order.append(target.suffix)
        return replace(self, target)

    monkeypatch.setattr(os, "fdatasync", flushed)
    monkeypatch.setattr(Path, "replace", replaced)
    partial = Partials(fetcher.folder).create(KEY)
    partial.note(Journal("", None, 1, ()))
    partial.discard()
    assert order == ["bytes", ".journal"]


def test_two_writers_never_share_a_file(fetcher: Fetcher) -> None:
    first, second = Partials(fetcher.folder), Partials(fetcher.folder)
    mine = first.create(KEY)
    os.pwrite(mine.descriptor, b"mine", 0)
    mine.note(Journal("", None, 4, ((0, 4),)))
    assert second.adopt(KEY) is None  # whoever has it is alive
    theirs = second.create(KEY)
    assert theirs.path != mine.path
    mine.keep()
    taken = second.adopt(KEY)
    assert taken
    assert taken.journal() == Journal("", None, 4, ((0, 4),))
    assert taken.path != mine.path
    for partial in (theirs, taken):
        partial.discard()
    assert list(fetcher.folder.iterdir()) == []


@pytest.mark.parametrize("lease", [True, False, None])
def test_a_lock_that_lies_harms_nobody(fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch, lease: bool | None) -> None:
    """The lock says that nobody has it; the kernel, asked whether it is open for writing, may not know either."""
    monkeypatch.setattr("envkit.flock.take", lambda *_, **__: True)
    if lease is not True:
        monkeypatch.setattr("envkit.flock.others", lambda *_: lease)
    mine = Partials(fetcher.folder).create(KEY)
    os.pwrite(mine.descriptor, b"mine", 0)
    mine.note(Journal("", None, 4, ((0, 4),)))
    taken = Partials(fetcher.folder).adopt(KEY)
    os.pwrite(mine.descriptor, b"oops", 0)
    if lease is None:
        assert taken
        assert os.pread(taken.descriptor, 10, 0) == b"mine"
        taken.discard()
    elif taken:
        taken.discard()
    assert (taken is None) == (lease is True)
    os.close(mine.descriptor)


def test_the_most_of_what_dead_ones_left_is_taken_and_the_rest_removed(fetcher: Fetcher) -> None:
    folder = fetcher.folder
    for name, amount in (("a", 10), ("b", 30), ("c", 20)):
        (folder / f"{KEY}.{name}-0.part").write_bytes(bytes(amount))
        (folder / f"{KEY}.{name}-0.journal").write_bytes(Journal(name, None, 50, ((0, amount),)).dumps())
    (folder / f"{KEY}.d-0.part").write_bytes(bytes(40))
    taken = Partials(folder).adopt(KEY)
    assert taken
    found = taken.journal()
    assert found
    assert found.source == "b"
    assert sorted(path.suffix for path in folder.iterdir()) == [".journal", ".part"]
    taken.discard()


def test_what_was_being_written_down_when_its_process_died_goes_too(fetcher: Fetcher) -> None:
    (fetcher.folder / "x.dead-0.part").write_bytes(b"1")
    (fetcher.folder / "x.dead-0.new").write_bytes(b"{")
    Partials(fetcher.folder).sweep()
    assert list(fetcher.folder.iterdir()) == []


def left_by_another(folder: Path, length: int, said: int) -> tuple[Path, Path]:
    part, note = folder / f"{KEY_LEFT}.other-0.part", folder / f"{KEY_LEFT}.other-0.journal"
    part.write_bytes(bytes(length))
    note.write_bytes(Journal("source", None, said, ((0, said),)).dumps())
    return part, note


KEY_LEFT = "a" * 32


def test_what_is_longer_than_its_journal_says_is_cut_to_what_was_hashed(tmp_path: Path) -> None:
    left_by_another(tmp_path, 110, 100)
    partial = Partials(tmp_path).adopt(KEY_LEFT)
    assert partial
    partial.finish(100)
    assert partial.path.stat().st_size == 100
    partial.discard()


def test_a_link_in_place_of_a_partial_file_is_not_followed(tmp_path: Path) -> None:
    folder, mine = tmp_path / "partial", tmp_path / "mine"
    folder.mkdir()
    mine.write_bytes(bytes(100))
    part, _ = left_by_another(folder, 100, 100)
    part.unlink()
    part.symlink_to(mine)
    assert Partials(folder).adopt(KEY_LEFT) is None
    assert mine.read_bytes() == bytes(100)
