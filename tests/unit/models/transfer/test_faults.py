"""What servers do wrong, and what a person gets to read of it. Whatever it is, no wrong file ever gets a name."""

from __future__ import annotations

import gzip
import random
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from envkit.models.model import Digests, NoSourceError
from envkit.models.transfer import http
from envkit.models.transfer import watch as watches
from tests.support.answers import Asked, busy, gzipped, http_date, login_page
from tests.support.fetching import Fetcher, digests
from tests.support.model_project import ModelProject, entry, md5, sha256, states
from tests.support.model_server import Answer, ModelServer

LARGE = random.Random(16).randbytes(1 << 20)  # noqa: S311
LITTLE = LARGE[:5000]
BOTH = pytest.mark.parametrize("body", [LARGE, LITTLE], ids=["large", "little"])


def why(fetcher: Fetcher, url: str, expected: Digests) -> str:
    with pytest.raises(NoSourceError) as raised:
        fetcher(url, expected=expected)
    (blame,) = raised.value.blames
    return blame.error.message


# --- bodies that end too early, too late or not at all ---------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("reset", [True, False])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_body_that_breaks_off_once(
    server: ModelServer, fetcher: Fetcher, delays: list[float], body: bytes, reset: bool, framing: str
) -> None:
    good = Answer(body, framing=framing)  # type: ignore[arg-type]
    url = server.serve("/a", replace(good, cut=len(body) // 2, reset=reset), good)
    assert fetcher(url, expected=digests(body)) == body
    assert "trying again" in fetcher.said[0]


@BOTH
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_body_that_always_breaks_off(
    server: ModelServer, fetcher: Fetcher, delays: list[float], body: bytes, framing: str
) -> None:
    url = server.serve("/a", Answer(body, framing=framing, cut=2000))  # type: ignore[arg-type]
    told = why(fetcher, url, digests(body))
    length = f"the transfer ended after 2000 of {len(body)} bytes"
    assert told == length if framing == "length" else told.startswith("the connection failed: ")


@BOTH
def test_a_body_that_ends_with_its_connection_is_judged_by_its_digest(
    server: ModelServer, fetcher: Fetcher, delays: list[float], body: bytes
) -> None:
    good = Answer(body, framing="close")
    url = server.serve("/a", replace(good, cut=len(body) // 2), good)
    assert fetcher(url, expected=digests(body)) == body
    assert fetcher.said == ["other bytes than expected came: once more, from the start"]


@BOTH
def test_a_length_that_says_too_much(server: ModelServer, fetcher: Fetcher, delays: list[float], body: bytes) -> None:
    url = server.serve("/a", Answer(body, excess=10))
    assert why(fetcher, url, Digests(md5(body))) == f"the transfer ended after {len(body)} of {len(body) + 10} bytes"


@BOTH
def test_a_length_that_says_too_little(server: ModelServer, fetcher: Fetcher, body: bytes) -> None:
    url = server.serve("/a", Answer(body, excess=-10))
    assert why(fetcher, url, Digests(md5(body))) == "other bytes than models.yaml names"


@BOTH
def test_a_length_that_is_not_the_expected_one_is_told_before_a_byte_is_received(
    server: ModelServer, fetcher: Fetcher, body: bytes
) -> None:
    url = server.serve("/a", Answer(body, pause_at=0))
    with pytest.raises(NoSourceError) as raised:
        fetcher(url, expected=Digests(md5(body), None, 7))
    (mismatch,) = raised.value.blames[0].error.mismatches  # type: ignore[attr-defined]
    assert (mismatch.what, mismatch.expected, mismatch.got) == ("size", "7", str(len(body)))


@BOTH
@pytest.mark.parametrize("text", ["-5", "5, 5", "many", "9" * 5000, "٣"])
def test_a_length_that_is_none(server: ModelServer, fetcher: Fetcher, body: bytes, text: str) -> None:
    close = {"Content-Length": text.encode().decode("latin-1"), "Connection": "close"}
    url = server.serve("/a", Answer(body, framing="close", headers=close))
    try:
        assert fetcher(url, expected=digests(body)) == body
    except NoSourceError as error:
        assert error.blames[0].error.message  # noqa: PT017 - either will do, a crash would not


@BOTH
def test_chunks_speak_for_themselves(server: ModelServer, fetcher: Fetcher, body: bytes) -> None:
    url = server.serve("/a", Answer(body, framing="chunked", headers={"Content-Length": "3"}))
    assert fetcher(url, expected=digests(body)) == body


def test_parts_that_are_shorter_than_they_say(server: ModelServer, fetcher: Fetcher, delays: list[float]) -> None:
    """Each time a byte less than was asked for, until so little is left that nothing comes at all."""
    first = Answer(LARGE, ranges=True, cut=500_000)
    url = server.serve("/a", first, Answer(LARGE, ranges=True, lie="short"))
    told = why(fetcher, url, digests(LARGE))
    assert told.startswith("the transfer ended after ")
    assert "-" not in told
    assert fetcher(server.serve("/a", Answer(LARGE, ranges=True)), expected=digests(LARGE)) == LARGE


def test_parts_that_are_longer_than_they_say(server: ModelServer, fetcher: Fetcher, delays: list[float]) -> None:
    url = server.serve("/a", Answer(LARGE, ranges=True, cut=500_000), Answer(LARGE, ranges=True, lie="long"))
    assert fetcher(url, expected=digests(LARGE)) == LARGE


@pytest.mark.parametrize("framing", ["chunked", "close"])
def test_parts_without_a_length_that_break_off(
    server: ModelServer, fetcher: Fetcher, delays: list[float], framing: str
) -> None:
    part = Answer(LARGE, ranges=True, framing=framing, cut=200_000)  # type: ignore[arg-type]
    good = Answer(LARGE, ranges=True)
    url = server.serve("/a", replace(good, cut=200_000), part, part, good)
    assert fetcher(url, expected=digests(LARGE), connections=1) == LARGE
    assert not any("-" in line.partition(";")[0] for line in fetcher.said)


# --- silence ---------------------------------------------------------------------------------------------------------


@BOTH
def test_a_server_that_falls_silent_is_asked_again(
    server: ModelServer, fetcher: Fetcher, delays: list[float], body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "_TIMEOUT", (5, 0.2))
    good = Answer(body, ranges=True)
    stalled = replace(good, pause_at=3000)
    assert fetcher(server.serve("/a", stalled, good), expected=digests(body), connections=1) == body
    assert fetcher.said[0].startswith("the connection failed: ")
    stalled.go_on.set()


def test_a_server_that_says_nothing_at_all(
    server: ModelServer, fetcher: Fetcher, delays: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "_TIMEOUT", (5, 0.1))
    mute = Answer(LITTLE, mute=True)
    told = why(fetcher, server.serve("/a", mute), digests(LITTLE))
    assert "timed out" in told
    assert len(server.asked) == 4
    mute.go_on.set()


@BOTH
def test_a_trickle_is_no_transfer(
    server: ModelServer, fetcher: Fetcher, delays: list[float], body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watches, "_WINDOW", 0.3)
    monkeypatch.setattr(watches, "_SLOWEST", 30_000)
    good = Answer(body, ranges=True)
    trickling = replace(good, pause_at=200, trickle=True)
    assert fetcher(server.serve("/a", trickling, good), expected=digests(body), connections=1) == body
    assert fetcher.said[0].startswith("the transfer stalled: ")
    trickling.go_on.set()


# --- wrong bytes -----------------------------------------------------------------------------------------------------


@BOTH
def test_a_bit_that_turned_over_on_the_way(server: ModelServer, project: ModelProject, body: bytes) -> None:
    url = server.serve("/net.bin", Answer(body, ranges=True, etag='"1"', flip=len(body) // 2, flip_once=True))
    project.declare(entry("net", url, body))
    assert states(project.sync()) == {"net": "fetched"}
    assert project.listing() == {"net_v1.bin": body}
    assert "net: other bytes than expected came: once more, from the start" in project.said


@BOTH
def test_bytes_that_are_always_wrong_are_told_with_both_digests_and_every_place(
    server: ModelServer, other: ModelServer, project: ModelProject, body: bytes
) -> None:
    damaged = body[:100] + bytes([body[100] ^ 1]) + body[101:]
    url = server.serve("/net.bin", Answer(body, ranges=True, flip=100))
    mirror = other.serve("/net.bin", Answer(damaged, ranges=True))
    project.declare(entry("net", url, body, sha256=sha256(body), mirrors=[mirror]))
    result = project.sync()
    assert states(result) == {"net": "failed"}
    told = result.lines[-1]
    for place in (url, mirror):
        assert f"from {place}: other bytes than models.yaml names\n" in told
    for what, right, wrong in (("md5", md5(body), md5(damaged)), ("sha256", sha256(body), sha256(damaged))):
        assert told.count(f"expected {what} {right}\n    got      {what} {wrong}") == 2
    assert project.listing() == {}
    assert project.leftovers() == []


def test_only_one_part_is_wrong(server: ModelServer, fetcher: Fetcher) -> None:
    answers = [Answer(LARGE, ranges=True, rate=4e6, flip=700_000, flip_once=True)] * 40
    assert fetcher(server.serve("/a", *answers), expected=digests(LARGE)) == LARGE


@BOTH
def test_packed_bytes_are_unpacked_and_damaged_ones_are_not_taken(
    server: ModelServer, fetcher: Fetcher, delays: list[float], body: bytes
) -> None:
    packed = gzipped(body)
    harmed = bytearray(packed.body)
    harmed[len(harmed) // 2] ^= 0xFF
    url = server.serve("/a", replace(packed, body=bytes(harmed)), replace(packed, cut=len(body) // 2), packed)
    assert fetcher(url, expected=digests(body)) == body
    assert server.asked[0].headers["Accept-Encoding"] == "identity"


def test_a_packed_file_that_is_labelled_as_such_stays_packed(server: ModelServer, fetcher: Fetcher) -> None:
    packed = gzip.compress(LARGE)
    answer = Answer(packed, headers={"Content-Encoding": "gzip"})
    assert fetcher(server.serve("/a.tar.gz", answer), expected=digests(packed)) == packed


# --- pages -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "more"),
    [
        (login_page(), {}),
        (login_page(), {"size": len(LITTLE)}),
        (Answer(b"\xef\xbb\xbf\n<HTML><body>"), {}),
        (Answer(b"<p>Sorry", headers={"Content-Type": "text/html"}), {}),
        (replace(login_page(), framing="chunked"), {"size": len(LITTLE)}),
        (Answer(b"<!doctype html>" + bytes(1 << 20)), {}),
    ],
    ids=["portal", "another size", "unlabelled", "labelled", "chunked", "large"],
)
def test_a_page_in_place_of_a_model_is_told_as_such(
    server: ModelServer, project: ModelProject, page: Answer, more: dict[str, object]
) -> None:
    project.declare(entry("net", server.serve("/net.bin", page), LITTLE, **more))
    result = project.sync()
    assert result.exit_code == 3
    assert "the server answered with an HTML page, not with a model\n" in result.lines[-1]
    assert "a login or an error page, it seems" in result.lines[-1]
    assert len(server.asked) == 1


def test_a_page_half_way(server: ModelServer, fetcher: Fetcher) -> None:
    url = server.serve("/a", Answer(LARGE, ranges=True, cut=500_000), login_page())
    assert why(fetcher, url, digests(LARGE)) == "the server answered with an HTML page, not with a model"
    server.asked.clear()
    assert fetcher(server.serve("/a", Answer(LARGE, ranges=True)), expected=digests(LARGE), connections=1) == LARGE
    assert server.asked[0].headers["Range"] == "bytes=500000-"


# --- refusals --------------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(
    server: ModelServer, fetcher: Fetcher, delays: list[float], body: bytes, status: int
) -> None:
    good = Answer(body, ranges=True)
    assert fetcher(server.serve("/a", busy(status), busy(status), good), expected=digests(body), connections=1) == body
    assert len(delays) == 2
    assert all(f"the server answered {status}" in line for line in fetcher.said)


@pytest.mark.parametrize("status", [204, 206, 304, 400, 401, 403, 404, 410, 451, 501])
def test_what_will_not_pass_is_told_at_once(
    server: ModelServer, fetcher: Fetcher, delays: list[float], status: int
) -> None:
    url = server.serve("/a", Answer(b"" if status in (204, 304) else b"no", status=status))
    assert str(status) in why(fetcher, url, digests(LITTLE))
    assert (len(server.asked), delays) == (1, [])


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_half_way_is_told_and_costs_nothing(
    server: ModelServer, fetcher: Fetcher, delays: list[float], status: int
) -> None:
    url = server.serve("/a", Answer(LARGE, ranges=True, cut=500_000), Answer(status=status))
    with pytest.raises(NoSourceError) as raised:
        fetcher(url, expected=digests(LARGE), connections=1)
    assert str(status) in raised.value.blames[0].error.message
    assert len(server.asked) == 2
    assert fetcher(server.serve("/a", Answer(LARGE, ranges=True)), expected=digests(LARGE), connections=1) == LARGE
    assert server.asked[2].headers["Range"] == "bytes=500000-"


@BOTH
@pytest.mark.parametrize("wait", ["7", "date", " 7 "])
def test_a_server_says_when_to_come_back(
    server: ModelServer, fetcher: Fetcher, delays: list[float], body: bytes, wait: str
) -> None:
    good, when = Answer(body, ranges=True), http_date(8) if wait == "date" else wait
    assert fetcher(server.serve("/a", busy(429, when), good), expected=digests(body)) == body
    assert 2 <= delays[0] <= 8
    assert "asks to be left alone for" in fetcher.said[0]


@BOTH
@pytest.mark.parametrize("wait", ["31", "86400", "9" * 400, http_date(86400)])
def test_a_server_that_asks_for_too_long_is_not_waited_for(
    server: ModelServer, fetcher: Fetcher, delays: list[float], body: bytes, wait: str
) -> None:
    assert "429" in why(fetcher, server.serve("/a", busy(429, wait)), digests(body))
    assert (len(server.asked), delays) == (1, [])


def test_a_server_that_asks_for_time_half_way(server: ModelServer, fetcher: Fetcher, delays: list[float]) -> None:
    good = Answer(LARGE, ranges=True)
    url = server.serve("/a", replace(good, cut=500_000), busy(503, 7), good)
    assert fetcher(url, expected=digests(LARGE), connections=1) == LARGE
    assert delays[1] == 7


@pytest.mark.parametrize("wait", ["soon", "-1", "", "1.5", http_date(-60), "Tue, 99 Foo 99999 00:00:00 GMT"])
def test_nonsense_is_waited_for_as_usual(server: ModelServer, fetcher: Fetcher, delays: list[float], wait: str) -> None:
    assert fetcher(server.serve("/a", busy(503, wait), LITTLE), expected=digests(LITTLE)) == LITTLE
    assert 0.25 <= delays[0] <= 0.5


def test_a_server_that_hangs_up(fetcher: Fetcher, delays: list[float]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def hang_up() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                connection.recv(65536)
                connection.close()

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        told = why(fetcher, f"http://127.0.0.1:{listening.getsockname()[1]}/a?token=hush", digests(LITTLE))
        listening.shutdown(socket.SHUT_RDWR)
    thread.join()
    assert told.startswith("the connection failed: Remote end closed connection")
    assert "hush" not in told + str(fetcher.said)


# --- anything --------------------------------------------------------------------------------------------------------

Fault = Callable[[Answer, random.Random], Answer]
FAULTS: dict[str, Fault] = {
    "none": lambda answer, _: answer,
    "cut": lambda answer, dice: replace(answer, cut=dice.randrange(300_000)),
    "reset": lambda answer, dice: replace(answer, cut=dice.randrange(300_000), reset=True),
    "flip": lambda answer, dice: replace(answer, flip=dice.randrange(len(LARGE))),
    "refused": lambda answer, _: replace(answer, lie="refused"),
    "ignored": lambda answer, _: replace(answer, lie="ignored"),
    "another part": lambda answer, _: replace(answer, lie="wrong start"),
    "another total": lambda answer, _: replace(answer, lie="wrong total"),
    "another version": lambda answer, _: replace(answer, etag='"2"', body=bytes(len(LARGE))),
    "short": lambda answer, _: replace(answer, lie="short"),
    "chunked": lambda answer, dice: replace(answer, framing="chunked", cut=dice.choice([None, 1000])),
    "busy": lambda *_: busy(503),
    "gone": lambda *_: Answer(status=404),
    "page": lambda *_: login_page(),
    "packed": lambda *_: gzipped(LARGE),
}


@pytest.mark.parametrize("seed", range(30))
def test_whatever_a_server_does_the_file_is_right_or_there_is_none(
    server: ModelServer, fetcher: Fetcher, delays: list[float], seed: int
) -> None:
    dice = random.Random(seed)  # noqa: S311
    lock, faults = threading.Lock(), dice.sample(sorted(FAULTS), 3)

    def answer(_: Asked) -> Answer:
        good = Answer(LARGE, ranges=True, etag='"1"', rate=dice.choice([None, 8e6]))
        with lock:
            return FAULTS[dice.choice(faults)](good, dice) if dice.random() < 0.5 else good

    url = server.serve("/a", answer)
    for _ in range(3):  # as one sync after the other would
        with suppress(NoSourceError):
            assert fetcher(url, url, expected=digests(LARGE)) == LARGE
            assert list(fetcher.folder.iterdir()) == []
    server.serve("/a", Answer(LARGE, ranges=True, etag='"1"'))
    assert fetcher(url, expected=digests(LARGE)) == LARGE
    assert list(fetcher.folder.iterdir()) == []
