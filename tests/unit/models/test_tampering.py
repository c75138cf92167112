"""A file that is changed behind our back is noticed, by a sync from its stat facts and by `verify` from its bytes."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from envkit.errors import ModelError
from envkit.models import ledger, records, workspace
from envkit.models.checkpoints import Checkpoints
from envkit.models.ledger import Ledger
from envkit.models.store.blobs import Blobs
from envkit.models.store.hand import Hand
from tests.support.model_project import ModelProject, entry, md5, sha256, states
from tests.support.model_server import ModelServer, tarball

BODY, OTHER = b"weights" * 1000, b"network" * 1000


@pytest.fixture
def synced(server: ModelServer, project: ModelProject) -> ModelProject:
    """A project with a file and a folder in place."""
    archive = tarball({"net.json": OTHER, "sub/net.bin": BODY[1:]})
    project.declare(
        entry("file", server.serve("/file.bin", BODY), BODY), entry("folder", server.serve("/f.tar", archive), archive)
    )
    assert project.sync().exit_code == 0
    return project


PLACES = [("file", "file_v1.bin"), ("folder", "folder_v1/sub/net.bin")]


def tamper(path: Path) -> None:
    """Other bytes in the same file, of the same size, with its modification time put back."""
    before = path.stat()
    with path.open("r+b") as file:
        file.write(b"malware")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (before.st_ino, before.st_size, before.st_mtime_ns) == (after.st_ino, after.st_size, after.st_mtime_ns)


@pytest.mark.parametrize(("name", "path"), PLACES)
def test_a_change_is_noticed_although_its_time_was_put_back(synced: ModelProject, name: str, path: str) -> None:
    good = synced.listing()
    tamper(synced.checkpoints / path)
    result = synced.sync()
    assert states(result) == {"file": "kept", "folder": "kept", name: "fetched"}
    assert synced.listing() == good
    assert set(states(synced.sync()).values()) == {"kept"}


@pytest.mark.parametrize("_", range(20))
def test_a_change_in_the_moment_after_the_sync_is_noticed(synced: ModelProject, _: int) -> None:
    tamper(synced.checkpoints / "file_v1.bin")
    assert states(synced.sync())["file"] == "fetched"


def test_facts_are_noted_only_once_a_later_change_would_show(
    server: ModelServer, project: ModelProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a file system's clock is coarse, unlike this machine's, a change in the same tick leaves no trace."""
    order: list[str] = []
    monkeypatch.setattr(Ledger, "_wait_for_tick", lambda *_: order.append("wait"))
    monkeypatch.setattr(Ledger, "save", lambda *_: order.append("save"))
    project.declare(entry("file", server.serve("/file.bin", BODY), BODY))
    project.sync()
    assert order == ["wait", "save"]


