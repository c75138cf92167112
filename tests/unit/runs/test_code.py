"""The state of the code is what the files are, whatever Git has of them, and looking changes nothing."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from envkit import git
from envkit.errors import InputError
from envkit.runs import code
from envkit.runs.snapshot import Code
from tests.support.code_project import CodeProject

NAME = "x.patch"


def look(project: CodeProject) -> Code:
    return code.look(project.path, NAME)[0]


def git_folder(project: CodeProject) -> dict[str, bytes]:
    """Every file of ``.git``, index and objects included."""
    return {str(path): path.read_bytes() for path in sorted((project.path / ".git").rglob("*")) if path.is_file()}


def test_a_clean_tree_is_its_commit(project: CodeProject) -> None:
    found, patch = code.look(project.path, NAME)
    assert found == Code(
        project.git("rev-parse", "HEAD"), "main", None, "", dirty=False, diff=None, untracked=(), nested=()
    )
    assert patch == b""


def test_what_was_not_committed_is_in_the_patch_whatever_it_is(project: CodeProject) -> None:
    project.write(
        {"train.py": "print('two')\n", "big.bin": bytes(300), "staged.py": "s", "new/blob": b"a\0b", "a \t'x": "odd"}
    )
    project.git("add", "staged.py")
    (project.path / "gone.py").unlink()
    (project.path / "run.sh").write_text("#!/bin/sh\n")
    (project.path / "run.sh").chmod(0o755)
    (project.path / "link").symlink_to("nowhere")
    found, patch = code.look(project.path, NAME)
    assert found.dirty
    assert found.diff is not None
    assert (found.diff.sha256, found.diff.size, found.diff.file) == (
        hashlib.sha256(patch).hexdigest(),
        len(patch),
        NAME,
    )
    assert {file.path: file.size for file in found.untracked} == {"a \t'x": 3, "link": 7, "new/blob": 3, "run.sh": 10}

    clone = CodeProject(project.path.parent / "clone")
    project.git("clone", "-q", ".", str(clone.path))
    (project.path.parent / NAME).write_bytes(patch)
    clone.git("apply", f"../{NAME}")
    assert clone.files() == project.files()
    clone.git("add", "--all")
    assert clone.git("write-tree") == found.diff.tree


def test_a_change_of_equal_size_right_after_a_commit_is_seen(project: CodeProject) -> None:
    place, index = project.path / "train.py", project.path / ".git" / "index"
    project.git("config", "core.trustctime", "false")
    place.write_text("print('2nd')\n")
    os.utime(place, (1000, 1000))
    project.commit()
    place.write_text("print('3rd')\n")
    # As if the commit and the change had happened within one tick of the clock.
    os.utime(place, (1000, 1000))
    os.utime(index, (1000, 1000))
    assert b"+print('3rd')" in code.look(project.path, NAME)[1]


def test_looking_leaves_index_and_objects_as_they_are(project: CodeProject) -> None:
    project.write({"train.py": "changed", "new": "untracked", "half.py": "staged"})
    project.git("add", "half.py")
    project.write({"half.py": "staged, and changed again"})
    before = git_folder(project), project.git("status", "--porcelain")
    look(project)
    assert (git_folder(project), project.git("status", "--porcelain")) == before


def test_the_same_files_give_the_same_patch_whatever_is_configured(project: CodeProject) -> None:
    project.write({"train.py": "print('two')\n", "new": "untracked"})
    plain = code.look(project.path, NAME)
    for key, value in (
        ("diff.noprefix", "true"),
        ("diff.mnemonicPrefix", "true"),
        ("diff.external", "/bin/false"),
        ("diff.context", "9"),
        ("diff.algorithm", "histogram"),
        ("color.ui", "always"),
        ("status.showUntrackedFiles", "no"),
        ("core.quotePath", "true"),
    ):
        project.git("config", key, value)
    os.utime(project.path / "gone.py", (1, 1))
    assert code.look(project.path, NAME) == plain


def test_what_git_ignores_is_not_looked_at(project: CodeProject) -> None:
    project.write({".gitignore": "data/\n"})
    project.commit()
    project.write({"data/set.csv": "1"})
    assert not look(project).dirty


def test_a_merge_that_is_not_done_is_the_files_as_they_are(project: CodeProject) -> None:
    project.git("checkout", "-q", "-b", "other")
    project.write({"train.py": "other\n"})
    project.commit()
    project.git("checkout", "-q", "main")
    project.write({"train.py": "main\n"})
    project.commit()
    project.git("merge", "other", code=1)
    found, patch = code.look(project.path, NAME)
    assert found.dirty
    assert b"+<<<<<<< HEAD" in patch


def test_a_detached_head_has_no_branch(project: CodeProject) -> None:
    project.git("checkout", "-q", "--detach")
    assert look(project).branch is None


def test_before_the_first_commit_there_is_nothing_to_differ_from(tmp_path: Path) -> None:
    (tmp_path / "fresh").mkdir()
    fresh = CodeProject(tmp_path / "fresh")
    fresh.git("init", "-q", "-b", "main")
    fresh.write({"a": "x"})
    found = look(fresh)
    assert (found.commit, found.branch, found.dirty, found.diff) == (None, "main", True, None)
    assert [file.in_patch for file in found.untracked] == [False]


def test_no_repository_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not in a Git repository"):
        code.look(tmp_path, NAME)


def test_no_git_says_so(project: CodeProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(InputError, match="there is no `git` here"):
        look(project)


def test_a_project_below_its_repository_sees_all_of_it(project: CodeProject) -> None:
    project.write({"sub/models.yaml": "models: []\n"})
    project.commit()
    project.write({"train.py": "changed above"})
    found = code.look(project.path / "sub", NAME)[0]
    assert found.prefix == "sub/"
    assert found.dirty


def test_the_smallest_untracked_files_are_taken_and_the_rest_is_named(
    project: CodeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code, "MOST_UNTRACKED", 30)
    project.write({"a.bin": b"x" * 25, "b.txt": "small", "c.txt": "tiny"})
    found, patch = code.look(project.path, NAME)
    assert [(file.path, file.in_patch) for file in found.untracked] == [
        ("a.bin", False),
        ("b.txt", True),
        ("c.txt", True),
    ]
    assert found.untracked[0].sha256 == hashlib.sha256(b"x" * 25).hexdigest()
    assert b"a.bin" not in patch
    quick = code.look(project.path, NAME, thorough=False)[0]
    assert [file.sha256 is None for file in quick.untracked] == [True, False, False]


@pytest.fixture
def library(tmp_path: Path) -> CodeProject:
    return CodeProject.make(tmp_path / "library", {"lib.py": "1\n"})


def with_submodule(project: CodeProject, library: CodeProject) -> CodeProject:
    project.git("submodule", "--quiet", "add", str(library.path), "third/lib")
    project.commit("a submodule")
    return CodeProject(project.path / "third" / "lib")


def test_a_submodule_has_its_own_commit(project: CodeProject, library: CodeProject) -> None:
    inner = with_submodule(project, library)
    found = look(project)
    assert not found.dirty
    assert [(one.path, one.commit, one.dirty) for one in found.nested] == [
        ("third/lib", inner.git("rev-parse", "HEAD"), False)
    ]


def test_a_submodule_that_moved_is_a_change(project: CodeProject, library: CodeProject) -> None:
    inner = with_submodule(project, library)
    inner.write({"lib.py": "2\n"})
    commit = inner.commit()
    found, patch = code.look(project.path, NAME)
    assert f"+Subproject commit {commit}\n".encode() in patch
    assert [(one.commit, one.dirty) for one in found.nested] == [(commit, False)]


@pytest.mark.parametrize("name", ["lib.py", "new.py"])
def test_changes_in_a_submodule_are_noted_and_not_stored(project: CodeProject, library: CodeProject, name: str) -> None:
    with_submodule(project, library).write({name: "changed"})
    found = look(project)
    assert found.dirty
    assert found.diff is None
    assert [one.dirty for one in found.nested] == [True]


def test_a_submodule_that_was_not_fetched_is_an_empty_folder(project: CodeProject, library: CodeProject) -> None:
    with_submodule(project, library)
    clone = CodeProject(project.path.parent / "clone")
    project.git("clone", "-q", ".", str(clone.path))
    found = look(clone)
    assert (found.dirty, found.nested) == (False, ())


def test_a_repository_that_nobody_tracks_is_noted_with_what_is_in_it(project: CodeProject) -> None:
    inner = CodeProject.make(project.path / "nested", {"a": "1"})
    deeper = CodeProject.make(project.path / "nested" / "deeper")
    found = look(project)
    assert [(one.path, one.commit) for one in found.nested] == [
        ("nested", inner.git("rev-parse", "HEAD")),
        ("nested/deeper", deeper.git("rev-parse", "HEAD")),
    ]
    assert found.untracked == ()


def test_a_name_that_is_no_text_is_in_the_patch_all_the_same(project: CodeProject) -> None:
    name = b"caf\xe9"
    (project.path / os.fsdecode(name)).write_bytes(b"1")
    found, patch = code.look(project.path, NAME)
    assert [file.path for file in found.untracked] == ["caf\\xe9"]
    assert b'"b/caf\\351"' in patch or b"b/" + name in patch


def test_a_file_that_cannot_be_read_costs_nothing_else(project: CodeProject, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write({"secret": "x", "plain": "y"})
    (project.path / "secret").chmod(0)
    readable = os.access
    # Root reads everything: what the kernel would tell another user is said for it.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "secret" and readable(path, mode))
    assert {file.path: file.in_patch for file in look(project).untracked} == {"plain": True, "secret": False}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ada:secret@example.com/a.git", "https://example.com/a.git"),
        ("https://ghp_token@example.com:8443/a.git?x=secret#y", "https://example.com:8443/a.git"),
        ("ssh://git@example.com/a.git", "ssh://git@example.com/a.git"),
        ("ssh://ada:secret@example.com/a.git", "ssh://example.com/a.git"),
        ("git@example.com:a/b.git", "git@example.com:a/b.git"),
        ("/srv/git/a.git", "/srv/git/a.git"),
        ("../a.git", "../a.git"),
    ],
)
def test_a_remote_is_shown_without_what_gives_access(project: CodeProject, url: str, shown: str) -> None:
    project.git("remote", "add", "origin", url)
    assert look(project).remote == shown


def test_root_copies_no_index_that_the_owner_may_not_read(anothers: CodeProject) -> None:
    anothers.give(1234)
    secret, index = anothers.path.parent / "secret", anothers.path / ".git" / "index"
    secret.write_text("root's")
    secret.chmod(0o600)
    repository = git.Repository(anothers.path, "", (1234, 1234))
    for make in (index.symlink_to, index.hardlink_to):
        index.unlink()
        make(secret)
        with pytest.raises(InputError, match=r"index: (cannot be read|not for the owner)"), code.scratch(repository):
            pass
