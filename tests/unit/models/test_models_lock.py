"""`envkit models lock`: what it writes, where digests come from, what moves, and that nothing is lost on the way."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from envkit.errors import InputError
from envkit.models.model import PLACEHOLDER_MD5
from envkit.models.transfer import journal
from envkit.settings import Owner
from tests.support.answers import Asked
from tests.support.forks import KILLED, Forks, How
from tests.support.model_project import ModelProject, entry, md5, sha256, states
from tests.support.model_server import Answer, ModelServer, tarball
from tests.support.project import REPOSITORY
from tests.support.wait import until

BODY, OTHER = b"weights" * 1000, b"others" * 1000
LOCK = ("models", "lock")


def bare(name: str, url: str, **more: object) -> dict[str, object]:
    """An entry without a digest."""
    return {"name": name, "version": "v1", "source": "http", "url": url, **more}


# --- what is written -----------------------------------------------------------------------------------------------


def test_an_entry_has_the_final_url_size_digests_etag_when_and_from_where(
    server: ModelServer, project: ModelProject
) -> None:
    final = server.serve("/cdn/net.bin", Answer(BODY, headers={"ETag": 'W/"7"'}))
    server.serve("/net.bin", Answer(status=302, headers={"Location": f"{final}?signature=s3cret"}))
    named = server.url("/net.bin?key=s3cret").replace("http://", "http://me:s3cret@")
    project.declare(bare("net", named))
    ran = project.lock()
    assert ran.lines == ("added    net v1", "models.lock.yaml: 1 added, 0 unchanged")
    locked = project.locked()["net"]
    assert locked["files"] == [
        {"url": final, "size": len(BODY), "md5": md5(BODY), "sha256": sha256(BODY), "etag": 'W/"7"'}
    ]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", locked["locked"]["at"])
    assert locked["locked"]["from"] == server.url("/net.bin?…")
    # What models.yaml itself says stands as it is, to be compared.
    assert locked["asked"]["url"] == locked["locator"] == named
    assert ran.data == {
        "file": "models.lock.yaml",
        "written": True,
        "models": [{"name": "net", "asked": "v1", "state": "added", "version": "v1", "before": None}],
        "problems": [],
    }


def test_a_registry_of_no_models_has_a_lock_of_none(project: ModelProject) -> None:
    (project.path / "models.yaml").write_text("models: []\n")
    assert project.lock().lines == ("models.lock.yaml: 0 unchanged",)
    assert project.locked() == {}
    assert project.lock(check=True).exit_code == 0


def test_what_a_machine_asks_instead_is_nobody_elses(server: ModelServer, project: ModelProject) -> None:
    server.serve("/mirror/net.bin", Answer(BODY, headers={"ETag": '"of the mirror"'}))
    project.environ["ENVKIT_URL_REWRITE"] = f"http://models.invalid/={server.url('/mirror/')}"
    project.declare(bare("net", "http://models.invalid/net.bin"))
    assert project.lock().exit_code == 0
    assert server.address not in project.lock_file.read_text("utf-8")
    (file,) = project.locked()["net"]["files"]
    assert file["url"] == "http://models.invalid/net.bin"
    assert "etag" not in file


def test_a_mirror_that_had_it_is_named(server: ModelServer, project: ModelProject) -> None:
    mirror = server.serve("/mirror/net.bin", Answer(BODY, headers={"ETag": '"m"'}))
    project.declare(bare("net", server.url("/gone.bin"), mirrors=[mirror], md5=md5(BODY)))
    assert project.lock().exit_code == 0
    locked = project.locked()["net"]
    assert (locked["files"][0]["url"], locked["locked"]["from"]) == (mirror, mirror)
    assert locked["locator"] == server.url("/gone.bin")


def test_a_mirror_does_not_say_what_the_bytes_are(server: ModelServer, project: ModelProject) -> None:
    mirror = server.serve("/mirror/net.bin", BODY)
    project.declare(bare("net", server.url("/gone.bin"), mirrors=[mirror]))
    assert project.lock().exit_code == 3
    assert server.count("GET", "/mirror/net.bin") == 0


def test_a_file_of_this_machine_has_no_address_but_its_path(project: ModelProject, tmp_path: Path) -> None:
    (tmp_path / "net.bin").write_bytes(BODY)
    project.declare({"name": "net", "version": "1", "source": "file", "path": str(tmp_path / "net.bin")})
    assert project.lock().exit_code == 0
    (file,) = project.locked()["net"]["files"]
    assert set(file) == {"size", "md5", "sha256"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_lock_belongs_to_whom_the_project_does_and_keeps_its_permissions(
    server: ModelServer, project: ModelProject
) -> None:
    project.owner = Owner(1234, 4321)
    project.declare(bare("net", server.serve("/net.bin", BODY)))
    project.lock()
    assert (project.lock_file.stat().st_uid, project.lock_file.stat().st_gid) == (1234, 4321)
    os.chown(project.lock_file, 77, 88)
    project.lock_file.chmod(0o640)
    project.declare(bare("two", server.serve("/net.bin", BODY)))
    project.lock()
    found = project.lock_file.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (77, 88, 0o640)
    (project.path / "elsewhere").write_text("theirs")
    project.lock_file.unlink()
    project.lock_file.symlink_to(project.path / "elsewhere")
    with pytest.raises(InputError):
        project.lock(check=True)
    project.lock()
    assert not project.lock_file.is_symlink()
    assert (project.path / "elsewhere").read_text() == "theirs"


def test_a_link_to_a_lock_elsewhere_stays_one(server: ModelServer, project: ModelProject, tmp_path: Path) -> None:
    project.lock_file.symlink_to(tmp_path / "shared.yaml")
    project.declare(bare("net", server.serve("/net.bin", BODY)))
    project.lock()
    assert project.lock_file.is_symlink()
    assert sorted(project.locked()) == ["net"]


# --- where digests come from ---------------------------------------------------------------------------------------


def test_what_a_lock_had_to_fetch_a_sync_does_not_fetch_again(server: ModelServer, project: ModelProject) -> None:
    packed = tarball({"net/a.bin": b"a", "net/b.bin": b"b"})
    project.declare(
        bare("net", server.serve("/net.bin", BODY)),
        bare("dir", server.serve("/dir.tar", packed)),
        bare("one", server.url("/dir.tar"), path="net/a.bin"),
    )
    assert project.lock().exit_code == 0
    assert [server.count("GET", path) for path in ("/net.bin", "/dir.tar")] == [1, 1]
    assert project.listing() == {}
    foretold = project.sync(dry_run=True)
    assert set(states(foretold).values()) == {"to link"}
    ran = project.sync()
    assert states(ran) == {"net": "linked", "dir": "linked", "one": "linked"}
    assert ran.lines[0] == "models: 0 fetched, 3 from the store, 0 verified already, 0 failed"
    assert project.listing() == {"net_v1.bin": BODY, "dir_v1/a.bin": b"a", "dir_v1/b.bin": b"b", "one_v1.bin": b"a"}
    assert [server.count("GET", path) for path in ("/net.bin", "/dir.tar")] == [1, 1]
    assert project.leftovers() == []


def test_what_is_in_place_is_locked_without_fetching_and_stays_in_place(
    server: ModelServer, project: ModelProject
) -> None:
    packed = tarball({"net/a.bin": b"a"})
    project.declare(
        entry("net", server.serve("/net.bin", Answer(BODY, headers={"ETag": '"7"'})), BODY),
        entry("dir", server.serve("/dir.tar", packed), packed),
        bare("sha", server.serve("/sha.bin", OTHER), sha256=sha256(OTHER)),
    )
    assert project.sync().exit_code == 0
    server.asked.clear()
    assert project.lock().exit_code == 0
    assert {(asked.method, asked.path) for asked in server.asked} == {
        ("HEAD", "/net.bin"),
        ("HEAD", "/dir.tar"),
        ("HEAD", "/sha.bin"),
    }
    (file,) = project.locked()["net"]["files"]
    assert file == {
        "url": server.url("/net.bin"),
        "size": len(BODY),
        "md5": md5(BODY),
        "sha256": sha256(BODY),
        "etag": '"7"',
    }
    assert project.locked()["dir"]["files"][0]["sha256"] == sha256(packed)
    assert project.locked()["sha"]["files"][0]["md5"] == md5(OTHER)
    server.asked.clear()
    assert set(states(project.sync()).values()) == {"kept"}
    assert server.asked == []


def test_what_only_the_store_has_is_locked_without_fetching(server: ModelServer, project: ModelProject) -> None:
    project.declare(bare("sha", server.serve("/sha.bin", OTHER), sha256=sha256(OTHER)))
    assert project.sync().exit_code == 0
    (project.checkpoints / "sha_v1.bin").unlink()
    assert project.lock().exit_code == 0
    assert server.count("GET", "/sha.bin") == 1
    assert project.locked()["sha"]["files"][0]["md5"] == md5(OTHER)


def test_of_what_an_index_names_the_digest_the_store_is_asked(index: ModelServer, project: ModelProject) -> None:
    index.serve_wheel("tiny-models", "1.0", {"a/net.txt": b"net"})
    project.declare({"name": "net", "version": "1.0", "source": "pypi", "package": "tiny-models", "path": "a/"})
    assert project.lock().exit_code == 0
    text = project.lock_file.read_text("utf-8")
    project.lock_file.unlink()
    index.asked.clear()
    assert project.lock().exit_code == 0
    assert not [asked for asked in index.asked if asked.headers["User-Agent"].startswith("envkit/")]
    assert project.lock_file.read_text("utf-8").partition("locked:")[0] == text.partition("locked:")[0]


def test_bytes_that_are_not_what_they_were_prove_nothing(server: ModelServer, project: ModelProject) -> None:
    project.declare(entry("net", server.serve("/net.bin", BODY), BODY))
    assert project.sync().exit_code == 0
    (project.checkpoints / "net_v1.bin").chmod(0o644)
    (project.checkpoints / "net_v1.bin").write_bytes(OTHER)
    assert project.lock().exit_code == 0
    assert server.count("GET", "/net.bin") == 2
    assert project.locked()["net"]["files"][0]["sha256"] == sha256(BODY)


def test_without_its_server_what_is_in_place_is_locked_and_that_is_said(
    server: ModelServer, project: ModelProject
) -> None:
    project.declare(entry("net", server.serve("/net.bin", BODY), BODY))
    assert project.sync().exit_code == 0
    server.serve("/net.bin", Answer(status=404))
    assert project.lock().exit_code == 0
    assert project.locked()["net"]["files"] == [{"size": len(BODY), "md5": md5(BODY), "sha256": sha256(BODY)}]
    said = f"net: {server.url('/net.bin')}: the server answered 404 Not Found; its address and ETag are not known"
    assert said in project.said


@pytest.mark.parametrize(
    "answer",
    [
        Answer(BODY, headers={"Content-Encoding": "gzip"}),
        Answer(BODY, framing="chunked"),
        lambda asked: Answer(b"" if asked.method == "HEAD" else BODY),
        Answer(b"<html>", headers={"Content-Type": "text/html"}),
    ],
    ids=["packed", "chunked", "length 0", "a page"],
)
def test_a_server_that_does_not_tell_the_size_says_nothing_against_it(
    answer: Answer | Callable[[Asked], Answer], server: ModelServer, project: ModelProject
) -> None:
    project.declare(entry("net", server.serve("/net.bin", BODY), BODY))
    assert project.sync().exit_code == 0
    server.serve("/net.bin", answer)
    assert project.lock().exit_code == 0
    assert project.locked()["net"]["files"][0]["size"] == len(BODY)


def test_what_its_server_has_in_another_size_by_now_is_not_locked(server: ModelServer, project: ModelProject) -> None:
    project.declare(entry("net", server.serve("/net.bin", BODY), BODY))
    assert project.sync().exit_code == 0
    server.serve("/net.bin", OTHER)
    ran = project.lock()
    assert ran.exit_code == 3
    assert "model 'net' v1: its server has another file than the one that models.yaml names\n" in ran.lines[-1]
    assert f"expected size {len(BODY)}\n  got      size {len(OTHER)}" in ran.lines[-1]
    assert not project.lock_file.exists()


@pytest.mark.parametrize("wrong", [{"md5": md5(b"x")}, {"sha256": sha256(b"x")}, {"size": 3, "md5": md5(BODY)}])
def test_what_models_yaml_says_has_to_match(
    wrong: dict[str, object], server: ModelServer, project: ModelProject
) -> None:
    project.declare(bare("good", server.serve("/good.bin", OTHER)))
    assert project.lock().exit_code == 0
    before = project.lock_file.read_bytes()
    project.declare(
        bare("good", server.url("/good.bin")),
        bare("fine", server.serve("/fine.bin", b"fine")),
        bare("net", server.serve("/net.bin", BODY), **wrong),
    )
    ran = project.lock()
    assert ran.exit_code == 3
    (key, *_) = wrong
    assert re.match(r"models\.yaml:5:\d+: model 'net' v1: ", ran.lines[1])
    assert f"expected {key} {wrong[key]}\n  got      {key} " in ran.lines[1]
    assert len(ran.lines) == 2
    assert project.lock_file.read_bytes() == before


def test_a_placeholder_is_named_as_the_likely_cause(server: ModelServer, project: ModelProject) -> None:
    project.declare(bare("net", server.serve("/net.bin", BODY), md5=PLACEHOLDER_MD5))
    ran = project.lock()
    assert ran.exit_code == 3
    assert f"got      md5 {md5(BODY)}\n  that md5 is the one of an empty file, a placeholder" in ran.lines[-1]
    assert "a placeholder that no download will match" in project.said[0]


def test_of_models_of_one_artifact_the_one_with_the_wrong_digest_is_blamed(
    server: ModelServer, project: ModelProject
) -> None:
    packed = tarball({"a": b"a"})
    url = server.serve("/net.tar", packed)
    project.declare(
        bare("all-right", url, md5=md5(packed)),
        bare("wrong", url, sha256=sha256(BODY)),
        bare("wrong-too", url, md5=md5(BODY)),
    )
    ran = project.lock()
    assert sorted(line.split("'")[1] for line in ran.lines[1:]) == ["wrong", "wrong-too"]


# --- what stays and what moves -------------------------------------------------------------------------------------


def test_what_fits_stays_as_it_is_line_for_line(
    server: ModelServer, project: ModelProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.declare(bare("a", server.serve("/a.bin", b"a")), bare("c", server.serve("/c.bin", b"c")))
    monkeypatch.setattr("envkit.commands.models_lock.now", lambda: "2026-01-01T00:00:00Z")
    project.lock()
    before = project.lock_file.read_text("utf-8").splitlines()
    monkeypatch.setattr("envkit.commands.models_lock.now", lambda: "2026-02-02T00:00:00Z")
    server.asked.clear()
    project.declare(
        bare("c", server.url("/c.bin"), task="none of our business"),
        bare("b", server.serve("/b.bin", b"b")),
        bare("a", server.url("/a.bin")),
    )
    assert project.lock().lines == ("added    b v1", "models.lock.yaml: 1 added, 2 unchanged")
    assert {asked.path for asked in server.asked} == {"/b.bin"}
    after = project.lock_file.read_text("utf-8").splitlines()
    start = after.index("- name: b")
    assert after[:start] + after[after.index("- name: c") :] == before

    project.declare(bare("c", server.url("/c.bin")), bare("a", server.url("/a.bin")))
    assert project.lock().lines == ("dropped  b v1", "models.lock.yaml: 1 dropped, 2 unchanged")
    assert project.lock_file.read_text("utf-8").splitlines() == before


def test_upgrade_moves_what_floats_and_only_the_named(server: ModelServer, project: ModelProject) -> None:
    for version in ("1", "2"):
        server.serve(f"/net-{version}.bin", version.encode())
    index = server.serve("/v.json", b'["1"]')
    template = server.url("/net-{version}.bin")
    project.declare(
        bare("one", template, version="stable", index_url=index),
        bare("two", template, version="latest", index_url=index),
        bare("exact", server.serve("/exact.bin", BODY)),
    )
    project.lock()
    server.serve("/v.json", b'["2", "1"]')
    server.serve("/exact.bin", OTHER)
    server.asked.clear()
    assert project.lock().lines == ("models.lock.yaml: 3 unchanged",)
    assert server.asked == []
    assert project.lock(upgrade=["two"]).lines == (
        "moved    two latest: 1 → 2",
        "models.lock.yaml: 1 moved, 2 unchanged",
    )
    ran = project.lock(upgrade=[])
    assert ran.lines == ("moved    one stable: 1 → 2", "models.lock.yaml: 1 moved, 2 unchanged")
    assert [row for row in ran.data["models"] if row["state"] == "moved"] == [
        {"name": "one", "asked": "stable", "state": "moved", "version": "2", "before": "1"}
    ]
    assert server.count("GET", "/exact.bin") == 0


def test_a_name_that_no_model_has_is_told_with_the_one_that_may_be_meant(
    server: ModelServer, project: ModelProject
) -> None:
    project.declare(bare("resnet50", server.serve("/a.bin", BODY)), bare("det", server.serve("/b.bin", BODY)))
    for check in (False, True):
        with pytest.raises(InputError) as raised:
            project.lock(upgrade=["resnet5", "det", "zzz"], check=check)
        assert str(raised.value) == (
            "models.yaml has no model 'resnet5': did you mean 'resnet50'?\n"
            "models.yaml has no model 'zzz'\n"
            "  it has det, resnet50"
        )
    assert server.asked == []


def test_what_is_named_is_looked_at_even_if_it_cannot_move(
    server: ModelServer, project: ModelProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a publisher has put other bytes at an address, and these are the ones that are wanted from now on."""
    project.declare(bare("net", server.serve("/net.bin", Answer(BODY, headers={"ETag": '"1"'}))))
    project.lock()
    before = project.lock_file.read_bytes()
    assert project.lock(upgrade=["net"]).lines == ("models.lock.yaml: 1 unchanged",)
    assert server.count("GET", "/net.bin") == 1  # its ETag and its size were what they had been
    server.serve("/net.bin", Answer(BODY))
    project.lock(upgrade=["net"])
    assert server.count("GET", "/net.bin") == 2
    assert "etag" not in project.locked()["net"]["files"][0]
    text = project.lock_file.read_text("utf-8")
    monkeypatch.setattr("envkit.commands.models_lock.now", lambda: "2027-01-01T00:00:00Z")
    assert project.lock(upgrade=["net"]).lines == ("models.lock.yaml: 1 unchanged",)
    assert server.count("GET", "/net.bin") == 3
    assert project.lock_file.read_text("utf-8") == text

    project.lock_file.write_bytes(before)
    server.serve("/net.bin", Answer(BODY, headers={"ETag": '"1"'}))
    project.declare(bare("net", server.url("/net.bin"), md5=md5(OTHER)))
    assert "expected md5" in project.lock(upgrade=["net"]).lines[-1]
    project.declare(bare("net", server.url("/net.bin")))
    server.serve("/net.bin", Answer(OTHER, headers={"ETag": '"2"'}))
    ran = project.lock(upgrade=["net"])
    assert ran.lines == (
        f"changed  net v1: other bytes under the same version: sha256 {sha256(BODY)} → {sha256(OTHER)}",
        "models.lock.yaml: 1 changed, 0 unchanged",
    )
    assert project.sync().exit_code == 0
    assert project.listing() == {"net_v1.bin": OTHER}


