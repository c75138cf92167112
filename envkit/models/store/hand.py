"""Files made on behalf of somebody: root's commands leave nothing of root's in a user's project."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from envkit.errors import ModelError
from envkit.settings import Owner


@dataclass(frozen=True)
class Hand:
    """``owner`` is who everything made is given to, None where that is who calls."""

    owner: Owner | None = None

    def give(self, path: Path) -> None:
        if self.owner is not None:
            os.chown(path, self.owner.uid, self.owner.gid, follow_symlinks=False)

    def make(self, folder: Path) -> bool:
        """Make one folder; whether it was not there."""
        try:
            folder.mkdir()
        except FileExistsError:
            if folder.is_symlink():
                self._refuse_anothers(folder)
            return False
        self.give(folder)
        return True

    def make_all(self, folder: Path) -> None:
        """Make a folder and those above it."""
        if not folder.is_dir():
            if folder.parent != folder:
                self.make_all(folder.parent)
            self.make(folder)
        elif self.owner and os.path.realpath(folder) != str(folder):
            self._refuse_anothers(folder)

    def seal(self, file: Path, mode: int) -> None:
        """Give a file away, and set its mode: of the file itself, never of what a link in its place leads to."""
        if self.owner is None:
            file.chmod(mode)
            return
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            os.fchmod(descriptor, mode)
            os.fchown(descriptor, self.owner.uid, self.owner.gid)
        finally:
            os.close(descriptor)

    def _refuse_anothers(self, folder: Path) -> None:
        """Else whoever owns the project could have root write into any folder of the machine, by a link."""
        if self.owner and folder.stat().st_uid != self.owner.uid:
            hint = "call envkit as that owner, or give them the folder"
            raise ModelError(f"{folder}: a link to a folder that is not the project owner's", hint=hint)

    def write(self, path: Path, data: bytes) -> None:
        """Write a file whole or not at all; what was there is replaced."""
        staged = path.with_name(f"{path.name}.{token_hex(4)}.new")
        try:
            # By descriptor: `open` asks the kernel three things that are of no use here, and there may be thousands.
            descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            try:
                while data:
                    data = data[os.write(descriptor, data) :]
            finally:
                os.close(descriptor)
            self.give(staged)
            staged.replace(path)
        except BaseException:
            staged.unlink(missing_ok=True)
            raise


def acting_for(owner: Owner) -> Hand:
    """The hand of a process that works on files of ``owner``."""
    return Hand(owner if os.geteuid() == 0 and not owner.is_root else None)
