"""Models from a path of this machine: what a path may be, and what is said of one that leads to no file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from envkit.errors import InputError, ModelError
from envkit.models.model import Digests, Model
from envkit.models.registry import registry
from envkit.models.sources import SOURCES, Asking, Remote
from envkit.models.transfer.announcement import Announcement
from envkit.models.transfer.http import Http
from tests.support.model_project import ModelProject, md5, states
from tests.support.model_server import tarball

FILE = SOURCES["file"]


@pytest.fixture
def asking() -> Asking:
    return Asking(Http(), lambda: None)


def located(path: str, asking: Asking) -> str:
    assert FILE.problem({"path": path, "version": "1"}) is None
    (found,) = FILE.locate(FILE.locator({"path": path, "version": "1"}), (), asking)
    assert found == Remote("", found.location)
    return found.location.url


def declared(path: str, more: str = "") -> Model:
    text = f"models:\n  - {{name: a, version: 1, source: file, path: '{path}', md5: {'0' * 32}{more}}}\n"
    (model,) = registry.parse(text).models
    return model


def test_a_path_or_a_url_is_found_and_its_bytes_are_read(tmp_path: Path, asking: Asking) -> None:
    path = tmp_path / "a b" / "é?#.pdparams"
    path.parent.mkdir()
    path.write_bytes(b"weights")
    for spelled in (str(path), path.as_uri(), path.as_uri().replace("file:///", "file://localhost/")):
        url = located(spelled, asking)
        assert url == path.as_uri()
        assert FILE.probe(spelled, (), asking) == {"": Announcement(7, Digests(), None, path.as_uri())}
        assert FILE.shown(spelled) == str(path)
    (found,) = FILE.locate(str(path), (), asking)
    with asking.http.open(found.location) as reply:
        assert (reply.read(7), reply.size) == (b"weights", 7)


def test_a_tilde_is_the_home_of_who_syncs(tmp_path: Path, asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.tar").touch()
    assert located("~/a.tar", asking) == (tmp_path / "a.tar").as_uri()
    with pytest.raises(ModelError, match="cannot be read"):
        located("~no-such-user/a.tar", asking)


@pytest.mark.parametrize(
    ("path", "target", "unpack"),
    [
        ("/share/net.pdparams", "a_1.pdparams", None),
        ("file:///share/net%20b.pdparams", "a_1.pdparams", None),
        ("/share/zoo.tar.gz", "a_1", "tar"),
        ("~/zoo.zip", "a_1", "zip"),
        ("/share/net", "a_1", None),
    ],
)
def test_its_name_decides_what_it_is(path: str, target: str, unpack: str | None) -> None:
    model = declared(path)
    assert (model.target, model.unpack, model.paths, model.artifact.paths) == (target, unpack, (), ())


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("models/net.pdparams", "is relative, and to what? Write it from the root, as ~/… or as file:///…"),
        ("./net", "is relative"),
        ("../net", "is relative"),
        ("file:net", "is no file:///… URL of this machine"),
        ("file://server/share/net", "is no file:///… URL of this machine; what a server has is for the source 'http'"),
        ("https://h/net", "is no file:///… URL of this machine"),
        ("file:///a?b", "has a blank, a ? or a # in it: write %20, %3F, %23"),
        ("file:///a b", "has a blank, a ? or a # in it"),
        ("/share/nets/", "names a folder: pack it as a tar, which is one file and has one digest"),
        ("file:///share/nets/", "names a folder"),
        ("/share/..", "names a folder"),
        ("/", "names a folder"),
        ("~", "names a folder"),
        ("file:///a%00b", "has a NUL in it"),
    ],
)
def test_what_is_no_path_is_told_with_its_place(path: str, why: str) -> None:
    with pytest.raises(InputError) as raised:
        declared(path)
    (problem,) = raised.value.problems
    assert (problem.line, problem.column) == (2, 47)
    # What has the form of a URL may have a secret in it.
    found = "has a path that" if "://" in path else f"has path {path!r}, which"
    assert problem.message.startswith(f"model 'a' {found} {why}")


def test_a_file_may_have_mirrors_and_is_no_one_of_several_versions() -> None:
    assert declared("/share/net", ", mirrors: ['https://h/net']").artifact.mirrors == ("https://h/net",)
    with pytest.raises(InputError, match=r"^models\.yaml:1:29: model 'a' has version 'latest', which names no one"):
        registry.parse("models: [{name: a, version: latest, source: file, path: /net}]")


def test_what_is_no_file_is_told_before_anything_waits_for_it(tmp_path: Path, asking: Asking) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for path, message in {
        tmp_path / "gone": r"gone is not there(.|\n)*is that mounted here\?",
        tmp_path: r"is a folder(.|\n)*pack it as a tar",
        tmp_path / "pipe": "is no file, but a device or the like",
        tmp_path / "loop": "cannot be read: Too many levels of symbolic links",
        tmp_path / ("x" * 300): "cannot be read: File name too long",
    }.items():
        for ask in (FILE.locate, FILE.probe):
            with pytest.raises(ModelError, match=message):
                ask(str(path), (), asking)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_told(tmp_path: Path, asking: Asking) -> None:
    (tmp_path / "a").touch(mode=0)
    with pytest.raises(ModelError, match="cannot be read: Permission denied"):
        FILE.probe(str(tmp_path / "a"), (), asking)


def test_a_sync_takes_files_and_unpacks_archives(tmp_path: Path, project: ModelProject) -> None:
    packed = tarball({"zoo/net.bin": b"net", "zoo/keys.txt": b"keys"})
    (tmp_path / "zoo.tar").write_bytes(packed)
    (tmp_path / "net.bin").write_bytes(b"weights")
    at = {"version": "1", "source": "file"}
    project.declare(
        {"name": "zoo", "path": str(tmp_path / "zoo.tar"), "md5": md5(packed), **at},
        {"name": "net", "path": (tmp_path / "net.bin").as_uri(), "md5": md5(b"weights"), **at},
        {"name": "gone", "path": str(tmp_path / "gone.bin"), "md5": md5(b""), **at},
    )
    result = project.sync()
    assert states(result) == {"zoo": "fetched", "net": "fetched", "gone": "failed"}
    assert f"{tmp_path}/gone.bin is not there" in result.lines[-1]
    assert project.listing() == {"net_1.bin": b"weights", "zoo_1/keys.txt": b"keys", "zoo_1/net.bin": b"net"}
    assert (tmp_path / "net.bin").read_bytes() == b"weights"
