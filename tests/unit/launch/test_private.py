"""Secrets on the host: for their owner's eyes only, and whole at every moment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from envkit.errors import InputError
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


def test_a_place_that_cannot_be_written_says_which_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "local").write_text("a file where a folder should be")
    with pytest.raises(InputError, match=r"local(.|\n)*XDG_STATE_HOME"):
        private.write(tmp_path / "local" / "state" / "token", "secret", OTHER)


def test_what_is_as_it_should_be_is_known_as_such(tmp_path: Path) -> None:
    me = Owner(os.geteuid(), os.getegid())
    path = tmp_path / "token"
    assert not private.holds(path, "secret", me)
    private.write(path, "secret", me)
    assert private.holds(path, "secret", me)
    assert not private.holds(path, "other", me)
    path.chmod(0o644)
    assert not private.holds(path, "secret", me)
