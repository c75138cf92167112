"""Called by root, a sync leaves nothing in an ordinary user's project that is not that user's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from envkit.errors import ModelError
from envkit.models.store.hand import Hand
from envkit.settings import Owner
from tests.support.model_project import ModelProject, entry
from tests.support.model_server import ModelServer, tarball

USER = Owner(1234, 4321)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def owners(folder: Path) -> set[tuple[int, int]]:
    found = [path.lstat() for path in (folder, *folder.rglob("*"))]
    return {(stat.st_uid, stat.st_gid) for stat in found}


def test_everything_made_is_the_owners(server: ModelServer, project: ModelProject) -> None:
    archive = tarball({"a/b/c": b"x"})
    project.owner = USER
    project.declare(
        entry("file", server.serve("/f.bin", b"weights"), b"weights"),
        entry("folder", server.serve("/f.tar", archive), archive),
    )
    assert project.sync().exit_code == 0
    assert owners(project.checkpoints) == {(USER.uid, USER.gid)}

    os.utime(project.checkpoints / "file_v1.bin")
    (project.checkpoints / "folder_v1" / "a" / "b" / "c").unlink(missing_ok=True)
    assert project.sync().exit_code == 0
    assert owners(project.checkpoints) == {(USER.uid, USER.gid)}


def test_what_was_there_before_keeps_its_owner(server: ModelServer, project: ModelProject) -> None:
    project.owner = USER
    project.checkpoints.mkdir()
    (project.checkpoints / "mine").write_bytes(b"mine")
    project.declare(entry("file", server.serve("/f.bin", b"weights"), b"weights"))
    assert project.sync().exit_code == 0
    assert (project.checkpoints / "mine").stat().st_uid == 0
    assert project.checkpoints.stat().st_uid == 0
    assert (project.checkpoints / "file_v1.bin").stat().st_uid == USER.uid


@pytest.mark.parametrize("link", ["checkpoints", "checkpoints/.envkit", "checkpoints/.envkit/store"])
def test_root_does_not_follow_a_users_link_to_a_folder_of_others(
    link: str, server: ModelServer, project: ModelProject, tmp_path: Path
) -> None:
    project.owner = USER
    project.declare(entry("file", server.serve("/f.bin", b"weights"), b"weights"))
    (tmp_path / "system").mkdir()
    (project.path / link).parent.mkdir(parents=True, exist_ok=True)
    (project.path / link).symlink_to(tmp_path / "system")
    with pytest.raises(ModelError, match="a link to a folder that is not the project owner's"):
        project.sync()
    assert list((tmp_path / "system").iterdir()) == []

    os.chown(tmp_path / "system", USER.uid, USER.gid)
    assert project.sync().exit_code == 0


def test_a_project_of_roots_stays_roots(server: ModelServer, project: ModelProject) -> None:
    project.declare(entry("file", server.serve("/f.bin", b"weights"), b"weights"))
    assert project.sync().exit_code == 0
    assert owners(project.checkpoints) == {(0, 0)}


@pytest.mark.parametrize("link", ["probe", "partial/locks"])
def test_root_makes_no_file_where_a_users_link_leads(
    link: str, server: ModelServer, project: ModelProject, tmp_path: Path
) -> None:
    project.owner = USER
    project.declare(entry("file", server.serve("/f.bin", b"weights"), b"weights"))
    place = project.checkpoints / ".envkit" / "store" / link
    place.parent.mkdir(parents=True)
    place.symlink_to(tmp_path / "nologin")
    with pytest.raises(ModelError):
        project.sync()
    assert not (tmp_path / "nologin").exists()


def test_root_changes_no_mode_through_a_users_link(tmp_path: Path) -> None:
    secret, planted = tmp_path / "shadow", tmp_path / "planted"
    secret.touch(mode=0o600)
    planted.symlink_to(secret)
    with pytest.raises(OSError, match="symbolic links"):
        Hand(USER).seal(planted, 0o444)
    assert secret.stat().st_mode & 0o777 == 0o600
