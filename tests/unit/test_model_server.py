"""The server that the tests of downloads lean on does what they ask of it, seen by clients that know no better."""

from __future__ import annotations

import gzip
import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from email.utils import parsedate_to_datetime

import pytest

from tests.support.answers import Answer, Lie, busy, gzipped, http_date, login_page, redirect
from tests.support.model_server import ModelServer
from tests.support.wait import until

BODY = bytes(range(256)) * 4  # 1 KiB, so that each place of a range has its own byte
ETAG = '"v1"'


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


class Got:
    """One response, read as far as it came; ``broken`` is what ended it too early."""

    def __init__(self, connection: http.client.HTTPConnection, path: str, method: str = "GET", **headers: str) -> None:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers={"Accept-Encoding": "identity", **sent})
        response = connection.getresponse()
        self.status, self.headers, self.broken, self.body = response.status, response.headers, "", b""
        try:
            while piece := response.read1(1 << 16):
                self.body += piece
            if response.length:  # read1 does not mind
                raise http.client.IncompleteRead(b"", response.length)
        except (http.client.HTTPException, OSError) as error:
            self.broken = type(error).__name__
        response.close()


def get(server: ModelServer, path: str, **headers: str) -> Got:
    """Over a connection of its own."""
    with closing(http.client.HTTPConnection(server.address, timeout=30)) as connection:
        return Got(connection, path, **headers)


@pytest.fixture
def client(server: ModelServer) -> Iterator[http.client.HTTPConnection]:
    """One connection, kept."""
    connection = http.client.HTTPConnection(server.address, timeout=30)
    yield connection
    connection.close()


Client = http.client.HTTPConnection


def test_a_connection_is_kept_and_counted(server: ModelServer, client: Client) -> None:
    server.serve("/a", BODY)
    assert [Got(client, "/a").body, Got(client, "/a").body, Got(client, "/none").status] == [BODY, BODY, 404]
    assert (server.connections, server.most_at_once, server.count("GET", "/a")) == (1, 1, 2)
    assert get(server, "/a").body == BODY
    assert server.connections == 2
    assert (server.sent("/a"), server.sent()) == (3 * len(BODY), 3 * len(BODY) + len(b"nothing here"))


def test_a_request_is_remembered_whole(server: ModelServer, client: Client) -> None:
    Got(client, "/a%20b?sig=1", "HEAD", Authorization="Bearer x", Range="bytes=5-")
    (asked,) = server.asked
    assert (asked.method, asked.path, asked.query) == ("HEAD", "/a b", "sig=1")
    assert (asked.headers["authorization"], asked.headers["Range"]) == ("Bearer x", "bytes=5-")


def test_requests_at_the_same_time_are_counted(server: ModelServer) -> None:
    server.serve("/a", held := Answer(BODY, pause_at=10))
    threads = [threading.Thread(target=get, args=(server, "/a")) for _ in range(3)]
    for thread in threads:
        thread.start()
    until(lambda: server.most_at_once == 3, "three requests are under way")
    held.go_on.set()
    for thread in threads:
        thread.join()
    assert (server.connections, server.most_at_once) == (3, 3)


@pytest.mark.parametrize(("asked", "start", "stop"), [("0-", 0, 1024), ("10-19", 10, 20), ("1000-5000", 1000, 1024)])
def test_a_part_is_given_to_who_asks_for_one(
    server: ModelServer, client: Client, asked: str, start: int, stop: int
) -> None:
    server.serve("/a", Answer(BODY, ranges=True))
    got = Got(client, "/a", Range=f"bytes={asked}")
    assert (got.status, got.headers["Content-Range"]) == (206, f"bytes {start}-{stop - 1}/1024")
    assert (got.body, got.broken) == (BODY[start:stop], "")
    assert server.connections == 1


