"""Which packages make an engine, and the suite that bookworm gets them from; read and written by the real apt."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from tests.shell.scripts import Done, sourced

pytestmark = pytest.mark.skipif(shutil.which("apt-get") is None, reason="this machine has no apt")

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

DEB822 = f"""\
# A comment that stands alone is no stanza.

# Not in use
Enabled: no
Types: deb
URIs: http://off.test/debian
Suites: bookworm
Components: main

Types: deb deb-src
URIs: http://mirror.test/debian
Suites: bookworm
 bookworm-updates
# in between
Components: main contrib
Signed-By: {KEYRING}

Types: deb
URIs: http://mirror.test/debian-security
Suites: bookworm-security
Components: main
"""

ONE_LINE = f"""\
# deb http://off.test/debian bookworm main
deb-src [signed-by={KEYRING}] http://mirror.test/debian bookworm main
deb [arch=amd64 signed-by={KEYRING}] http://mirror.test/debian bookworm main contrib # ours
deb http://mirror.test/debian-security bookworm-security main
"""

INLINE_KEY = """\
Types: deb
URIs: mirror+file:/etc/apt/mirrors/debian.list
Suites: bookworm
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBF
 -----END PGP PUBLIC KEY BLOCK-----
"""


class Apt:
    """An apt with configuration and state of its own, below ``top``."""

    def __init__(self, top: Path) -> None:
        self.etc = top / "etc"
        for folder in ("etc/sources.list.d", "etc/preferences.d", "lists/partial", "cache/archives/partial"):
            (top / folder).mkdir(parents=True)
        (top / "os-release").write_text("ID=debian\nVERSION_CODENAME=bookworm\n")
        settings = {
            "Dir::Etc::sourcelist": self.etc / "sources.list",
            "Dir::Etc::sourceparts": self.etc / "sources.list.d",
            "Dir::State::lists": top / "lists",
            "Dir::Cache": top / "cache",
            "APT::Architecture": "amd64",
            "APT::Sandbox::User": "root",
        }
        (top / "apt.conf").write_text("".join(f'{name} "{value}";\n' for name, value in settings.items()))
        self.environ = {
            "APT_CONFIG": str(top / "apt.conf"),
            "APT_DIR": str(self.etc),
            "OS_RELEASE": str(top / "os-release"),
            "DAEMON_CONFIG": str(top / "docker" / "daemon.json"),
            "ENGINE_DATA": str(top / "data"),
        }

    def run(self, code: str, *arguments: str) -> Done:
        return sourced("engine-packages.sh", code, *arguments, environ=self.environ)


@pytest.fixture
def apt(tmp_path: Path) -> Apt:
    return Apt(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "sources.list.d/debian.sources",
            DEB822,
            f"Types: deb\nURIs: http://mirror.test/debian\nSuites: trixie\nComponents: main\nSigned-By: {KEYRING}\n",
        ),
        ("sources.list", ONE_LINE, f"deb [arch=amd64 signed-by={KEYRING}] http://mirror.test/debian trixie main\n"),
        (
            "sources.list",
            "deb http://mirror.test/debian bookworm main\n",
            "deb http://mirror.test/debian trixie main\n",
        ),
        ("sources.list.d/cloud.sources", INLINE_KEY, INLINE_KEY.replace("bookworm", "trixie")),
    ],
)
def test_the_next_suite_is_asked_of_the_machines_own_mirror(apt: Apt, name: str, text: str, expected: str) -> None:
    (apt.etc / name).write_text(text)
    done = apt.run('entry_for_suite "$(apt_entry bookworm)" trixie')
    assert (done.returncode, done.stdout, done.stderr) == (0, expected, "")


def test_a_suite_that_apt_has_is_not_added_again(apt: Apt) -> None:
    (apt.etc / "sources.list").write_text("deb http://mirror.test/debian bookworm main\n")
    assert apt.run("needs_next_suite").returncode == 0
    (apt.etc / "sources.list.d" / "mine.list").write_text("deb http://mirror.test/debian trixie main\n")
    assert apt.run("needs_next_suite").returncode != 0


def archive(folder: Path, suite: str) -> None:
    """Make a package archive that apt can read, with no package in it."""
    packages = folder / "dists" / suite / "main" / "binary-amd64" / "Packages"
    packages.parent.mkdir(parents=True)
    packages.touch()
    digest = hashlib.sha256(b"").hexdigest()
    (folder / "dists" / suite / "Release").write_text(
        f"Suite: {suite}\nCodename: {suite}\nArchitectures: amd64\nComponents: main\n"
        f"SHA256:\n {digest} 0 main/binary-amd64/Packages\n"
    )


def test_the_suite_is_added_and_pinned_low(apt: Apt, tmp_path: Path) -> None:
    archive(tmp_path / "archive", "trixie")
    (apt.etc / "sources.list").write_text(f"deb [trusted=yes] file:{tmp_path}/archive bookworm main\n")
    done = apt.run("add_next_suite")
    assert done.returncode == 0, done.stderr
    added = apt.etc / "sources.list.d" / "envkit-trixie.list"
    assert added.read_text() == f"deb [trusted=yes] file:{tmp_path}/archive trixie main\n"
    pin = (apt.etc / "preferences.d" / "envkit-trixie").read_text()
    assert pin == "Package: *\nPin: release n=trixie\nPin-Priority: 100\n"


def test_a_mirror_without_the_suite_leaves_apt_as_it_was(apt: Apt, tmp_path: Path) -> None:
    archive(tmp_path / "archive", "bookworm")
    (apt.etc / "sources.list").write_text(f"deb [trusted=yes] file:{tmp_path}/archive bookworm main\n")
    done = apt.run("add_next_suite; echo went on")
    assert done.returncode == 4
    assert "Adding the suite trixie to apt's sources: failed" in done.stderr
    assert "went on" not in done.stdout
    assert list((apt.etc / "sources.list.d").iterdir()) == list((apt.etc / "preferences.d").iterdir()) == []


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        (
            "ID=debian\nVERSION_CODENAME=bookworm",
            "docker.io/trixie docker-cli/trixie docker-buildx/trixie docker-compose/trixie iptables mmdebstrap",
        ),
        ("ID=debian\nVERSION_CODENAME=trixie", "docker.io docker-cli docker-buildx docker-compose iptables mmdebstrap"),
        ("ID=ubuntu\nVERSION_CODENAME=noble", "docker.io docker-buildx docker-compose-v2 iptables mmdebstrap"),
    ],
)
def test_the_packages_of_an_engine(apt: Apt, tmp_path: Path, release: str, expected: str) -> None:
    (tmp_path / "os-release").write_text(release)
    assert apt.run("docker_origin() { distribution; }; engine_packages").stdout.strip() == expected


def test_dockers_own_packages_get_dockers_own_plugins(apt: Apt) -> None:
    done = apt.run("docker_origin() { echo docker-ce; }; part_packages cli buildx compose")
    assert done.stdout.strip() == "docker-ce-cli docker-buildx-plugin docker-compose-plugin"


def test_a_first_engine_gets_a_configuration(apt: Apt, tmp_path: Path) -> None:
    assert apt.run("is_first_engine && write_daemon_config").returncode == 0
    assert (tmp_path / "docker" / "daemon.json").read_text() == '{\n  "features": {"containerd-snapshotter": true}\n}\n'


@pytest.mark.parametrize("there", ["docker/daemon.json", "data/overlay2/x"])
def test_an_engine_with_a_configuration_or_images_keeps_its_store(apt: Apt, tmp_path: Path, there: str) -> None:
    (tmp_path / there).parent.mkdir(parents=True)
    (tmp_path / there).touch()
    assert apt.run("is_first_engine").returncode != 0
