"""What every kind of source answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

Tick = Callable[[], None]
"""Called several times a second while a source waits for a program; what it raises ends the waiting."""


@dataclass(frozen=True)
class Route:
    """How to get to a place, where its source knows better than the machine's own settings.

    ``proxy`` is the URL of one for everything, ``ca_bundle`` whom to trust, ``client_certificate`` who we are, and
    ``trusted_hosts`` (``HOST`` or ``HOST:PORT``) are those whose certificates are not looked at.
    """

    proxy: str | None = field(default=None, repr=False)
    ca_bundle: Path | None = None
    client_certificate: Path | None = None
    trusted_hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Location:
    """Where an artifact can be had right now.

    ``url`` is http, https or file; ``auth`` a user name and password for it; ``sha256`` what the source itself says
    the bytes are, which holds even where the registry gives only an MD5.
    """

    url: str
    auth: tuple[str, str] | None = field(default=None, repr=False)
    sha256: str | None = None
    route: Route = Route()


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

    def locate(self, locator: str, tick: Tick) -> Location:
        """Where to fetch the artifact from. May ask the network; raises `ModelError` where that has no answer."""

    def probe(self, locator: str, ca_bundle: Path | None, tick: Tick) -> int | None:
        """Ask whether the artifact could be had, without its bytes; its size in bytes where the source tells.

        Raises `ModelError` where it could not.
        """
