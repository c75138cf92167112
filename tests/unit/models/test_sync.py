"""`envkit models sync` with a real server: what ends up in checkpoints/, and what is said where it cannot."""

from __future__ import annotations

import re
import shutil

import pytest
import yaml

from envkit.errors import InputError, ModelError
from envkit.models.model import PLACEHOLDER_MD5
from tests.support.model_project import ModelProject, entry, md5, sha256, states
from tests.support.model_server import Answer, ModelServer, tarball
from tests.support.project import REPOSITORY

BODY = bytes(range(256)) * 9000  # more than two chunks


def test_a_model_is_fetched_once_and_then_left_alone(server: ModelServer, project: ModelProject) -> None:
    project.declare(entry("resnet", server.serve("/resnet.pdparams", BODY), BODY, sha256=sha256(BODY), size=len(BODY)))

    first = project.sync()
    assert (first.exit_code, states(first)) == (0, {"resnet": "fetched"})
    assert project.listing() == {"resnet_v1.pdparams": BODY}
    assert project.leftovers() == []

    second = project.sync()
    assert (second.exit_code, states(second)) == (0, {"resnet": "kept"})
    assert project.said == []
    assert server.count("GET", "/resnet.pdparams") == 1


def test_requests_name_envkit_and_ask_for_the_bytes_as_they_are(server: ModelServer, project: ModelProject) -> None:
    project.declare(entry("resnet", server.serve("/resnet", BODY), BODY))
    project.sync()
    (asked,) = server.asked
    assert asked.headers["User-Agent"].startswith("envkit/")
    assert asked.headers["Accept-Encoding"] == "identity"


def test_a_body_labelled_as_compressed_arrives_as_it_was_sent(server: ModelServer, project: ModelProject) -> None:
    url = server.serve("/weights.bin", Answer(BODY, headers={"Content-Encoding": "gzip"}))
    project.declare(entry("resnet", url, BODY))
    assert project.sync().exit_code == 0
    assert project.listing() == {"resnet_v1.bin": BODY}


def test_wrong_bytes_are_named_with_both_digests_and_get_no_name(server: ModelServer, project: ModelProject) -> None:
    url = server.serve("/resnet.pdparams", b"other bytes")
    project.declare(entry("resnet", url, BODY, sha256=sha256(BODY)))
    result = project.sync()
    assert result.exit_code == 3
    assert states(result) == {"resnet": "failed"}
    message = result.lines[-1]
    at = f"models.yaml:3:{project.column('md5')}"
    assert message.startswith(f"{at}: model 'resnet' v1: other bytes than models.yaml names")
    assert f"from {url}" in message
    for what, expected, got in (
        ("md5", md5(BODY), md5(b"other bytes")),
        ("sha256", sha256(BODY), sha256(b"other bytes")),
    ):
        assert f"  expected {what} {expected}\n  got      {what} {got}\n" in message
    assert project.listing() == {}
    assert project.leftovers() == []
    # The second time in case a bit had turned over on the way.
    assert server.count("GET", "/resnet.pdparams") == 2


def test_bytes_that_only_the_sha256_tells_apart_are_refused(server: ModelServer, project: ModelProject) -> None:
    project.declare(entry("resnet", server.serve("/resnet", BODY), BODY, sha256="0" * 64))
    result = project.sync()
    assert result.exit_code == 3
    assert "expected sha256" in result.lines[-1]
    assert "expected md5" not in result.lines[-1]


def test_a_placeholder_md5_is_said_beforehand_and_named_as_the_cause(
    server: ModelServer, project: ModelProject
) -> None:
    project.declare(entry("resnet", server.serve("/resnet", BODY), b""))
    result = project.sync()
    line = (project.path / "models.yaml").read_text().splitlines()[2]
    place = f"models.yaml:3:{line.index(PLACEHOLDER_MD5)}"  # the quote before it
    said = "has the MD5 of an empty file: a placeholder that no download will match"
    assert project.said[0] == f"{place}: model 'resnet' v1 {said}"
    assert result.exit_code == 3
    assert f"expected md5 {PLACEHOLDER_MD5}\n  got      md5 {md5(BODY)}\n" in result.lines[-1]
    assert "a placeholder" in result.lines[-1]


