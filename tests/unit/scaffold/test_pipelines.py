"""The pipelines that `envkit init` writes: right by their published schemas, and GitLab's as it runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from envkit import cli
from tests.support import node
from tests.support.model_project import md5, sha256
from tests.support.model_server import Answer, ModelServer
from tests.support.scaffold import Done, Scaffold

GITLAB, GITHUB = ".gitlab-ci.yml", ".github/workflows/models.yml"
BODY = b"the weights"

needs_node = pytest.mark.skipif(not node.installed(), reason="scripts/test-tools.sh has not been run")


# --- as text --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "schema"), [(GITLAB, "vendor.gitlab-ci"), (GITHUB, "vendor.github-workflows")])
def test_a_pipeline_is_valid_by_its_published_schema(scaffold: Scaffold, path: str, schema: str) -> None:
    scaffold.init()
    assert checked(scaffold, path, schema).returncode == 0, checked(scaffold, path, schema).stdout
    # And the check is one: with a key of a job misspelt it fails.
    wrong = re.sub(r"^( +)(runs-on|artifacts):", r"\1\2s:", scaffold.read(path), flags=re.MULTILINE)
    scaffold.write({path: wrong})
    assert checked(scaffold, path, schema).returncode == 1


def checked(scaffold: Scaffold, path: str, schema: str) -> Done:
    return scaffold.run(sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, path, code=None)


@pytest.mark.parametrize("path", [GITLAB, GITHUB, ".pre-commit-config.yaml"])
def test_the_commands_in_it_are_commands(scaffold: Scaffold, path: str) -> None:
    scaffold.init()
    found = re.findall(r"(?<=[ ])envkit ((?:models|snapshot) [^|>\n]+)", uncommented(scaffold.read(path)))
    assert found
    for command in found:
        assert cli._parser().parse_args(command.replace('"', "").split()).command


def uncommented(text: str) -> str:
    return re.sub(r"(^|\s)#.*", "", text, flags=re.MULTILINE)


def test_its_shell_has_no_mistakes_that_shellcheck_knows(scaffold: Scaffold) -> None:
    scaffold.init()
    shellcheck = Path(sys.executable).with_name("shellcheck")
    for script in (*gitlab_scripts(scaffold), *github_scripts(scaffold)):
        done = subprocess.run(
            [shellcheck, "--shell=bash", "-"], input=script, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout


def gitlab_scripts(scaffold: Scaffold) -> Iterator[str]:
    for job in yaml.safe_load(scaffold.read(GITLAB)).values():
        if isinstance(job, dict) and "script" in job:
            yield "\n".join(job["script"])


def github_scripts(scaffold: Scaffold) -> Iterator[str]:
    for job in workflow(scaffold)["jobs"].values():
        yield from (step["run"] for step in job["steps"] if "run" in step)


def workflow(scaffold: Scaffold) -> Any:
    return yaml.safe_load(scaffold.read(GITHUB))


def test_stages_are_validate_train_and_deploy(scaffold: Scaffold) -> None:
    scaffold.init()
    document = yaml.safe_load(scaffold.read(GITLAB))
    assert document["stages"] == ["validate", "train", "deploy"]
    assert document["deploy"]["rules"] == [{"if": "$CI_COMMIT_TAG"}]


def test_actions_are_pinned_by_commit_and_may_little(scaffold: Scaffold) -> None:
    scaffold.init()
    document = workflow(scaffold)
    assert document["permissions"] == {"contents": "read"}
    steps = [step for job in document["jobs"].values() for step in job["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]
    assert used
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", name) for name in used)
    checkouts = [step["with"] for step in steps if "checkout" in step.get("uses", "")]
    assert {(step["fetch-depth"], step["persist-credentials"]) for step in checkouts} == {(0, False)}
    # What a pull request is called, or its branch, is text that anybody may choose: none of it is put into a script.
    assert not any("${{" in script for script in github_scripts(scaffold))


# --- run on this machine ----------------------------------------------------------------------------------


class Pipeline:
    """A project in a repository of its own, with one model on ``server``, and its pipeline."""

    def __init__(self, scaffold: Scaffold, server: ModelServer) -> None:
        self.scaffold = scaffold
        self.server = server
        self.url = server.serve("/m.pdparams", BODY)
        bin_folder = scaffold.home / "bin"
        bin_folder.mkdir()
        for name, command in (("envkit", "-m envkit"), ("python3", "")):
            (bin_folder / name).write_text(f'#!/bin/sh\nexec {sys.executable} {command} "$@"\n')
            (bin_folder / name).chmod(0o755)
        ours = {
            name: text for name, text in scaffold.environ.items() if not name.startswith(("CI", "GITLAB_", "GITHUB_"))
        }
        self.environ = {**ours, "PATH": f"{bin_folder}:{ours['PATH']}"}
        scaffold.init("--ci", "both")
        scaffold.git("init")
        scaffold.git("remote", "add", "origin", "git@gitlab.example.com:ml/demo.git")
        self.declare(version="v1", md5=md5(BODY), sha256=sha256(BODY))

    def declare(self, **keys: str) -> None:
        """Write and commit a registry of one model."""
        entry = {"name": "m", "source": "http", "url": self.url, **keys}
        head = self.scaffold.read("models.yaml").splitlines()[0]
        self.scaffold.write({"models.yaml": f"{head}\nmodels:\n- {json.dumps(entry)}\n"})
        self.envkit("models", "lock")
        self.scaffold.commit("A model")

    def envkit(self, *arguments: str) -> None:
        self.scaffold.run("envkit", *arguments, environ=self.environ)

    def steps(self, job: str, **variables: str) -> tuple[list[int], str, str]:
        """GitHub's steps that are shell and nothing of GitHub's: how each ended, what they said, and the summary."""
        temporary = self.scaffold.home / "runner"
        temporary.mkdir()
        summary = temporary / "summary"
        environ = {
            **self.environ,
            "GITHUB_ACTIONS": "true",
            "RUNNER_TEMP": str(temporary),
            "GITHUB_STEP_SUMMARY": str(summary),
            **variables,
            "HOME": str(temporary),
        }
        codes, said = [], ""
        for step in workflow(self.scaffold)["jobs"][job]["steps"]:
            if "envkit" in step.get("run", "").partition(" ")[0] or "envkit models diff" in step.get("run", ""):
                shell = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")
                done = self.scaffold.run(*shell, step["run"], code=None, environ=environ)
                codes.append(done.returncode)
                said += done.stdout + done.stderr
        return codes, said, summary.read_text("utf-8") if summary.exists() else ""

    def run(self, *options: str, code: int, **variables: str) -> Ran:
        """GitLab's pipeline, whole."""
        given = [word for name, text in variables.items() for word in ("--variable", f"{name}={text}")]
        quiet = ["--ignore-predefined-vars", ",".join(variables)] if variables else []
        done = self.scaffold.run(
            *node.GITLAB_CI_LOCAL,
            *("--force-shell-executor", "--shell-isolation", "--no-color", *quiet, *given, *options),
            code=code,
            # A runner's: nothing of what this machine has in its store.
            environ={**self.environ, "HOME": str(self.scaffold.home / "runner")},
        )
        states = re.findall(r"^ (PASS|FAIL|WARN) +(.+?) *$", done.stdout, re.MULTILINE)
        return Ran({name: state for state, name in states}, done.stdout + done.stderr, self.scaffold.path)


