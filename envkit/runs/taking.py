"""Takes a snapshot: asks everybody who knows something, all at once, and notes what nobody could say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from secrets import token_hex
from typing import TypeVar

from envkit import __version__
from envkit.errors import EnvkitError
from envkit.runs import code, hardware, interpreter, shelf
from envkit.runs.programs import NoAnswerError
from envkit.runs.snapshot import Code, Gpu, Image, Models, Run, Snapshot
from envkit.settings import Settings

_OF_THE_IMAGE = Path("/opt/envkit/entrypoint.sh")
_NO_IMAGE = "not in a container of envkit's image"
_NO_DRIVER = "there is no nvidia-smi here"
_NOT_YET = "nvidia-smi had not answered by then"

_T = TypeVar("_T")


@dataclass
class Taking:
    """One snapshot on its way. ``missing`` grows: why something is not known, by the name of its field."""

    settings: Settings
    service: str
    command: tuple[str, ...] | None
    acting: tuple[int, int] | None
    identity: str = field(default_factory=lambda: token_hex(4))
    taken: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return shelf.name(self.taken, self.service, self.identity)

    def take(self, place: Path, models: Callable[[], Models], *, thorough: bool) -> tuple[Snapshot, bytes]:
        """The snapshot that goes to ``place``, and the patch beside it; ``models`` tells of those.

        Not ``thorough``, nothing is asked that takes long: GPUs, the digests of large files that Git does not have.
        """
        # These run while we look at the code and the models.
        python = interpreter.ask(interpreter.choose(self.command))
        gpus = hardware.AskedGpus() if thorough and hardware.has_driver() else None
        git, patch = self._code(place, thorough)
        found = Snapshot(
            id=self.identity,
            taken=f"{self.taken:%Y-%m-%dT%H:%M:%SZ}",
            envkit=__version__,
            service=self.service,
            project=str(self.settings.project),
            folder=_below(self.settings.project),
            command=self.command,
            run=Run() if self.service == "snapshot" and self.command else None,
            git=git,
            image=self._image(),
            models=self._told("models", models),
            python=self._told("python", lambda: interpreter.told(python)),
            gpu=self._gpu(gpus),
            machine=hardware.machine(),
            environment=dict(self.settings.environment),
            missing=self.missing,
        )
        return found, patch

    def _code(self, place: Path, thorough: bool) -> tuple[Code | None, bytes]:
        name = shelf.patch_of(place).name
        project = self.settings.project
        found = self._told("git", lambda: code.look(project, name, thorough=thorough, acting=self.acting))
        return found or (None, b"")

    def _image(self) -> Image | None:
        if not _OF_THE_IMAGE.exists():
            self.missing["image"] = _NO_IMAGE
            return None
        return Image(self.settings.image, self.settings.image_id, self.settings.image_digest)

    def _gpu(self, asked: hardware.AskedGpus | None) -> Gpu | None:
        if asked:
            return self._told("gpu", asked.told)
        self.missing["gpu"] = _NOT_YET if hardware.has_driver() else _NO_DRIVER
        return None

    def _told(self, name: str, tell: Callable[[], _T]) -> _T | None:
        try:
            return tell()
        except (EnvkitError, NoAnswerError) as error:
            self.missing[name] = str(error).splitlines()[0]
            return None


def lacks_gpus(found: Snapshot) -> bool:
    """Whether the GPUs are still to be asked for."""
    return found.missing.get("gpu") == _NOT_YET


def with_gpus(found: Snapshot) -> Snapshot:
    """The same, once the driver has told of its GPUs."""
    missing = {name: why for name, why in found.missing.items() if name != "gpu"}
    try:
        return replace(found, gpu=hardware.AskedGpus().told(), missing=missing)
    except NoAnswerError as error:
        return replace(found, missing={**missing, "gpu": str(error)})


def _below(project: Path) -> str:
    """The current folder, as a path below the project; empty for the project itself, or for one elsewhere."""
    try:
        here = Path.cwd()
    except FileNotFoundError:
        return ""
    return here.relative_to(project).as_posix() if here != project and here.is_relative_to(project) else ""
