"""nginx on loopback, twice over the same files: as fast as it goes, and at a given rate a connection."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SO_MAX_PACING_RATE = 47  # linux/socket.h; Python's socket module has no name for it

CONFIGURATION = """\
daemon off;
worker_processes 1;
pid {folder}/pid;
{user}
events {{ worker_connections 1024; }}
http {{
  access_log off;
  sendfile on;
  keepalive_requests 100000;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{fast};
    listen 127.0.0.1:{paced};
    root {root};
    location /hub/ {{
      default_type application/json;
      add_header X-Repo-Commit {commit};
    }}
  }}
}}
"""
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass(frozen=True)
class Server:
    """Where it listens: ``fast`` and ``paced`` are URLs without a slash at the end."""

    fast: str
    paced: str


@contextmanager
def serving(root: Path, folder: Path, rate: int) -> Iterator[Server]:
    """Serve ``root``, the paced way at ``rate`` bytes a second and connection; ``folder`` is nginx's own.

    The kernel does the pacing (the option is inherited by accepted sockets): nginx's ``limit_rate`` counts for each
    request anew and lets the first second's worth through at once, so 5 MiB would never be slowed down.
    """
    with _listening() as fast, _listening() as paced:
        paced.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, rate)
        ports = {"fast": fast.getsockname()[1], "paced": paced.getsockname()[1]}
        user = "user root;" if os.geteuid() == 0 else ""
        configuration = folder / "nginx.conf"
        configuration.write_text(CONFIGURATION.format(folder=folder, root=root, user=user, commit=COMMIT, **ports))
        descriptors = [fast.fileno(), paced.fileno()]
        # How nginx hands its sockets to a newer nginx.
        environ = {**os.environ, "NGINX": "".join(f"{descriptor};" for descriptor in descriptors)}
        command = ["nginx", "-c", str(configuration), "-p", str(folder), "-e", str(folder / "error.log")]
        process = subprocess.Popen(command, pass_fds=descriptors, env=environ)
    try:
        yield Server(*(f"http://127.0.0.1:{ports[kind]}" for kind in ("fast", "paced")))
    finally:
        process.terminate()
        process.wait()


def _listening() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(512)  # connections wait here until nginx is up
    return listener
