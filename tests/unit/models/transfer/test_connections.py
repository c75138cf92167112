"""How many connections a file gets, and what becomes of those that bring nothing."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import pytest

from envkit.models.model import Digests, NoSourceError
from envkit.models.progress import Lines
from envkit.models.transfer import download
from envkit.models.transfer.answers import TransientError
from envkit.models.transfer.http import Http, Part, Reply
from envkit.models.transfer.line import Line
from envkit.models.transfer.location import Location
from envkit.models.transfer.partial import Partials
from envkit.models.transfer.pieces import Pieces
from tests.support.answers import Asked, Lie, busy
from tests.support.fetching import Fetcher, digests
from tests.support.model_project import ModelProject, entry, states
from tests.support.model_server import Answer, ModelServer
from tests.support.wait import until

BODY = random.Random(8).randbytes(4 << 20)  # noqa: S311
MIB = 1 << 20


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """More connections are taken for worth it, whatever they bring."""
    monkeypatch.setattr(download, "_WORTH_IT", 0.0)


def test_connections_are_added_for_as_long_as_they_add_up(
    server: ModelServer, fetcher: Fetcher, counted: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "_SHORTEST_TRIAL", 0.2)
    monkeypatch.setattr(download, "_BEAT", 0.05)
    body = BODY * 4
    url = server.serve("/a", Answer(body, ranges=True, rate=4e6))
    assert fetcher(url, expected=digests(body)) == body
    assert counted.most == 8


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Open:
    """How many answers are open here: a server takes a moment to notice that one was hung up on."""
    counted, real = Open(), Http.open

    @contextmanager
    def opened(self: Http, location: Location, part: Part | None = None) -> Iterator[Reply]:
        with real(self, location, part) as reply, counted.one_more() as end:

            def close() -> None:
                end()
                reply.close()

            yield replace(reply, close=close)

    monkeypatch.setattr(Http, "open", opened)
    return counted


class Open:
    def __init__(self) -> None:
        self.now: set[object] = set()
        self.most = 0

    @contextmanager
    def one_more(self) -> Iterator[Callable[[], None]]:
        self.now.add(key := object())
        self.most = max(self.most, len(self.now))
        try:
            yield lambda: self.now.discard(key)
        finally:
            self.now.discard(key)


@pytest.mark.usefixtures("_at_once")
@pytest.mark.parametrize("most", [1, 2, 3, 8])
def test_there_are_never_more_than_asked_for(
    server: ModelServer, project: ModelProject, most: int, counted: Open
) -> None:
    project.declare(entry("net", server.serve("/net.bin", Answer(BODY, ranges=True, rate=2e6)), BODY))
    assert project.sync(connections=most).exit_code == 0
    assert counted.most == most
    assert server.most_at_once >= most
    assert project.listing() == {"net_v1.bin": BODY}


def test_connections_that_bring_nothing_are_not_added_to(server: ModelServer, fetcher: Fetcher, counted: Open) -> None:
    fast, slow = Answer(BODY, ranges=True, rate=10e6), Answer(BODY, ranges=True, rate=0.2e6)
    assert fetcher(server.serve("/a", fast, slow, fast), expected=digests(BODY)) == BODY
    assert counted.most == 2


@pytest.mark.usefixtures("_at_once")
def test_a_server_without_parts_is_asked_once(server: ModelServer, fetcher: Fetcher) -> None:
    assert fetcher(server.serve("/a", Answer(BODY, rate=20e6)), expected=digests(BODY)) == BODY
    assert (len(server.asked), server.connections) == (1, 1)


def refused_while_the_first_waits(server: ModelServer, fetcher: Fetcher, first: Answer, *others: Answer) -> bytes:
    """Fetch from a server whose ``first`` answer, which pauses, goes on once a second connection has come and gone."""
    url = server.serve("/a", first, *others)
    with ThreadPoolExecutor(1) as pool:
        fetching = pool.submit(fetcher, url, expected=digests(BODY), connections=2)
        until(lambda: len(server.asked) >= 2, "a second connection asks for a part")
        until(lambda: len(of_downloads()) == 3, "it has left; two hash, and one keeps the journal")
        first.go_on.set()
        return fetching.result(30)


def of_downloads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "envkit-models"]


LIES: tuple[Lie, ...] = ("ignored", "refused", "wrong start")
STRANGE = [Answer(BODY, ranges=True, lie=lie) for lie in LIES] + [
    Answer(BODY, ranges=True, headers={"Content-Range": text}) for text in ("bytes 0-9", "pages 1-2/3", "", "bytes */9")
]


@pytest.mark.usefixtures("_at_once")
@pytest.mark.parametrize("strange", STRANGE)
def test_a_server_that_only_says_it_had_parts_goes_on_with_one_connection(
    server: ModelServer, fetcher: Fetcher, strange: Answer
) -> None:
    """Nothing that came is thrown away for it."""
    first = Answer(BODY, ranges=True, pause_at=10_000)
    assert refused_while_the_first_waits(server, fetcher, first, strange) == BODY
    assert (len(server.asked), fetcher.said) == (2, [])


@pytest.mark.usefixtures("_at_once")
@pytest.mark.parametrize("strange", STRANGE)
def test_it_is_begun_anew_if_need_be(server: ModelServer, fetcher: Fetcher, strange: Answer) -> None:
    """The first answer may be given up for a part that another connection has, which then does not get it."""
    url = server.serve("/a", Answer(BODY, ranges=True, cut=MIB), strange, Answer(BODY))
    assert fetcher(url, expected=digests(BODY), connections=1) == BODY
    assert fetcher.said[-1].endswith(": starting anew")


@pytest.mark.usefixtures("_at_once")
def test_a_part_may_leave_the_whole_length_open(server: ModelServer, fetcher: Fetcher) -> None:
    def answer(asked: Asked) -> Answer:
        start, _, end = asked.headers["Range"][6:].partition("-")
        body = BODY[int(start) : int(end) + 1]
        return Answer(body, 206, {"Content-Range": f"bytes {start}-{end}/*"})

    url = server.serve("/a", Answer(BODY, ranges=True, rate=4e6), answer)
    assert fetcher(url, expected=digests(BODY)) == BODY
    assert fetcher.said == []
    assert len(server.asked) > 1


@pytest.mark.usefixtures("_at_once")
@pytest.mark.parametrize("most", [1, 2, 3])
def test_a_server_that_refuses_more_than_so_many(server: ModelServer, fetcher: Fetcher, most: int) -> None:
    server.at_most(most, busy(503, 20))
    url = server.serve("/a", Answer(BODY, ranges=True, rate=4e6))
    assert fetcher(url, expected=digests(BODY)) == BODY
    assert server.most_at_once <= 2 * most  # it was tried with twice as many, once
    assert fetcher.said == []  # whoever was refused has left, and nobody waited


@pytest.mark.usefixtures("_at_once")
@pytest.mark.parametrize("reset", [True, False])
def test_what_one_connection_could_not_bring_another_does(
    server: ModelServer, fetcher: Fetcher, delays: list[float], reset: bool
) -> None:
    first = Answer(BODY, ranges=True, pause_at=10_000)
    broken = Answer(BODY, ranges=True, cut=30_000, reset=reset)
    assert refused_while_the_first_waits(server, fetcher, first, broken, Answer(BODY, ranges=True)) == BODY
    assert (delays, fetcher.said) == ([], [])  # one of several that fails makes nobody wait


@pytest.mark.parametrize("reset", [True, False])
def test_the_first_connection_goes_on_where_it_broke(
    server: ModelServer, fetcher: Fetcher, delays: list[float], reset: bool
) -> None:
    broken = Answer(BODY, ranges=True, etag='"1"', cut=3 * MIB, reset=reset)
    url = server.serve("/a", broken, Answer(BODY, ranges=True, etag='"1"'))
    assert fetcher(url, expected=digests(BODY), connections=1) == BODY
    again = server.asked[1]
    assert again.headers["Range"].startswith(f"bytes={3 * MIB}-")
    assert again.headers["If-Range"] == '"1"'
    assert len(delays) == 1
    assert "trying again" in fetcher.said[0]


def test_a_connection_that_stalls_has_its_part_taken_away(
    server: ModelServer, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    stalled = Answer(BODY, ranges=True, pause_at=100_000)
    url = server.serve("/a", stalled, Answer(BODY, ranges=True, rate=8e6))
    monkeypatch.setattr("envkit.models.transfer.http._TIMEOUT", (5, 1))
    assert fetcher(url, expected=digests(BODY)) == BODY
    stalled.go_on.set()


def test_who_is_refused_only_now_and_then_is_not_given_up(
    server: ModelServer, fetcher: Fetcher, delays: list[float]
) -> None:
    """Failures count in a row: a server that is busy once in a while is one that works."""
    part = Answer(BODY, ranges=True, cut=100_000)
    answers = [part, *[busy(503), busy(503), part] * 60]
    assert fetcher(server.serve("/a", *answers), expected=digests(BODY), connections=1) == BODY
    assert len(delays) > 30


def test_a_server_that_dies_half_way_is_given_up(server: ModelServer, fetcher: Fetcher, delays: list[float]) -> None:
    url = server.serve("/a", Answer(BODY, ranges=True, cut=MIB), busy(503))
    with pytest.raises(NoSourceError) as raised:
        fetcher(url, expected=digests(BODY), connections=1)
    assert "503" in raised.value.blames[0].error.message
    assert len(delays) == 3


def test_small_files_come_over_connections_that_are_kept(server: ModelServer, project: ModelProject) -> None:
    bodies = {f"net{number}": BODY[number : number + 5000] for number in range(30)}
    project.declare(*(entry(name, server.serve(f"/{name}.bin", body), body) for name, body in bodies.items()))
    assert set(states(project.sync(jobs=1)).values()) == {"fetched"}
    assert (len(server.asked), server.connections) == (30, 1)
    assert all("Range" not in asked.headers for asked in server.asked)


def test_parts_come_over_connections_that_are_kept(server: ModelServer, fetcher: Fetcher) -> None:
    assert fetcher(server.serve("/a", Answer(BODY, ranges=True)), expected=digests(BODY)) == BODY
    assert server.connections <= 8


def test_a_server_that_closes_every_connection_is_asked_over_new_ones(
    server: ModelServer, project: ModelProject
) -> None:
    close = {"Connection": "close"}
    bodies = {f"net{number}": BODY[number : number + 5000] for number in range(3)}
    project.declare(
        *(entry(name, server.serve(f"/{name}.bin", Answer(body, headers=close)), body) for name, body in bodies.items())
    )
    assert set(states(project.sync(jobs=1)).values()) == {"fetched"}
    assert project.said == [line for line in project.said if "trying again" not in line]


@pytest.fixture
def shared(fetcher: Fetcher) -> Iterator[download.Download]:
    """A download that two connections are at, with one part left for both of them."""
    partial = Partials(fetcher.folder).create("k")
    line, meter = Line(fetcher.http, fetcher.crew), Lines(lambda _: None).meter("x")
    found = download.Download(line, Location("http://h/a"), Digests(), partial, meter, fetcher.said.append)
    found._pieces, found._receiving, found.persistent = Pieces(1000), 2, True
    yield found
    partial.discard()


def test_who_leaves_because_nothing_is_left_leaves_another_to_insist(shared: download.Download) -> None:
    """Else both may leave, each because of the other, and nobody brings the rest."""
    claim = shared._claimed()
    assert claim
    assert shared._claimed() is None
    assert shared._returned(claim, TransientError("broken"), 1) is not None
    assert (shared._receiving, shared._failure) == (1, None)


def test_who_leaves_because_it_broke_leaves_its_part_to_another(shared: download.Download) -> None:
    claim = shared._claimed()
    assert claim
    assert shared._returned(claim, TransientError("broken"), 1) is None
    assert (shared._receiving, shared._failure) == (1, None)
    assert shared._claimed()
