"""Where bytes can be had, and how to get there."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from envkit.models.model import Digests


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
    """Where a file can be had right now.

    ``url`` is http, https or file; ``authorization`` the value of that header for its host alone; ``digests`` what the
    source itself says the bytes are, which holds even where the registry gives only an MD5.
    """

    url: str
    authorization: str | None = field(default=None, repr=False)
    digests: Digests = field(default_factory=Digests)
    route: Route = field(default_factory=Route)