def test_the_wait_for_the_clock_is_as_long_as_it_takes_and_no_longer(
    project: ModelProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    with workspace.opened(Checkpoints(project.path), Hand()) as opened:
        written = Ledger(opened, Blobs(project.path, Hand()))
        later = time.time_ns() + 50_000_000
        written._wait_for_tick(later)
        assert time.time_ns() >= later
        monkeypatch.setattr(ledger, "_LONGEST_TICK", 0.05)
        written._wait_for_tick(time.time_ns() + 10**12)


@pytest.mark.parametrize(("name", "path"), PLACES)
def test_a_file_that_is_gone_is_fetched_again(synced: ModelProject, name: str, path: str) -> None:
    good = synced.listing()
    (synced.checkpoints / path).unlink()
    assert states(synced.sync())[name] == "linked"
    assert synced.listing() == good


def test_a_copy_of_everything_is_hashed_not_fetched(synced: ModelProject, server: ModelServer, tmp_path: Path) -> None:
    shutil.copytree(synced.path, tmp_path / "restored")
    restored = ModelProject(tmp_path / "restored")
    server.asked.clear()
    result = restored.sync()
    assert states(result) == {"file": "kept", "folder": "kept"}
    assert restored.said == ["file v1: hashing what is there", "folder v1: hashing what is there"]
    assert restored.sync().exit_code == 0
    assert restored.said == []
    assert server.asked == []


def test_a_file_of_the_right_bytes_is_taken_as_it_is(server: ModelServer, project: ModelProject) -> None:
    project.declare(entry("file", server.serve("/file.bin", BODY), BODY))
    project.checkpoints.mkdir()
    (project.checkpoints / "file_v1.bin").write_bytes(BODY)
    assert states(project.sync()) == {"file": "kept"}
    assert server.asked == []


def test_a_file_of_other_bytes_is_not(server: ModelServer, project: ModelProject) -> None:
    project.declare(entry("file", server.serve("/file.bin", BODY), BODY))
    project.checkpoints.mkdir()
    (project.checkpoints / "file_v1.bin").write_bytes(BODY[1:])
    assert states(project.sync()) == {"file": "fetched"}
    assert project.listing() == {"file_v1.bin": BODY}


def test_a_folder_without_a_record_proves_nothing(synced: ModelProject) -> None:
    (synced.checkpoints / ".envkit" / "records" / "folder_v1.json").unlink()
    (synced.checkpoints / "folder_v1" / "net.json").unlink()
    (synced.checkpoints / "folder_v1" / "net.json").write_bytes(b"other")
    assert states(synced.sync()) == {"file": "kept", "folder": "linked"}
    assert synced.listing()["folder_v1/net.json"] == OTHER


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"schema": 2}', '{"schema": 1, "files": [{"path": 1}]}', "null"])
def test_a_damaged_record_proves_nothing(synced: ModelProject, text: str) -> None:
    (synced.checkpoints / ".envkit" / "records" / "folder_v1.json").write_text(text)
    assert states(synced.sync()) == {"file": "kept", "folder": "linked"}


def test_a_record_without_files_proves_nothing() -> None:
    text = '{"schema": 1, "artifact": {}, "unpack": "tar", "paths": [], "files": []}'
    assert records.from_json(text) is None


def test_something_else_under_the_name_is_replaced(synced: ModelProject) -> None:
    good = synced.listing()
    (synced.checkpoints / "file_v1.bin").unlink()
    (synced.checkpoints / "file_v1.bin").mkdir()
    shutil.rmtree(synced.checkpoints / "folder_v1")
    (synced.checkpoints / "folder_v1").write_bytes(b"a file")
    assert states(synced.sync()) == {"file": "linked", "folder": "linked"}
    assert synced.listing() == good
    assert synced.leftovers() == []


def test_a_link_under_the_name_is_replaced_and_what_it_led_to_is_left(synced: ModelProject, tmp_path: Path) -> None:
    for name in ("file_v1.bin", "folder_v1"):
        place = synced.checkpoints / name
        shutil.rmtree(place) if place.is_dir() else place.unlink()
        (tmp_path / "precious").mkdir(exist_ok=True)
        (tmp_path / "precious" / "mine").write_bytes(b"mine")
        place.symlink_to(tmp_path / "precious")
    assert states(synced.sync()) == {"file": "linked", "folder": "linked"}
    assert (tmp_path / "precious" / "mine").read_bytes() == b"mine"
    assert not any(path.is_symlink() for path in synced.checkpoints.rglob("*"))