def test_secrets_in_a_url_are_not_shown(server: ModelServer, project: ModelProject) -> None:
    server.serve("/resnet", b"other bytes")
    url = server.url("/resnet?signature=hush").replace("http://", "http://user:hush@")
    project.declare(entry("resnet", url, BODY))
    result = project.sync()
    shown = "\n".join([*result.lines, *project.said, str(result.data)])
    assert server.url("/resnet?…") in shown
    assert "hush" not in shown


def test_every_failure_is_told_and_the_others_are_there(server: ModelServer, project: ModelProject) -> None:
    project.declare(
        entry("gone", server.url("/gone"), b"gone"),
        entry("good", server.serve("/good.bin", BODY), BODY),
        entry("wrong", server.serve("/wrong", b"x"), b"right"),
    )
    result = project.sync()
    assert result.exit_code == 3
    assert states(result) == {"gone": "failed", "good": "fetched", "wrong": "failed"}
    assert result.lines[0] == "models: 1 fetched, 0 verified already, 2 failed"
    assert [line.split(":")[1] for line in result.lines[1:]] == ["3", "5"]
    assert "the server answered 404 Not Found" in result.lines[1]
    assert project.listing() == {"good_v1.bin": BODY}


def test_a_busy_server_is_asked_again(server: ModelServer, project: ModelProject, delays: list[float]) -> None:
    later = Answer(status=429, headers={"Retry-After": "7"})
    url = server.serve("/resnet.bin", Answer(status=503), later, Answer(BODY))
    project.declare(entry("resnet", url, BODY))
    assert project.sync().exit_code == 0
    assert project.listing() == {"resnet_v1.bin": BODY}
    assert server.count("GET", "/resnet.bin") == 3
    assert 0.25 <= delays[0] <= 0.5
    assert delays[1] == 7
    assert any("503" in line and "trying again" in line for line in project.said)


def test_a_server_that_stays_busy_is_given_up(server: ModelServer, project: ModelProject, delays: list[float]) -> None:
    project.declare(entry("resnet", server.serve("/resnet", Answer(status=503)), BODY))
    result = project.sync()
    assert result.exit_code == 3
    assert "the server answered 503 Service Unavailable" in result.lines[-1]
    assert server.count("GET", "/resnet") == 4
    assert len(delays) == 3


def test_a_server_that_asks_for_a_day_is_not_waited_for(
    server: ModelServer, project: ModelProject, delays: list[float]
) -> None:
    url = server.serve("/resnet", Answer(status=429, headers={"Retry-After": "86400"}))
    project.declare(entry("resnet", url, BODY))
    result = project.sync()
    assert result.exit_code == 3
    assert "429" in result.lines[-1]
    assert "asks to be left alone for 86400 s" in result.lines[-1]
    assert (delays, server.count("GET", "/resnet")) == ([], 1)


def test_a_transfer_that_broke_off_is_made_again(
    server: ModelServer, project: ModelProject, delays: list[float]
) -> None:
    url = server.serve("/resnet.bin", Answer(BODY, cut=1_500_000), Answer(BODY))
    project.declare(entry("resnet", url, BODY))
    assert project.sync().exit_code == 0
    assert project.listing() == {"resnet_v1.bin": BODY}
    assert any(f"1500000 of {len(BODY)} bytes" in line for line in project.said)


def test_a_transfer_that_always_breaks_off_fails(
    server: ModelServer, project: ModelProject, delays: list[float]
) -> None:
    project.declare(entry("resnet", server.serve("/resnet", Answer(BODY, cut=10)), BODY))
    result = project.sync()
    assert result.exit_code == 3
    assert f"the transfer ended after 10 of {len(BODY)} bytes" in result.lines[-1]
    assert project.listing() == {}


