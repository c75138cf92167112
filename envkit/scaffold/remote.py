"""Where a repository is published, from the URL of its remote."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Host = Literal["github", "gitlab"]

# https://HOST[:PORT]/GROUP/NAME.git, ssh://git@HOST/GROUP/NAME, git@HOST:GROUP/NAME.git
_URL = re.compile(r"(?:[a-z+]+://)?(?:[^/@]+@)?(?P<host>[\w.-]+)(?!://)(?::\d+/|[:/])/*(?P<group>[\w./-]+)/[^/]+/?")


@dataclass(frozen=True)
class Remote:
    """``host`` is a name in DNS, ``group`` whose the repository is there: a user, an organisation, a group."""

    host: str
    group: str

    @property
    def kind(self) -> Host | None:
        """Of which make it is, as far as its name tells."""
        kinds: tuple[Host, ...] = ("github", "gitlab")
        return next((kind for kind in kinds if kind in self.host.lower()), None)


def parse(url: str) -> Remote | None:
    """None for what is on no host: a path, a bundle."""
    found = None if url.startswith(("/", ".", "file:")) else _URL.fullmatch(url)
    return Remote(found["host"], found["group"]) if found else None
