"""The pip of this machine, asked as the program it is: its modules are no interface."""

from __future__ import annotations

import ast
import re
import sys
from time import monotonic

from envkit.errors import ModelError
from envkit.models.sources.base import Tick

# pip has time-outs and retries of its own, which the user may have set; this one only ends a pip that hangs. Seconds.
_TIMEOUT, _POLL = 900, 0.2
# The sections that `pip install` goes by, the later over the earlier.
_SECTIONS = ("global", "install", ":env:")


def run(*arguments: str, tick: Tick) -> str:
    """What pip prints for ``arguments``; raises `ModelError` with pip's own reason."""
    import subprocess

    command = (sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check", *arguments)
    deadline = monotonic() + _TIMEOUT
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            while True:
                try:
                    output, errors = process.communicate(timeout=_POLL)
                    break
                except subprocess.TimeoutExpired as error:
                    if monotonic() > deadline:
                        raise ModelError(f"pip did not answer within {_TIMEOUT} s") from error
                    tick()
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        hint = f"what pip is configured for: {sys.executable} -m pip config list"
        raise ModelError(f"pip: {reason(errors)}", hint=hint)
    return output


def default_index(usage: str) -> str | None:
    """The index that pip asks where none is configured, by the output of `pip install --help`."""
    found = re.search(r"--index-url\s.*?\(default\s+(https?://[^\s)]+)\)", usage, re.DOTALL)
    return found[1] if found else None


def reason(stderr: str) -> str:
    """The cause among pip's lines: a broken connection stands in a warning, above an error that hides it."""
    lines = stderr.splitlines()
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    broken = re.findall(r"connection broken by .*?: ([^:]+?)[\"']?\)+[\"']?: /", stderr)
    if broken:
        return f"the index cannot be reached: {broken[-1]}"
    return errors[-1] if errors else (lines[-1] if lines else "failed without a word")


class Configuration:
    """What `pip install` is configured for on this machine, by files and by ``PIP_…`` variables."""

    def __init__(self, listing: str) -> None:
        """Read ``listing``, the output of `pip config list`."""
        self._values: dict[str, dict[str, str]] = {}
        for line in listing.splitlines():
            key, _, value = line.partition("=")
            section, _, name = key.rpartition(".")
            if section in _SECTIONS:
                self._values.setdefault(name, {})[section] = str(ast.literal_eval(value))

    def get(self, name: str) -> str:
        """The value that counts, empty where there is none."""
        found = self._values.get(name, {})
        return next((found[section] for section in reversed(_SECTIONS) if section in found), "")

    def urls(self) -> tuple[str, ...]:
        """Every place that is named to look for packages, those overridden included."""
        names = ("index-url", "extra-index-url", "find-links")
        return tuple(url for name in names for value in self._values.get(name, {}).values() for url in value.split())
