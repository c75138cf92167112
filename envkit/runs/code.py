"""The state of the code: what a commit has of it, and what it has not.

Git makes a tree of all files as they are, in an index and a folder of objects that are thrown away afterwards: neither
the project's index nor its objects are touched. The patch from the commit to that tree is what was not committed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from envkit import git
from envkit.errors import InputError
from envkit.git import Repository
from envkit.runs.snapshot import Code, Diff, Nested, Untracked

MOST_UNTRACKED = 32 << 20
"""Bytes of untracked files that a patch takes, the smallest files first. Data does not belong in there."""

_STATUS = ("status", "--porcelain=v2", "-z", "--branch", "--untracked-files=all", "--ignore-submodules=none")
# The same patch for the same files, whatever a user has configured.
_DIFF = (
    *("-c", "diff.suppressBlankEmpty=false", "diff-tree", "-r", "-p", "--binary", "--full-index", "--no-renames"),
    *("--no-ext-diff", "--no-textconv", "--no-color", "--src-prefix=a/", "--dst-prefix=b/", "--unified=3"),
    *("--inter-hunk-context=0", "--diff-algorithm=myers", "--no-indent-heuristic", "--submodule=short", "-O/dev/null"),
)


@dataclass(frozen=True)
class _Status:
    commit: str | None
    branch: str | None
    changed: bool
    untracked: tuple[bytes, ...]


def look(
    folder: Path, patch_name: str, *, thorough: bool = True, acting: tuple[int, int] | None = None
) -> tuple[Code, bytes]:
    """The state of the repository that ``folder`` is in, and the patch, which is to be kept as ``patch_name``.

    Not ``thorough``, the digests of untracked files that the patch does not take are left out: they may be large.
    ``acting`` is as in `git.find`.

    Raises:
        InputError: there is no repository, or Git refused.
    """
    repository = git.repository(folder, acting)
    status = _status(repository)
    names = [name for name in status.untracked if not name.endswith(b"/")]
    inner = [name.rstrip(b"/") for name in status.untracked if name.endswith(b"/")]
    taken = _taken(repository.root, names) if status.commit else frozenset()
    patch, tree = b"", ""
    if status.commit and (status.changed or taken):
        patch, tree = _patch(repository, status.commit, sorted(taken))
    diff = Diff(patch_name, hashlib.sha256(patch).hexdigest(), len(patch), tree) if patch else None
    untracked = tuple(_untracked(repository.root, name, name in taken, thorough) for name in sorted(names))
    nested = tuple(_nested(repository, inner))
    code = Code(
        commit=status.commit,
        branch=status.branch,
        remote=_remote(repository),
        prefix=repository.prefix,
        dirty=status.changed or bool(names) or any(found.dirty for found in nested),
        diff=diff,
        untracked=untracked,
        nested=nested,
    )
    return code, patch


def without_credentials(url: str) -> str:
    """The URL of a remote, without what gives access: of a user name, only the one that SSH needs stays."""
    parts = urlsplit(url)
    if not parts.netloc:
        return url  # a path, or what scp takes: git@host:path
    user, _, host = parts.netloc.rpartition("@")
    kept = f"{user}@" if user and "ssh" in parts.scheme and ":" not in user else ""
    return f"{parts.scheme}://{kept}{host}{parts.path}"


@contextmanager
def scratch(repository: Repository) -> Iterator[tuple[Path, Mapping[str, str]]]:
    """A folder that goes in the end, and variables that have Git keep its index and every new object there."""
    paths = repository.text("rev-parse", "--git-path", "objects", "--git-path", "index").splitlines()
    objects, index = (repository.root / path for path in paths)
    with tempfile.TemporaryDirectory(prefix="envkit-git-") as name:
        folder = Path(name)
        (folder / "objects").mkdir()
        _copy_index(index, folder / "index", repository.acting)
        if repository.acting:
            for path in (folder, *folder.iterdir()):
                os.chown(path, *repository.acting)
        yield (
            folder,
            {
                "GIT_INDEX_FILE": str(folder / "index"),
                "GIT_OBJECT_DIRECTORY": str(folder / "objects"),
                "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(objects),
            },
        )


def _copy_index(index: Path, place: Path, acting: tuple[int, int] | None) -> None:
    """Copy an index, if there is one that the acting user may read: by a link, root would hand them any file there is.

    With its time: a file that was changed in the tick in which the index was written is told by that alone.
    """
    try:
        descriptor = os.open(index, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (os.O_NOFOLLOW if acting else 0))
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(f"{index}: cannot be read: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        theirs = not acting or found.st_uid == acting[0] or found.st_mode & stat.S_IROTH
        if not (theirs and stat.S_ISREG(found.st_mode)):
            raise InputError(f"{index}: not for the owner of the repository to read")
        with place.open("wb") as copy:
            shutil.copyfileobj(file, copy)
    os.utime(place, ns=(found.st_atime_ns, found.st_mtime_ns))


def digest(path: Path) -> str | None:
    """The SHA-256 of a file, of a link that of where it leads to; None for what cannot be read."""
    whole = hashlib.sha256()
    try:
        if path.is_symlink():
            whole.update(os.fsencode(path.readlink()))
            return whole.hexdigest()
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                whole.update(chunk)
    except OSError:
        return None
    return whole.hexdigest()


def _status(repository: Repository) -> _Status:
    commit = branch = None
    changed, untracked = False, []
    # A name with its two forms (a rename) does not occur: the option is off.
    for line in repository.run(*_STATUS, "--no-renames").split(b"\0"):
        if line.startswith(b"# branch.oid ") and not line.endswith(b" (initial)"):
            commit = line[13:].decode()
        elif line.startswith(b"# branch.head ") and not line.endswith(b" (detached)"):
            branch = line[14:].decode("utf-8", "backslashreplace")
        elif line.startswith(b"? "):
            untracked.append(line[2:])
        elif line[:2] in (b"1 ", b"2 ", b"u "):
            changed = True
    return _Status(commit, branch, changed, tuple(untracked))


def _taken(root: Path, names: Sequence[bytes]) -> frozenset[bytes]:
    """The untracked files that the patch takes."""
    sizes = sorted((size, name) for name in names if (size := _size(root, name)) is not None)
    taken, room = set(), MOST_UNTRACKED
    for size, name in sizes:
        room -= size
        if room < 0:
            break
        taken.add(name)
    return frozenset(taken)


def _size(root: Path, name: bytes) -> int | None:
    """None for what Git could not read."""
    path = root / os.fsdecode(name)
    try:
        found = path.lstat()
    except OSError:
        return None
    readable = stat.S_ISLNK(found.st_mode) or os.access(path, os.R_OK)
    return found.st_size if readable else None


def _untracked(root: Path, name: bytes, in_patch: bool, thorough: bool) -> Untracked:
    path = root / os.fsdecode(name)
    sha256 = digest(path) if in_patch or thorough else None
    return Untracked(name.decode("utf-8", "backslashreplace"), _size(root, name) or 0, sha256, in_patch)


def _patch(repository: Repository, commit: str, untracked: Sequence[bytes]) -> tuple[bytes, str]:
    with scratch(repository) as (_, environ):
        repository.run("-c", "core.safecrlf=false", "add", "--update", "--", ".", environ=environ)
        if untracked:
            given = b"".join(name + b"\0" for name in untracked)
            # One that is gone by now is no failure: with --remove it is not in the tree, as it is not on the disk.
            repository.run("update-index", "--add", "--remove", "-z", "--stdin", given=given, environ=environ)
        tree = repository.run("write-tree", environ=environ).decode().strip()
        return repository.run(*_DIFF, commit, tree, "--", environ=environ), tree


def _nested(repository: Repository, untracked: Sequence[bytes]) -> Iterator[Nested]:
    """Submodules, those within them, and repositories that are not tracked."""
    links = [os.fsencode(path) for path in _gitlinks(repository)]
    for name in sorted({*links, *untracked}):
        path = repository.root / os.fsdecode(name)
        if not (path / ".git").exists():
            continue  # a submodule that was not fetched: an empty folder, here and later
        shown = name.decode("utf-8", "backslashreplace")
        inner = Repository(path, "", repository.acting)
        status = _status(inner)
        yield Nested(shown, status.commit, status.changed or any(not one.endswith(b"/") for one in status.untracked))
        for found in _nested(inner, [one.rstrip(b"/") for one in status.untracked if one.endswith(b"/")]):
            yield Nested(f"{shown}/{found.path}", found.commit, found.dirty)


def _gitlinks(repository: Repository) -> list[str]:
    if not (repository.root / ".gitmodules").exists():
        return []
    listed = repository.run("ls-files", "--stage", "-z").split(b"\0")
    return [os.fsdecode(line.partition(b"\t")[2]) for line in listed if line.startswith(b"160000 ")]


def _remote(repository: Repository) -> str | None:
    try:
        return without_credentials(repository.text("ls-remote", "--get-url"))
    except InputError:
        return None  # there is none
