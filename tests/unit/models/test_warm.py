"""A start with everything in place: the remembered answer, and every reason not to trust it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envkit.models import warm
from tests.support.model_project import ModelProject, entry, states
from tests.support.model_server import ModelServer, tarball
from tests.support.project import REPOSITORY
from tests.support.wait import until

FILES = {"a": b"1", "b/c": b"2"}
BODY = b"weights" * 1000
ENVIRON: Mapping[str, str] = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}


@pytest.fixture
def synced(server: ModelServer, project: ModelProject) -> ModelProject:
    """With all in place, and the answer remembered."""
    packed = tarball(FILES)
    project.declare(
        entry("net", server.serve("/f.bin", BODY), BODY, task="ocr"),
        entry("dir", server.serve("/f.tar", packed), packed),
        {**entry("odd", server.serve("/odd.bin", b""), b""), "md5": "d41d8cd98f00b204e9800998ecf8427e"},
    )
    assert project.sync().exit_code == 0
    assert states(project.sync()) == {"net": "kept", "dir": "kept", "odd": "kept"}
    assert memory(project)
    server.asked.clear()
    return project


def memory(project: ModelProject) -> list[Path]:
    return sorted((project.checkpoints / ".envkit").glob("warm-*"))


def answer(project: ModelProject, *options: str, **environ: str) -> tuple[bytes, bytes] | None:
    return warm.answer(["models", "sync", "--project", str(project.path), *options], environ)


def ran(project: ModelProject, *words: str, program: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    """`python -m envkit models sync`, or a program in its place."""
    command = [sys.executable, *(["-c", program] if program else ["-m", "envkit"]), *(words or ("models", "sync"))]
    known = {**ENVIRON, "HOME": str(project.path.parent), "PYTHONPATH": str(REPOSITORY), **environ}
    return subprocess.run(command, cwd=project.path, env=known, capture_output=True, text=True, check=False)


# --- the answer ---------------------------------------------------------------------------------------------------

HEAVY = "argparse dataclasses typing inspect re json yaml requests urllib3 tqdm docker pydantic socket ssl threading"
LOADED = f"""
import sys
before = set(sys.modules)
from envkit.__main__ import main
code = main()
found = (set(sys.modules) - before) & set("{HEAVY}".split())
sys.exit(f"imported {{found}}" if found else code)
"""


def test_it_imports_next_to_nothing_and_asks_nobody(synced: ModelProject, server: ModelServer) -> None:
    got = ran(synced, "models", "sync", program=LOADED)
    assert (got.returncode, got.stdout) == (0, "models: 0 fetched, 3 verified already, 0 failed\n")
    assert server.asked == []
    for path in memory(synced):
        path.unlink()
    # Else nothing was proven: the sync proper does import them.
    assert "argparse" in ran(synced, "models", "sync", program=LOADED).stderr


@pytest.mark.parametrize("options", [(), ("--json",), ("--project", "."), ("--json", "--project", ".")])
def test_it_is_what_the_sync_proper_says(synced: ModelProject, options: tuple[str, ...]) -> None:
    known = ran(synced, "models", "sync", *options)
    assert answer(synced) is not None
    for path in memory(synced):
        path.unlink()
    proper = ran(synced, "models", "sync", *options)
    assert (known.returncode, known.stdout, known.stderr) == (proper.returncode, proper.stdout, proper.stderr)
    assert "models.yaml:" in known.stderr  # the warning of the placeholder is given each time
    again = ran(synced, "models", "sync", *options)
    assert (known.stdout, known.stderr) == (again.stdout, again.stderr)


def test_it_is_found_from_a_folder_below(synced: ModelProject, monkeypatch: pytest.MonkeyPatch) -> None:
    (synced.path / "src" / "deep").mkdir(parents=True)
    monkeypatch.chdir(synced.path / "src" / "deep")
    assert warm.answer(["models", "sync"], {}) == answer(synced)
    (synced.path / "src" / "models.yaml").write_text("models: []")
    assert warm.answer(["models", "sync"], {}) is None


def test_whoever_would_have_read_it_is_gone(synced: ModelProject) -> None:
    command = f"{sys.executable} -m envkit models sync | true; exit ${{PIPESTATUS[0]}}"
    environ = {**ENVIRON, "PYTHONPATH": str(REPOSITORY)}
    got = subprocess.run(["bash", "-c", command], cwd=synced.path, env=environ, capture_output=True, check=False)
    assert (got.returncode, b"Traceback" in got.stderr) == (0, False)


# --- reasons not to give it ---------------------------------------------------------------------------------------


def rewritten(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Other bytes, and the times put back."""
    before = path.stat()
    path.chmod(0o644)
    path.write_bytes(change(path.read_bytes()))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def folder_for(path: Path) -> None:
    path.unlink()
    path.mkdir()