def test_what_floats_to_one_file_twice_is_told_and_not_written(server: ModelServer, project: ModelProject) -> None:
    server.serve("/net-1.bin", BODY)
    more = {"index_url": server.serve("/v.json", b'["1"]')}
    url = server.url("/net-{version}.bin")
    project.declare(bare("net", url, version="stable", **more), bare("net", url, version="latest", **more))
    with pytest.raises(InputError, match=r"models.yaml:4:10: model 'net' 1 is there twice\n  the first is on line 3"):
        project.lock()
    assert not project.lock_file.exists()


# --- check ---------------------------------------------------------------------------------------------------------


def test_check_writes_nothing_and_asks_nobody(server: ModelServer, project: ModelProject) -> None:
    project.declare(bare("net", server.serve("/net.bin", BODY)))
    ran = project.lock(check=True)
    assert ran.exit_code == 2
    assert ran.lines == ("models.lock.yaml: is not there\n  envkit models lock",)
    assert not project.lock_file.exists()
    project.lock()
    server.asked.clear()
    assert project.lock(check=True).lines == ("models.lock.yaml fits models.yaml: 1 model",)
    before = project.lock_file.read_text("utf-8")
    project.declare(bare("net", server.url("/other.bin")))
    ran = project.lock(check=True)
    assert (ran.exit_code, len(ran.lines)) == (2, 1)
    assert "has another url than models.lock.yaml was made for" in ran.lines[0]
    assert ran.data["problems"] == list(ran.lines)
    assert project.lock_file.read_text("utf-8") == before
    assert server.asked == []


