"""``envkit``: argument list → command → text or JSON, and an exit code. The only module that prints and exits.

Commands are imported in the branch that runs them: ``--help`` stays quick, and inside the image, which carries only
the model half, the others are simply not there.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from envkit import __version__
from envkit.errors import INTERRUPTED, EngineError, EnvkitError, InputError
from envkit.result import Report, Result
from envkit.settings import Settings, load

if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction["_Parser"]

Command = Callable[[argparse.Namespace, Settings, Report], Result]
_FLAGS = ("project", "image", "base", "variant", "models", "limit_rate")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (see ``errors.py``)."""
    words = sys.argv[1:] if argv is None else argv
    try:
        # Defaults of the flags that may stand before or after the verb: set by a parser, the inner one's would win.
        arguments = _parser().parse_args(words, argparse.Namespace(project=None, json=False))
        return _show(_run(arguments), arguments.json)
    except EnvkitError as error:
        if "--json" in itertools.takewhile(lambda word: word != "--", words):
            print(Result({"error": error.message, "hint": error.hint}, exit_code=error.exit_code).as_json())
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def _show(result: Result, as_json: bool) -> int:
    try:
        if as_json:
            print(result.as_json())
        else:
            for line in result.lines:
                print(line)
        # What waits in the buffer could meet a closed pipe at exit, where nobody catches it.
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (`| head`) went away: nothing is wrong with the result, and nothing more may be written at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return result.exit_code


def _run(arguments: argparse.Namespace) -> Result:
    flags = {key: getattr(arguments, key, None) for key in _FLAGS}
    command: Command = arguments.command
    try:
        return command(arguments, load(flags, anywhere=arguments.anywhere), _report)
    except ModuleNotFoundError as error:
        if error.name in ("envkit.launch", f"envkit.commands.{arguments.verb}"):
            hint = "run it on the host; in here there is `envkit models`"
            raise EngineError(f"`envkit {arguments.verb}` is not part of the image", hint=hint) from error
        raise


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


# One function a verb: what to import, and which arguments become which values.


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


def _models_sync(arguments: argparse.Namespace, settings: Settings, report: Report) -> Result:
    from envkit.commands import models

    pace = models.Pace(arguments.jobs, arguments.connections)
    return models.sync(settings, dry_run=arguments.dry_run, pace=pace, report=report)


def _models_verify(_: argparse.Namespace, settings: Settings, report: Report) -> Result:
    from envkit.commands import models

    return models.verify(settings, report=report)


def _models_gc(arguments: argparse.Namespace, settings: Settings, _: Report) -> Result:
    from envkit.commands import models_gc

    return models_gc.gc(settings, remove=arguments.remove, gone=arguments.gone)


class _Parser(argparse.ArgumentParser):
    """One whose complaint is an error like any other, as JSON where that was asked for; options are written out."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **keywords})

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{self.prog}: {message}", hint=self.format_usage().strip())


def _parser() -> argparse.ArgumentParser:
    common = _Parser(add_help=False)
    common.add_argument("--project", metavar="DIR", default=argparse.SUPPRESS, help="the folder that holds models.yaml")
    common.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print the result as JSON")
    parser = _Parser(
        prog="envkit",
        description="A PaddlePaddle environment with the project's models in place, and proven to be the right bytes.",
        epilog="examples:\n  envkit up jupyter\n  envkit up ssh\n  envkit models sync --dry-run",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[common],
    )
    parser.add_argument("--version", action="version", version=f"envkit {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="COMMAND", required=True)

    def verb(
        name: str, command: Command, summary: str, under: Verbs = verbs, *, anywhere: bool = False
    ) -> argparse.ArgumentParser:
        description = f"{summary[0].upper()}{summary[1:]}."
        added = under.add_parser(name, help=summary, description=description, parents=[common])
        added.set_defaults(command=command, anywhere=anywhere)
        return added

    services = ("jupyter", "ssh")
    up = verb("up", _up, "start a service, building the image and syncing the models first where needed")
    up.add_argument("service", choices=services)
    up.add_argument("--port", type=_port, metavar="N", help="the host's port (default: 8888 or 2222, or the next free)")
    up.add_argument("--image", metavar="REF", help="use this image in place of the one envkit builds")
    up.add_argument("--variant", choices=("auto", "cpu", "gpu"), help="which image to build (default: auto)")
    up.add_argument("--gpus", choices=("auto", "all", "none"), default="auto", help="GPUs to hand over (default: auto)")
    up.add_argument("--models", choices=("strict", "warn", "off"), help="what an unproven model does (default: strict)")
    down = verb("down", _down, "stop and remove this project's services; volumes and files stay")
    down.add_argument("services", nargs="*", metavar="SERVICE", help="jupyter, ssh (default: all)")
    down.add_argument("--volumes", action="store_true", help="remove the home folder's and host keys' volumes too")
    verb("status", _status, "show this project's services")
    logs = verb("logs", _logs, "show a service's log")
    logs.add_argument("service", choices=services)
    logs.add_argument("-f", "--follow", action="store_true", help="go on as it grows")
    logs.add_argument("-n", "--tail", type=_count, metavar="N", help="the last N lines only")
    execute = verb("exec", _exec, "run a command in a running service, as its user")
    execute.add_argument("service", choices=services)
    execute.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- COMMAND", help="the command and its arguments")
    build = verb("build", _build, "build the image", anywhere=True)
    build.add_argument("target", nargs="?", choices=("cpu", "gpu"), default="cpu")
    build.add_argument("--base", metavar="IMAGE", help="build on this image in place of the default base")
    build.add_argument("--no-cache", action="store_true", help="build every layer anew")
    export = verb("export", _export, "print the services in another tool's format", anywhere=True)
    export.add_argument("format", choices=("compose",))

    models = verbs.add_parser("models", help="sync and verify the models of models.yaml")
    model_verbs = models.add_subparsers(dest="models_verb", metavar="COMMAND", required=True)
    sync = verb("sync", _models_sync, "bring checkpoints/ to what models.yaml says", model_verbs)
    sync.add_argument("--dry-run", action="store_true", help="fetch nothing: say what would be done, ask each source")
    sync.add_argument("--jobs", type=_count, default=4, metavar="N", help="files at a time (default: 4)")
    connections = "for a large file, as long as more bring more (1 to 8, default: 8)"
    sync.add_argument("--connections", type=_count, default=8, metavar="N", help=connections)
    sync.add_argument("--limit-rate", metavar="RATE", help="bytes per second for all together, such as 500K or 50M")
    verb("verify", _models_verify, "hash every model in place again", model_verbs)
    gc = verb("gc", _models_gc, "show models and blobs that are of no use any more", model_verbs, anywhere=True)
    gc.add_argument("--remove", action="store_true", help="and remove them")
    gc.add_argument("--gone", action="store_true", help="projects that are not in sight are no more")
    return parser


def _port(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= 65535:
        return int(text)
    raise argparse.ArgumentTypeError(f"expected a port, 1 to 65535, got {text!r}")


def _count(text: str) -> int:
    if text.isdecimal() and int(text) >= 1:
        return int(text)
    raise argparse.ArgumentTypeError(f"expected a whole number of 1 or more, got {text!r}")
