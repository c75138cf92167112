"""The base's package sources: this machine's own, and no passwords in the image."""

from __future__ import annotations

from pathlib import Path

import pytest

from envkit.errors import EngineError
from envkit.launch import debian

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
    assert "secret" not in hook
    assert "http://mirror.test/debian" in hook


@pytest.mark.parametrize("row", ["cdrom:[Debian]/|bookworm|main|Debian", "http://m.test/|bookworm|contrib|Debian", ""])
def test_no_usable_source_is_an_error(row: str) -> None:
    with pytest.raises(EngineError, match="apt has no http source of bookworm's main packages"):
        parse(row)


def test_without_a_tool_the_message_names_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match="mmdebstrap is needed") as error:
        debian.maker(parse(MAIN))
    assert error.value.hint == "apt-get install mmdebstrap"
