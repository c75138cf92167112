"""`envkit models check` in real repositories: which branch it goes by, and that it works wherever Git calls it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from envkit.ci import Ci
from envkit.commands import models_check
from envkit.errors import InputError
from envkit.models.locking import lock
from envkit.models.locking.lock import Lock, Locked, LockedFile
from envkit.models.model import Digests
from envkit.models.policy import branch as branches
from envkit.models.policy import policy
from envkit.models.registry import registry
from envkit.settings import load
from tests.support.model_project import Ran
from tests.support.project import REPOSITORY

FLOATING = "models:\n- {name: det, version: latest, source: pypi, package: rapidocr, path: a.bin}\n"
FIXED = FLOATING.replace("latest", "'3.2.0'").replace("path", f"sha256: {'0a' * 32}, path")


@pytest.fixture(autouse=True)
def _git_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Git by what a test says, and no CI system's variables."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "ada@example.com")
    for name in ("GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL", "JENKINS_HOME"):
        monkeypatch.delenv(name, raising=False)


def git(folder: Path, *arguments: str, code: int | None = 0, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run Git; its hooks find this envkit."""
    settings = ("-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always")
    done = subprocess.run(
        ["git", *settings, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHON": sys.executable, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert code is None or done.returncode == code, f"{done.stdout}{done.stderr}"
    return done


def made(folder: Path, text: str = FLOATING) -> Path:
    """A repository with a registry, committed on main."""
    folder.mkdir()
    git(folder, "init", "--quiet")
    committed(folder, text)
    return folder


def committed(folder: Path, text: str) -> None:
    (folder / "models.yaml").write_text(text)
    git(folder, "add", "models.yaml")
    git(folder, "commit", "--quiet", "--no-verify", "--allow-empty", "--message", "models")


def write_lock(folder: Path) -> None:
    found = registry.load(folder / "models.yaml")
    files = (LockedFile("", Digests(sha256="0a" * 32)),)
    entries = (
        Locked(model.name, dict(model.asked), "3.2.0", "rapidocr==3.2.0", files, "2026-11-24T12:00:00Z", "the index")
        for model in found.models
    )
    (folder / "models.lock.yaml").write_text(lock.dump(Lock.of(entries)))


def check(folder: Path, branch: str | None = None, **environ: str) -> Ran:
    settings = load({"project": str(folder)}, {"HOME": str(folder.parent), **environ})
    return Ran.of(models_check.check(settings, branch=branch))


def judged_by(ran: Ran) -> tuple[str, str, int]:
    return ran.data["branch"], ran.data["because"], ran.exit_code


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return made(tmp_path / "weights")


# --- what it says ---------------------------------------------------------------------------------------------------


def test_a_registry_that_breaks_the_policy_is_exit_code_5_with_rule_place_and_remedy(repository: Path) -> None:
    write_lock(repository)
    ran = check(repository)
    assert ran.exit_code == 5
    assert ran.lines == (
        "models.yaml:2:24: model 'det' latest names no exact version\n"
        "  write `version: 3.2.0`, as models.lock.yaml has it",
        f"models.yaml:2:10: model 'det' latest has neither md5 nor sha256 of its own\n"
        f"  write `sha256: {'0a' * 32}`, as models.lock.yaml has it",
        "1 model, 2 problems by the policy of main (exact), which is checked out",
    )
    assert [problem["rule"] for problem in ran.data["problems"]] == ["policy/exact", "policy/digests"]
    assert (ran.data["pattern"], ran.data["rules"]["versions"], ran.data["models"]) == ("main", "exact", 1)


def test_what_it_advises_is_what_it_then_takes(repository: Path) -> None:
    (repository / "models.yaml").write_text(FIXED)
    write_lock(repository)
    ran = check(repository)
    assert ran.exit_code == 0
    assert ran.lines == ("1 model, no problem by the policy of main (exact), which is checked out",)
    assert ran.data["problems"] == []


def test_a_branch_that_no_rule_names_may_float_and_that_is_said(repository: Path) -> None:
    write_lock(repository)
    assert check(repository, "fix/typo").lines == (
        "1 model, no problem by the policy of fix/typo (floating: no rule names it), which --branch names",
    )


def test_what_is_allowed_and_cannot_be_synced_is_a_warning(repository: Path) -> None:
    ran = check(repository, "feature/x")
    assert ran.exit_code == 0
    assert ran.lines[0].startswith("models.yaml:2:24: warning: model 'det' latest floats, and no models.lock.yaml says")
    (problem,) = ran.data["problems"]
    assert problem["level"] == "warning"


def test_the_policy_is_the_project_s_own(repository: Path) -> None:
    (repository / "envkit.yaml").write_text("policy:\n  main: floating\n  fix/*: {versions: floating, locked: true}\n")
    assert check(repository).exit_code == 0
    assert check(repository, "fix/typo").exit_code == 5
    (repository / "envkit.yaml").write_text("policy:\n  main: exakt\n")
    with pytest.raises(InputError, match=r"envkit\.yaml: policy: main: is 'exakt'\n  did you mean 'exact'\?"):
        check(repository)


def test_a_registry_or_lock_that_is_wrong_is_exit_code_2(repository: Path) -> None:
    (repository / "models.lock.yaml").write_text("schema: 1\n<<<<<<< HEAD\nmodels: []\n")
    with pytest.raises(InputError, match="a merge left both sides in it"):
        check(repository)
    (repository / "models.yaml").write_text("models:\n- {name: det, verison: 1}\n")
    with pytest.raises(InputError, match="did you mean 'version'"):
        check(repository)


def test_two_entries_that_came_to_one_file_are_exit_code_2(repository: Path) -> None:
    twice = FLOATING + FLOATING.removeprefix("models:\n").replace("latest", "stable")
    (repository / "models.yaml").write_text(twice)
    write_lock(repository)
    with pytest.raises(InputError, match=r"3\.2\.0 is there twice"):
        check(repository, "feature/x")


# --- which branch, by Git -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("branch", "code"), [("main", 5), ("develop", 5), ("feature/a/b", 0), ("fix/typo", 0)])
def test_the_branch_that_is_checked_out(repository: Path, branch: str, code: int) -> None:
    git(repository, "checkout", "--quiet", "-B", branch)
    assert judged_by(check(repository)) == (branch, "which is checked out", code)


def test_a_branch_with_no_commit_yet(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "models.yaml").write_text(FLOATING)
    assert judged_by(check(tmp_path)) == ("main", "which is checked out", 5)


def test_a_tag_with_the_name_of_the_branch_changes_nothing(repository: Path) -> None:
    git(repository, "tag", "main")
    assert judged_by(check(repository)) == ("main", "which is checked out", 5)


def test_a_project_in_a_folder_of_its_repository(repository: Path) -> None:
    inside = repository / "projects" / "ocr"
    inside.mkdir(parents=True)
    (inside / "models.yaml").write_text(FLOATING)
    assert judged_by(check(inside)) == ("main", "which is checked out", 5)


def test_a_detached_head_at_a_tag(repository: Path) -> None:
    git(repository, "tag", "--annotate", "--message", "one", "release/1.0")
    git(repository, "checkout", "--quiet", "--detach")
    assert judged_by(check(repository)) == ("tags/release/1.0", "which is a tag of this commit", 5)


def test_a_detached_head_at_the_tip_of_a_branch_and_of_several(repository: Path) -> None:
    git(repository, "checkout", "--quiet", "-b", "feature/x")
    git(repository, "commit", "--quiet", "--allow-empty", "--message", "more")
    git(repository, "checkout", "--quiet", "--detach")
    assert judged_by(check(repository)) == ("feature/x", "which ends at this commit", 0)
    git(repository, "branch", "--force", "a-branch")
    git(repository, "branch", "--force", "develop")
    assert judged_by(check(repository)) == ("develop", "which ends at this commit", 5)


def test_a_detached_head_at_the_tip_of_a_remote_s_branch(repository: Path, tmp_path: Path) -> None:
    git(repository, "checkout", "--quiet", "-b", "feature/a/b")
    git(repository, "commit", "--quiet", "--allow-empty", "--message", "more")
    git(tmp_path, "clone", "--quiet", "--origin", "team/fork", str(repository), "clone")
    clone = tmp_path / "clone"
    git(clone, "checkout", "--quiet", "--detach", "team/fork/feature/a/b")
    git(clone, "branch", "--quiet", "--delete", "--force", "feature/a/b")
    # As a checkout of a pull request leaves it: no branch's name.
    git(clone, "update-ref", "refs/remotes/pull/42/merge", "HEAD")
    assert judged_by(check(clone)) == ("feature/a/b", "which ends at this commit", 0)


def test_a_detached_head_at_nothing_that_has_a_name_is_exit_code_2(repository: Path) -> None:
    git(repository, "commit", "--quiet", "--allow-empty", "--message", "more")
    git(repository, "checkout", "--quiet", "HEAD~1")
    with pytest.raises(InputError, match="no branch or tag is at this commit") as raised:
        check(repository)
    assert raised.value.hint == "name the branch: envkit models check --branch main"
    assert judged_by(check(repository, "main")) == ("main", "which --branch names", 5)


@pytest.mark.parametrize(("ref", "judged"), [("feature/x", "feature/x"), ("develop", "develop"), ("v1", "tags/v1")])
def test_a_shallow_clone(repository: Path, tmp_path: Path, ref: str, judged: str) -> None:
    for branch in ("develop", "feature/x"):
        git(repository, "checkout", "--quiet", "-b", branch)
        git(repository, "commit", "--quiet", "--allow-empty", "--message", "more")
    git(repository, "tag", "v1")
    git(tmp_path, "clone", "--quiet", "--depth", "1", "--branch", ref, f"file://{repository}", "clone")
    assert git(tmp_path / "clone", "rev-list", "--count", "HEAD").stdout == "1\n"
    assert check(tmp_path / "clone").data["branch"] == judged


def test_a_rebase_goes_by_the_branch_that_is_rebased(repository: Path) -> None:
    git(repository, "checkout", "--quiet", "-b", "feature/x")
    committed(repository, FLOATING.replace("det", "rec"))
    git(repository, "checkout", "--quiet", "main")
    committed(repository, FIXED)
    git(repository, "checkout", "--quiet", "feature/x")
    git(repository, "rebase", "--quiet", "main", code=1)
    (repository / "models.yaml").write_text(FLOATING)
    assert judged_by(check(repository)) == ("feature/x", "which is being rebased", 0)


def test_a_worktree_and_a_submodule_have_a_branch_of_their_own(repository: Path, tmp_path: Path) -> None:
    git(repository, "worktree", "add", "--quiet", "-b", "feature/x", str(tmp_path / "beside"))
    assert judged_by(check(tmp_path / "beside")) == ("feature/x", "which is checked out", 0)
    whole = made(tmp_path / "whole", FIXED)
    git(whole, "submodule", "--quiet", "add", str(repository), "weights")
    git(whole / "weights", "checkout", "--quiet", "-b", "feature/y")
    assert check(whole / "weights").data["branch"] == "feature/y"
    assert check(whole).data["branch"] == "main"


def test_no_repository_is_exit_code_2_and_a_named_branch_needs_none(tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "models.yaml").write_text(FLOATING)
    with pytest.raises(InputError, match="not in a Git repository, and so on no branch") as raised:
        check(folder)
    assert "--branch main" in str(raised.value)
    assert judged_by(check(folder, "main")) == ("main", "which --branch names", 5)


def test_no_git_is_exit_code_2_and_a_named_branch_needs_none(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository))
    with pytest.raises(InputError, match="there is no `git` here") as raised:
        check(repository)
    assert "--branch main" in str(raised.value)
    assert check(repository, "main").exit_code == 5


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a repository away")
def test_a_repository_that_git_refuses_is_no_obstacle_where_ci_says_the_branch(repository: Path) -> None:
    for path in (repository, *repository.rglob("*")):
        os.chown(path, 1234, 1234)
    with pytest.raises(InputError, match="git does not read this repository"):
        check(repository)
    assert check(repository, GITLAB_CI="true", CI_COMMIT_BRANCH="develop").data["branch"] == "develop"


@pytest.mark.parametrize(
    ("named", "judged"), [("refs/heads/main", "main"), ("refs/tags/v1", "tags/v1"), ("tags/v1", "tags/v1")]
)
def test_a_branch_may_be_named_as_git_does_in_full(repository: Path, named: str, judged: str) -> None:
    assert judged_by(check(repository, named)) == (judged, "which --branch names", 5)


def test_an_empty_name_is_exit_code_2(repository: Path) -> None:
    with pytest.raises(InputError, match="--branch is empty"):
        check(repository, "")


# --- which branch, by CI --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "judged"),
    [
        (
            {"GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/heads/feature/x"},
            ("feature/x", "which GitHub Actions names", 0),
        ),
        ({"GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/tags/v1"}, ("tags/v1", "which GitHub Actions names", 5)),
        (
            {
                "GITHUB_ACTIONS": "true",
                "GITHUB_REF": "refs/pull/42/merge",
                "GITHUB_HEAD_REF": "feature/x",
                "GITHUB_BASE_REF": "develop",
            },
            ("develop", "where feature/x goes, says GitHub Actions", 5),
        ),
        ({"GITLAB_CI": "true", "CI_COMMIT_BRANCH": "feature/x"}, ("feature/x", "which GitLab CI names", 0)),
        (
            {
                "JENKINS_URL": "https://jenkins.example.com",
                "CHANGE_BRANCH": "feature/x",
                "CHANGE_TARGET": "feature/whole",
            },
            ("feature/whole", "where feature/x goes, says Jenkins", 0),
        ),
        # A system that says nothing of branches: Git then.
        ({"GITHUB_ACTIONS": "true"}, ("main", "which is checked out", 5)),
    ],
)
def test_ci_goes_before_git_and_a_change_is_judged_by_where_it_goes(
    repository: Path, environ: dict[str, str], judged: tuple[str, str, int]
) -> None:
    assert judged_by(check(repository, **environ)) == judged
    assert judged_by(check(repository, "main", **environ)) == ("main", "which --branch names", 5)


