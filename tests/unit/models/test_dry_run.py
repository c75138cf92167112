"""A dry run, against real servers: every source asked, every file graded, nothing written."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from envkit import reports
from envkit.errors import Problem
from envkit.models.locking.lock import LockedFile
from envkit.models.model import PLACEHOLDER_MD5, Digests
from tests.support.answers import Answer, Answering, Asked, busy, redirect
from tests.support.hub import COMMIT, REPO, FakeHub, git_blob
from tests.support.model_project import ModelProject, Ran, entry, md5, sha256, states
from tests.support.model_server import ModelServer, tarball, wheel
from tests.support.nginx import Nginx

BODY = b"weights of a network"
OTHER = b"WEIGHTS OF A NETWORK"
AT = f"{REPO}@{COMMIT}"


def b64(digest: str) -> str:
    return base64.b64encode(bytes.fromhex(digest)).decode()


def files_of(ran: Ran, name: str) -> Any:
    """What is said of a model's files, by their paths."""
    (row,) = [row for row in ran.data["models"] if row["name"] == name]
    return {file["path"]: file for file in row["files"]}


def grades(ran: Ran) -> dict[str, str]:
    return {row["name"]: row["grade"] for row in ran.data["models"]}


def everything(project: ModelProject) -> dict[str, int]:
    """Whatever there is of the project and of its store, and when it changed."""
    return {str(path): path.lstat().st_ctime_ns for path in project.path.parent.rglob("*")}


# --- grades ------------------------------------------------------------------------------------------------------


def test_each_grade_is_told_in_lines_in_json_and_for_reports(server: ModelServer, project: ModelProject) -> None:
    says = {"Content-MD5": b64(md5(BODY))}
    project.declare(
        entry("a", server.serve("/a.bin", Answer(BODY, headers=says)), BODY),
        entry("b", server.serve("/b.bin", Answer(BODY, etag='"1"')), BODY),
        entry("c", server.serve("/c.bin", BODY), BODY, size=len(BODY)),
        entry("d", server.serve("/d.bin", BODY), BODY),
        entry("e", server.url("/e.bin"), BODY),
        entry("f", server.serve("/f.bin", Answer(BODY, headers=says)), OTHER),
    )
    known = Digests(md5(BODY), sha256(BODY), len(BODY))
    files = {name: [LockedFile("", Digests(md5(BODY)), None, None)] for name in "acde"}
    files |= {"b": [LockedFile("", known, server.url("/b.bin"), '"1"')], "f": [LockedFile("", Digests(md5(OTHER)))]}
    project.write_lock(files)
    result = project.sync(dry_run=True)

    assert result.exit_code == 3
    why = "is not there yet"
    assert result.lines[:7] == (
        f"fetch  proven        a v1: {why}; {server.url('/a.bin')} has it, 20 bytes (md5 by Content-MD5)",
        f"fetch  locked        b v1: {why}; {server.url('/b.bin')} has it, 20 bytes (ETag and size as locked)",
        f"fetch  size          c v1: {why}; {server.url('/c.bin')} has it, 20 bytes",
        f"fetch  unverifiable  d v1: {why}; {server.url('/d.bin')} has it, 20 bytes",
        f"fetch  unreachable   e v1: {why}; {server.url('/e.bin')} does not have it to give",
        f"fetch  changed       f v1: {why}; {server.url('/f.bin')} has other bytes (md5 by Content-MD5)",
        "models: 1 proven, 1 locked, 1 size, 1 unverifiable, 1 unreachable, 1 changed",
    )
    assert list(result.lines[7:]) == result.data["problems"]
    assert len(result.data["problems"]) == 2
    assert states(result) == {
        "a": "to fetch",
        "b": "to fetch",
        "c": "to fetch",
        "d": "to fetch",
        "e": "unreachable",
        "f": "changed",
    }
    assert files_of(result, "b")[""] == {
        "path": "",
        "grade": "locked",
        "evidence": "ETag and size as locked",
        "place": server.url("/b.bin"),
        "url": server.url("/b.bin"),
        "size": 20,
        "etag": '"1"',
        "passed_over": [],
    }
    assert [(case.group, case.name, case.note) for case in result.cases] == [
        ("models", "a v1", "proven, md5 by Content-MD5"),
        ("models", "b v1", "locked, ETag and size as locked"),
        ("models", "c v1", "size"),
        ("models", "d v1", "unverifiable"),
        ("models", "e v1", "unreachable"),
        ("models", "f v1", "changed, md5 by Content-MD5"),
    ]
    assert [case.problem is None for case in result.cases] == [True, True, True, True, False, False]


