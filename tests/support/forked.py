"""The other side of `Forks`: a Python that has imported all of envkit, and forks whenever it is asked for a run.

Call it as ``python -m tests.support.forked``. It has no threads of its own, so that a fork is as good as a new process.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from envkit import cli, flock
from envkit.models import archive, room, sync
from envkit.models.store import linking, locks
from envkit.models.transfer import download, fetch, pieces

_CHANGES = {"os.rename", "os.link", "os.symlink", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.truncate"}
_ASKED = {"fcntl.flock", "fcntl.fcntl", "fcntl.ioctl"}  # nothing changes, but what was found out may be old by now

# Downloads of a few mebibytes take the way of large ones, and are soon on several connections.
_SMALL = {"SMALL": 64 << 10, "LEAST": 64 << 10, "_JOURNAL_EVERY": 0.01, "_BEAT": 0.005, "_CHUNK": 16 << 10}
_SOON = {"_SHORTEST_TRIAL": 0.03, "_LONGEST_TRIAL": 0.05}


def main() -> None:
    for module in (download, fetch, pieces):
        for name, value in {**_SMALL, **_SOON}.items():
            if hasattr(module, name):
                setattr(module, name, value)
    locks._BEAT = 0.01
    for line in sys.stdin:
        asked = json.loads(line)
        if "wait" in asked:
            _, status = os.waitpid(asked["wait"], 0)
            answer = os.waitstatus_to_exitcode(status)
        else:
            answer = os.fork()
            if answer == 0:
                os._exit(_guarded(asked))
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


def _guarded(asked: Mapping[str, Any]) -> int:
    output = os.open(asked["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    faulthandler.dump_traceback_later(asked["seconds"], exit=True, file=output)
    try:
        os.environ.update(asked["environ"])
        os.chdir(asked["project"])
        for name, value in asked["settings"].items():
            module, _, attribute = name.rpartition(".")
            setattr(importlib.import_module(module), attribute, value)
        for tweak in asked["tweaks"]:
            TWEAKS[tweak]()
        _log_writes(asked["written"], asked["after_bytes"])
        if asked["before_change"] is not None:
            _count_changes(asked["changed"], asked["before_change"])
        return cli.main(asked["words"])
    except BaseException as error:  # a bug: told as Python tells it
        sys.excepthook(type(error), error, error.__traceback__)
        return 1


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _log_writes(path: str, most: int | None) -> None:
    """Note which bytes of which download are written, and die when ``most`` have been."""
    log, lock, left = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), Lock(), most
    write = download.Download._write

    def logged(self: download.Download, chunk: bytes, position: int) -> None:
        nonlocal left
        write(self, chunk, position)
        os.write(log, b"%s %d %d\n" % (self.partial.path.name.partition(".")[0].encode(), position, len(chunk)))
        if left is not None:
            with lock:
                left -= len(chunk)
                if left <= 0:
                    die()

    download.Download._write = logged  # type: ignore[assignment, method-assign]


def _count_changes(path: str, fatal: int) -> None:
    """Note every change to the file system, and die before the one of that number (0: never)."""
    log, count, lock = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 0, Lock()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        made = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_CREAT | os.O_TRUNC)
        if made or event in _CHANGES or event in _ASKED:
            with lock:
                count += 1
                os.write(log, f"{event} {arguments[0]}\n".encode())
                if count == fatal:
                    die()

    sys.addaudithook(hook)


# --- what may be wrong with the place it runs in ------------------------------------------------------------------


def _lying_locks() -> None:
    def taken(*_: object, **__: object) -> bool:
        return True

    flock.take = flock.take_byte = taken


def _no_locks() -> None:
    def unknown(_: int, *, unsupported: bool) -> bool:
        return unsupported

    flock.take = unknown  # type: ignore[assignment]
    flock.take_byte = lambda *_: True


def _no_leases() -> None:
    flock.others = lambda *_: None


def _no_links() -> None:
    """As on FAT."""

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    os.link = refused
    linking._reflinked = lambda *_: False


def _at(module: Any, name: str, mark: str) -> Callable[[], None]:
    """Say ``mark`` in a file of the project and wait for ever, in place of what is called ``name`` there."""

    def tweak() -> None:
        def stop(*_: object, **__: object) -> None:
            Path(mark).touch()
            time.sleep(600)

        setattr(module, name, stop)

    return tweak


def _blind() -> None:
    """As where others fill the disk only after a look at it."""
    room.check_one = lambda *_: None


def _slow_disk() -> None:
    flush = os.fdatasync

    def slow(descriptor: int) -> None:
        time.sleep(0.1)
        flush(descriptor)

    os.fdatasync = slow  # type: ignore[assignment]


TWEAKS: Mapping[str, Callable[[], None]] = {
    "lying locks": _lying_locks,
    "no locks": _no_locks,
    "no leases": _no_leases,
    "no links": _no_links,
    "no look at the room": _blind,
    "slow disk": _slow_disk,
    "stops before it publishes": _at(sync.Sync, "_place", "stopped"),
    "stops as it unpacks": _at(archive, "extract", "stopped"),
}

if __name__ == "__main__":
    main()
