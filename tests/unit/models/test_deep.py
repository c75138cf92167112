"""A dry run that reads every byte: from real servers, and with nothing kept."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from envkit.errors import InputError
from envkit.models import progress
from envkit.models.crew import Crew
from envkit.models.locking.lock import LockedFile
from envkit.models.model import PLACEHOLDER_MD5, Digests
from tests.support.answers import Answer, Asked, login_page
from tests.support.hub import COMMIT, REPO, FakeHub, git_blob
from tests.support.model_project import ModelProject, Ran, entry, md5, sha256
from tests.support.model_server import ModelServer, tarball

BODY = random.Random(6).randbytes(300_000)  # noqa: S311
OTHER = BODY[::-1]


def deep(project: ModelProject, jobs: int = 4) -> Ran:
    """A deep dry run, during which nothing below the project or the home folder may change."""
    before = everything(project)
    ran = project.sync(dry_run=True, deep=True, jobs=jobs)
    assert everything(project) == before
    return ran


def everything(project: ModelProject) -> dict[str, int]:
    found = (path for path in project.path.parent.rglob("*") if "pip" not in path.parts)
    return {str(path): path.lstat().st_ctime_ns for path in found}


def graded(ran: Ran) -> dict[str, tuple[str, str]]:
    """Grade and evidence of every file, by the name of its model and its path in a set."""
    return {
        row["name"] + (f"/{file['path']}" if file["path"] else ""): (file["grade"], file["evidence"])
        for row in ran.data["models"]
        for file in row["files"]
    }


@pytest.fixture
def other() -> Iterator[ModelServer]:
    with ModelServer("127.0.0.2") as running:
        yield running


def test_every_artifact_is_read_and_none_is_kept(server: ModelServer, project: ModelProject) -> None:
    archive = tarball({"a": b"1"})
    project.declare(
        entry("kept", server.serve("/kept.bin", BODY), BODY),
        entry("linked", server.serve("/linked.tar", archive), archive, sha256=sha256(archive)),
        entry("new", server.serve("/new.bin", Answer(BODY, framing="chunked")), BODY, size=len(BODY)),
        entry("wrong", server.serve("/wrong.bin", OTHER), BODY),
        entry("gone", server.url("/gone.bin"), BODY),
        entry("page", server.serve("/page.bin", login_page()), BODY),
        entry("short", server.serve("/short.bin", b"1"), BODY, size=2),
    )
    project.sync()
    (project.checkpoints / "linked_v1" / "a").unlink()
    (project.checkpoints / "linked_v1").rmdir()
    server.asked.clear()
    result = deep(project)
    assert result.exit_code == 3
    assert graded(result) == {
        "kept": ("proven", "md5 of its bytes"),
        "linked": ("proven", "sha256 and md5 of its bytes"),
        "new": ("proven", "md5 of its bytes"),
        "wrong": ("changed", "md5 of its bytes"),
        "gone": ("unreachable", ""),
        "page": ("unreachable", ""),
        "short": ("changed", "size"),
    }
    assert [row["action"] for row in result.data["models"]][:2] == ["keep", "link"]
    url = server.url("/kept.bin")
    assert (
        result.lines[0] == f"keep   proven       kept v1: verified; {url} has it, {len(BODY)} bytes (md5 of its bytes)"
    )
    assert {asked.method for asked in server.asked} == {"GET"}
    # Once more, since a bit may have turned over on the way; what is right is read once.
    assert {path: server.count("GET", path) for path in ("/kept.bin", "/wrong.bin")} == {
        "/kept.bin": 1,
        "/wrong.bin": 2,
    }
    wrong = next(case.problem for case in result.cases if case.name == "wrong v1")
    assert wrong
    assert (wrong.line, wrong.rule) == (6, "changed")
    assert f"expected md5 {md5(BODY)}\n  got      md5 {md5(OTHER)}" in str(wrong)
    assert "the bytes changed where they come from, or models.yaml is wrong" in str(wrong)


def test_a_bit_that_turned_over_on_the_way_is_no_change(server: ModelServer, project: ModelProject) -> None:
    url = server.serve("/net.bin", Answer(BODY, flip=1000, flip_once=True))
    project.declare(entry("net", url, BODY))
    result = deep(project)
    assert result.exit_code == 0
    assert project.said == ["net: other bytes than expected came: once more, from the start"]


def test_what_was_changed_and_is_right_at_a_mirror_is_proven_with_a_remark(
    server: ModelServer, other: ModelServer, project: ModelProject
) -> None:
    mirrors = [other.serve("/net.bin", BODY), other.serve("/never.bin", BODY)]
    url = server.serve("/net.bin", OTHER)
    project.declare(entry("net", url, BODY, mirrors=mirrors))
    result = deep(project)
    assert (result.exit_code, graded(result)) == (0, {"net": ("proven", "md5 of its bytes")})
    (file,) = result.data["models"][0]["files"]
    assert (file["place"], file["passed_over"]) == (mirrors[0], [f"{url}: has other bytes than expected"])
    assert f"not had from {url}: has other bytes than expected" in result.lines[0]
    assert [asked.path for asked in other.asked] == ["/net.bin"]

    other.serve("/net.bin", OTHER)
    other.serve("/never.bin", OTHER)
    result = deep(project)
    assert (result.exit_code, graded(result)) == (3, {"net": ("changed", "md5 of its bytes")})
    assert f"from {mirrors[1]}: has other bytes than expected" in result.lines[-1]


def test_a_placeholder_is_read_once_and_named(server: ModelServer, project: ModelProject) -> None:
    project.declare(entry("net", server.serve("/net.bin", BODY), b""))
    result = deep(project)
    assert f"expected md5 {PLACEHOLDER_MD5}\n  got      md5 {md5(BODY)}\n" in result.lines[-1]
    assert "a placeholder: if these bytes are right" in result.lines[-1]
    assert server.count("GET", "/net.bin") == 1


def test_a_connection_that_breaks_is_gone_on_with(
    server: ModelServer, project: ModelProject, delays: list[float]
) -> None:
    whole = Answer(BODY, ranges=True, etag='"1"')
    project.declare(entry("net", server.serve("/net.bin", replace(whole, cut=100_000), whole), BODY))
    assert deep(project).exit_code == 0
    assert server.asked[1].headers["Range"] == "bytes=100000-"
    assert len(delays) == 1


def test_several_are_read_at_a_time(server: ModelServer, project: ModelProject) -> None:
    # No answer before all have asked: one after the other, they would wait in vain.
    together = threading.Barrier(3)

    def answer(asked: Asked) -> Answer:
        together.wait(20)
        return Answer(BODY)

    project.declare(*(entry(f"net{number}", server.serve(f"/{number}", answer), BODY) for number in range(6)))
    assert deep(project, jobs=3).exit_code == 0
    assert server.most_at_once == 3


def test_how_far_it_is_is_told(server: ModelServer, project: ModelProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_EVERY", 0.0)
    more = {"size": len(BODY)}
    project.declare(*(entry(name, server.serve(f"/{name}", BODY), BODY, **more) for name in ("one", "two")))
    deep(project, jobs=1)
    whole = [line for line in project.said if line.startswith("models: ")]
    assert whole
    assert all("of 585.9 KiB" in line for line in whole)
    assert any("; one " in line for line in whole)
    assert any("; two " in line for line in whole)


@pytest.mark.parametrize("limit", ["1G", None])
def test_the_limit_on_the_line_holds(
    server: ModelServer, project: ModelProject, monkeypatch: pytest.MonkeyPatch, limit: str | None
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(Crew, "pause", lambda _, seconds: waited.append(seconds))
    if limit:
        project.environ["ENVKIT_LIMIT_RATE"] = limit
    project.declare(entry("net", server.serve("/net.bin", BODY), BODY))
    assert deep(project).exit_code == 0
    assert bool(waited) == bool(limit)


# --- other sources -----------------------------------------------------------------------------------------------


def test_a_file_on_a_share_is_read(project: ModelProject, tmp_path: Path) -> None:
    (tmp_path / "net.bin").write_bytes(OTHER)
    wanted = {"name": "net", "version": "1", "source": "file", "path": str(tmp_path / "net.bin"), "size": len(BODY)}
    project.declare({**wanted, "md5": md5(BODY)})
    assert graded(deep(project)) == {"net": ("changed", "md5 of its bytes")}
    project.declare({**wanted, "md5": md5(OTHER)})
    assert graded(deep(project)) == {"net": ("proven", "md5 of its bytes")}


def of_hub(**more: object) -> dict[str, object]:
    return {"name": "ocr", "version": "1", "source": "huggingface", "repo": REPO, "revision": COMMIT, **more}


FILES = {"config.json": b"{}", "onnx/net.onnx": BODY}


@pytest.fixture
def hub(server: ModelServer, other: ModelServer, project: ModelProject) -> FakeHub:
    made = FakeHub(server, other)
    made.publish(FILES, lfs=["onnx/net.onnx"])
    project.environ["HF_ENDPOINT"] = server.url("")
    return made


def test_every_file_of_a_set_is_read(hub: FakeHub, project: ModelProject, other: ModelServer) -> None:
    project.declare(of_hub())
    result = deep(project)
    assert graded(result) == {
        "ocr/config.json": ("proven", "git blob of its bytes"),
        "ocr/onnx/net.onnx": ("proven", "sha256 of its bytes"),
    }
    other.serve(f"/objects/{sha256(BODY)}", OTHER)
    hub.server.serve(hub.file("config.json"), b"[]")
    result = deep(project)
    assert result.exit_code == 3
    assert graded(result) == {
        "ocr/config.json": ("changed", "git blob of its bytes"),
        "ocr/onnx/net.onnx": ("changed", "sha256 of its bytes"),
    }
    problems = {case.name: str(case.problem) for case in result.cases}
    assert f"got      git blob {git_blob(b'[]')}" in problems["ocr 1: config.json"]
    assert f"got      sha256 {sha256(OTHER)}" in problems["ocr 1: onnx/net.onnx"]


def test_what_was_locked_of_a_set_is_what_its_bytes_have_to_be(hub: FakeHub, project: ModelProject) -> None:
    project.declare(of_hub(revision="main"))
    weights = LockedFile("onnx/net.onnx", Digests(md5(BODY), sha256(BODY), len(BODY)))
    config = LockedFile("config.json", Digests(md5(b"[]"), sha256(b"[]"), 2))
    gone = LockedFile("keys.txt", Digests(md5(b"keys"), sha256(b"keys"), 4))
    project.write_lock({"ocr": [config, gone, weights]})
    result = deep(project)
    assert result.exit_code == 3
    assert graded(result) == {
        "ocr/config.json": ("changed", "md5 and sha256 of its bytes"),
        "ocr/keys.txt": ("changed", "not listed"),
        "ocr/onnx/net.onnx": ("proven", "sha256 and md5 of its bytes"),
    }


def test_a_hub_that_is_away_has_a_mirror_read(hub: FakeHub, project: ModelProject, other: ModelServer) -> None:
    hub.refuse(hub.api(f"tree/{COMMIT}"), 404)
    mirror = other.serve("/config.json", b"{}")
    project.declare(of_hub(path="config.json", md5=md5(b"{}"), mirrors=mirror))
    assert graded(deep(project)) == {"ocr": ("proven", "md5 of its bytes")}
    # With nothing to hold the mirror to, a sync takes nothing from it.
    project.declare(of_hub(path="config.json", mirrors=mirror))
    result = deep(project)
    assert result.exit_code == 3
    assert graded(result) == {"ocr": ("unreachable", "")}


def test_a_wheel_is_read(index: ModelServer, project: ModelProject) -> None:
    body = index.serve_wheel("tiny-models", "1.0", {"ocr/net.json": b"net"})
    where = {"source": "pypi", "package": "tiny-models==1.0", "path": "ocr"}
    project.declare({"name": "det", "version": "1.0", **where, "md5": md5(body)})
    assert graded(deep(project)) == {"det": ("proven", "sha256 and md5 of its bytes")}


# --- how it is called --------------------------------------------------------------------------------------------


def test_without_a_dry_run_it_is_refused(server: ModelServer, project: ModelProject) -> None:
    project.declare(entry("net", server.serve("/net.bin", BODY), BODY))
    with pytest.raises(InputError, match="--deep is for a dry run"):
        project.sync(deep=True)
    assert server.asked == []


def run(project: ModelProject, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "envkit", "models", "sync", *options],
        cwd=project.path,
        env={**os.environ, "HOME": str(project.path.parent), "NO_PROXY": "127.0.0.1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_interrupted_it_ends_at_once_and_leaves_nothing(server: ModelServer, project: ModelProject) -> None:
    url = server.serve("/net.bin", slow := Answer(BODY, pause_at=100_000))
    project.declare(entry("net", url, BODY))
    before = everything(project)
    with run(project, "--dry-run", "--deep") as process:
        assert slow.paused.wait(30)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    slow.go_on.set()
    assert (process.returncode, errors.splitlines()[-1]) == (130, "interrupted")
    assert everything(project) == before


def test_the_command_line_has_it(server: ModelServer, project: ModelProject) -> None:
    project.declare(entry("net", server.serve("/net.bin", BODY), BODY))
    with run(project, "--dry-run", "--deep", "--json") as process:
        output, _ = process.communicate(timeout=60)
    assert json.loads(output)["models"][0]["files"][0]["evidence"] == "md5 of its bytes"
    with run(project, "--deep") as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert errors == "--deep is for a dry run\n  to read every byte and keep none: --dry-run --deep\n"
