"""A project's Git repository, read through the program ``git``: nothing here writes to it.

Root, working on another user's project, reads as that user: what a repository's own configuration runs must not get
root's rights, and Git would refuse.

Names of refs and paths come from people and from files. They are passed where no option is expected, so that one which
begins with a dash is a name, and output is asked for NUL-terminated, so that no name can forge a line.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from envkit.errors import InputError

_ENVIRON = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
_HEADS = "refs/heads/"
# What a caller's own Git command leaves to a hook: it would lead to another repository than the project's.
_FORGET = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR")

# All that another user's Git gets of ours: what its repository is configured to run could read root's tokens else.
_ANYBODYS = ("PATH", "TMPDIR", "TZ")


class NoGitError(InputError):
    """There is no repository here, or no ``git`` to read it with."""


@dataclass(frozen=True)
class Repository:
    """``root`` is the top of the work tree, ``prefix`` where the project is in it: empty, or ending in a slash.

    ``acting`` is the user and group that git runs as, None for the caller's own.
    """

    root: Path
    prefix: str
    acting: tuple[int, int] | None = None

    def run(self, *arguments: str, given: bytes = b"", environ: Mapping[str, str] | None = None) -> bytes:
        """What ``git ARGUMENTS`` prints; ``environ`` has variables for it beside the caller's own.

        Raises:
            InputError: Git refused, with its reason.
        """
        done = _git(self.root, *arguments, given=given, environ=environ, acting=self.acting)
        if done.returncode:
            raise InputError(f"git {_verb(arguments)}: {_reason(done.stderr)}")
        return done.stdout

    def found(self, *arguments: str, given: bytes = b"") -> bytes | None:
        """The same of a command that ends with 1 where there is nothing to find (``grep``, ``merge-base``): None then.

        Raises:
            InputError: Git refused, with its reason.
        """
        done = _git(self.root, *arguments, given=given, acting=self.acting)
        if done.returncode > 1:
            raise InputError(f"git {_verb(arguments)}: {_reason(done.stderr)}")
        return done.stdout if done.returncode == 0 else None

    def text(self, *arguments: str) -> str:
        """The same as one line of text."""
        return self.run(*arguments).decode("utf-8", "replace").strip()

    def commit(self, name: str) -> str | None:
        """The commit that a name means (a branch, a tag, ``HEAD~2``), 40 or 64 hexadecimal digits; None for none."""
        done = self._ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        return done.stdout.decode().strip() or None if done.returncode == 0 else None

    def branch(self) -> str | None:
        """The branch that is checked out; None for a detached head."""
        # Not by --short: where a tag has the branch's name, that says `heads/main`.
        done = self._ask("symbolic-ref", "--quiet", "HEAD")
        return done.stdout.decode("utf-8", "surrogateescape").strip().removeprefix(_HEADS) or None

    def tags(self, commit: str = "HEAD") -> tuple[str, ...]:
        """The tags of a commit."""
        return tuple(self.text("tag", "--points-at", commit).splitlines())

    def tips(self, commit: str = "HEAD") -> tuple[str, ...]:
        """The branches that end at a commit, those of remotes too, each by its own name."""
        # A symbolic one, such as origin/HEAD, is another name for one that is there as well.
        refs = "--format=%(if)%(symref)%(then)%(else)%(refname)%(end)", _HEADS, "refs/remotes/"
        remotes = sorted(self.text("remote").splitlines(), key=len, reverse=True)
        places = (_HEADS, *(f"refs/remotes/{remote}/" for remote in remotes))
        found = self.text("for-each-ref", "--points-at", commit, *refs).splitlines()
        named = (next((ref.removeprefix(place) for place in places if ref.startswith(place)), None) for ref in found)
        return tuple(dict.fromkeys(name for name in named if name))

    def rebased(self) -> str | None:
        """The branch that is being rebased: Git has taken it off the head for as long as that goes on."""
        for folder in ("rebase-merge", "rebase-apply"):
            path = self.root / self.text("rev-parse", "--git-path", f"{folder}/head-name")
            if path.is_file():
                name = path.read_text("utf-8", "surrogateescape").strip()
                return name.removeprefix(_HEADS) if name.startswith(_HEADS) else None
        return None

    def _ask(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return _git(self.root, *arguments, acting=self.acting)

    @property
    def is_shallow(self) -> bool:
        return self.text("rev-parse", "--is-shallow-repository") == "true"

    def read(self, commit: str, path: str) -> bytes | None:
        """A file of the project as a commit has it, by its path in the project; None where it has none."""
        return next(iter(self.read_all([(commit, path)]).values()))

    def read_all(self, wanted: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], bytes | None]:
        """Many files, each by a commit and its path in the project, with one call of Git."""
        asked = list(wanted)
        output = self.run(
            "cat-file", "--batch", given=_lines(f"{commit}:{self.prefix}{path}" for commit, path in asked)
        )
        return dict(zip(asked, _contents(output), strict=True))

    def blobs(self, wanted: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], str | None]:
        """What Git calls the contents of many files, each by a commit and its path from ``root``, with one call of Git.

        Two files have one name exactly when their bytes are the same; None where there is no file.
        """
        asked = list(wanted)
        given = _lines(f"{commit}:{path}" for commit, path in asked)
        output = self.run("cat-file", "--batch-check=%(objecttype) %(objectname)", given=given)
        words = (line.split(b" ") for line in output.splitlines())
        names = (found[1].decode() if found[0] == b"blob" and len(found) == 2 else None for found in words)
        return dict(zip(asked, names, strict=True))

    def contents(self, blobs: Iterable[str]) -> Mapping[str, bytes]:
        """The bytes of many files, by what Git calls them (see `blobs`), with one call of Git."""
        asked = list(dict.fromkeys(blobs))
        found = _contents(self.run("cat-file", "--batch", given=_lines(asked)))
        return {name: body for name, body in zip(asked, found, strict=True) if body is not None}


def find(folder: Path, acting: tuple[int, int] | None = None) -> Repository | None:
    """The repository that a folder lies in; None where it lies in none.

    Read as the user and group ``acting``, by default the caller; root reads as whoever owns the folder.

    Raises:
        NoGitError: there is no ``git``, or it refuses the repository (as it does one of another user).
    """
    if acting is None and os.geteuid() == 0 and (owner := folder.stat()).st_uid != 0:
        acting = owner.st_uid, owner.st_gid
    done = _git(folder, "rev-parse", "--show-toplevel", "--show-prefix", acting=acting)
    if done.returncode == 0:
        # In a POSIX locale Python's names of files are ASCII: only such a name leads back to the folder.
        root, _, prefix = os.fsdecode(done.stdout).partition("\n")
        return Repository(Path(root), prefix.rstrip("\n"), acting)
    if b"not a git repository" in done.stderr:
        return None
    raise NoGitError(f"{folder}: git does not read this repository: {_reason(done.stderr)}")


def repository(folder: Path, acting: tuple[int, int] | None = None) -> Repository:
    """The same where there has to be one; raises `NoGitError` where there is none."""
    found = find(folder, acting)
    if found is None:
        raise NoGitError(f"{folder}: not in a Git repository", hint="this goes by the project's history: `git init`")
    return found


def prefix(folder: Path) -> str:
    """What `Repository.prefix` is, without asking Git, which may refuse: files have to be named in any case."""
    root = next((place for place in (folder, *folder.parents) if (place / ".git").exists()), folder)
    inside = folder.relative_to(root).as_posix()
    return "" if inside == "." else f"{inside}/"


def _git(
    folder: Path,
    *arguments: str,
    given: bytes = b"",
    environ: Mapping[str, str] | None = None,
    acting: tuple[int, int] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    own = {name: value for name, value in os.environ.items() if name not in _FORGET}
    if acting:
        own = {name: value for name, value in own.items() if name in _ANYBODYS or name.startswith("GIT_")}
    command = ("git", "-c", "core.quotePath=false", "-c", "log.showSignature=false", *arguments)
    user, group = acting or (None, None)
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env={**own, **_ENVIRON, **(_home(acting[0]) if acting else {}), **(environ or {})},
            input=given,
            capture_output=True,
            check=False,
            user=user,
            group=group,
            extra_groups=[] if acting else None,
        )
    except FileNotFoundError as error:
        raise NoGitError("there is no `git` here", hint="install it: apt-get install git") from error


def _home(uid: int) -> Mapping[str, str]:
    """Where that user's own configuration of Git is: root's is not theirs to read, and Git stops at it."""
    try:
        home = pwd.getpwuid(uid).pw_dir
    except KeyError:
        home = "/"
    return {"HOME": home, "XDG_CONFIG_HOME": f"{home}/.config"}


def _verb(arguments: tuple[str, ...]) -> str:
    """The command among what was said to Git, after its options."""
    words = iter(arguments)
    for word in words:
        if not word.startswith("-"):
            return word
        if word == "-c":
            next(words)
    return ""


def _reason(stderr: bytes) -> str:
    lines = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    lines = lines or ["it gave no reason"]
    found = next((line for line in lines if line.startswith(("fatal: ", "error: "))), lines[0])
    return found.removeprefix("fatal: ").removeprefix("error: ")


def _lines(names: Iterable[str]) -> bytes:
    return "".join(f"{name}\n" for name in names).encode("utf-8", "surrogateescape")


def _contents(batch: bytes) -> Iterator[bytes | None]:
    """The objects that ``cat-file --batch`` printed; None for one that is missing, or no file."""
    at = 0
    while at < len(batch):
        end = batch.index(b"\n", at)
        head, at = batch[at:end], end + 1
        words = head.rsplit(b" ", 2)
        if not words[-1].isdigit():
            yield None
            continue
        size = int(words[-1])
        yield batch[at : at + size] if words[-2] == b"blob" else None
        at += size + 1
