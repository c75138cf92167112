"""JupyterLab's configuration inside the image, whole. Reference: docs/reference/image.md."""

import os
from pathlib import Path

c = get_config()  # noqa: F821  (Jupyter defines it when it reads this file)

# The container's own address. Where it can be reached from is what the container's port is published on: 127.0.0.1.
c.ServerApp.ip = "0.0.0.0"  # noqa: S104
c.ServerApp.port = 8888
c.ServerApp.port_retries = 0  # a moved port would not be the published one
c.ServerApp.open_browser = False
c.ServerApp.root_dir = "/workspace"

# A token always, from a file that only the user can read; no page of another origin may talk to the server.
c.IdentityProvider.token = Path("/run/envkit/jupyter_token").read_text("utf-8").strip()
c.PasswordIdentityProvider.allow_password_change = False
c.ServerApp.allow_origin = ""
c.ServerApp.allow_root = os.geteuid() == 0  # only the container of a project that belongs to root

c.ServerApp.terminals_enabled = True
c.ServerApp.terminado_settings = {"shell_command": ["/bin/bash", "-l"]}

# One kernel, Paddle's (start.sh puts it first). Without this the server would offer its own Python where that is gone.
c.KernelSpecManager.ensure_native_kernel = False
c.KernelManager.transport_encryption = "auto"  # other processes in the container cannot listen in
# `docker stop` waits for the kernels, and a busy one does not listen: two waits of half this many seconds.
c.KernelManager.shutdown_wait_time = 1.0

# The server's environment belongs to the image, and nothing is asked of the network (nor whether it may be:
# overrides.json).
c.LabApp.extension_manager = "readonly"
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
