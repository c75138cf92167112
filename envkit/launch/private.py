"""Folders and files on the host that only their owner may read: secrets, keys, known hosts."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from envkit.settings import Owner


def make_folder(folder: Path, owner: Owner) -> Path:
    """Make ``folder`` and what is missing above it, 0700 and ``owner``'s; what is there already is left as it is."""
    for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
        _give(missing, owner)
    return folder


def write(path: Path, text: str, owner: Owner) -> None:
    """Write ``path`` whole, 0600 and ``owner``'s; a reader sees the old text or the new one, never a part."""
    make_folder(path.parent, owner)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp makes it 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        _give(Path(temporary), owner)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _give(path: Path, owner: Owner) -> None:
    if os.geteuid() == 0:
        os.chown(path, owner.uid, owner.gid)
