"""Bytes live once a host: linked in whatever way its disks allow, proven before each use, collected on demand."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from envkit.commands import models_gc
from envkit.errors import ModelError
from envkit.models.store import linking
from envkit.models.store.blobs import Blobs
from envkit.models.store.gc import garbage
from envkit.settings import Owner
from tests.support.forks import Forks, How
from tests.support.model_project import ModelProject, Ran, entry, md5, sha256, states
from tests.support.model_server import ModelServer, tarball

BODY = os.urandom(2 << 20)
FILES = {"a": b"1", "b/c": b"2" * 2_000_000}
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount and give files away")
DAY = 86400.0


@pytest.fixture
def other(project: ModelProject) -> ModelProject:
    """A project below the same home folder as the first, and so of the same store."""
    return beside(project, "other")


def beside(project: ModelProject, name: str) -> ModelProject:
    path = project.path.with_name(name)
    path.mkdir()
    return ModelProject(path)


@contextmanager
def mounted(folder: Path, *arguments: str) -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(["mount", *arguments, str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def blob(project: ModelProject, body: bytes) -> Path:
    return project.store / "blobs" / sha256(body)[:2] / sha256(body)


def hashed(project: ModelProject) -> list[str]:
    return [line for line in project.said if "hashing" in line]


# --- how it is linked ---------------------------------------------------------------------------------------------


def test_two_projects_have_one_file(server: ModelServer, project: ModelProject, other: ModelProject) -> None:
    packed = tarball(FILES)
    entries = (entry("net", server.serve("/f.bin", BODY), BODY), entry("dir", server.serve("/f.tar", packed), packed))
    project.declare(*entries)
    other.declare(*entries)
    assert states(project.sync()) == {"net": "fetched", "dir": "fetched"}
    assert states(other.sync()) == {"net": "linked", "dir": "linked"}
    assert "net v1: in the store already, now checkpoints/net_v1.bin" in other.said
    assert len(server.asked) == 2
    for name in ("net_v1.bin", "dir_v1/a", "dir_v1/b/c"):
        assert (project.checkpoints / name).samefile(other.checkpoints / name)
        assert (project.checkpoints / name).stat().st_mode & 0o777 == 0o444
    assert not list(project.store.rglob("*.tar"))


def test_a_blob_may_be_replaced_by_its_like_while_it_is_linked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two archives with a file in common bring it at the same time: the kernel then says that there is none."""
    source, real, tries = tmp_path / "blob", os.link, [1, 2, 3]
    source.write_bytes(b"same")
    monkeypatch.setattr(linking, "_reflinked", lambda *_: False)

    def late(one: Path, other: Path) -> None:
        real(tmp_path / "gone" if tries and tries.pop() else one, other)

    monkeypatch.setattr(os, "link", late)
    assert linking.link(source, tmp_path / "link", symlink=False) == "hardlink"
    assert tries == []
    source.unlink()
    with pytest.raises(FileNotFoundError):
        linking.link(source, tmp_path / "other", symlink=False)


@ROOT
@pytest.mark.parametrize("kind", ["btrfs", "xfs"])
def test_a_file_system_that_shares_blocks(kind: str, server: ModelServer, tmp_path: Path) -> None:
    if not shutil.which(f"mkfs.{kind}"):
        pytest.skip(f"no mkfs.{kind} here")
    image = tmp_path / "image"
    image.touch()
    os.truncate(image, 400 << 20)
    subprocess.run([f"mkfs.{kind}", "-q", str(image)], check=True)
    with (
        mounted(tmp_path / "disk", "-o", "loop")
        if False
        else mounted(tmp_path / "disk", "-o", "loop", str(image)) as disk
    ):
        (disk / "project").mkdir()
        project = ModelProject(disk / "project")
        project.declare(entry("net", server.serve("/f.bin", BODY), BODY))
        assert states(project.sync()) == {"net": "fetched"}
        there = project.checkpoints / "net_v1.bin"
        assert not there.samefile(blob(project, BODY))
        # A file of its own: writing to it harms nobody else.
        there.chmod(0o644)
        there.write_bytes(b"mine")
        assert blob(project, BODY).read_bytes() == BODY
        assert states(project.sync()) == {"net": "linked"}
        assert there.read_bytes() == BODY