# --- as a hook ------------------------------------------------------------------------------------------------------

HOOK = '#!/bin/sh\nexec "$PYTHON" -m envkit models check\n'
PUSH_HOOK = """\
#!/bin/sh
while read -r _ _ ref _; do
  "$PYTHON" -m envkit models check --branch "$ref" || exit
done
"""


def install(repository: Path, name: str, text: str = HOOK) -> None:
    hook = repository / ".git" / "hooks" / name
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(text)
    hook.chmod(0o755)


def test_a_pre_commit_hook_keeps_main_fixed_and_lets_features_float(repository: Path) -> None:
    install(repository, "pre-commit")
    (repository / "models.yaml").write_text(FLOATING + "# more\n")
    refused = git(repository, "commit", "--all", "--message", "more", code=1)
    assert "model 'det' latest names no exact version" in refused.stdout + refused.stderr
    assert git(repository, "rev-list", "--count", "HEAD").stdout == "1\n"
    git(repository, "checkout", "--quiet", "-b", "feature/x")
    git(repository, "commit", "--quiet", "--all", "--message", "more")
    assert git(repository, "rev-list", "--count", "HEAD").stdout == "2\n"


def test_a_hook_works_in_a_worktree_and_from_a_folder_below(repository: Path, tmp_path: Path) -> None:
    install(repository, "pre-commit")
    beside = tmp_path / "beside"
    git(repository, "worktree", "add", "--quiet", "-b", "feature/x", str(beside))
    (beside / "code").mkdir()
    git(beside / "code", "commit", "--quiet", "--allow-empty", "--message", "more")
    git(beside / "code", "checkout", "--quiet", "-b", "develop")
    assert "by the policy of develop" in git(beside / "code", "commit", "--allow-empty", "-m", "x", code=1).stderr


