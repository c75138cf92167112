"""Versions of Python packages, compared as PEP 440 does: ``1.0`` is ``1.0.0``, ``1.0-rc1`` is ``1.0c1``."""

from __future__ import annotations

import re

# PEP 440, appendix B.
_VERSION = re.compile(
    r"""v?
    (?:(?P<epoch>[0-9]+)!)?
    (?P<release>[0-9]+(?:\.[0-9]+)*)
    (?:[-_.]?(?P<pre>a|b|c|rc|alpha|beta|pre|preview)[-_.]?(?P<pre_number>[0-9]*))?
    (?P<post>-(?P<bare_post>[0-9]+)|[-_.]?(?:post|rev|r)[-_.]?(?P<post_number>[0-9]*))?
    (?P<dev>[-_.]?dev[-_.]?(?P<dev_number>[0-9]*))?
    (?:\+(?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?""",
    re.VERBOSE | re.ASCII,
)
_SHORT = {"alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc"}


def canonical(version: str) -> str | None:
    """The one spelling of a version that equal ones share, without trailing zeros; None for what is no version."""
    found = _VERSION.fullmatch(version.strip().lower())
    if found is None:
        return None
    release = [int(part) for part in found["release"].split(".")]
    while len(release) > 1 and release[-1] == 0:
        release.pop()
    text = f"{int(found['epoch'] or 0)}!" + ".".join(map(str, release))
    if found["pre"]:
        text += _SHORT.get(found["pre"], found["pre"]) + str(int(found["pre_number"] or 0))
    if found["post"]:
        text += f".post{int(found['bare_post'] or found['post_number'] or 0)}"
    if found["dev"]:
        text += f".dev{int(found['dev_number'] or 0)}"
    if found["local"]:
        parts = re.split(r"[-_.]", found["local"])
        text += "+" + ".".join(str(int(part)) if part.isdecimal() else part for part in parts)
    return text


def satisfies(candidate: str, wanted: str) -> bool:
    """Whether ``==wanted`` takes ``candidate``. Its local part (``+cu118``) counts only where one is wanted."""
    found, expected = canonical(candidate), canonical(wanted)
    if found is not None and "+" not in wanted:
        found = found.partition("+")[0]
    return found is not None and found == expected
