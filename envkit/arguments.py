"""What the verbs of the command line are made of: parsers whose complaint is an error like any other, and checks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from envkit.errors import InputError
from envkit.result import Report, Result
from envkit.settings import Settings

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction["Parser"]

Command = Callable[[argparse.Namespace, Settings, Report], Result]
"""Imports what a verb needs, and makes values of its arguments."""


class Parser(argparse.ArgumentParser):
    """One whose complaint is an `InputError`, as JSON where that was asked for; options are written out."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **keywords})
        self._has_command = False

    def takes_command(self, usage: str, summary: str) -> None:
        """Take what follows ``--`` as a command, whatever it looks like: a tuple of words, named ``argv``."""
        self._has_command = True
        self.usage = f"%(prog)s {usage}"
        self.epilog = f"COMMAND: {summary}."

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does, which cannot tell a command's options from those after it."""
        words = list(sys.argv[1:] if args is None else args)
        if not self._has_command:
            return super().parse_known_args(words, namespace)
        cut = words.index("--") if "--" in words else len(words)
        found, rest = super().parse_known_args(words[:cut], namespace)
        found.argv = tuple(words[cut + 1 :])
        return found, rest

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{self.prog}: {message}", hint=self.format_usage().strip())


class Verbs:
    """The verbs below one parser; ``common`` has the options of all of them."""

    def __init__(self, parent: argparse.ArgumentParser, common: Parser, dest: str = "verb") -> None:
        self._subparsers: Subparsers = parent.add_subparsers(
            dest=dest, metavar="COMMAND", required=True, parser_class=Parser
        )
        self._common = common

    def add(self, name: str, command: Command, summary: str, *, anywhere: bool = False) -> Parser:
        """A verb; ``anywhere`` if it can do without a project."""
        description = f"{summary[0].upper()}{summary[1:]}."
        added = self._subparsers.add_parser(name, help=summary, description=description, parents=[self._common])
        added.set_defaults(command=command, anywhere=anywhere)
        return added

    def group(self, name: str, summary: str) -> Verbs:
        """Verbs of two words."""
        return Verbs(self._subparsers.add_parser(name, help=summary), self._common, f"{name}_verb")


def common() -> Parser:
    """The options that every verb has."""
    parser = Parser(add_help=False)
    parser.add_argument("--project", metavar="DIR", default=argparse.SUPPRESS, help="the folder that holds models.yaml")
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print the result as JSON")
    return parser


def reporting(parser: Parser) -> None:
    """Add the options of verbs whose result has cases: which reports to write (``reports.py``)."""
    parser.add_argument("--junit", metavar="FILE", help="write what was found as JUnit XML, for CI systems")
    parser.add_argument("--codequality", metavar="FILE", help="write what was found as a GitLab code quality report")


def port(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= 65535:
        return int(text)
    raise argparse.ArgumentTypeError(f"expected a port, 1 to 65535, got {text!r}")


def count(text: str) -> int:
    if text.isdecimal() and int(text) >= 1:
        return int(text)
    raise argparse.ArgumentTypeError(f"expected a whole number of 1 or more, got {text!r}")