def test_nobody_at_the_address(project: ModelProject, delays: list[float]) -> None:
    with ModelServer() as gone:
        url = gone.url("/resnet?token=hush")
    project.declare(entry("resnet", url, BODY))
    result = project.sync()
    assert result.exit_code == 3
    assert "the connection failed: Connection refused" in result.lines[-1]
    assert "hush" not in "\n".join([*result.lines, *project.said])


@pytest.mark.parametrize("page", [b"<!DOCTYPE html><title>Log in</title>", b"\n <HTML><body>no</body></HTML>"])
def test_a_page_in_place_of_a_model_is_told_as_such(page: bytes, server: ModelServer, project: ModelProject) -> None:
    project.declare(entry("resnet", server.serve("/resnet", page), BODY))
    result = project.sync()
    assert result.exit_code == 3
    assert "the server answered with an HTML page, not with a model" in result.lines[-1]


def test_a_body_far_longer_than_declared_is_not_read_to_its_end(
    server: ModelServer, project: ModelProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("envkit.models.transfer.download._EXCESS", 1 << 20)
    endless = Answer(bytes(16 << 20), framing="chunked")
    project.declare(entry("resnet", server.serve("/resnet", endless), BODY, size=1000))
    result = project.sync()
    assert result.exit_code == 3
    assert "models.yaml says size 1000" in result.lines[-1]
    assert server.sent() < len(endless.body)


def test_one_artifact_for_several_models_is_fetched_once(server: ModelServer, project: ModelProject) -> None:
    url = server.serve("/zoo.tar.gz", archive := tarball({"zoo/det/net.json": b"det", "zoo/rec.txt": b"rec"}))
    project.declare(
        entry("det", url, archive, path="zoo/det"),
        entry("rec", url, archive, path="zoo/rec.txt"),
        entry("both", url, archive, path=["zoo/det/", "zoo/rec.txt"]),
        entry("all", url, archive),
        entry("raw", url, archive, unpack="none"),
        entry("copy", url, archive, unpack="none"),
    )
    result = project.sync()
    assert result.exit_code == 0
    assert project.said[0] == f"det and 5 more: fetching from {url}"
    assert server.count("GET", "/zoo.tar.gz") == 1
    assert project.listing() == {
        "all_v1/det/net.json": b"det",
        "all_v1/rec.txt": b"rec",
        "both_v1/net.json": b"det",
        "both_v1/rec.txt": b"rec",
        "copy_v1.tar.gz": archive,
        "det_v1/net.json": b"det",
        "raw_v1.tar.gz": archive,
        "rec_v1.txt": b"rec",
    }
    assert set(states(project.sync()).values()) == {"kept"}


def test_one_model_that_is_not_in_the_archive_does_not_take_the_others_along(
    server: ModelServer, project: ModelProject
) -> None:
    url = server.serve("/zoo.tar", archive := tarball({"zoo/net.json": b"det"}))
    project.declare(entry("missing", url, archive, path="none"), entry("there", url, archive, path="zoo"))
    result = project.sync()
    assert states(result) == {"missing": "failed", "there": "fetched"}
    assert re.search(r"models\.yaml:3:\d+: model 'missing' v1: the archive has no file none", result.lines[1])


def test_a_folder_whose_name_looks_like_a_files_needs_a_slash(server: ModelServer, project: ModelProject) -> None:
    url = server.serve("/zoo.tar", archive := tarball({"zoo/net.infer/net.json": b"det"}))
    project.declare(entry("net", url, archive, path="zoo/net.infer"))
    result = project.sync()
    assert result.exit_code == 3
    assert "end its path with '/'" in result.lines[-1]
    project.declare(entry("net", url, archive, path="zoo/net.infer/"))
    assert project.sync().exit_code == 0
    assert project.listing() == {"net_v1/net.json": b"det"}


def test_other_members_of_the_same_artifact_are_a_reason_to_fetch(server: ModelServer, project: ModelProject) -> None:
    url = server.serve("/zoo.tar", archive := tarball({"a/x": b"1", "b/x": b"2"}))
    project.declare(entry("net", url, archive, path="a"))
    project.sync()
    project.declare(entry("net", url, archive, path="b"))
    assert states(project.sync()) == {"net": "fetched"}
    assert project.listing() == {"net_v1/x": b"2"}


def test_new_bytes_in_the_registry_replace_the_old_ones(server: ModelServer, project: ModelProject) -> None:
    project.declare(entry("resnet", server.serve("/resnet.bin", BODY), BODY))
    project.sync()
    project.declare(entry("resnet", server.serve("/resnet.bin", b"new"), b"new"))
    assert states(project.sync()) == {"resnet": "fetched"}
    assert project.listing() == {"resnet_v1.bin": b"new"}


def test_what_was_there_stays_where_the_new_cannot_be_had(server: ModelServer, project: ModelProject) -> None:
    url = server.serve("/zoo.tar", archive := tarball({"net.json": b"old"}))
    project.declare(entry("file", server.serve("/file.bin", BODY), BODY), entry("folder", url, archive))
    project.sync()
    before = project.listing()
    project.declare(entry("file", server.url("/gone.bin"), b"new"), entry("folder", server.url("/gone.tar"), b"new"))
    assert project.sync().exit_code == 3
    assert project.listing() == before


def test_a_dry_run_asks_writes_nothing_and_fetches_nothing(server: ModelServer, project: ModelProject) -> None:
    project.declare(
        entry("good", server.serve("/good", BODY), BODY, size=len(BODY)),
        entry("gone", server.url("/gone"), BODY),
        entry("other", server.serve("/other", b"x"), BODY, size=len(BODY)),
        entry("page", server.serve("/page", Answer(b"<html>", headers={"Content-Type": "text/html"})), BODY),
    )
    result = project.sync(dry_run=True)
    assert result.exit_code == 3
    assert states(result) == {"good": "to fetch", "gone": "unreachable", "other": "changed", "page": "unreachable"}
    url = server.url("/good")
    assert result.lines[0] == f"fetch  size         good v1: is not there yet; {url} has it, {len(BODY)} bytes"
    assert f"expected size {len(BODY)}\n  got      size 1" in "\n".join(result.lines)
    assert {asked.method for asked in server.asked} == {"HEAD"}
    assert [path.name for path in project.path.iterdir()] == ["models.yaml"]


def test_a_dry_run_where_all_is_well(server: ModelServer, project: ModelProject) -> None:
    project.declare(entry("good", server.serve("/good", BODY), BODY))
    assert project.sync(dry_run=True).exit_code == 0
    project.sync()
    before = changes(project)
    result = project.sync(dry_run=True)
    line = f"keep   unverifiable  good v1: verified; {server.url('/good')} has it, {len(BODY)} bytes"
    assert (result.exit_code, result.lines) == (0, (line, "models: 1 unverifiable"))
    assert changes(project) == before


def changes(project: ModelProject) -> dict[str, int]:
    return {str(path): path.stat().st_ctime_ns for path in project.path.rglob("*")}


def test_a_server_that_does_not_serve_heads_is_asked_for_headers_alone(
    server: ModelServer, project: ModelProject
) -> None:
    url = server.serve("/resnet", answer := Answer(BODY, head=405, pause_at=0))
    project.declare(entry("resnet", url, BODY))
    assert project.sync(dry_run=True).exit_code == 0
    assert [asked.method for asked in server.asked] == ["HEAD", "GET"]
    answer.go_on.set()


def test_the_examples_of_the_model_zoos_sync(server: ModelServer, project: ModelProject) -> None:
    text = (REPOSITORY / "examples" / "models.zoo.yaml").read_text("utf-8")
    bodies = {}
    for declared in yaml.safe_load(text)["models"]:
        url = declared.get("hub_url") or declared["weights_url"]
        path = f"/{declared['name']}.pdparams"
        bodies[path] = declared["name"].encode() * 1000
        text = text.replace(url, server.serve(path, bodies[path]))
        for kind, digest in (("md5", md5), ("sha256", sha256)):
            text = text.replace(str(declared.get(kind)), digest(bodies[path]))
    (project.path / "models.yaml").write_text(text, "utf-8")

    result = project.sync()
    assert result.exit_code == 0, result.lines
    assert project.listing() == {
        "pp-yolo-tiny_v3.3.1.pdparams": bodies["/pp-yolo-tiny.pdparams"],
        "resnet50_imagenet_v3.3.0.pdparams": bodies["/resnet50_imagenet.pdparams"],
    }
    metadata = {row["name"]: row["metadata"] for row in result.data["models"]}
    assert metadata["resnet50_imagenet"]["accuracy_top1"] == "76.8%"
    assert metadata["resnet50_imagenet"]["input_size"] == [3, 224, 224]


def test_a_wrong_registry_touches_nothing(project: ModelProject) -> None:
    project.declare({"name": "resnet"})
    with pytest.raises(InputError, match=r"models\.yaml:3:1: model 'resnet' has no version"):
        project.sync()
    with pytest.raises(InputError, match="--jobs is 0"):
        project.sync(jobs=0)
    assert [path.name for path in project.path.iterdir()] == ["models.yaml"]


def test_weights_are_kept_out_of_git(server: ModelServer, project: ModelProject) -> None:
    project.declare(entry("resnet", server.serve("/resnet", BODY), BODY))
    project.sync()
    assert (project.checkpoints / ".gitignore").read_text() == "*\n"


def test_where_the_source_itself_is_away_its_mirrors_are_asked(server: ModelServer, project: ModelProject) -> None:
    wanted = {"name": "net", "version": "1", "source": "file", "path": "/not/mounted/net.bin", "md5": md5(BODY)}
    project.declare({**wanted, "mirrors": [server.url("/gone"), server.serve("/net.bin", BODY)]})
    foretold = project.sync(dry_run=True)
    assert (foretold.exit_code, states(foretold)) == (0, {"net": "to fetch"})
    assert states(project.sync()) == {"net": "fetched"}
    assert project.listing() == {"net_1.bin": BODY}


def test_a_failure_of_all_places_names_the_one_that_was_away_first(server: ModelServer, project: ModelProject) -> None:
    wanted = {"name": "net", "version": "1", "source": "file", "path": "/not/mounted/net.bin", "md5": md5(BODY)}
    project.declare({**wanted, "mirrors": [server.url("/gone")]})
    for result in (project.sync(dry_run=True), project.sync()):
        assert result.exit_code == 3
        lines = [line for line in result.lines[-1].splitlines() if line.startswith("  from ")]
        assert lines[0].startswith("  from /not/mounted/net.bin: ")
        assert lines[1].startswith(f"  from {server.url('/gone')}: the server answered 404")


def test_what_the_store_has_needs_no_room_and_no_source(
    server: ModelServer, project: ModelProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tarball({"a": b"1"})
    project.declare(
        entry("file", server.serve("/f.bin", BODY), BODY, size=len(BODY)),
        entry("folder", server.serve("/f.tar", archive), archive, size=len(archive)),
    )
    assert project.sync().exit_code == 0
    shutil.rmtree(project.checkpoints)
    server.asked.clear()
    monkeypatch.setattr("envkit.models.room._compare", full)
    foretold = project.sync(dry_run=True)
    assert states(foretold) == {"file": "to link", "folder": "to link"}
    said = "link   size  file v1: is not there yet; the store has it; "
    assert foretold.lines[0] == f"{said}{server.url('/f.bin')} has it, {len(BODY)} bytes"
    server.asked.clear()
    assert states(project.sync()) == {"file": "linked", "folder": "linked"}
    assert server.asked == []


def full(needed: int, *_: object) -> None:
    """No room for a single byte."""
    if needed:
        raise ModelError(f"not enough room for {needed} bytes")
