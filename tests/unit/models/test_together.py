"""Several syncs at once: each file comes once, all of them end well; and right even where the locks are no good."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from envkit import flock
from envkit.commands import models_gc
from tests.support.forks import KILLED, Forks, How, Run
from tests.support.model_project import ModelProject, entry
from tests.support.model_server import Answer, ModelServer, tarball
from tests.support.project import REPOSITORY
from tests.support.wait import until

BODY = random.Random(0).randbytes(2 << 20)  # noqa: S311
RATE = 20e6  # bytes per second of one connection
MEMBERS = {"a": b"1", "b/c": bytes(100_000)}
WHOLE = {"net_v1.bin": BODY, **{f"folder_v1/{name}": body for name, body in MEMBERS.items()}}


@pytest.fixture
def forks(tmp_path: Path) -> Iterator[Forks]:
    (tmp_path / "runs").mkdir()
    with Forks(tmp_path / "runs") as running:
        yield running


def declare(project: ModelProject, server: ModelServer, file: Answer | None = None) -> None:
    """A large file, and a folder out of an archive."""
    packed = tarball(MEMBERS)
    file = file or Answer(BODY, ranges=True, etag='"1"', rate=RATE)
    project.declare(
        entry("net", server.serve("/net.bin", file), BODY),
        entry("folder", server.serve("/f.tar", Answer(packed, rate=RATE / 20)), packed),
    )


def amount(runs: Sequence[Run]) -> int:
    return sum(end - start for run in runs for _, start, end in run.written)


def all_end_well(forks: Forks, runs: Sequence[Run]) -> None:
    for run in runs:
        assert forks.wait(run) == 0, run.output


def another(project: ModelProject) -> ModelProject:
    """One beside it, below the same home folder."""
    path = project.path.with_name("other")
    path.mkdir()
    (path / "models.yaml").write_bytes((project.path / "models.yaml").read_bytes())
    return ModelProject(path)


def test_eight_at_once(forks: Forks, server: ModelServer, project: ModelProject) -> None:
    declare(project, server)
    runs = [forks.start(project) for _ in range(8)]
    all_end_well(forks, runs)
    assert amount(runs) == len(BODY) + len(tarball(MEMBERS))
    assert project.listing() == WHOLE
    assert project.leftovers() == []


def test_two_projects_of_one_store(forks: Forks, server: ModelServer, project: ModelProject) -> None:
    declare(project, server)
    other = another(project)
    runs = [forks.start(one) for one in (project, other)]
    all_end_well(forks, runs)
    assert amount(runs) == len(BODY) + len(tarball(MEMBERS))
    assert project.listing() == other.listing() == WHOLE
    assert (project.checkpoints / "net_v1.bin").samefile(other.checkpoints / "net_v1.bin")
    # Each further name moved the change time of the other's file: that is known, and no reason to hash.
    for one in (project, other):
        assert one.sync().exit_code == 0
        assert "net v1: hashing what is there" not in one.said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make PID namespaces here")
def test_two_containers_on_one_volume(server: ModelServer, project: ModelProject) -> None:
    """Both have the same process numbers, and do not see each other's."""
    slow = Answer(BODY, pause_at=1000)
    project.declare(entry("net", server.serve("/net.bin", slow), BODY))
    command = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-m", "envkit", "models", "sync"]
    environ = {**os.environ, "HOME": str(project.path.parent), "PYTHONPATH": str(REPOSITORY)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, cwd=project.path, env=environ, **pipes) as one:  # type: ignore[call-overload]
        assert slow.paused.wait(30)
        with subprocess.Popen(command, cwd=project.path, env=environ, **pipes) as two:  # type: ignore[call-overload]
            until(lambda: "waiting for process 1 on" in two.stdout.readline(), "the second waits for the first")
            slow.go_on.set()
            assert (one.wait(30), two.wait(30)) == (0, 0)
            one.stdout.read(), two.stdout.read()
    assert server.count("GET", "/net.bin") == 1
    assert project.listing() == {"net_v1.bin": BODY}
    assert project.leftovers() == []


