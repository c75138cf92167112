"""What headers tell of a file, asked of a real server."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import replace

import pytest

from envkit.errors import ModelError
from envkit.models.model import Digests
from envkit.models.transfer.announcement import Announcement
from envkit.models.transfer.http import Http
from envkit.models.transfer.location import Location
from envkit.models.transfer.rewrite import Rules
from tests.support.answers import Answer, login_page
from tests.support.hub import git_blob
from tests.support.model_project import md5, sha256
from tests.support.model_server import ModelServer

BODY = b"weights of a network"
MD5, SHA256, BLOB = md5(BODY), sha256(BODY), git_blob(BODY)


def b64(digest: str) -> str:
    return base64.b64encode(bytes.fromhex(digest)).decode()


def ask(url: str) -> Announcement:
    return Http().probe(Location(url))


@pytest.mark.parametrize(
    ("header", "value", "digests"),
    [
        ("Repr-Digest", f"sha-256=:{b64(SHA256)}:", Digests(None, SHA256)),
        ("Repr-Digest", f"md5=:{b64(MD5)}:, sha-256=:{b64(SHA256)}:;q=1", Digests(MD5, SHA256)),
        ("Repr-Digest", f"sha-512=:{b64('00' * 64)}:", Digests()),
        ("Content-Digest", f"sha-256=:{b64(SHA256)}:", Digests(None, SHA256)),
        ("Digest", f"SHA-256={b64(SHA256)},MD5={b64(MD5)}", Digests(MD5, SHA256)),
        ("Digest", f"md5={MD5}", Digests(MD5)),
        ("Digest", "unixsum=30637", Digests()),
        ("Content-MD5", b64(MD5), Digests(MD5)),
        ("Content-MD5", MD5.upper(), Digests(MD5)),
        ("x-ms-blob-content-md5", b64(MD5), Digests(MD5)),
        ("x-goog-hash", f"crc32c=n03x6A==, md5={b64(MD5)}", Digests(MD5)),
        ("x-goog-hash", "crc32c=n03x6A==", Digests()),
        ("x-amz-checksum-sha256", b64(SHA256), Digests(None, SHA256)),
        ("x-amz-checksum-sha256", f"{b64(SHA256)}-3", Digests()),
        ("x-amz-meta-md5chksum", b64(MD5), Digests(MD5)),
        ("X-Checksum-Sha256", SHA256, Digests(None, SHA256)),
        ("X-Checksum-Md5", MD5, Digests(MD5)),
        ("X-Checksum-Sha1", BLOB, Digests()),
        ("x-bce-content-sha256", SHA256, Digests(None, SHA256)),
        ("x-cos-meta-md5", MD5, Digests(MD5)),
        ("X-Linked-Etag", f'"{SHA256}"', Digests(None, SHA256)),
        ("X-Linked-Etag", f'W/"{BLOB}"', Digests(git_blob=BLOB)),
        # Of no form that is known, or of another length.
        ("Content-MD5", "no base64!", Digests()),
        ("Content-MD5", b64(SHA256), Digests()),
        ("Content-MD5", f"{MD5}0", Digests()),
        ("Content-MD5", "", Digests()),
        ("Repr-Digest", "sha-256", Digests()),
        ("Repr-Digest", "sha-256=:::::", Digests()),
        ("Repr-Digest", ",,=,:", Digests()),
        ("X-Checksum-Sha256", "é" * 64, Digests()),
        ("X-Linked-Etag", '"1234"', Digests()),
        # That of no bytes at all is not one of this file.
        ("Content-Digest", f"sha-256=:{b64(sha256(b''))}:", Digests()),
        ("X-Checksum-Md5", md5(b""), Digests()),
    ],
)
def test_a_digest_in_a_header(server: ModelServer, header: str, value: str, digests: Digests) -> None:
    # As bytes go over the wire: what is beyond ASCII is no part of any of these forms.
    shown = value.encode().decode("latin-1")
    told = ask(server.serve("/f.bin", Answer(BODY, headers={header: shown})))
    assert (told.size, told.digests) == (len(BODY), digests)
    assert {by.lower() for by in told.told_by.values()} <= {header.lower()}
    assert set(told.told_by) == {name for name, known in vars(digests).items() if known}


def test_the_most_explicit_header_counts(server: ModelServer) -> None:
    other = hashlib.md5(b"other", usedforsecurity=False).hexdigest()
    headers = {"Content-MD5": b64(other), "Repr-Digest": f"md5=:{b64(MD5)}:"}
    told = ask(server.serve("/f.bin", Answer(BODY, headers=headers)))
    assert (told.digests.md5, told.told_by) == (MD5, {"md5": "Repr-Digest"})


def test_a_server_is_asked_for_digests_and_for_no_bytes(server: ModelServer) -> None:
    ask(server.serve("/f.bin", BODY))
    (asked,) = server.asked
    assert asked.method == "HEAD"
    assert asked.headers["Want-Repr-Digest"] == "sha-256=9, md5=3"
    assert asked.headers["Want-Digest"] == "sha-256, md5;q=0.3"


@pytest.mark.parametrize("etag", ['"5c0-1f"', 'W/"5c0-1f"', "unquoted", None])
def test_an_etag_is_as_it_was_sent(server: ModelServer, etag: str | None) -> None:
    assert ask(server.serve("/f.bin", Answer(BODY, etag=etag))).etag == etag


PROVING = {"Content-MD5": b64(MD5), "X-Checksum-Sha256": SHA256}


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
def test_of_what_is_packed_for_the_way_nothing_is_told(server: ModelServer, encoding: str) -> None:
    told = ask(server.serve("/f.bin", Answer(BODY, headers={**PROVING, "Content-Encoding": encoding})))
    assert (told.size, told.digests) == (None, Digests())


@pytest.mark.parametrize(
    ("path", "encoding"), [("/f.tar.gz", "gzip"), ("/f.tgz", "x-gzip"), ("/f.bin", "identity"), ("/f.bin", "")]
)
def test_what_is_labelled_packed_and_is_the_file_itself_is_told(server: ModelServer, path: str, encoding: str) -> None:
    told = ask(server.serve(path, Answer(BODY, headers={**PROVING, "Content-Encoding": encoding})))
    assert (told.size, told.digests) == (len(BODY), Digests(MD5, SHA256))


@pytest.mark.parametrize(
    ("headers", "digests"),
    [
        ({"X-Goog-Stored-Content-Encoding": "gzip"}, Digests()),
        ({"X-Goog-Stored-Content-Encoding": "identity"}, Digests(MD5)),
    ],
)
def test_a_store_that_unpacks_names_the_digest_of_what_it_keeps(
    server: ModelServer, headers: Mapping[str, str], digests: Digests
) -> None:
    answer = Answer(BODY, headers={"X-Goog-Hash": f"md5={b64(MD5)}", **headers})
    assert ask(server.serve("/f.bin", answer)).digests == digests


def test_a_hub_says_on_the_way_what_the_file_behind_it_is(server: ModelServer) -> None:
    target = server.serve("/objects/1", Answer(BODY, etag='"cdn"', framing="chunked"))
    linked = {"X-Linked-ETag": f'"{SHA256}"', "X-Linked-Size": str(len(BODY)), "ETag": '"of the link"'}
    away = Answer(status=302, headers={**linked, "Location": f"{target}?signature=s3cret#part"})
    told = ask(server.serve("/resolve/f.bin", away))
    named = {"sha256": "X-Linked-Etag"}
    assert told == Announcement(len(BODY), Digests(sha256=SHA256), '"cdn"', target, named)


def test_what_a_redirect_says_of_itself_is_not_of_the_file(server: ModelServer) -> None:
    target = server.serve("/f.bin", BODY)
    of_itself = {
        "Content-MD5": b64(MD5),
        "Repr-Digest": f"sha-256=:{b64(SHA256)}:",
        "ETag": f'"{MD5}"',
        "Content-Length": "0",
    }
    told = ask(server.serve("/moved", Answer(status=302, headers={**of_itself, "Location": target})))
    assert (told.size, told.digests, told.etag) == (len(BODY), Digests(), None)


def test_a_repository_says_it_before_it_sends_to_its_store(server: ModelServer) -> None:
    target = server.serve("/store", BODY)
    headers = {"X-Checksum-Sha256": SHA256, "X-Checksum-Md5": MD5, "Location": target}
    assert ask(server.serve("/f.bin", Answer(status=307, headers=headers))).digests == Digests(MD5, SHA256)


def test_the_file_itself_counts_before_what_was_said_on_the_way(server: ModelServer) -> None:
    other = sha256(b"other")
    target = server.serve("/store", Answer(BODY, headers={"X-Checksum-Sha256": SHA256}))
    linked = {"X-Linked-Etag": f'"{other}"', "X-Linked-Size": "1", "Location": target}
    told = ask(server.serve("/f.bin", Answer(status=302, headers=linked)))
    assert (told.size, told.digests.sha256) == (len(BODY), SHA256)


@pytest.mark.parametrize("size", ["-1", "1e3", "9" * 40, ""])
def test_a_linked_size_that_is_none_is_ignored(server: ModelServer, size: str) -> None:
    target = server.serve("/store", Answer(BODY, framing="chunked"))
    linked = {"X-Linked-Size": size, "Location": target}
    assert ask(server.serve("/f.bin", Answer(status=302, headers=linked))).size is None


def test_the_url_is_where_it_was_found_without_secrets(server: ModelServer) -> None:
    server.serve("/f.bin", BODY)
    url = server.url("/f.bin").replace("http://", "http://me:s3cret@") + "?sig=s3cret"
    assert ask(url).url == server.url("/f.bin")
    rewritten = Http(rules=Rules((("https://far.example/", server.url("/")),)))
    assert rewritten.probe(Location("https://far.example/f.bin")).url == server.url("/f.bin")


@pytest.mark.parametrize("status", [403, 405, 501])
def test_where_heads_are_not_served_the_headers_of_a_get_count(server: ModelServer, status: int) -> None:
    told = ask(server.serve("/f.bin", Answer(BODY, head=status, headers=PROVING)))
    assert (told.size, told.digests) == (len(BODY), Digests(MD5, SHA256))


def test_a_head_that_says_there_is_nothing_is_not_believed(server: ModelServer) -> None:
    answer = Answer(BODY)
    url = server.serve("/f.bin", lambda asked: replace(answer, body=b"") if asked.method == "HEAD" else answer)
    assert ask(url).size == len(BODY)
    assert [asked.method for asked in server.asked] == ["HEAD", "GET"]


def test_a_page_in_place_of_a_file_is_no_announcement(server: ModelServer) -> None:
    with pytest.raises(ModelError, match="an HTML page, not with a model"):
        ask(server.serve("/f.bin", login_page()))