def test_a_part_that_is_not_there_is_refused(server: ModelServer, client: Client) -> None:
    server.serve("/a", Answer(BODY, ranges=True))
    for wanted in ("1024-", "5-4"):
        got = Got(client, "/a", Range=f"bytes={wanted}")
        assert (got.status, got.headers["Content-Range"], got.body) == (416, "bytes */1024", b"")
    assert Got(client, "/a", Range="bytes=0-1,5-6").status == 200


def test_if_range_compares_strongly(server: ModelServer, client: Client) -> None:
    date = http_date(-3600)
    server.serve("/a", Answer(BODY, ranges=True, etag=ETAG, last_modified=date))
    server.serve("/weak", Answer(BODY, ranges=True, etag="W/" + ETAG))

    def status(path: str, validator: str) -> int:
        return Got(client, path, Range="bytes=5-", If_Range=validator).status

    assert [status("/a", each) for each in (ETAG, date, '"v2"', http_date())] == [206, 206, 200, 200]
    assert status("/weak", "W/" + ETAG) == 200


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_a_file_is_described(server: ModelServer, client: Client, method: str) -> None:
    date = http_date(-3600)
    server.serve("/a", Answer(BODY, ranges=True, etag=ETAG, last_modified=date))
    got = Got(client, "/a", method)
    names = ("Content-Length", "ETag", "Last-Modified", "Accept-Ranges")
    assert [got.headers[name] for name in names] == ["1024", ETAG, date, "bytes"]
    assert parsedate_to_datetime(got.headers["Date"]) > parsedate_to_datetime(date)
    assert got.body == (b"" if method == "HEAD" else BODY)


LIES: list[tuple[Lie, int, str | None, bytes]] = [
    ("ignored", 200, None, BODY),
    ("refused", 416, "bytes */1024", b""),
    ("wrong start", 206, "bytes 0-19/1024", BODY[:20]),
    ("wrong total", 206, "bytes 10-19/1025", BODY[10:20]),
    ("other etag", 206, "bytes 10-19/1024", BODY[10:20]),
    ("short", 206, "bytes 10-19/1024", BODY[10:19]),
    ("long", 206, "bytes 10-19/1024", BODY[10:20] + b"\0"),
]


@pytest.mark.parametrize(("lie", "status", "said", "body"), LIES)
def test_lies_about_parts(
    server: ModelServer, client: Client, lie: Lie, status: int, said: str | None, body: bytes
) -> None:
    server.serve("/a", Answer(BODY, ranges=True, etag=ETAG, lie=lie))
    got = Got(client, "/a", Range="bytes=10-19", If_Range=ETAG)
    assert (got.status, got.headers["Content-Range"], got.body, got.broken) == (status, said, body, "")
    assert got.headers["ETag"] == ('"another"' if lie == "other etag" else ETAG)
    assert got.headers["Accept-Ranges"] == "bytes"
    whole = Got(client, "/a")
    assert (whole.status, whole.body, whole.headers["ETag"]) == (200, BODY, ETAG)


def test_what_changes_upstream_has_another_etag(server: ModelServer, client: Client) -> None:
    server.serve("/a", Answer(BODY, ranges=True, etag=ETAG), Answer(BODY[::-1], ranges=True, etag='"v2"'))
    assert Got(client, "/a", Range="bytes=0-9", If_Range=ETAG).status == 206
    got = Got(client, "/a", Range="bytes=10-", If_Range=ETAG)
    assert (got.status, got.headers["ETag"], got.body) == (200, '"v2"', BODY[::-1])


CUT = {
    "a close": (Answer(BODY, cut=100), BODY[:100], "IncompleteRead"),
    "a reset": (Answer(BODY, cut=100, reset=True), BODY[:100], "ConnectionResetError"),
    "a close among chunks": (Answer(BODY, framing="chunked", cut=100), BODY[:100], "IncompleteRead"),
    "a reset among chunks": (Answer(BODY, framing="chunked", cut=100, reset=True), BODY[:100], "ConnectionResetError"),
    "a close nobody can tell": (Answer(BODY, framing="close", cut=100), BODY[:100], ""),
    "a reset for lack of a length": (Answer(BODY, framing="close", cut=0, reset=True), b"", "ConnectionResetError"),
    "a length too great": (Answer(BODY, excess=7), BODY, "IncompleteRead"),
    "a length too small": (Answer(BODY, excess=-7), BODY[:-7], ""),
}


