"""A minimal Debian or Ubuntu as a tar, from the package sources that this machine's apt is configured for."""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit, urlunsplit

from envkit.errors import EngineError

# Debian of any version gives the one that the default base has; Ubuntu has no Debian's packages, so it gives itself.
_DEBIAN_SUITE = "bookworm"
_UBUNTU_SUITES = ("jammy", "noble")  # those whose Python has wheels of Paddle

# Times in the tar are clamped to this: the same packages give the same bytes.
_EPOCH = "1686355200"  # 2023-06-10T00:00:00Z, bookworm's release

# Nobody reads manuals in a container; licences have to stay.
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*")
_KEPT = ("/usr/share/doc/*/copyright",)

# debootstrap knows one suite and no exclusions: bring it up to date afterwards, and leave out by hand.
_DEBOOTSTRAP = r"""
set -eu
suite=$1 mirror=$2 sources=$3 epoch=$4
root=$(mktemp -d /var/tmp/envkit-base-XXXXXX)
trap 'rm -rf --one-file-system "$root"' EXIT
# dash ends at a signal without its EXIT trap, unless the signal has one of its own.
trap 'exit 130' INT
trap 'exit 143' TERM
debootstrap --variant=minbase --include=ca-certificates "$suite" "$root" "$mirror" >&2
printf '%s' "$sources" >"$root/etc/apt/sources.list"
cp /etc/resolv.conf "$root/etc/resolv.conf"
chroot "$root" sh -eu -c 'apt-get -q update; apt-get -qy dist-upgrade; apt-get clean' >&2
find "$root/usr/share/doc" -type f ! -name copyright -delete
cd "$root"
rm -rf usr/share/man/* usr/share/info/* usr/share/locale/* var/lib/apt/lists/* var/cache/apt/*.bin var/log/*.log
tar --numeric-owner --sort=name --clamp-mtime --mtime="@$epoch" -c .
"""


@dataclass(frozen=True)
class Sources:
    """A suite and where its packages are: apt's one-line entries, the archive itself first."""

    suite: str
    entries: tuple[str, ...]

    @property
    def archive(self) -> str:
        return self.entries[0].split()[1]

    @property
    def text(self) -> str:
        """The text of a ``sources.list``, with the passwords that this machine's entries have."""
        return "".join(f"{entry}\n" for entry in self.entries)

    @property
    def without_credentials(self) -> str:
        """The same as it may lie in an image, or be read by every user of this machine in a process list."""
        return re.sub(r"//[^/@ ]*@", "//", self.text)

    @property
    def has_credentials(self) -> bool:
        return self.text != self.without_credentials


def sources() -> Sources:
    """What this machine's apt is configured for, security and updates included.

    Raises:
        EngineError: this is no Debian or Ubuntu, or its apt has no sources that could be used.
    """
    system = _system()
    if system is None:
        raise EngineError("a base can be made on Debian, and on Ubuntu 22.04 and 24.04; this machine is neither")
    listing = subprocess.run(
        ["apt-get", "indextargets", "--no-release-info", "--format", "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)"],
        capture_output=True,
        text=True,
        check=False,
    )
    return parse(listing.stdout, *system)


def parse(listing: str, distribution: str, codename: str) -> Sources:
    """The `Sources` in lines of ``URI|RELEASE|COMPONENT|ORIGIN``, on that distribution."""
    suite = _DEBIAN_SUITE if distribution == "debian" else codename
    rows = [tuple(line.split("|")) for line in listing.splitlines() if line.count("|") == 3]
    uris = {
        part: uri
        for part in ("", "-updates", "-security")
        if (uri := _uri(((row[0], row[3]) for row in rows if row[1:3] == (f"{codename}{part}", "main")), distribution))
    }
    if "" not in uris:
        raise EngineError(f"apt has no http source of {codename}'s main packages", hint="see /etc/apt/sources.list(.d)")
    components = "main universe" if distribution == "ubuntu" else "main"
    return Sources(suite, tuple(f"deb {uri} {suite}{part} {components}" for part, uri in uris.items()))


def maker(wanted: Sources) -> list[str]:
    """The command that writes the tar to its standard output, given `listing` as its standard input.

    Raises:
        EngineError: no program that could is installed, or it would show a password to everybody.
    """
    if shutil.which("mmdebstrap"):
        return mmdebstrap(wanted)
    if shutil.which("debootstrap") and os.geteuid() == 0:
        return debootstrap(wanted)
    raise EngineError(
        "to make a base, mmdebstrap is needed, or debootstrap and root", hint="apt-get install mmdebstrap"
    )


@contextmanager
def listing(wanted: Sources) -> Iterator[IO[str]]:
    """An open file with the text of a ``sources.list``: it has no name, so nobody else can read its passwords."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as stream:
        stream.write(wanted.text)
        stream.seek(0)
        yield stream


def debootstrap(wanted: Sources) -> list[str]:
    """The command line of debootstrap, which needs root.

    Raises:
        EngineError: it would have a password in it, and so would that of every download.
    """
    if wanted.has_credentials:
        raise EngineError(
            "apt's mirror asks for a password, which debootstrap would show to every user of this machine",
            hint="install mmdebstrap, which does not: apt-get install mmdebstrap",
        )
    return ["sh", "-c", _DEBOOTSTRAP, "debootstrap", wanted.suite, wanted.archive, wanted.text, _EPOCH]


def mmdebstrap(wanted: Sources) -> list[str]:
    """The command line of mmdebstrap, which needs root or user namespaces, and reads its sources from `listing`."""
    options = [f"--dpkgopt=path-exclude={path}" for path in _LEFT_OUT]
    options += [f"--dpkgopt=path-include={path}" for path in _KEPT]
    # The entries come with passwords where the machine's have them: what is being made lies in a folder that everybody
    # may read, and the image gets a list of its own.
    closed = 'find "$1"/etc/apt/sources.list* -type f -exec chmod 0600 {} +'
    text = shlex.quote(wanted.without_credentials)
    hook = f'rm -f "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/*; printf %s {text} >"$1"/etc/apt/sources.list'
    return [
        *("env", f"SOURCE_DATE_EPOCH={_EPOCH}", "mmdebstrap", "--variant=minbase", "--include=ca-certificates"),
        *(*options, f"--setup-hook={closed}", f"--customize-hook={hook}", wanted.suite, "-", "-"),
    ]


def _system() -> tuple[str, str] | None:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return None
    distribution, codename = release["ID"], release.get("VERSION_CODENAME", "")
    known = distribution == "debian" or (distribution == "ubuntu" and codename in _UBUNTU_SUITES)
    return (distribution, codename) if known and shutil.which("apt-get") else None


def _uri(candidates: Iterable[tuple[str, str]], distribution: str) -> str | None:
    """The distribution's own archive among those with a suite of its name: others call theirs the same."""
    found = [(resolved, origin) for uri, origin in candidates if (resolved := _resolve(uri))]
    own = [uri for uri, origin in found if origin.lower() == distribution]
    return next(iter([*own, *(uri for uri, _ in found)]), None)


def _resolve(uri: str) -> str | None:
    """The address itself: cloud images name a file of mirrors instead."""
    uri = uri.rstrip("/")
    if uri.startswith("mirror+file:"):
        listed = Path(urlsplit(uri).path)
        words = listed.read_text("utf-8").split() if listed.is_file() else []
        uri = next((word.rstrip("/") for word in words if re.match(r"https?://", word)), "")
    parts = urlsplit(uri)
    return urlunsplit(parts) if parts.scheme in ("http", "https") else None