def gone(path: Path) -> None:
    path.unlink()


CHANGES: Mapping[str, Callable[[ModelProject], object]] = {
    "models.yaml, of the same size and time": lambda project: rewritten(
        project.path / "models.yaml", lambda text: text.replace(b"ocr", b"det")
    ),
    "models.yaml touched": lambda project: os.utime(project.path / "models.yaml"),
    "models.yaml another file": lambda project: shutil.copy2(
        shutil.move(project.path / "models.yaml", project.path / "old"), project.path / "models.yaml"
    ),
    "models.yaml gone": lambda project: (project.path / "models.yaml").unlink(),
    "envkit.yaml appeared": lambda project: (project.path / "envkit.yaml").touch(),
    "a model touched": lambda project: os.utime(project.checkpoints / "net_v1.bin"),
    "a model of other bytes": lambda project: rewritten(
        project.checkpoints / "net_v1.bin", lambda body: b"!" + body[1:]
    ),
    "a file in a folder of other bytes": lambda project: rewritten(
        project.checkpoints / "dir_v1" / "b" / "c", lambda _: b"3"
    ),
    "a model gone": lambda project: (project.checkpoints / "net_v1.bin").unlink(),
    "a file in a folder gone": lambda project: (project.checkpoints / "dir_v1" / "a").unlink(),
    "a folder in place of a model": lambda project: folder_for(project.checkpoints / "net_v1.bin"),
    "a copy in place of a model": lambda project: (
        shutil.copy2(project.checkpoints / "net_v1.bin", project.path / "copy"),
        (project.path / "copy").replace(project.checkpoints / "net_v1.bin"),
    ),
    "the answer gone": lambda project: gone(memory(project)[0]),
    "the bookkeeping gone": lambda project: shutil.rmtree(project.checkpoints / ".envkit"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_something_changed(change: str, synced: ModelProject) -> None:
    assert answer(synced) is not None
    CHANGES[change](synced)
    assert answer(synced) is None


def test_envkit_yaml_is_part_of_it(synced: ModelProject) -> None:
    config = synced.path / "envkit.yaml"
    config.write_text("limit_rate: 50M\n")
    until(lambda: synced.sync().exit_code == 0 and answer(synced), "its file is old enough to be told from a later one")
    rewritten(config, lambda _: b"limit_rate: 60M\n")
    assert answer(synced) is None


OTHER_WORDS = [
    ["models", "sync", "--dry-run"],
    ["models", "sync", "--jobs", "2"],
    ["models", "sync", "--limit-rate", "1M"],
    ["models", "sync", "--", "--json"],
    ["models", "sync", "extra"],
    ["models", "sync", "--project"],
    ["models", "sync", "--project", ""],
    ["models", "sync", "--project="],
    ["models", "verify"],
    ["models"],
    ["sync", "models"],
    [],
]


@pytest.mark.parametrize("words", OTHER_WORDS, ids=" ".join)
def test_something_else_was_asked_for(words: list[str], synced: ModelProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(synced.path)
    assert warm.answer(["models", "sync"], {}) is not None
    assert warm.answer(words, {}) is None


def test_a_tilde_is_a_home_folder(synced: ModelProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though there be a folder of that name."""
    (synced.path / "~").symlink_to(synced.path)
    monkeypatch.chdir(synced.path)
    assert warm.answer(["models", "sync", "--project", "./~"], {}) is not None
    assert warm.answer(["models", "sync", "--project", "~"], {}) is None


@pytest.mark.parametrize(
    "name", ["ENVKIT_MODELS", "ENVKIT_STORE", "ENVKIT_LIMIT_RATE", "ENVKIT_URL_REWRITE", "ENVKIT_CA_BUNDLE", "SUDO_UID"]
)
def test_another_setting(name: str, synced: ModelProject) -> None:
    assert answer(synced, **{name: "nonsense"}) is None
    if name != "SUDO_UID":
        got = ran(synced, "models", "sync", **{name: "nonsense"})
        assert got.returncode == 2
        assert name in got.stderr


def test_another_user(synced: ModelProject, monkeypatch: pytest.MonkeyPatch) -> None:
    assert answer(synced) is not None
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    assert answer(synced) is None


def test_another_place(synced: ModelProject) -> None:
    """The store has to be told of it."""
    moved = ModelProject(synced.path.rename(synced.path.with_name("moved")))
    assert answer(moved) is None
    assert states(moved.sync()) == {"net": "kept", "dir": "kept", "odd": "kept"}
    assert answer(moved) is not None


def test_another_version_of_envkit(synced: ModelProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm, "__version__", "0")
    assert answer(synced) is None


def test_verify_found_other_bytes(synced: ModelProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which no fact shows, as after a mistake of the disk's."""
    assert synced.verify().exit_code == 0
    assert answer(synced) is not None
    monkeypatch.setattr("hashlib.sha256", hashlib.sha224)  # the disk gives other bytes, so to speak
    assert synced.verify().exit_code == 3
    assert answer(synced) is None


def test_a_failure_is_not_remembered(server: ModelServer, project: ModelProject) -> None:
    project.declare(entry("net", server.url("/nothing"), BODY))
    for _ in range(2):
        assert project.sync().exit_code == 3
    assert memory(project) == []


def test_a_file_that_was_changed_this_moment_may_change_once_more(
    synced: ModelProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock of a file system ticks in milliseconds: within a tick, two states look the same."""
    for path in memory(synced):
        path.unlink()
    monkeypatch.setattr(warm, "_is_racy", lambda *_: True)
    assert synced.sync().exit_code == 0
    assert memory(synced) == []


# --- damage -------------------------------------------------------------------------------------------------------


def test_every_byte_counts(synced: ModelProject) -> None:
    (path,) = memory(synced)
    whole, right = path.read_bytes(), answer(synced)
    assert right is not None
    for at in range(len(whole)):
        for bit in (1, 0x80):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
            assert answer(synced) is None, f"byte {at}"
        path.write_bytes(whole[:at])
        assert answer(synced) is None, f"the first {at} bytes"
    path.write_bytes(whole)
    assert answer(synced) == right


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_nonsense_is_no_answer(data: bytes) -> None:
    path = _place()
    path.write_bytes(data)
    assert warm.answer(["models", "sync", "--project", str(path.parents[2])], {}) is None


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_nonsense_with_the_right_sum_is_no_answer(data: bytes) -> None:
    path = _place()
    path.write_bytes(f"{warm._head(data)}\n".encode() + data)
    assert warm.answer(["models", "sync", "--project", str(path.parents[2])], {}) is None


_folder: list[Path] = []


def _place() -> Path:
    return Path(warm._path(str(_folder[0]), {}))


@pytest.fixture(scope="module", autouse=True)
def _one_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("warm")
    (folder / "checkpoints" / ".envkit").mkdir(parents=True)
    (folder / "models.yaml").write_text("models: []\n")
    _folder[:] = [folder]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_project_that_cannot_be_written_to(synced: ModelProject, tmp_path: Path) -> None:
    for path in memory(synced):
        path.unlink()
    view = tmp_path / "view"
    view.mkdir()
    subprocess.run(["mount", "--bind", str(synced.path), str(view)], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(view)], check=True)
        seen = ModelProject(view)
        got = ran(seen)
        assert (got.returncode, got.stdout) == (0, "models: 0 fetched, 3 verified already, 0 failed\n")
        assert "Traceback" not in got.stderr
        assert memory(seen) == []
    finally:
        subprocess.run(["umount", "--lazy", str(view)], check=True)
