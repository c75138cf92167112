"""What every kind of source answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Location:
    """Where an artifact can be had right now.

    ``url`` is http, https or file; ``auth`` a user name and password for it; ``sha256`` what the source itself says
    the bytes are, which holds even where the registry gives only an MD5.
    """

    url: str
    auth: tuple[str, str] | None = field(default=None, repr=False)
    sha256: str | None = None


class Source(Protocol):
    """A kind of source. A locator is the value of the source's key in ``models.yaml``."""

    @property
    def key(self) -> str:
        """The key of ``models.yaml`` that holds the locator."""

    def problem(self, locator: str) -> str | None:
        """Why a locator is not one, as the end of a sentence that begins with its key; None if it is fine."""

    def filename(self, locator: str) -> str:
        """A file name for the artifact, as far as the locator tells: its suffix decides what the artifact is."""

    def shown(self, locator: str) -> str:
        """The locator for a person to read, without secrets."""

    def locate(self, locator: str) -> Location:
        """Where to fetch the artifact from. May ask the network; raises `ModelError` where that has no answer."""

    def probe(self, locator: str, ca_bundle: Path | None) -> int | None:
        """Ask whether the artifact could be had, without its bytes; its size in bytes where the source tells.

        Raises `ModelError` where it could not.
        """
