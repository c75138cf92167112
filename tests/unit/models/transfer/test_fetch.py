"""One file arrives, whole and proven, in every way in which a server may send it."""

from __future__ import annotations

import errno
import os
import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import urllib3

from envkit.errors import ModelError
from envkit.models.model import Digests, NoSourceError
from envkit.models.transfer import download, hashing
from envkit.models.transfer.location import Location
from envkit.models.transfer.partial import Partial
from tests.support.answers import gzipped
from tests.support.fetching import Fetcher, digests
from tests.support.model_project import ModelProject, entry, md5, sha256, states
from tests.support.model_server import Answer, ModelServer

LARGE = random.Random(4).randbytes(1 << 20)  # noqa: S311
LITTLE = LARGE[:1000]

WAYS: dict[str, Callable[[bytes], Answer]] = {
    "with a length": Answer,
    "in parts": lambda body: Answer(body, ranges=True, etag='"1"'),
    "in chunks": lambda body: Answer(body, framing="chunked"),
    "until it closes": lambda body: Answer(body, framing="close"),
    "compressed": gzipped,
    "labelled compressed": lambda body: Answer(body, headers={"Content-Encoding": "gzip"}),
    "labelled html": lambda body: Answer(body, headers={"Content-Type": "text/html"}),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("body", [LARGE, LITTLE, b""], ids=["large", "little", "empty"])
@pytest.mark.parametrize("known", [True, False], ids=["size known", "size unknown"])
def test_the_bytes_and_both_digests_are_right(
    server: ModelServer, fetcher: Fetcher, way: str, body: bytes, known: bool
) -> None:
    expected = Digests(md5(body), None, len(body) if known else None)
    assert fetcher(server.serve("/a.bin", WAYS[way](body)), expected=expected) == body
    assert fetcher.last
    got = fetcher.last.digests
    assert (got.md5, got.sha256, got.size) == (md5(body), sha256(body), len(body))
    assert fetcher.said == []
    assert list(fetcher.folder.iterdir()) == []


def test_the_name_that_git_has_for_it_is_proof_too(server: ModelServer, fetcher: Fetcher) -> None:
    url, name = server.serve("/a", b"x"), "c1b0730e0133447badcfd47fd144e254807b06e1"  # git hash-object
    assert fetcher(url, expected=Digests(None, None, 1, name)) == b"x"
    with pytest.raises(NoSourceError):
        fetcher(url, expected=Digests(None, None, 1, "0" * 40))


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_the_border_between_small_and_large(server: ModelServer, fetcher: Fetcher, more: int) -> None:
    body = LARGE[: download.SMALL + more]
    assert fetcher(server.serve("/a", Answer(body, ranges=True)), expected=digests(body)) == body


def test_what_trickles_in_is_counted_as_it_comes(server: ModelServer, fetcher: Fetcher) -> None:
    slow = Answer(LARGE, pause_at=1000, trickle=True)
    url = server.serve("/a", slow)

    class Meter:
        came = 0

        def start(self, total: int | None, done: int = 0) -> None:  # noqa: ARG002 - the protocol's
            self.total = total

        def advance(self, amount: int) -> None:
            self.came += amount
            slow.go_on.set()  # else it would never end

        def close(self) -> None:
            pass

    meter = Meter()
    assert fetcher(url, meter=meter) == LARGE
    assert (meter.came, meter.total) == (len(LARGE), len(LARGE))


def test_a_urllib3_that_cannot_give_what_there_is_will_do(
    server: ModelServer, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(urllib3.HTTPResponse, "read1")
    monkeypatch.delattr(urllib3.response.BaseHTTPResponse, "read1")
    for body in (LARGE, LITTLE):
        assert fetcher(server.serve("/a", Answer(body, ranges=True)), expected=digests(body)) == body


def test_a_path_of_this_machine_is_fetched_like_any_other(fetcher: Fetcher, tmp_path: Path) -> None:
    for body in (LARGE, LITTLE, b""):
        (tmp_path / "net.bin").write_bytes(body)
        assert fetcher((tmp_path / "net.bin").as_uri(), expected=digests(body)) == body


def test_a_path_that_cannot_be_read_is_told(fetcher: Fetcher, tmp_path: Path) -> None:
    with pytest.raises(NoSourceError) as raised:
        fetcher((tmp_path / "gone").as_uri())
    assert f"{tmp_path}/gone: cannot be read: No such file" in raised.value.blames[0].error.message


@pytest.mark.parametrize("body", [LARGE, LITTLE], ids=["large", "little"])
@pytest.mark.parametrize("local", [True, False], ids=["from a path", "from a server"])
def test_a_full_disk_is_not_the_sources_fault(
    server: ModelServer, fetcher: Fetcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: bytes, local: bool
) -> None:
    (tmp_path / "net.bin").write_bytes(body)
    url = (tmp_path / "net.bin").as_uri() if local else server.serve("/a", Answer(body, ranges=True))

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="No space left") as raised:
        fetcher(url, url, expected=digests(body))
    assert not isinstance(raised.value, ModelError)
    assert server.count("GET", "/a") <= 2  # no second place: a second connection of the first at most


def test_a_file_for_which_there_is_no_room_is_not_begun(server: ModelServer, fetcher: Fetcher) -> None:
    def refuse(size: int) -> None:
        assert size == len(LARGE)
        raise ModelError("no room")

    fetcher.reserve = refuse
    with pytest.raises(NoSourceError) as raised:
        fetcher(server.serve("/a", Answer(LARGE, ranges=True)))
    assert raised.value.blames[0].error.message == "no room"
    assert list(fetcher.folder.iterdir()) == []


def test_the_journal_being_written_at_the_very_end_holds_nothing_up(
    server: ModelServer, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that takes its time with fdatasync(2) once let the last byte and the journal wait for each other."""
    hashed = threading.Semaphore(0)
    follow, note = hashing.follow, Partial.note

    def followed(*arguments: object) -> str:
        try:
            return follow(*arguments)  # type: ignore[arg-type]
        finally:
            hashed.release()

    def slow(self: Partial, journal: object) -> None:
        if not noting.is_set():
            noting.set()
            for _ in range(2):
                assert hashed.acquire(timeout=20)
        note(self, journal)  # type: ignore[arg-type]

    noting = threading.Event()
    answer = Answer(LARGE, pause_at=500_000)
    monkeypatch.setattr(hashing, "follow", followed)
    monkeypatch.setattr(Partial, "note", slow)
    url = server.serve("/a", answer)
    done: list[bytes] = []
    thread = threading.Thread(target=lambda: done.append(fetcher(url, expected=digests(LARGE))), daemon=True)
    thread.start()
    assert noting.wait(20)
    answer.go_on.set()
    thread.join(20)
    assert done == [LARGE]
    assert list(fetcher.folder.iterdir()) == []


def test_a_bug_in_any_thread_ends_the_download(
    server: ModelServer, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = server.serve("/a", Answer(LARGE, ranges=True))
    for name in ("_write", "_note", "_there", "_check_part", "_grow"):
        with monkeypatch.context() as patched:

            def broken(*_: object) -> None:
                raise ZeroDivisionError

            patched.setattr(download.Download, name, broken)
            slow = Answer(LARGE, ranges=True, rate=2e6)
            server.serve("/a", slow)
            with pytest.raises(ZeroDivisionError):
                fetcher(url, expected=digests(LARGE))


def test_what_the_source_announces_holds_even_where_the_registry_knows_only_an_md5(
    server: ModelServer, fetcher: Fetcher
) -> None:
    place = Location(server.serve("/a", LITTLE), digests=Digests(None, sha256(b"other")))
    with pytest.raises(NoSourceError) as raised:
        fetcher(place, expected=Digests(md5(LITTLE)))
    assert "other bytes" in raised.value.blames[0].error.message


def test_a_sync_shows_and_records_a_large_file(server: ModelServer, project: ModelProject) -> None:
    project.declare(entry("net", server.serve("/net.bin", Answer(LARGE, ranges=True, etag='"1"')), LARGE))
    assert states(project.sync()) == {"net": "fetched"}
    assert project.listing() == {"net_v1.bin": LARGE}
    assert project.leftovers() == []
    assert states(project.verify()) == {"net": "verified"}
