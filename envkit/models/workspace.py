"""One run's writes to ``checkpoints/``: temporary files, and the rename that makes them models.

A file or folder gets its final name by rename, when its digests have matched; what it replaces is moved aside in the
same breath and deleted afterwards. No lock is relied on: two runs at once publish whole models each.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from envkit.errors import ModelError
from envkit.models.checkpoints import Checkpoints
from envkit.models.model import Model
from envkit.models.store import runs
from envkit.models.store.hand import Hand

_TRIES = 20
_TAKEN = {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EISDIR}


class Workspace:
    """A folder for one run's temporary files, on the same file system as the models. Made by `opened`."""

    def __init__(self, checkpoints: Checkpoints, folder: Path, hand: Hand) -> None:
        self.checkpoints = checkpoints
        self.folder = folder
        self.hand = hand

    def fresh(self) -> Path:
        """A path for a new temporary file or folder."""
        return self.folder / token_hex(8)

    def publish(self, staged: Path, model: Model) -> None:
        """Make ``staged``, a file or folder of this workspace, the model in place."""
        target = self.checkpoints.target(model)
        for _ in range(_TRIES):
            aside = self.fresh()
            # A file replaces a file in one step; a folder has to be out of the way first.
            if staged.is_dir() or target.is_dir():
                with suppress(FileNotFoundError):
                    target.rename(aside)
            try:
                staged.replace(target)
            except OSError as error:
                if error.errno in _TAKEN:
                    continue  # another run published in between
                if aside.exists():
                    aside.rename(target)
                raise
            return
        raise ModelError(f"{target}: another process keeps replacing it")


@contextmanager
def opened(checkpoints: Checkpoints, hand: Hand) -> Iterator[Workspace]:
    """A workspace for one run: what dead runs left is cleared away before, what this one leaves afterwards.

    Raises:
        ModelError: ``checkpoints/`` cannot be written to.
    """
    with ExitStack() as stack:
        try:
            _make_folders(checkpoints, hand)
            folder = stack.enter_context(runs.claimed(checkpoints.bookkeeping / "runs", hand))
        except OSError as error:
            raise ModelError(f"{error.filename or checkpoints.folder}: cannot be written: {error.strerror}") from error
        yield Workspace(checkpoints, folder, hand)


def _make_folders(checkpoints: Checkpoints, hand: Hand) -> None:
    if hand.make(checkpoints.folder):
        # Weights do not belong in Git, whether or not the project's own .gitignore says so.
        ignore = checkpoints.folder / ".gitignore"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(ignore, flags, 0o644), "w") as file:
            file.write("*\n")
        hand.give(ignore)
    for name in ("", "records", "runs"):
        hand.make(checkpoints.bookkeeping / name)
