"""`kill -9` at every kind of moment: what is there is right, what was noted is not fetched again, nothing is left."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from envkit.commands import models_gc
from envkit.models.transfer import journal
from envkit.models.transfer.pieces import Spans, merged
from tests.support.forks import KILLED, Forks, How, Run
from tests.support.model_project import ModelProject, entry
from tests.support.model_server import Answer, ModelServer, tarball
from tests.support.wait import until

SIZE = 3 << 20
RATE = 60e6  # bytes per second of one connection: a few dozen notes in the journal, a handful of connections
KILLS = 5  # of one download, before it may come to its end


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    with Forks(tmp_path_factory.mktemp("runs")) as running:
        yield running


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


def new_project(folder: Path) -> ModelProject:
    path = folder / "home" / "project"
    path.mkdir(parents=True)
    return ModelProject(path)


def amount(spans: Sequence[tuple[int, int]]) -> int:
    return sum(end - start for start, end in spans)


def overlap(one: Spans, other: Spans) -> int:
    return amount(one) + amount(other) - amount(merged((*one, *other)))


def journaled(project: ModelProject, body: bytes) -> Spans:
    """What the journals of a project say is there, which has to be."""
    found: list[tuple[int, int]] = []
    for path in (project.store / "partial").glob("*.part"):
        noted = path.with_suffix(".journal")
        said = journal.loads(noted.read_bytes()) if noted.exists() else None
        there = path.read_bytes()
        for start, end in said.done if said else ():
            assert there[start:end] == body[start:end], "a journal is ahead of its bytes"
            found.append((start, end))
    return merged(found)


def there(project: ModelProject) -> int:
    """How many bytes a next run need not receive."""
    found = (path.with_suffix(".journal") for path in (project.store / "partial").glob("*.part"))
    said = (journal.loads(path.read_bytes()) for path in found if path.exists())
    return sum(amount(one.done) for one in said if one)


def blobs(project: ModelProject) -> list[Path]:
    return list((project.store / "blobs").glob("??/*"))


def received(run: Run) -> Spans:
    """What one run received, which is nothing twice."""
    spans = [(start, end) for _, start, end in run.written]
    assert amount(merged(spans)) == amount(spans), "one run has received the same bytes twice"
    return merged(spans)


def nothing_is_left(project: ModelProject) -> None:
    assert project.leftovers() == []
    # Small files are written whole under another name first: those of the dead are for `gc`, once they are old.
    for path in halves(project):
        os.utime(path, (0, 0))
    models_gc.gc(project.settings, remove=True, gone=False)
    assert halves(project) == []


def halves(project: ModelProject) -> list[Path]:
    return [path for root in (project.store, project.checkpoints) for path in root.rglob("*.new")]


# --- while bytes come ---------------------------------------------------------------------------------------------


@dataclass
class Followed:
    """One download from kill to kill: what was noted of it so far, and what was received in vain."""

    project: ModelProject
    body: bytes
    noted: Spans = ()
    received: int = 0
    in_vain: int = 0

    def died(self, run: Run) -> None:
        got, before = self._received(run), self.noted
        self.noted = journaled(self.project, self.body)
        assert overlap(self.noted, before) == amount(before), "what was noted is noted no more"
        self.in_vain += amount(got) - amount(self.noted) + amount(before)

    def ended(self, run: Run) -> None:
        got = self._received(run)
        assert amount(got) == len(self.body) - amount(self.noted)
        assert self.received == len(self.body) + self.in_vain

    def _received(self, run: Run) -> Spans:
        got = received(run)
        assert overlap(got, self.noted) == 0, "received again what had been noted"
        self.received += amount(got)
        return got


@pytest.mark.parametrize("seed", range(30))
def test_what_was_noted_is_not_received_again(
    seed: int, forks: Forks, server: ModelServer, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    dice = random.Random(seed)  # noqa: S311 - the same kills for the same seed
    project, body = new_project(tmp_path), dice.randbytes(SIZE)
    files = {"net/weights": body, "net/graph": b"graph"}
    path, sent = ("/f.tar", tarball(files)) if seed % 3 == 0 else ("/f.bin", body)
    answer = Answer(sent, ranges=True, etag=f'"{seed}"', rate=RATE * dice.choice((0.3, 1, 5)))
    project.declare(entry("net", server.serve(path, answer), sent))
    followed = Followed(project, sent)
    for _ in range(KILLS):
        # Half of what is left at most: so that each has something to be killed at.
        left = len(sent) - amount(followed.noted)
        code, run = forks.run(project, How(after_bytes=dice.randrange(1, max(2, left // 2))))
        assert code == KILLED, run.output
        assert project.listing() == {}
        followed.died(run)
    code, run = forks.run(project)
    assert code == 0, run.output
    followed.ended(run)
    record_property("received again", f"{followed.in_vain} of {SIZE} bytes, after {KILLS} kills")
    whole = {"net_v1/weights": body, "net_v1/graph": b"graph"} if path == "/f.tar" else {"net_v1.bin": body}
    assert project.listing() == whole
    nothing_is_left(project)


@pytest.mark.parametrize("seed", range(10))
def test_killed_from_outside_at_any_moment(seed: int, forks: Forks, server: ModelServer, tmp_path: Path) -> None:
    dice = random.Random(seed)  # noqa: S311
    project, bodies = new_project(tmp_path), {name: dice.randbytes(SIZE // 3) for name in "abcd"}
    urls = {name: server.serve(f"/{name}", Answer(body, ranges=True, rate=RATE)) for name, body in bodies.items()}
    project.declare(*(entry(name, urls[name], body) for name, body in bodies.items()))
    whole = {f"{name}_v1": body for name, body in bodies.items()}
    for _ in range(4):
        run = forks.start(project)
        time.sleep(dice.uniform(0, 0.12))  # no matter whether it is over by then
        run.kill()
        assert forks.wait(run) in (KILLED, 0)
        assert project.listing().items() <= whole.items()
    code, run = forks.run(project)
    assert code == 0, run.output
    assert project.listing() == whole
    nothing_is_left(project)


def test_all_that_came_is_noted_while_nothing_comes(forks: Forks, server: ModelServer, tmp_path: Path) -> None:
    project, body = new_project(tmp_path), random.Random(0).randbytes(SIZE)  # noqa: S311
    stalled = Answer(body, ranges=True, etag='"1"', pause_at=SIZE // 2)
    project.declare(entry("net", server.serve("/f.bin", stalled, Answer(body, ranges=True, etag='"1"')), body))
    run = forks.start(project, words=("models", "sync", "--connections", "1"))
    until(lambda: journaled(project, body) == ((0, SIZE // 2),), "what came is noted")
    run.kill()
    assert forks.wait(run) == KILLED
    stalled.go_on.set()
    code, run = forks.run(project)
    assert (code, received(run)) == (0, ((SIZE // 2, SIZE),))


def test_a_note_that_takes_long_does_not_hold_up_the_end(forks: Forks, server: ModelServer, tmp_path: Path) -> None:
    body = random.Random(0).randbytes(SIZE)  # noqa: S311
    url = server.serve("/f.bin", Answer(body, ranges=True, etag='"1"', rate=RATE))
    for number in range(5):
        project = new_project(tmp_path / str(number))
        project.declare(entry("net", url, body))
        code, run = forks.run(project, How(tweaks=["slow disk"]))
        assert code == 0, run.output


def test_killed_while_unpacking(forks: Forks, server: ModelServer, tmp_path: Path) -> None:
    files = {"weights": bytes(SIZE), "graph": b"graph"}
    project, packed = new_project(tmp_path), tarball(files)
    project.declare(entry("net", server.serve("/f.tar", Answer(packed, ranges=True, etag='"1"')), packed))
    run = forks.start(project, How(tweaks=["stops as it unpacks"]))
    until((project.path / "stopped").exists, "the archive is being unpacked")
    run.kill()
    assert forks.wait(run) == KILLED
    code, run = forks.run(project)
    assert (code, received(run)) == (0, ())
    assert project.listing() == {f"net_v1/{name}": body for name, body in files.items()}
    nothing_is_left(project)


# --- before every change to the file system -----------------------------------------------------------------------


def of_one_file(project: ModelProject, server: ModelServer, _: Forks) -> dict[str, bytes]:
    body = bytes(range(256)) * 100
    project.declare(entry("net", server.serve("/f.bin", body), body))
    return {"net_v1.bin": body}


def of_a_folder_that_was_another(project: ModelProject, server: ModelServer, _: Forks) -> dict[str, bytes]:
    files = {"a": b"1", "b/c": b"2"}
    packed = tarball(files)
    project.declare(entry("net", server.serve("/f.tar", packed), packed))
    (project.checkpoints / "net_v1").mkdir(parents=True)
    (project.checkpoints / "net_v1" / "old").write_bytes(b"old")
    return {f"net_v1/{name}": body for name, body in files.items()}


def of_a_resumed_archive(project: ModelProject, server: ModelServer, forks: Forks) -> dict[str, bytes]:
    files = {"weights": random.Random(1).randbytes(1 << 20), "graph": b"graph"}  # noqa: S311
    packed = tarball(files)
    answer = Answer(packed, ranges=True, etag='"1"', rate=RATE / 3)
    project.declare(entry("net", server.serve("/f.tar", answer), packed))
    code, _ = forks.run(project, How(after_bytes=len(packed) // 2))
    assert code == KILLED
    return {f"net_v1/{name}": body for name, body in files.items()}


SCENES = [of_one_file, of_a_folder_that_was_another, of_a_resumed_archive]


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_killed_before_each_change_on_disk(
    scene: Callable[..., dict[str, bytes]], forks: Forks, server: ModelServer, tmp_path: Path
) -> None:
    template = new_project(tmp_path / "template")
    whole = scene(template, server, forks)
    number, code = 0, KILLED
    while code != 0:
        number += 1
        shutil.copytree(tmp_path / "template", tmp_path / str(number))
        project = ModelProject(tmp_path / str(number) / "home" / "project")
        before, noted = project.listing(), there(project)
        code, run = forks.run(project, How(before_change=number))
        assert code in (KILLED, 0), run.output
        where = f"killed before change {number}: {run.changes[-1]}"
        now = project.listing()
        assert now in ({}, before, whole), where
        assert there(project) >= noted or now == whole or blobs(project), f"{where}: what was noted is lost"
        again, run = forks.run(project)
        assert (again, project.listing()) == (0, whole), f"{where}\n{run.output}"
        nothing_is_left(project)
    assert number > 45
