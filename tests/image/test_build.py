"""Builds on the real engine: small ones in place of the image's own, which takes minutes."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envkit.errors import EngineError
from envkit.launch import base, build, context, debian, hostpip
from envkit.settings import Settings, load
from tests.support.project import REPOSITORY
from tests.support.wait import until

if TYPE_CHECKING:
    from docker import DockerClient

NAME = "envkit-test:build"
Build = Callable[..., list[str]]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return replace(load({"project": str(REPOSITORY)}), state=tmp_path / "state", ca_bundle=None, proxies=())


@pytest.fixture
def small_build(
    engine: DockerClient, cpu_image: str, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Build]:
    """Builds what a Dockerfile's lines after ``FROM`` say, on the CPU image, as envkit builds its own; what it told."""

    @contextmanager
    def staged() -> Iterator[Path]:
        yield tmp_path

    def run(lines: str, **changes: object) -> list[str]:
        (tmp_path / "Dockerfile").write_text(f"ARG CPU_BASE\nFROM ${{CPU_BASE}} AS cpu\nUSER root\n{lines}\n")
        said: list[str] = []
        found = replace(settings, **changes)  # type: ignore[arg-type]
        build.build(found, "cpu", base=cpu_image, no_cache=True, report=said.append)
        return said

    monkeypatch.setattr(context, "stage", staged)
    monkeypatch.setattr(context, "image_name", lambda *_: NAME)
    monkeypatch.setattr(context, "short_name", lambda *_: NAME)
    yield run
    if engine.images.list(NAME):
        engine.images.remove(NAME, force=True)


def test_the_checkout_itself_gives_a_build_the_same_files(engine: DockerClient, tmp_path: Path) -> None:
    command = ["docker", "buildx", "build", "--builder", "default", "--file", "-", "--output", str(tmp_path)]
    subprocess.run(
        [*command, str(REPOSITORY)], input=b"FROM scratch\nCOPY . /\n", check=True, timeout=120, capture_output=True
    )
    admitted = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    # A build is given its Dockerfile whatever .dockerignore says.
    assert admitted | {"Dockerfile"} == {file.name for file in context.files()}


def test_a_build_has_the_certificates_and_the_settings_of_pip_and_no_layer_has_them(
    engine: DockerClient, small_build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hostpip, "pip_config", lambda: "[global]\ntimeout = 77\n")
    bundle = tmp_path / "host.crt"
    bundle.write_text("the host's certificates\n")
    small_build(
        "RUN --mount=type=secret,id=ca --mount=type=secret,id=pip"
        ' grep -q "host.s certificates" /run/secrets/ca && grep -q "timeout = 77" /run/secrets/pip',
        ca_bundle=bundle,
    )
    left = engine.containers.run(NAME, ["-c", "ls -A /run/secrets"], entrypoint="/bin/sh", remove=True)
    assert left == b""


def test_no_step_leaves_the_hosts_certificates_in_its_layer(
    engine: DockerClient, small_build: Build, tmp_path: Path
) -> None:
    shutil.copy(REPOSITORY / "requirements/install.sh", tmp_path)
    mounts = "".join(
        f"--mount=type={mount} "
        for mount in (
            "bind,source=install.sh,target=/build/install.sh",
            "secret,id=ca",
            "secret,id=pip",
            "cache,target=/var/cache/apt,sharing=locked",
            "cache,target=/var/lib/apt,sharing=locked",
        )
    )
    machine = load({"project": str(REPOSITORY)})
    bundle, mark = add_certificate(machine.ca_bundle, tmp_path)
    small_build(
        # The package that writes bundles, and a tool that has one of its own: what could take a certificate along.
        f"RUN {mounts} sh /build/install.sh apt --reinstall ca-certificates && "
        "sh /build/install.sh pip /opt/envkit/venv/bin/python --no-deps --force-reinstall certifi",
        ca_bundle=bundle,
        proxies=machine.proxies,
    )
    # Whatever a RUN leaves is in its layer, and nothing comes after it here.
    found = engine.containers.run(
        NAME,
        ["-c", f'grep -rlF --devices=skip -e "{mark}" /etc /home /opt /root /run /tmp /usr /var || test $? = 1'],
        entrypoint="/bin/sh",
        remove=True,
    )
    assert found == b""


def add_certificate(bundle: Path | None, folder: Path) -> tuple[Path, str]:
    """A copy of a bundle with a throw-away authority in it as well, and a line that only that one has."""
    made, own = folder / "bundle.crt", folder / "own.crt"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-subj", "/CN=an authority of the tests", "-keyout", "/dev/null", "-out", own),
        ],
        check=True,
        capture_output=True,
    )
    made.write_text((bundle.read_text("utf-8") if bundle else "") + own.read_text("utf-8"), "utf-8")
    return made, own.read_text("utf-8").splitlines()[2]