def test_a_problem_points_at_the_key_that_it_is_about(server: ModelServer, project: ModelProject) -> None:
    headers = {"X-Checksum-Sha256": sha256(OTHER)}
    url = server.serve("/net.bin", Answer(BODY, headers=headers))
    known = {"sha256": sha256(BODY), "size": 7}
    for more, key in (({"sha256": sha256(BODY)}, "sha256"), ({"size": 7}, "size"), (known, "sha256")):
        project.declare(entry("net", url, BODY, **more))
        (case,) = project.sync(dry_run=True).cases
        assert case.problem
        assert (case.problem.file, case.problem.line, case.problem.column) == ("models.yaml", 3, project.column(key))
        assert (case.problem.rule, case.problem.level) == ("changed", "error")
        assert "net" in case.problem.message
        assert f"from {url}\n" in str(case.problem.hint)
    project.declare(entry("net", server.url("/gone.bin"), BODY))
    (case,) = project.sync(dry_run=True).cases
    assert case.problem
    assert (case.problem.rule, case.problem.column) == ("unreachable", project.column("url"))


def test_what_only_the_lock_knows_is_blamed_on_where_it_comes_from(server: ModelServer, project: ModelProject) -> None:
    url = server.serve("/net.bin", Answer(BODY, headers={"X-Checksum-Sha256": sha256(OTHER)}))
    project.declare({"name": "net", "version": "v1", "source": "http", "url": url})
    project.write_lock({"net": [LockedFile("", Digests(md5(BODY), sha256(BODY), len(BODY)), url)]})
    (case,) = project.sync(dry_run=True).cases
    assert case.problem
    assert case.problem.column == project.column("url")
    assert f"expected sha256 {sha256(BODY)}\n  got      sha256 {sha256(OTHER)}" in str(case.problem)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(OTHER, headers={"Content-MD5": b64(md5(OTHER))}), "md5 by Content-MD5"),
        (Answer(OTHER, headers={"Repr-Digest": f"sha-256=:{b64(sha256(OTHER))}:"}), "sha256 by Repr-Digest"),
        (Answer(OTHER, headers={"X-Goog-Hash": f"crc32c=AAAAAA==,md5={b64(md5(OTHER))}"}), "md5 by X-Goog-Hash"),
        (Answer(OTHER, headers={"X-Checksum-Sha256": sha256(OTHER)}), "sha256 by X-Checksum-Sha256"),
        (Answer(OTHER + b"!"), "size"),
    ],
)
def test_a_changed_upstream_is_found_by_whatever_tells(
    server: ModelServer, project: ModelProject, answer: Answer, told: str
) -> None:
    project.declare(entry("net", server.serve("/net.bin", answer), BODY, sha256=sha256(BODY), size=len(BODY)))
    result = project.sync(dry_run=True)
    assert (result.exit_code, states(result)) == (3, {"net": "changed"})
    assert files_of(result, "net")[""]["evidence"] == told
    assert "announces other bytes than expected" in result.lines[-1]
    assert "the bytes changed where they come from, or models.yaml is wrong" in result.lines[-1]