def test_check_finds_what_was_written_by_hand(server: ModelServer, project: ModelProject) -> None:
    project.declare(bare("net", server.serve("/net.bin", BODY)))
    project.lock()
    text = project.lock_file.read_text("utf-8")
    project.lock_file.write_text(text + "# mine\n", "utf-8")
    ran = project.lock(check=True)
    assert (ran.exit_code, ran.lines) == (
        2,
        ("models.lock.yaml: is not as envkit writes it\n  envkit models lock",),
    )
    assert project.lock().exit_code == 0
    assert project.lock_file.read_text("utf-8") == text


def test_check_with_upgrade_tells_what_there_is_by_now(server: ModelServer, project: ModelProject) -> None:
    index, template = server.serve("/v.json", b'["1"]'), server.url("/net-{version}.bin")
    server.serve("/net-1.bin", BODY)
    project.declare(bare("net", template, version="stable", index_url=index))
    project.lock()
    assert project.lock(check=True, upgrade=[]).exit_code == 0
    server.serve("/v.json", b'["2"]')
    ran = project.lock(check=True, upgrade=[])
    assert (ran.exit_code, len(ran.lines)) == (2, 1)
    assert "model 'net' stable would move: 1 → 2\n  envkit models lock --upgrade net" in ran.lines[0]
    assert server.count("GET", "/net-2.bin") == 0
    server.serve("/v.json", Answer(status=404))
    assert project.lock(check=True, upgrade=["net"]).exit_code == 3


