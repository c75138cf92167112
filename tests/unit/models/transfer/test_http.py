"""The way to a server: redirects, credentials, proxies, other addresses; and that no secret goes astray."""

from __future__ import annotations

import base64
import random
import socket
import ssl
import threading
from pathlib import Path

import pytest

from envkit.errors import ModelError
from envkit.models.model import NoSourceError
from envkit.models.transfer import answers
from envkit.models.transfer.answers import TransientError
from envkit.models.transfer.http import Http, Part
from envkit.models.transfer.location import Location
from envkit.models.transfer.rewrite import Rules
from tests.support.answers import Answer, redirect
from tests.support.fetching import Fetcher, digests
from tests.support.model_project import ModelProject, entry, states
from tests.support.model_server import ModelServer

BODY = random.Random(42).randbytes(1 << 20)  # noqa: S311
LITTLE = BODY[:1000]
BEARER = "Bearer hush"


def read(url: str, http: Http | None = None, authorization: str | None = None, part: Part | None = None) -> bytes:
    with (http or Http()).open(Location(url, authorization), part) as reply:
        return b"".join(iter(lambda: reply.read(1 << 20), b""))


def sent(server: ModelServer) -> list[str | None]:
    return [asked.headers.get("Authorization") for asked in server.asked]


def basic(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode()


# --- redirects -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "to"),
    [(301, "/b"), (302, "b"), (303, "http://{}/b"), (307, "//{}/b"), (308, "http://{}/b#part")],
)
def test_a_redirect_is_followed(server: ModelServer, status: int, to: str) -> None:
    server.serve("/b", LITTLE)
    assert read(server.serve("/a", redirect(to.format(server.address), status))) == LITTLE
    assert server.connections == 1  # its body was read, so that the connection can be used again


def test_a_redirect_may_name_a_file_in_any_letters(server: ModelServer) -> None:
    server.serve("/模型 1", LITTLE)
    assert read(server.serve("/a", redirect("/模型 1".encode().decode("latin-1")))) == LITTLE


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://h/a", "data:,a", "http://[::1", "http://h:99999/"])
def test_a_redirect_to_no_place_of_the_web_is_refused(server: ModelServer, to: str) -> None:
    with pytest.raises(ModelError, match="redirected to ") as raised:
        read(server.serve("/a", redirect(to)))
    assert not isinstance(raised.value, TransientError)


def test_a_redirect_in_a_circle_ends(server: ModelServer) -> None:
    server.serve("/b", redirect("/a"))
    with pytest.raises(ModelError, match="redirected more than 10 times"):
        read(server.serve("/a", redirect("/b")))
    assert len(server.asked) == 10


def test_a_redirect_with_an_endless_body_is_not_read(server: ModelServer) -> None:
    server.serve("/b", LITTLE)
    endless = Answer(bytes(1 << 20), 302, {"Location": "/b"}, pause_at=100_000)
    assert read(server.serve("/a", endless)) == LITTLE
    endless.go_on.set()


def test_a_redirect_that_names_nothing_is_an_answer(server: ModelServer) -> None:
    with pytest.raises(ModelError, match="302"):
        read(server.serve("/a", Answer(status=302)))


def test_credentials_stay_with_their_host(server: ModelServer, other: ModelServer) -> None:
    other.serve("/b", redirect(server.url("/c")))
    server.serve("/c", redirect("/d"))
    server.serve("/d", LITTLE)
    assert read(server.serve("/a", redirect(other.url("/b"))), authorization=BEARER) == LITTLE
    assert sent(other) == [None]
    assert sent(server) == [BEARER, None, None]  # who came back from elsewhere is a stranger


def test_credentials_go_along_within_their_host(server: ModelServer) -> None:
    server.serve("/b", LITTLE)
    assert read(server.serve("/a", redirect(server.url("/b"))), authorization=BEARER) == LITTLE
    assert sent(server) == [BEARER, BEARER]


def test_credentials_in_a_url_go_along_within_its_host(server: ModelServer, other: ModelServer) -> None:
    server.serve("/a", redirect(server.url("/b")))
    server.serve("/b", redirect(other.serve("/c", LITTLE)))
    assert read(server.url("/a").replace("http://", "http://me:hush@")) == LITTLE
    assert sent(server) == [basic("me:hush")] * 2
    assert sent(other) == [None]


def test_another_port_is_another_host(server: ModelServer) -> None:
    with ModelServer() as second:
        assert read(server.serve("/a", redirect(second.serve("/b", LITTLE))), authorization=BEARER) == LITTLE
        assert sent(second) == [None]