def test_a_changed_upstream_that_tells_nothing_but_its_etag_is_no_proof_of_anything(
    server: ModelServer, project: ModelProject
) -> None:
    url = server.serve("/net.bin", Answer(OTHER, etag=f'"{md5(OTHER)}"'))
    project.declare(entry("net", url, BODY))
    project.write_lock({"net": [LockedFile("", Digests(md5(BODY), sha256(BODY), len(BODY)), url, f'"{md5(BODY)}"')]})
    result = project.sync(dry_run=True)
    assert (result.exit_code, grades(result)) == (0, {"net": "size"})
    assert files_of(result, "net")[""]["evidence"] == "another ETag than locked"


def test_another_etag_than_locked_is_a_warning_in_reports_and_no_failure(
    server: ModelServer, project: ModelProject
) -> None:
    url = server.serve("/net.bin", Answer(OTHER, etag='"2"'))
    project.declare(entry("net", url, BODY))
    project.write_lock({"net": [LockedFile("", Digests(md5(BODY), sha256(BODY), len(BODY)), url, '"1"')]})
    result = project.sync(dry_run=True)
    assert (result.exit_code, result.data["problems"], len(result.lines)) == (0, [], 2)
    (case,) = result.cases
    message = "model 'net' v1 has another ETag at its source than when it was locked: its bytes may have changed"
    problem = Problem("models.yaml", 3, project.column("url"), message, "--deep reads them", "size", "warning")
    assert case.problem == problem
    (line,) = reports.github([problem])
    assert line.startswith("::warning file=models.yaml,line=3,")
    assert json.loads(reports.codequality([problem]))[0]["severity"] == "minor"
    told = reports.junit("models sync", result.cases).decode()
    assert 'failures="0"' in told
    assert "another ETag at its source" in told

    server.serve("/net.bin", Answer(OTHER, etag='"1"'))
    assert [case.problem for case in project.sync(dry_run=True).cases] == [None]
    server.serve("/net.bin", Answer(OTHER + b"!", etag='"2"'))
    ran = project.sync(dry_run=True)
    assert (ran.exit_code, [case.problem.level for case in ran.cases if case.problem]) == (3, ["error"])


def test_a_placeholder_is_named_as_what_is_wrong(server: ModelServer, project: ModelProject) -> None:
    project.declare(entry("net", server.serve("/net.bin", BODY), b""))
    result = project.sync(dry_run=True)
    assert grades(result) == {"net": "changed"}
    assert f"expected md5 {PLACEHOLDER_MD5}\n  got      md5 that of 20 bytes\n" in result.lines[-1]
    assert "a placeholder: if these bytes are right, write their own" in result.lines[-1]
    levels = [case.problem.level for case in result.cases if case.problem]
    assert levels == ["error", "warning"]
    assert len(result.data["problems"]) == 1


def test_nginx_shows_by_its_etag_that_it_is_what_was_locked(nginx: Nginx, project: ModelProject) -> None:
    (nginx.root / "net.bin").write_bytes(BODY)
    os.utime(nginx.root / "net.bin", (1_700_000_000, 1_700_000_000))
    url = nginx.url("/net.bin")
    known = Digests(md5(BODY), sha256(BODY), len(BODY))
    project.declare(entry("net", url, BODY))
    project.write_lock({"net": [LockedFile("", known, url, f'"{1_700_000_000:x}-{len(BODY):x}"')]})
    assert grades(project.sync(dry_run=True)) == {"net": "locked"}
    (nginx.root / "net.bin").write_bytes(OTHER)
    assert grades(project.sync(dry_run=True)) == {"net": "size"}
    (nginx.root / "net.bin").write_bytes(OTHER + b"!")
    result = project.sync(dry_run=True)
    assert (result.exit_code, grades(result)) == (3, {"net": "changed"})


# --- who is asked ------------------------------------------------------------------------------------------------


