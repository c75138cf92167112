"""The verbs of the launcher: which arguments each takes, and what becomes of them.

A command is imported in the function that runs it: ``--help`` stays quick, and inside the image, which carries only the
model half, the others are simply not there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from envkit.arguments import Verbs, count, port
from envkit.errors import InputError
from envkit.result import Report, Result
from envkit.settings import Settings

_SERVICES = ("jupyter", "ssh")
_CI = ("auto", "github", "gitlab", "both", "none")


def add(verbs: Verbs) -> None:
    """Add every one of them."""
    init = verbs.add("init", _init, "write the layout of a project, and what holds people to its models", anywhere=True)
    init.add_argument("folder", nargs="?", metavar="DIR", help="the project's folder (default: the current one)")
    init.add_argument("--ci", choices=_CI, default="auto", help="whose pipelines (default: by the remote, else both)")
    init.add_argument("--owner", metavar="NAME", help="who reviews models, for CODEOWNERS: @team, @organisation/team")
    init.add_argument("--no-devcontainer", action="store_true", help="without .devcontainer/")
    init.add_argument("--no-pre-commit", action="store_true", help="without hooks for pre-commit")
    init.add_argument("--force", action="store_true", help="replace files that differ, without asking")
    init.add_argument("--dry-run", action="store_true", help="write nothing: say what would be done")
    up = verbs.add("up", _up, "start a service, building the image and syncing the models first where needed")
    up.add_argument("service", choices=_SERVICES)
    up.add_argument("--port", type=port, metavar="N", help="the host's port (default: 8888 or 2222, or the next free)")
    up.add_argument("--image", metavar="REF", help="use this image in place of the one envkit builds")
    up.add_argument("--variant", choices=("auto", "cpu", "gpu"), help="which image to build (default: auto)")
    up.add_argument("--gpus", choices=("auto", "all", "none"), default="auto", help="GPUs to hand over (default: auto)")
    up.add_argument("--models", choices=("strict", "warn", "off"), help="what an unproven model does (default: strict)")
    down = verbs.add("down", _down, "stop and remove this project's services; volumes and files stay")
    down.add_argument("services", nargs="*", metavar="SERVICE", help="jupyter, ssh (default: all)")
    down.add_argument("--volumes", action="store_true", help="remove the home folder's and host keys' volumes too")
    verbs.add("status", _status, "show this project's services")
    logs = verbs.add("logs", _logs, "show a service's log")
    logs.add_argument("service", choices=_SERVICES)
    logs.add_argument("-f", "--follow", action="store_true", help="go on as it grows")
    logs.add_argument("-n", "--tail", type=count, metavar="N", help="the last N lines only")
    execute = verbs.add("exec", _exec, "run a command in a running service, as its user")
    execute.add_argument("service", choices=_SERVICES)
    execute.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- COMMAND", help="the command and its arguments")
    build = verbs.add("build", _build, "build the image", anywhere=True)
    build.add_argument("target", nargs="?", choices=("cpu", "gpu"), default="cpu")
    build.add_argument("--base", metavar="IMAGE", help="build on this image in place of the default base")
    build.add_argument("--no-cache", action="store_true", help="build every layer anew")
    export = verbs.add("export", _export, "print the services in another tool's format", anywhere=True)
    export.add_argument("format", choices=("compose",))


def _init(arguments: argparse.Namespace, settings: Settings, report: Report) -> Result:
    from envkit.commands import init

    wishes = init.Wishes(arguments.ci, arguments.owner, not arguments.no_devcontainer, not arguments.no_pre_commit)
    where = Path(arguments.folder or arguments.project or ".")
    ask = None if arguments.json else init.terminal()
    return init.init(settings, where, wishes, dry_run=arguments.dry_run, force=arguments.force, ask=ask, report=report)


def _up(arguments: argparse.Namespace, settings: Settings, report: Report) -> Result:
    from envkit.commands.up import up

    return up(settings, arguments.service, port=arguments.port, gpus=arguments.gpus, report=report)


def _down(arguments: argparse.Namespace, settings: Settings, report: Report) -> Result:
    from envkit.commands.down import down

    return down(settings, tuple(arguments.services), volumes=arguments.volumes, report=report)


def _status(_arguments: argparse.Namespace, settings: Settings, _: Report) -> Result:
    from envkit.commands.status import status

    return status(settings)


def _logs(arguments: argparse.Namespace, settings: Settings, _: Report) -> Result:
    from envkit.commands.logs import logs

    if arguments.follow and arguments.json:
        raise InputError("--follow with --json: a log that goes on is no JSON document", hint="leave one of them out")
    return logs(settings, arguments.service, follow=arguments.follow, tail=arguments.tail)


def _exec(arguments: argparse.Namespace, settings: Settings, _: Report) -> Result:
    from envkit.commands.exec import execute

    return execute(settings, arguments.service, tuple(arguments.argv))


def _build(arguments: argparse.Namespace, settings: Settings, report: Report) -> Result:
    from envkit.commands.build import build

    return build(settings, variant=arguments.target, base=settings.base, no_cache=arguments.no_cache, report=report)


def _export(arguments: argparse.Namespace, settings: Settings, _: Report) -> Result:
    from envkit.commands.export import export

    return export(settings, arguments.format)
