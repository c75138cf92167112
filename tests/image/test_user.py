"""Whose processes and files: the project's owner's, whoever that is, and nobody else's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.image.container import ROOT_PACKAGES, Boxes
from tests.support.project import USER

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def test_every_process_runs_as_the_projects_owner_with_no_rights_left(boxes: Boxes) -> None:
    project = boxes.folder()
    box = boxes.start("jupyter", project=project).answering()
    assert {(uid, gid) for uid, gid, _ in box.processes()} == {(USER, project.stat().st_gid)}
    status = Path(f"/proc/{box.container.attrs['State']['Pid']}/status").read_text("utf-8")
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status


def test_tini_is_process_one(boxes: Boxes) -> None:
    box = boxes.start("cat", "/proc/1/comm")
    assert box.wait() == 0
    assert box.log == "tini\n"


@pytest.mark.parametrize("owner", [USER, 0])
def test_files_made_in_the_workspace_belong_to_its_owner(boxes: Boxes, owner: int) -> None:
    project = boxes.folder(owner)
    box = boxes.start("bash", "-c", "id -u && touch made && mkdir folder", project=project)
    assert box.wait() == 0
    assert box.log.split() == [str(owner)]
    for made in (project / "made", project / "folder"):
        assert (made.stat().st_uid, made.stat().st_gid) == (owner, project.stat().st_gid)


def test_the_user_named_goes_before_the_folders_owner(boxes: Boxes) -> None:
    box = boxes.start("id", project=boxes.folder(0), environ={"ENVKIT_UID": "2000", "ENVKIT_GID": "3000"})
    assert box.wait() == 0
    assert box.log == "uid=2000(paddle) gid=3000(paddle) groups=3000(paddle)\n"


def test_numbers_that_the_base_image_has_names_for_are_fine(boxes: Boxes) -> None:
    www_data, staff = 33, 50
    environ = {"ENVKIT_UID": str(www_data), "ENVKIT_GID": str(staff)}
    box = boxes.start("bash", "-c", "id; echo ~", environ=environ)
    assert box.wait() == 0
    assert box.log == "uid=33(paddle) gid=50(staff) groups=50(staff)\n/home/paddle\n"


def test_without_a_project_the_user_is_an_ordinary_one(boxes: Boxes) -> None:
    box = boxes.start("bash", "-c", "id -u; touch made")
    assert box.wait() == 0
    assert box.log == "1000\n"


@AS_ROOT
def test_nothing_in_the_workspace_changes_hands(boxes: Boxes) -> None:
    project = boxes.folder(files={"theirs/file": "x"})
    os.chown(project / "theirs", 4321, 4321)
    assert boxes.start("true", project=project).wait() == 0
    assert [path.stat().st_uid for path in (project, project / "theirs", project / "theirs/file")] == [USER, 4321, USER]


def test_a_home_volume_of_another_user_is_left_alone(boxes: Boxes) -> None:
    home = boxes.volume()
    mine = boxes.start("touch", "/home/paddle/mine", project=boxes.folder(), volumes={home: "/home/paddle"})
    assert mine.wait() == 0
    other = boxes.start("true", project=boxes.folder(4321), volumes={home: "/home/paddle"})
    assert other.wait() == 2
    assert f"/home/paddle belongs to uid {USER}, but the project's owner is uid 4321" in other.log


@pytest.mark.parametrize("variable", ["ENVKIT_UID", "ENVKIT_GID"])
def test_a_user_that_is_no_number_is_wrong_input(boxes: Boxes, variable: str) -> None:
    box = boxes.start("true", environ={variable: "me"})
    assert box.wait() == 2
    assert box.log.startswith(f"envkit: {variable} is 'me'\n")


def test_groups_that_the_engine_was_told_to_add_stay(boxes: Boxes) -> None:
    box = boxes.start("id", "-G", project=boxes.folder(), group_add=["44"])
    assert box.wait() == 0
    assert box.log.split() == [str(USER), "44"]


def test_a_container_told_its_user_works_without_any_of_roots_rights(boxes: Boxes) -> None:
    box = boxes.start("jupyter", project=boxes.folder(), user=f"{USER}:{USER}", capabilities=())
    box.answering()


@pytest.mark.parametrize("user", ["", f"{USER}:{USER}"], ids=["root", "user"])
def test_a_read_only_root_file_system_is_refused_with_what_to_do(boxes: Boxes, user: str) -> None:
    box = boxes.start("true", read_only=True, user=user)
    assert box.wait() == 2
    place = "/run/envkit" if user else "/etc/passwd"
    assert box.log.startswith(
        f"envkit: {place} cannot be written to\nenvkit:   start the container without --read-only"
    )


def test_ssh_in_a_container_told_its_user_says_what_to_do_instead(boxes: Boxes) -> None:
    box = boxes.start("ssh", user=f"{USER}:{USER}", capabilities=())
    assert box.wait() == 2
    assert f"start the container without --user and with ENVKIT_UID={USER}" in box.log


def test_root_can_install_packages_in_its_own_project(boxes: Boxes) -> None:
    # dpkg and apt give files away, and write where another user's are.
    script = "mkdir -m 700 /tmp/d && chown 1234 /tmp/d && touch /tmp/d/x && chmod 755 /tmp/d"
    box = boxes.start("bash", "-c", script, project=boxes.folder(0), capabilities=ROOT_PACKAGES)
    assert box.wait() == 0, box.log


def test_jupyter_in_a_project_of_roots_needs_no_rights(boxes: Boxes) -> None:
    boxes.start("jupyter", project=boxes.folder(0), capabilities=()).answering()


def test_a_stopped_container_starts_again(boxes: Boxes) -> None:
    box = boxes.start("jupyter", project=boxes.folder()).answering()
    box.container.stop()
    box.container.start()
    box.answering()