def test_what_is_in_place_or_in_the_store_is_asked_for_too(server: ModelServer, project: ModelProject) -> None:
    archive = tarball({"a": b"1"})
    project.declare(
        entry("kept", server.serve("/kept.bin", BODY), BODY),
        entry("linked", server.serve("/linked.tar", archive), archive),
    )
    assert project.sync().exit_code == 0
    (project.checkpoints / "linked_v1" / "a").unlink()
    (project.checkpoints / "linked_v1").rmdir()
    server.asked.clear()
    before = everything(project)
    result = project.sync(dry_run=True)
    assert [(row["action"], row["state"]) for row in result.data["models"]] == [("keep", "kept"), ("link", "to link")]
    assert {(asked.method, asked.path) for asked in server.asked} == {("HEAD", "/kept.bin"), ("HEAD", "/linked.tar")}

    server.serve("/kept.bin", Answer(status=410))
    server.serve("/linked.tar", Answer(status=410))
    result = project.sync(dry_run=True)
    assert result.exit_code == 3
    assert [(row["action"], row["state"]) for row in result.data["models"]] == [
        ("keep", "unreachable"),
        ("link", "unreachable"),
    ]
    url = server.url("/kept.bin")
    assert result.lines[0] == f"keep   unreachable  kept v1: verified; {url} does not have it to give"
    assert f"from {url}\n" in result.lines[-2]
    assert "the server answered 410" in result.lines[-2]
    assert everything(project) == before


def test_sources_are_asked_side_by_side(server: ModelServer, project: ModelProject) -> None:
    # Nobody is answered before all are there: asked one after the other, they would wait in vain.
    together = threading.Barrier(4)

    def answer(asked: Asked) -> Answer:
        together.wait(20)
        return Answer(BODY)

    project.declare(*(entry(f"net{number}", server.serve(f"/{number}", answer), BODY) for number in range(8)))
    assert project.sync(dry_run=True, jobs=4).exit_code == 0
    assert server.most_at_once == 4
    assert len(server.asked) == 8


def test_models_out_of_one_artifact_are_one_question(server: ModelServer, project: ModelProject) -> None:
    archive = tarball({"a": b"1", "b": b"2"})
    url = server.serve("/zoo.tar", archive)
    project.declare(entry("a", url, archive, path="a/"), entry("b", url, archive, path="b/"))
    result = project.sync(dry_run=True)
    assert [case.name for case in result.cases] == ["a v1", "b v1"]
    assert len(server.asked) == 1


def test_a_server_that_is_busy_is_asked_again(server: ModelServer, project: ModelProject, delays: list[float]) -> None:
    answers = iter([busy(503, 3), Answer(BODY)])
    url = server.serve("/net.bin", lambda _: next(answers))
    project.declare(entry("net", url, BODY))
    assert project.sync(dry_run=True).exit_code == 0
    assert delays == [3]
    said = "the server answered 503 Service Unavailable, and asks to be left alone for 3 s; trying again in 0.0 s"
    assert project.said == [f"{url}: {said}"]
    server.serve("/net.bin", busy(503))
    server.asked.clear()
    result = project.sync(dry_run=True)
    assert (result.exit_code, grades(result)) == (3, {"net": "unreachable"})
    assert len(server.asked) == 3


def test_an_empty_registry_is_all_well(project: ModelProject) -> None:
    project.declare()
    result = project.sync(dry_run=True)
    assert (result.exit_code, result.lines, result.cases) == (0, ("models: none",), ())


# --- places ------------------------------------------------------------------------------------------------------


@pytest.fixture
def other() -> Iterator[ModelServer]:
    with ModelServer("127.0.0.2") as running:
        yield running


def test_places_are_asked_in_order_until_one_answers_well(
    server: ModelServer, other: ModelServer, project: ModelProject
) -> None:
    proves = Answer(BODY, headers={"Content-MD5": b64(md5(BODY))})
    mirrors = [other.serve("/wrong", Answer(OTHER, headers={"Content-MD5": b64(md5(OTHER))}))]
    mirrors += [other.serve("/right", proves), other.serve("/never", proves)]
    project.declare(entry("net", server.url("/gone.bin"), BODY, mirrors=mirrors))
    result = project.sync(dry_run=True)
    assert (result.exit_code, states(result)) == (0, {"net": "to fetch"})
    assert [asked.path for asked in [*server.asked, *other.asked]] == ["/gone.bin", "/wrong", "/right"]
    file = files_of(result, "net")[""]
    assert (file["grade"], file["place"]) == ("proven", mirrors[1])
    gone = f"{server.url('/gone.bin')}: the server answered 404 Not Found"
    assert file["passed_over"] == [
        gone,
        f"{mirrors[0]}: announces other bytes than expected (md5 by Content-MD5)",
    ]
    assert f"{mirrors[1]} has it, 20 bytes (md5 by Content-MD5); not had from {gone}; not" in result.lines[0]
    assert f"not had from {gone}" in result.cases[0].note