@pytest.mark.parametrize("how", CUT)
def test_a_body_ends_too_early(server: ModelServer, client: Client, how: str) -> None:
    answer, body, broken = CUT[how]
    server.serve("/a", answer, BODY)
    got = Got(client, "/a")
    assert (got.body, got.broken) == (body, broken)
    assert get(server, "/a").body == BODY


def test_a_reset_comes_after_all_that_was_sent(server: ModelServer) -> None:
    body = bytes(8 << 20)
    server.serve("/a", Answer(body, cut=len(body) - 1, reset=True))
    got = get(server, "/a")
    assert (len(got.body), got.broken) == (len(body) - 1, "ConnectionResetError")


def test_chunks_are_chunks(server: ModelServer, client: Client) -> None:
    server.serve("/a", Answer(BODY, framing="chunked", ranges=True))
    for _ in range(2):
        got = Got(client, "/a")
        assert (got.headers["Transfer-Encoding"], got.headers["Content-Length"]) == ("chunked", None)
        assert (got.body, got.broken) == (BODY, "")
    assert Got(client, "/a", Range="bytes=5-6").body == BODY[5:7]
    assert server.connections == 1


def test_a_close_may_be_all_that_ends_a_body(server: ModelServer, client: Client) -> None:
    server.serve("/a", Answer(BODY, framing="close"))
    got = Got(client, "/a")
    assert (got.headers["Connection"], got.headers["Content-Length"], got.body) == ("close", None, BODY)
    assert client.sock is None


def test_gzip_comes_unasked(server: ModelServer, client: Client) -> None:
    server.serve("/a", gzipped(BODY))
    got = Got(client, "/a")
    assert (got.headers["Content-Encoding"], gzip.decompress(got.body)) == ("gzip", BODY)


@pytest.mark.parametrize("once", [True, False])
def test_a_byte_is_wrong(server: ModelServer, client: Client, once: bool) -> None:
    server.serve("/a", Answer(BODY, ranges=True, flip=15, flip_once=once))
    wrong = BODY[:15] + b"\x0e" + BODY[16:]
    assert Got(client, "/a", Range="bytes=0-14").body == BODY[:15]
    assert Got(client, "/a", Range="bytes=10-19").body == wrong[10:20]
    assert Got(client, "/a").body == (BODY if once else wrong)


def test_a_busy_server_says_when_to_come_back(server: ModelServer, client: Client) -> None:
    server.serve("/a", busy(429, 7), busy(503, http_date(60)), busy(), BODY)
    got = [Got(client, "/a") for _ in range(4)]
    assert [each.status for each in got] == [429, 503, 503, 200]
    assert (got[0].headers["Retry-After"], got[2].headers["Retry-After"]) == ("7", None)
    date = parsedate_to_datetime(got[1].headers["Retry-After"])
    assert 55 <= (date - parsedate_to_datetime(got[1].headers["Date"])).total_seconds() <= 65


def test_so_many_at_a_time_and_no_more(server: ModelServer, client: Client) -> None:
    server.serve("/a", held := Answer(BODY, pause_at=10), BODY)
    server.at_most(1, busy(429, 1))
    first = threading.Thread(target=get, args=(server, "/a"))
    first.start()
    assert held.paused.wait(30)
    assert Got(client, "/a").status == 429
    held.go_on.set()
    first.join()
    assert [get(server, "/a").status for _ in range(20)] == [200] * 20


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_leads_to_another_host(server: ModelServer, client: Client, status: int) -> None:
    with ModelServer("127.0.0.2") as other:
        server.serve("/a", redirect(other.serve("/b", BODY), status))
        got = Got(client, "/a")
        assert (got.status, got.headers["Location"]) == (status, f"http://{other.address}/b")
        assert other.address.startswith("127.0.0.2:")
        assert get(other, "/b").body == BODY


