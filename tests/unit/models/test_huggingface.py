"""Files of a hub's repository, asked for over a real connection: which, of what digests, and why there are none."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from envkit.errors import ModelError
from envkit.models.model import Digests
from envkit.models.sources import SOURCES, Asking, Hub, Remote
from envkit.models.transfer.answers import StatusError, TransientError
from envkit.models.transfer.http import Http
from envkit.models.transfer.location import Location
from envkit.settings import Settings
from tests.support.hub import COMMIT, REPO, FakeHub, git_blob
from tests.support.model_project import ModelProject, md5, sha256, states
from tests.support.model_server import Answer, ModelServer

HUB = SOURCES["huggingface"]
AT = f"{REPO}@{COMMIT}"
TOKEN = "hf_s3cret"
FILES = {
    ".gitattributes": b"*.onnx filter=lfs\n",
    "README.md": b"# OCR\n",
    "config.json": b"{}",
    "onnx/.gitattributes": b"",
    "onnx/net.onnx": b"weights" * 100,
    "onnx/deep/keys é?.txt": b"keys",
}
WEIGHTS = FILES["onnx/net.onnx"]


@dataclass
class Recorded(Http):
    """The real thing, and the URLs that it was given."""

    urls: list[str] = field(default_factory=list)

    def json(self, location: Location) -> tuple[Any, str | None]:
        self.urls.append(location.url)
        return super().json(location)


@pytest.fixture
def store() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.fixture
def hub(server: ModelServer, store: ModelServer) -> FakeHub:
    made = FakeHub(server, store)
    made.publish(FILES, lfs=["onnx/net.onnx"])
    return made


@pytest.fixture
def http() -> Recorded:
    return Recorded()


@pytest.fixture
def asking(hub: FakeHub, http: Recorded) -> Asking:
    return Asking(http, lambda: None, Hub(hub.server.url("")))


def locate(asking: Asking, *paths: str, at: str = AT) -> dict[str, Remote]:
    return {remote.path: remote for remote in HUB.locate(at, paths, asking)}


def body_of(remote: Remote, asking: Asking) -> bytes:
    with asking.http.open(remote.location) as reply:
        return b"".join(iter(lambda: reply.read(1000), b""))


def failure(asking: Asking, *paths: str, at: str = AT) -> str:
    with pytest.raises(ModelError) as raised:
        HUB.locate(at, paths, asking)
    assert not isinstance(raised.value, StatusError)
    return str(raised.value)


def test_a_whole_repository_is_all_files_but_gits_own_with_their_digests(asking: Asking) -> None:
    found = locate(asking)
    assert set(found) == {"README.md", "config.json", "onnx/net.onnx", "onnx/deep/keys é?.txt"}
    assert found["config.json"].location.digests == Digests(size=2, git_blob=git_blob(b"{}"))
    assert found["onnx/net.onnx"].location.digests == Digests(sha256=sha256(WEIGHTS), size=700)
    for path, remote in found.items():
        assert body_of(remote, asking) == FILES[path]


def test_the_digest_of_a_small_file_is_the_one_git_has() -> None:
    said = subprocess.run(["git", "hash-object", "--stdin"], input=WEIGHTS, capture_output=True, check=True)
    assert said.stdout.decode().strip() == git_blob(WEIGHTS)


@pytest.mark.parametrize(
    ("paths", "chosen"),
    [
        (["onnx/"], ["onnx/net.onnx", "onnx/deep/keys é?.txt"]),
        (["onnx"], ["onnx/net.onnx", "onnx/deep/keys é?.txt"]),
        (["onnx/deep/"], ["onnx/deep/keys é?.txt"]),
        (["onnx/", "onnx/deep/"], ["onnx/net.onnx", "onnx/deep/keys é?.txt"]),
        (["config.json", "onnx/net.onnx"], ["config.json", "onnx/net.onnx"]),
        (["config.json", "onnx/deep/"], ["config.json", "onnx/deep/keys é?.txt"]),
        (["config.json", "config.json"], ["config.json"]),
        ([".gitattributes"], [".gitattributes"]),
    ],
)
def test_paths_pick_files_as_they_do_from_an_archive(asking: Asking, paths: list[str], chosen: list[str]) -> None:
    found = locate(asking, *paths)
    assert list(found) == chosen
    for path, remote in found.items():
        assert body_of(remote, asking) == FILES[path]


def test_one_file_that_is_named_is_the_artifact_itself(asking: Asking) -> None:
    (found,) = HUB.locate(AT, ("onnx/net.onnx",), asking)
    assert (found.path, found.location.digests.sha256) == ("", sha256(WEIGHTS))


@pytest.mark.parametrize(
    ("paths", "message", "hint"),
    [
        (["config.jsn"], f"{REPO} at '{COMMIT}' has no config.jsn", "did you mean 'config.json'?"),
        (["pytorch/"], f"{REPO} at '{COMMIT}' has no pytorch", "it has .gitattributes, README.md, config.json, on"),
        (["config.json", "gone.txt"], f"{REPO} at '{COMMIT}' has no gone.txt", "it has "),
    ],
)
def test_a_file_that_is_not_there_is_told(asking: Asking, paths: list[str], message: str, hint: str) -> None:
    said = failure(asking, *paths).splitlines()
    assert said[0] == message
    assert said[1].startswith(f"  {hint}")


def test_folders_that_look_like_files_and_clashes_are_told(hub: FakeHub, asking: Asking) -> None:
    hub.publish({"net.mlpackage/a.txt": b"a", "b/a.txt": b"b"})
    assert "end its path with '/'" in failure(asking, "net.mlpackage")
    assert set(locate(asking, "net.mlpackage/")) == {"net.mlpackage/a.txt"}
    assert "would be a.txt: net.mlpackage/a.txt and b/a.txt" in failure(asking, "net.mlpackage/", "b/")


@pytest.mark.parametrize("files", [{}, {".gitattributes": b""}])
def test_a_repository_without_files_is_told(hub: FakeHub, asking: Asking, files: dict[str, bytes]) -> None:
    hub.publish(files)
    assert failure(asking) == f"{REPO} at '{COMMIT}' has no files"
    assert "has no" in failure(asking, "a.txt")


def test_a_branch_is_resolved_once_and_a_commit_not_at_all(hub: FakeHub, asking: Asking, http: Recorded) -> None:
    hub.publish(FILES, revision="refs/pr/1")
    (found,) = locate(asking, "config.json", at=f"{REPO}@refs/pr/1").values()
    api = hub.server.url(f"/api/models/{REPO}")
    assert http.urls == [f"{api}/revision/refs%2Fpr%2F1", f"{api}/tree/{COMMIT}?recursive=true"]
    assert found.location.url == hub.server.url(f"/{REPO}/resolve/{COMMIT}/config.json")
    http.urls.clear()
    locate(asking, "config.json")
    assert http.urls == [f"{api}/tree/{COMMIT}?recursive=true"]


def test_long_lists_come_in_pages_all_from_the_hub_that_was_asked(hub: FakeHub, asking: Asking, http: Recorded) -> None:
    """A mirror passes on links to the hub behind it, which may be out of reach (huggingface_hub#3646)."""
    files = {f"{number}.txt": b"%d" % number for number in range(7)}
    hub.publish(files, page=3, behind="https://hub.invalid")
    ticks: list[int] = []
    asking = replace(asking, tick=lambda: ticks.append(1), hub=replace(asking.hub, token=TOKEN))
    assert set(locate(asking)) == set(files)
    api = hub.server.url(f"/api/models/{REPO}/tree/{COMMIT}?recursive=true")
    assert http.urls == [api, f"{api}&cursor=1", f"{api}&cursor=2"]
    assert len(ticks) == 3


def test_a_list_without_end_ends(hub: FakeHub, asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("envkit.models.sources.hub._MOST_PAGES", 5)
    hub.publish({f"{number}.txt": b"" for number in range(7)}, page=1)
    assert "answered with a list of files without end" in failure(asking)


def test_the_token_goes_to_the_hub_and_to_nobody_else(hub: FakeHub, asking: Asking, store: ModelServer) -> None:
    asking = replace(asking, hub=replace(asking.hub, token=TOKEN))
    found = locate(asking, "onnx/net.onnx", at=f"{REPO}@main")[""]
    assert body_of(found, asking) == WEIGHTS
    assert {asked.headers.get("Authorization") for asked in hub.server.asked} == {f"Bearer {TOKEN}"}
    assert store.asked
    assert not any("Authorization" in asked.headers for asked in store.asked)
    assert TOKEN not in repr(found)
    assert TOKEN not in repr(asking.hub)


def test_without_a_token_none_is_sent(hub: FakeHub, asking: Asking) -> None:
    locate(asking)
    assert not any("Authorization" in asked.headers for asked in hub.server.asked)


def test_a_probe_gives_the_size_and_takes_no_bytes(hub: FakeHub, asking: Asking, store: ModelServer) -> None:
    told = HUB.probe(AT, (), asking)
    assert {path: one.size for path, one in told.items()} == {
        path: len(body) for path, body in FILES.items() if ".git" not in path
    }
    assert HUB.probe(AT, ("onnx/net.onnx",), asking)[""].size == 700
    assert {asked.method for asked in store.asked} == {"HEAD"}


REVISION, TREE, FILE = f"/api/models/{REPO}/revision/main", f"/api/models/{REPO}/tree/{COMMIT}", "/config.json"
PAGE = "{hub}/" + REPO
NOT_THERE = f"there is no {REPO} at 'main'"
SLIP = f"look for a slip: {PAGE}; or it needs an account, its token in HF_TOKEN"
GATED = (f"{REPO} is gated", f"ask for it with an account, its token in HF_TOKEN: {PAGE}")
GATED_KNOWN = (f"{REPO} is gated", f"ask for it with the token's account: {PAGE}")


@pytest.mark.parametrize(
    ("place", "status", "code", "token", "said"),
    [
        (REVISION, 401, "RepoNotFound", None, (NOT_THERE, SLIP)),
        (REVISION, 401, None, None, (NOT_THERE, SLIP)),
        (
            REVISION,
            404,
            "RepoNotFound",
            TOKEN,
            (NOT_THERE, f"look for a slip: {PAGE}; or it needs the token's account"),
        ),
        (REVISION, 404, None, None, (NOT_THERE, SLIP)),
        (REVISION, 404, "RevisionNotFound", None, (f"{REPO} has no revision 'main'", f"those it has: {PAGE}")),
        (
            REVISION,
            401,
            None,
            TOKEN,
            ("the hub does not accept the token", "it is from HF_TOKEN, or from `hf auth log"),
        ),
        (REVISION, 401, "GatedRepo", None, GATED),
        (TREE, 403, "GatedRepo", TOKEN, GATED_KNOWN),
        (TREE, 403, None, TOKEN, (f"the hub refuses {REPO}", f"may it be read with the token's account? {PAGE}")),
        (FILE, 401, "GatedRepo", None, GATED),
        (FILE, 403, "GatedRepo", TOKEN, GATED_KNOWN),
        (FILE, 404, "EntryNotFound", None, (f"the hub lists files of {REPO} that it does not have", "try another")),
        (TREE, 418, None, None, ("the server answered 418 I'm a Teapot", "")),
    ],
)
def test_a_refusal_says_why_and_what_to_do(
    hub: FakeHub, asking: Asking, place: str, status: int, code: str | None, token: str | None, said: tuple[str, str]
) -> None:
    hub.refuse(hub.file("config.json") if place is FILE else place, status, code)
    asking = replace(asking, hub=replace(asking.hub, token=token))
    told = failure(asking, "config.json", at=f"{REPO}@main")
    message, hint = (part.format(hub=asking.hub.endpoint) for part in said)
    assert told.partition("\n")[0] == message
    assert told.partition("\n")[2].strip().startswith(hint)
    assert TOKEN not in told


def test_a_hub_that_is_busy_may_be_asked_again(hub: FakeHub, asking: Asking) -> None:
    hub.server.serve(hub.api("revision/main"), Answer(status=429, headers={"Retry-After": "3"}))
    with pytest.raises(TransientError) as raised:
        HUB.locate(f"{REPO}@main", (), asking)
    assert raised.value.retry_after == 3


FACTS = {"type": "file", "path": "a", "oid": "0" * 40, "size": 1}


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ({}, "no list of files"),
        (["a"], "no list of files"),
        ([{**FACTS, "path": None}], "no list of files"),
        ([{**FACTS, "size": "1"}], "no size or no digest of 'a'"),
        ([{**FACTS, "oid": "0" * 39}], "no size or no digest of 'a'"),
        ([{**FACTS, "lfs": True}], "no size or no digest of 'a'"),
        ([{**FACTS, "lfs": {"oid": "0" * 40, "size": 1}}], "no size or no digest of 'a'"),
        *(
            ([{**FACTS, "path": path}], f"a file {path!r}, which leads out of the model's folder")
            for path in ("../a", "/a", "a/../../b", "a\\b", "a\0", "./a", "a//b", "", ".")
        ),
    ],
)
def test_an_answer_that_is_no_hubs_is_told(hub: FakeHub, asking: Asking, page: object, said: str) -> None:
    hub.answer(f"tree/{COMMIT}", page)
    told = failure(asking)
    assert told.startswith(f"{asking.hub.endpoint} answered with {said}")
    assert "HF_ENDPOINT names it" in told


