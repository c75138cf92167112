"""Locks: one at a time, gone with the descriptor, and a careful answer where there are none."""

from __future__ import annotations

import errno
import fcntl
from pathlib import Path

import pytest

from envkit import flock


def test_a_lock_is_one_holder_s_until_its_file_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with path.open("w") as second:
        with path.open("w") as first:
            assert flock.take(first.fileno(), unsupported=True)
            assert not flock.take(second.fileno(), unsupported=True)
        assert flock.take(second.fileno(), unsupported=False)


@pytest.mark.parametrize("answer", [True, False])
def test_where_there_are_no_locks_the_caller_has_said_what_to_take_that_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bool
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with (tmp_path / "lock").open("w") as file:
        assert flock.take(file.fileno(), unsupported=answer) is answer
