"""What a command found, in the forms that CI systems read: JUnit XML, GitLab's code quality, GitHub's annotations.

Places in files are told from the top of the repository, as those systems want them. The forms are those of Jenkins'
``junit-10.xsd``, which is what GitLab reads too; of GitLab's "Code Quality report format"; and of GitHub's "Workflow
commands".
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

from envkit.errors import EnvkitError, InputError, ModelError, Problem
from envkit.result import Case
from envkit.settings import Settings, refuse_own

# All that XML 1.0 can hold. There is no way to write the others, not even escaped.
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_GITHUB = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_GITHUB_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})
_SEVERITY = {"error": "major", "warning": "minor"}


@dataclass(frozen=True)
class Reports:
    """Which reports are wanted of the run of ``command``, and where its project is, as far as that is known by now."""

    command: str = "envkit"
    files: Mapping[str, Path] = field(default_factory=dict)
    settings: Settings | None = None

    @classmethod
    def asked(cls, command: str, project: Path | None = None, **files: str | None) -> Reports:
        """The reports for these files, by option.

        Raises:
            InputError: one of them could not be written, as far as that can be told, or is ``project``'s own.
        """
        wanted = {option: Path(file).absolute() for option, file in files.items() if file is not None}
        for option, path in wanted.items():
            refuse_own(f"--{option}", path, project)
            _check(option, path)
        return cls(command, wanted)

    def of(self, settings: Settings) -> Reports:
        """The same, for a project."""
        return replace(self, settings=settings)

    def publish(self, cases: Sequence[Case], error: EnvkitError | None = None) -> tuple[str, ...]:
        """Write them; what GitHub is to read on standard error comes back.

        ``error`` is what ended the command, where something did. A file is written whole or not at all.

        Raises:
            InputError: one cannot be written.
        """
        on_github = self.settings is not None and self.settings.ci.kind == "github"
        if not (self.files or on_github):
            return ()
        from envkit import git

        found = [*cases, *(_cases_of(error, self.command) if error else ())]
        prefix = git.prefix(self.settings.project) if self.settings else ""
        if "junit" in self.files:
            self._write("junit", junit(self.command, found or [Case("envkit", self.command)], broke=error is not None))
        problems = [case.problem for case in found if case.problem and case.problem.file]
        if "codequality" in self.files:
            self._write("codequality", codequality(problems, prefix))
        return tuple(github(problems, prefix)) if on_github else ()

    def _write(self, option: str, data: bytes) -> None:
        from envkit.models.store.hand import Hand, acting_for

        hand = acting_for(self.settings.owner) if self.settings else Hand()
        path = self.files[option]
        try:
            hand.make_all(path.parent)
            hand.write(path, data)
        except OSError as error:
            raise InputError(f"--{option}: {path}: cannot be written: {error.strerror}") from error
        except ModelError as error:
            raise InputError(f"--{option}: {error.message}", hint=error.hint) from error


def junit(command: str, cases: Iterable[Case], *, broke: bool = False) -> bytes:
    """JUnit XML: a suite for each group of cases. A warning is no failure: it is what the case has to say.

    ``broke`` says that the command could not do what it was to do: then problems are errors, and no failures.
    """
    from xml.etree import ElementTree as XML  # noqa: N814

    element, groups = "error" if broke else "failure", _grouped(cases)
    every = [case for members in groups.values() for case in members]
    root = XML.Element("testsuites", {"name": _xml(command), **_counted(every, element)})
    for group, members in groups.items():
        suite = XML.SubElement(root, "testsuite", {"name": _xml(group), **_counted(members, element)})
        suite.set("skipped", "0")
        for name, case in _named_apart(members):
            told = XML.SubElement(suite, "testcase", {"classname": _xml(group), "name": name})
            if case.problem and case.problem.level == "error":
                failed = XML.SubElement(told, element, {"message": _xml(case.problem.message)})
                failed.set("type", _xml(case.problem.rule))
                failed.text = _xml(_told(case.problem))
            elif note := str(case.problem) if case.problem else case.note:
                XML.SubElement(told, "system-out").text = _xml(note)
    XML.indent(root)
    text: bytes = XML.tostring(root, "utf-8", xml_declaration=True)
    return text + b"\n"


def codequality(problems: Iterable[Problem], prefix: str = "") -> bytes:
    """GitLab's code quality report. ``prefix`` is where the project is in its repository: empty, or ends in a slash.

    A fingerprint goes by what the problem is, and not by its line: an entry that moves keeps its finding.
    """
    seen: Counter[str] = Counter()
    entries = []
    for problem in problems:
        said = "\0".join((f"{prefix}{problem.file}", problem.rule, problem.message))
        seen[said] += 1
        entries.append(
            {
                "description": " ".join("; ".join(filter(None, (problem.message, problem.hint))).split()),
                "check_name": problem.rule,
                "fingerprint": hashlib.sha256(f"{said}\0{seen[said]}".encode("utf-8", "replace")).hexdigest(),
                "severity": _SEVERITY[problem.level],
                "location": {"path": f"{prefix}{problem.file}", "lines": {"begin": problem.line or 1}},
            }
        )
    return json.dumps(entries, indent=2).encode() + b"\n"


def github(problems: Iterable[Problem], prefix: str = "") -> Iterator[str]:
    """A workflow command for each problem, which GitHub shows at its line."""
    for problem in problems:
        places = {"file": f"{prefix}{problem.file}", "line": problem.line, "col": problem.column}
        facts = {key: str(value) for key, value in places.items() if value} | {"title": problem.rule}
        properties = ",".join(f"{key}={value.translate(_GITHUB_PROPERTY)}" for key, value in facts.items())
        message = problem.message + (f"\n{problem.hint}" if problem.hint else "")
        yield f"::{problem.level} {properties}::{message.translate(_GITHUB)}"


def _cases_of(error: EnvkitError, command: str) -> tuple[Case, ...]:
    """What ended a command, as cases of what it has looked at: one for each place, or the command itself."""
    if error.problems:
        return tuple(Case(problem.rule, problem.place, problem) for problem in error.problems)
    return (Case("envkit", command, Problem("", 0, 0, error.message, error.hint, rule=type(error).__name__)),)


def _told(problem: Problem) -> str:
    return str(problem) if problem.file else "\n  ".join(filter(None, (problem.message, problem.hint)))


def _grouped(cases: Iterable[Case]) -> Mapping[str, list[Case]]:
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(case.group, []).append(case)
    return groups


def _counted(cases: Sequence[Case], element: str) -> dict[str, str]:
    failed = sum(case.problem is not None and case.problem.level == "error" for case in cases)
    counts = {"tests": len(cases), "failures": 0, "errors": 0, f"{element}s": failed}
    return {key: str(count) for key, count in counts.items()}


def _named_apart(cases: Iterable[Case]) -> Iterator[tuple[str, Case]]:
    """GitLab takes two cases of one name for one."""
    taken: set[str] = set()
    for case in cases:
        name = plain = _xml(case.name)
        for number in count(2):
            if name not in taken:
                break
            name = f"{plain} ({number})"
        taken.add(name)
        yield name, case


def _xml(text: str) -> str:
    return _NO_XML.sub("", text)


def _check(option: str, path: Path) -> None:
    # os.path, which takes what it may not look at for absent; the other also replaces a device, such as /dev/stdout.
    if os.path.lexists(path) and not os.path.isfile(path):  # noqa: PTH113
        raise InputError(f"--{option}: {path} is no file", hint="name one to be written; its folder is made")
    above = next(place for place in path.parents if os.path.lexists(place))
    if not os.path.isdir(above) or not os.access(above, os.W_OK | os.X_OK):  # noqa: PTH112
        raise InputError(f"--{option}: {path}: cannot be written in {above}", hint="name a file in another folder")
