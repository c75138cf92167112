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
    """Whom the service admits: the text of ``authorized_keys``, and envkit's own private key where it made one."""

    authorized: str
    identity: Path | None


def keys(settings: Settings) -> Keys:
    """The public keys of the user's agent and of ``~/.ssh/*.pub``; where there is none, a key made for envkit."""
    found = list(dict.fromkeys([*_agent_keys(), *_public_keys(settings.home / ".ssh")]))
    if found:
        return Keys("".join(f"{key}\n" for key in found), None)
    private_key = _own_key(settings)
    return Keys(private_key.with_suffix(".pub").read_text("utf-8"), private_key)


def write_config(settings: Settings, port: int, user: str, host_key: str, identity: Path | None) -> Path:
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
    if identity:
        block += [f'  IdentityFile "{identity}"', "  IdentitiesOnly yes"]
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


def _public_keys(folder: Path) -> list[str]:
    return [key for path in sorted(folder.glob("*.pub")) for key in _key_lines(path.read_text("utf-8", "replace"))]


def _key_lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.startswith(_KEY_TYPES)]


def _own_key(settings: Settings) -> Path:
    path = private.make_folder(settings.state, settings.caller) / "id_ed25519"
    if path.is_file():
        return path
    try:
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "envkit", "-f", str(path)],
            check=True,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError as error:
        raise EngineError(
            "no SSH key of yours, and no ssh-keygen to make one", hint="install openssh-client"
        ) from error
    for made in (path, path.with_suffix(".pub")):
        if os.geteuid() == 0:
            os.chown(made, settings.caller.uid, settings.caller.gid)
    return path
