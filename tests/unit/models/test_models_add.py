"""`envkit models add`: one fetch, one entry with its digests, and nothing else in models.yaml that was not there."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from envkit.errors import InputError, ModelError
from envkit.models.adding.addition import guessed, read
from envkit.settings import Settings
from tests.support.hub import COMMIT, REPO, FakeHub
from tests.support.model_project import ModelProject, md5, sha256, states
from tests.support.model_server import Answer, ModelServer, tarball, wheel
from tests.support.pypi_server import PypiServer

BODY = b"weights" * 1000
TEXT = """\
# The models of this project.
models:
  - name: old   # why it is here
    version: 'v1'
    source: http
    url: https://models.example/old.bin
    md5: 0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a

metrics:
  top1: {higher_is_better: true}
"""
HUB = "https://huggingface.co"


def write(project: ModelProject, text: str) -> None:
    project.registry_file.write_bytes(text.encode())


def text_of(project: ModelProject) -> str:
    return project.registry_file.read_bytes().decode()


def test_a_model_is_fetched_once_measured_and_added_below_the_others(
    server: ModelServer, project: ModelProject
) -> None:
    write(project, TEXT)
    ran = project.add(server.serve("/nets/resnet50_v2.1.pdparams", BODY), task="classification")
    added = f"""\
  - name: resnet50
    version: v2.1
    source: http
    url: {server.url("/nets/resnet50_v2.1.pdparams")}
    md5: {md5(BODY)}
    sha256: {sha256(BODY)}
    size: {len(BODY)}
    task: classification