class Ran:
    """``jobs`` has PASS or FAIL for each that ran, ``log`` is what was said."""

    def __init__(self, jobs: dict[str, str], log: str, path: Path) -> None:
        self.jobs = jobs
        self.log = log
        self._builds = path / ".gitlab-ci-local" / "builds"

    def made(self, job: str, name: str) -> str:
        """A file that a job left in its folder."""
        return (self._builds / job.replace(" ", "IA") / name).read_text("utf-8")

    def files(self, job: str, pattern: str) -> list[Path]:
        return list((self._builds / job).glob(pattern))

    def failed(self, job: str, name: str) -> list[bool]:
        """Whether each case of a JUnit report has failed."""
        suite = ElementTree.fromstring(self.made(job, name))  # noqa: S314 - of our own making
        return [case.find("failure") is not None for case in suite.iter("testcase")]


@pytest.fixture
def pipeline(scaffold: Scaffold, model_server: ModelServer) -> Pipeline:
    return Pipeline(scaffold, model_server)


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@needs_node
def test_a_locked_model_passes_and_nobody_trains_or_deploys(pipeline: Pipeline) -> None:
    ran = pipeline.run(code=0)
    assert ran.jobs == {"models check": "PASS", "models sources": "PASS"}
    failed = ran.failed("models check", "models-check.xml")
    assert failed
    assert not any(failed)
    assert json.loads(ran.made("models sources", "models-sources.json")) == []


