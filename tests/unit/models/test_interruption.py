"""A sync that is killed, interrupted, or not the only one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from envkit.errors import ModelError
from envkit.models import workspace
from envkit.models.checkpoints import Checkpoints
from envkit.models.ledger import Ledger
from envkit.models.model import Model
from envkit.models.registry import registry
from envkit.models.store.blobs import Blobs
from envkit.models.store.hand import Hand
from envkit.models.store.trees import Leaf
from tests.support.model_project import ModelProject, entry, states
from tests.support.model_server import Answer, ModelServer, tarball
from tests.support.wait import until

BODY = bytes(5 << 20)


@contextmanager
def syncing(project: ModelProject, program: str = "-m envkit models sync") -> Iterator[subprocess.Popen[str]]:
    """A sync in a process of its own."""
    with subprocess.Popen(
        [sys.executable, *program.split(maxsplit=1 if program.startswith("-c") else -1)],
        cwd=project.path,
        env={**os.environ, "HOME": str(project.path.parent), "NO_PROXY": "127.0.0.1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_killed_while_it_receives(server: ModelServer, project: ModelProject) -> None:
    url = server.serve("/file.bin", slow := Answer(BODY, pause_at=3 << 20), Answer(BODY))
    project.declare(entry("file", url, BODY))
    with syncing(project) as process:
        assert slow.paused.wait(30)
        process.kill()
        process.wait()
    slow.go_on.set()
    assert project.listing() == {}
    assert project.leftovers() != []

    assert states(project.sync()) == {"file": "fetched"}
    assert project.listing() == {"file_v1.bin": BODY}
    assert project.leftovers() == []


BEFORE_PUBLISHING = """-c
import sys, time
from envkit import cli
from envkit.models.ledger import Ledger
from envkit.models.model import Model
from envkit.models.workspace import Workspace
def stop(*_):
    print("verified", flush=True)
    time.sleep(60)