def test_the_first_place_that_answers_is_enough(server: ModelServer, other: ModelServer, project: ModelProject) -> None:
    project.declare(entry("net", server.serve("/net.bin", BODY), BODY, mirrors=[other.serve("/net.bin", BODY)]))
    assert grades(project.sync(dry_run=True)) == {"net": "unverifiable"}
    assert other.asked == []


def test_where_no_place_answers_well_all_are_named(
    server: ModelServer, other: ModelServer, project: ModelProject
) -> None:
    wrong = other.serve("/wrong", Answer(OTHER, headers={"Content-MD5": b64(md5(OTHER))}))
    project.declare(entry("net", server.url("/gone.bin"), BODY, mirrors=[wrong]))
    result = project.sync(dry_run=True)
    assert (result.exit_code, grades(result)) == (3, {"net": "changed"})
    at = f"models.yaml:3:{project.column('md5')}"
    assert result.lines[-1].split("\n  ")[:6] == [
        f"{at}: model 'net' v1: none of 2 places has it to give",
        f"from {server.url('/gone.bin')}: the server answered 404 Not Found",
        "  look at the address in a browser: the file may have moved",
        f"from {wrong}: announces other bytes than expected (md5 by Content-MD5)",
        f"  expected md5 {md5(BODY)}",
        f"  got      md5 {md5(OTHER)}",
    ]


def test_a_rewritten_address_is_shown_as_the_one_that_was_asked(server: ModelServer, project: ModelProject) -> None:
    server.serve("/far/net.bin", BODY)
    project.environ["ENVKIT_URL_REWRITE"] = f"https://far.example/={server.url('/far/')}"
    project.declare(entry("net", "https://far.example/net.bin", BODY))
    assert files_of(project.sync(dry_run=True), "net")[""]["url"] == server.url("/far/net.bin")


# --- other sources -----------------------------------------------------------------------------------------------


def test_a_file_on_a_share_shows_its_size_and_no_more(project: ModelProject, tmp_path: Path) -> None:
    (tmp_path / "net.bin").write_bytes(OTHER)
    (tmp_path / "short.bin").write_bytes(b"1")
    at = {"version": "v1", "source": "file", "md5": md5(BODY), "size": len(BODY)}
    project.declare(
        {"name": "net", "path": str(tmp_path / "net.bin"), **at},
        {"name": "short", "path": str(tmp_path / "short.bin"), **at},
        {"name": "gone", "path": str(tmp_path / "gone.bin"), **at},
    )
    result = project.sync(dry_run=True)
    assert grades(result) == {"net": "size", "short": "changed", "gone": "unreachable"}
    assert files_of(result, "net")[""]["url"] == (tmp_path / "net.bin").as_uri()
    assert "is that mounted here?" in result.lines[-1]


FILES = {"config.json": b"{}", "onnx/net.onnx": b"weights" * 100}


@pytest.fixture
def hub(server: ModelServer, other: ModelServer, project: ModelProject) -> FakeHub:
    """A hub of whose two files one is kept elsewhere."""
    made = FakeHub(server, other)
    made.publish(FILES, lfs=["onnx/net.onnx"])
    project.environ["HF_ENDPOINT"] = server.url("")
    return made


def of_hub(**more: object) -> dict[str, object]:
    return {"name": "ocr", "version": "1", "source": "huggingface", "repo": REPO, "revision": COMMIT, **more}


