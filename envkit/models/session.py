"""A `requests` session that goes the way a `Route` says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict

import requests
import urllib3
from requests.adapters import HTTPAdapter

from envkit.models.sources.base import Route


class Options(TypedDict):
    """What a request is given beside its URL: a session's own would give way to the environment's."""

    proxies: dict[str, str] | None
    verify: str | None
    cert: str | None


def options(route: Route, ca_bundle: Path | None) -> Options:
    """The way for one request; ``ca_bundle`` is whom to trust where the route does not say (None: requests' own)."""
    bundle = route.ca_bundle or ca_bundle
    return {
        # As with pip, a proxy that is named outright is used for every host, whatever NO_PROXY says.
        "proxies": {"http": route.proxy, "https": route.proxy} if route.proxy else None,
        "verify": str(bundle) if bundle else None,
        "cert": str(route.client_certificate) if route.client_certificate else None,
    }


@contextmanager
def opened(route: Route) -> Iterator[requests.Session]:
    """A session that looks at the certificates of all hosts but those that the route trusts as they are."""
    with requests.Session() as session:
        for host in route.trusted_hosts:
            # The prefix of a URL: a host named without a port is meant with every port.
            for end in ("/",) if ":" in host.rpartition("]")[2] else ("/", ":"):
                session.mount(f"https://{host}{end}", _Unverified())
        yield session


class _Unverified(HTTPAdapter):
    """Connections whose certificates nobody looks at, for the host alone that it is mounted for, not for redirects."""

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float, float] | tuple[float, None] | None = None,
        verify: bool | str = True,
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        del verify
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        return super().send(request, stream, timeout, False, cert, proxies)
