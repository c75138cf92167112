"""The verbs about runs: which arguments each takes, and what becomes of them.

A command is imported in the function that runs it: ``--help`` stays quick, and the image has no ``reproduce``.
"""

from __future__ import annotations

import argparse

from envkit.arguments import Verbs
from envkit.result import Report, Result
from envkit.settings import Settings

# Written out: envkit/runs/shelf.py, which has them, is imported where it is needed.
_STARTS = ("jupyter", "ssh", "command")


def add(verbs: Verbs) -> None:
    """Add every one of them."""
    snapshot = verbs.add("snapshot", _snapshot, "write down what the result of a run depends on, and run a command")
    snapshot.takes_command(
        "[-o FILE] [-- COMMAND …]", "the command to run; its exit code is the one that this ends with"
    )
    snapshot.add_argument("-o", "--output", metavar="FILE", help="where to (default: a new file below .envkit/runs)")
    start = "note that this service starts, COMMAND being its arguments, and run nothing: what the image does"
    snapshot.add_argument("--start", choices=_STARTS, help=start)
    reproduce = verbs.add("reproduce", _reproduce, "run a command again in what a snapshot says: code, image, models")
    reproduce.takes_command(
        "[options] FILE [-- COMMAND …]", "the command to run (default: the one that the snapshot names)"
    )
    reproduce.add_argument("file", metavar="FILE", help="the snapshot")
    reproduce.add_argument("--check", action="store_true", help="only say what cannot be had again, or differs here")
    reproduce.add_argument("--into", metavar="DIR", help="a new folder for the code (default: .envkit/reproduced/ID)")
    reproduce.add_argument("--image", metavar="REF", help="use this image, whatever the snapshot says")
    share = "take along what Git ignores, as it is now: a file or folder of the project (can be given again)"
    reproduce.add_argument("--with", metavar="PATH", action="append", default=[], dest="along", help=share)


def _snapshot(arguments: argparse.Namespace, settings: Settings, report: Report) -> Result:
    from envkit.commands import snapshot

    if arguments.start:
        return snapshot.start(settings, service=arguments.start, command=arguments.argv)
    return snapshot.snapshot(settings, file=arguments.output, command=arguments.argv, report=report)


def _reproduce(arguments: argparse.Namespace, settings: Settings, report: Report) -> Result:
    from envkit.commands import reproduce

    asked = reproduce.Asked(
        file=arguments.file,
        into=arguments.into,
        image=arguments.image,
        along=tuple(arguments.along),
        command=arguments.argv,
    )
    return reproduce.reproduce(settings, asked, check=arguments.check, report=report)
