"""A download that ended too early is gone on with, receiving only what is missing, and only if it is the same file."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from envkit.models import archive
from envkit.models.model import NoSourceError
from envkit.models.transfer import journal as journals
from envkit.models.transfer.partial import Partials
from tests.support.answers import Asked, Lie, busy, http_date, login_page
from tests.support.fetching import KEY, Fetcher, digests
from tests.support.model_project import ModelProject, entry, states
from tests.support.model_server import Answer, ModelServer, tarball
from tests.support.wait import until

BODY = random.Random(15).randbytes(1 << 20)  # noqa: S311
CHANGED = bytes(1000) + BODY[1000:]
CAME = 600_000
MISSING = len(BODY) - CAME
SINCE = "the file changed where it comes from since the download began: starting anew"


@pytest.fixture(autouse=True)
def _impatient(delays: list[float]) -> None:
    """Waiting between tries takes no time."""


def begun(server: ModelServer, fetcher: Fetcher, answer: Answer, path: str = "/a") -> str:
    """Fetch up to `CAME` from a server that then breaks down; the URL, at which all is well again."""
    url = server.serve(path, replace(answer, cut=CAME), busy(503))
    with pytest.raises(NoSourceError):
        fetcher(url, expected=digests(BODY), connections=1)
    assert sorted(file.suffix for file in fetcher.folder.iterdir()) == [".journal", ".part"]
    server.asked.clear()
    return server.serve(path, replace(answer, body=answer.body))


def ranges(asked: Iterable[Asked], size: int = len(BODY)) -> list[tuple[int, int]]:
    """What parts were asked for, the whole included."""
    found = []
    for request in asked:
        part = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", "bytes=0-"))
        assert part
        found.append((int(part[1]), int(part[2]) + 1 if part[2] else size))
    return found


def test_only_what_is_missing_is_received(server: ModelServer, fetcher: Fetcher) -> None:
    url = begun(server, fetcher, Answer(BODY, ranges=True, etag='"1"'))
    before = server.sent("/a")
    assert fetcher(url, expected=digests(BODY), connections=1) == BODY
    assert ranges(server.asked) == [(CAME, len(BODY))]
    assert server.sent("/a") - before == MISSING
    (said,) = fetcher.said
    assert said.startswith("going on at ")
    assert list(fetcher.folder.iterdir()) == []


def test_a_sync_that_failed_is_gone_on_with_by_the_next(server: ModelServer, project: ModelProject) -> None:
    url = server.serve("/net.bin", Answer(BODY, ranges=True, etag='"1"', cut=CAME), busy(503))
    project.declare(entry("net", url, BODY))
    assert states(project.sync(connections=1)) == {"net": "failed"}
    assert project.listing() == {}
    before = server.sent("/net.bin")
    server.serve("/net.bin", Answer(BODY, ranges=True, etag='"1"'))
    assert states(project.sync(connections=1)) == {"net": "fetched"}
    assert server.sent("/net.bin") - before == MISSING
    assert project.listing() == {"net_v1.bin": BODY}
    assert project.leftovers() == []


@pytest.mark.parametrize(
    ("etag", "age", "condition"),
    [
        ('"strong"', None, '"strong"'),
        ('"strong"', 3600, '"strong"'),
        ('W/"weak"', None, None),
        ('W/"weak"', 3600, None),
        ("unquoted", None, None),
        (None, 3600, "date"),
        (None, 5, None),
        (None, None, None),
    ],
)
def test_a_part_is_asked_for_on_condition_that_the_file_is_the_same(
    server: ModelServer, fetcher: Fetcher, etag: str | None, age: float | None, condition: str | None
) -> None:
    date = None if age is None else http_date(-age)
    answer = Answer(BODY, ranges=True, etag=etag, last_modified=date)
    condition = date if condition == "date" else condition
    url = begun(server, fetcher, answer)
    assert fetcher(url, expected=digests(BODY), connections=1) == BODY
    assert [asked.headers.get("If-Range") for asked in server.asked] == [condition]
    assert ranges(server.asked) == [(CAME, len(BODY))]


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (Answer(BODY, ranges=True, etag='"2"'), SINCE),
        (Answer(BODY + b"more", ranges=True, etag='"2"'), SINCE),
        (Answer(BODY, ranges=True, etag='"1"', lie="other etag"), SINCE),
        (Answer(BODY, ranges=True, etag='"1"', lie="wrong total"), SINCE),
        (Answer(BODY, etag='"1"'), "the server has no parts to give: starting anew"),
        (Answer(BODY, ranges=True, etag='"1"', lie="wrong start"), "the server has no parts to give: starting anew"),
        (Answer(BODY, ranges=True, etag='"1"', lie="refused"), "the server answered 416 "),
    ],
    ids=["another etag", "another length", "part of another", "another total", "whole", "another part", "416"],
)
def test_what_cannot_be_gone_on_with_is_begun_anew_and_said_so(
    server: ModelServer, fetcher: Fetcher, now: Answer, said: str
) -> None:
    url = begun(server, fetcher, Answer(BODY, ranges=True, etag='"1"'))
    server.serve("/a", now, replace(now, lie=None))
    assert fetcher(url, connections=1) == now.body
    assert fetcher.said[0].startswith(said)
    assert [part[0] for part in ranges(server.asked)][:2] == [CAME, 0]


def test_a_file_that_became_shorter_is_not_gone_on_with_for_ever(server: ModelServer, fetcher: Fetcher) -> None:
    url = begun(server, fetcher, Answer(BODY, ranges=True))
    server.serve("/a", Answer(BODY[:1000], ranges=True))
    assert fetcher(url) == BODY[:1000]
    assert "416" in fetcher.said[0]


def test_bytes_of_two_versions_never_make_one_file(server: ModelServer, fetcher: Fetcher) -> None:
    """The server has no word for a version, and the length is the same: only the digest tells."""
    url = begun(server, fetcher, Answer(CHANGED, ranges=True))
    server.serve("/a", Answer(BODY, ranges=True))
    assert fetcher(url, expected=digests(BODY)) == BODY
    assert [line.partition(" at ")[0] for line in fetcher.said] == [
        "going on",
        "other bytes than expected came: once more, from the start",
    ]


def test_a_page_in_between_costs_nothing(server: ModelServer, fetcher: Fetcher) -> None:
    """A portal that wants a login first takes nothing away of what had come."""
    url = begun(server, fetcher, Answer(BODY, ranges=True, etag='"1"'))
    server.serve("/a", login_page())
    with pytest.raises(NoSourceError) as raised:
        fetcher(url, expected=digests(BODY))
    assert "HTML page" in raised.value.blames[0].error.message
    server.asked.clear()
    server.serve("/a", Answer(BODY, ranges=True, etag='"1"'))
    assert fetcher(url, expected=digests(BODY), connections=1) == BODY
    assert ranges(server.asked) == [(CAME, len(BODY))]


def test_a_url_that_is_gone_costs_nothing(server: ModelServer, fetcher: Fetcher) -> None:
    url = begun(server, fetcher, Answer(BODY, ranges=True))
    server.serve("/a", Answer(status=404))
    with pytest.raises(NoSourceError):
        fetcher(url, expected=digests(BODY))
    server.asked.clear()
    server.serve("/a", Answer(BODY, ranges=True))
    assert fetcher(url, expected=digests(BODY), connections=1) == BODY
    assert ranges(server.asked) == [(CAME, len(BODY))]


def test_what_is_all_there_is_hashed_and_asked_for_one_byte(server: ModelServer, fetcher: Fetcher) -> None:
    url = server.serve("/a", Answer(BODY, ranges=True, etag='"1"'))
    for validator in ('"1"', '"2"'):
        partial = Partials(fetcher.folder).create(KEY)
        os.pwrite(partial.descriptor, BODY, 0)
        partial.note(journals.Journal(journals.source_of(url), validator, len(BODY), ((0, len(BODY)),)))
        partial.keep()
        server.asked.clear()
        assert fetcher(url, expected=digests(BODY), connections=1) == BODY
        assert ranges(server.asked)[0] == (len(BODY) - 1, len(BODY))
        assert (SINCE in fetcher.said) == (validator == '"2"')


def test_holes_are_filled_and_nothing_else(server: ModelServer, fetcher: Fetcher) -> None:
    url = server.serve("/a", Answer(BODY, ranges=True, etag='"1"'))
    there = ((100_000, 200_000), (300_000, 500_000))
    partial = Partials(fetcher.folder).create(KEY)
    for start, end in there:
        os.pwrite(partial.descriptor, BODY[start:end], start)
    partial.note(journals.Journal(journals.source_of(url), '"1"', len(BODY), there))
    partial.keep()
    server.asked.clear()
    assert fetcher(url, expected=digests(BODY), connections=1) == BODY
    asked = ranges(server.asked)
    assert asked[0] == (0, len(BODY))  # the first is open-ended, and given up where it comes to what is there
    assert not any(start < high and low < end for start, end in asked[1:] for low, high in there)


@pytest.mark.parametrize("lie", ["ignored", "refused", "wrong start", "wrong total", "other etag", "short", "long"])
def test_a_connection_that_broke_is_followed_by_a_lie(server: ModelServer, fetcher: Fetcher, lie: Lie) -> None:
    good = Answer(BODY, ranges=True, etag='"1"')
    url = server.serve("/a", replace(good, cut=CAME), replace(good, lie=lie), good)
    assert fetcher(url, expected=digests(BODY), connections=1) == BODY
    anew = [line for line in fetcher.said if line.endswith("starting anew")]
    assert len(anew) == (0 if lie in ("short", "long") else 1)
    if lie in ("wrong total", "other etag"):
        assert anew == ["the file changed where it comes from during the download: starting anew"]


def test_a_file_that_changes_half_way_is_begun_anew_and_said_so(server: ModelServer, fetcher: Fetcher) -> None:
    url = server.serve("/a", Answer(CHANGED, ranges=True, etag='"1"', cut=CAME), Answer(BODY, ranges=True, etag='"2"'))
    assert fetcher(url, expected=digests(BODY)) == BODY
    assert "the file changed where it comes from during the download: starting anew" in fetcher.said


def test_a_file_that_never_stays_the_same_is_given_up(server: ModelServer, fetcher: Fetcher) -> None:
    versions = [Answer(BODY, ranges=True, etag=f'"{number}"', cut=CAME) for number in range(40)]
    with pytest.raises(NoSourceError) as raised:
        fetcher(server.serve("/a", *versions), expected=digests(BODY), connections=1)
    assert raised.value.blames[0].error.message == f"the transfer ended after {CAME} of {len(BODY)} bytes"
    assert server.count("GET", "/a") < 20


def test_a_server_with_a_name_for_the_file_on_each_of_its_machines(server: ModelServer, fetcher: Fetcher) -> None:
    """Behind a balancer, the same file may have as many ETags as there are machines: one answer is of one."""
    versions = [Answer(BODY, ranges=True, etag=f'"{number % 3}"', rate=20e6) for number in range(40)]
    assert fetcher(server.serve("/a", *versions), expected=digests(BODY)) == BODY


@pytest.mark.parametrize("reset", [True, False])
def test_what_cannot_be_gone_on_with_because_its_length_is_not_known(
    server: ModelServer, fetcher: Fetcher, reset: bool
) -> None:
    whole = Answer(BODY, framing="chunked")
    assert fetcher(server.serve("/a", replace(whole, cut=CAME, reset=reset), whole), expected=digests(BODY)) == BODY
    assert [asked.headers.get("Range") for asked in server.asked] == [None, None]
    with pytest.raises(NoSourceError) as raised:
        fetcher(server.serve("/a", replace(whole, cut=CAME, reset=reset)), expected=digests(BODY))
    assert "the connection failed: " in raised.value.blames[0].error.message


def test_a_server_without_parts_that_always_breaks_off_is_blamed_for_that(
    server: ModelServer, fetcher: Fetcher
) -> None:
    with pytest.raises(NoSourceError) as raised:
        fetcher(server.serve("/a", Answer(BODY, cut=CAME)), expected=digests(BODY))
    assert raised.value.blames[0].error.message == f"the transfer ended after {CAME} of {len(BODY)} bytes"
    assert list(fetcher.folder.iterdir()) == []


def test_who_was_killed_is_gone_on_with(server: ModelServer, project: ModelProject) -> None:
    body = BODY * 24
    slow = Answer(body, ranges=True, etag='"1"', pause_at=16 << 20)
    project.declare(entry("net", server.serve("/net.bin", slow, Answer(body, ranges=True, etag='"1"')), body))
    command = [sys.executable, "-m", "envkit", "models", "sync", "--connections", "1"]
    environ = {**os.environ, "HOME": str(project.path.parent), "NO_PROXY": "127.0.0.1"}
    with subprocess.Popen(command, cwd=project.path, env=environ, stderr=subprocess.DEVNULL) as process:
        until(lambda: noted(project.store / "partial") == 16 << 20, "all that came is noted")
        process.kill()
    slow.go_on.set()
    server.asked.clear()
    assert states(project.sync(connections=1)) == {"net": "fetched"}
    assert sum(end - start for start, end in ranges(server.asked, len(body))) == len(body) - (16 << 20)
    assert project.listing() == {"net_v1.bin": body}
    assert project.leftovers() == []


def noted(folder: Path) -> int:
    found = [journals.loads(path.read_bytes()) for path in folder.glob("*.journal")]
    return sum(end - start for journal in found if journal for start, end in journal.done)


def test_what_was_fetched_and_not_yet_put_away_is_nobody_elses(
    server: ModelServer, project: ModelProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another sync clears away what dead ones left; unpacking an archive may take this one its time."""
    packed = tarball({"net.bin": BODY})
    project.declare(entry("zoo", server.serve("/zoo.tar", packed), packed))
    (tmp_path / "neighbour").mkdir()
    neighbour = ModelProject(tmp_path / "neighbour")  # with the same store
    neighbour.declare(entry("net", server.serve("/net.bin", b"net"), b"net"))
    extract = archive.extract

    def slow(*arguments: Any) -> archive.Extracted:
        assert neighbour.sync().exit_code == 0
        return extract(*arguments)

    monkeypatch.setattr(archive, "extract", slow)
    assert states(project.sync()) == {"zoo": "fetched"}
    assert project.listing() == {"zoo_v1/net.bin": BODY}
    assert project.leftovers() == []


def test_who_was_killed_before_it_was_put_away_is_gone_on_with(server: ModelServer, fetcher: Fetcher) -> None:
    url = server.serve("/a", Answer(BODY, ranges=True, etag='"1"', rate=4e6))
    dead = fetcher.fetched(url, expected=digests(BODY), connections=1)
    os.close(dead.partial.descriptor)
    server.asked.clear()
    assert fetcher(url, expected=digests(BODY), connections=1) == BODY
    assert sum(end - start for start, end in ranges(server.asked)) < len(BODY) // 2
    assert list(fetcher.folder.iterdir()) == []


def test_an_archive_that_cannot_be_unpacked_leaves_nothing(server: ModelServer, project: ModelProject) -> None:
    project.declare(entry("zoo", server.serve("/zoo.tar", Answer(BODY, ranges=True, rate=4e6)), BODY))
    assert states(project.sync()) == {"zoo": "failed"}
    assert project.leftovers() == []
