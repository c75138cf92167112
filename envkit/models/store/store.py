"""Which store a project uses, and what is in one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from envkit.errors import ModelError
from envkit.models.checkpoints import FOLDER
from envkit.models.store import linking
from envkit.models.store.blobs import Blobs
from envkit.models.store.hand import Hand, acting_for
from envkit.models.store.trees import Trees
from envkit.result import Report
from envkit.settings import Settings

_FOLDERS = ("blobs", "partial", "staging", "projects")
_PROBE = "probe"
"""An empty file to try links with. It stays: removed each time, it would be left behind by whoever is killed."""


@dataclass(frozen=True)
class Store:
    """A folder of blobs; ``symlink`` if its path resolves wherever the project does.

    ``keeps`` is False where nothing can be linked: a blob would only be a second copy then, and goes once it is placed.
    """

    root: Path
    hand: Hand
    symlink: bool
    keeps: bool = True

    @property
    def blobs(self) -> Blobs:
        return Blobs(self.root, self.hand)

    @property
    def trees(self) -> Trees:
        return Trees(self.root, self.hand)

    @property
    def partials(self) -> Path:
        """Files on their way, and the locks of who is fetching them."""
        return self.root / "partial"

    @property
    def staging(self) -> Path:
        """Members of archives before they are blobs."""
        return self.root / "staging"


def local_root(project: Path) -> Path:
    """The store of a project for itself."""
    return project / FOLDER / ".envkit" / "store"


def likely(settings: Settings) -> Path:
    """Where the store is, most likely: for those who only read. `choose` tries it out."""
    if settings.store:
        return settings.store
    shared = settings.cache / "store"
    return shared if shared.is_dir() and acting_for(settings.owner).owner is None else local_root(settings.project)


def choose(settings: Settings, folder: Path, say: Report) -> Store:
    """The store that is named; else the user's own, where its files can be linked into the project; else the project's.

    ``folder`` is a temporary one below ``checkpoints/``, to try it in.

    Raises:
        ModelError: not even the project's own can be written to.
    """
    hand = acting_for(settings.owner)
    if settings.store:
        if _is_usable(settings.store, hand):
            return Store(settings.store, hand, symlink=True)
        # No failure: a container has the same envkit.yaml as its host, and not the host's disks.
        say(f"{settings.store}: the store that is named cannot be written to; using the project's own")
    shared = settings.cache / "store"
    # What root keeps for itself is nothing to link into another's project.
    own = not settings.store and hand.owner is None and _is_usable(shared, hand)
    if own and linking.shares(shared / _PROBE, folder):
        return Store(shared, hand, symlink=False)
    root = local_root(settings.project)
    if not _is_usable(root, hand):
        raise ModelError(f"{root}: cannot be written", hint="call envkit as the project's owner")
    return Store(root, hand, symlink=False, keeps=linking.shares(root / _PROBE, folder))


def _is_usable(root: Path, hand: Hand) -> bool:
    """Whether the store is there, with its folders, and can be written to: made if need be."""
    try:
        for name in _FOLDERS:
            hand.make_all(root / name)
        if not (root / _PROBE).exists():
            os.close(os.open(root / _PROBE, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644))
            hand.give(root / _PROBE)
    except OSError:
        return False
    return all(os.access(root / name, os.W_OK) for name in _FOLDERS)