Workspace.publish = stop
cli.main(["models", "sync"])
"""

BEFORE_RECORDING = BEFORE_PUBLISHING.replace("Workspace.publish", "Ledger.save")


@pytest.mark.parametrize(("program", "there"), [(BEFORE_PUBLISHING, False), (BEFORE_RECORDING, True)])
def test_killed_around_the_publication(server: ModelServer, project: ModelProject, program: str, there: bool) -> None:
    archive = tarball({"a": b"1", "b": b"2"})
    project.declare(entry("folder", server.serve("/f.tar", archive), archive))
    with syncing(project, program) as process:
        output = process.stdout
        assert output
        until(lambda: output.readline() == "verified\n", "the sync has come to the publication")
        process.kill()
        process.wait()
    whole = {"folder_v1/a": b"1", "folder_v1/b": b"2"}
    assert project.listing() == (whole if there else {})

    assert states(project.sync()) == {"folder": "linked"}
    assert project.listing() == whole
    assert project.leftovers() == []


def test_what_was_published_takes_no_room_twice(server: ModelServer, project: ModelProject) -> None:
    archive, slow = tarball({"a": b"1"}), Answer(BODY, pause_at=10)
    project.declare(
        entry("folder", server.serve("/f.tar", archive), archive), entry("file", server.serve("/file.bin", slow), BODY)
    )
    with syncing(project, "-m envkit models sync --jobs 1") as process:
        assert slow.paused.wait(30)
        found = until(lambda: [path for path in project.leftovers() if path.is_file()], "the second file is begun")
        assert [path.suffix for path in found if path.suffix not in (".holder", ".alive")] == [".part"]
        slow.go_on.set()
        assert process.wait(30) == 0


def test_ctrl_c_leaves_nothing_half_done(server: ModelServer, project: ModelProject) -> None:
    url = server.serve("/file.bin", slow := Answer(BODY, pause_at=3 << 20))
    project.declare(entry("file", url, BODY), entry("next", server.serve("/next.bin", BODY), BODY))
    with syncing(project, "-m envkit models sync --jobs 1") as process:
        assert slow.paused.wait(30)
        process.send_signal(signal.SIGINT)
        slow.go_on.set()
        assert process.wait(30) == 130
    assert server.count("GET", "/next.bin") == 0
    assert project.listing() == {}
    assert project.leftovers() == []


HANGING = {
    "stalls": lambda: Answer(BODY, pause_at=10),
    "trickles": lambda: Answer(BODY, pause_at=10, trickle=True),
    "says nothing": lambda: Answer(BODY, mute=True),
}


@pytest.mark.parametrize("kind", HANGING)
def test_ctrl_c_does_not_wait_for_a_server_that_hangs(server: ModelServer, project: ModelProject, kind: str) -> None:
    url = server.serve("/file.bin", slow := HANGING[kind]())
    project.declare(entry("file", url, BODY), entry("next", server.serve("/next.bin", BODY), BODY))
    with syncing(project, "-m envkit models sync --jobs 1") as process:
        assert slow.paused.wait(30)
        if not slow.mute:
            until(lambda: any(path.is_file() for path in project.leftovers()), "the body is being read")
        assert interrupted(process) < 5
    slow.go_on.set()
    assert server.count("GET", "/next.bin") == 0
    assert project.leftovers() == []


def test_ctrl_c_ends_the_pip_that_is_asked(index: ModelServer, project: ModelProject) -> None:
    index.serve("/simple/tiny-models/", silent := Answer(mute=True))
    wanted = {"source": "pypi", "package": "tiny-models==1.0", "path": "a/", "md5": "0" * 32}
    project.declare({"name": "net", "version": "1", **wanted})
    with syncing(project) as process:
        assert silent.paused.wait(30)
        (pip,) = children(process.pid)
        assert interrupted(process) < 5
    assert not Path(f"/proc/{pip}").exists()
    silent.go_on.set()


def interrupted(process: subprocess.Popen[str]) -> float:
    """Press Ctrl-C, so to speak, and see that it is obeyed; the seconds it took."""
    pressed = time.monotonic()
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert output.endswith("interrupted\n")
    return time.monotonic() - pressed


def children(pid: int) -> list[str]:
    return [child for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]


def test_ctrl_c_waits_for_a_publication(server: ModelServer, project: ModelProject, tmp_path: Path) -> None:
    """What was there is aside for a moment: in that moment the process must not end."""
    (tmp_path / "program.py").write_text(SLOW_PUBLICATION)
    body = tarball({"a": b"new"})
    project.declare(entry("folder", server.serve("/f.tar", body), body))
    (project.checkpoints / "folder_v1").mkdir(parents=True)
    with syncing(project, str(tmp_path / "program.py")) as process:
        output = process.stdout
        assert output
        until(lambda: output.readline() == "aside\n", "the sync has come to the publication")
        assert interrupted(process) < 10
    assert project.listing() == {"folder_v1/a": b"new"}
    assert project.leftovers() == []


SLOW_PUBLICATION = """
import sys, threading
from envkit import cli
from envkit.models import crew
from envkit.models.workspace import Workspace
stopping, publish, stop = threading.Event(), Workspace.publish, crew.Crew._stop
def slow_publish(self, staged, model):
    print("aside", flush=True)
    stopping.wait()
    # Longer than the crew waits for the others.
    threading.Event().wait(2 * crew._GRACE)
    publish(self, staged, model)
def announced_stop(self):
    stopping.set()
    stop(self)
