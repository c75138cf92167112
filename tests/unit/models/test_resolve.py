"""What floats, against real servers: an index of versions in every form, a package index, a hub's tags and branches."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envkit.models.locking import resolve
from envkit.models.locking.choice import decide
from envkit.models.locking.lock import Lock, LockedFile, dump
from envkit.models.locking.measure import Measured, Task
from envkit.models.model import Digests, Model
from envkit.models.registry import registry
from envkit.settings import Settings
from tests.support import nginx
from tests.support.hub import REPO, FakeHub
from tests.support.model_project import ModelProject, Ran, md5, sha256
from tests.support.model_server import Answer, ModelServer, wheel
from tests.support.pypi_server import PypiServer

HTML = {"Content-Type": "text/html"}
BODIES = {version: f"weights {version}".encode() for version in ("v1.0", "v1.9", "v1.10", "v2.0rc1", "v2.0+cu118")}


def floating(index: str, url: str, version: str = "stable", **more: object) -> dict[str, object]:
    return {"name": "net", "version": version, "source": "http", "url": url, "index_url": index, **more}


def chosen(ran: Ran, project: ModelProject) -> str:
    assert ran.exit_code == 0, ran.lines
    version = project.locked()["net"]["version"]
    assert isinstance(version, str)
    return version


@pytest.fixture
def files(server: ModelServer) -> str:
    """The template of a URL at which every version is."""
    for version, body in BODIES.items():
        server.serve(f"/nets/{version}/net.bin", body)
    return server.url("/nets/{version}/net.bin")


# --- lists of versions ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "listed",
    [
        ["v1.0", "v1.10", "v1.9", "nightly", "v2.0rc1"],
        {"versions": ["v1.9", "v1.10", "v1.0"]},
        {"versions": {"v1.10": {"notes": "…"}, "v1.9": None}},
        [{"version": "v1.10"}, {"version": "v1.9", "size": 1}],
        [{"tag_name": "v1.10", "name": "Ten"}, {"tag_name": "v1.9", "name": "Nine"}],
        [{"name": "v1.9"}, {"name": "v1.10"}, {"name": None}, 7, None],
    ],
    ids=["list", "object", "by version", "objects", "releases", "tags"],
)
def test_versions_come_from_json(listed: object, files: str, server: ModelServer, project: ModelProject) -> None:
    index = server.serve("/versions.json", json.dumps(listed).encode())
    project.declare(floating(index, files))
    assert chosen(project.lock(), project) == "v1.10"
    assert project.locked()["net"]["locator"] == server.url("/nets/v1.10/net.bin")
    assert project.sync().exit_code == 0
    assert project.listing() == {"net_v1.10.bin": BODIES["v1.10"]}


@pytest.mark.parametrize(
    ("wish", "version"),
    [
        ("latest", "v2.0+cu118"),
        ("stable", "v2.0+cu118"),
        (">=1.0,<1.10", "v1.9"),
        ("~=1.0", "v1.10"),
        ("<2,!=1.10", "v1.9"),
        ("==2.0rc1", "v2.0rc1"),
    ],
)
def test_versions_are_compared_as_pep_440_does(
    wish: str, version: str, files: str, server: ModelServer, project: ModelProject
) -> None:
    project.declare(floating(server.serve("/v.json", json.dumps([*BODIES]).encode()), files, wish))
    assert chosen(project.lock(), project) == version
    assert project.locked()["net"]["files"][0]["sha256"] == sha256(BODIES[version])


def test_no_pre_release_is_stable_and_the_latest_may_be_one(
    files: str, server: ModelServer, project: ModelProject
) -> None:
    index = server.serve("/v.json", b'["v1.9", "v2.0rc1"]')
    project.declare(floating(index, files))
    assert chosen(project.lock(), project) == "v1.9"
    project.declare(floating(index, files, "latest"))
    assert chosen(project.lock(), project) == "v2.0rc1"


@pytest.mark.parametrize(("wish", "written"), [("stable", "v2.0rc1"), (">=1.0,<1.10", "v1.10"), ("v1.0", "v1.9")])
def test_a_version_that_an_entry_does_not_take_is_told_and_mended(
    wish: str, written: str, files: str, server: ModelServer, project: ModelProject
) -> None:
    index = server.serve("/v.json", b'["v1.0", "v1.9", "v1.10", "v2.0rc1"]')
    known = floating(index, files, wish)
    if wish == "v1.0":
        known = {"name": "net", "version": wish, "source": "http", "url": server.url("/nets/v1.0/net.bin")}
    project.declare(known)
    right = chosen(project.lock(), project)
    text = project.lock_file.read_text("utf-8")
    head, key, tail = text.partition("\n  version: ")  # and not the one that is asked for, further in
    project.lock_file.write_text(head + key + tail.replace(right, written), "utf-8")
    told = project.lock(check=True)
    assert (told.exit_code, len(told.lines)) == (2, 1)
    assert f"is locked to what it does not name: version {written} from " in told.lines[0]
    assert told.lines[0].endswith("\n  envkit models lock")
    assert chosen(project.lock(), project) == right
    assert project.lock(check=True).exit_code == 0
    assert project.sync().exit_code == 0


def test_a_list_may_have_pages(files: str, server: ModelServer, project: ModelProject) -> None:
    server.serve("/tags", Answer(b'[{"name": "v1.0"}]', headers={"Link": '</tags2>; rel="next", </tags9>; rel="last"'}))
    server.serve("/tags2", b'[{"name": "v1.10"}]')
    project.declare(floating(server.url("/tags"), files))
    assert chosen(project.lock(), project) == "v1.10"
    server.serve("/tags2", Answer(b"[]", headers={"Link": '</tags>; rel="next"'}))
    again = project.lock(upgrade=[])
    assert again.exit_code == 3
    assert "has a list without end" in again.lines[-1]


@pytest.mark.parametrize(
    ("template", "links"),
    [
        ("/nets/net-{version}.bin", ["net-v1.9.bin", "net-v1.10.bin", "net-v1.10.bin.md5", "../", "other-v3.bin"]),
        ("/nets/net-{version}.bin", ["/nets/net-v1.9.bin?sign=1", "{host}/nets/net-v1.10.bin?sign=2#x"]),
        ("/nets/{version}/net.bin", ["../", "v1.9/", "v1.10/", "notes.txt", "http://[", "?C=N;O=D"]),
        ("/nets/{version}/net.bin", ["v1.9/net.bin", "v1.10/net.bin", "v3/other.bin/net.bin"]),
        ("/nets/{version}/net_{version}.bin", ["v1.9/", "v1.10/"]),
        ("/nets/{version}/net_{version}.bin", ["v1.10/net_v1.10.bin", "v1.10/net_v3.bin", "v3/net_v4.bin"]),
        ("/nets/r{version}/deep/net.bin", ["rv1.9/", "rv1.10/", "v3/"]),
        ("/nets/net.bin?v={version}", ["net.bin?v=v1.9", "net.bin?v=v1.10", "net.bin?w=v3"]),
        ("/nets/net-{version}.bin", ["https://cdn.example/nets/net-v1.10.bin", "https://cdn.example/net-v3.bin"]),
    ],
)
def test_versions_come_from_the_links_of_a_page(
    template: str, links: list[str], server: ModelServer, project: ModelProject
) -> None:
    page = "".join(f'<li><A HREF="{link.replace("{host}", server.url(""))}">x</A>' for link in links)
    index = server.serve("/nets/", Answer(page.encode(), headers=HTML))
    where = template.format(version="v1.10")
    server.serve(where.partition("?")[0], b"weights")
    project.declare(floating(index, server.url(template)))
    assert chosen(project.lock(), project) == "v1.10"
    assert project.locked()["net"]["locator"] == server.url(where)


def test_links_are_relative_to_where_a_page_was_found(server: ModelServer, project: ModelProject) -> None:
    server.serve("/nets/net-1.bin", b"weights")
    server.serve("/index", Answer(status=302, headers={"Location": "/moved/here/"}))
    server.serve("/moved/here/", Answer(b"<base href='/nets/'><a href='net-1.bin'>", headers=HTML))
    project.declare(floating(server.url("/index"), server.url("/nets/net-{version}.bin")))
    assert chosen(project.lock(), project) == "1"


@pytest.mark.parametrize(
    "template", ["/nets/{version}/net.bin", "/nets/{version}/net-{version}.bin", "/nets/net-{version}.bin"]
)
def test_a_folder_that_a_real_server_lists_is_an_index(template: str, project: ModelProject, tmp_path: Path) -> None:
    for version in ("1.9", "1.10", "2.0a1"):
        path = tmp_path / "served" / template.format(version=version).lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(version.encode())
    (tmp_path / "served" / "nets" / "archive").mkdir()
    with nginx.serving(tmp_path / "served", tmp_path / "nginx", server="autoindex on;") as running:
        project.declare(floating(running.url("/nets/"), running.url(template)))
        assert chosen(project.lock(), project) == "1.10"
        assert project.sync().exit_code == 0
    assert project.listing() == {"net_1.10.bin": b"1.10"}


def test_what_an_index_says_of_the_bytes_is_held_to(files: str, server: ModelServer, project: ModelProject) -> None:
    right = {"md5": md5(BODIES["v1.10"]).upper(), "sha256": sha256(BODIES["v1.10"]), "size": len(BODIES["v1.10"])}
    index = server.serve("/v.json", json.dumps({"versions": {"v1.10": right, "v1.0": {"md5": "0" * 32}}}).encode())
    project.declare(floating(index, files))
    assert chosen(project.lock(), project) == "v1.10"

    project.lock_file.unlink()
    server.serve("/v.json", json.dumps([{"version": "v1.9", "sha256": "0" * 64}]).encode())
    ran = project.lock()
    assert ran.exit_code == 3
    assert f"expected sha256 {'0' * 64}\n  got      sha256 {sha256(BODIES['v1.9'])}" in ran.lines[-1]
    assert not project.lock_file.exists()


def test_what_models_yaml_says_against_the_index_is_told_before_anything_is_fetched(
    files: str, server: ModelServer, project: ModelProject
) -> None:
    index = server.serve("/v.json", json.dumps([{"version": "v1.9", "md5": "0" * 32}]).encode())
    project.declare(floating(index, files, md5="1" * 32))
    ran = project.lock()
    assert ran.exit_code == 3
    assert "models.yaml and the index say different things of version v1.9" in ran.lines[-1]
    assert f"expected md5 {'1' * 32}\n  got      md5 {'0' * 32}" in ran.lines[-1]
    assert server.count("GET", "/nets/v1.9/net.bin") == 0


@pytest.mark.parametrize("wrong", [{"md5": "0a"}, {"sha256": 7}, {"size": "9"}, {"size": -1}])
def test_a_digest_that_is_none_is_no_reason_to_go_without(
    wrong: Mapping[str, object], files: str, server: ModelServer, project: ModelProject
) -> None:
    index = server.serve("/v.json", json.dumps([{"version": "v1.9", **wrong}]).encode())
    project.declare(floating(index, files))
    ran = project.lock()
    assert ran.exit_code == 3
    assert f"{index} says of version v1.9 that its {next(iter(wrong))} is" in ran.lines[-1]


# --- packages and hubs ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("wish", "version"), [("stable", "1.10.0"), ("latest", "2.0rc1"), (">=1.0,<1.10", "1.9")])
def test_a_package_floats_among_the_wheels_of_the_machines_index(
    wish: str, version: str, pypi_server: PypiServer, project: ModelProject
) -> None:
    for offered in ("1.0", "1.9", "1.10.0", "2.0rc1"):
        name = f"tiny_models-{offered}-py3-none-any.whl"
        pypi_server.offer(name, wheel("tiny-models", offered, {"a/net.txt": offered.encode()}))
    project.declare({"name": "net", "version": wish, "source": "pypi", "package": "tiny-models", "path": "a/net.txt"})
    assert chosen(project.lock(), project) == version
    assert project.locked()["net"]["locator"] == f"tiny-models=={version}"
    # Mirrors are each machine's own matter, and their addresses may have a password in them.
    assert str(pypi_server.port) not in project.lock_file.read_text("utf-8")
    asked = pypi_server.asked()
    assert {line for line in asked if line.endswith(".whl")} == {
        f"GET /packages/tiny_models-{version}-py3-none-any.whl"
    }
    assert project.sync().exit_code == 0
    assert project.listing() == {f"net_{version}.txt": version.encode()}
    assert pypi_server.asked() == asked


@dataclass
class HubProject(ModelProject):
    """A project whose hub is at ``endpoint``."""

    endpoint: str = ""

    @property
    def settings(self) -> Settings:
        return replace(super().settings, hub_endpoint=self.endpoint)


@pytest.fixture
def hub(server: ModelServer) -> FakeHub:
    made = FakeHub(server)
    for number, revision in enumerate(("main", "v1.9", "v1.10", "v2.0-rc1")):
        files = {"net.onnx": f"weights {revision}".encode(), "config.json": b"{}"}
        made.publish(files, lfs=["net.onnx"], commit=f"{number:040x}", revision=revision)
    made.publish_refs(tags=["v1.9", "v1.10", "v2.0-rc1"])
    return made


@pytest.fixture
def at_hub(hub: FakeHub, project: ModelProject) -> HubProject:
    return HubProject(project.path, endpoint=hub.server.url(""))


def of_hub(version: str = "stable", **more: object) -> dict[str, object]:
    return {"name": "net", "version": version, "source": "huggingface", "repo": REPO, **more}


def test_a_repository_floats_among_its_tags_and_is_locked_at_their_commit(hub: FakeHub, at_hub: HubProject) -> None:
    at_hub.declare(of_hub())
    assert chosen(at_hub.lock(), at_hub) == "v1.10"
    locked = at_hub.locked()["net"]
    assert locked["locator"] == f"{REPO}@{2:040x}"
    # The hub vouches for what a commit has: nothing was fetched to know it.
    assert [(file["path"], file["size"]) for file in locked["files"]] == [("config.json", 2), ("net.onnx", 13)]
    assert locked["files"][1]["sha256"] == sha256(b"weights v1.10")
    assert not [asked for asked in hub.server.asked if asked.method == "GET" and "/resolve/" in asked.path]
    assert at_hub.sync().exit_code == 0
    assert at_hub.listing() == {"net_v1.10/config.json": b"{}", "net_v1.10/net.onnx": b"weights v1.10"}


def test_a_branch_is_locked_at_its_commit_and_moves_only_when_it_is_told_to(hub: FakeHub, at_hub: HubProject) -> None:
    at_hub.declare(of_hub("5", path="net.onnx"))
    assert chosen(at_hub.lock(), at_hub) == "5"
    assert at_hub.sync().exit_code == 0
    text = at_hub.lock_file.read_text("utf-8")

    hub.publish({"net.onnx": b"newer"}, lfs=["net.onnx"], commit="9" * 40)
    assert at_hub.lock().lines == ("models.lock.yaml: 1 unchanged",)
    assert at_hub.lock_file.read_text("utf-8") == text
    assert at_hub.sync().exit_code == 0
    assert at_hub.listing() == {"net_5.onnx": b"weights main"}

    ran = at_hub.lock(upgrade=[])
    assert ran.lines == (
        f"moved    net 5: the hub ({REPO}@{0:040x}) → the hub ({REPO}@{'9' * 40})",
        "models.lock.yaml: 1 moved, 0 unchanged",
    )
    assert at_hub.sync().exit_code == 0
    assert at_hub.listing() == {"net_5.onnx": b"newer"}


# --- what cannot be had --------------------------------------------------------------------------------------------


def test_all_that_cannot_be_had_is_told_together_at_its_place_and_nothing_is_written(
    files: str, server: ModelServer, project: ModelProject, index: ModelServer, delays: list[float]
) -> None:
    index.serve_wheel("tiny-models", "0.9", {"a/net": b"x"})
    with ModelServer() as gone:
        away = gone.url("/versions.json")
    listed = server.serve("/v.json", json.dumps([*BODIES, "v0.1", "v0.2", "nightly"]).encode())
    project.declare(
        floating(listed, files),
        floating(listed, files, ">=9", name="nine"),
        floating(server.serve("/rc.json", b'["1rc1"]'), files, name="candidates"),
        floating(server.serve("/odd.json", b'["nightly", "a b"]'), files, name="odd"),
        floating(server.serve("/none", Answer(b"<p>nothing", headers=HTML)), files, name="none"),
        floating(away, files, name="away"),
        floating(server.serve("/gone.json", b'["v7"]'), files, name="gone"),
        {"name": "wheel", "version": ">1", "source": "pypi", "package": "tiny-models", "path": "a"},
        {"name": "package", "version": ">1", "source": "pypi", "package": "no-such-models", "path": "a"},
    )
    ran = project.lock()
    assert ran.exit_code == 3
    assert ran.lines[0] == "models.lock.yaml: as it was; 8 of 9 models could not be locked"
    told = dict(
        zip(("nine", "candidates", "odd", "none", "away", "gone", "wheel", "package"), ran.lines[1:], strict=True)
    )
    for line, (name, text) in enumerate(told.items(), start=4):
        assert re.match(rf"models\.yaml:{line}:\d+: model '{name}' ", text), text
    assert "model 'nine' >=9: there is no version >=9\n" in told["nine"]
    assert told["nine"].endswith("there are v2.0+cu118, v2.0rc1, v1.10, v1.9, v1.0 and 2 older")
    assert "there is no stable version\n" in told["candidates"]
    assert told["candidates"].endswith("there are 1rc1")
    assert told["odd"].endswith("nothing there is a version: nightly")
    assert f"{server.url('/none')} lists no versions\n" in told["none"]
    assert "Connection refused" in told["away"]
    assert f"the server answered 404 Not Found\n  from {server.url('/nets/v7/net.bin')}" in told["gone"]
    assert told["wheel"].endswith("from the package index (tiny-models)\n  there are 0.9")
    assert "No matching distribution found for no-such-models" in told["package"]
    assert ran.data["problems"] == list(ran.lines[1:])
    assert not project.lock_file.exists()
    # What did come is in the store: a lock that succeeds needs it no second time.
    project.declare(floating(listed, files))
    assert project.lock().exit_code == 0
    assert project.sync().exit_code == 0


def test_an_index_that_is_busy_is_asked_again(
    files: str, server: ModelServer, project: ModelProject, delays: list[float]
) -> None:
    index = server.serve("/v.json", Answer(status=503), Answer(b'["v1.9"]'))
    project.declare(floating(index, files))
    assert chosen(project.lock(), project) == "v1.9"
    assert len(delays) == 1


def test_no_more_is_read_than_a_page_can_have(
    files: str, server: ModelServer, project: ModelProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("envkit.models.sources.index._MOST", 10)
    project.declare(floating(server.serve("/v.json", b'["v1.9", "v1.10"]'), files))
    assert "a page of more than 10 bytes" in project.lock().lines[-1]


# --- pure ----------------------------------------------------------------------------------------------------------

TEXT = f"""\
models:
  - {{name: a, version: stable, source: pypi, package: tiny, path: x/}}
  - {{name: b, version: '<2', source: pypi, package: tiny, path: y/, md5: {"0a" * 16}}}
  - {{name: c, version: latest, source: http, url: 'https://h/{{version}}/net', index_url: 'https://h/'}}
  - {{name: d, version: v7, source: http, url: 'https://h/d', mirrors: [https://m/d]}}
  - {{name: e, version: v7, source: huggingface, repo: team/ocr}}
"""
OFFERED = {"1.0": Digests(), "1.9": Digests(size=9), "2.0rc1": Digests(), "2.0": Digests(), "../3": Digests()}


def answers(models: Sequence[Model]) -> Mapping[tuple[str, str], Model]:
    """What sources say, without asking any."""
    return {(model.name, model.version): decide(model, OFFERED) if model.floats else model for model in models}


def measured(tasks: Sequence[Task]) -> Mapping[Task, Measured]:
    return {task: Measured((LockedFile("", Digests("0a" * 16, "0b" * 32, 9)),), "x") for task in tasks}


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.permutations(TEXT.splitlines()[1:]), st.sets(st.sampled_from("abcde")), st.sets(st.sampled_from("abcde")))
def test_a_lock_is_a_function_of_registry_answers_and_the_lock_before(
    lines: list[str], held: set[str], upgrade: set[str]
) -> None:
    straight, shuffled = (registry.parse("\n".join(["models:", *order])) for order in (TEXT.splitlines()[1:], lines))
    whole = made(straight, None, None)
    before = Lock.of(entry for entry in whole.entries.values() if entry.name in held)
    for wanted in (None, upgrade):
        one, other = (made(found, before, wanted) for found in (straight, shuffled))
        assert dump(one) == dump(other)
        kept = [key for key in before.entries if wanted is None]
        assert all(one.entries[key] is before.entries[key] for key in kept)


def made(found: registry.Registry, before: Lock | None, upgrade: set[str] | None) -> Lock:
    wanted = resolve.aim(found, before, upgrade)
    resolved = resolve.resolve(wanted, before, answers, measured, "2026-11-24T12:00:00Z")
    assert not resolved.failures
    return Lock.of(resolved.entries)


def test_what_comes_out_of_one_artifact_is_measured_once() -> None:
    found = registry.parse(TEXT.replace("stable", "'<2'"))
    asked: list[Task] = []

    def note(tasks: Sequence[Task]) -> Mapping[Task, Measured]:
        asked.extend(tasks)
        return measured(tasks)

    resolve.resolve(resolve.aim(found, None), None, answers, note, "now")
    assert [[key[0] for key, _ in task.models] for task in asked] == [["a", "b"], ["c"], ["d"], ["e"]]
    assert asked[0].artifact.digests.md5 == "0a" * 16


def test_nobody_is_asked_where_all_fits(project: ModelProject, files: str, server: ModelServer) -> None:
    project.declare(floating(server.serve("/v.json", b'["v1.9"]'), files))
    assert project.lock().exit_code == 0
    server.asked.clear()
    assert project.lock().lines == ("models.lock.yaml: 1 unchanged",)
    assert server.asked == []
