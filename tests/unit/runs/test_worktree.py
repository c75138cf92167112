"""The code of a snapshot comes back byte for byte, or it is said beforehand what does not."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from envkit import git
from envkit.models.store.hand import Hand
from envkit.runs import code
from envkit.runs.snapshot import Nested, Untracked
from envkit.runs.worktree import Source
from tests.support.code_project import CodeProject


def source_of(project: CodeProject) -> Source:
    found, patch = code.look(project.path, "x.patch")
    return Source(git.repository(project.path), found, patch or None)


def lacks(source: Source) -> list[str]:
    return [str(lack) for lack in source.lacks()]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "again"


def test_everything_comes_back_though_the_project_went_on(project: CodeProject, target: Path) -> None:
    project.write({"train.py": "print('two')\n", "new/blob": b"a\0b\r\n", "big.bin": bytes(300)})
    (project.path / "gone.py").unlink()
    (project.path / "run.sh").write_text("#!/bin/sh\n")
    (project.path / "run.sh").chmod(0o755)
    (project.path / "link").symlink_to("train.py")
    then, source = project.files(), source_of(project)
    project.git("reset", "-q", "--hard")
    project.git("clean", "-qfd")
    project.write({"train.py": "print('three')\n"})
    project.commit()
    assert lacks(source) == []
    source.check_out(target)
    source.bring(target, Hand())
    assert project.files(target) == then
    assert project.git("-C", str(target), "rev-parse", "HEAD") == source.code.commit


def test_a_check_leaves_nothing_behind(project: CodeProject) -> None:
    project.write({"train.py": "print('two')\n"})
    source = source_of(project)
    before = sorted((project.path / ".git").rglob("*"))
    assert lacks(source) == []
    assert source.read("train.py", "nowhere") == {"train.py": b"print('two')\n", "nowhere": None}
    assert sorted((project.path / ".git").rglob("*")) == before


def test_hooks_of_the_repository_do_not_run(project: CodeProject, target: Path) -> None:
    hook = project.path / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntouch hooked\n")
    hook.chmod(0o755)
    source_of(project).check_out(target)
    assert not (target / "hooked").exists()


def test_submodules_and_nested_repositories_come_back_without_a_network(
    project: CodeProject, tmp_path: Path, target: Path
) -> None:
    library = CodeProject.make(tmp_path / "library", {"lib.py": "1\n"})
    project.git("submodule", "--quiet", "add", str(library.path), "third/lib")
    project.commit()
    inner = CodeProject(project.path / "third" / "lib")
    inner.write({"lib.py": "2\n"})
    inner.commit()
    CodeProject.make(project.path / "nested", {"a": "1"})
    then, source = project.files(), source_of(project)
    library.path.rename(tmp_path / "away")
    inner.git("checkout", "-q", "HEAD~1")
    assert lacks(source) == []
    source.check_out(target)
    assert project.files(target) == then


def test_a_commit_that_is_not_there_says_where_it_may_be(project: CodeProject, tmp_path: Path) -> None:
    project.git("remote", "add", "origin", "https://example.com/a.git")
    source = source_of(project)
    other = CodeProject.make(tmp_path / "other", {"x": "y"})
    moved = Source(git.repository(other.path), source.code, None)
    (said,) = lacks(moved)
    assert said.startswith(f"cannot be had again: commit {source.code.commit} of main is not in {other.path}\n")
    assert "git fetch" in said
    assert "https://example.com/a.git" in said


def test_a_shallow_clone_is_told_how_to_get_the_rest(project: CodeProject, tmp_path: Path) -> None:
    first = source_of(project)
    project.write({"train.py": "2"})
    project.commit()
    project.git("clone", "-q", "--depth", "1", f"file://{project.path}", str(tmp_path / "shallow"))
    (said,) = lacks(Source(git.repository(tmp_path / "shallow"), first.code, None))
    assert "git fetch --unshallow" in said


@pytest.mark.parametrize("commit", ["HEAD", "main", "--help", "0" * 40])
def test_a_commit_is_taken_by_its_digits_alone(project: CodeProject, commit: str) -> None:
    source = source_of(project)
    forged = dataclasses.replace(source, code=dataclasses.replace(source.code, commit=commit))
    assert [lack.exit_code for lack in forged.lacks()] == [2]


def test_a_patch_that_is_gone_changed_or_another_ones(project: CodeProject) -> None:
    project.write({"train.py": "print('two')\n"})
    source = source_of(project)
    assert source.patch is not None
    (gone,) = lacks(dataclasses.replace(source, patch=None))
    assert "the patch is not there" in gone
    assert "x.patch" in gone
    (changed,) = lacks(dataclasses.replace(source, patch=source.patch + b"\n"))
    assert f"sha256 expected {source.code.diff.sha256}, got " in changed if source.code.diff else False

    assert source.code.diff is not None
    forged = dataclasses.replace(source.code.diff, tree="0" * 40)
    (other,) = lacks(dataclasses.replace(source, code=dataclasses.replace(source.code, diff=forged)))
    assert f"expected {'0' * 40}" in other


def test_a_large_file_is_taken_from_the_project_while_it_is_the_same(
    project: CodeProject, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code, "MOST_UNTRACKED", 10)
    project.write({"in/data.csv": "1,2\n" * 10})
    source = source_of(project)
    assert lacks(source) == []
    source.check_out(target)
    source.bring(target, Hand())
    assert (target / "in" / "data.csv").read_text() == "1,2\n" * 10
    project.write({"in/data.csv": "3,4\n" * 10})
    (changed,) = lacks(source)
    assert "in/data.csv, 40 bytes that Git did not have: it is another file by now" in changed
    (project.path / "in" / "data.csv").unlink()
    (gone,) = lacks(source)
    assert "it is not there any more" in gone


@pytest.mark.parametrize("path", ["../out", "/etc/passwd", "a/../../out", ".git/hooks/x", ""])
def test_a_snapshot_cannot_lead_out_of_the_worktree(project: CodeProject, path: str) -> None:
    source = source_of(project)
    for changed in (
        dataclasses.replace(source.code, untracked=(Untracked(path, 1, "0" * 64, in_patch=False),)),
        dataclasses.replace(source.code, nested=(Nested(path, "0" * 40, dirty=False),)),
    ):
        (said,) = lacks(dataclasses.replace(source, code=changed))
        assert "outside of the project" in said


def test_what_nested_repositories_lack_is_said(project: CodeProject, tmp_path: Path) -> None:
    library = CodeProject.make(tmp_path / "library", {"lib.py": "1\n"})
    project.git("submodule", "--quiet", "add", str(library.path), "lib")
    project.commit()
    source = source_of(project)
    (nested,) = source.code.nested

    def said(**changed: object) -> str:
        other = dataclasses.replace(nested, **changed)  # type: ignore[arg-type]
        (text,) = lacks(dataclasses.replace(source, code=dataclasses.replace(source.code, nested=(other,))))
        return text

    assert "what was not committed there is not in the snapshot" in said(dirty=True)
    assert f"commit {'0' * 40} is not there" in said(commit="0" * 40)
    assert "a repository without a commit" in said(commit=None)
    assert "git submodule update --init --recursive other" in said(path="other")