def test_a_commit_of_a_hub_proves_every_file_of_it(hub: FakeHub, project: ModelProject, other: ModelServer) -> None:
    project.declare(of_hub())
    result = project.sync(dry_run=True)
    assert result.exit_code == 0
    found = files_of(result, "ocr")
    assert {path: (file["grade"], file["evidence"]) for path, file in found.items()} == {
        "config.json": ("proven", "git blob by the hub"),
        "onnx/net.onnx": ("proven", "sha256 by the hub"),
    }
    assert {path: file["url"] for path, file in found.items()} == {
        path: hub.server.url(hub.file(path)) for path in FILES
    }
    assert [case.name for case in result.cases] == ["ocr 1: config.json", "ocr 1: onnx/net.onnx"]
    (line, summary) = result.lines
    assert line == (
        f"fetch  proven  ocr 1: is not there yet; the hub ({AT}) has it, 702 bytes"
        " (git blob by the hub, sha256 by the hub)"
    )
    assert summary == "models: 1 proven"
    assert {asked.method for asked in other.asked} == {"HEAD"}


def test_a_file_of_a_hub_that_is_not_what_was_locked(hub: FakeHub, project: ModelProject) -> None:
    project.declare(of_hub(revision="main"))
    weights = FILES["onnx/net.onnx"]
    known = {
        "config.json": Digests(md5(b"[]"), sha256(b"[]"), 2, git_blob(b"[]")),
        "onnx/net.onnx": Digests(md5(weights), sha256(weights), len(weights)),
        "keys.txt": Digests(md5(b"keys"), sha256(b"keys"), 4),
    }
    project.write_lock({"ocr": [LockedFile(path, digests) for path, digests in known.items()]})
    result = project.sync(dry_run=True)
    assert result.exit_code == 3
    found = files_of(result, "ocr")
    assert {path: file["grade"] for path, file in found.items()} == {
        "config.json": "changed",
        "onnx/net.onnx": "proven",
        "keys.txt": "changed",
    }
    problems = {case.name: case.problem for case in result.cases}
    assert problems["ocr 1: onnx/net.onnx"] is None
    assert f"expected git blob {git_blob(b'[]')}\n  got      git blob {git_blob(b'{}')}" in str(
        problems["ocr 1: config.json"]
    )
    assert "model 'ocr' 1: keys.txt: keys.txt is not there any more" in str(problems["ocr 1: keys.txt"])
    assert {problem.column for problem in problems.values() if problem} == {project.column("repo")}


def test_a_hub_that_refuses_is_unreachable_and_says_why(hub: FakeHub, project: ModelProject) -> None:
    hub.refuse(hub.api(f"tree/{COMMIT}"), 401, "GatedRepo")
    project.declare(of_hub())
    result = project.sync(dry_run=True)
    assert (result.exit_code, grades(result)) == (3, {"ocr": "unreachable"})
    assert f"{REPO} is gated" in result.lines[-1]
    assert [case.name for case in result.cases] == ["ocr 1"]


def test_a_mirror_stands_in_for_a_hub_that_is_away(hub: FakeHub, project: ModelProject, other: ModelServer) -> None:
    proves = Answer(b"{}", headers={"Content-MD5": b64(md5(b"{}"))})
    project.declare(of_hub(path="config.json", md5=md5(b"{}"), mirrors=other.serve("/config.json", proves)))
    hub.refuse(hub.api(f"tree/{COMMIT}"), 404)
    result = project.sync(dry_run=True)
    assert (result.exit_code, grades(result)) == (0, {"ocr": "proven"})
    assert project.sync().exit_code == 0


def test_no_mirror_stands_in_where_only_the_hub_knows_the_bytes(
    hub: FakeHub, project: ModelProject, other: ModelServer
) -> None:
    project.declare(of_hub(path="config.json", mirrors=other.serve("/config.json", b"{}")))
    assert grades(project.sync(dry_run=True)) == {"ocr": "proven"}
    hub.refuse(hub.api(f"tree/{COMMIT}"), 404)
    result = project.sync(dry_run=True)
    assert (result.exit_code, grades(result)) == (3, {"ocr": "unreachable"})
    assert other.asked == []


