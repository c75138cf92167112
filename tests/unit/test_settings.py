"""Settings: where they come from, which wins, and what a wrong one says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from envkit.errors import InputError
from envkit.models.sources import Hub
from envkit.settings import Owner, load, whose


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "models.yaml").write_text("models: []\n")
    return tmp_path


def test_flags_beat_the_environment_beats_the_file(folder: Path) -> None:
    (folder / "envkit.yaml").write_text("image: file\nbase: file\nmodels: off\n")
    environ = {"ENVKIT_IMAGE": "environment", "ENVKIT_BASE": "environment", "HOME": "/h"}
    settings = load({"image": "flag"}, environ, folder)
    assert (settings.image, settings.base, settings.models) == ("flag", "environment", "off")


def test_a_project_is_found_from_a_folder_inside_it(folder: Path) -> None:
    inside = folder / "code" / "train"
    inside.mkdir(parents=True)
    assert load({}, {"HOME": "/h"}, inside).project == folder


def test_no_project_says_how_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no models\.yaml here(.|\n)*--project DIR"):
        load({}, {"HOME": "/h"}, tmp_path)
    assert load({}, {"HOME": "/h"}, tmp_path, anywhere=True).project == tmp_path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("imagee: x\n", r"envkit\.yaml: unknown setting 'imagee'"),
        ("models: sometimes\n", r"models is 'sometimes'(.|\n)*strict, warn, off"),
        ("- a list\n", "expected a mapping"),
        ("image: [\n", "not readable as YAML"),
    ],
)
def test_a_wrong_envkit_yaml_says_what_is_wrong(folder: Path, text: str, message: str) -> None:
    (folder / "envkit.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        load({}, {"HOME": "/h"}, folder)


def test_a_wrong_variable_is_named_by_its_origin(folder: Path) -> None:
    with pytest.raises(InputError, match="ENVKIT_VARIANT is 'tpu'"):
        load({}, {"ENVKIT_VARIANT": "tpu", "HOME": "/h"}, folder)


def test_the_first_certificate_bundle_that_exists_is_taken(folder: Path) -> None:
    bundle = folder / "ca.pem"
    bundle.touch()
    environ = {"REQUESTS_CA_BUNDLE": "/not/there", "SSL_CERT_FILE": str(bundle), "HOME": "/h"}
    assert load({}, environ, folder).ca_bundle == bundle.resolve()


SUDO = {"SUDO_UID": "1000", "SUDO_GID": "1001"}


@pytest.mark.parametrize(
    ("euid", "environ", "owner"),
    [
        (1234, {}, Owner(1234, 50)),
        (1234, SUDO, Owner(1234, 50)),
        (0, SUDO, Owner(1000, 1001)),
        (0, {"SUDO_UID": "0", "SUDO_GID": "0"}, None),
        (0, {"SUDO_UID": "x"}, None),
        (0, {}, None),
    ],
)
def test_whose_files_are(euid: int, environ: dict[str, str], owner: Owner | None, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(tmp_path, 777, 778)
    found = tmp_path.stat()
    assert whose(euid, 50, environ, tmp_path) == (owner or Owner(found.st_uid, found.st_gid))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be called through sudo")
def test_under_sudo_state_is_kept_in_the_home_of_who_called(folder: Path) -> None:
    import pwd

    other = pwd.getpwnam("daemon")
    environ = {"SUDO_UID": str(other.pw_uid), "SUDO_GID": str(other.pw_gid), "HOME": "/root", "XDG_STATE_HOME": "/x"}
    settings = load({}, environ, folder)
    assert settings.caller == Owner(other.pw_uid, other.pw_gid)
    assert settings.state == Path(other.pw_dir) / ".local/state/envkit"


def test_a_mistyped_bundle_of_ours_is_told(folder: Path) -> None:
    with pytest.raises(InputError, match="ENVKIT_CA_BUNDLE: /not/there is no file"):
        load({}, {"ENVKIT_CA_BUNDLE": "/not/there", "HOME": "/h"}, folder)


def test_an_empty_variable_is_no_setting(folder: Path) -> None:
    assert load({}, {"ENVKIT_MODELS": "", "HOME": "/h"}, folder).models == "strict"


def test_the_hub_is_hugging_faces_unless_another_is_named(folder: Path) -> None:
    assert load({}, {"HOME": "/h"}, folder).hub_endpoint == Hub().endpoint
    for named in ("https://mirror.example", "https://mirror.example/"):
        assert load({}, {"HF_ENDPOINT": named, "HOME": "/h"}, folder).hub_endpoint == "https://mirror.example"


@pytest.mark.parametrize(
    ("environ", "place"),
    [
        ({}, ".cache/huggingface/token"),
        ({"XDG_CACHE_HOME": "{home}/cache"}, "cache/huggingface/token"),
        ({"HF_HOME": "{home}/hf"}, "hf/token"),
        ({"HF_HOME": "{home}/hf", "HF_TOKEN_PATH": "{home}/secrets/hub"}, "secrets/hub"),
    ],
)
def test_the_token_for_the_hub_is_where_hugging_face_keeps_it(
    folder: Path, tmp_path: Path, environ: dict[str, str], place: str
) -> None:
    environ = {"HOME": str(tmp_path), **{name: value.format(home=tmp_path) for name, value in environ.items()}}
    assert load({}, environ, folder).hub_token is None
    (tmp_path / place).parent.mkdir(parents=True)
    (tmp_path / place).write_text("hf_stored\n")
    assert load({}, environ, folder).hub_token == "hf_stored"
    settings = load({}, {**environ, "HF_TOKEN": " hf_given\n"}, folder)
    assert settings.hub_token == "hf_given"
    assert "hf_given" not in repr(settings)


@pytest.mark.parametrize("stored", [b"", b" \n", b"\xff\xfe"])
def test_a_file_with_no_token_in_it_is_none(folder: Path, tmp_path: Path, stored: bytes) -> None:
    (tmp_path / "token").write_bytes(stored)
    assert load({}, {"HOME": "/h", "HF_HOME": str(tmp_path)}, folder).hub_token is None
