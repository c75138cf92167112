"""The verbs under ``envkit models``: which arguments each takes, and what becomes of them.

A command is imported in the function that runs it: ``--help`` stays quick.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from envkit.arguments import Parser, Verbs, count, reporting
from envkit.result import Report, Result
from envkit.settings import Settings

if TYPE_CHECKING:
    from envkit.commands.models_common import Pace


def add(verbs: Verbs) -> None:
    """Add every one of them."""
    models = verbs.group("models", "sync and verify the models of models.yaml")
    sync = models.add("sync", _sync, "bring checkpoints/ to what models.yaml says")
    sync.add_argument("--dry-run", action="store_true", help="fetch nothing: say what would be done, ask each source")
    sync.add_argument("--deep", action="store_true", help="with --dry-run: read every byte of every file, keep none")
    _add_pace(sync)
    reporting(sync)
    lock = models.add("lock", _lock, "write models.lock.yaml: what every model of models.yaml comes to")
    upgrade = "choose these anew, else all that can move"
    lock.add_argument("--upgrade", nargs="*", metavar="NAME", help=upgrade)
    lock.add_argument("--check", action="store_true", help="write nothing: exit code 2 if the lock would change")
    _add_pace(lock)
    add = models.add("add", _add, "fetch a model once, and add it to models.yaml with its digests")
    form = "a URL, a path, pypi:PACKAGE==VERSION:PATH or hf:ORG/NAME@REVISION:PATH"
    add.add_argument("source", metavar="SOURCE", help=form)
    add.add_argument("--name", metavar="NAME", help="default: by the source")
    add.add_argument("--version", metavar="VERSION", help="default: by the source; it may float, such as stable")
    add.add_argument("--path", action="append", default=[], metavar="PATH", help="what to take out of it; repeatable")
    add.add_argument("--task", metavar="TASK", help="what the model is for, such as 'text detection'")
    _add_pace(add)
    reporting(models.add("verify", _verify, "hash every model in place again"))
    check = models.add("check", _check, "hold models.yaml and its lock against the policy of the branch")
    check.add_argument("--branch", metavar="B", help="go by this branch, whatever is checked out (a tag: tags/NAME)")
    reporting(check)
    gc = models.add("gc", _gc, "show models and blobs that are of no use any more", anywhere=True)
    gc.add_argument("--remove", action="store_true", help="and remove them")
    gc.add_argument("--gone", action="store_true", help="projects that are not in sight are no more")
    history = models.add("history", _history, "show every version that models had, from Git")
    history.add_argument("name", nargs="?", metavar="NAME", help="of this model (default: of all)")
    history.add_argument("--branch", metavar="B", help="leave away what this branch never had (default: all branches)")
    history.add_argument("--html", type=Path, metavar="FILE", help="write it as a page that opens in a browser")
    blame = models.add("blame", _blame, "show which commit brought a model's weights")
    wanted = "NAME, NAME@VERSION, a path below checkpoints/, or 8 digits or more of a digest"
    blame.add_argument("target", metavar="TARGET", help=wanted)
    diff = models.add("diff", _diff, "review what a change does to models.yaml", anywhere=True)
    compared = "or BASE...HEAD, or BASE for the working tree (default: in CI what this is to go into, else HEAD)"
    diff.add_argument("range", nargs="?", metavar="BASE..HEAD", help=compared)
    diff.add_argument("--format", choices=("text", "markdown", "json", "html"), default="text", help="default: text")
    diff.add_argument("-o", "--output", metavar="FILE", help="write it there, and print the verdict alone")
    reporting(diff)


def _add_pace(verb: Parser) -> None:
    """How hard it may pull."""
    verb.add_argument("--jobs", type=count, default=4, metavar="N", help="files at a time (default: 4)")
    connections = "for a large file, as long as more bring more (1 to 8, default: 8)"
    verb.add_argument("--connections", type=count, default=8, metavar="N", help=connections)
    verb.add_argument("--limit-rate", metavar="RATE", help="bytes per second for all together, such as 500K or 50M")


def _pace(arguments: argparse.Namespace) -> Pace:
    from envkit.commands.models_common import Pace

    return Pace(arguments.jobs, arguments.connections)


def _sync(arguments: argparse.Namespace, settings: Settings, report: Report) -> Result:
    from envkit.commands import models

    return models.sync(settings, dry_run=arguments.dry_run, pace=_pace(arguments), report=report, deep=arguments.deep)


def _lock(arguments: argparse.Namespace, settings: Settings, report: Report) -> Result:
    from envkit.commands import models_lock

    act = models_lock.check if arguments.check else models_lock.update
    return act(settings, upgrade=arguments.upgrade, pace=_pace(arguments), report=report)


def _add(arguments: argparse.Namespace, settings: Settings, report: Report) -> Result:
    from envkit.commands import models_add

    wanted = models_add.Wanted(
        arguments.source, arguments.name, arguments.version, tuple(arguments.path), arguments.task
    )
    return models_add.add(settings, wanted, pace=_pace(arguments), report=report)


def _verify(_: argparse.Namespace, settings: Settings, report: Report) -> Result:
    from envkit.commands import models

    return models.verify(settings, report=report)


def _check(arguments: argparse.Namespace, settings: Settings, _: Report) -> Result:
    from envkit.commands import models_check

    return models_check.check(settings, branch=arguments.branch)


def _gc(arguments: argparse.Namespace, settings: Settings, _: Report) -> Result:
    from envkit.commands import models_gc

    return models_gc.gc(settings, remove=arguments.remove, gone=arguments.gone)


def _history(arguments: argparse.Namespace, settings: Settings, _: Report) -> Result:
    from envkit.commands import models_history

    return models_history.history(settings, arguments.name, branch=arguments.branch, html=arguments.html)


def _blame(arguments: argparse.Namespace, settings: Settings, _: Report) -> Result:
    from envkit.commands import models_blame

    return models_blame.blame(settings, arguments.target)


def _diff(arguments: argparse.Namespace, settings: Settings, _: Report) -> Result:
    from envkit.commands import models_diff

    return models_diff.diff(settings, arguments.range, form=arguments.format, output=arguments.output)
