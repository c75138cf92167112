"""``envkit``: argument list → command → text or JSON, and an exit code. The only module that prints and exits."""

from __future__ import annotations

import argparse
import codecs
import io
import itertools
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from envkit import __version__, host_verbs, model_verbs, run_verbs
from envkit.arguments import Command, Parser, Verbs, common
from envkit.errors import INTERRUPTED, EngineError, EnvkitError, InputError
from envkit.reports import Reports
from envkit.result import Case, Result
from envkit.settings import Settings, load, project_of

_FLAGS = ("project", "image", "base", "variant", "models", "limit_rate")
_ESCAPES = "envkit.escapes"
_REPORTS = ("junit", "codequality")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (see ``errors.py``)."""
    codecs.register_error(_ESCAPES, _escaped)
    _prepare_streams()
    words = sys.argv[1:] if argv is None else argv
    reports = Reports()
    try:
        # Defaults of the flags that may stand before or after the verb: set by a parser, the inner one's would win.
        arguments = _parser().parse_args(words, argparse.Namespace(project=None, json=False))
        files = {key: getattr(arguments, key, None) for key in _REPORTS}
        # Before the settings, which may be wrong: that too is reported, and must not go over the project's own files.
        project = project_of(arguments.project) if any(files.values()) else None
        reports = Reports.asked(_command(arguments), project, **files)
        settings = load({key: getattr(arguments, key, None) for key in _FLAGS}, anywhere=arguments.anywhere)
        reports = reports.of(settings)
        result = _run(arguments, settings)
        code = _show(result, arguments.json)
        return _publish(reports, result.cases) or code
    except EnvkitError as error:
        if "--json" in itertools.takewhile(lambda word: word != "--", words):
            _show(Result({"error": error.message, "hint": error.hint}, exit_code=error.exit_code), as_json=True)
        print(error, file=sys.stderr)
        _publish(reports, (), error)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def _prepare_streams() -> None:
    """Standard output and error take every character, and are there even if the caller closed them (``>&-``)."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - open to the end
        elif isinstance(stream, io.TextIOWrapper):
            # In a POSIX locale the bytes of a file's name come out as they are: a script may go by them.
            stream.reconfigure(errors=_ESCAPES if stream.errors == "surrogateescape" else "backslashreplace")


def _escaped(error: UnicodeError) -> tuple[str | bytes, int]:
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeEncodeError:
        return codecs.backslashreplace_errors(error)


def _command(arguments: argparse.Namespace) -> str:
    return " ".join(filter(None, ("envkit", arguments.verb, getattr(arguments, f"{arguments.verb}_verb", None))))


def _publish(reports: Reports, cases: Sequence[Case], error: EnvkitError | None = None) -> int:
    """Write the reports; the exit code where that was not possible, else 0."""
    try:
        for line in reports.publish(cases, error):
            print(line, file=sys.stderr)
    except InputError as failed:
        print(failed, file=sys.stderr)
        return failed.exit_code
    return 0


def _show(result: Result, as_json: bool) -> int:
    try:
        for line in (_json(result),) if as_json else result.lines:
            _put(f"{line}\n")
        _put("")
    except _OutputError as failed:
        if failed.reader_is_gone:  # `| head`: nothing is wrong with the result
            return result.exit_code
        print(failed, file=sys.stderr)
        return failed.exit_code
    return result.exit_code


class _OutputError(InputError):
    """Standard output takes no more."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"standard output cannot be written to: {error.strerror}")
        self.reader_is_gone = isinstance(error, BrokenPipeError)


def _put(text: str) -> None:
    try:
        # What waits in the buffer could fail at exit, where nobody catches it: the last call has it written.
        print(text, end="", flush=not text)
    except OSError as error:
        # And what was refused must not be tried again there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise _OutputError(error) from error


def _json(result: Result) -> str:
    text = result.as_json()
    try:
        kept = "surrogateescape" if sys.stdout.errors == _ESCAPES else "strict"
        text.encode(sys.stdout.encoding or "utf-8", kept)
    except UnicodeEncodeError:  # the stream's own escapes are none of JSON's
        return json.dumps(json.loads(text), indent=2)
    return text


def _run(arguments: argparse.Namespace, settings: Settings) -> Result:
    command: Command = arguments.command
    try:
        return command(arguments, settings, _report)
    except ModuleNotFoundError as error:
        if error.name in ("envkit.launch", f"envkit.commands.{arguments.verb}"):
            hint = "run it on the host; in here there is `envkit models`"
            raise EngineError(f"`envkit {arguments.verb}` is not part of the image", hint=hint) from error
        raise


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _parser() -> Parser:
    shared = common()
    parser = Parser(
        prog="envkit",
        description="A PaddlePaddle environment with the project's models in place, and proven to be the right bytes.",
        epilog="examples:\n  envkit up jupyter\n  envkit up ssh\n  envkit models sync --dry-run",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[shared],
    )
    parser.add_argument("--version", action="version", version=f"envkit {__version__}")
    verbs = Verbs(parser, shared)
    host_verbs.add(verbs)
    model_verbs.add(verbs)
    run_verbs.add(verbs)
    return parser