def test_a_hook_of_another_repository_says_nothing_of_this_one_s_branch(repository: Path, tmp_path: Path) -> None:
    git(repository, "checkout", "--quiet", "-b", "feature/x")
    whole = made(tmp_path / "whole", FIXED)
    install(whole, "pre-commit", f'#!/bin/sh\nexec "$PYTHON" -m envkit models check --project {repository}\n')
    # In a worktree, Git tells its hooks the repository.
    git(whole, "worktree", "add", "--quiet", "-b", "develop", str(tmp_path / "beside"))
    done = git(tmp_path / "beside", "commit", "--allow-empty", "--message", "more")
    assert "by the policy of feature/x" in done.stdout + done.stderr


def test_a_pre_push_hook_goes_by_where_it_is_pushed_to(repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "hub.git")
    git(repository, "remote", "add", "origin", str(tmp_path / "hub.git"))
    install(repository, "pre-push", PUSH_HOOK)
    refused = git(repository, "push", "origin", "main", code=1)
    assert "by the policy of main (exact), which --branch names" in refused.stdout + refused.stderr
    git(repository, "push", "--quiet", "origin", "main:feature/x")
    assert git(tmp_path / "hub.git", "branch", "--list").stdout.split() == ["feature/x"]


@pytest.mark.parametrize("name", ["origin/main..HEAD", "a b", "main/", "/main", "main~1", "a:b"])
def test_what_is_no_name_of_a_branch_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="is no name of a branch"):
        branches.choose(name, Ci(), tmp_path, policy.read({}))
