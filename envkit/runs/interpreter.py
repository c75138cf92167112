"""Which Python the code runs in, and the packages it would import: not those that envkit itself has."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Sequence

from envkit.runs.programs import Asked, NoAnswerError
from envkit.runs.snapshot import Python

_SECONDS = 20.0

LISTING = r"""
import sys, os, json, re
found = {}
for folder in sys.path:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        continue
    for name in names:
        if not name.endswith((".dist-info", ".egg-info")):
            continue
        path = os.path.join(folder, name)
        for inner in ("METADATA", "PKG-INFO", ""):
            try:
                with open(os.path.join(path, inner) if inner else path, encoding="utf-8", errors="replace") as file:
                    head = file.read(4096).split("\n\n")[0]
            except OSError:
                continue
            fields = dict(re.findall(r"^(Name|Version): *(.+?) *$", head, re.MULTILINE))
            if len(fields) == 2:
                found.setdefault(re.sub(r"[-_.]+", "-", fields["Name"]).lower(), fields["Version"])
            break
about = {"executable": sys.executable, "version": sys.version.split()[0], "packages": dict(sorted(found.items()))}
print(json.dumps(about))
"""
"""Run by the interpreter in question. It reads the heads of the metadata: ``importlib.metadata`` takes far longer."""


def choose(command: Sequence[str] | None) -> str:
    """The interpreter that a command names, else the ``python3`` in PATH; its name or path."""
    word = command[0] if command else ""
    named = re.fullmatch(r"python[0-9.]*", os.path.basename(word)) and shutil.which(word)  # noqa: PTH119 - no path yet
    return os.path.abspath(named) if named else "python3"  # noqa: PTH100 - a link of a venv must not be followed


def ask(name: str) -> Asked:
    """Have it list its packages."""
    return Asked([name, "-c", LISTING], name)


def told(asked: Asked) -> Python:
    """The answer; raises `NoAnswerError`."""
    return parse(asked.answer(_SECONDS))


def parse(text: str) -> Python:
    """What `LISTING` printed, in whatever else was printed before it; raises `NoAnswerError`."""
    try:
        data = json.loads(text.strip().splitlines()[-1])
        return Python(str(data["executable"]), str(data["version"]), dict(data["packages"]))
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise NoAnswerError(f"the list of packages cannot be read: {text[:80]!r}") from error
