"""Which image to run a command in again: the very one it ran in, or none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envkit.launch import engine

if TYPE_CHECKING:
    from docker import DockerClient


@dataclass(frozen=True)
class Wanted:
    """An image as it was noted down: the name it went by then, and what it was."""

    reference: str | None
    id: str | None
    digest: str | None

    def __str__(self) -> str:
        what = self.id or self.digest
        return f"{self.reference} ({what})" if self.reference and what else str(self.reference or what)


@dataclass(frozen=True)
class Choice:
    """``reference`` is what to hand to the engine, None if it cannot be had, which ``why`` explains.

    ``here`` is None for one that has to be pulled first; ``instead`` is what the old name means here now.
    """

    reference: str | None
    here: engine.Image | None = None
    why: str = ""
    instead: engine.Image | None = None


def choose(client: DockerClient, wanted: Wanted) -> Choice:
    """Find the image that was noted down, by what it is and not by its name. Nothing is pulled."""
    names = [name for name in (wanted.reference, wanted.id, wanted.digest) if name]
    here = {name: engine.image_here(client, name) for name in names}
    for name, found in here.items():
        if found and (found.id == wanted.id or name == wanted.digest):
            return Choice(name, found)
    if not wanted.id and not wanted.digest:
        return Choice(None, why="which one that was is not known")
    instead = here.get(wanted.reference or "")
    if not wanted.digest:
        return Choice(None, why="is not here, and no registry had it", instead=instead)
    refusal = engine.why_not_pulled(client, wanted.digest)
    if refusal:
        return Choice(None, why=f"is not here, and {wanted.digest} cannot be pulled: {refusal}", instead=instead)
    return Choice(wanted.digest)


def named(client: DockerClient, reference: str) -> Choice:
    """The image that a name means now, here or at its registry."""
    if found := engine.image_here(client, reference):
        return Choice(reference, found)
    refusal = engine.why_not_pulled(client, reference)
    return Choice(None, why=f"is not here, and cannot be pulled: {refusal}") if refusal else Choice(reference)