# --- locks that are no good ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("tweak", ["lying locks", "no locks"])
@pytest.mark.parametrize("leases", [True, False])
def test_all_hold_the_lock_at_once(
    tweak: str, leases: bool, forks: Forks, server: ModelServer, project: ModelProject
) -> None:
    declare(project, server)
    how = How(tweaks=[tweak] if leases else [tweak, "no leases"])
    other = another(project)
    left, _ = forks.run(project, How(after_bytes=len(BODY) // 2))  # something for all of them to go on with
    assert left == KILLED
    all_end_well(forks, [forks.start(one, how) for one in (project, other) * 3])
    assert project.listing() == other.listing() == WHOLE
    for one in (project, other):
        assert one.verify().exit_code == 0


def holding(forks: Forks, server: ModelServer, project: ModelProject, how: How) -> tuple[Run, Answer]:
    """A run that has part of a file, and waits for the rest."""
    stalled = Answer(BODY, ranges=True, etag='"1"', pause_at=len(BODY) // 2)
    url = server.serve("/net.bin", stalled, Answer(BODY, ranges=True, etag='"1"'))
    project.declare(entry("net", url, BODY))
    run = forks.start(project, how, ("models", "sync", "--connections", "1"))
    partial = project.store / "partial"
    until(lambda: [*partial.glob("*.holder")] and [*partial.glob("*.journal")], "it is at work")
    until(lambda: amount([run]) == len(BODY) // 2, "it waits")
    return run, stalled


SHORT = {"envkit.models.store.locks._SILENCE": 0.5, "envkit.models.store.locks._SAY_EVERY": 0.1}


def test_a_holder_that_was_stopped_is_not_waited_for(forks: Forks, server: ModelServer, project: ModelProject) -> None:
    first, stalled = holding(forks, server, project, How())
    first.kill(signal.SIGSTOP)
    code, second = forks.run(project, How(settings=SHORT))
    assert code == 0
    assert f"net: waiting for process {first.pid} on " in second.output
    assert f"net: process {first.pid} on " in second.output
    assert "has shown no sign of life for 0 s: not waiting any longer" in second.output
    # It may go on at any moment: what it has is not touched.
    assert amount([second]) == len(BODY)
    assert project.listing() == {"net_v1.bin": BODY}

    stalled.go_on.set()
    first.kill(signal.SIGCONT)
    assert forks.wait(first) == 0, first.output
    assert amount([first]) == len(BODY)
    assert project.listing() == {"net_v1.bin": BODY}
    assert project.leftovers() == []


def test_a_holder_that_was_killed_leaves_its_bytes(forks: Forks, server: ModelServer, project: ModelProject) -> None:
    first, stalled = holding(forks, server, project, How())
    second = forks.start(project, How(settings={"envkit.models.store.locks._SAY_EVERY": 0.1}))
    until(lambda: f"waiting for process {first.pid}" in second.output, "the second waits for the first")
    first.kill()
    assert forks.wait(first) == KILLED
    stalled.go_on.set()
    all_end_well(forks, [second])
    assert amount([second]) < len(BODY)
    assert project.listing() == {"net_v1.bin": BODY}
    assert forks.run(project)[0] == 0
    assert project.leftovers() == []


def test_bytes_that_somebody_still_writes_to_are_not_taken_over(
    forks: Forks, server: ModelServer, project: ModelProject
) -> None:
    first, stalled = holding(forks, server, project, How(tweaks=["lying locks"]))
    code, second = forks.run(project, How(tweaks=["lying locks"]))
    assert code == 0
    assert amount([second]) == len(BODY)
    stalled.go_on.set()
    all_end_well(forks, [first])
    assert amount([first]) == len(BODY)
    assert project.listing() == {"net_v1.bin": BODY}
    assert project.leftovers() == []


def test_where_nobody_can_tell_who_writes_the_bytes_are_copied(
    forks: Forks, server: ModelServer, project: ModelProject
) -> None:
    first, stalled = holding(forks, server, project, How(tweaks=["lying locks", "no leases"]))
    (theirs,) = (project.store / "partial").glob("*.part")
    code, second = forks.run(project, How(tweaks=["lying locks", "no leases"]))
    assert code == 0
    assert amount([second]) < len(BODY)
    assert theirs.exists()
    first.kill()
    assert forks.wait(first) == KILLED
    stalled.go_on.set()
    assert project.listing() == {"net_v1.bin": BODY}

    # Nobody knows that it is dead, until it is old.
    os.utime(theirs, (0, 0))
    gone = models_gc.gc(project.settings, remove=True, gone=False)
    assert [line.split()[0] for line in list(gone.lines)[:-1]] == ["download"]
    assert not theirs.exists()


def test_a_sync_that_starts_while_another_unpacks_leaves_its_archive(
    forks: Forks, server: ModelServer, project: ModelProject
) -> None:
    packed = tarball({"weights": BODY})
    project.declare(entry("net", server.serve("/f.tar", packed), packed))
    first = forks.start(project, How(tweaks=["stops as it unpacks"]))
    until((project.path / "stopped").exists, "the archive is being unpacked")
    (archive,) = (project.store / "partial").glob("*.part")
    other = another(project)
    other.declare(entry("other", server.serve("/other.bin", b"other"), b"other"))
    assert other.sync().exit_code == 0
    assert archive.exists()
    first.kill()
    assert forks.wait(first) == KILLED


def test_a_run_that_is_at_work_keeps_its_folder_though_the_locks_lie(
    forks: Forks, server: ModelServer, project: ModelProject
) -> None:
    packed = tarball({"weights": BODY})
    project.declare(entry("net", server.serve("/f.tar", packed), packed))
    how = How(tweaks=["lying locks", "stops before it publishes"])
    first = forks.start(project, how)
    until((project.path / "stopped").exists, "it is about to publish")
    # Not who holds which download: that is written anew all the while.
    living = [path for path in project.leftovers() if path.is_dir() or path.suffix == ".alive"]
    assert {path.suffix for path in living} == {"", ".alive"}
    code, second = forks.run(project, How(tweaks=["lying locks"]))
    assert code == 0, second.output
    assert [path for path in living if not path.exists()] == []
    first.kill()
    assert forks.wait(first) == KILLED


def test_who_asks_whether_a_file_is_in_use_is_not_harmed_by_who_opens_it(tmp_path: Path) -> None:
    """The kernel tells the holder of a lease by a signal, which by default is one that ends it."""
    path = tmp_path / "file"
    path.touch()
    descriptor = os.open(path, os.O_RDWR)
    program = "import os, sys\nwhile True: os.close(os.open(sys.argv[1], os.O_RDWR))"
    with subprocess.Popen([sys.executable, "-c", program, str(path)]) as rival:
        answers = {flock.others(descriptor, "anything") for _ in range(20_000)}
        rival.kill()
    os.close(descriptor)
    assert answers == {True, False}