def test_checkpoints_may_be_a_link_to_another_disk(server: ModelServer, project: ModelProject, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    project.checkpoints.symlink_to(tmp_path / "disk")
    project.declare(entry("file", server.serve("/file.bin", BODY), BODY))
    assert project.sync().exit_code == 0
    assert project.checkpoints.is_symlink()
    assert (tmp_path / "disk" / "file_v1.bin").read_bytes() == BODY


def test_verify_is_content_with_what_was_synced(synced: ModelProject) -> None:
    result = synced.verify()
    assert (result.exit_code, result.lines) == (0, ("models: 2 of 2 verified",))


def test_verify_finds_what_stat_cannot_see_and_the_next_sync_mends_it(synced: ModelProject) -> None:
    """Bit rot: the bytes are others, every stat fact is as recorded."""
    good = synced.listing()
    path = synced.checkpoints / "folder_v1" / "net.json"
    tamper(path)
    rewrite_record(synced, path)
    assert set(states(synced.sync()).values()) == {"kept"}

    result = synced.verify()
    assert result.exit_code == 3
    assert states(result) == {"file": "verified", "folder": "changed"}
    bad = b"malware" + OTHER[7:]
    assert f"  expected sha256 of net.json {sha256(OTHER)}\n" in result.lines[-1]
    assert f"  got      sha256 of net.json {sha256(bad)}\n" in result.lines[-1]
    assert re.match(r"models\.yaml:4:\d+: model 'folder' v1: other bytes than were verified", result.lines[-1])
    assert states(synced.sync()) == {"file": "kept", "folder": "fetched"}
    assert synced.listing() == good


def test_verify_tells_another_registry_from_other_bytes(synced: ModelProject, server: ModelServer) -> None:
    records = sorted((synced.checkpoints / ".envkit" / "records").iterdir())
    synced.declare(
        entry("file", server.url("/file.bin"), b"newer"), entry("folder", server.url("/f.tar"), b"newer too")
    )
    result = synced.verify()
    assert states(result) == {"file": "outdated", "folder": "outdated"}
    for line in result.lines[1:]:
        assert "is not what models.yaml names now" in line
        assert "were verified" not in line
    assert f"expected md5 {md5(b'newer')}\n  got      md5 {md5(BODY)}" in result.lines[1]
    # The old registry may come back: what it says is still known to be in place.
    assert sorted((synced.checkpoints / ".envkit" / "records").iterdir()) == records


@pytest.mark.parametrize("place", ["checkpoints", "checkpoints/.envkit"])
def test_a_folder_that_is_not_ours_to_read_is_named(server: ModelServer, place: str) -> None:
    with ordinary_project() as project:
        project.declare(entry("file", server.serve("/file.bin", BODY), BODY))
        assert project.sync().exit_code == 0
        closed = project.path / place
        with powerless(closed):
            for command in (project.sync, project.verify):
                with pytest.raises(ModelError, match=rf"{closed}/.*: cannot be read: Permission denied") as raised:
                    command()
                assert f"call envkit as the owner of {project.checkpoints}" in str(raised.value)


@contextmanager
def ordinary_project() -> Iterator[ModelProject]:
    """A project that other users can reach, as they cannot those below pytest's folder."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield ModelProject(Path(folder))


@contextmanager
def powerless(closed: Path) -> Iterator[None]:
    """Nobody but root may enter ``closed`` meanwhile, and we are not root."""
    before = os.geteuid()
    closed.chmod(0)
    os.seteuid(before or 1234)
    try:
        yield
    finally:
        os.seteuid(before)
        closed.chmod(0o755)


def rewrite_record(project: ModelProject, path: Path) -> None:
    record = project.checkpoints / ".envkit" / "records" / "folder_v1.json"
    data = json.loads(record.read_text())
    for facts in data["files"]:
        if facts["path"] == path.name:
            facts["ctime_ns"] = path.stat().st_ctime_ns
    record.write_text(json.dumps(data))


def test_verify_names_what_is_missing_and_what_was_never_verified(synced: ModelProject) -> None:
    shutil.rmtree(synced.checkpoints / "folder_v1")
    (synced.checkpoints / "file_v1.bin").write_bytes(b"other")
    (synced.checkpoints / ".envkit" / "records" / "file_v1.bin.json").unlink()
    result = synced.verify()
    assert result.exit_code == 3
    assert f"expected md5 {md5(BODY)}\n  got      md5 {md5(b'other')}" in result.lines[1]
    assert re.match(r"models\.yaml:4:\d+: model 'folder' v1: is not there", result.lines[2])
    assert all("envkit models sync" in line for line in result.lines[1:])


@pytest.mark.parametrize("what", ["pipe", "device"])
def test_what_is_no_file_is_not_read_as_one(synced: ModelProject, what: str) -> None:
    """A pipe would be waited for, and there is no end to /dev/zero."""
    place = synced.checkpoints / "file_v1.bin"
    place.unlink()
    os.mkfifo(place) if what == "pipe" else place.symlink_to("/dev/zero")
    assert states(synced.verify())["file"] == "changed"
    assert states(synced.sync()) == {"file": "linked", "folder": "kept"}
    assert place.read_bytes() == BODY