@pytest.mark.parametrize("answer", [[], {}, {"sha": "main"}, {"sha": None}])
def test_a_revision_that_is_no_commit_is_told(hub: FakeHub, asking: Asking, answer: object) -> None:
    hub.answer("revision/main", answer)
    assert "answered with no commit" in failure(asking, at=f"{REPO}@main")


@pytest.mark.parametrize("endpoint", ["mirror.example", "ftp://mirror.example", "https://"])
def test_an_endpoint_that_is_no_url_is_told(asking: Asking, endpoint: str) -> None:
    assert failure(replace(asking, hub=Hub(endpoint))).startswith("the hub's address, HF_ENDPOINT, ")


def test_it_is_shown_as_what_it_is() -> None:
    assert HUB.shown(f"{REPO}@main") == "the hub (team/ocr@main)"


@dataclass
class HubProject(ModelProject):
    """A project whose hub is at ``endpoint``."""

    endpoint: str = ""

    @property
    def settings(self) -> Settings:
        return replace(super().settings, hub_endpoint=self.endpoint)


def declared(name: str, **more: object) -> dict[str, object]:
    return {"name": name, "version": "1", "source": "huggingface", "repo": REPO, "revision": COMMIT, **more}


@pytest.fixture
def at_hub(hub: FakeHub, project: ModelProject) -> HubProject:
    return HubProject(project.path, endpoint=hub.server.url(""))


