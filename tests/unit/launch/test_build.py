"""Building: the options a build gets, and how its log is told."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from envkit.launch import build, context
from envkit.settings import Owner, Settings

LOG = """\
#0 building with "default" instance using docker driver

#1 [internal] load build definition from Dockerfile
#1 transferring dockerfile: 7.16kB done
#1 DONE 0.0s

#5 [cpu-paddle 1/3] FROM docker.io/library/envkit-base:bookworm
#5 CACHED

#6 [cpu-paddle 2/3] RUN --mount=type=secret,id=ca     --mount=type=cache,target=/var     sh install.sh apt curl
#6 0.213 Get:1 curl

#7 [image 1/9] RUN true
#7 ...

#6 [cpu-paddle 2/3] RUN --mount=type=secret,id=ca     --mount=type=cache,target=/var     sh install.sh apt curl
#6 DONE 3.2s

#7 [image 1/9] RUN true
#7 DONE 0.1s

#9 exporting to image
#9 exporting layers 1.1s done
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    owner = Owner(os.geteuid(), os.getegid())
    return Settings(project=tmp_path, owner=owner, caller=owner, home=tmp_path, state=tmp_path)


def test_each_step_that_does_something_is_told_once() -> None:
    said: list[str] = []
    assert "".join(build._watch(LOG.splitlines(keepends=True), said.append)) == LOG
    assert said == [
        "  [cpu-paddle 2/3] RUN sh install.sh apt curl",
        "  [image 1/9] RUN true",
        "  exporting to image",
    ]


def test_a_long_step_is_told_in_a_short_line() -> None:
    assert len(build._brief("[cpu 1/1] RUN " + "x" * 500)) == 100


def test_the_dockerfiles_own_base_is_no_argument() -> None:
    assert build._arguments("cpu", context.default_base("cpu")) == ["--build-arg", "VARIANT=cpu"]
    assert build._arguments("gpu", "cuda:12") == ["--build-arg", "VARIANT=gpu", "--build-arg", "GPU_BASE=cuda:12"]


def test_a_proxy_is_named_without_its_password(settings: Settings) -> None:
    proxies = (("HTTPS_PROXY", "http://user:secret@proxy.test:3128"),)
    assert build._proxies(replace(settings, proxies=proxies)) == ["--build-arg", "HTTPS_PROXY"]


def test_secrets_are_files_that_only_the_caller_can_read(settings: Settings, tmp_path: Path) -> None:
    assert build._secrets(settings, "", tmp_path) == []
    options = build._secrets(replace(settings, ca_bundle=Path("/etc/ca.crt")), "[global]\n", tmp_path)
    assert options == ["--secret", "id=ca,src=/etc/ca.crt", "--secret", f"id=pip,src={tmp_path}/pip.conf"]
    assert oct((tmp_path / "pip.conf").stat().st_mode) == "0o100600"


@pytest.mark.parametrize(
    ("proxy", "pip_config", "expected"),
    [
        ("http://127.0.0.1:7890", "", True),
        ("http://user:p@localhost:3128/", "", True),
        ("localhost:3128", "", True),
        ("http://[::1]:3128", "", True),
        ("http://proxy.test:3128", "", False),
        ("http://localhost.test:3128", "", False),
        ("", "[global]\nindex-url = http://127.0.0.1:3141/simple\n", True),
        ("", "[global]\nindex-url = https://mirror.test/127.0.0.1/simple\n", False),
    ],
)
def test_what_is_on_this_machines_loopback_needs_its_network(
    settings: Settings, proxy: str, pip_config: str, expected: bool
) -> None:
    proxies = (("https_proxy", proxy), ("no_proxy", "localhost,127.0.0.1"))
    said: list[str] = []
    assert build._network(replace(settings, proxies=proxies), pip_config, said.append) == (
        ["--network", "host"] if expected else []
    )
    assert bool(said) == expected


def test_a_failed_build_shows_the_end_of_its_log_and_keeps_the_whole(settings: Settings) -> None:
    log = "".join(f"line {number}\n" for number in range(100))
    error = build._failure(log, settings, "cpu")
    assert error.exit_code == 4
    assert error.message.endswith("  line 99")
    assert "line 50\n" not in error.message
    assert (settings.state / "build-cpu.log").read_text() == log
    assert str(settings.state / "build-cpu.log") in str(error.hint)


def test_a_base_that_no_registry_gives_is_said_so(settings: Settings) -> None:
    log = "ERROR: failed to solve: x:1: failed to resolve source metadata for docker.io/library/x:1: no such host\n"
    error = build._failure(log, settings, "gpu")
    assert error.message == "docker.io/library/x:1: not here, and no registry gives it: no such host"
    assert "--base IMAGE" in str(error.hint)
