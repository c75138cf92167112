"""The host's settings of pip, for builds and containers: where its packages come from, and how to get there."""

from __future__ import annotations

import ast
import re
import subprocess
import sys

from envkit.errors import InputError

_LINE = re.compile(r"^(?P<section>:env:|[\w-]+)\.(?P<key>[\w-]+)=(?P<value>.*)$")

# From the least to the most important, as pip has it: what is said of all commands, of `install`, in the environment.
_SECTIONS = ("global", "install", ":env:")
_ALIASES = {"default-timeout": "timeout"}
_URLS = ("index-url", "extra-index-url", "proxy")
_KEYS = (*_URLS, "trusted-host", "timeout")


def pip_config() -> str | None:
    """The text of a ``pip.conf`` with the host's indexes, proxy, trusted hosts and timeout; None if it sets none.

    Only what makes sense elsewhere: no ``file:`` index, no paths. The certificates travel apart from it, and the
    environment's settings win, as they do for pip itself.

    Raises:
        InputError: pip cannot read its configuration.
    """
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        reason = listed.stderr.strip().splitlines()[-1:] or ["it says nothing more"]
        raise InputError(f"pip's configuration cannot be read: {reason[0]}", hint=f"see: {' '.join(command)}")
    return render(listed.stdout)


def render(listing: str) -> str | None:
    """The ``pip.conf`` for what ``pip config list`` printed."""
    chosen: dict[str, str] = {}
    for section in _SECTIONS:
        for line in listing.splitlines():
            found = _LINE.match(line)
            if found and found["section"] == section and (value := _portable(found["key"], found["value"])):
                chosen[_key(found["key"])] = value
    if not chosen:
        return None
    return "\n".join(["[global]", *(f"{key} = {value}" for key, value in sorted(chosen.items()))]) + "\n"


def _key(key: str) -> str:
    return _ALIASES.get(key, key)


def _portable(key: str, quoted: str) -> str:
    """The words of a value that mean the same in a container, one a line where there are several."""
    if _key(key) not in _KEYS:
        return ""
    words = str(ast.literal_eval(quoted)).split()
    if _key(key) in _URLS:
        words = [word for word in words if re.match(r"https?://", word)]
    return "\n    ".join(words)