@ROOT
def test_a_named_store_on_another_disk_is_linked_to(
    server: ModelServer, project: ModelProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = tarball(FILES)
    project.declare(
        entry("net", server.serve("/f.bin", BODY), BODY), entry("dir", server.serve("/f.tar", packed), packed)
    )
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=64m", "none") as disk:
        (project.path / "envkit.yaml").write_text(f"store: {disk}/store\n")
        assert states(project.sync()) == {"net": "fetched", "dir": "fetched"}
        there = project.checkpoints / "net_v1.bin"
        assert there.is_symlink()
        assert there.readlink() == disk / "store" / "blobs" / sha256(BODY)[:2] / sha256(BODY)
        assert project.listing() == {"net_v1.bin": BODY, **{f"dir_v1/{name}": body for name, body in FILES.items()}}
        assert states(project.sync()) == {"net": "kept", "dir": "kept"}
        assert project.verify().exit_code == 0
        # What is behind the link was changed, not the link.
        there.resolve().chmod(0o644)
        there.write_bytes(BODY[:-1] + b"!")
        assert states(project.sync()) == {"net": "fetched", "dir": "kept"}
        assert there.read_bytes() == BODY
    # The disk is gone, and with it what the links led to.
    assert project.verify().exit_code == 3


@ROOT
def test_a_users_own_store_on_another_disk_is_not_used(
    server: ModelServer, project: ModelProject, tmp_path: Path
) -> None:
    project.declare(entry("net", server.serve("/f.bin", BODY), BODY))
    (project.path.parent / ".cache").mkdir()
    with mounted(project.path.parent / ".cache" / "envkit", "-t", "tmpfs", "-o", "size=64m", "none"):
        assert states(project.sync()) == {"net": "fetched"}
        own = project.checkpoints / ".envkit" / "store" / "blobs"
        assert (own / sha256(BODY)[:2] / sha256(BODY)).samefile(project.checkpoints / "net_v1.bin")


def test_where_nothing_can_be_linked_there_is_one_copy(
    server: ModelServer, project: ModelProject, tmp_path: Path
) -> None:
    packed = tarball(FILES)
    project.declare(
        entry("net", server.serve("/f.bin", BODY), BODY), entry("dir", server.serve("/f.tar", packed), packed)
    )
    (tmp_path / "runs").mkdir()
    with Forks(tmp_path / "runs") as forks:
        code, run = forks.run(project, How(tweaks=["no links"]))
    assert code == 0, run.output
    assert project.listing() == {"net_v1.bin": BODY, **{f"dir_v1/{name}": body for name, body in FILES.items()}}
    assert not [path for path in project.path.rglob("blobs/*/*") if len(path.name) == 64]
    assert states(project.sync()) == {"net": "kept", "dir": "kept"}


@pytest.mark.parametrize("how", ["read-only", "a file in its place"])
def test_a_store_that_cannot_be_written_to(
    how: str, server: ModelServer, project: ModelProject, tmp_path: Path
) -> None:
    project.declare(entry("net", server.serve("/f.bin", BODY), BODY))
    store = tmp_path / "elsewhere"
    if how == "read-only":
        if os.geteuid() != 0:
            pytest.skip("only root can mount")
        with mounted(store, "-t", "tmpfs", "-o", "ro,size=1m", "none"):
            (project.path / "envkit.yaml").write_text(f"store: {store}/store\n")
            assert states(project.sync()) == {"net": "fetched"}
    else:
        store.write_text("")
        (project.path / "envkit.yaml").write_text(f"store: {store}\n")
        assert states(project.sync()) == {"net": "fetched"}
    assert any("the store that is named cannot be written to" in line for line in project.said)
    assert list((project.checkpoints / ".envkit" / "store" / "blobs").glob("??/*"))


@ROOT
def test_root_keeps_another_users_models_in_the_users_own_store(
    server: ModelServer, project: ModelProject, tmp_path: Path
) -> None:
    user = Owner(1234, 4321)
    project.owner = user
    packed = tarball(FILES)
    project.declare(
        entry("net", server.serve("/f.bin", BODY), BODY), entry("dir", server.serve("/f.tar", packed), packed)
    )
    assert project.sync().exit_code == 0
    assert not project.store.exists()
    own = project.checkpoints / ".envkit" / "store"
    assert list((own / "blobs").glob("??/*"))
    found = [path.lstat() for path in (project.checkpoints, *project.checkpoints.rglob("*"))]
    assert {(stat.st_uid, stat.st_gid) for stat in found} == {(user.uid, user.gid)}

    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=64m", "none") as disk:
        (project.path / "envkit.yaml").write_text(f"store: {disk}/store\n")
        shutil.rmtree(project.checkpoints)
        assert project.sync().exit_code == 0
        found = [path.lstat() for root in (project.checkpoints, disk / "store") for path in (root, *root.rglob("*"))]
        assert {(stat.st_uid, stat.st_gid) for stat in found} == {(user.uid, user.gid)}


# --- what is known of it ------------------------------------------------------------------------------------------


def test_a_further_name_of_a_blob_is_no_reason_to_hash(
    server: ModelServer, project: ModelProject, other: ModelProject
) -> None:
    for one in (project, other):
        one.declare(entry("net", server.serve("/f.bin", BODY), BODY))
        assert one.sync().exit_code == 0
    assert states(project.sync()) == {"net": "kept"}
    assert hashed(project) == []


def test_a_name_that_went_is_a_reason_to_hash_once(
    server: ModelServer, project: ModelProject, other: ModelProject
) -> None:
    for one in (project, other):
        one.declare(entry("net", server.serve("/f.bin", BODY), BODY))
        assert one.sync().exit_code == 0
    shutil.rmtree(other.checkpoints)
    assert states(project.sync()) == {"net": "kept"}
    assert hashed(project) == ["net v1: hashing what is there"]
    assert states(project.sync()) == {"net": "kept"}
    assert hashed(project) == []
    assert project.verify().exit_code == 0


@pytest.mark.parametrize("size", [100, len(BODY)])
def test_a_blob_that_was_tampered_with_is_found_before_it_is_linked(
    size: int, server: ModelServer, project: ModelProject, other: ModelProject
) -> None:
    body = BODY[:size]
    for one in (project, other):
        one.declare(entry("net", server.serve("/f.bin", body), body))
    assert project.sync().exit_code == 0
    path = blob(project, body)
    before = path.stat()
    path.chmod(0o644)
    path.write_bytes(b"!" + body[1:])
    path.chmod(0o444)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert states(other.sync()) == {"net": "fetched"}
    assert other.listing() == {"net_v1.bin": body}
    # The first had the same file.
    assert states(project.sync()) == {"net": "linked"}
    assert project.listing() == {"net_v1.bin": body}


@pytest.mark.parametrize("named", [("md5",), ("sha256",), ("md5", "sha256"), ("md5", "size"), ("sha256", "size")])
def test_any_digest_finds_it(
    named: tuple[str, ...], server: ModelServer, project: ModelProject, other: ModelProject
) -> None:
    facts = {"md5": md5(BODY), "sha256": sha256(BODY), "size": len(BODY)}
    url = server.serve("/f.bin", BODY)
    project.declare(entry("net", url, BODY))
    assert project.sync().exit_code == 0
    other.declare(
        {"name": "net", "version": "v1", "source": "http", "url": url, **{name: facts[name] for name in named}}
    )
    assert states(other.sync()) == {"net": "linked"}
    assert states(other.sync()) == {"net": "kept"}
    assert hashed(other) == []


@pytest.mark.parametrize("wrong", ["md5", "sha256", "size"])
def test_a_blob_that_is_not_all_that_is_said_is_not_it(
    wrong: str, server: ModelServer, project: ModelProject, other: ModelProject
) -> None:
    right = {"md5": md5(BODY), "sha256": sha256(BODY), "size": len(BODY)}
    lies = {"md5": md5(b"other"), "sha256": sha256(b"other"), "size": 5}
    url = server.serve("/f.bin", BODY)
    project.declare(entry("net", url, BODY))
    assert project.sync().exit_code == 0
    other.declare({"name": "net", "version": "v1", "source": "http", "url": url, **right, wrong: lies[wrong]})
    assert states(other.sync()) == {"net": "failed"}
    assert other.listing() == {}


def test_a_name_that_leads_to_another_blob_is_put_right(
    server: ModelServer, project: ModelProject, other: ModelProject
) -> None:
    small = b"small"
    for one in (project, other):
        one.declare(entry("net", server.serve("/f.bin", BODY), BODY), entry("s", server.serve("/s.bin", small), small))
    assert project.sync().exit_code == 0
    (link,) = (project.store / "names").glob(f"??/md5-{md5(BODY)}*")
    link.unlink()
    link.symlink_to(sha256(small))
    assert states(other.sync()) == {"net": "fetched", "s": "linked"}
    assert str(link.readlink()) == sha256(BODY)


def test_a_file_of_an_archive_that_was_tampered_with(
    server: ModelServer, project: ModelProject, other: ModelProject
) -> None:
    packed = tarball(FILES)
    for one in (project, other):
        one.declare(entry("dir", server.serve("/f.tar", packed), packed))
    assert project.sync().exit_code == 0
    blob(project, FILES["b/c"]).unlink()
    assert states(other.sync()) == {"dir": "fetched"}
    assert other.listing() == {f"dir_v1/{name}": body for name, body in FILES.items()}


@pytest.mark.parametrize("damage", [b"", b"{", b"null", b"[]", b"[1]", b'"a"', b"\xff"])
def test_damaged_notes_in_the_store_are_none(
    damage: bytes, server: ModelServer, project: ModelProject, other: ModelProject
) -> None:
    packed = tarball(FILES)
    for one in (project, other):
        one.declare(
            entry("net", server.serve("/f.bin", BODY), BODY), entry("dir", server.serve("/f.tar", packed), packed)
        )
    assert project.sync().exit_code == 0
    for path in project.store.rglob("*.json"):
        path.write_bytes(damage)
    assert states(other.sync()) == {"net": "linked", "dir": "fetched"}
    assert other.listing() == project.listing()
    assert models_gc.gc(project.settings, remove=True, gone=False).exit_code == 0


# --- what nobody uses ---------------------------------------------------------------------------------------------


def collected(project: ModelProject, *, after: float = DAY, remove: bool = False, gone: bool = False) -> list[str]:
    found = garbage(project.store, (project.path,), gone=gone, clock=lambda: time.time() + after)
    for item in found if remove else ():
        item.remove()
    return sorted(f"{item.kind} {item.name}" for item in found)


def test_what_is_used_stays(server: ModelServer, project: ModelProject, other: ModelProject) -> None:
    packed = tarball(FILES)
    project.declare(entry("net", server.serve("/f.bin", BODY), BODY))
    other.declare(entry("dir", server.serve("/f.tar", packed), packed))
    assert (project.sync().exit_code, other.sync().exit_code) == (0, 0)
    assert collected(project) == []
    shutil.rmtree(other.path)
    # Its disk may just not be mounted.
    assert collected(project) == []
    lost = collected(project, gone=True)
    assert {line.split()[0] for line in lost} == {"blob", "project", "list"}
    assert len(lost) == 2 + 1 + 2
    fresh = collected(project, after=0, gone=True)
    assert fresh == [line for line in lost if not line.startswith(("blob", "list"))]
    assert collected(project, remove=True, gone=True) == lost
    assert [path.name for path in (project.store / "blobs").glob("??/*") if len(path.name) == 64] == [sha256(BODY)]
    assert collected(project) == []
    assert project.verify().exit_code == 0


def test_nothing_goes_unless_it_is_said(
    forks: Forks, server: ModelServer, project: ModelProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.declare(entry("net", server.serve("/f.bin", BODY), BODY))
    assert project.sync().exit_code == 0
    shutil.rmtree(project.checkpoints)
    monkeypatch.setattr("envkit.models.store.gc._FRESH", -1.0)
    shown = models_gc.gc(project.settings, remove=False, gone=False)
    assert list(shown.lines)[-1] == "2 things, 2.0 MiB, can go: envkit models gc --remove"
    assert blob(project, BODY).exists()
    models_gc.gc(project.settings, remove=True, gone=False)
    assert not blob(project, BODY).exists()


def test_a_model_that_the_registry_names_no_more_can_go_with_its_blob(
    server: ModelServer, project: ModelProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = b"old" + BODY, b"new" + BODY
    project.declare(entry("net", server.serve("/old.bin", old), old))
    assert project.sync().exit_code == 0
    project.declare(entry("net", server.serve("/new.bin", new), new, version="v2"))
    assert project.sync().exit_code == 0
    (project.checkpoints / "mine.bin").write_bytes(b"mine")
    monkeypatch.setattr("envkit.models.store.gc._FRESH", -1.0)
    assert "model" in {
        row["kind"] for row in Ran.of(models_gc.gc(project.settings, remove=False, gone=False)).data["garbage"]
    }
    assert set(project.listing()) == {"mine.bin", "net_v1.bin", "net_v2.bin"}
    models_gc.gc(project.settings, remove=True, gone=False)
    assert set(project.listing()) == {"mine.bin", "net_v2.bin"}
    assert (blob(project, old).exists(), blob(project, new).exists()) == (False, True)
    assert states(project.sync()) == {"net": "kept"}


def test_a_name_in_a_project_that_nobody_knows_of_keeps_a_blob(
    server: ModelServer, project: ModelProject, other: ModelProject
) -> None:
    for one in (project, other):
        one.declare(entry("net", server.serve("/f.bin", BODY), BODY))
        assert one.sync().exit_code == 0
    other.path.rename(other.path.with_name("moved"))
    shutil.rmtree(project.checkpoints)
    assert [line for line in collected(project) if line.startswith("blob")] == []


def test_a_project_that_was_moved_is_known_again_at_its_next_start(
    server: ModelServer, project: ModelProject, other: ModelProject
) -> None:
    """Its links are symlinks: nothing but the list of projects says that it uses the blobs."""
    store = project.path.with_name("store")
    for one in (project, other):
        (one.path / "envkit.yaml").write_text(f"store: {store}\n")
        one.declare(entry("net", server.serve("/f.bin", BODY), BODY))
        assert one.sync().exit_code == 0
    assert states(other.sync()) == {"net": "kept"}
    moved = ModelProject(other.path.rename(other.path.with_name("moved")))
    (moved.checkpoints / "net_v1.bin").unlink()
    (moved.checkpoints / "net_v1.bin").symlink_to(store / "blobs" / sha256(BODY)[:2] / sha256(BODY))
    shutil.rmtree(project.path)
    assert states(moved.sync()) == {"net": "kept"}
    found = garbage(store, (), gone=True, clock=lambda: time.time() + DAY)
    assert sorted(item.kind for item in found) == ["project", "project"]


def test_downloads_that_were_given_up(forks: Forks, server: ModelServer, project: ModelProject) -> None:
    project.declare(entry("net", server.serve("/f.bin", BODY), BODY))
    folder = project.store / "partial"
    folder.mkdir(parents=True)
    for name in ("a.1.part", "a.1.journal"):
        (folder / name).write_bytes(b"x")
    assert collected(project, after=6 * DAY) == []
    assert collected(project, after=8 * DAY, remove=True) == ["download a.1.part"]
    assert list(folder.iterdir()) == []


@pytest.fixture
def forks(tmp_path: Path) -> Iterator[Forks]:
    (tmp_path / "runs").mkdir()
    with Forks(tmp_path / "runs") as running:
        yield running


@ROOT
def test_a_project_that_is_not_ours_to_read_stops_the_collection(server: ModelServer) -> None:
    """What it uses cannot be told, and must not go."""
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o755)
        Path(home, "project").mkdir()
        project = ModelProject(Path(home, "project"))
        project.declare(entry("net", server.serve("/f.bin", BODY), BODY))
        assert project.sync().exit_code == 0
        project.path.chmod(0o700)
        os.seteuid(1234)
        try:
            with pytest.raises(ModelError, match="cannot be read: Permission denied\n  what it uses of the store"):
                garbage(project.store, (), gone=False)
        finally:
            os.seteuid(0)


def test_a_sync_that_works_meanwhile_does_not_trip_the_collection(
    server: ModelServer, project: ModelProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.declare(entry("net", server.serve("/f.bin", BODY), BODY))
    assert project.sync().exit_code == 0
    real = Blobs.all
    monkeypatch.setattr(Blobs, "all", lambda self: [*real(self), "0" * 64])
    assert collected(project) == []


def test_a_project_in_anothers_place_does_not_free_what_that_uses(server: ModelServer, project: ModelProject) -> None:
    """As with two containers, each of which has its project at /workspace."""
    project.declare(entry("net", server.serve("/f.bin", BODY), BODY))
    assert project.sync().exit_code == 0
    (project.checkpoints / "net_v1.bin").unlink()  # shown by symlink, say: no further name
    project.path.rename(project.path.with_name("away"))
    project.path.mkdir()
    project.declare(entry("small", server.serve("/g.bin", b"x"), b"x"))
    assert project.sync().exit_code == 0
    os.utime(blob(project, BODY), (0, 0))
    assert collected(project) == []


def test_what_stays_is_not_said_to_be_removed(project: ModelProject) -> None:
    """A download of long ago, whose process is still there."""
    project.declare()
    folder = project.store / "partial"
    folder.mkdir(parents=True)
    with (folder / "a.1-0.part").open("wb", buffering=0) as file:
        file.write(b"x")
        os.utime(file.fileno(), (0, 0))
        ran = Ran.of(models_gc.gc(project.settings, remove=True, gone=False))
    assert (ran.exit_code, ran.data["stuck"]) == (3, ["a.1-0.part"])
    assert ran.lines[-1] == "could not be removed: a.1-0.part"
    assert models_gc.gc(project.settings, remove=True, gone=False).exit_code == 0
    assert list(folder.iterdir()) == []
