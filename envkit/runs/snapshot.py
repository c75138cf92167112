"""A snapshot: what the result of a run depends on, as plain data. docs/reference/snapshot.md has every field.

What could not be found out is None, and ``missing`` says why, by the field's name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

SCHEMA = 1


@dataclass(frozen=True)
class Diff:
    """What of the code was not committed, as a patch of Git's.

    ``file`` is the patch, beside the snapshot; ``sha256`` and ``size`` (bytes) are its own. ``tree`` is the name that
    Git gives to all files of the commit with the patch applied.
    """

    file: str
    sha256: str
    size: int
    tree: str


@dataclass(frozen=True)
class Untracked:
    """A file that Git neither has nor ignores; ``in_patch`` if the patch has it. ``sha256`` is None where not read."""

    path: str
    size: int
    sha256: str | None
    in_patch: bool


@dataclass(frozen=True)
class Nested:
    """A repository inside: a submodule, or one that Git does not track. ``commit`` is None where it has none."""

    path: str
    commit: str | None
    dirty: bool


@dataclass(frozen=True)
class Code:
    """``remote`` is a URL without credentials; ``prefix`` is where the project is in its repository (``sub/``)."""

    commit: str | None
    branch: str | None
    remote: str | None
    prefix: str
    dirty: bool
    diff: Diff | None
    untracked: tuple[Untracked, ...]
    nested: tuple[Nested, ...]


@dataclass(frozen=True)
class Image:
    """The image that the container was made from, as far as whoever started it told."""

    reference: str | None
    id: str | None
    digest: str | None


@dataclass(frozen=True)
class ModelFile:
    """``path`` is empty for a file that is the model itself; ``size`` is in bytes."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True)
class ModelState:
    """A model in place. ``why`` says what is not proven, None if all of it is; then there are no files either."""

    name: str
    version: str
    path: str
    files: tuple[ModelFile, ...]
    why: str | None


@dataclass(frozen=True)
class Models:
    """``registry`` and ``lock`` are the SHA-256 of ``models.yaml`` and ``models.lock.yaml``."""

    registry: str
    lock: str | None
    entries: tuple[ModelState, ...]


@dataclass(frozen=True)
class Python:
    """The interpreter that the code runs in; ``packages`` are versions by their names, as the index spells these."""

    executable: str
    version: str
    packages: Mapping[str, str]


@dataclass(frozen=True)
class Device:
    """``memory`` is in bytes, None where the GPU shares that of the machine."""

    name: str
    memory: int | None
    uuid: str


@dataclass(frozen=True)
class Gpu:
    """``cuda`` is the newest version of CUDA that the driver runs."""

    driver: str
    cuda: str | None
    devices: tuple[Device, ...]


@dataclass(frozen=True)
class Machine:
    """``cpus`` are those that the process may use; ``memory`` is in bytes."""

    cpu: str | None
    cpus: int
    memory: int
    architecture: str
    kernel: str


@dataclass(frozen=True)
class Run:
    """How the command ended; None as long as it has not, or where nobody saw it."""

    exit_code: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Snapshot:
    """Everything. ``taken`` is in UTC; ``service`` is ``jupyter``, ``ssh``, ``command`` or ``snapshot``.

    ``folder`` is the one that the command was called in, below ``project``.
    """

    id: str
    taken: str
    envkit: str
    service: str
    project: str
    folder: str
    command: tuple[str, ...] | None
    run: Run | None
    git: Code | None
    image: Image | None
    models: Models | None
    python: Python | None
    gpu: Gpu | None
    machine: Machine
    environment: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    schema: int = SCHEMA

    def as_data(self) -> dict[str, Any]:
        """The document, of JSON's types."""
        data = asdict(self)
        return {"schema": data.pop("schema"), **data}

    def to_json(self) -> str:
        """The text of the file."""
        return json.dumps(self.as_data(), indent=1) + "\n"
