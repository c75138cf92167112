"""The build context: what an image is made of, read from a checkout or from the installed wheel.

Both give the same files with the same modes, so an image built from either has the same name.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from envkit import __version__
from envkit.launch.spec import Variant

PACKAGE = Path(__file__).resolve().parents[1]

# pyproject.toml puts what lies beside the package in a checkout here in the wheel.
_IN_WHEEL = PACKAGE / "_context"

# What the Dockerfile copies or mounts. `.dockerignore` admits the same files, for a build in the checkout.
_OUTSIDE = (
    "Dockerfile",
    "entrypoint.sh",
    "jupyter/**/*",
    "sshd/**/*",
    "requirements/install.sh",
    "requirements/paddle-cpu.txt",
    "requirements/paddle-common.txt",
    "requirements/jupyter.txt",
    "requirements/envkit.txt",
)
_MODEL_HALF = (
    "*.py",
    "commands/__init__.py",
    "commands/models*.py",
    "commands/snapshot.py",
    "models/**/*.py",
    "models/**/*.css",
    "models/**/*.js",
    "runs/*.py",
)

# Within the range that zip archives can hold, and the same for everybody.
_MTIME = 1_577_836_800  # 2020-01-01T00:00:00Z


@dataclass(frozen=True)
class ContextFile:
    """One file of the context: its ``name`` there, and where its bytes are."""

    name: str
    source: Path

    @property
    def mode(self) -> int:
        """The permission bits, by what the file says it is: neither an umask nor the wheel's installer has a say."""
        with self.source.open("rb") as stream:
            return 0o755 if stream.read(2) == b"#!" else 0o644


def files() -> tuple[ContextFile, ...]:
    """Every file of the context, ordered by name."""
    outside = _IN_WHEEL if _IN_WHEEL.is_dir() else PACKAGE.parent
    found = [ContextFile(path.relative_to(outside).as_posix(), path) for path in _matching(outside, _OUTSIDE)]
    found += [
        ContextFile(f"envkit/{path.relative_to(PACKAGE).as_posix()}", path) for path in _matching(PACKAGE, _MODEL_HALF)
    ]
    return tuple(sorted(found, key=lambda file: file.name))


def digest(arguments: Mapping[str, str]) -> str:
    """The first 12 hex digits of a SHA-256 over the names, modes and bytes of the context and the build arguments."""
    whole = hashlib.sha256()
    for file in files():
        content = hashlib.sha256(file.source.read_bytes()).hexdigest()
        whole.update(f"{file.name}\0{file.mode:o}\0{content}\n".encode())
    for name, value in sorted(arguments.items()):
        whole.update(f"{name}={value}\n".encode())
    return whole.hexdigest()[:12]


def build_arguments(variant: Variant, base: str | None = None) -> dict[str, str]:
    """What is asked for of the Dockerfile: the variant, and the base where it is not the Dockerfile's own."""
    return {"VARIANT": variant} | ({base_argument(variant): base} if base else {})


def base_argument(variant: Variant) -> str:
    """The build argument that names the image to build on."""
    return f"{variant.upper()}_BASE"


def default_base(variant: Variant) -> str:
    """The image that the Dockerfile builds on when nothing else is asked for."""
    (dockerfile,) = (file.source for file in files() if file.name == "Dockerfile")
    found = re.search(rf"^ARG {base_argument(variant)}=(\S+)$", dockerfile.read_text("utf-8"), re.MULTILINE)
    assert found, f"the Dockerfile has no default for {base_argument(variant)}"
    return found.group(1)


def image_name(variant: Variant, base: str | None = None) -> str:
    """``envkit:<version>-<variant>-<digest>``: it is there exactly when this context was built."""
    return f"{short_name(variant)}-{digest(build_arguments(variant, base))}"


def short_name(variant: Variant) -> str:
    """``envkit:<version>-<variant>``: the one built last, which ``compose.yaml`` uses."""
    return f"envkit:{__version__}-{variant}"


@contextmanager
def stage() -> Iterator[Path]:
    """Give the context as a folder, with the same modes and times whoever makes it; it is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="envkit-context-") as name:
        root = Path(name)
        for file in files():
            target = root / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.source.read_bytes())
            target.chmod(file.mode)
            os.utime(target, (_MTIME, _MTIME))
        for folder in (path for path in root.rglob("*") if path.is_dir()):
            folder.chmod(0o755)
        yield root


def _matching(root: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    for pattern in patterns:
        for path in root.glob(pattern):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path
