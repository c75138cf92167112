"""Secrets on the host: for their owner's eyes only, and whole at every moment."""

from __future__ import annotations

import os
from pathlib import Path

from envkit.launch import private
from envkit.settings import Owner

OTHER = Owner(4321, 4322)


def test_what_is_written_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        private.write(tmp_path / "deep" / "er" / "token", "secret", OTHER)
    finally:
        os.umask(umask)
    assert (tmp_path / "deep").stat().st_mode & 0o777 == 0o700
    written = (tmp_path / "deep" / "er" / "token").stat()
    assert written.st_mode & 0o777 == 0o600
    if os.geteuid() == 0:
        assert (written.st_uid, written.st_gid) == (4321, 4322)


def test_a_rewrite_leaves_one_file(tmp_path: Path) -> None:
    me = Owner(os.geteuid(), os.getegid())
    private.write(tmp_path / "token", "old and longer", me)
    private.write(tmp_path / "token", "new", me)
    assert [path.name for path in tmp_path.iterdir()] == ["token"]
    assert (tmp_path / "token").read_text() == "new"