def test_a_redirect_leads_in_a_circle(server: ModelServer, client: Client) -> None:
    server.serve("/a", redirect("/a"))
    assert {Got(client, "/a").headers["Location"] for _ in range(3)} == {"/a"}


def test_signed_urls_expire(server: ModelServer, client: Client) -> None:
    with ModelServer("127.0.0.2") as storage:
        signed = server.serve_signed("/a", Answer(BODY, ranges=True), uses=2, by=storage)

        def status(url: str) -> int:
            return get(storage, url.removeprefix(storage.url(""))).status

        first, second = (Got(client, "/a").headers["Location"] for _ in range(2))
        assert first == storage.url("/signed/a?sig=1") != second
        assert [status(first) for _ in range(3)] == [200, 200, 403]
        assert status(second) == 200
        signed.expire()
        assert status(second) == 403
        assert status(Got(client, "/a").headers["Location"]) == 200
        assert status(storage.url("/signed/a")) == 403


def test_a_login_page_is_no_error(server: ModelServer, client: Client) -> None:
    server.serve("/a", login_page())
    got = Got(client, "/a")
    assert (got.status, got.headers.get_content_type(), got.body[:9]) == (200, "text/html", b"<!DOCTYPE")


def raw(server: ModelServer) -> socket.socket:
    """A connection on which ``/a`` was asked for."""
    host, port = server.address.split(":")
    connection = socket.create_connection((host, int(port)), timeout=30)
    connection.sendall(b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    return connection


def body_of(connection: socket.socket, enough: int) -> bytes:
    """What has come of the body, as soon as that is ``enough`` bytes."""
    got = b""
    while len(got.partition(b"\r\n\r\n")[2]) < enough:
        got += connection.recv(1 << 16)
    return got.partition(b"\r\n\r\n")[2]


def rest_of(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def test_a_stall_lasts_until_it_is_told_to_end(server: ModelServer) -> None:
    server.serve("/a", held := Answer(BODY, pause_at=10))
    with raw(server) as connection:
        assert held.paused.wait(30)
        assert body_of(connection, 10) == BODY[:10]
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        held.go_on.set()
        connection.settimeout(30)
        assert rest_of(connection) == BODY[10:]


def test_a_mute_server_says_nothing(server: ModelServer) -> None:
    server.serve("/a", held := Answer(BODY, mute=True))
    with raw(server) as connection:
        assert held.paused.wait(30)
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        held.go_on.set()
        connection.settimeout(30)
        assert body_of(connection, len(BODY)) == BODY


def test_a_trickle_keeps_coming(server: ModelServer) -> None:
    server.serve("/a", held := Answer(BODY, pause_at=10, trickle=True))
    with raw(server) as connection:
        got = body_of(connection, 210)
        assert not held.go_on.is_set()
        held.go_on.set()
        assert got + rest_of(connection) == BODY


def test_each_connection_has_its_own_rate(server: ModelServer) -> None:
    body = bytes(200_000)
    server.serve("/a", Answer(body, rate=400_000))

    def seconds(connections: int) -> float:
        begun = time.monotonic()
        threads = [threading.Thread(target=get, args=(server, "/a")) for _ in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.monotonic() - begun

    alone = seconds(1)
    assert alone > 0.4
    assert seconds(8) < 4 * alone
    assert server.sent("/a") == 9 * len(body)


def test_who_comes_to_a_server_that_is_gone_is_refused(server: ModelServer) -> None:
    with ModelServer() as gone:
        gone.serve("/a", Answer(BODY, pause_at=10))
        kept = Client(gone.address, timeout=30)
        assert Got(kept, "/none").status == 404
        stalled = raw(gone)
        body_of(stalled, 10)
    assert stalled.recv(1) == b""
    stalled.close()
    kept.auto_open = 0
    with pytest.raises((http.client.HTTPException, OSError)):
        Got(kept, "/none")
    kept.close()
    with pytest.raises(ConnectionRefusedError):
        get(gone, "/a")
