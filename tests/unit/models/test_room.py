"""Disks that are too small: said beforehand where it can be known, and nothing that was verified is lost where not."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from envkit.errors import ModelError
from tests.support.forks import KILLED, Forks, How
from tests.support.model_project import ModelProject, entry, states
from tests.support.model_server import Answer, ModelServer, tarball

MIB = 1 << 20
DISK = 16  # MiB
BODY = os.urandom(12 * MIB)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[ModelProject]:
    """One whose whole home folder is on a small disk."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}m", "none", str(disk)], check=True)
    try:
        (disk / "project").mkdir()
        yield ModelProject(disk / "project")
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.fixture
def forks(tmp_path: Path) -> Iterator[Forks]:
    (tmp_path / "runs").mkdir()
    with Forks(tmp_path / "runs") as running:
        yield running


def filled(project: ModelProject, mib: int) -> Path:
    path = project.path.parent / "other people's"
    path.write_bytes(bytes(mib * MIB))
    return path


def served(server: ModelServer, body: bytes, **how: object) -> str:
    return server.serve("/f.bin", Answer(body, ranges=True, etag='"1"', **how))  # type: ignore[arg-type]


def test_a_plan_that_does_not_fit_is_refused_before_the_first_byte(server: ModelServer, project: ModelProject) -> None:
    small = b"small"
    project.declare(
        entry("net", server.serve("/net.bin", BODY), BODY, size=len(BODY)),
        entry("two", server.serve("/two.bin", BODY[1:]), BODY[1:], size=len(BODY) - 1),
        entry("small", server.serve("/small.bin", small), small),
    )
    with pytest.raises(ModelError, match=r"not enough room: 3 downloads need 24\.0 MiB, and \d+\.\d MiB are free"):
        project.sync()
    assert server.asked == []
    assert project.listing() == {}
    assert project.leftovers() == []


def test_an_archive_needs_room_for_what_comes_out_of_it(server: ModelServer, project: ModelProject) -> None:
    packed = tarball({"weights": BODY})
    project.declare(entry("net", server.serve("/f.tar", packed), packed, size=len(packed)))
    with pytest.raises(ModelError, match=r"not enough room: 1 downloads need 24"):
        project.sync()
    assert server.asked == []


def test_a_size_that_only_the_server_knew(server: ModelServer, project: ModelProject) -> None:
    filled(project, DISK - 8)
    project.declare(entry("net", served(server, BODY), BODY))
    result = project.sync()
    assert states(result) == {"net": "failed"}
    assert "not enough room: it needs 12.0 MiB, and " in result.lines[-1]
    assert project.leftovers() == []


def test_a_disk_that_others_fill_meanwhile(forks: Forks, server: ModelServer, project: ModelProject) -> None:
    """The server does not say how much it is, so that it could not be known."""
    small = os.urandom(MIB)
    taken = filled(project, 6)
    chunked = Answer(BODY, framing="chunked")
    project.declare(
        entry("small", server.serve("/small.bin", small), small),
        entry("net", server.serve("/net.bin", chunked), BODY),
    )
    code, run = forks.run(project, words=("models", "sync", "--jobs", "1"))
    assert code == 3
    assert "No space left on device" in run.output
    assert "model 'net' v1" in run.output
    assert project.listing() == {"small_v1.bin": small}
    assert project.leftovers() == []

    taken.unlink()
    code, run = forks.run(project)
    assert code == 0, run.output
    assert project.listing() == {"small_v1.bin": small, "net_v1.bin": BODY}


@pytest.mark.parametrize("settings", [{}, {"envkit.models.transfer.download._JOURNAL_EVERY": 60.0}])
def test_what_came_before_the_disk_was_full_is_gone_on_with(
    settings: dict[str, float], forks: Forks, server: ModelServer, project: ModelProject
) -> None:
    taken = filled(project, 6)
    project.declare(entry("net", served(server, BODY), BODY))
    code, run = forks.run(project, How(settings=settings, tweaks=["no look at the room"]))
    assert code == 3, run.output
    assert "No space left on device" in run.output
    came = sum(end - start for _, start, end in run.written)
    assert project.listing() == {}

    taken.unlink()
    code, run = forks.run(project)
    assert code == 0, run.output
    again = came + sum(end - start for _, start, end in run.written) - len(BODY)
    assert again <= 2 * MIB
    assert project.listing() == {"net_v1.bin": BODY}
    assert project.leftovers() == []


def test_what_is_there_already_needs_no_room(forks: Forks, server: ModelServer, project: ModelProject) -> None:
    project.declare(entry("net", served(server, BODY, rate=40e6), BODY, size=len(BODY)))
    code, _ = forks.run(project, How(after_bytes=10 * MIB))
    assert code == KILLED
    filled(project, DISK - len(BODY) // MIB - 1)
    code, run = forks.run(project)
    assert code == 0, run.output
    assert project.listing() == {"net_v1.bin": BODY}
    assert project.leftovers() == []


def test_an_archive_that_a_lock_has_fetched_is_room_that_is_not_needed_again(
    server: ModelServer, project: ModelProject
) -> None:
    packed = tarball({"a/net.bin": BODY[: 7 * MIB]})
    project.declare({"name": "dir", "version": "1", "source": "http", "url": server.serve("/dir.tar", packed)})
    assert project.lock().exit_code == 0
    assert states(project.sync()) == {"dir": "linked"}


def test_what_a_lock_cannot_fetch_for_want_of_room_is_told(server: ModelServer, project: ModelProject) -> None:
    filled(project, 8)
    project.declare({"name": "net", "version": "1", "source": "http", "url": served(server, BODY)})
    ran = project.lock()
    assert ran.exit_code == 3
    assert "model 'net' 1: not enough room: it needs 12.0 MiB" in ran.lines[-1]
    assert not project.lock_file.exists()