"""
    assert text_of(project) == TEXT.replace("\nmetrics:", f"{added}\nmetrics:")
    assert ran.lines == (
        "added    resnet50 v2.1: models.yaml:8",
        "  name and version by its URL; --name and --version say otherwise",
        f"  md5     {md5(BODY)}",
        f"  sha256  {sha256(BODY)}",
        f"  size    {len(BODY)}",
        f"  from    {server.url('/nets/resnet50_v2.1.pdparams')}",
        "  next: envkit models sync",
    )
    assert ran.data["entry"] == yaml.safe_load(text_of(project))["models"][-1]
    assert (ran.data["line"], ran.data["guessed"]) == (8, ["name", "version"])
    assert not project.lock_file.exists()

    project.declare(ran.data["entry"])
    assert states(project.sync()) == {"resnet50": "linked"}
    assert server.count("GET", "/nets/resnet50_v2.1.pdparams") == 1


@pytest.mark.parametrize("text", ["models: []\n", "models:\n", "models:", "models: []"])
def test_the_first_model_of_a_project(text: str, server: ModelServer, project: ModelProject) -> None:
    write(project, text)
    project.add(server.serve("/a_v1.bin", BODY))
    assert text_of(project).startswith("models:\n  - name: a\n    version: v1\n")


@pytest.mark.parametrize("text", [TEXT.replace("\n", "\r\n"), "\ufeff" + TEXT, TEXT.rstrip("\n"), '{"models": []}'])
def test_line_ends_and_beginnings_are_kept(text: str, server: ModelServer, project: ModelProject) -> None:
    write(project, text)
    project.add(server.serve("/a_v1.bin", BODY))
    now = text_of(project)
    rest = iter(now)
    assert all(character in rest for character in text)
    assert now.count("\r") == (now.count("\n") if "\r" in text else 0)
    assert project.sync(dry_run=True).data["models"][-1]["state"] == "to link"


def test_what_is_said_outright_is_not_guessed(server: ModelServer, project: ModelProject) -> None:
    write(project, TEXT)
    ran = project.add(server.serve("/download", BODY), name="net", version="1.0")
    assert ran.data["guessed"] == []
    assert '  - name: net\n    version: "1.0"\n' in text_of(project)
    assert not any("otherwise" in line for line in ran.lines)


# --- what there is to add ------------------------------------------------------------------------------------------


def test_an_archive_is_looked_into(server: ModelServer, project: ModelProject) -> None:
    write(project, TEXT)
    url = server.serve("/det_v1.tar", tarball({"det/net.json": b"net", "det/notes": b"x"}))
    with pytest.raises(ModelError, match=r"det v1: the archive has no file det/nut.json"):
        project.add(url, paths=("det/nut.json",))
    damaged = server.serve("/bad_v1.tar", b"no tar" * 1000)
    with pytest.raises(ModelError, match="bad v1: "):
        project.add(damaged)
    assert text_of(project) == TEXT
    project.add(url, paths=("det/net.json",))
    assert "    path: det/net.json\n    md5: " in text_of(project)


@pytest.fixture
def wheels(pypi_server: PypiServer) -> PypiServer:
    members = {"ocr/det/net.json": b"det", "ocr/keys.txt": b"keys", "ocr/main.py": b"pass"}
    for version in ("1.4", "1.10", "2.0rc1"):
        pypi_server.offer(f"tiny_models-{version}-py3-none-any.whl", wheel("tiny-models", version, members))
    return pypi_server


@pytest.mark.parametrize(
    ("source", "more", "package", "version"),
    [
        ("pypi:tiny-models==1.4:ocr/det/", {}, "tiny-models==1.4", "1.4"),
        ("pypi:tiny-models:ocr/det/", {}, "tiny-models==1.10", "1.10"),
        ("pypi:tiny-models", {"paths": ("ocr/det/",), "version": "1.4"}, "tiny-models==1.4", "1.4"),
        ("pypi:tiny-models==1.4:ocr/det/", {"version": "v7"}, "tiny-models==1.4", "v7"),
    ],
)
def test_a_package_is_added_in_one_exact_version(
    source: str, more: dict[str, object], package: str, version: str, wheels: PypiServer, project: ModelProject
) -> None:
    write(project, TEXT)
    project.add(source, **more)
    added = yaml.safe_load(text_of(project))["models"][-1]
    body = (wheels.wheels / f"tiny_models-{package.partition('==')[2]}-py3-none-any.whl").read_bytes()
    assert added == {
        "name": "det",
        "version": version,
        "source": "pypi",
        "package": package,
        "path": "ocr/det/",
        "md5": md5(body),
        "sha256": sha256(body),
        "size": len(body),
    }
    assert str(wheels.port) not in text_of(project)


def test_of_a_package_without_a_path_the_folders_are_told(wheels: PypiServer, project: ModelProject) -> None:
    write(project, TEXT)
    with pytest.raises(InputError) as raised:
        project.add("pypi:tiny-models==1.4")
    assert str(raised.value) == "tiny-models: what of it? It has\n  --path ocr/\n  --path ocr/det/"
    assert text_of(project) == TEXT


def test_what_floats_is_added_without_digests_and_needs_a_lock(wheels: PypiServer, project: ModelProject) -> None:
    write(project, "models: []\n")
    ran = project.add("pypi:tiny-models:ocr/keys.txt", version="stable")
    (added,) = yaml.safe_load(text_of(project))["models"]
    said = {"version": "stable", "source": "pypi", "package": "tiny-models", "path": "ocr/keys.txt"}
    assert added == {"name": "keys", **said}
    assert "  which now is 1.10" in ran.lines
    assert ran.lines[-1] == "  next: envkit models lock"
    assert project.lock().exit_code == 0
    assert project.sync().exit_code == 0
    assert project.listing() == {"keys_1.10.txt": b"keys"}


class HubProject(ModelProject):
    """A project whose hub is at the address ``endpoint``."""

    endpoint = ""

    @property
    def settings(self) -> Settings:
        return replace(super().settings, hub_endpoint=self.endpoint)


@pytest.fixture
def at_hub(server: ModelServer, project: ModelProject) -> HubProject:
    hub = FakeHub(server)
    hub.publish({"net.onnx": BODY, "config.json": b"{}"}, lfs=["net.onnx"])
    hub.publish({"net.onnx": BODY, "config.json": b"{}"}, lfs=["net.onnx"], revision="v1.5")
    made = HubProject(project.path)
    made.endpoint = server.url("")
    write(made, "models: []\n")
    return made


@pytest.mark.parametrize(
    ("source", "version"),
    [
        (f"hf:{REPO}:net.onnx", COMMIT[:12]),
        (f"hf:{REPO}@v1.5:net.onnx", "v1.5"),
        ("{hub}/team/ocr/blob/main/net.onnx", COMMIT[:12]),
        ("{hub}/team/ocr/resolve/v1.5/net.onnx?download=true", "v1.5"),
    ],
)
def test_a_file_of_a_repository_is_added_at_its_commit(
    source: str, version: str, at_hub: HubProject, server: ModelServer
) -> None:
    at_hub.add(source.replace("{hub}", server.url("")))
    assert yaml.safe_load(text_of(at_hub))["models"] == [
        {
            "name": "ocr",
            "version": version,
            "source": "huggingface",
            "repo": REPO,
            "revision": COMMIT,
            "path": "net.onnx",
            "md5": md5(BODY),
            "sha256": sha256(BODY),
            "size": len(BODY),
        }
    ]
    assert at_hub.sync().exit_code == 0


def test_a_whole_repository_is_added_at_its_commit_which_says_what_it_has(at_hub: HubProject) -> None:
    ran = at_hub.add(f"hf:{REPO}@v1.5")
    (added,) = yaml.safe_load(text_of(at_hub))["models"]
    assert added == {"name": "ocr", "version": "v1.5", "source": "huggingface", "repo": REPO, "revision": COMMIT}
    assert "  files   2" in ran.lines
    assert at_hub.sync().exit_code == 0


def test_a_file_of_this_machine_is_added_by_its_whole_path(
    project: ModelProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project, TEXT)
    (tmp_path / "det_v3.bin").write_bytes(BODY)
    monkeypatch.chdir(tmp_path)
    for source in ("det_v3.bin", "./det_v3.bin", str(tmp_path / "det_v3.bin")):
        write(project, TEXT)
        project.add(source)
        added = yaml.safe_load(text_of(project))["models"][-1]
        assert (added["path"], added["version"]) == (str(tmp_path / "det_v3.bin"), "v3")


# --- names and versions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "name", "version"),
    [
        ("/a/resnet50_imagenet_v3.3.0.pdparams", "resnet50_imagenet", "v3.3.0"),
        ("/a/net-1.0rc1.tar.gz", "net", "1.0rc1"),
        ("/a/net-2.0+cu118.zip", "net", "2.0+cu118"),
        ("/a/net-20240131.bin", "net", "20240131"),
        ("/a/mobilenet_v2.bin", "mobilenet", "v2"),
        ("/v1.2.0/resnet.pdparams", "resnet", "v1.2.0"),
        ("/x/paddle3.0.0/deep/PP-OCRv5_det_infer.tar", "PP-OCRv5_det_infer", "3.0.0"),
        ("/PP-OCRv4/ch_PP-OCRv4_det_infer.tar", "ch_PP-OCRv4_det_infer", ""),
        ("/a/resnet50-0676ba61.pth", "resnet50-0676ba61", ""),
        ("/a/日本 語_v2.bin", "日本_語", "v2"),
        ("/a/.hidden", "hidden", ""),
        ("/", "", ""),
    ],
)
def test_names_and_versions_are_guessed_by_what_files_are_called(path: str, name: str, version: str) -> None:
    assert guessed(path) == (name, version)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("nonsense", "'nonsense' is nothing that can be added\n  expected a URL, a path, pypi:"),
        ("ftp://h/a_v1", "ftp://h/a_v1 is nothing that can be added"),
        ("https://me:s3cret@h/a_v1.bin", "https://h/a_v1.bin: there is a password in it"),
        ("https://h/a b_v1.bin", "https://h/a b_v1.bin: has a blank in it"),
        ("https://me:s3cret@[h/a_v1.bin", "https://…: is not a URL: Invalid IPv6 URL"),
        ("https://h/net.bin", "https://h/net.bin: there is no version in that\n  say which: --version VERSION"),
        ("https://h/v1/", "https://h/v1/: that makes no name\n  say which: --name NAME"),
        ("hf:team", "model 'team' has repo 'team', which is not of the form ORG/NAME"),
        ("hf:team/ocr@a..b", "model 'ocr' has revision 'a..b', which is no name"),
        ("pypi:a b==1:x/", "model 'x' has package 'a b==1', which is not of the form NAME or NAME==VERSION"),
        ("pypi:a==1:../x", "model 'x' has path '../x'"),
        ("/models/", "/models/: that makes no name"),
    ],
)
def test_what_cannot_be_added_is_told_before_anybody_is_asked(source: str, said: str, project: ModelProject) -> None:
    write(project, TEXT)
    with pytest.raises(InputError) as raised:
        project.add(source)
    assert str(raised.value).startswith(said)
    assert "s3cret" not in str(raised.value)
    assert text_of(project) == TEXT
    assert not project.checkpoints.exists()


def test_what_is_there_already_is_told_with_its_line_before_anything_is_fetched(
    server: ModelServer, project: ModelProject
) -> None:
    write(project, TEXT)
    url = server.serve("/old_v1.bin", BODY)
    with pytest.raises(InputError) as raised:
        project.add(url)
    assert str(raised.value) == (
        "models.yaml:3:11: model 'old' v1 is there already\n  another one needs a --name or a --version"
    )
    assert server.asked == []
    project.add(url, version="v2")
    with pytest.raises(InputError, match=r"would be checkpoints/Old_v1.bin"):
        project.add(url, name="Old")


def test_the_hubs_own_pages_are_repositories_and_others_are_not() -> None:
    for url, values in (
        (f"{HUB}/team/ocr", {"repo": "team/ocr"}),
        (f"{HUB}/team/ocr/tree/dev/a", {"repo": "team/ocr", "revision": "dev"}),
        ("https://mirror.example/team/ocr", {"repo": "team/ocr"}),
        (f"{HUB}/datasets/a/b_v1", {"url": f"{HUB}/datasets/a/b_v1"}),
        ("https://other.example/team/ocr", {"url": "https://other.example/team/ocr"}),
    ):
        assert read(url, (), "https://mirror.example", Path("/")).values == values


# --- nothing is lost -----------------------------------------------------------------------------------------------


def test_if_it_cannot_be_had_nothing_is_written(
    server: ModelServer, project: ModelProject, delays: list[float]
) -> None:
    write(project, TEXT)
    project.lock_file.write_text("schema: 1\nmodels: []\n", "utf-8")
    for answer, said in (
        (Answer(status=404), "a v1: the server answered 404 Not Found\n  from http://"),
        (Answer(b"<!doctype html>", headers={"Content-Type": "text/html"}), "HTML page, not with a model"),
        (Answer(b""), "a v1: there are no bytes in it\n  from http://"),
        (Answer(status=503), "a v1: the server answered 503 Service Unavailable"),
    ):
        with pytest.raises(ModelError) as raised:
            project.add(server.serve("/a_v1.bin", answer))
        assert said in str(raised.value)
        assert text_of(project) == TEXT
        assert project.lock_file.read_text("utf-8") == "schema: 1\nmodels: []\n"


def test_a_registry_or_a_lock_that_is_wrong_is_told_first(server: ModelServer, project: ModelProject) -> None:
    write(project, TEXT.replace("md5: 0a", "md5: 0"))
    with pytest.raises(InputError, match=r"models.yaml:7:10: model 'old' has md5"):
        project.add(server.url("/a_v1.bin"))
    write(project, TEXT)
    project.lock_file.write_text("<<<<<<< HEAD\n", "utf-8")
    with pytest.raises(InputError, match=r"models.lock.yaml"):
        project.add(server.url("/a_v1.bin"))
    assert server.asked == []


def test_what_was_written_meanwhile_is_not_lost(server: ModelServer, project: ModelProject) -> None:
    write(project, TEXT)
    changed = TEXT.replace("# The models", "# Somebody's models")

    def meanwhile(_: object) -> Answer:
        write(project, changed)
        return Answer(BODY)

    project.add(server.serve("/a_v1.bin", meanwhile))
    assert text_of(project).startswith("# Somebody's models")
    assert "  - name: a\n" in text_of(project)


def test_the_lock_gets_the_entry_and_nothing_else(server: ModelServer, project: ModelProject) -> None:
    write(project, "models:\n")
    project.add(server.serve("/b_v1.bin", BODY))
    project.lock()
    before = project.lock_file.read_text("utf-8")
    ran = project.add(server.serve("/a_v1.bin", Answer(b"a", headers={"ETag": '"7"'})))
    assert ran.lines[-1] == "  models.lock.yaml has it too; next: envkit models sync"
    head, _, others = before.partition("- name: b")
    now = project.lock_file.read_text("utf-8")
    assert now.startswith(head + "- name: a\n")
    assert now.endswith("- name: b" + others)
    assert project.locked()["a"]["files"][0]["etag"] == '"7"'
    assert project.lock(check=True).exit_code == 0
    server.asked.clear()
    assert project.lock().lines == ("models.lock.yaml: 2 unchanged",)
    assert server.asked == []


@pytest.mark.parametrize(
    ("source", "version", "written", "locked"),
    [
        (f"hf:{REPO}@main:config.json", None, COMMIT[:12], COMMIT[:12]),
        (f"hf:{REPO}@v1.5:config.json", None, "v1.5", "v1.5"),
        (f"hf:{REPO}:config.json", "7", "7", "7"),
        (f"hf:{REPO}:config.json", "stable", "stable", "v1.5"),
    ],
)
def test_a_lock_and_models_yaml_have_one_version_of_a_repository(
    source: str, version: str | None, written: str, locked: str, at_hub: HubProject, server: ModelServer
) -> None:
    FakeHub(server).publish_refs(tags=["v1.5"])
    at_hub.lock()
    at_hub.add(source, version=version)
    (added,) = yaml.safe_load(text_of(at_hub))["models"]
    entry = at_hub.locked()["ocr"]
    assert (added["version"], entry["asked"]["version"], entry["version"]) == (written, written, locked)
    assert at_hub.lock(check=True).exit_code == 0
    assert at_hub.sync().exit_code == 0
    assert at_hub.listing() == {f"ocr_{locked}.json": b"{}"}
    assert at_hub.lock().lines == ("models.lock.yaml: 1 unchanged",)


def test_a_lock_that_does_not_fit_otherwise_stays_so(server: ModelServer, project: ModelProject) -> None:
    write(project, TEXT)
    project.lock_file.write_text("schema: 1\nmodels: []\n", "utf-8")
    project.add(server.serve("/a_v1.bin", BODY))
    assert sorted(project.locked()) == ["a"]
    with pytest.raises(InputError, match=r"model 'old' v1 is not in models.lock.yaml"):
        project.sync()


def test_what_floats_to_what_is_there_already_is_told(wheels: PypiServer, project: ModelProject) -> None:
    write(project, "models:\n")
    project.add("pypi:tiny-models==1.10:ocr/det/")
    project.lock()
    before = text_of(project)
    with pytest.raises(InputError, match=r"model 'det' 1.10 is there twice"):
        project.add("pypi:tiny-models:ocr/det/", version="stable")
    assert text_of(project) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_registry_keeps_its_owner_and_its_permissions(server: ModelServer, project: ModelProject) -> None:
    write(project, TEXT)
    os.chown(project.registry_file, 77, 88)
    project.registry_file.chmod(0o664)
    project.add(server.serve("/a_v1.bin", BODY))
    found = project.registry_file.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (77, 88, 0o664)