def test_a_build_reaches_a_proxy_on_this_machines_loopback(small_build: Build) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        proxies = (("http_proxy", f"http://127.0.0.1:{port}"),)
        said = small_build(f"RUN bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}'", proxies=proxies)
    assert any("the build uses the machine's network" in line for line in said)


def test_a_step_that_fails_is_exit_code_4_with_its_last_words(small_build: Build, settings: Settings) -> None:
    with pytest.raises(EngineError) as error:
        small_build("RUN echo some reason >&2; exit 9")
    assert error.value.exit_code == 4
    assert "some reason" in error.value.message
    assert "exit code: 9" in error.value.message
    assert "some reason" in (settings.state / "build-cpu.log").read_text()


INTERRUPTED = """
import sys
from contextlib import nullcontext
from pathlib import Path
from envkit import cli
from envkit.launch import context
context.stage = lambda: nullcontext(Path(sys.argv[1]))
context.image_name = lambda *_: "envkit-test:interrupted"
context.short_name = lambda *_: "envkit-test:interrupted"
sys.exit(cli.main(["build", "cpu", "--base", sys.argv[2], "--no-cache"]))
"""


def test_ctrl_c_ends_a_build_and_leaves_nothing(engine: DockerClient, cpu_image: str, tmp_path: Path) -> None:
    for name in ("context", "scratch"):
        (tmp_path / name).mkdir()
    (tmp_path / "context" / "Dockerfile").write_text(
        "ARG CPU_BASE\nFROM ${CPU_BASE} AS cpu\nRUN echo begun; sleep 612\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(tmp_path / "context"), cpu_image],
        cwd=REPOSITORY,
        env={**os.environ, "TMPDIR": str(tmp_path / "scratch"), "HOME": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stderr
        until(lambda: "RUN echo begun" in (process.stderr.readline() if process.stderr else ""), "the step begins")
        os.killpg(process.pid, signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert list((tmp_path / "scratch").iterdir()) == []
    assert engine.images.list("envkit-test:interrupted") == []
    until(lambda: "sleep 612" not in _processes(), "the step ends", 20)


def _processes() -> str:
    lines = (path.read_bytes().replace(b"\0", b" ") for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists())
    return b"\n".join(lines).decode(errors="replace")


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch, engine: DockerClient) -> Iterator[str]:
    """A machine whose apt is configured for a suite called ``testsuite``; the base's name there."""
    wanted = debian.Sources("testsuite", ("deb http://mirror.test/debian testsuite main",))
    monkeypatch.setattr(debian, "sources", lambda: wanted)
    name = f"{base.MADE_HERE}:testsuite"
    yield name
    if engine.images.list(name):
        engine.images.remove(name, force=True)


def test_a_base_is_made_from_what_the_maker_writes(
    engine: DockerClient, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "release").write_text("made here\n")
    with tarfile.open(tmp_path / "base.tar", "w") as archive:
        archive.add(tmp_path / "release", "etc/release")
    script = f'echo "I: unpacking..." >&2; cat {tmp_path}/base.tar'
    monkeypatch.setattr(debian, "maker", lambda _: ["sh", "-c", script])
    said: list[str] = []
    assert base.make(said.append) == source
    assert base.exists(source)
    assert said[0].startswith(f"{source}: making it from this machine's own package mirror")
    assert said[1:] == ["  unpacking..."]
    assert engine.images.get(source).attrs["Config"]["Labels"] == {"io.envkit.base": "testsuite"}
    assert base._age(source).days == 0


def test_a_maker_that_fails_leaves_no_base(
    engine: DockerClient, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tarfile.open(tmp_path / "base.tar", "w") as archive:
        archive.add(sys.executable, "half")
    script = f"cat {tmp_path}/base.tar; echo 'E: the mirror went away' >&2; exit 25"
    monkeypatch.setattr(debian, "maker", lambda _: ["sh", "-c", script])
    before = {image.id for image in engine.images.list()}
    with pytest.raises(EngineError, match=re.escape(f"making {source} failed:\n  E: the mirror went away")):
        base.make(lambda _: None)
    assert {image.id for image in engine.images.list()} == before


def test_a_registry_that_is_not_there_is_given_up_at_once(engine: DockerClient) -> None:
    said: list[str] = []
    assert not base.pull("127.0.0.1:1/debian:nothing", said.append)
    assert "connection refused" in said[-1]


def test_a_registry_that_never_answers_is_given_up_in_time(
    engine: DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "_FIRST_SIGN", 1)
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not base.pull(f"127.0.0.1:{silent.getsockname()[1]}/debian:nothing", said.append)
    assert said[-1].endswith("nothing more came for too long")
