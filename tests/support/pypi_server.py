"""A real package index on loopback: pypiserver over a folder of wheels."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.daemon import HOST, free_port, listening


@dataclass(frozen=True)
class PypiServer:
    """What lies in ``wheels`` is offered, from the moment that it lies there."""

    port: int
    wheels: Path
    log: Path

    @property
    def url(self) -> str:
        """For pip: the index."""
        return f"http://{HOST}:{self.port}/simple/"

    def offer(self, filename: str, body: bytes) -> None:
        (self.wheels / filename).write_bytes(body)

    def asked(self) -> list[str]:
        """The requests that are over, such as ``GET /simple/tiny-models/``."""
        return re.findall(r'"([A-Z]+ \S+) HTTP/1.\d"', self.log.read_text("utf-8", "replace"))


@contextmanager
def serving(wheels: Path, log: Path, *, digest: str = "sha256") -> Iterator[PypiServer]:
    """Serve a folder; each link names the wheel's ``digest``, any of hashlib's."""
    port = free_port()
    # Without a fallback it is an index that lacks packages, not one that sends its clients to another.
    index = ("-i", HOST, "-p", str(port), "--server", "wsgiref", "--disable-fallback", "--hash-algo", digest)
    logged = ("-v", "--log-frmt", "%(message)s", "--log-req-frmt", "%(PATH_INFO)s")
    with listening((sys.executable, "-m", "pypiserver", "run", *index, *logged, str(wheels)), port, log):
        yield PypiServer(port, wheels, log)
