#!/opt/jupyter/bin/python -I
"""Ask the running JupyterLab whether it answers, wherever it listens.

Port, base URL and scheme are taken from the file that the server writes when it is up, so that arguments given to it
(``jupyter --ServerApp.base_url=/lab1/``) do not turn a healthy server into an unhealthy one.
"""

import json
import ssl
import sys
import urllib.request
from pathlib import Path

RUNTIME = Path("/run/envkit/jupyter")
TIMEOUT = 4  # seconds, below that of HEALTHCHECK


def ask() -> str:
    """Return what the server says of itself.

    Raises:
        OSError: there is none, or it does not answer.
    """
    servers = [json.loads(path.read_text("utf-8")) for path in RUNTIME.glob("jpserver-*.json")]
    if not servers:
        raise OSError("not up yet")
    server = servers[0]
    scheme = "https" if server["secure"] else "http"
    url = f"{scheme}://127.0.0.1:{server['port']}{server['base_url']}api"
    # The loopback address needs no proxy, and no certificate names it.
    unverified = ssl._create_unverified_context()  # noqa: S323
    handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=unverified))
    with urllib.request.build_opener(*handlers).open(url, timeout=TIMEOUT) as response:
        return f"{url}: Jupyter server {json.load(response)['version']}"


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{ask()}\n")
    except OSError as error:
        sys.exit(f"JupyterLab does not answer: {error}")
