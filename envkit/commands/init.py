"""``envkit init``: a folder becomes a project, or is brought up to date with what this version writes."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from envkit import __version__, git
from envkit.errors import INTERRUPTED, InputError
from envkit.launch.context import short_name
from envkit.models.locking import lock
from envkit.models.locking.lock import Lock
from envkit.models.registry import schema
from envkit.result import Report, Result
from envkit.scaffold import files, remote, tree
from envkit.scaffold.files import Choices
from envkit.scaffold.plan import Action, plan
from envkit.scaffold.remote import Host, Remote
from envkit.settings import Settings

Ask = Callable[[str], str | None]
"""Shows a question and gives what was typed; None where nobody answers any more."""

Pipelines = Literal["auto", "github", "gitlab", "both", "none"]

_HOSTS: Mapping[Pipelines, tuple[Host, ...]] = {
    "github": ("github",),
    "gitlab": ("gitlab",),
    "both": ("github", "gitlab"),
    "none": (),
}
_OWNER = re.compile(r"@[\w.-]+(/[\w.-]+)*|[\w.+-]+@[\w.-]+")
_NOBODY = "@OWNER"
_QUESTION = "{} {}? [y]es, [N]o, [a]ll that differ, [q]uit: "
_DONE = {"create": "created", "extend": "extended", "differs": "replaced"}
_TO_DO = {"create": "to create", "extend": "to extend", "differs": "to replace"}


@dataclass(frozen=True)
class Wishes:
    """What the user asked for; ``owner`` is who reviews the registry, None for whose the remote repository is."""

    ci: Pipelines = "auto"
    owner: str | None = None
    devcontainer: bool = True
    pre_commit: bool = True

    def __post_init__(self) -> None:
        if self.owner is not None and not _OWNER.fullmatch(self.owner):
            hint = "expected a user, a team or an address: @name, @organisation/team, name@example.com"
            raise InputError(f"--owner is {self.owner!r}", hint=hint)


def init(
    settings: Settings,
    where: Path,
    wishes: Wishes,
    *,
    dry_run: bool = False,
    force: bool = False,
    ask: Ask | None = None,
    report: Report,
) -> Result:
    """Write the layout of a project into the folder ``where``, which is made if it is not there.

    What is there is left as it is, but for lines that are added to ``.gitignore`` and ``CODEOWNERS``. Of each other
    file that differs the diff is reported, and ``ask`` says whether to replace it; without one none is, unless
    ``force`` says so. With ``dry_run`` nothing is written.

    Raises:
        InputError: it is no folder, or cannot be written to.
    """
    folder = where.resolve()
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{where}: not a folder")
    repository = _repository(folder)
    origin = _origin(repository)
    owner = tree.owner_of(folder, settings.caller)
    with tree.acting_as(owner):
        there = tree.present(folder, files.PLACES)
    choices = _choices(folder, wishes, origin, there)
    wanted = files.files(choices, there)
    with tree.acting_as(owner):
        actions = plan(wanted, {file.path: tree.look(folder, file.path) for file in wanted})
    chosen = _chosen(actions, force=force, ask=None if dry_run else ask, report=report)
    if chosen is None:
        stopped = {"folder": str(folder), "files": [], "next": []}
        return Result(stopped, ("stopped: nothing was written",), INTERRUPTED)
    if chosen and not dry_run:
        tree.make(folder, owner)
        with tree.acting_as(owner):
            for action in chosen:
                tree.write(folder, action.path, action.after)
    rows = [_row(action, _TO_DO if dry_run else _DONE, done=action in chosen) for action in actions]
    steps = [*_steps(where, repository), *_notes(folder, wishes, choices, actions, repository)] if chosen else []
    return Result({"folder": str(folder), "files": rows, "next": steps}, _lines(rows, steps))


def terminal() -> Ask | None:
    """A way to ask who sits at the terminal, if somebody does."""
    return _typed if sys.stdin and sys.stdin.isatty() and sys.stderr.isatty() else None


def _typed(question: str) -> str | None:
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline() or None


def _repository(folder: Path) -> git.Repository | None:
    """The repository that the folder is in, or will be."""
    with suppress(git.NoGitError):
        return git.find(next(path for path in (folder, *folder.parents) if path.is_dir()))
    return None


def _origin(repository: git.Repository | None) -> Remote | None:
    if repository is None:
        return None
    with suppress(InputError):
        return remote.parse(repository.text("remote", "get-url", "origin"))
    return None


def _choices(folder: Path, wishes: Wishes, origin: Remote | None, there: Collection[str]) -> Choices:
    hosts = _HOSTS.get(wishes.ci)
    if hosts is None:
        hosts = (origin.kind,) if origin and origin.kind else files.hosts_in(there)
    return Choices(
        name=folder.name,
        hosts=hosts,
        owner=wishes.owner or (f"@{origin.group}" if origin else _NOBODY),
        package=f"paddle-envkit=={__version__}",
        image=short_name("cpu"),
        image_gpu=short_name("gpu"),
        schemas=schema.texts(),
        lock=lock.dump(Lock({})),
        devcontainer=wishes.devcontainer,
        pre_commit=wishes.pre_commit,
    )


def _chosen(actions: Sequence[Action], *, force: bool, ask: Ask | None, report: Report) -> list[Action] | None:
    """The actions to carry out; None where who was asked wants none of it."""
    chosen: list[Action] = []
    for action in actions:
        if action.state in ("extend", "differs"):
            for line in action.diff():
                report(line)
        answer = "y" if force or action.state != "differs" else "n"
        if answer == "n" and ask:
            answer = _answer(ask, _QUESTION.format("add to" if action.only_adds else "replace", action.path))
        if answer == "q":
            return None
        force = force or answer == "a"
        if action.state in _DONE and answer != "n":
            chosen.append(action)
    return chosen


def _answer(ask: Ask, question: str) -> str:
    while (typed := ask(question)) is not None:
        first = typed.strip().lower()[:1] or "n"
        if first in "ynaq":
            return first
    return "q"


def _row(action: Action, words: Mapping[str, str], *, done: bool) -> dict[str, object]:
    row: dict[str, object] = {"path": action.path, "state": words[action.state] if done else "left"}
    if action.state == "same":
        row["state"] = "same"
    elif action.state == "blocked":
        row["why"] = action.why
    elif not done:
        row["why"] = f"differs; --force {'adds what is missing' if action.only_adds else 'replaces it'}"
    if action.state in ("extend", "differs"):
        row["diff"] = list(action.diff())
    return row


def _lines(rows: Sequence[Mapping[str, object]], steps: Sequence[str]) -> Iterator[str]:
    for row in rows:
        if row["state"] != "same":
            yield f"{row['state']:<10}  {row['path']}" + (f": {row['why']}" if "why" in row else "")
    if same := sum(row["state"] == "same" for row in rows):
        yield f"{same} of {len(rows)} files are as this version writes them"
    if steps:
        yield from ("", "next:", *(f"  {step}" for step in steps))


def _steps(where: Path, repository: git.Repository | None) -> Iterator[str]:
    if str(where) != ".":
        yield f"cd {shlex.quote(str(where))}"
    if repository is None:
        yield "git init"
    yield "envkit models add URL    (fetches a model once, measures it, and writes its entry)"
    yield "envkit models lock       (after a change of models.yaml by hand)"
    yield "git add . && git commit"
    yield "envkit up jupyter"


def _notes(
    folder: Path, wishes: Wishes, choices: Choices, actions: Sequence[Action], repository: git.Repository | None
) -> Iterator[str]:
    for action in actions:
        guessed = action.state in ("create", "extend") and wishes.owner is None
        # An owner whom the file had already is no guess of ours.
        if action.path.endswith("CODEOWNERS") and guessed and choices.owner not in action.before.split():
            yield f"{action.path}: put who is to review models in place of {choices.owner}"
    if repository and choices.hosts and repository.root.resolve() != folder:
        yield f"move to {repository.root}, where alone they are read: pipelines, templates, CODEOWNERS"
