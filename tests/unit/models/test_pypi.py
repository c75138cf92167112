"""Models out of a wheel, through the real pip and an index on this machine."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from envkit.errors import InputError, ModelError
from envkit.models import progress
from envkit.models.sources import pip, pypi
from envkit.models.transfer.http import Http
from envkit.models.transfer.location import Location, Route
from tests.support.model_project import ModelProject, md5, sha256, states
from tests.support.model_server import Answer, ModelServer, wheel

MEMBERS = {"ocr/det/net.json": b"det", "ocr/rec/net.json": b"rec", "ocr/keys.txt": b"keys"}
WHEEL = "/files/tiny_models-1.0-py3-none-any.whl"


def declared(body: bytes, **more: object) -> dict[str, object]:
    return {
        "name": "det",
        "version": "1.0",
        "source": "pypi",
        "package": "tiny-models==1.0",
        "path": "ocr/det",
        "md5": md5(body),
        **more,
    }


def test_models_of_one_wheel_are_one_download(index: ModelServer, project: ModelProject, tmp_path: Path) -> None:
    body = index.serve_wheel("tiny-models", "1.0", MEMBERS)
    more = {"sha256": sha256(body), "size": len(body)}
    project.declare(
        declared(body, **more),
        declared(body, name="rec", path=["ocr/rec", "ocr/keys.txt"], **more),
        declared(body, name="keys", path="ocr/keys.txt", **more),
    )
    assert states(project.sync()) == {"det": "fetched", "rec": "fetched", "keys": "fetched"}
    assert project.listing() == {
        "det_1.0/net.json": b"det",
        "keys_1.0.txt": b"keys",
        "rec_1.0/keys.txt": b"keys",
        "rec_1.0/net.json": b"rec",
    }
    ours = [asked for asked in index.asked if asked.path == WHEEL and asked.headers["User-Agent"].startswith("envkit/")]
    assert len(ours) == 1

    index.asked.clear()
    assert set(states(project.sync()).values()) == {"kept"}
    assert index.asked == []


def test_a_wheel_in_a_folder_that_pip_looks_into(
    project: ModelProject, tmp_path: Path, index: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = wheel("tiny-models", "1.0", MEMBERS)
    folder = tmp_path / "wheels and more"
    folder.mkdir()
    (folder / Path(WHEEL).name).write_bytes(body)
    monkeypatch.delenv("PIP_INDEX_URL")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", folder.as_uri())
    project.declare(declared(body))
    assert project.sync().exit_code == 0
    assert project.listing() == {"det_1.0/net.json": b"det"}


def test_an_index_that_wants_a_password_gets_the_one_pip_has(
    index: ModelServer, project: ModelProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = index.serve_wheel("tiny-models", "1.0", MEMBERS)
    index.require("team", "s3cret/")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://team:s3cret%2F@{index.address}/simple")
    project.declare(declared(body), declared(b"other", name="wrong"))
    result = project.sync()
    assert states(result) == {"det": "fetched", "wrong": "failed"}
    assert "s3cret" not in "\n".join([*result.lines, *project.said])


def test_a_wheel_that_is_not_the_registrys_says_whom_to_believe(index: ModelServer, project: ModelProject) -> None:
    body = index.serve_wheel("tiny-models", "1.0", MEMBERS)
    project.declare(declared(b"another"))
    result = project.sync()
    assert result.exit_code == 3
    message = result.lines[-1]
    assert f"from {index.url(WHEEL)}, named by the package index (tiny-models==1.0)" in message
    assert f"expected md5 {md5(b'another')}\n  got      md5 {md5(body)}" in message
    assert "the source announces these very bytes" in message


def test_what_the_index_announces_is_held_against_it(index: ModelServer, project: ModelProject) -> None:
    body = index.serve_wheel("tiny-models", "1.0", MEMBERS)
    damaged = wheel("tiny-models", "1.0", {**MEMBERS, "ocr/det/net.json": b"malware"})
    # pip is content with the good wheel, then the mirror serves another one, whose MD5 the registry is made to have.
    index.serve(WHEEL, Answer(body), Answer(damaged))
    project.declare(declared(damaged))
    result = project.sync()
    assert result.exit_code == 3
    assert f"expected sha256 {sha256(body)}\n  got      sha256 {sha256(damaged)}" in result.lines[-1]
    assert project.listing() == {}


def test_a_version_that_is_not_there(index: ModelServer, project: ModelProject) -> None:
    index.serve_wheel("tiny-models", "0.9", MEMBERS)
    project.declare(declared(b""))
    result = project.sync()
    assert result.exit_code == 3
    assert "pip: No matching distribution found for tiny-models==1.0" in result.lines[-1]
    assert "pip config list" in result.lines[-1]


def test_an_index_that_is_not_there(index: ModelServer, project: ModelProject, monkeypatch: pytest.MonkeyPatch) -> None:
    with ModelServer() as gone:
        monkeypatch.setenv("PIP_INDEX_URL", f"http://team:s3cret@{gone.address}/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    project.declare(declared(b""))
    for result in (project.sync(), project.sync(dry_run=True)):
        assert result.exit_code == 3
        assert "the index cannot be reached: [Errno 111] Connection refused" in result.lines[-1]
        assert "s3cret" not in "\n".join([*result.lines, *project.said])


def test_a_dry_run_asks_the_index_and_takes_no_wheel(index: ModelServer, project: ModelProject) -> None:
    body = index.serve_wheel("tiny-models", "1.0", MEMBERS)
    project.declare(declared(body))
    result = project.sync(dry_run=True)
    assert result.exit_code == 0
    said = "fetch  unverifiable  det 1.0: is not there yet; the package index (tiny-models==1.0) has it"
    assert result.lines[0] == f"{said}, {len(body)} bytes"
    assert {(asked.method, asked.path) for asked in index.asked} == {("GET", "/simple/tiny-models/"), ("HEAD", WHEEL)}

    project.declare(declared(body, package="tiny-models==2.0"))
    result = project.sync(dry_run=True)
    assert result.exit_code == 3
    assert "the index has tiny-models, but no wheel of version 2.0" in result.lines[-1]
    project.declare(declared(body, package="no-such-models==2.0"))
    assert project.sync(dry_run=True).exit_code == 3


def test_a_version_may_be_spelled_in_other_ways(index: ModelServer, project: ModelProject) -> None:
    body = index.serve_wheel("tiny-models", "1.0.0", MEMBERS)
    for spelled in ("tiny-models==1.0", "tiny-models==1"):
        project.declare(declared(body, package=spelled))
        assert project.sync(dry_run=True).exit_code == 0
        assert project.sync().exit_code == 0


def test_what_is_no_version_is_wrong_in_the_registry(project: ModelProject) -> None:
    project.declare(declared(b"", package="tiny-models==latest"))
    with pytest.raises(InputError, match=r"has package 'tiny-models==latest', which names no version after =="):
        project.sync()


def test_while_pip_is_at_work_time_is_told(
    index: ModelServer, project: ModelProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_EVERY", 0.0)
    monkeypatch.setattr(pip, "_POLL", 0.01)
    body = index.serve_wheel("tiny-models", "1.0", MEMBERS)
    project.declare(declared(body))
    project.sync(dry_run=True)
    assert "asking the package index (tiny-models==1.0), for 0 s" in project.said
    project.sync()
    assert "det: asking the package index (tiny-models==1.0), for 0 s" in project.said


Configure = Callable[..., None]


@pytest.fixture
def configure(index: ModelServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Configure:
    """Writes what pip goes by into its file alone, with nothing in the environment."""
    for name in ("PIP_INDEX_URL", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))

    def write(**settings: str) -> None:
        lines = [f"{name.replace('_', '-')} = {value}" for name, value in settings.items()]
        (tmp_path / "pip.conf").write_text("\n".join(["[global]", *lines]), "utf-8")

    return write


def test_the_proxy_of_pips_configuration_is_taken(
    index: ModelServer, project: ModelProject, configure: Configure
) -> None:
    body = index.serve_wheel("tiny-models", "1.0", MEMBERS)
    configure(index_url="http://index.invalid/simple", proxy=index.url(""), trusted_host="index.invalid")
    project.declare(declared(body))
    assert project.sync().exit_code == 0
    ours = [asked for asked in index.asked if asked.headers["User-Agent"].startswith("envkit/")]
    assert [(asked.path, asked.headers["Host"]) for asked in ours] == [(WHEEL, "index.invalid")]


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A key and the certificate that it signed itself, which nobody trusts."""
    made = tmp_path / "server.pem"
    kind = ("-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    names = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    command = ("openssl", "req", *kind, *names, "-keyout", str(made), "-out", str(tmp_path / "certificate.pem"))
    subprocess.run(command, check=True, capture_output=True)
    made.write_bytes(made.read_bytes() + (tmp_path / "certificate.pem").read_bytes())
    return made


@pytest.mark.parametrize("named", ["127.0.0.1", "127.0.0.1:{port}"])
def test_a_host_that_pip_trusts_is_trusted(
    project: ModelProject, configure: Configure, certificate: Path, named: str
) -> None:
    with ModelServer(certificate=certificate) as index:
        body = index.serve_wheel("tiny-models", "1.0", MEMBERS)
        host = named.format(port=index.address.rpartition(":")[2])
        configure(index_url=index.url("/simple"), trusted_host=host)
        project.declare(declared(body))
        assert project.sync().exit_code == 0
        configure(index_url=index.url("/simple"), trusted_host="127.0.0.1:1", retries="0")
        shutil.rmtree(project.store)
        project.declare(declared(body, version="2"))
        assert project.sync().exit_code == 3


def test_a_host_that_is_trusted_leads_to_none_that_is_not(server: ModelServer, certificate: Path) -> None:
    """A redirect away from it is looked at like any other connection."""
    with ModelServer(certificate=certificate) as trusted, ModelServer(certificate=certificate) as other:
        url = trusted.serve("/a", Answer(status=302, headers={"Location": other.serve("/a", b"weights")}))
        location = Location(url, route=Route(trusted_hosts=(trusted.address,)))
        with pytest.raises(ModelError, match="no trusted connection"):
            Http().probe(location)
        assert other.asked == []


def test_the_certificates_of_pips_configuration_are_taken(
    project: ModelProject, configure: Configure, certificate: Path
) -> None:
    with ModelServer(certificate=certificate) as index:
        body = index.serve_wheel("tiny-models", "1.0", MEMBERS)
        configure(index_url=index.url("/simple"), cert=str(certificate.with_name("certificate.pem")))
        project.declare(declared(body))
        assert project.sync().exit_code == 0
        configure(index_url=index.url("/simple"), retries="0")
        shutil.rmtree(project.store)
        project.declare(declared(body, version="2"))
        assert project.sync().exit_code == 3


@pytest.mark.parametrize("by", ["file", "environment"])
def test_installing_for_the_user_is_no_matter_here(
    index: ModelServer, project: ModelProject, configure: Configure, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    body = index.serve_wheel("tiny-models", "1.0", MEMBERS)
    configure(index_url=index.url("/simple"), **({"user": "true"} if by == "file" else {}))
    if by == "environment":
        monkeypatch.setenv("PIP_USER", "1")
    project.declare(declared(body))
    assert project.sync().exit_code == 0


def test_what_counts_is_what_counts_for_pip_install() -> None:
    listing = """:env:.proxy='http://env'
global.cert='/global'
global.proxy='http://global'
global.trusted-host='a\\nb:1 c'
install.cert='/install'
download.client-cert='/not-for-us'
"""
    configured = pip.Configuration(listing)
    assert pypi._route(configured) == Route("http://env", Path("/install"), None, ("a", "b:1", "c"))


@pytest.mark.parametrize(
    ("stderr", "reason"),
    [
        (
            "WARNING: Retrying after connection broken by 'NewConnectionError('<pip._vendor.urllib3."
            "connection.HTTPConnection object at 0x7f>: Failed to establish a new connection: [Errno 111] Connection "
            "refused')': /simple/x/\nERROR: No matching distribution found for x==1",
            "the index cannot be reached: [Errno 111] Connection refused",
        ),
        (
            "WARNING: Retrying after connection broken by 'ProxyError('Cannot connect to proxy.', "
            "NewConnectionError('<pip>: Failed to establish a new connection: [Errno 113] No route to host'))': /simp"
            "le/x/\nERROR: No matching distribution found for x==1",
            "the index cannot be reached: [Errno 113] No route to host",
        ),
        (
            "WARNING: Retrying after connection broken by 'ReadTimeoutError(\"HTTPSConnectionPool(host="
            "'h', port=443): Read timed out. (read timeout=15)\")': /simple/x/\nERROR: No matching distribution found",
            "the index cannot be reached: Read timed out. (read timeout=15)",
        ),
        ("ERROR: Invalid requirement: x==y\n", "Invalid requirement: x==y"),
        ("/usr/bin/python3: No module named pip\n", "/usr/bin/python3: No module named pip"),
        ("", "failed without a word"),
    ],
)
def test_the_reason_is_found_among_what_pip_says(stderr: str, reason: str) -> None:
    assert pip.reason(stderr) == reason