MEMBERS = {"ocr/det/net.json": b"det"}
WHEEL = "/files/tiny_models-1.0-py3-none-any.whl"


def of_index(**more: object) -> dict[str, object]:
    where = {"source": "pypi", "package": "tiny-models==1.0", "path": "ocr/det"}
    return {"name": "det", "version": "1.0", **where, **more}


def test_an_index_proves_its_wheel_and_no_wheel_is_fetched(index: ModelServer, project: ModelProject) -> None:
    body = index.serve_wheel("tiny-models", "1.0", MEMBERS)
    project.declare(of_index(sha256=sha256(body)))
    result = project.sync(dry_run=True)
    assert (result.exit_code, grades(result)) == (0, {"det": "proven"})
    file = files_of(result, "det")[""]
    assert (file["evidence"], file["url"], file["size"]) == ("sha256 by the index", index.url(WHEEL), len(body))
    assert {(asked.method, asked.path) for asked in index.asked} == {("GET", "/simple/tiny-models/"), ("HEAD", WHEEL)}
    assert not list(Path(os.environ["PIP_CACHE_DIR"]).rglob("*.whl"))

    project.declare(of_index(sha256=sha256(OTHER)))
    result = project.sync(dry_run=True)
    assert (result.exit_code, grades(result)) == (3, {"det": "changed"})
    assert f"got      sha256 {sha256(body)}" in result.lines[-1]


def test_an_index_that_speaks_json_names_the_size_too(index: ModelServer, project: ModelProject) -> None:
    body = index.serve_wheel("tiny-models", "1.0", MEMBERS)
    listed = {"filename": WHEEL.rpartition("/")[2], "url": WHEEL, "hashes": {"sha256": sha256(body)}, "size": 1}
    media_type = {"Content-Type": "application/vnd.pypi.simple.v1+json"}
    page = json.dumps({"meta": {"api-version": "1.1"}, "name": "tiny-models", "files": [listed]})
    index.serve("/simple/tiny-models/", Answer(page.encode(), headers=media_type))
    project.declare(of_index(sha256=sha256(body), size=len(body)))
    result = project.sync(dry_run=True)
    assert grades(result) == {"det": "changed"}
    assert "got      size 1" in result.lines[-1]


def test_a_wheel_that_is_listed_and_away_is_unreachable(index: ModelServer, project: ModelProject) -> None:
    body = index.serve_wheel("tiny-models", "1.0", MEMBERS)
    index.serve(WHEEL, Answer(status=404))
    project.declare(of_index(sha256=sha256(body)))
    result = project.sync(dry_run=True)
    assert (result.exit_code, grades(result)) == (3, {"det": "unreachable"})
    assert "the server answered 404" in result.lines[-1]


def test_a_second_index_has_what_the_first_lacks(
    index: ModelServer, other: ModelServer, project: ModelProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = other.serve_wheel("tiny-models", "1.0", MEMBERS)
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", other.url("/simple").replace("http://", "http://team:s3cret@"))
    other.require("team", "s3cret")
    project.declare(of_index(sha256=sha256(body)))
    result = project.sync(dry_run=True)
    assert grades(result) == {"det": "proven"}
    assert files_of(result, "det")[""]["url"] == other.url(WHEEL)
    assert "s3cret" not in everything_said(project, result)


def test_a_wheel_in_a_folder_is_there_and_cannot_be_proven(
    index: ModelServer, project: ModelProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    body = wheel("tiny-models", "1.0", MEMBERS)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / WHEEL.rpartition("/")[2]).write_bytes(body)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "folder"))
    project.declare(of_index(sha256=sha256(body)))
    result = project.sync(dry_run=True)
    assert (result.exit_code, grades(result)) == (0, {"det": "unverifiable"})
    assert index.asked == []


# --- what is not told ---------------------------------------------------------------------------------------------


