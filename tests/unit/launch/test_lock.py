"""Two at once: the second waits, and says for whom."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from envkit.launch import lock
from envkit.settings import Owner, Settings

HOLD = """
import os, sys
from pathlib import Path
from envkit.launch import lock
from envkit.settings import Owner, Settings
me = Owner(os.geteuid(), os.getegid())
settings = Settings(project=Path(sys.argv[1]), owner=me, caller=me, home=Path("/h"), state=Path(sys.argv[2]))
with lock.exclusive(settings, print):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_second_waits_until_the_first_is_gone(tmp_path: Path) -> None:
    me = Owner(os.geteuid(), os.getegid())
    settings = Settings(project=tmp_path, owner=me, caller=me, home=tmp_path, state=tmp_path / "state")
    command = [sys.executable, "-c", HOLD, str(tmp_path), str(tmp_path / "state")]
    said: list[str] = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout
        assert first.stdout.readline() == "held\n"

        def report(line: str) -> None:
            said.append(line)
            first.kill()  # and the lock goes with it

        with lock.exclusive(settings, report):
            assert said == [f"{tmp_path}: another envkit (process {first.pid}) is at work on it, waiting for that"]
    with lock.exclusive(settings, said.append):
        assert len(said) == 1


def test_a_lock_that_root_made_for_a_user_is_the_user_s(tmp_path: Path) -> None:
    caller = Owner(4321, 4322) if os.geteuid() == 0 else Owner(os.geteuid(), os.getegid())
    settings = Settings(project=tmp_path, owner=caller, caller=caller, home=tmp_path, state=tmp_path / "state")
    with lock.exclusive(settings, lambda _: None):
        pass
    made = [tmp_path / "state", *(tmp_path / "state").rglob("*")]
    assert len(made) == 3
    assert {path.stat().st_uid for path in made} == {caller.uid}
