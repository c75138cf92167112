"""What GitHub Actions, GitLab CI and Jenkins set in their runs, whole, and what envkit takes from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from envkit.ci import Ci, detect
from envkit.settings import load

GITHUB = """
CI=true
GITHUB_ACTION=__run_2
GITHUB_ACTIONS=true
GITHUB_ACTOR=octocat
GITHUB_API_URL=https://api.github.com
GITHUB_BASE_REF=
GITHUB_EVENT_NAME=push
GITHUB_HEAD_REF=
GITHUB_JOB=models
GITHUB_REF=refs/heads/main
GITHUB_REF_NAME=main
GITHUB_REF_PROTECTED=true
GITHUB_REF_TYPE=branch
GITHUB_REPOSITORY=octocat/weights
GITHUB_REPOSITORY_OWNER=octocat
GITHUB_RUN_ATTEMPT=1
GITHUB_RUN_ID=1658821493
GITHUB_RUN_NUMBER=3
GITHUB_SERVER_URL=https://github.com
GITHUB_SHA=ffac537e6cbbf934b08745a378932722df287a53
GITHUB_WORKFLOW=models
GITHUB_WORKFLOW_REF=octocat/weights/.github/workflows/models.yml@refs/heads/main
RUNNER_ARCH=X64
RUNNER_NAME=Hosted Agent
RUNNER_OS=Linux
"""

PULL_REQUEST = """
GITHUB_BASE_REF=main
GITHUB_EVENT_NAME=pull_request
GITHUB_HEAD_REF=feature/ocr/v5
GITHUB_REF=refs/pull/42/merge
GITHUB_REF_NAME=42/merge
GITHUB_REF_PROTECTED=false
"""

GITLAB = """
CI=true
CI_API_V4_URL=https://gitlab.example.com/api/v4
CI_COMMIT_BEFORE_SHA=7b6c2f1f0c6f5a3b9d8e7f6a5b4c3d2e1f0a9b8c
CI_COMMIT_BRANCH=develop
CI_COMMIT_REF_NAME=develop
CI_COMMIT_REF_PROTECTED=true
CI_COMMIT_REF_SLUG=develop
CI_COMMIT_SHA=1ecfd275763eff1d6b4844ea3168962458c9f27a
CI_COMMIT_SHORT_SHA=1ecfd275
CI_COMMIT_TITLE=The detector, newer
CI_CONFIG_PATH=.gitlab-ci.yml
CI_DEFAULT_BRANCH=main
CI_JOB_ID=50
CI_JOB_NAME=models
CI_JOB_STAGE=validate
CI_PIPELINE_ID=1000
CI_PIPELINE_SOURCE=push
CI_PROJECT_DIR=/builds/group/weights
CI_PROJECT_PATH=group/weights
CI_SERVER=yes
CI_SERVER_URL=https://gitlab.example.com
GITLAB_CI=true
GITLAB_USER_LOGIN=ada
"""

MERGE_REQUEST = """
CI_COMMIT_BEFORE_SHA=0000000000000000000000000000000000000000
CI_COMMIT_BRANCH=
CI_COMMIT_REF_NAME=feature/ocr/v5
CI_COMMIT_REF_PROTECTED=false
CI_COMMIT_REF_SLUG=feature-ocr-v5
CI_MERGE_REQUEST_DIFF_BASE_SHA=ae481d0e77c3d1c0e9f8b4e7b6a5d4c3b2a1f0e9
CI_MERGE_REQUEST_EVENT_TYPE=detached
CI_MERGE_REQUEST_ID=34
CI_MERGE_REQUEST_IID=1
CI_MERGE_REQUEST_PROJECT_PATH=group/weights
CI_MERGE_REQUEST_REF_PATH=refs/merge-requests/1/head
CI_MERGE_REQUEST_SOURCE_BRANCH_NAME=feature/ocr/v5
CI_MERGE_REQUEST_SOURCE_BRANCH_SHA=
CI_MERGE_REQUEST_TARGET_BRANCH_NAME=main
CI_MERGE_REQUEST_TARGET_BRANCH_SHA=
CI_OPEN_MERGE_REQUESTS=group/weights!1
CI_PIPELINE_SOURCE=merge_request_event
"""

MERGE_TRAIN = """
CI_COMMIT_REF_NAME=refs/merge-requests/1/train
CI_MERGE_REQUEST_EVENT_TYPE=merge_train
CI_MERGE_REQUEST_REF_PATH=refs/merge-requests/1/train
CI_MERGE_REQUEST_SOURCE_BRANCH_SHA=1ecfd275763eff1d6b4844ea3168962458c9f27a
CI_MERGE_REQUEST_TARGET_BRANCH_SHA=ae481d0e77c3d1c0e9f8b4e7b6a5d4c3b2a1f0e9
"""

EXTERNAL_PULL_REQUEST = """
CI_COMMIT_BRANCH=feature/ocr/v5
CI_COMMIT_REF_NAME=feature/ocr/v5
CI_EXTERNAL_PULL_REQUEST_IID=3
CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_NAME=feature/ocr/v5
CI_EXTERNAL_PULL_REQUEST_SOURCE_REPOSITORY=octocat/weights
CI_EXTERNAL_PULL_REQUEST_TARGET_BRANCH_NAME=main
CI_EXTERNAL_PULL_REQUEST_TARGET_REPOSITORY=octocat/weights
CI_PIPELINE_SOURCE=external_pull_request_event
"""

# A job of no multibranch project, with the Git plugin.
JENKINS = """
BUILD_ID=12
BUILD_NUMBER=12
BUILD_TAG=jenkins-weights-12
CI=true
EXECUTOR_NUMBER=1
GIT_BRANCH=origin/develop
GIT_COMMIT=1ecfd275763eff1d6b4844ea3168962458c9f27a
GIT_URL=https://git.example.com/group/weights.git
HUDSON_URL=https://jenkins.example.com/
JENKINS_HOME=/var/jenkins_home
JENKINS_URL=https://jenkins.example.com/
JOB_NAME=weights
NODE_NAME=built-in
WORKSPACE=/var/jenkins_home/workspace/weights
"""

MULTIBRANCH = """
BRANCH_NAME=feature/ocr/v5
BUILD_TAG=jenkins-weights-feature%2Focr%2Fv5-1
GIT_BRANCH=feature/ocr/v5
JOB_NAME=weights/feature%2Focr%2Fv5
"""

CHANGE = """
BRANCH_NAME=PR-7
CHANGE_AUTHOR=ada
CHANGE_BRANCH=feature/ocr/v5
CHANGE_ID=7
CHANGE_TARGET=main
CHANGE_TITLE=The detector, newer
CHANGE_URL=https://git.example.com/group/weights/pull/7
GIT_BRANCH=PR-7
JOB_NAME=weights/PR-7
"""


def variables(*texts: str) -> dict[str, str]:
    """The variables of a run: each text has those in which it differs from the ones before it."""
    lines = [line for text in texts for line in text.split("\n") if line]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


@pytest.mark.parametrize(
    ("texts", "run"),
    [
        ((GITHUB,), Ci("github", branch="main")),
        ((GITHUB, "GITHUB_REF=refs/heads/feature/a/b\nGITHUB_REF_NAME=feature/a/b"), Ci("github", "feature/a/b")),
        ((GITHUB, "GITHUB_EVENT_NAME=schedule"), Ci("github", branch="main")),
        ((GITHUB, PULL_REQUEST), Ci("github", branch="feature/ocr/v5", target="main")),
        (
            (GITHUB, PULL_REQUEST, "GITHUB_EVENT_NAME=pull_request_target\nGITHUB_REF=refs/heads/main"),
            Ci("github", branch="feature/ocr/v5", target="main"),
        ),
        (
            (
                GITHUB,
                "GITHUB_EVENT_NAME=merge_group\n"
                "GITHUB_REF=refs/heads/gh-readonly-queue/release/3.3/pr-104-6b3f2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b",
            ),
            Ci(
                "github",
                branch="gh-readonly-queue/release/3.3/pr-104-6b3f2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b",
                target="release/3.3",
            ),
        ),
        ((GITHUB, "GITHUB_REF=refs/tags/v1.0\nGITHUB_REF_NAME=v1.0\nGITHUB_REF_TYPE=tag"), Ci("github", tag="v1.0")),
        (
            (GITHUB, "GITHUB_REF=refs/heads/gh-readonly-queue/notes"),
            Ci("github", branch="gh-readonly-queue/notes"),
        ),
    ],
    ids=["push", "slashes", "schedule", "pull request", "its target", "merge queue", "tag", "no queue"],
)
def test_github_actions(texts: tuple[str, ...], run: Ci) -> None:
    assert detect(variables(*texts)) == run


@pytest.mark.parametrize(
    ("texts", "run"),
    [
        ((GITLAB,), Ci("gitlab", branch="develop")),
        ((GITLAB, "CI_PIPELINE_SOURCE=schedule"), Ci("gitlab", branch="develop")),
        ((GITLAB, MERGE_REQUEST), Ci("gitlab", branch="feature/ocr/v5", target="main")),
        ((GITLAB, MERGE_REQUEST, MERGE_TRAIN), Ci("gitlab", branch="feature/ocr/v5", target="main")),
        ((GITLAB, EXTERNAL_PULL_REQUEST), Ci("gitlab", branch="feature/ocr/v5", target="main")),
        (
            (GITLAB, "CI_COMMIT_BRANCH=\nCI_COMMIT_REF_NAME=v1.0\nCI_COMMIT_TAG=v1.0"),
            Ci("gitlab", tag="v1.0"),
        ),
        # A merge request's pipeline as GitLab has it where the merge request is closed by now.
        ((GITLAB, "CI_COMMIT_BRANCH=\nCI_COMMIT_REF_NAME=refs/merge-requests/1/head"), Ci("gitlab")),
        # On one's own machine, by gitlab-ci-local; with a detached head there is no name to give.
        ((GITLAB, "GITLAB_CI=false"), Ci("gitlab", branch="develop")),
        ((GITLAB, "GITLAB_CI=false\nCI_COMMIT_BRANCH=HEAD\nCI_COMMIT_REF_NAME=HEAD"), Ci("gitlab")),
    ],
    ids=["push", "schedule", "merge request", "merge train", "external", "tag", "closed", "local", "local, detached"],
)
def test_gitlab_ci(texts: tuple[str, ...], run: Ci) -> None:
    assert detect(variables(*texts)) == run


@pytest.mark.parametrize(
    ("texts", "run"),
    [
        ((JENKINS,), Ci("jenkins", branch="develop")),
        ((JENKINS, "GIT_BRANCH=refs/remotes/origin/feature/x"), Ci("jenkins", branch="feature/x")),
        ((JENKINS, "GIT_BRANCH=origin/release/3.3\nGIT_LOCAL_BRANCH=release/3.3"), Ci("jenkins", branch="release/3.3")),
        ((JENKINS, "GIT_BRANCH=detached"), Ci("jenkins")),
        ((JENKINS, "GIT_BRANCH=refs/tags/v1.0"), Ci("jenkins", tag="v1.0")),
        ((JENKINS, MULTIBRANCH), Ci("jenkins", branch="feature/ocr/v5")),
        ((JENKINS, MULTIBRANCH, CHANGE), Ci("jenkins", branch="feature/ocr/v5", target="main")),
        ((JENKINS, MULTIBRANCH, "BRANCH_NAME=v1.0\nGIT_BRANCH=v1.0\nTAG_NAME=v1.0"), Ci("jenkins", tag="v1.0")),
        ((JENKINS, "JENKINS_URL="), Ci("jenkins", branch="develop")),
    ],
    ids=["push", "remote", "local", "detached", "tag", "multibranch", "change", "tag of multibranch", "no URL"],
)
def test_jenkins(texts: tuple[str, ...], run: Ci) -> None:
    assert detect(variables(*texts)) == run


def test_outside_of_ci_nothing_is_taken_from_variables_of_the_same_names() -> None:
    assert detect({"BRANCH_NAME": "main", "GIT_BRANCH": "main", "CI_COMMIT_BRANCH": "main", "GITHUB_REF": "x"}) == Ci()


def test_the_settings_have_it(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text("models: []\n")
    environ = {**variables(GITLAB, MERGE_REQUEST), "HOME": "/h"}
    assert load({}, environ, tmp_path).ci == Ci("gitlab", branch="feature/ocr/v5", target="main")
    assert load({}, {"HOME": "/h"}, tmp_path).ci == Ci()