Workspace.publish, crew.Crew._stop = slow_publish, announced_stop
sys.exit(cli.main(["models", "sync"]))
"""


def test_artifacts_are_fetched_side_by_side(server: ModelServer, project: ModelProject) -> None:
    slow = {f"/{name}.bin": Answer(name.encode() + BODY, pause_at=10) for name in "abc"}
    project.declare(*(entry(path[1], server.serve(path, answer), answer.body) for path, answer in slow.items()))
    with syncing(project, "-m envkit models sync --jobs 3") as process:
        for answer in slow.values():
            assert answer.paused.wait(30)
        for answer in slow.values():
            answer.go_on.set()
        assert process.wait(30) == 0
    assert set(project.listing()) == {"a_v1.bin", "b_v1.bin", "c_v1.bin"}


def folder(project: ModelProject) -> Model:
    project.declare(entry("folder", "http://127.0.0.1/f.tar", b"archive"))
    (model,) = registry.load(project.path / "models.yaml").models
    return model


def test_a_folder_that_cannot_be_replaced_is_put_back(project: ModelProject) -> None:
    model = folder(project)
    with workspace.opened(Checkpoints(project.path), Hand()) as opened:
        target = opened.checkpoints.target(model)
        target.mkdir()
        (target / "a").write_bytes(b"old")
        with pytest.raises(FileNotFoundError):
            opened.publish(opened.fresh(), model)
        assert (target / "a").read_bytes() == b"old"


def test_a_sync_that_publishes_in_the_same_moment_is_no_failure(
    project: ModelProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, replace, rivals = folder(project), Path.replace, ["one", "two"]

    def late(self: Path, place: Path) -> Path:
        if rivals:
            place.mkdir()
            (place / rivals.pop()).touch()
        return replace(self, place)

    with workspace.opened(Checkpoints(project.path), Hand()) as opened:
        staged = opened.fresh()
        staged.mkdir()
        (staged / "ours").touch()
        monkeypatch.setattr(Path, "replace", late)
        opened.publish(staged, model)
        assert [path.name for path in opened.checkpoints.target(model).iterdir()] == ["ours"]


def test_what_a_living_sync_is_at_is_not_cleared_away(project: ModelProject) -> None:
    project.path.mkdir(exist_ok=True)
    checkpoints = Checkpoints(project.path)
    with workspace.opened(checkpoints, Hand()) as first:
        mine = first.fresh()
        mine.write_bytes(b"half")
        with workspace.opened(checkpoints, Hand()) as second:
            second.fresh().write_bytes(b"other")
            assert mine.read_bytes() == b"half"
    assert project.leftovers() == []


def test_a_model_that_another_run_replaces_this_moment_is_that_run_s_to_record(project: ModelProject) -> None:
    model = folder(project)
    with workspace.opened(checkpoints := Checkpoints(project.path), Hand()) as opened:
        written = Ledger(opened, Blobs(project.store, Hand()))
        # The other run has it aside, and its own not yet there.
        written.proven(model, model.artifact.digests, [Leaf("a", "0" * 64, 1)])
        written.flush()
    assert not checkpoints.record_path(model).exists()


def test_of_two_syncs_at_once_one_fetches_and_both_end_well(server: ModelServer, project: ModelProject) -> None:
    archive = tarball({"a": b"1", "b": b"2"})
    project.declare(entry("folder", server.serve("/f.tar", slow := Answer(archive, pause_at=10)), archive))
    with syncing(project) as one:
        assert slow.paused.wait(30)
        with syncing(project) as two:
            output = two.stdout
            assert output
            who = f"folder: waiting for process {one.pid} on "
            until(lambda: output.readline().startswith(who), "the second waits for the first, and says so")
            slow.go_on.set()
            assert (one.wait(30), two.wait(30)) == (0, 0)
    assert server.count("GET", "/f.tar") == 1
    assert project.listing() == {"folder_v1/a": b"1", "folder_v1/b": b"2"}
    assert project.leftovers() == []


def test_a_bug_in_one_download_stops_the_others(
    server: ModelServer, project: ModelProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("envkit.models.workspace.Workspace.publish", broken)
    project.declare(entry("file", server.serve("/file.bin", BODY), BODY))
    with pytest.raises(ZeroDivisionError):
        project.sync()
    assert project.leftovers() == []


def test_a_disk_that_cannot_be_written_to_is_named(
    server: ModelServer, project: ModelProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.declare(entry("file", server.serve("/file.bin", BODY), BODY))
    project.checkpoints.write_text("a file in its place")
    with pytest.raises(ModelError, match=r"checkpoints.*: cannot be written"):
        project.sync()


def test_a_full_disk_is_a_failure_of_that_model(
    server: ModelServer, project: ModelProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "checkpoints/x")

    monkeypatch.setattr("envkit.models.workspace.Workspace.publish", full)
    project.declare(entry("file", server.serve("/file.bin", BODY), BODY))
    result = project.sync()
    assert result.exit_code == 3
    assert "checkpoints/x: No space left on device" in result.lines[-1]


WARM = """
import sys
from envkit import cli
code = cli.main(["models", "sync"])
heavy = {"requests", "urllib3", "tqdm", "docker", "concurrent.futures", "subprocess"} & set(sys.modules)
sys.exit(f"imported {sorted(heavy)}" if heavy else code)
"""


def test_a_warm_sync_imports_nothing_heavy(server: ModelServer, project: ModelProject, tmp_path: Path) -> None:
    project.declare(entry("file", server.serve("/file.bin", BODY), BODY))
    project.sync()
    program = tmp_path / "warm.py"
    program.write_text(WARM)
    with syncing(project, str(program)) as process:
        output, _ = process.communicate(timeout=60)
    assert (process.returncode, output) == (0, "models: 0 fetched, 1 verified already, 0 failed\n")
