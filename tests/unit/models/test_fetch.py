"""What is told of a request that failed, and how long a server is left alone."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path

import pytest
import urllib3

from envkit.errors import ModelError
from envkit.models import fetch
from envkit.models.fetch import Request, TransientError
from envkit.models.model import Digests
from envkit.models.progress import Lines
from envkit.models.sources.base import Location
from envkit.models.sync import Backoff
from tests.support.model_project import sha256
from tests.support.model_server import Answer, ModelServer

BODY = b"weights"


def get(url: str, into: Path) -> Digests:
    meter = Lines(lambda _: None).meter("x")
    return fetch.fetch(Request(Location(url), Digests(), None), into, meter, lambda: None)


def test_the_size_and_both_digests_come_back(server: ModelServer, tmp_path: Path) -> None:
    got = get(server.serve("/a", BODY), tmp_path / "a")
    assert (got.sha256, got.size) == (sha256(BODY), len(BODY))
    assert got.md5
    assert (tmp_path / "a").read_bytes() == BODY


def test_what_trickles_in_is_counted_as_it_comes(server: ModelServer, tmp_path: Path) -> None:
    slow = Answer(bytes(1 << 20), pause_at=1000, trickle=True)
    arrived = threading.Event()

    class Arrival:
        def start(self, total: int | None) -> None:
            pass

        def advance(self, amount: int) -> None:  # noqa: ARG002 - the name is the protocol's
            arrived.set()

        def close(self) -> None:
            pass

    request = Request(Location(server.serve("/a", slow)), Digests(), None)
    thread = threading.Thread(target=fetch.fetch, args=(request, tmp_path / "a", Arrival(), lambda: None))
    thread.start()
    assert arrived.wait(10)
    slow.go_on.set()
    thread.join()
    assert (tmp_path / "a").read_bytes() == slow.body


def test_a_urllib3_that_cannot_give_what_there_is_will_do(
    server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(urllib3.HTTPResponse, "read1")
    monkeypatch.delattr(urllib3.response.BaseHTTPResponse, "read1")
    assert get(server.serve("/a", BODY), tmp_path / "a").sha256 == sha256(BODY)


def test_a_redirect_is_followed(server: ModelServer, tmp_path: Path) -> None:
    server.serve("/b", BODY)
    url = server.serve("/a", Answer(status=302, headers={"Location": "/b"}))
    assert get(url, tmp_path / "a").sha256 == sha256(BODY)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_told_from_what_will_not(server: ModelServer, tmp_path: Path, status: int) -> None:
    with pytest.raises(TransientError, match=str(status)):
        get(server.serve("/a", Answer(status=status)), tmp_path / "a")


@pytest.mark.parametrize("status", [204, 206, 400, 401, 403, 404, 410, 501])
def test_what_will_not_pass_is_told_at_once(server: ModelServer, tmp_path: Path, status: int) -> None:
    with pytest.raises(ModelError, match=str(status)) as raised:
        get(server.serve("/a", Answer(status=status)), tmp_path / "a")
    assert not isinstance(raised.value, TransientError)
    assert (raised.value.hint is not None) == (status in (401, 403))


def test_a_date_says_when_to_come_back(server: ModelServer, tmp_path: Path) -> None:
    later = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=20), usegmt=True)
    url = server.serve("/a", Answer(status=503, headers={"Retry-After": later}))
    with pytest.raises(TransientError) as raised:
        get(url, tmp_path / "a")
    assert raised.value.retry_after == pytest.approx(20, abs=3)


@pytest.mark.parametrize("text", ["soon", "-1", ""])
def test_nonsense_says_nothing(server: ModelServer, tmp_path: Path, text: str) -> None:
    with pytest.raises(TransientError) as raised:
        get(server.serve("/a", Answer(status=503, headers={"Retry-After": text})), tmp_path / "a")
    assert raised.value.retry_after is None


@pytest.fixture
def closing() -> Iterator[str]:
    """The URL of a server that hangs up on every request."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def hang_up() -> None:
            try:
                while True:
                    connection, _ = listening.accept()
                    connection.recv(65536)
                    connection.close()
            except OSError:
                return

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/a?token=hush"
        listening.shutdown(socket.SHUT_RDWR)
    thread.join()


def test_a_server_that_hangs_up(closing: str, tmp_path: Path) -> None:
    with pytest.raises(TransientError, match="the connection failed: Remote end closed connection") as raised:
        get(closing, tmp_path / "a")
    assert "hush" not in raised.value.message


def test_a_name_nobody_knows(tmp_path: Path) -> None:
    with pytest.raises(TransientError, match="the connection failed: ") as raised:
        get("http://models.invalid/a?token=hush", tmp_path / "a")
    assert "hush" not in raised.value.message


def test_silence_has_an_end(server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "_TIMEOUT", (0.2, 0.2))
    url = server.serve("/a", silent := Answer(BODY, pause_at=3))
    with pytest.raises(TransientError, match="timed out"):
        get(url, tmp_path / "a")
    silent.go_on.set()


def test_a_certificate_nobody_vouches_for_is_not_tried_again(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def refuse() -> None:
            connection, _ = listening.accept()
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            with pytest.raises((ssl.SSLError, OSError)):
                context.wrap_socket(connection, server_side=True)
            connection.close()

        thread = threading.Thread(target=refuse)
        thread.start()
        with pytest.raises(ModelError, match="no trusted connection: ") as raised:
            get(f"https://127.0.0.1:{listening.getsockname()[1]}/a", tmp_path / "a")
        thread.join()
    assert not isinstance(raised.value, TransientError)
    assert "ENVKIT_CA_BUNDLE" in str(raised.value.hint)


def test_waiting_grows_with_jitter_up_to_a_limit() -> None:
    backoff = Backoff(attempts=10, first=0.5, longest=4.0)
    delays = [backoff.delay(failures, TransientError("busy")) or 0.0 for failures in range(1, 10)]
    ceilings = [0.5, 1, 2, 4, 4, 4, 4, 4, 4]
    assert all(ceiling / 2 <= delay <= ceiling for delay, ceiling in zip(delays, ceilings, strict=True))
    assert len(set(delays)) == len(delays)
    assert backoff.delay(10, TransientError("busy")) is None