# --- a lock that is none, and a lock that is never half --------------------------------------------------------------


def git(folder: Path, *words: str) -> str:
    names = ("-c", "user.name=n", "-c", "user.email=n@example", "-c", "init.defaultBranch=main")
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(("git", *names, *words), cwd=folder, env=environ, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_a_merge_in_conflict_is_mended_and_what_both_sides_have_stays(
    server: ModelServer, project: ModelProject
) -> None:
    same, new, old = (bare(name, server.serve(f"/{name}.bin", name.encode())) for name in ("same", "new", "old"))
    other = bare("new", server.serve("/other.bin", b"other"))
    git(project.path, "init", "-q")
    project.declare(same, old)
    project.lock()
    (project.path / ".gitignore").write_text("checkpoints/\n")
    git(project.path, "add", ".")
    git(project.path, "commit", "-qm", "1")
    for branch, added in (("topic", new), ("main", other)):
        git(project.path, "checkout", "-q", "-B", branch, *(["main"] if branch == "topic" else []))
        project.declare(same, old, added)
        project.lock()
        git(project.path, "commit", "-qam", branch)
        git(project.path, "checkout", "-q", "main")
    assert "CONFLICT" in git(project.path, "merge", "topic")
    project.declare(same, old, other)
    with pytest.raises(InputError, match="a merge left both sides in it: take either, then `envkit models lock`"):
        project.sync()
    server.asked.clear()
    ran = project.lock()
    assert ran.exit_code == 0
    assert project.said[-2].endswith("; the rest is made anew")
    assert {asked.path for asked in server.asked} == {"/other.bin"}
    assert sorted(project.locked()) == ["new", "old", "same"]
    assert project.sync().exit_code == 0


@pytest.mark.parametrize("damage", [b"schema: [", b"\xff", b"models: []\n"])
def test_a_damaged_lock_is_made_anew_and_that_is_said(
    damage: bytes, server: ModelServer, project: ModelProject
) -> None:
    project.declare(bare("net", server.serve("/net.bin", BODY)))
    project.lock()
    text = project.lock_file.read_text("utf-8")
    project.lock_file.write_bytes(damage)
    ran = project.lock()
    assert ran.exit_code == 0
    assert project.said[0].startswith("models.lock.yaml:")
    assert project.said[1] == "models.lock.yaml: all of it is made anew"
    assert ran.lines[-1] == "models.lock.yaml: 1 added, 0 unchanged"
    assert project.lock_file.read_text("utf-8").partition("locked:")[0] == text.partition("locked:")[0]


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    with Forks(tmp_path_factory.mktemp("runs")) as running:
        yield running


def test_killed_at_any_moment_it_leaves_the_old_lock_or_the_new_one(
    forks: Forks, server: ModelServer, project: ModelProject
) -> None:
    home = project.path.parent / "home"
    inner = ModelProject(home / "project")
    inner.path.mkdir(parents=True)
    inner.declare(bare("a", server.serve("/a.bin", b"a")))
    inner.lock()
    old = inner.lock_file.read_text("utf-8")
    packed = tarball({"x/b": BODY})
    inner.declare(bare("a", server.url("/a.bin")), bare("b", server.serve("/b.tar", packed)))
    code, run = forks.run(inner, How(before_change=0), LOCK)
    assert code == 0, run.output
    new, changes = inner.lock_file.read_text("utf-8"), len(run.changes)
    assert changes > 10

    def timeless(text: str) -> str:
        return re.sub("at: .*", "", text)

    for fatal in range(1, changes + 1):
        inner.lock_file.write_text(old, "utf-8")
        code, run = forks.run(inner, How(before_change=fatal), LOCK)
        left = inner.lock_file.read_text("utf-8")
        assert left == old or timeless(left) == timeless(new), f"before change {fatal}"
        if code == KILLED:
            code, run = forks.run(inner, words=LOCK)
        assert code == 0, run.output
        assert timeless(inner.lock_file.read_text("utf-8")) == timeless(new)
    assert inner.sync().exit_code == 0


def test_interrupted_it_leaves_the_old_lock_and_the_next_one_goes_on(
    forks: Forks, server: ModelServer, project: ModelProject
) -> None:
    inner = ModelProject(project.path.parent / "home" / "project")
    inner.path.mkdir(parents=True)
    inner.declare(bare("a", server.serve("/a.bin", b"a")))
    inner.lock()
    old = inner.lock_file.read_bytes()
    body = BODY * 500
    held = Answer(body, ranges=True, etag='"1"', pause_at=len(body) // 2, trickle=True)
    inner.declare(bare("a", server.url("/a.bin")), bare("b", server.serve("/b.bin", held)))
    run = forks.start(inner, words=LOCK)
    assert held.paused.wait(30)
    until(lambda: noted(inner) > len(body) // 4 or None, "what has come is noted")
    run.kill(signal.SIGINT)
    assert forks.wait(run) == 130, run.output
    assert inner.lock_file.read_bytes() == old
    held.go_on.set()
    server.serve("/b.bin", Answer(body, ranges=True, etag='"1"'))
    before = server.sent("/b.bin")
    code, run = forks.run(inner, words=LOCK)
    assert code == 0, run.output
    assert inner.locked()["b"]["files"][0]["sha256"] == sha256(body)
    assert server.sent("/b.bin") - before < len(body)


def noted(project: ModelProject) -> int:
    """How many bytes the journals say are there."""
    found = [journal.loads(path.read_bytes()) for path in (project.store / "partial").glob("*.journal")]
    return sum(end - start for one in found if one for start, end in one.done)


def envkit(project: ModelProject, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "envkit", *words]
    known = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "NO_PROXY": "127.0.0.1"}
    environ = {**known, "HOME": str(project.path.parent), "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(command, cwd=project.path, env=environ, capture_output=True, text=True, check=False)


def test_on_the_command_line(server: ModelServer, project: ModelProject) -> None:
    project.declare(bare("net", server.serve("/net.bin", BODY)))
    assert envkit(project, "models", "lock", "--check").returncode == 2
    done = envkit(project, "models", "lock", "--json")
    assert (done.returncode, json.loads(done.stdout)["models"][0]["state"]) == (0, "added")
    assert envkit(project, "models", "lock", "--upgrade").stdout == "models.lock.yaml: 1 unchanged\n"
    done = envkit(project, "models", "lock", "--upgrade", "net", "nut", "--check")
    assert (done.returncode, done.stderr) == (
        2,
        "models.yaml has no model 'nut': did you mean 'net'?\n  it has net\n",
    )
    server.serve("/two_v2.bin", OTHER)
    words = ("--name", "two", "--version", "v2", "--task", "ocr", "--connections", "1")
    done = envkit(project, "models", "add", server.url("/two_v2.bin"), *words)
    assert (done.returncode, done.stdout.partition(":")[0]) == (0, "added    two v2")
    assert envkit(project, "models", "sync").stdout.startswith("models: 0 fetched, 2 from the store")


def test_where_it_cannot_be_written_that_is_told_and_the_old_one_stays(
    server: ModelServer, project: ModelProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.declare(bare("net", server.serve("/net.bin", BODY)))
    project.lock()
    before = project.lock_file.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("envkit.models.locking.committed.os.fsync", full)
    project.declare(bare("two", server.url("/net.bin")))
    with pytest.raises(InputError, match=r"models.lock.yaml: cannot be written: No space left on device"):
        project.lock()
    assert project.lock_file.read_bytes() == before
    assert sorted(path.name for path in project.path.iterdir()) == ["checkpoints", "models.lock.yaml", "models.yaml"]
