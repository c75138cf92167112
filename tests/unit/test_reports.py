"""The reports for CI systems, as those systems would read them, and the commands that write them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as XML  # noqa: N814

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from envkit import git, reports
from envkit.errors import InputError, Problem
from envkit.reports import Reports
from envkit.result import Case
from envkit.settings import load
from tests.support.model_project import ModelProject, entry
from tests.support.model_server import ModelServer

thorough = hypothesis_settings(max_examples=200, deadline=None, derandomize=True, database=None)

WRONG = Problem("models.yaml", 3, 5, "model 'a' v1 floats", "write one version", rule="policy/exact")
WHOLE = Problem("models.yaml", 0, 0, "there is no lock", rule="policy/locked")
WARNED = Problem("models.yaml", 9, 2, "a placeholder", rule="placeholder", level="warning")
CASES = (
    Case("policy/exact", "a v1", WRONG),
    Case("policy/exact", "b v1"),
    Case("policy/locked", "models.lock.yaml", WHOLE),
    Case("placeholder", "c", WARNED),
    Case("sync", "d", note="fetched"),
)


CASES_OF_ONE_NAME = (*(Case("schema", name, WRONG) for name in ("a", "a\0", "a (2)", "a")), Case("b", "a"))


# --- JUnit XML ------------------------------------------------------------------------------------------------------

# What Jenkins' junit-10.xsd allows, in the order of parent and child; it names no other attribute.
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"testcase"},
    "testcase": {"failure", "error", "system-out"},
    "failure": set(),
    "error": set(),
    "system-out": set(),
}
REQUIRED = {
    "testsuite": {"name", "tests", "failures", "errors"},
    "testcase": {"name"},
}
OPTIONAL = {
    "testsuites": {"name", "tests", "failures", "errors"},
    "testsuite": {"skipped"},
    "testcase": {"classname"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
}


def read_junit(data: bytes) -> XML.Element:
    """The root of a report, after a look at whether it is one: elements, attributes, and sums that are right."""
    root = XML.fromstring(data)  # noqa: S314 - our own
    assert root.tag == "testsuites"
    for element in root.iter():
        required = REQUIRED.get(element.tag, set())
        assert required <= set(element.attrib) <= required | OPTIONAL.get(element.tag, set())
        assert {child.tag for child in element} <= CHILDREN[element.tag]
    for whole in (root, *root):
        counts = {"tests": "testcase", "failures": "failure", "errors": "error"}
        assert {key: whole.get(key) for key in counts} == {
            key: str(len(list(whole.iter(tag)))) for key, tag in counts.items()
        }
    names = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert len(set(names)) == len(names)
    return root


def test_a_suite_for_each_group_and_a_failure_for_each_problem() -> None:
    root = read_junit(reports.junit("envkit models check", CASES))
    assert root.get("name") == "envkit models check"
    assert [suite.get("name") for suite in root] == ["policy/exact", "policy/locked", "placeholder", "sync"]
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("5", "2", "0")
    (failed, whole) = root.iter("failure")
    assert (failed.get("type"), failed.get("message")) == ("policy/exact", "model 'a' v1 floats")
    assert failed.text == "models.yaml:3:5: model 'a' v1 floats\n  write one version"
    assert whole.text == "models.yaml: there is no lock"


def test_a_warning_fails_nothing_and_is_told() -> None:
    root = read_junit(reports.junit("envkit", CASES))
    assert [told.text for told in root.iter("system-out")] == ["models.yaml:9:2: a placeholder", "fetched"]


def test_a_command_that_could_not_do_its_work_has_errors() -> None:
    root = read_junit(reports.junit("envkit", CASES, broke=True))
    assert (root.get("failures"), root.get("errors")) == ("0", "2")


def test_cases_of_one_name_are_told_apart() -> None:
    root = read_junit(reports.junit("envkit", CASES_OF_ONE_NAME))
    names = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert names == [("schema", "a"), ("schema", "a (2)"), ("schema", "a (2) (2)"), ("schema", "a (3)"), ("b", "a")]


_TEXT = st.text(st.one_of(st.characters(), st.sampled_from("\x00\x0b\x1b\ud800\ufffe<>&\"'\n\r\t]")), max_size=20)


@thorough
@given(_TEXT, _TEXT, _TEXT)
def test_whatever_a_name_or_a_message_holds_it_is_xml_and_json(name: str, message: str, hint: str) -> None:
    problem = Problem("models.yaml", 1, 1, message, hint, rule="schema")
    root = read_junit(reports.junit("envkit", (Case("group", name, problem), Case("group", "b", note=hint))))
    (failed,) = root.iter("failure")
    kept = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", "", message)
    assert failed.get("message") == kept
    (told,) = json.loads(reports.codequality([problem]))
    assert told["description"].split() == f"{message}; {hint}".split() if message and hint else True


# --- GitLab's code quality ------------------------------------------------------------------------------------------


def read_quality(data: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(data)
    for each in found:
        assert set(each) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert each["severity"] in ("info", "minor", "major", "critical", "blocker")
        assert each["location"]["lines"]["begin"] >= 1
        assert not each["location"]["path"].startswith(("/", "./"))
    assert len({each["fingerprint"] for each in found}) == len(found)
    return found


def test_a_finding_has_its_line_and_path_in_the_repository() -> None:
    first, whole, warned = read_quality(reports.codequality([WRONG, WHOLE, WARNED], "projects/ocr/"))
    assert first["location"] == {"path": "projects/ocr/models.yaml", "lines": {"begin": 3}}
    assert first["description"] == "model 'a' v1 floats; write one version"
    assert (first["check_name"], first["severity"]) == ("policy/exact", "major")
    assert whole["location"]["lines"] == {"begin": 1}
    assert warned["severity"] == "minor"


def test_a_finding_is_the_same_wherever_its_line_moves() -> None:
    moved = Problem("models.yaml", 30, 5, WRONG.message, "another remedy", rule=WRONG.rule)
    (one,), (other,) = (read_quality(reports.codequality([problem])) for problem in (WRONG, moved))
    assert one["fingerprint"] == other["fingerprint"]
    assert len(read_quality(reports.codequality([WRONG, moved]))) == 2


def test_nothing_found_is_an_empty_list() -> None:
    assert read_quality(reports.codequality([])) == []


# --- GitHub's annotations -------------------------------------------------------------------------------------------


def read_command(line: str) -> tuple[str, dict[str, str], str]:
    """A workflow command as the runner takes it apart."""
    found = re.fullmatch(r"::(error|warning) ([^\n]*?)::([^\n]*)", line)
    assert found, line
    pairs = (pair.partition("=") for pair in found[2].split(","))
    return found[1], {key: _unescaped(value, "%3A", "%2C") for key, _, value in pairs}, _unescaped(found[3])


def _unescaped(text: str, *more: str) -> str:
    for code in ("%0D", "%0A", *more, "%25"):  # the percent sign last, or `%250A` would come to be a line's end
        text = text.replace(code, chr(int(code[1:], 16)))
    return text


def test_a_problem_is_shown_at_its_line_and_a_warning_as_one() -> None:
    wrong, whole, warned = (read_command(line) for line in reports.github([WRONG, WHOLE, WARNED], "ocr/"))
    place = {"file": "ocr/models.yaml", "line": "3", "col": "5", "title": "policy/exact"}
    assert wrong == ("error", place, "model 'a' v1 floats\nwrite one version")
    assert whole[1] == {"file": "ocr/models.yaml", "title": "policy/locked"}
    assert warned[0] == "warning"


def test_what_github_takes_for_its_own_is_escaped() -> None:
    problem = Problem("a:b,c.yaml", 1, 1, "100% sure,\r\n::error::not this: %0A", rule="x:y,%3A")
    (line,) = reports.github([problem])
    assert line == (
        "::error file=a%3Ab%2Cc.yaml,line=1,col=1,title=x%3Ay%2C%253A::100%25 sure,%0D%0A::error::not this: %250A"
    )
    assert read_command(line)[1:] == (
        {"file": "a:b,c.yaml", "line": "1", "col": "1", "title": "x:y,%3A"},
        problem.message,
    )


@thorough
@given(st.text(st.one_of(st.characters(codec="utf-8"), st.sampled_from("%:,\r\n=0ADC25"))))
def test_a_message_arrives_at_github_as_it_is(text: str) -> None:
    (line,) = reports.github([Problem("models.yaml", 1, 1, text, rule="x")])
    assert "\n" not in line
    assert "\r" not in line
    assert _unescaped(line.partition("::error ")[2].partition("::")[2]) == text


# --- where files are, and where they cannot be ----------------------------------------------------------------------


def test_places_are_told_from_the_top_of_the_repository(tmp_path: Path) -> None:
    inside = tmp_path / "projects" / "ocr"
    inside.mkdir(parents=True)
    assert git.prefix(inside) == ""
    (tmp_path / ".git").write_text("gitdir: elsewhere\n")  # as in a worktree or a submodule
    assert git.prefix(inside) == "projects/ocr/"
    assert git.prefix(tmp_path) == ""
    subprocess.run(["git", "init", "--quiet", str(inside)], check=True)
    found = git.find(inside)
    assert found is not None
    assert git.prefix(inside) == found.prefix == ""


def test_a_report_is_written_whole_and_its_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "reports" / "of" / "models.xml"
    asked = Reports.asked("envkit models check", junit=str(path), codequality=None)
    assert asked.publish(CASES) == ()
    read_junit(path.read_bytes())
    assert [found.name for found in path.parent.iterdir()] == ["models.xml"]
    path.chmod(0o600)
    asked.publish(())
    assert read_junit(path.read_bytes()).get("tests") == "1"


@pytest.mark.parametrize("name", ["folder", "file/under.xml"])
def test_a_path_that_cannot_be_written_is_refused_beforehand(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=f"--junit: {tmp_path}/"):
        Reports.asked("envkit", junit=str(tmp_path / name))


def test_a_device_is_not_replaced() -> None:
    with pytest.raises(InputError, match="--junit: /dev/null is no file"):
        Reports.asked("envkit", junit="/dev/null")


def test_a_path_that_cannot_be_written_after_all_is_told(tmp_path: Path) -> None:
    asked = Reports.asked("envkit", codequality=str(tmp_path / "later" / "quality.json"))
    (tmp_path / "later").touch()
    with pytest.raises(InputError, match=r"--codequality: .*quality\.json: cannot be written"):
        asked.publish(CASES)


def test_github_gets_annotations_and_nobody_else_does(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text("models: []\n")
    for environ, count in (({"GITHUB_ACTIONS": "true"}, 3), ({"GITLAB_CI": "true"}, 0), ({}, 0)):
        settings = load({"project": str(tmp_path)}, {"HOME": "/h", **environ})
        assert len(Reports().of(settings).publish(CASES)) == count


# --- the commands that write them -----------------------------------------------------------------------------------

BROKEN = "models:\n- {name: a, verison: 1}\n- {name: b}\n"
UNFIT = "models:\n- {name: a, version: v1, source: http, url: 'http://127.0.0.1/a'}\n"


def envkit(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    systems = ("GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL", "JENKINS_HOME")
    kept = {name: value for name, value in os.environ.items() if name not in systems}
    command = [sys.executable, "-m", "envkit", *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        env={**kept, "HOME": str(folder), "XDG_CACHE_HOME": str(folder / ".cache"), **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def annotated(done: subprocess.CompletedProcess[str]) -> list[tuple[str, str, str]]:
    """Level, file and line of each."""
    commands = [read_command(line) for line in done.stderr.splitlines() if line.startswith("::")]
    return [(level, facts["file"], facts.get("line", "")) for level, facts, _ in commands]


@pytest.mark.parametrize(
    "words",
    [
        ("models", "check", "--branch", "main"),
        ("models", "sync"),
        ("models", "sync", "--dry-run"),
        ("models", "verify"),
    ],
)
def test_a_registry_that_is_wrong_is_in_every_report(tmp_path: Path, words: Sequence[str]) -> None:
    (tmp_path / ".git").mkdir()
    project = tmp_path / "ocr"
    project.mkdir()
    (project / "models.yaml").write_text(BROKEN)
    asked = ("--junit", "j.xml", "--codequality", "q.json")
    done = envkit(project, *words, *asked, GITHUB_ACTIONS="true")
    assert done.returncode == 2
    root = read_junit((project / "j.xml").read_bytes())
    assert root.get("name") == f"envkit {' '.join(words[:2])}"
    assert "did you mean 'version'?" in "".join(error.text or "" for error in root.iter("error"))
    found = read_quality((project / "q.json").read_bytes())
    assert {each["location"]["path"] for each in found} == {"ocr/models.yaml"}
    assert annotated(done) == [("error", "ocr/models.yaml", str(each["location"]["lines"]["begin"])) for each in found]
    assert len(found) == int(root.get("errors", "0")) > 1


def test_a_policy_that_is_broken_is_in_every_report(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text(UNFIT)
    asked = ("--branch", "main", "--junit", "j.xml", "--codequality", "q.json")
    done = envkit(tmp_path, "models", "check", *asked, GITHUB_ACTIONS="true")
    assert done.returncode == 5
    root = read_junit((tmp_path / "j.xml").read_bytes())
    assert [failed.get("type") for failed in root.iter("failure")] == ["policy/locked", "policy/digests"]
    assert [each["check_name"] for each in read_quality((tmp_path / "q.json").read_bytes())] == [
        "policy/locked",
        "policy/digests",
    ]
    assert annotated(done) == [("error", "models.yaml", ""), ("error", "models.yaml", "2")]
    assert "model 'a' v1 has neither md5 nor sha256" in done.stdout


def test_warnings_are_annotations_and_fail_nothing(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text(UNFIT)
    done = envkit(tmp_path, "models", "check", "--branch", "feature/x", "--junit", "j.xml", GITHUB_ACTIONS="true")
    assert (done.returncode, annotated(done)) == (0, [("warning", "models.yaml", "2")])
    assert read_junit((tmp_path / "j.xml").read_bytes()).get("failures") == "0"


def test_a_wrong_policy_is_shown_at_its_file(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text(UNFIT)
    (tmp_path / "envkit.yaml").write_text("policy:\n  main: exakt\n")
    done = envkit(tmp_path, "models", "check", "--branch", "main", GITHUB_ACTIONS="true")
    assert (done.returncode, annotated(done)) == (2, [("error", "envkit.yaml", "")])


def test_an_error_without_a_place_is_a_report_too(tmp_path: Path) -> None:
    asked = ("--junit", "j.xml", "--codequality", "q.json")
    assert envkit(tmp_path, "models", "check", *asked).returncode == 2
    (error,) = read_junit((tmp_path / "j.xml").read_bytes()).iter("error")
    assert "no models.yaml here" in str(error.text)
    assert read_quality((tmp_path / "q.json").read_bytes()) == []


def test_a_report_that_cannot_be_written_is_exit_code_2_before_anything_is_done(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text("models: []\n")
    (tmp_path / "file").touch()
    done = envkit(tmp_path, "models", "check", "--branch", "main", "--junit", "file/j.xml")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"--junit: {tmp_path}/file/j.xml: cannot be written" in done.stderr


def test_json_is_all_of_standard_output(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text(UNFIT)
    asked = ("--branch", "main", "--json", "--junit", "j.xml")
    done = envkit(tmp_path, "models", "check", *asked, GITHUB_ACTIONS="true")
    assert json.loads(done.stdout)["exit_code"] == done.returncode == 5


def test_a_sync_and_a_verify_have_a_case_for_each_model(tmp_path: Path) -> None:
    project = ModelProject(tmp_path)
    with ModelServer() as server:
        there = entry("there", server.serve("/there.bin", b"there"), b"there")
        project.declare(there, entry("gone", server.url("/gone.bin"), b"gone"))
        synced = envkit(
            tmp_path, "models", "sync", "--junit", "sync.xml", "--codequality", "q.json", GITHUB_ACTIONS="true"
        )
        assert synced.returncode == 3
        cases = {case.get("name"): case for case in read_junit((tmp_path / "sync.xml").read_bytes()).iter("testcase")}
        assert set(cases) == {"there v1", "gone v1"}
        assert cases["there v1"].find("failure") is None
        failure = cases["gone v1"].find("failure")
        assert failure is not None
        assert str(failure.text) in synced.stdout
        assert len(read_quality((tmp_path / "q.json").read_bytes())) == len(annotated(synced)) == 1
    verified = envkit(tmp_path, "models", "verify", "--junit", "verify.xml")
    assert verified.returncode == 3
    root = read_junit((tmp_path / "verify.xml").read_bytes())
    assert (root.get("tests"), root.get("failures")) == ("2", "1")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes for somebody else")
def test_a_report_that_root_writes_belongs_to_the_project_s_owner(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text("models: []\n")
    for path in (tmp_path, tmp_path / "models.yaml"):
        os.chown(path, 1234, 1234)
    assert envkit(tmp_path, "models", "check", "--branch", "main", "--junit", "out/j.xml").returncode == 0
    assert {path.stat().st_uid for path in (tmp_path / "out", tmp_path / "out" / "j.xml")} == {1234}
