"""Several places for one file: tried in order, held to the same digests, and each named with its reason."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from envkit.models.model import Digests
from envkit.models.transfer.location import Location
from tests.support.answers import busy, login_page
from tests.support.fetching import Fetcher, digests
from tests.support.model_project import ModelProject, entry, md5, sha256, states
from tests.support.model_server import Answer, ModelServer

BODY = random.Random(23).randbytes(1 << 20)  # noqa: S311
OTHER = bytes(1000) + BODY[1000:]
CAME = 600_000


@pytest.fixture(autouse=True)
def _impatient(delays: list[float]) -> None:
    """Waiting between tries takes no time."""


def test_the_first_that_works_is_the_last_that_is_asked(
    server: ModelServer, other: ModelServer, project: ModelProject
) -> None:
    mirrors = [server.url("/gone"), other.serve("/good", BODY), other.serve("/never", BODY)]
    project.declare(entry("net", server.serve("/busy.bin", busy(503)), BODY, mirrors=mirrors))
    assert states(project.sync()) == {"net": "fetched"}
    assert project.listing() == {"net_v1.bin": BODY}
    assert (server.count("GET", "/busy.bin"), server.count("GET", "/gone")) == (4, 1)
    assert [asked.path for asked in other.asked] == ["/good"]
    moved = [line for line in project.said if line.endswith("; trying the next place")]
    assert moved == [
        f"net: {server.url('/busy.bin')}: the server answered 503 Service Unavailable; trying the next place",
        f"net: {server.url('/gone')}: the server answered 404 Not Found; trying the next place",
    ]


@pytest.mark.parametrize("size", [None, len(BODY)])
def test_wrong_bytes_at_one_place_are_right_at_the_next(
    server: ModelServer, project: ModelProject, size: int | None
) -> None:
    wrong = server.serve("/wrong.bin", Answer(OTHER, ranges=True))
    more = {} if size is None else {"size": size}
    project.declare(entry("net", wrong, BODY, mirrors=[server.serve("/right", Answer(BODY, ranges=True))], **more))
    assert states(project.sync()) == {"net": "fetched"}
    assert project.listing() == {"net_v1.bin": BODY}


def test_every_place_is_named_with_what_was_wrong_with_it(
    server: ModelServer, other: ModelServer, project: ModelProject, tmp_path: Path
) -> None:
    with ModelServer() as gone:
        dead = gone.url("/net?sig=hush")
    wrong, page = server.serve("/wrong", OTHER), other.serve("/page", login_page())
    missing = server.url("/missing").replace("http://", "http://me:hush@")
    project.declare(entry("net", wrong, BODY, mirrors=[page, missing, dead], sha256=sha256(BODY)))
    result = project.sync()
    assert result.exit_code == 3
    assert result.lines[-1].split("\n  ") == [
        f"models.yaml:3:{project.column('md5')}: model 'net' v1: none of 4 places has it to give",
        f"from {wrong}: other bytes than models.yaml names",
        f"  expected md5 {md5(BODY)}",
        f"  got      md5 {md5(OTHER)}",
        f"  expected sha256 {sha256(BODY)}",
        f"  got      sha256 {sha256(OTHER)}",
        "  the bytes changed where they come from, or models.yaml is wrong; checkpoints/ is as it was",
        f"from {page}: the server answered with an HTML page, not with a model",
        "  a login or an error page, it seems: look at the address in a browser, or at the proxy settings",
        f"from {server.url('/missing')}: the server answered 404 Not Found",
        "  look at the address in a browser: the file may have moved",
        f"from {dead.partition('?')[0]}?…: the connection failed: Connection refused",
    ]
    assert "hush" not in "\n".join([*project.said, str(result.data)])
    assert project.listing() == {}


def test_a_mirror_goes_on_where_another_place_broke_down(
    server: ModelServer, other: ModelServer, project: ModelProject
) -> None:
    first = server.serve("/net.bin", Answer(BODY, ranges=True, etag='"1"', cut=CAME), busy(503))
    mirror = other.serve("/net.bin", Answer(BODY, ranges=True, etag='"other"'))
    project.declare(entry("net", first, BODY, mirrors=[mirror]))
    assert states(project.sync(connections=1)) == {"net": "fetched"}
    assert project.listing() == {"net_v1.bin": BODY}
    (asked,) = other.asked
    assert asked.headers["Range"] == f"bytes={CAME}-"
    assert "If-Range" not in asked.headers  # a validator is a word between one server and us
    assert other.sent("/net.bin") == len(BODY) - CAME
    assert not any("anew" in line for line in project.said)


def test_a_mirror_with_another_size_begins_anew(server: ModelServer, fetcher: Fetcher) -> None:
    first = server.serve("/short", Answer(BODY[:-1], ranges=True, cut=CAME), busy(503))
    mirror = server.serve("/right", Answer(BODY, ranges=True))
    assert fetcher(first, mirror, expected=Digests(md5(BODY)), connections=1) == BODY
    assert any("starting anew" in line for line in fetcher.said)


def test_what_one_place_broke_the_mirror_gives_whole(server: ModelServer, fetcher: Fetcher) -> None:
    """The first brought half of another file of the same size: nothing but the digest can tell."""
    first = server.serve("/wrong", Answer(OTHER, ranges=True, cut=CAME), busy(503))
    mirror = server.serve("/right", Answer(BODY, ranges=True))
    assert fetcher(first, mirror, expected=digests(BODY), connections=1) == BODY
    assert "other bytes than expected came: once more, from the start" in fetcher.said


def test_a_run_that_failed_everywhere_is_gone_on_with_from_any_place(server: ModelServer, fetcher: Fetcher) -> None:
    first = server.serve("/a", Answer(BODY, ranges=True, cut=CAME), busy(503))
    second = server.serve("/b", Answer(BODY, ranges=True, cut=100_000), busy(503))
    with pytest.raises(Exception, match="none of 2 places"):
        fetcher(first, second, expected=digests(BODY), connections=1)
    server.serve("/b", Answer(BODY, ranges=True))
    server.asked.clear()
    assert fetcher(first, second, expected=digests(BODY), connections=1) == BODY
    assert server.asked[-1].headers["Range"] == f"bytes={CAME + 100_000}-"


def test_a_mirror_that_breaks_down_at_once_takes_nothing_away(server: ModelServer, fetcher: Fetcher) -> None:
    first = server.serve("/a", Answer(BODY, ranges=True, cut=CAME), busy(503))
    pages = [server.serve("/page", login_page()), server.url("/gone"), server.serve("/other", Answer(BODY[1:]))]
    last = server.serve("/c", Answer(BODY, ranges=True))
    assert fetcher(first, *pages, last, expected=digests(BODY), connections=1) == BODY
    assert server.asked[-1].headers["Range"] == f"bytes={CAME}-"


def test_a_share_may_be_the_mirror_of_a_server_and_the_other_way_round(
    server: ModelServer, project: ModelProject, tmp_path: Path
) -> None:
    (tmp_path / "net.bin").write_bytes(BODY)
    share = {"name": "share", "version": "1", "source": "file", "path": str(tmp_path / "net.bin"), "md5": md5(BODY)}
    project.declare(share)
    assert states(project.sync()) == {"share": "fetched"}
    (tmp_path / "net.bin").write_bytes(OTHER)
    (tmp_path / "elsewhere" / "project").mkdir(parents=True)
    another = ModelProject(tmp_path / "elsewhere" / "project")  # with a store of its own
    another.declare({**share, "mirrors": [server.serve("/net.bin", BODY)]})
    assert states(another.sync()) == {"share": "fetched"}
    assert another.listing() == {"share_1.bin": BODY}


def test_a_place_on_this_machine_is_gone_on_with_too(server: ModelServer, fetcher: Fetcher, tmp_path: Path) -> None:
    (tmp_path / "net.bin").write_bytes(BODY)
    first = server.serve("/a", Answer(BODY, ranges=True, cut=CAME), busy(503))
    assert fetcher(first, Location((tmp_path / "net.bin").as_uri()), expected=digests(BODY), connections=1) == BODY
    assert not any("anew" in line for line in fetcher.said)
