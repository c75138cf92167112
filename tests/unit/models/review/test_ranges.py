"""What `envkit models diff` compares, in repositories of every shape."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from envkit import git
from envkit.ci import Ci
from envkit.commands import models_diff
from envkit.errors import InputError
from envkit.models.review import ranges, report
from envkit.models.review.levels import Levels
from envkit.result import Result
from envkit.settings import load
from tests.support.reviewed import MD5_A, MD5_B, Repository, entry, findings, outcomes, said, text

TWO = {"version": "v2", "md5": MD5_B, "benchmark": "https://bench.example/2"}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository.make(tmp_path / "repository")
    made.change(entry("a"))
    return made


def kinds(result: Result) -> list[str]:
    return [f"{change['kind']} {change['name']}" for change in said(result)["changes"]]


def diverged(repository: Repository) -> None:
    """``feature`` adds b, ``main`` adds c meanwhile."""
    repository.git("checkout", "--quiet", "-b", "feature")
    repository.change(entry("a"), entry("b", md5=MD5_B))
    repository.git("checkout", "--quiet", "main")
    repository.change(entry("a"), entry("c", md5="0c" * 16))


# --- forms of a range ----------------------------------------------------------------------------------------------


def test_two_dots_compare_both_trees_and_three_what_happened_since_they_parted(repository: Repository) -> None:
    diverged(repository)
    assert kinds(repository.diff("main..feature")) == ["added b", "removed c"]
    assert kinds(repository.diff("main...feature")) == ["added b"]
    assert said(repository.diff("main...feature"))["base"]["name"] == "where feature left main"


def test_a_head_left_out_is_head(repository: Repository) -> None:
    diverged(repository)
    assert kinds(repository.diff("feature..")) == kinds(repository.diff("feature..HEAD")) == ["added c", "removed b"]


@pytest.mark.parametrize("compared", ["", " ", "..HEAD", "...HEAD", ".."])
def test_an_empty_base_is_refused(repository: Repository, compared: str) -> None:
    with pytest.raises(InputError, match="names no BASE") as error:
        repository.diff(compared)
    assert error.value.hint == "is the variable set that it comes from?"


def test_a_merge_has_the_changes_of_both_sides(repository: Repository) -> None:
    diverged(repository)
    repository.git("merge", "--quiet", "--no-commit", "--strategy=ours", "feature")
    repository.change(entry("a"), entry("b", md5=MD5_B), entry("c", md5="0c" * 16))
    assert kinds(repository.diff("HEAD^1..HEAD")) == ["added b"]
    assert kinds(repository.diff("HEAD^2..HEAD")) == ["added c"]


def test_a_base_alone_is_compared_with_the_working_tree(repository: Repository) -> None:
    repository.declare(entry("a", **TWO))
    repository.write("code/new.py", "load('checkpoints/a_v1')\n")
    repository.write("docs/new.md", "not committed\n")
    result = repository.diff("HEAD")
    assert kinds(result) == ["changed a"]
    assert said(result)["head"] == {
        "name": "the working tree", "commit": None, "models": 1, "download": 1000, "of_unknown_size": 0
    }  # fmt: skip
    assert findings(result, "usage") == ["a: is still named as it was in code/new.py:1"]
    assert said(result)["documents"] == ["docs/new.md"]
    assert kinds(repository.diff()) == ["changed a"]


def test_a_tag_and_a_commit_are_names_of_revisions(repository: Repository) -> None:
    repository.git("tag", "--annotate", "--message", "one", "v1.0")
    first = repository.git("rev-parse", "HEAD")
    repository.change(entry("a", **TWO))
    assert kinds(repository.diff("v1.0..HEAD")) == kinds(repository.diff(f"{first[:8]}..HEAD")) == ["changed a"]


@pytest.mark.parametrize("name", ["nope", "--help", "HEAD:models.yaml", "a b", "HEAD~99"])
def test_what_is_no_revision_is_told(repository: Repository, name: str) -> None:
    with pytest.raises(InputError, match="no such revision here"):
        repository.diff(f"{name}..HEAD")


def test_a_near_miss_is_told(repository: Repository) -> None:
    with pytest.raises(InputError, match="did you mean 'main'"):
        repository.diff("mian..HEAD")


def test_a_repository_without_a_commit_is_told(tmp_path: Path) -> None:
    repository = Repository.make(tmp_path / "repository")
    repository.declare(entry())
    with pytest.raises(InputError, match="there is no commit yet"):
        repository.diff("HEAD")


def test_a_project_outside_of_git_is_told(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text("models: []\n")
    with pytest.raises(InputError, match="not in a Git repository"):
        Repository(tmp_path).diff("HEAD")


# --- clones as CI makes them ---------------------------------------------------------------------------------------


def test_a_shallow_clone_that_lacks_the_base_says_how_to_deepen_it(repository: Repository, tmp_path: Path) -> None:
    repository.change(entry("a", **TWO))
    clone = Repository(tmp_path / "clone")
    repository.git("clone", "--quiet", "--depth=1", f"file://{repository.root}", str(clone.root))
    for compared in ("HEAD~1..HEAD", "v0..HEAD"):
        with pytest.raises(InputError) as error:
            clone.diff(compared)
        assert error.value.hint is not None
        assert "git fetch --unshallow" in error.value.hint
        assert "fetch-depth: 0" in error.value.hint
    clone.git("fetch", "--quiet", "--unshallow")
    assert kinds(clone.diff("HEAD~1..HEAD")) == ["changed a"]


def test_a_shallow_clone_without_the_common_ancestor_says_how_to_deepen_it(
    repository: Repository, tmp_path: Path
) -> None:
    diverged(repository)
    clone = Repository(tmp_path / "clone")
    repository.git("clone", "--quiet", "--depth=1", "--no-single-branch", f"file://{repository.root}", str(clone.root))
    with pytest.raises(InputError, match="no common ancestor here") as error:
        clone.diff("origin/main...origin/feature")
    assert "git fetch --unshallow" in str(error.value)
    assert kinds(clone.diff("origin/main..origin/feature")) == ["added b", "removed c"]


def test_a_branch_that_is_there_as_a_remote_one_is_suggested(repository: Repository, tmp_path: Path) -> None:
    diverged(repository)
    clone = Repository(tmp_path / "clone")
    repository.git("clone", "--quiet", str(repository.root), str(clone.root))
    with pytest.raises(InputError, match="did you mean 'origin/feature'"):
        clone.diff("feature..HEAD")


def test_unrelated_histories_are_compared_as_they_are(repository: Repository) -> None:
    repository.git("checkout", "--quiet", "--orphan", "other")
    repository.change(entry("b", md5=MD5_B))
    with pytest.raises(InputError, match=r"compare them as they are: main\.\.other"):
        repository.diff("main...other")
    assert kinds(repository.diff("main..other")) == ["added b", "removed a"]


def test_in_a_pipeline_the_branch_that_the_change_is_to_go_into_is_the_base(
    repository: Repository, tmp_path: Path
) -> None:
    diverged(repository)
    clone = Repository(tmp_path / "clone")
    repository.git("clone", "--quiet", "--branch=feature", str(repository.root), str(clone.root))
    clone.git("checkout", "--quiet", "--detach")
    found = git.repository(clone.project)
    compared = ranges.resolve(found, None, Ci("github", target="main"))
    assert compared.text == "origin/main...HEAD"
    review = report.review(found, compared, Levels())
    assert [subject.change.entry.model.name for subject in review.facts.subjects] == ["b"]


def test_a_pipeline_that_does_not_know_its_target_has_to_be_told(repository: Repository) -> None:
    with pytest.raises(InputError, match=r"envkit models diff BASE\.\.HEAD"):
        ranges.resolve(git.repository(repository.project), None, Ci("gitlab"))


def test_a_target_that_was_not_fetched_is_named(repository: Repository) -> None:
    with pytest.raises(InputError, match="origin/develop: no such revision here"):
        ranges.resolve(git.repository(repository.project), None, Ci("github", target="develop"))


def test_the_settings_say_which_pipeline_it_is(repository: Repository) -> None:
    environ = {"HOME": str(repository.root), "GITHUB_ACTIONS": "true", "GITHUB_BASE_REF": "develop"}
    with pytest.raises(InputError, match="origin/develop: no such revision here"):
        models_diff.diff(load({"project": str(repository.project)}, environ), None)


# --- where the project is ------------------------------------------------------------------------------------------


def test_a_project_in_a_subfolder_is_reviewed_with_the_whole_repository(tmp_path: Path) -> None:
    repository = Repository.make(tmp_path / "repository", "vision/ocr")
    (repository.root / "tools.py").write_text("load('checkpoints/resnet_v1')\n")
    (repository.root / "other").mkdir()
    (repository.root / "other" / "models.yaml").write_text("models: []  # resnet\n")
    repository.write("report.md", "1\n")
    repository.change(entry(benchmark="report.md"))
    repository.write("report.md", "2\n")
    repository.change(entry(**{**TWO, "benchmark": "report.md"}))
    result = repository.diff("HEAD~1..HEAD")
    assert outcomes(result) == {"usage": "warn"}
    assert findings(result, "usage") == ["resnet: is still named as it was in tools.py:1"]
    assert said(result)["documents"] == ["vision/ocr/report.md"]


def test_a_project_that_was_moved_is_followed(tmp_path: Path) -> None:
    repository = Repository.make(tmp_path / "repository", "old/place")
    repository.change(entry("a"), entry("b", md5=MD5_B))
    repository.git("mv", "old", "new")
    moved = replace(repository, folder="new/place")
    moved.change(entry("a"), entry("b", md5=MD5_B, description="moved"))
    result = moved.diff("HEAD~1..HEAD")
    assert kinds(result) == ["changed b"]
    assert "the project was in old/place/ then" in said(result)["notes"]


def test_a_registry_that_is_new_has_everything_added(tmp_path: Path) -> None:
    repository = Repository.make(tmp_path / "repository")
    repository.write("README.md", "x\n")
    repository.commit()
    repository.change(entry("a"))
    result = repository.diff("HEAD~1..HEAD")
    assert kinds(result) == ["added a"]
    assert said(result)["notes"] == ["models.yaml is new"]
    with pytest.raises(InputError, match="neither HEAD~1"):
        repository.diff("HEAD~1..HEAD~1")


def test_a_registry_that_is_deleted_has_everything_removed(repository: Repository) -> None:
    repository.git("rm", "--quiet", "models.yaml")
    repository.commit()
    done = subprocess.run(
        [sys.executable, "-m", "envkit", "models", "diff", "HEAD~1..HEAD"],
        cwd=repository.project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "- a v1" in done.stdout
    assert "models.yaml is not there any more" in done.stdout
    assert done.returncode == 0, done.stderr


def test_a_worktree_is_a_repository(repository: Repository, tmp_path: Path) -> None:
    repository.git("worktree", "add", "--quiet", "-b", "feature", str(tmp_path / "tree"))
    tree = Repository(tmp_path / "tree")
    tree.change(entry("a", **TWO))
    assert kinds(tree.diff("main..HEAD")) == ["changed a"]
    assert kinds(repository.diff("main..HEAD")) == []


def test_a_submodule_is_not_looked_into_and_is_a_project_by_itself(repository: Repository, tmp_path: Path) -> None:
    library = Repository.make(tmp_path / "library")
    library.write("lib.py", "load('checkpoints/a_v1')\n")
    library.change(entry("a"))
    repository.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library.root), "lib")
    repository.commit()
    repository.change(entry("a", **TWO))
    assert outcomes(repository.diff("HEAD~1..HEAD")) == {"docs": "warn"}
    inner = replace(repository, root=repository.root / "lib")
    inner.change(entry("a", **TWO))
    assert findings(inner.diff("HEAD~1..HEAD"), "usage") == ["a: is still named as it was in lib.py:1"]


# --- the file that it is written to ---------------------------------------------------------------------------------


def test_a_rendering_goes_into_a_file_and_the_verdict_is_said(repository: Repository, tmp_path: Path) -> None:
    repository.change(entry("a", **TWO))
    target = tmp_path / "comment.md"
    target.write_text("old")
    target.chmod(0o640)
    result = repository.diff("HEAD~1..HEAD", form="markdown", output=str(target))
    assert text(result) == f"warn: 1 of 8 gates warns: docs\n{target}"
    assert target.read_text("utf-8") == text(repository.diff("HEAD~1..HEAD", form="markdown")) + "\n"
    assert target.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir() if "comment" in path.name] == ["comment.md"]


def test_a_link_is_followed_and_what_is_no_file_is_written_to(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "link.md").symlink_to("real.md")
    repository.diff("HEAD", output=str(tmp_path / "link.md"))
    assert (tmp_path / "link.md").is_symlink()
    assert (tmp_path / "real.md").read_text("utf-8").startswith("pass: ")
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen(["cat", tmp_path / "pipe"], stdout=subprocess.PIPE, text=True) as reader:
        repository.diff("HEAD", output=str(tmp_path / "pipe"))
        assert reader.communicate()[0].startswith("pass: ")
    assert (tmp_path / "pipe").is_fifo()


def test_a_file_that_cannot_be_written_is_told(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written: No such file"):
        repository.diff("HEAD", output=str(tmp_path / "none" / "x.md"))
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="cannot be written: Is a directory"):
        repository.diff("HEAD", output=str(tmp_path / "folder"))
    assert list((tmp_path / "folder").iterdir()) == []
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".folder")]


def test_json_is_the_same_by_format_and_by_flag(repository: Repository) -> None:
    repository.change(entry("a", md5=MD5_A, license=None))
    result = repository.diff("HEAD~1..HEAD", form="json")
    assert text(result) == result.as_json()
