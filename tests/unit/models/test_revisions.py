"""Both files as commits have them."""

from __future__ import annotations

from pathlib import Path

from envkit import git
from envkit.models import revisions
from tests.support.history_project import GitProject, entry, floating, lock_of, registry


def test_each_commit_has_its_own(tmp_path: Path) -> None:
    repo = GitProject.make(tmp_path / "project", "models of ours")
    before = repo.commit()
    one = repo.commit(registry=registry(floating("ocr", "stable")), lock=lock_of(ocr="stable=1"))
    same = repo.commit("something else")
    two = repo.commit(registry=registry(floating("ocr", "stable"), entry("det", "1")))
    broken = repo.commit(registry="models: 1\n")
    found = revisions.read(git.repository(repo.path), [two, before, one, same, broken, one])
    assert list(found) == [two, before, one, same, broken]
    versions = {commit: [entry.version for entry in revision.entries] for commit, revision in found.items()}
    assert versions == {before: [], one: ["1"], same: ["1"], two: ["1", "1"], broken: []}
    assert [found[commit].commit for commit in found] == list(found)
    assert found[one].registry is found[same].registry
    assert found[one].problem is found[before].problem is None
    assert "is not in models.lock.yaml" in str(found[two].problem)
    assert "'models' is not a list" in str(found[broken].problem)


def test_git_calls_files_by_their_contents(tmp_path: Path) -> None:
    repo = GitProject.make(tmp_path / "project")
    one = repo.commit(registry="a")
    two = repo.commit(lock="a")
    repository = git.repository(repo.path)
    blobs = repository.blobs([(one, "models.yaml"), (one, "models.lock.yaml"), (two, "models.lock.yaml"), (two, ".")])
    first, missing, copy, folder = blobs.values()
    assert first == copy == repo.git("rev-parse", "HEAD:models.yaml")
    assert missing is folder is None
    assert first is not None
    assert repository.contents([first, first]) == {first: b"a"}
    assert repository.contents([]) == {}
    assert repository.blobs([]) == {}