@needs_node
def test_a_model_that_floats_on_main_fails_the_pipeline(pipeline: Pipeline) -> None:
    pipeline.declare(version="v1")
    ran = pipeline.run(code=1)
    assert ran.jobs == {"models check": "FAIL", "models sources": "PASS"}
    assert "models.yaml:" in ran.log
    (problem,) = json.loads(ran.made("models check", "models-check.json"))
    assert problem["location"]["path"] == "models.yaml"
    assert ran.failed("models check", "models-check.xml").count(True) == 1


@needs_node
def test_a_source_that_is_gone_fails_the_pipeline(pipeline: Pipeline) -> None:
    pipeline.server.serve("/m.pdparams", Answer(status=404))
    ran = pipeline.run(code=1)
    assert ran.jobs == {"models check": "PASS", "models sources": "FAIL"}


@needs_node
def test_a_merge_request_is_reviewed(pipeline: Pipeline) -> None:
    base = pipeline.scaffold.git("rev-parse", "HEAD").strip()
    request = {
        "CI_PIPELINE_SOURCE": "merge_request_event",
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": base,
    }
    pipeline.scaffold.git("checkout", "--quiet", "-b", "feature/other")
    pipeline.scaffold.write({"README.md": "docs\n"})
    pipeline.scaffold.commit("Not about models")
    ran = pipeline.run("--unset-variable", "CI_COMMIT_BRANCH", code=0, **request)
    assert ran.jobs == dict.fromkeys(("models check", "models sources", "models review"), "PASS")
    # Other bytes under the same version: the worst case.
    pipeline.url = pipeline.server.serve("/n.pdparams", b"other weights")
    pipeline.declare(version="v1", md5=md5(b"other weights"), sha256=sha256(b"other weights"))
    ran = pipeline.run("--unset-variable", "CI_COMMIT_BRANCH", code=1, **request)
    assert ran.jobs == {"models check": "PASS", "models sources": "PASS", "models review": "FAIL"}
    assert sha256(b"other weights")[:8] in ran.made("models review", "models-review.md")


@needs_node
def test_training_is_started_by_hand_and_leaves_what_it_depended_on(pipeline: Pipeline) -> None:
    ran = pipeline.run("--manual", "train", code=0)
    assert ran.jobs["train"] == "PASS"
    assert "seed 0, 10 epochs" in ran.log
    assert len(ran.files("train", ".envkit/runs/*.json")) == 1


@needs_node
def test_a_tag_deploys_what_has_been_verified(pipeline: Pipeline) -> None:
    ran = pipeline.run("--unset-variable", "CI_COMMIT_BRANCH", code=0, CI_COMMIT_TAG="v1")
    assert ran.jobs["deploy"] == "PASS"
    assert "models: 1 of 1 verified" in ran.log


def test_githubs_steps_pass_for_a_locked_model(pipeline: Pipeline) -> None:
    codes, _, _ = pipeline.steps("validate", GITHUB_REF="refs/heads/main")
    assert codes == [0, 0]


def test_githubs_steps_name_the_line(pipeline: Pipeline) -> None:
    pipeline.declare(version="v1")
    pipeline.server.serve("/m.pdparams", Answer(status=404))
    codes, said, _ = pipeline.steps("validate", GITHUB_REF="refs/heads/main")
    assert codes == [5, 3]
    assert len(re.findall(r"^::error file=models\.yaml,line=3,", said, re.MULTILINE)) >= 2


@pytest.mark.parametrize("worse", [False, True], ids=["passes", "fails"])
def test_githubs_review_is_the_summary_of_the_run(pipeline: Pipeline, worse: bool) -> None:
    pipeline.scaffold.git("update-ref", "refs/remotes/origin/main", "HEAD")
    pipeline.scaffold.git("checkout", "--quiet", "-b", "feature/other")
    if worse:
        pipeline.url = pipeline.server.serve("/n.pdparams", b"other weights")
        pipeline.declare(version="v1", md5=md5(b"other weights"), sha256=sha256(b"other weights"))
    variables = {"GITHUB_REF": "refs/pull/1/merge", "GITHUB_BASE_REF": "main", "GITHUB_HEAD_REF": "feature/other"}
    codes, _, summary = pipeline.steps("review", **variables)
    assert codes == [5 if worse else 0]
    assert summary
    assert (sha256(b"other weights")[:8] in summary) == worse