def test_every_part_is_asked_for_at_the_first_address(
    server: ModelServer, other: ModelServer, fetcher: Fetcher, delays: list[float]
) -> None:
    """A signed URL is good for a while; who keeps to it finds it expired half-way (aria2#2197)."""
    answer = Answer(BODY, ranges=True, etag='"1"', cut=300_000)
    server.serve_signed("/a", answer, uses=1, by=other)
    assert fetcher(server.url("/a"), expected=digests(BODY), connections=1) == BODY
    # A signed one may not have been asked, if the connection to it was cut off before.
    assert server.count("GET", "/a") >= other.count("GET", "/signed/a")
    assert len({asked.query for asked in other.asked}) == len(other.asked) > 1


def test_a_download_outlives_the_url_that_it_came_from(
    server: ModelServer, project: ModelProject, delays: list[float]
) -> None:
    answer = Answer(BODY, ranges=True, etag='"1"', cut=700_000)
    signed = server.serve_signed("/net.bin", answer)
    project.declare(entry("net", server.url("/net.bin"), BODY))
    assert states(project.sync(connections=1)) == {"net": "fetched"}
    signed.expire()
    with pytest.raises(ModelError, match="403"):
        read(server.url("/signed/net.bin?sig=1"))


# --- credentials -----------------------------------------------------------------------------------------------------


@pytest.fixture
def netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "netrc"
    monkeypatch.setenv("NETRC", str(path))
    return path


def test_a_netrc_is_for_the_hosts_that_it_names(server: ModelServer, other: ModelServer, netrc: Path) -> None:
    netrc.write_text("machine 127.0.0.1 login me password hush\n")
    other.serve("/b", LITTLE)
    assert read(server.serve("/a", redirect(other.url("/b")))) == LITTLE
    assert sent(server) == [basic("me:hush")]
    assert sent(other) == [None]
    server.asked.clear()
    assert read(other.serve("/c", redirect(server.serve("/d", LITTLE)))) == LITTLE
    assert sent(server) == [basic("me:hush")]


def test_a_netrc_that_cannot_be_read_is_none(server: ModelServer, netrc: Path) -> None:
    netrc.write_text("machine machine machine")
    assert read(server.serve("/a", LITTLE)) == LITTLE


def test_a_netrc_opens_a_server_for_a_sync(server: ModelServer, project: ModelProject, netrc: Path) -> None:
    server.require("me", "hush")
    project.declare(entry("net", server.serve("/net.bin", Answer(BODY, ranges=True)), BODY))
    result = project.sync()
    assert "the server answered 401" in result.lines[-1]
    assert "~/.netrc" in result.lines[-1]
    netrc.write_text("machine 127.0.0.1 login me password hush\n")
    assert states(project.sync()) == {"net": "fetched"}
    assert "hush" not in "\n".join(project.said)


def test_a_token_is_for_the_host_that_it_is_named_after(
    server: ModelServer, other: ModelServer, project: ModelProject, netrc: Path
) -> None:
    netrc.write_text("machine 127.0.0.1 login me password hush\n")
    project.environ["ENVKIT_TOKEN_127_0_0_1"] = "hush"
    server.serve("/net.bin", redirect(other.serve("/net.bin", Answer(BODY, ranges=True))))
    project.declare(
        entry("net", server.url("/net.bin"), BODY),
        entry("gone", server.url("/gone"), b"other"),
        entry("x", other.url("/x"), b""),
    )
    result = project.sync()
    assert states(result) == {"net": "fetched", "gone": "failed", "x": "failed"}
    assert set(sent(server)) == {BEARER}
    assert set(sent(other)) == {None}
    assert "hush" not in "\n".join([*result.lines, *project.said, str(result.data), repr(project.settings)])


def test_a_token_names_its_host_as_a_variable_may() -> None:
    way = Http(tokens={"models__1_example_com": "hush"})._credentials
    assert way("https://Models-1.example.com/a", "models-1.example.com") == BEARER
    assert way("https://models.1.example.com/a", "models.1.example.com") is None


def test_what_a_source_brings_along_comes_before_what_the_machine_knows(server: ModelServer, netrc: Path) -> None:
    netrc.write_text("machine 127.0.0.1 login me password other\n")
    assert read(server.serve("/a", LITTLE), authorization=BEARER) == LITTLE
    assert sent(server) == [BEARER]


