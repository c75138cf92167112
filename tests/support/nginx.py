"""The machine's nginx on loopback, with a configuration of ours alone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.daemon import HOST, free_port, listening

# One process, which stays who the tests are: workers of root's would be somebody who may not look into a test's folder.
_CONFIGURATION = """\
daemon off;
master_process off;
pid nginx.pid;
error_log stderr notice;
events {{}}
http {{
  log_format ours "$request_method $request_uri $status $body_bytes_sent $http_range";
  access_log access.log ours;
  client_body_temp_path temporary;
  proxy_temp_path temporary;
  fastcgi_temp_path temporary;
  uwsgi_temp_path temporary;
  scgi_temp_path temporary;
  default_type application/octet-stream;
  sendfile on;
  {http}
  server {{
    listen {host}:{port};
    root "{root}";
    {server}
  }}
}}
"""


@dataclass(frozen=True)
class Served:
    """One line of the access log: an answer that is over. ``sent`` is bytes of the body."""

    method: str
    path: str
    status: int
    sent: int
    range: str


@dataclass(frozen=True)
class Nginx:
    """What lies in ``root`` is served."""

    port: int
    root: Path
    folder: Path

    def url(self, path: str) -> str:
        return f"http://{HOST}:{self.port}{path}"

    def served(self) -> list[Served]:
        """So far; an answer is in the log a moment after its last byte has arrived."""
        lines = [line.split(" ", 4) for line in (self.folder / "access.log").read_text("utf-8").splitlines()]
        return [Served(line[0], line[1], int(line[2]), int(line[3]), line[4].removeprefix("-")) for line in lines]


@contextmanager
def serving(root: Path, folder: Path, *, server: str = "", http: str = "") -> Iterator[Nginx]:
    """Serve ``root``, with what nginx writes in ``folder``.

    ``server`` and ``http`` are further directives for the block of that name, such as ``limit_rate 1m;``. Skips the
    test where nginx is not installed.
    """
    program = _program()
    if not program:
        pytest.skip("this machine has no nginx")
    folder.mkdir(exist_ok=True)
    port, configuration = free_port(), folder / "nginx.conf"
    text = _CONFIGURATION.format(host=HOST, port=port, root=root, server=server, http=http)
    configuration.write_text(text, "utf-8")
    command = (program, "-p", str(folder), "-e", "stderr", "-c", str(configuration))
    with listening(command, port, folder / "nginx.log"):
        yield Nginx(port, root, folder)


def _program() -> str | None:
    # Debian keeps it where only root looks.
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