def everything_said(project: ModelProject, ran: Ran) -> str:
    return "\n".join([*ran.lines, json.dumps(ran.data), repr(ran.cases), *project.said])


def test_secrets_stay_out_of_lines_json_and_reports(
    server: ModelServer, other: ModelServer, hub: FakeHub, project: ModelProject
) -> None:
    def signed(path: str, answer: Answering) -> str:
        other.serve(path, answer)
        server.serve(path, redirect(f"{other.url(path)}?sig=s3cret"))
        return server.url(path).replace("http://", "http://me:s3cret@") + "?token=s3cret"

    project.environ |= {"HF_TOKEN": "s3cret", "ENVKIT_TOKEN_127_0_0_1": "s3cret"}
    project.declare(
        entry("good", signed("/good", BODY), BODY),
        entry("gone", signed("/gone", Answer(status=403)), BODY, mirrors=[signed("/mirror", Answer(status=500))]),
        entry("changed", signed("/changed", BODY), BODY, size=3),
        of_hub(),
        of_hub(name="wrong", path="config.json", md5=md5(BODY), sha256=sha256(BODY), size=7),
    )
    result = project.sync(dry_run=True)
    assert grades(result) == {
        "good": "unverifiable",
        "gone": "unreachable",
        "changed": "changed",
        "ocr": "proven",
        "wrong": "changed",
    }
    assert "s3cret" not in everything_said(project, result)
    assert not any("Authorization" in asked.headers for asked in other.asked)
    assert files_of(result, "good")[""]["url"] == other.url("/good")


# --- the call in existing pipelines, and the other commands --------------------------------------------------------

SCRIPT = """\
import sys

from envkit.cli import main

sys.exit(main(["models", "sync", *sys.argv[1:]]))
"""


def test_a_script_of_three_lines_is_the_dry_run_of_existing_pipelines(
    server: ModelServer, project: ModelProject
) -> None:
    (project.path / "sync_models.py").write_text(SCRIPT)

    def call(*options: str) -> subprocess.CompletedProcess[str]:
        command = (sys.executable, "sync_models.py", *options)
        environ = {**os.environ, "HOME": str(project.path.parent)}
        return subprocess.run(command, cwd=project.path, env=environ, capture_output=True, text=True, check=False)

    url = server.serve("/net.bin", Answer(BODY, headers={"Content-MD5": b64(md5(BODY))}))
    project.declare(entry("net", url, BODY))
    done = call("--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "models: 1 proven"
    assert json.loads(call("--dry-run", "--json").stdout)["models"][0]["grade"] == "proven"
    assert not project.checkpoints.exists()
    project.declare(entry("net", url, OTHER))
    done = call("--dry-run")
    assert done.returncode == 3
    assert "announces other bytes than expected" in done.stdout
    assert call("--nonsense").returncode == 2


def test_sync_and_verify_tell_reports_of_every_model_too(server: ModelServer, project: ModelProject) -> None:
    project.declare(
        entry("good", server.serve("/good.bin", BODY), BODY),
        entry("wrong", server.serve("/wrong.bin", OTHER), b"another"),
    )
    result = project.sync()
    assert [(case.group, case.name, case.note) for case in result.cases] == [
        ("models", "good v1", "fetched"),
        ("models", "wrong v1", "failed"),
    ]
    good, wrong = (case.problem for case in result.cases)
    assert good is None
    assert wrong
    assert (wrong.file, wrong.line, wrong.rule) == ("models.yaml", 4, "bytes")
    assert str(wrong) == result.lines[-1]

    (project.checkpoints / "good_v1.bin").chmod(0o644)
    (project.checkpoints / "good_v1.bin").write_bytes(OTHER)
    result = project.verify()
    assert [(case.name, case.note, case.problem and case.problem.rule) for case in result.cases] == [
        ("good v1", "changed", "changed"),
        ("wrong v1", "absent", "absent"),
    ]
    assert project.sync(jobs=1).cases[0].note == "fetched"