def test_a_sync_brings_what_the_hub_has_and_a_second_one_asks_nobody(hub: FakeHub, at_hub: HubProject) -> None:
    at_hub.declare(
        declared("all"),
        declared("folder", path="onnx/"),
        declared("list", path=["config.json", "onnx/deep/"]),
        declared("one", path="config.json"),
        declared("branch", path="onnx/net.onnx", revision="main", md5=md5(WEIGHTS)),
    )
    assert set(states(at_hub.sync()).values()) == {"fetched"}
    assert at_hub.listing() == {
        **{f"all_1/{path}": body for path, body in FILES.items() if ".git" not in path},
        "branch_1.onnx": WEIGHTS,
        "folder_1/deep/keys é?.txt": b"keys",
        "folder_1/net.onnx": WEIGHTS,
        "list_1/config.json": b"{}",
        "list_1/keys é?.txt": b"keys",
        "one_1.json": b"{}",
    }
    assert sum(asked.path == hub.file("onnx/net.onnx") for asked in hub.server.asked if asked.method == "GET") == 1
    hub.server.asked.clear()
    assert set(states(at_hub.sync()).values()) == {"kept"}
    assert hub.server.asked == []


def test_a_file_that_is_not_what_the_hub_says_is_not_shown(hub: FakeHub, at_hub: HubProject) -> None:
    at_hub.declare(declared("bad"), declared("good", path="onnx/"))
    hub.server.serve(hub.file("config.json"), b"[]")
    result = at_hub.sync()
    assert result.exit_code == 3
    assert states(result) == {"bad": "failed", "good": "fetched"}
    said = "\n".join(result.lines)
    assert f"expected git blob {git_blob(b'{}')}\n" in said
    assert f"got      git blob {git_blob(b'[]')}" in said
    assert {path.partition("/")[0] for path in at_hub.listing()} == {"good_1"}


