"""The base's package sources: this machine's own, and no passwords in the image."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from envkit.errors import EngineError
from envkit.launch import debian
from tests.support.wait import until

MAIN = "http://mirror.test/debian/|bookworm|main|Debian"
UPDATES = "http://mirror.test/debian/|bookworm-updates|main|Debian"
SECURITY = "http://mirror.test/debian-security/|bookworm-security|main|Debian"


def parse(*rows: str, system: tuple[str, str] = ("debian", "bookworm")) -> debian.Sources:
    return debian.parse("\n".join(rows), *system)


def test_security_and_updates_are_included() -> None:
    assert parse(MAIN, SECURITY, UPDATES).entries == (
        "deb http://mirror.test/debian bookworm main",
        "deb http://mirror.test/debian bookworm-updates main",
        "deb http://mirror.test/debian-security bookworm-security main",
    )


def test_another_debian_gives_the_same_suite() -> None:
    rows = [row.replace("bookworm", "trixie") for row in (MAIN, SECURITY)]
    found = parse(*rows, system=("debian", "trixie"))
    assert found.suite == "bookworm"
    assert found.entries[1] == "deb http://mirror.test/debian-security bookworm-security main"


def test_ubuntu_gives_itself() -> None:
    found = parse("http://mirror.test/ubuntu/|noble|main|Ubuntu", system=("ubuntu", "noble"))
    assert (found.suite, found.entries) == ("noble", ("deb http://mirror.test/ubuntu noble main universe",))


def test_somebody_elses_suite_of_the_same_name_is_not_the_archive() -> None:
    other = "https://tool.test/debian/|bookworm|main|Tool"
    assert parse(other, MAIN).archive == "http://mirror.test/debian"
    # Before the first `apt-get update` nobody's origin is known.
    assert parse(MAIN.replace("|Debian", "|$(ORIGIN)")).archive == "http://mirror.test/debian"


def test_a_file_of_mirrors_is_resolved(tmp_path: Path) -> None:
    mirrors = tmp_path / "debian.list"
    mirrors.write_text("https://first.test/debian/\tpriority:1\nhttps://second.test/debian/\n")
    assert parse(f"mirror+file:{mirrors}/|bookworm|main|Debian").archive == "https://first.test/debian"


def test_a_password_is_used_and_does_not_get_into_the_image() -> None:
    found = parse(MAIN.replace("http://", "http://user:secret@"))
    assert found.archive == "http://user:secret@mirror.test/debian"
    assert found.without_credentials == "deb http://mirror.test/debian bookworm main\n"
    (hook,) = (word for word in debian.mmdebstrap(found) if word.startswith("--customize-hook"))
    assert "http://mirror.test/debian" in hook


def test_a_password_is_in_no_process_list_and_no_file_with_a_name() -> None:
    found = parse(MAIN.replace("http://", "http://user:secret@"))
    assert not [word for word in debian.mmdebstrap(found) if "secret" in word]
    with debian.listing(found) as stream:
        said = subprocess.run(["cat"], stdin=stream, capture_output=True, text=True, check=True).stdout
        assert os.fstat(stream.fileno()).st_nlink == 0
    assert said == "deb http://user:secret@mirror.test/debian bookworm main\n"


def test_no_other_user_reads_the_list_while_mmdebstrap_works_and_everybody_the_images(tmp_path: Path) -> None:
    listed = tmp_path / "etc/apt/sources.list"
    listed.parent.mkdir(parents=True)
    listed.write_text("deb http://user:secret@mirror.test/debian bookworm main\n")
    for option, mode in (("--setup-hook=", 0o600), ("--customize-hook=", 0o644)):
        command = debian.mmdebstrap(parse(MAIN.replace("http://", "http://user:secret@")))
        (hook,) = (word.removeprefix(option) for word in command if word.startswith(option))
        subprocess.run(["sh", "-c", f"umask 022; {hook}", "sh", tmp_path], check=True)
        assert listed.stat().st_mode & 0o777 == mode
    assert listed.read_text() == "deb http://mirror.test/debian bookworm main\n"


def test_debootstrap_which_would_show_a_password_is_not_given_one() -> None:
    with pytest.raises(EngineError, match="debootstrap would show to every user") as error:
        debian.debootstrap(parse(MAIN.replace("http://", "http://user:secret@")))
    assert "secret" not in str(error.value)
    assert "apt-get install mmdebstrap" in str(error.value.hint)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_nothing_of_debootstraps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: int
) -> None:
    stub, told = tmp_path / "debootstrap", tmp_path / "told"
    # It is called with two options and the suite before the folder.
    stub.write_text(f'#!/bin/sh\nmkdir "$4/etc"\necho "$4" >{told}.new\nmv {told}.new {told}\nexec sleep 60\n')
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    command = debian.debootstrap(parse(MAIN))
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True) as process:
        until(told.exists, "debootstrap runs")
        folder = Path(told.read_text().strip())
        assert folder.is_dir()
        os.killpg(process.pid, number)
    assert process.returncode == code
    assert not folder.exists()


@pytest.mark.parametrize("row", ["cdrom:[Debian]/|bookworm|main|Debian", "http://m.test/|bookworm|contrib|Debian", ""])
def test_no_usable_source_is_an_error(row: str) -> None:
    with pytest.raises(EngineError, match="apt has no http source of bookworm's main packages"):
        parse(row)


def test_without_a_tool_the_message_names_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match="mmdebstrap is needed") as error:
        debian.maker(parse(MAIN))
    assert error.value.hint == "apt-get install mmdebstrap"
