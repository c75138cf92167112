"""The client's side of SSH: the user's public keys, and a Host block with the host key pinned.

Everything lies in envkit's own folder; the user's ``~/.ssh`` is read, never written.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from envkit.errors import EngineError
from envkit.launch import private
from envkit.launch.identity import Identity
from envkit.launch.plan import LOOPBACK
from envkit.settings import Settings

_KEY_TYPES = ("ssh-ed25519", "ssh-rsa", "ecdsa-sha2-", "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-")


@dataclass(frozen=True)
class Keys:
    """Whom the service admits: the text of ``authorized_keys``; and the private keys to offer, where they lie here."""

    authorized: str
    identities: tuple[Path, ...]


def keys(settings: Settings) -> Keys:
    """The public keys of the user's agent and of ``~/.ssh/*.pub``; where there is none, a key made for envkit.

    Raises:
        EngineError: there is none, and none can be made.
    """
    files = [path for path in sorted((settings.home / ".ssh").glob("*.pub")) if _read(path)]
    lines = [*_agent_keys(), *(line for path in files for line in _read(path))]
    if not lines:
        files = [_own_key(settings)]
        lines = _read(files[0])
    # Equal sets of keys give equal text, wherever each was found and whatever it is called there: a container is made
    # anew when the text changes.
    found = sorted({tuple(line.split()[:2]): line for line in lines}.values())
    # OpenSSH offers but a few names by itself; a key that is called otherwise has to be named.
    identities = tuple(path.with_suffix("") for path in files if path.with_suffix("").is_file())
    return Keys("".join(f"{key}\n" for key in found), identities)


def write_config(settings: Settings, port: int, user: str, host_key: str, identities: tuple[Path, ...]) -> Path:
    """Write the project's Host block and known_hosts; returns the file to name in ``ssh -F`` or to include.

    ``host_key`` is the server's public key line, read through the engine and so from the right container: strict
    checking stays on, and there is no first connection to trust blindly.
    """
    names = Identity.of(settings.project)
    folder = names.state(settings.state) / "ssh"
    known_hosts = folder / "known_hosts"
    kind, key, *_ = host_key.split()
    private.write(known_hosts, f"{names.ssh_host} {kind} {key}\n", settings.caller)
    block = [
        f"Host {names.ssh_host}",
        f"  HostName {LOOPBACK}",
        f"  Port {port}",
        f"  User {user}",
        f"  HostKeyAlias {names.ssh_host}",
        f'  UserKnownHostsFile "{known_hosts}"',
        "  StrictHostKeyChecking yes",
    ]
    block += [f'  IdentityFile "{identity}"' for identity in identities]
    private.write(folder / "config", "\n".join(block) + "\n", settings.caller)
    entry = settings.state / "ssh_config"
    private.write(entry, f'Include "{settings.state}/projects/*/ssh/config"\n', settings.caller)
    return entry


def remove_config(settings: Settings) -> None:
    """Take the project's Host block away; a key that envkit made stays for the next time."""
    (Identity.of(settings.project).state(settings.state) / "ssh" / "config").unlink(missing_ok=True)


def _agent_keys() -> list[str]:
    if not shutil.which("ssh-add"):
        return []
    listed = subprocess.run(["ssh-add", "-L"], capture_output=True, text=True, check=False)
    return _key_lines(listed.stdout) if listed.returncode == 0 else []


def _read(path: Path) -> list[str]:
    try:
        return _key_lines(path.read_text("utf-8", "replace"))
    except OSError:  # a dangling link, somebody else's
        return []


def _key_lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.startswith(_KEY_TYPES)]


def _own_key(settings: Settings) -> Path:
    """The public half of the key that envkit made, now or before."""
    private_key = private.make_folder(settings.state, settings.caller) / "id_ed25519"
    public_key = private_key.with_suffix(".pub")
    if private_key.is_file() and _read(public_key):
        return public_key
    private_key.unlink(missing_ok=True)
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "envkit", "-f", str(private_key)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise EngineError("no SSH key here, and no ssh-keygen to make one", hint="install openssh-client") from error
    except subprocess.CalledProcessError as error:
        raise EngineError(f"{private_key}: ssh-keygen made no key: {error.stderr.strip()}") from error
    if os.geteuid() == 0:
        for made in (private_key, public_key):
            os.chown(made, settings.caller.uid, settings.caller.gid)
    return public_key
