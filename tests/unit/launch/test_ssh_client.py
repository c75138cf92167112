"""The client's side of SSH: whose keys, and a Host block that OpenSSH itself reads as meant."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from envkit.launch import ssh_client
from envkit.settings import Owner, Settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    me = Owner(os.geteuid(), os.getegid())
    (tmp_path / "my project").mkdir()
    return Settings(
        project=tmp_path / "my project", owner=me, caller=me, home=tmp_path / "home", state=tmp_path / "the state"
    )


def keygen(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path.with_suffix(".pub").read_text()


def test_the_users_own_public_keys_are_taken_and_their_private_halves_offered(settings: Settings) -> None:
    ssh = settings.home / ".ssh"
    first, second = keygen(ssh / "a"), keygen(ssh / "work")
    (ssh / "a").unlink()  # on a token, or with the agent alone
    (ssh / "note.pub").write_text("not a key\n")
    (ssh / "dangling.pub").symlink_to("nowhere")
    assert ssh_client.keys(settings) == ssh_client.Keys("".join(sorted((first, second))), (ssh / "work",))


def test_the_same_keys_give_the_same_text_wherever_they_are_found(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ssh = settings.home / ".ssh"
    for name in ("a", "b"):
        keygen(ssh / name)
    without = ssh_client.keys(settings)
    agent = subprocess.run(["ssh-agent", "-s"], capture_output=True, text=True, check=True).stdout
    said = dict(re.findall(r"(SSH_\w+)=([^;]+);", agent))
    try:
        monkeypatch.setenv("SSH_AUTH_SOCK", said["SSH_AUTH_SOCK"])
        subprocess.run(["ssh-add", "-q", str(ssh / "b")], check=True)
        assert ssh_client.keys(settings) == without
    finally:
        os.kill(int(said["SSH_AGENT_PID"]), signal.SIGTERM)


def test_with_no_key_one_is_made_once(settings: Settings) -> None:
    made = ssh_client.keys(settings)
    (private_key,) = made.identities
    assert private_key.stat().st_mode & 0o777 == 0o600
    assert ssh_client.keys(settings) == made


def test_half_a_key_of_our_own_is_made_anew(settings: Settings) -> None:
    (private_key,) = ssh_client.keys(settings).identities
    private_key.with_suffix(".pub").unlink()
    assert ssh_client.keys(settings).authorized.startswith("ssh-ed25519 ")


def test_openssh_reads_the_host_block_as_meant(settings: Settings, tmp_path: Path) -> None:
    host_key = keygen(tmp_path / "host")
    config = ssh_client.write_config(settings, 2345, "paddle", host_key, (tmp_path / "the id",))
    (host,) = [line.split()[1] for line in next(config.parent.rglob("ssh/config")).read_text().splitlines()[:1]]
    shown = subprocess.run(["ssh", "-G", "-F", str(config), host], capture_output=True, text=True, check=True).stdout
    said = dict(line.split(" ", 1) for line in shown.splitlines() if " " in line)
    assert (said["hostname"], said["port"], said["user"]) == ("127.0.0.1", "2345", "paddle")
    assert said["stricthostkeychecking"] == "true"
    assert said["identityfile"] == str(tmp_path / "the id")
    assert Path(said["userknownhostsfile"]).read_text().split()[:2] == [host, "ssh-ed25519"]


def test_a_removed_block_is_gone_for_openssh(settings: Settings, tmp_path: Path) -> None:
    config = ssh_client.write_config(settings, 2345, "paddle", keygen(tmp_path / "host"), ())
    ssh_client.remove_config(settings)
    shown = subprocess.run(["ssh", "-G", "-F", str(config), "x.envkit"], capture_output=True, text=True, check=True)
    assert "port 2345" not in shown.stdout