def test_nothing_that_is_shown_has_a_secret_in_it() -> None:
    place = Location("http://h/a", BEARER)
    assert "hush" not in repr(place) + repr(Http(tokens={"h": "hush"}))


# --- other addresses -------------------------------------------------------------------------------------------------


def test_the_longest_beginning_that_fits_is_replaced() -> None:
    rules = Rules(
        (("https://h/", "http://a/"), ("https://h/models/", "http://b/"), ("https://h/models/x", "http://c/x"))
    )
    assert rules.apply("https://h/models/net") == "http://b/net"
    assert rules.apply("https://h/models/xy") == "http://c/xy"
    assert rules.apply("https://h/other") == "http://a/other"
    assert rules.apply("http://h/other") == "http://h/other"
    assert Rules().apply("https://h/") == "https://h/"


def test_models_come_from_an_address_of_the_intranet(server: ModelServer, project: ModelProject) -> None:
    server.serve("/mirror/v2/net.bin", Answer(BODY, ranges=True))
    project.declare(entry("net", "https://models.invalid/zoo/v2/net.bin", BODY))
    (project.path / "envkit.yaml").write_text(
        f"rewrite:\n  https://models.invalid/: {server.url('/wrong/')}\n"
        f"  https://models.invalid/zoo/: {server.url('/mirror/')}\n"
    )
    assert states(project.sync()) == {"net": "fetched"}
    assert project.listing() == {"net_v1.bin": BODY}


def test_the_environment_comes_before_the_file_and_no_secret_of_either_is_shown(
    server: ModelServer, project: ModelProject
) -> None:
    project.declare(entry("net", "https://models.invalid/net.bin?sig=hush", BODY))
    (project.path / "envkit.yaml").write_text("rewrite:\n  https://models.invalid/: http://nowhere.invalid/\n")
    to = server.url("/mirror/").replace("http://", "http://me:hush@")
    project.environ["ENVKIT_URL_REWRITE"] = f"https://models.invalid/={to} https://other.invalid/=http://x.invalid/"
    result = project.sync()
    assert f"from {server.url('/mirror/net.bin')}?… (for https://models.invalid/net.bin?…)" in result.lines[-1]
    assert "404" in result.lines[-1]
    assert "hush" not in "\n".join([*result.lines, *project.said, str(result.data), repr(project.settings)])
    assert sent(server) == [basic("me:hush")]


def test_mirrors_are_rewritten_too_and_redirects_are_not(
    server: ModelServer, other: ModelServer, project: ModelProject
) -> None:
    server.serve("/here/net.bin", redirect(other.serve("/net.bin", BODY)))
    project.environ["ENVKIT_URL_REWRITE"] = (
        f"https://models.invalid/={server.url('/here/')} {other.url('/')}=http://x.invalid/"
    )
    project.declare(entry("net", server.url("/gone.bin"), BODY, mirrors=["https://models.invalid/net.bin"]))
    assert states(project.sync()) == {"net": "fetched"}


# --- proxies and certificates ----------------------------------------------------------------------------------------


def test_a_proxy_is_gone_through(server: ModelServer, project: ModelProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url("").replace("http://", "http://me:hush@"))
    monkeypatch.delenv("http_proxy", raising=False)
    server.serve("/net.bin", Answer(BODY, ranges=True))
    project.declare(entry("net", "http://models.invalid/net.bin", BODY), entry("gone", "http://models.invalid/x", b""))
    result = project.sync()
    assert states(result) == {"net": "fetched", "gone": "failed"}
    assert {asked.headers["Host"] for asked in server.asked} == {"models.invalid"}
    assert {asked.headers["Proxy-Authorization"] for asked in server.asked} == {basic("me:hush")}
    assert "hush" not in "\n".join([*result.lines, *project.said, str(result.data)])


def test_a_proxy_that_is_not_there_is_told_without_its_password(
    project: ModelProject, monkeypatch: pytest.MonkeyPatch, delays: list[float]
) -> None:
    with ModelServer() as gone:
        monkeypatch.setenv("HTTP_PROXY", gone.url("").replace("http://", "http://me:hush@"))
    monkeypatch.delenv("http_proxy", raising=False)
    project.declare(entry("net", "http://models.invalid/net.bin", BODY))
    result = project.sync()
    assert "the connection failed: Connection refused" in result.lines[-1]
    assert "hush" not in "\n".join([*result.lines, *project.said])


