"""A sync that goes by a lock: what it brings, what it leaves alone, and what it says where the two do not fit."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
import yaml

from envkit.commands import models_gc
from envkit.errors import InputError
from envkit.settings import Settings
from tests.support.hub import COMMIT, REPO, FakeHub
from tests.support.model_project import ModelProject, entry, md5, states
from tests.support.model_server import Answer, ModelServer, tarball

BODY = b"weights" * 1000
FILES = {"net.onnx": BODY, "config.json": b"{}", "sub/keys.txt": b"keys"}


def floating(server: ModelServer, *versions: str, **more: object) -> dict[str, object]:
    for version in versions:
        server.serve(f"/net-{version}.bin", version.encode())
    index = server.serve("/v.json", yaml.safe_dump([*versions], default_flow_style=True).encode().replace(b"'", b'"'))
    url = server.url("/net-{version}.bin")
    return {"name": "net", "version": "stable", "source": "http", "url": url, "index_url": index, **more}


def bare(name: str, url: str, **more: object) -> dict[str, object]:
    return {"name": name, "version": "v1", "source": "http", "url": url, **more}


class HubProject(ModelProject):
    """A project whose hub is at the address ``endpoint``."""

    endpoint = ""

    @property
    def settings(self) -> Settings:
        return replace(super().settings, hub_endpoint=self.endpoint)


@pytest.fixture
def hub(server: ModelServer) -> FakeHub:
    made = FakeHub(server)
    made.publish(FILES, lfs=["net.onnx"])
    return made


@pytest.fixture
def at_hub(hub: FakeHub, project: ModelProject) -> HubProject:
    made = HubProject(project.path)
    made.endpoint = hub.server.url("")
    return made


def of_hub(name: str = "net", **more: object) -> dict[str, object]:
    return {"name": name, "version": "1", "source": "huggingface", "repo": REPO, **more}


def garbage(project: ModelProject, *, remove: bool = False) -> list[str]:
    found = models_gc.gc(project.settings, remove=remove, gone=False).data["garbage"]
    assert isinstance(found, list)
    return [row["name"] for row in found if row["kind"] == "model"]


# --- where there is none, or one that does not fit -----------------------------------------------------------------


def test_what_floats_needs_a_lock_and_so_does_what_has_no_digest(server: ModelServer, project: ModelProject) -> None:
    project.declare(floating(server, "1.0"), bare("plain", server.serve("/plain.bin", BODY)))
    for command in (project.sync, lambda: project.sync(dry_run=True), project.verify, lambda: garbage(project)):
        with pytest.raises(InputError) as raised:
            command()
        assert "models.yaml:3:28: model 'net' stable floats, and no models.lock.yaml" in raised.value.message
        assert "models.yaml:4:10: model 'plain' v1 has neither md5 nor sha256" in raised.value.message
        assert raised.value.message.count("envkit models lock") == 2
    assert not project.checkpoints.exists()
    assert server.asked == []


def test_a_lock_that_does_not_fit_any_more_stops_before_anything_is_touched(
    server: ModelServer, project: ModelProject
) -> None:
    project.declare(bare("net", server.serve("/net.bin", BODY)))
    project.lock()
    project.sync()
    server.asked.clear()
    project.declare(bare("net", server.serve("/other.bin", BODY)), bare("new", server.url("/net.bin")))
    for command in (project.sync, project.verify, lambda: garbage(project, remove=True)):
        with pytest.raises(InputError) as raised:
            command()
        assert "has another url than models.lock.yaml was made for" in raised.value.message
        assert "model 'new' v1 is not in models.lock.yaml\n  envkit models lock" in raised.value.message
    assert server.asked == []
    assert project.listing() == {"net_v1.bin": BODY}


# --- a lock that moves ---------------------------------------------------------------------------------------------


def test_a_lock_that_moved_brings_the_new_version_and_takes_nothing_away(
    server: ModelServer, project: ModelProject
) -> None:
    project.declare(floating(server, "1.0"))
    project.lock()
    assert states(project.sync()) == {"net": "linked"}
    project.declare(floating(server, "1.0", "1.1"))
    assert states(project.sync()) == {"net": "kept"}
    project.lock(upgrade=[])
    assert states(project.sync()) == {"net": "linked"}
    assert project.listing() == {"net_1.0.bin": b"1.0", "net_1.1.bin": b"1.1"}
    assert garbage(project) == ["net_1.0.bin"]
    assert garbage(project, remove=True) == ["net_1.0.bin"]
    assert project.listing() == {"net_1.1.bin": b"1.1"}
    assert states(project.verify()) == {"net": "verified"}


def test_a_machine_without_the_store_fetches_what_the_lock_says(server: ModelServer, project: ModelProject) -> None:
    project.declare(floating(server, "1.0"))
    project.lock()
    shutil.rmtree(project.store)
    floating(server, "1.0", "2.0")
    assert states(project.sync()) == {"net": "fetched"}
    assert project.listing() == {"net_1.0.bin": b"1.0"}
    shutil.rmtree(project.checkpoints)
    shutil.rmtree(project.store)
    server.serve("/net-1.0.bin", b"0.1")
    ran = project.sync()
    assert ran.exit_code == 3
    assert "model 'net' 1.0: other bytes than models.yaml names" in ran.lines[-1]
    assert f"expected md5 {md5(b'1.0')}\n  got      md5 {md5(b'0.1')}" in ran.lines[-1]


def test_a_start_with_all_in_place_is_warm_until_the_lock_is_another(
    server: ModelServer, project: ModelProject
) -> None:
    project.declare(floating(server, "1.0"))
    project.lock()
    project.sync()
    project.sync()
    (memory,) = (project.checkpoints / ".envkit").glob("warm-*")
    assert b"models.lock.yaml" in memory.read_bytes()


def test_locking_later_leaves_what_is_in_place_alone(hub: FakeHub, at_hub: HubProject, server: ModelServer) -> None:
    packed = tarball({"x/a": b"a", "x/b": b"b"})
    at_hub.declare(
        entry("file", server.serve("/file.bin", BODY), BODY),
        entry("dir", server.serve("/dir.tar", packed), packed),
        of_hub("set", revision=COMMIT),
        of_hub("sub", revision=COMMIT, path="sub/"),
        of_hub("large", revision=COMMIT, path="net.onnx"),
        of_hub("small", revision=COMMIT, path="config.json"),
        of_hub("branch", path="config.json", md5=md5(b"{}")),
    )
    assert at_hub.sync().exit_code == 0
    assert at_hub.lock().exit_code == 0
    server.asked.clear()
    assert set(states(at_hub.sync()).values()) == {"kept"}
    assert server.asked == []
    assert set(states(at_hub.verify()).values()) == {"verified"}


# --- sets of files -------------------------------------------------------------------------------------------------


def test_a_set_is_exactly_what_the_lock_has(hub: FakeHub, at_hub: HubProject) -> None:
    at_hub.declare(of_hub())
    at_hub.lock()
    assert at_hub.sync().exit_code == 0
    assert at_hub.listing() == {f"net_1/{path}": body for path, body in FILES.items()}

    shutil.rmtree(at_hub.checkpoints)
    shutil.rmtree(at_hub.store)
    hub.publish({**{path: FILES[path] for path in ("net.onnx", "config.json")}, "virus.so": b"x"}, lfs=["net.onnx"])
    ran = at_hub.sync()
    assert ran.exit_code == 3
    assert "the hub lists other files than the lock has" in ran.lines[-1]
    assert "missing: sub/keys.txt; not in the lock: virus.so." in ran.lines[-1]
    assert at_hub.listing() == {}


@pytest.mark.parametrize("path", ["net.onnx", "config.json"])
def test_a_hub_that_lies_of_a_file_is_found_out(path: str, hub: FakeHub, at_hub: HubProject) -> None:
    """Its list and its bytes agree with each other, and not with what the commit has."""
    at_hub.declare(of_hub("set"), of_hub("one", path=path))
    at_hub.lock()
    hub.publish({**FILES, path: FILES[path][::-1]}, lfs=["net.onnx"])
    ran = at_hub.sync()
    assert ran.exit_code == 3
    assert states(ran) == {"set": "failed", "one": "failed"}
    assert all("other bytes than models.yaml names" in line for line in ran.lines[1:])
    assert at_hub.listing() == {}


def test_what_a_hub_lied_about_before_there_was_a_lock_is_replaced(hub: FakeHub, at_hub: HubProject) -> None:
    at_hub.declare(of_hub(revision=COMMIT))
    hub.publish({**FILES, "net.onnx": BODY[::-1]}, lfs=["net.onnx"])
    assert at_hub.sync().exit_code == 0
    hub.publish(FILES, lfs=["net.onnx"])
    assert states(at_hub.sync()) == {"net": "kept"}
    at_hub.lock()
    assert states(at_hub.sync()) == {"net": "fetched"}
    assert at_hub.listing() == {f"net_1/{path}": body for path, body in FILES.items()}


def test_no_mirror_is_believed_where_nothing_says_what_the_bytes_are(
    hub: FakeHub, at_hub: HubProject, server: ModelServer
) -> None:
    mirror = server.serve("/mirror/config.json", b"[]")
    at_hub.declare(of_hub(revision=COMMIT, path="config.json", mirrors=[mirror]))
    hub.server.serve(hub.api(f"tree/{COMMIT}"), Answer(status=404))
    assert states(at_hub.sync()) == {"net": "failed"}
    assert not any("mirrors" in line for line in at_hub.said)
    assert at_hub.listing() == {}


def test_a_hub_that_is_away_has_a_mirror_for_one_file(hub: FakeHub, at_hub: HubProject, server: ModelServer) -> None:
    mirror = server.serve("/mirror/net.onnx", BODY)
    at_hub.declare(of_hub(path="net.onnx", mirrors=[mirror]))
    at_hub.lock()
    hub.server.serve(hub.api(f"tree/{COMMIT}"), Answer(status=404))
    assert states(at_hub.sync()) == {"net": "fetched"}
    assert at_hub.listing() == {"net_1.onnx": BODY}
