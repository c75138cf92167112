"""Brings the code of a snapshot back: first in a tree that nobody sees, to know that it can be done, then for good."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from envkit.errors import InputError
from envkit.git import Repository
from envkit.runs import code
from envkit.runs.lack import Lack
from envkit.runs.shelf import Hand
from envkit.runs.snapshot import Code, Diff, Untracked

_APPLY = ("apply", "--binary", "--whitespace=nowarn", "--no-ignore-whitespace")
_QUIET = ("-c", "core.hooksPath=/dev/null", "-c", "submodule.recurse=false", "-c", "advice.detachedHead=false")
_CODE = InputError.exit_code


@dataclass(frozen=True)
class Source:
    """The repository at hand, the code as a snapshot has it, and the patch that is beside it (None: it is not)."""

    repository: Repository
    code: Code
    patch: bytes | None

    def lacks(self) -> tuple[Lack, ...]:
        """What of the code cannot be had again."""
        if not self.code.commit:
            return (Lack("code", "it was taken before the first commit", exit_code=_CODE),)
        if not all(map(_is_below, self._paths())):
            return (Lack("code", "it names files outside of the project", exit_code=_CODE),)
        if not re.fullmatch(r"[0-9a-f]{40,64}", self.code.commit) or not self.repository.commit(self.code.commit):
            return (self._no_commit(),)
        return (*self._changes(), *self._untracked(), *self._nested())

    def read(self, *paths: str) -> dict[str, bytes | None]:
        """Files of the project as the worktree will have them, None for one that it will not have.

        Only where `lacks` found nothing.
        """
        with code.scratch(self.repository) as (_, environ):
            self._tree(environ)
            names = [f":{self.code.prefix}{path}" for path in paths]
            return {path: self._show(name, environ) for path, name in zip(paths, names, strict=True)}

    def check_out(self, target: Path) -> None:
        """Make the worktree ``target``, a new folder, with everything that was not committed.

        Raises:
            InputError: Git refused, or the files are not those that they were.
        """
        self.repository.run(*_QUIET, "worktree", "add", "--detach", "--", str(target), str(self.code.commit))
        inside = Repository(target, "", self.repository.acting)
        if self.patch:
            inside.run(*_APPLY, "--index", "-", given=self.patch)
        if self.code.diff and (got := inside.text("write-tree")) != self.code.diff.tree:
            raise InputError(f"{target}: other files than they were: tree {got}, expected {self.code.diff.tree}")
        for nested in self.code.nested:
            # The repository that is there has the commit: nothing is asked of a network.
            inner = Repository(self.repository.root / nested.path, "", self.repository.acting)
            inner.run(*_QUIET, "worktree", "add", "--detach", "--", str(target / nested.path), str(nested.commit))

    def bring(self, target: Path, hand: Hand) -> None:
        """Copy the untracked files that the patch does not have from the project, if they still are what they were."""
        for file in self._left_out():
            place = target / file.path
            folders = [folder for folder in place.parents if folder.is_relative_to(target) and folder != target]
            for folder in reversed(folders):
                hand.make(folder)
            source = self.repository.root / file.path
            for path, root in ((place, target), (source, self.repository.root)):
                if not path.parent.resolve().is_relative_to(root.resolve()):
                    raise InputError(f"{path}: a link leads out of {root}")
            shutil.copy2(source, place, follow_symlinks=False)
            hand.give(place)

    def _paths(self) -> list[str]:
        return [*(file.path for file in self.code.untracked), *(nested.path for nested in self.code.nested)]

    def _no_commit(self) -> Lack:
        branch = f" of {self.code.branch}" if self.code.branch else ""
        fetch = "git fetch --unshallow" if self.repository.is_shallow else "git fetch --all"
        where = f"; it came from {self.code.remote}" if self.code.remote else ""
        message = f"commit {self.code.commit}{branch} is not in {self.repository.root}"
        return Lack("code", message, f"{fetch}, then the same again{where}", _CODE)

    def _changes(self) -> Iterator[Lack]:
        diff = self.code.diff
        if diff is None:
            return
        if self.patch is None:
            hint = f"it was {diff.file}, beside the snapshot: put it there again"
            yield Lack("code", "what was not committed: the patch is not there", hint, _CODE)
        elif (got := hashlib.sha256(self.patch).hexdigest()) != diff.sha256:
            message = f"what was not committed: {diff.file} is another patch"
            yield Lack("code", message, f"sha256 expected {diff.sha256}, got {got}", _CODE)
        elif why := self._why_not(diff):
            yield Lack("code", f"what was not committed: {diff.file}: {why}", None, _CODE)

    def _why_not(self, diff: Diff) -> str | None:
        with code.scratch(self.repository) as (_, environ):
            try:
                tree = self._tree(environ)
            except InputError as error:
                return error.message
        return None if tree == diff.tree else f"gives other files than they were: tree {tree}, expected {diff.tree}"

    def _tree(self, environ: Mapping[str, str]) -> str:
        self.repository.run("read-tree", str(self.code.commit), environ=environ)
        if self.patch and self.code.diff:
            self.repository.run(*_APPLY, "--cached", "-", given=self.patch, environ=environ)
        return self.repository.run("write-tree", environ=environ).decode().strip()

    def _show(self, name: str, environ: Mapping[str, str]) -> bytes | None:
        try:
            return self.repository.run("cat-file", "blob", name, environ=environ)
        except InputError:
            return None

    def _left_out(self) -> tuple[Untracked, ...]:
        return tuple(file for file in self.code.untracked if not file.in_patch)

    def _untracked(self) -> Iterator[Lack]:
        for file in self._left_out():
            here = code.digest(self.repository.root / file.path)
            if here is None or here != file.sha256:
                why = "is not there any more" if here is None else "is another file by now"
                if file.sha256 is None:
                    why = "was too large to be read when the service started"
                yield Lack("code", f"{file.path}, {file.size} bytes that Git did not have: it {why}", None, _CODE)

    def _nested(self) -> Iterator[Lack]:
        for nested in self.code.nested:
            path = self.repository.root / nested.path
            if nested.dirty:
                yield Lack("code", f"{nested.path}: what was not committed there is not in the snapshot", None, _CODE)
            elif not nested.commit:
                yield Lack("code", f"{nested.path}: a repository without a commit", None, _CODE)
            elif not (path / ".git").exists():
                hint = f"git submodule update --init --recursive {nested.path}"
                yield Lack("code", f"{nested.path}: the repository is not there", hint, _CODE)
            elif not Repository(path, "", self.repository.acting).commit(nested.commit):
                hint = f"git -C {nested.path} fetch, then the same again"
                yield Lack("code", f"{nested.path}: commit {nested.commit} is not there", hint, _CODE)


def _is_below(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and ".." not in parts and ".git" not in parts
