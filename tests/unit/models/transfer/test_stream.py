"""Bytes that are hashed as they come and kept nowhere, over real connections that break."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from envkit.errors import ModelError
from envkit.models.crew import Crew
from envkit.models.model import Digests, Mismatch, WrongBytesError
from envkit.models.progress import Lines
from envkit.models.transfer import stream
from envkit.models.transfer.answers import TransientError
from envkit.models.transfer.http import Http
from envkit.models.transfer.line import Line
from envkit.models.transfer.location import Location
from envkit.models.transfer.rate import Limiter
from envkit.models.transfer.stream import Stream
from tests.support.answers import Answer, Asked, busy, login_page
from tests.support.fetching import digests
from tests.support.hub import git_blob
from tests.support.model_server import ModelServer

BODY = random.Random(5).randbytes(1 << 20)  # noqa: S311
OTHER = BODY[::-1]


@dataclass
class Measure:
    """What is at a URL; ``said`` is what was said meanwhile, ``counted`` what the meter has."""

    said: list[str] = field(default_factory=list)
    counted: tuple[int | None, int] = (None, 0)

    def __call__(
        self, url: str, expected: Digests | None = None, limiter: Limiter | None = None, crew: Crew | None = None
    ) -> Digests:
        meter = Lines(lambda _: None).meter("x")
        line = Line(Http(), crew or Crew(), limiter=limiter)
        found = Stream(line, Location(url), expected or Digests(), meter, self.said.append).run()
        self.counted = meter.total, meter.done
        return found


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch) -> Measure:
    monkeypatch.setattr(stream, "_CHUNK", 16 << 10)
    return Measure()


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_what_comes_is_hashed(server: ModelServer, measure: Measure, framing: str) -> None:
    answer = Answer(BODY, framing=framing)  # type: ignore[arg-type]
    assert measure(server.serve("/f.bin", answer)) == digests(BODY)
    assert measure.counted == (len(BODY) if framing == "length" else None, len(BODY))
    assert len(server.asked) == 1


def test_gits_name_is_told_where_it_is_what_is_known(server: ModelServer, measure: Measure) -> None:
    expected = Digests(size=len(BODY), git_blob=git_blob(BODY))
    assert measure(server.serve("/f.bin", BODY), expected).git_blob == git_blob(BODY)


def test_a_file_of_this_machine_is_read_too(tmp_path: Path, measure: Measure) -> None:
    (tmp_path / "f.bin").write_bytes(BODY)
    assert measure((tmp_path / "f.bin").as_uri()) == digests(BODY)


def test_a_connection_that_breaks_is_gone_on_with(server: ModelServer, measure: Measure, delays: list[float]) -> None:
    whole = Answer(BODY, ranges=True, etag='"1"')
    url = server.serve("/f.bin", replace(whole, cut=300_000), replace(whole, cut=300_000, reset=True), whole)
    assert measure(url) == digests(BODY)
    ranges = [asked.headers.get("Range") for asked in server.asked]
    assert ranges[:2] == [None, "bytes=300000-"]
    assert len(ranges) == 3
    assert {asked.headers.get("If-Range") for asked in server.asked[1:]} == {'"1"'}
    assert len(delays) == 2
    assert measure.counted == (len(BODY), len(BODY))


@pytest.mark.parametrize("lie", ["ignored", "refused"])
def test_a_server_without_parts_is_asked_for_all_of_it_again(
    server: ModelServer, measure: Measure, delays: list[float], lie: str
) -> None:
    whole = Answer(BODY, ranges=True, lie=lie)  # type: ignore[arg-type]
    assert measure(server.serve("/f.bin", replace(whole, cut=300_000), whole)) == digests(BODY)
    assert measure.counted == (len(BODY), len(BODY))


@pytest.mark.parametrize("lie", ["short", "long"])
def test_a_part_of_another_length_than_it_says_is_made_good(
    server: ModelServer, measure: Measure, delays: list[float], lie: str
) -> None:
    whole = Answer(BODY, ranges=True, etag='"1"')
    lying = replace(whole, lie=lie)  # type: ignore[arg-type]
    assert measure(server.serve("/f.bin", replace(whole, cut=300_000), lying, whole)) == digests(BODY)


@pytest.mark.parametrize("lie", ["wrong start", "wrong total", "other etag"])
def test_a_part_that_is_not_what_was_asked_for_is_not_taken(
    server: ModelServer, measure: Measure, delays: list[float], lie: str
) -> None:
    whole = Answer(BODY, ranges=True, etag='"1"')
    lying = replace(whole, lie=lie)  # type: ignore[arg-type]
    assert measure(server.serve("/f.bin", replace(whole, cut=300_000), lying, whole)) == digests(BODY)
    changed = "the file changed where it comes from meanwhile"
    assert any(line.startswith(changed) for line in measure.said) == (lie != "wrong start")


def test_a_file_that_is_replaced_meanwhile_is_read_from_its_start(
    server: ModelServer, measure: Measure, delays: list[float]
) -> None:
    old = Answer(OTHER, ranges=True, etag='"1"', cut=300_000)
    new = Answer(BODY, ranges=True, etag='"2"')
    assert measure(server.serve("/f.bin", old, new)) == digests(BODY)


def test_a_server_that_breaks_off_at_the_same_place_is_given_up(
    server: ModelServer, measure: Measure, delays: list[float]
) -> None:
    url = server.serve("/f.bin", Answer(BODY, cut=300_000))
    with pytest.raises(TransientError, match="ended after 300000 of 1048576 bytes"):
        measure(url)
    assert len(server.asked) == 4


def test_a_server_that_gives_a_little_at_a_time_is_stayed_with(
    server: ModelServer, measure: Measure, delays: list[float]
) -> None:
    url = server.serve("/f.bin", Answer(BODY, ranges=True, etag='"1"', cut=100_000))
    assert measure(url) == digests(BODY)
    assert len(server.asked) == 11


def test_a_busy_server_is_asked_again(server: ModelServer, measure: Measure, delays: list[float]) -> None:
    assert measure(server.serve("/f.bin", busy(503, 3), BODY)) == digests(BODY)
    assert delays == [3]
    with pytest.raises(TransientError, match="503"):
        measure(server.serve("/g.bin", busy(503)))


def test_another_size_is_told_before_a_byte_is_read(server: ModelServer, measure: Measure) -> None:
    url = server.serve("/f.bin", answer := Answer(BODY, pause_at=0))
    with pytest.raises(WrongBytesError) as raised:
        measure(url, Digests(size=7))
    answer.go_on.set()
    assert raised.value.mismatches == (Mismatch("size", "7", str(len(BODY))),)


def test_what_has_no_end_is_not_read_for_ever(
    server: ModelServer, measure: Measure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_EXCESS", 1000)
    with pytest.raises(ModelError, match=r"stopped after \d+ bytes: models.yaml says size 7"):
        measure(server.serve("/f.bin", Answer(BODY, framing="chunked")), Digests(size=7))


def test_a_page_in_place_of_the_file_is_told(server: ModelServer, measure: Measure) -> None:
    for expected in (Digests(), Digests(size=7)):
        with pytest.raises(ModelError, match="an HTML page"):
            measure(server.serve("/f.bin", login_page()), expected)
    with pytest.raises(ModelError, match="404"):
        measure(server.url("/gone"))


def test_the_line_is_shared_as_the_limit_says(
    server: ModelServer, measure: Measure, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(Crew, "pause", lambda _, seconds: waited.append(seconds))
    assert measure(server.serve("/f.bin", BODY), limiter=Limiter(10 << 20, lambda: 0.0)) == digests(BODY)
    # The clock stands still, so the last wait is what all of it costs.
    assert max(waited) == pytest.approx(0.1)


def test_when_it_is_time_to_stop_nothing_more_is_read(server: ModelServer, measure: Measure) -> None:
    crew, answer = Crew(), Answer(BODY, pause_at=500_000)

    def stop(asked: Asked) -> Answer:
        crew._stop()
        return answer

    with pytest.raises(ModelError, match="interrupted"):
        measure(server.serve("/f.bin", stop), crew=crew)
    answer.go_on.set()