def test_a_host_that_needs_no_proxy_gets_none(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.3:1")
    assert read(server.serve("/a", LITTLE)) == LITTLE


def test_a_certificate_nobody_vouches_for_is_not_tried_again() -> None:
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
            read(f"https://127.0.0.1:{listening.getsockname()[1]}/a")
        thread.join()
    assert not isinstance(raised.value, TransientError)
    assert "ENVKIT_CA_BUNDLE" in str(raised.value.hint)


def test_a_name_nobody_knows() -> None:
    with pytest.raises(TransientError, match="the connection failed: ") as raised:
        read("http://models.invalid/a?token=hush")
    assert "hush" not in raised.value.message


# --- requests and answers --------------------------------------------------------------------------------------------


def test_a_request_says_who_asks_and_wants_the_bytes_as_they_are(server: ModelServer) -> None:
    read(server.serve("/a", LITTLE))
    (asked,) = server.asked
    assert asked.headers["User-Agent"].startswith("envkit/")
    assert asked.headers["Accept-Encoding"] == "identity"
    assert "Range" not in asked.headers


def test_a_part_is_a_part(server: ModelServer) -> None:
    url = server.serve("/a", Answer(BODY, ranges=True, etag='"1"'))
    assert read(url, part=Part(10, 20, '"1"')) == BODY[10:20]
    assert read(url, part=Part(len(BODY) - 5)) == BODY[-5:]
    assert read(url, part=Part(10, 20, '"2"')) == BODY
    with pytest.raises(answers.UnsatisfiableError):
        read(url, part=Part(len(BODY)))


def test_a_part_of_a_path_is_one_too(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(BODY)
    url = (tmp_path / "a").as_uri()
    assert read(url, part=Part(10, 20)) == BODY[10:20]
    assert read(url, part=Part(10, 20, '"another"')) == BODY
    assert read(url, part=Part(len(BODY) + 10)) == b""


@pytest.mark.parametrize("status", [200, 206, 416])
def test_a_part_nobody_asked_for_is_no_file(server: ModelServer, status: int) -> None:
    url = server.serve("/a", Answer(LITTLE, status, {"Content-Range": "bytes 0-999/5000"}))
    if status == 200:
        assert read(url) == LITTLE
    else:
        with pytest.raises(ModelError, match=str(status)):
            read(url)


def test_silence_has_an_end_wherever_it_begins(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("envkit.models.transfer.http._TIMEOUT", (0.2, 0.2))
    for silent in (Answer(LITTLE, mute=True), Answer(LITTLE, pause_at=3)):
        with pytest.raises(TransientError, match="timed out"):
            read(server.serve("/a", silent))
        silent.go_on.set()


def test_what_goes_wrong_while_bytes_are_read_is_told_where_they_are_read(server: ModelServer) -> None:
    with (
        Http().open(Location(server.serve("/a", Answer(BODY, cut=1000, reset=True)))) as reply,
        pytest.raises(TransientError, match="the connection failed: "),
    ):
        list(iter(lambda: reply.read(1 << 20), b""))


def test_who_reads_no_further_keeps_no_connection(server: ModelServer) -> None:
    long = Answer(BODY, pause_at=1000)
    with Http().open(Location(server.serve("/a", long))) as reply:
        assert reply.read(10)
        reply.close()
        long.go_on.set()


def test_a_probe_asks_for_no_bytes(server: ModelServer, tmp_path: Path) -> None:
    assert Http().probe(Location(server.serve("/a", Answer(BODY)))).size == len(BODY)
    assert [asked.method for asked in server.asked] == ["HEAD"]
    (tmp_path / "a").write_bytes(LITTLE)
    assert Http().probe(Location((tmp_path / "a").as_uri())).size == len(LITTLE)


def test_every_place_may_fail_in_its_own_way(server: ModelServer, fetcher: Fetcher) -> None:
    with pytest.raises(NoSourceError) as raised:
        fetcher(server.serve("/a", redirect("/a")), server.serve("/b", redirect("file:///etc/passwd")))
    assert [blame.error.message for blame in raised.value.blames] == [
        "redirected more than 10 times",
        "redirected to file:///etc/passwd, which is no http:// or https:// URL",
    ]


@pytest.mark.parametrize("token", ["sekret\r", "sek\nret", "sek€ret"])
def test_a_token_that_is_none_is_said_to_be_and_not_shown(server: ModelServer, token: str) -> None:
    http = Http(tokens={"127_0_0_1": token})
    with pytest.raises(ModelError, match=r"the token or password for 127\.0\.0\.1 has a character") as raised:
        http.probe(Location(server.serve("/f.bin", b"x")))
    assert "sek" not in str(raised.value)