def test_the_registrys_digest_counts_where_the_store_has_the_hubs_file(at_hub: HubProject) -> None:
    at_hub.declare(declared("all"))
    assert at_hub.sync().exit_code == 0
    at_hub.declare(declared("one", path="onnx/net.onnx", md5=md5(b"others")))
    assert states(at_hub.sync()) == {"one": "failed"}


def test_a_mirror_of_a_hubs_file_is_held_to_what_the_hub_says(
    hub: FakeHub, at_hub: HubProject, store: ModelServer
) -> None:
    url = store.serve("/mirror", b"others")
    at_hub.declare(declared("one", path="config.json", mirrors=url))
    hub.server.serve(hub.file("config.json"), Answer(b"{}", head=200, status=410))
    assert states(at_hub.sync()) == {"one": "failed"}
    store.serve("/mirror", b"{}")
    assert at_hub.sync().exit_code == 0
    assert at_hub.listing() == {"one_1.json": b"{}"}


def test_a_mirror_stands_in_for_a_hub_that_is_away_where_the_bytes_are_known(
    hub: FakeHub, at_hub: HubProject, store: ModelServer
) -> None:
    url = store.serve("/mirror", b"{}")
    hub.refuse(hub.api(f"tree/{COMMIT}"), 503)
    at_hub.declare(declared("one", path="config.json", mirrors=url, md5=md5(b"{}")))
    assert states(at_hub.sync()) == {"one": "fetched"}
    assert at_hub.listing() == {"one_1.json": b"{}"}
    (at_hub.checkpoints / "one_1.json").unlink()
    store.asked.clear()
    assert states(at_hub.sync()) == {"one": "linked"}
    at_hub.declare(declared("two", path="config.json", mirrors=url))
    assert states(at_hub.sync()) == {"two": "failed"}
    assert store.asked == []


def test_a_dry_run_says_what_the_hub_has(at_hub: HubProject) -> None:
    at_hub.declare(declared("one", path="config.json"))
    assert at_hub.sync(dry_run=True).lines == (
        f"fetch  proven  one 1: is not there yet; the hub ({AT}) has it, 2 bytes (git blob by the hub)",
        "models: 1 proven",
    )


def test_a_hub_that_is_busy_is_asked_again(hub: FakeHub, at_hub: HubProject, delays: list[float]) -> None:
    path = hub.api(f"tree/{COMMIT}")
    whole = hub.server._answers[path]
    hub.server.serve(path, Answer(status=429, headers={"Retry-After": "3"}), *whole)
    at_hub.declare(declared("one", path="config.json"))
    assert states(at_hub.sync()) == {"one": "fetched"}
    assert delays == [3]
