"""`envkit models diff` on real repositories: what a reviewer is told, gate by gate."""

from __future__ import annotations

from pathlib import Path

import pytest

from envkit.errors import InputError
from envkit.result import Case
from tests.support.reviewed import MD5_B, SHA_A, SHA_B, Repository, entry, findings, outcomes, said, text

BETTER = {"version": "v2", "md5": MD5_B, "benchmark": "https://bench.example/2"}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.make(tmp_path / "repository")


def changed(
    repository: Repository, old: dict[str, object], new: dict[str, object], **metrics: dict[str, object]
) -> None:
    """A change that also touches the documentation."""
    repository.change(old, metrics=metrics)
    repository.write("docs/models.md", "what we use, and how good it is\n")
    repository.change(new, metrics=metrics)


# --- the verdict ---------------------------------------------------------------------------------------------------


def test_nothing_changed_passes(repository: Repository) -> None:
    repository.change(entry())
    repository.write("code.py", "x = 1\n")
    repository.commit()
    result = repository.diff("HEAD~1..HEAD")
    assert result.exit_code == 0
    assert text(result).startswith("pass: no model changed\n")


def test_a_good_change_passes_with_every_gate(repository: Repository) -> None:
    changed(repository, entry(accuracy=0.5), entry(accuracy=0.6, **BETTER))
    result = repository.diff("HEAD~1..HEAD")
    assert (result.exit_code, outcomes(result)) == (0, {})
    assert text(result).startswith("pass: all 8 gates pass\n")
    assert said(result)["verdict"] == "pass"


def test_a_gate_that_fails_is_exit_code_5_and_named_first(repository: Repository) -> None:
    changed(repository, entry(accuracy="76.8%"), entry(accuracy="75.4%", **BETTER))
    result = repository.diff("HEAD~1..HEAD")
    assert result.exit_code == 5
    assert text(result).startswith("FAIL: 1 of 8 gates fails: regression\n")
    assert said(result)["exit_code"] == 5


@pytest.mark.parametrize(("level", "code", "outcome"), [("fail", 5, "fail"), ("warn", 0, "warn"), ("off", 0, "off")])
def test_the_settings_say_what_a_gate_does(repository: Repository, level: str, code: int, outcome: str) -> None:
    repository.write("envkit.yaml", f"review:\n  regression: {level}\n")
    repository.commit()
    changed(repository, entry(accuracy="76.8%"), entry(accuracy="75.4%", **BETTER))
    result = repository.diff("HEAD~1..HEAD")
    assert (result.exit_code, outcomes(result)) == (code, {"regression": outcome})


def test_a_wrong_section_is_told_whole(repository: Repository) -> None:
    repository.write("envkit.yaml", "review: {regresion: warn, license: fail, size: maybe, growth: much}\n")
    repository.change(entry())
    with pytest.raises(InputError) as error:
        repository.diff("HEAD")
    assert "unknown gate 'regresion': did you mean 'regression'?" in str(error.value)
    assert "did you mean 'licence'?" in str(error.value)
    assert "size is 'maybe': expected one of: fail, warn, off" in str(error.value)
    assert "growth is 'much'" in str(error.value)


# --- regression ----------------------------------------------------------------------------------------------------


def test_a_loss_within_tolerance_passes_to_the_last_digit(repository: Repository) -> None:
    declared = {"accuracy": {"higher_is_better": True, "tolerance": "0.5%"}}
    changed(repository, entry(accuracy="76.8%"), entry(accuracy=0.763, **BETTER), **declared)
    assert outcomes(repository.diff("HEAD~1..HEAD")) == {}
    repository.change(entry(accuracy="76.299%", **{**BETTER, "version": "v3"}), metrics=declared)
    result = repository.diff("HEAD~2..HEAD")
    assert outcomes(result) == {"regression": "fail"}
    assert findings(result, "regression") == [
        "resnet: is worse: accuracy fell from 76.8% to 76.299% (-0.501 points; 0.5 points is tolerated)"
    ]


def test_one_number_in_two_ways_is_no_change(repository: Repository) -> None:
    changed(repository, entry(accuracy="76.8%"), entry(accuracy=0.768, **BETTER))
    result = repository.diff("HEAD~1..HEAD")
    assert outcomes(result) == {}
    assert [row["way"] for row in said(result)["changes"][0]["metrics"]] == ["same"]


def test_what_is_better_when_lower_is_worse_when_higher(repository: Repository) -> None:
    declared = {"latency_ms": {"higher_is_better": False, "relative_tolerance": "10%"}}
    changed(repository, entry(latency_ms=10), entry(latency_ms=11, **BETTER), **declared)
    assert outcomes(repository.diff("HEAD~1..HEAD")) == {}
    repository.change(entry(latency_ms=11.001, **BETTER), metrics=declared)
    assert findings(repository.diff("HEAD~2..HEAD"), "regression") == [
        "resnet: is worse: latency_ms rose from 10 to 11.001 (+1.001; 1 is tolerated)"
    ]


def test_a_number_without_a_direction_is_told_and_is_no_gate(repository: Repository) -> None:
    changed(repository, entry(metrics={"score": 5}), entry(metrics={"score": 4}, **BETTER))
    result = repository.diff("HEAD~1..HEAD")
    assert outcomes(result) == {}
    assert "nobody says which way score is better: declare it under metrics in models.yaml" in said(result)["notes"]


def test_a_number_that_is_gone_with_new_bytes_fails(repository: Repository) -> None:
    changed(repository, entry(accuracy="76.8%"), entry(**BETTER))
    result = repository.diff("HEAD~1..HEAD")
    assert outcomes(result) == {"regression": "fail"}
    assert findings(result, "regression") == ["resnet: does not say its accuracy any more; it was 76.8%"]


def test_a_number_that_is_gone_from_the_same_bytes_warns(repository: Repository) -> None:
    changed(repository, entry(accuracy="76.8%"), entry())
    assert outcomes(repository.diff("HEAD~1..HEAD")) == {"regression": "warn"}


@pytest.mark.parametrize(("old", "new"), [(76.8, 0.771), (0.768, 70.1)])
def test_percent_and_fractions_are_not_compared(repository: Repository, old: float, new: float) -> None:
    changed(repository, entry(accuracy=old), entry(accuracy=new, **BETTER))
    result = repository.diff("HEAD~1..HEAD")
    assert outcomes(result) == {"regression": "fail"}
    assert "another unit?" in findings(result, "regression")[0]


def test_a_worse_version_beside_the_one_there_is_warns(repository: Repository) -> None:
    repository.change(entry(accuracy=0.7))
    repository.write("docs/models.md", "two of them\n")
    repository.change(entry(accuracy=0.7), entry(accuracy=0.6, **BETTER))
    result = repository.diff("HEAD~1..HEAD")
    assert outcomes(result) == {"regression": "warn"}
    assert "accuracy fell from 0.7 (of v1) to 0.6" in findings(result, "regression")[0]


# --- digest --------------------------------------------------------------------------------------------------------


def test_other_bytes_under_the_same_version_come_first_and_loud(repository: Repository) -> None:
    changed(repository, entry(), entry(md5=MD5_B, benchmark="https://bench.example/2"))
    result = repository.diff("HEAD~1..HEAD")
    assert outcomes(result) == {"digest": "fail"}
    loud = "resnet v1 has OTHER BYTES under the same version: md5 was 0a0a0a0a0a0a… and is 0b0b0b0b0b0b…"
    assert next(line for line in text(result).splitlines() if line.startswith("FAIL  ")).endswith(loud)
    assert "> [!CAUTION]\n> **`resnet v1`** has OTHER BYTES" in text(repository.diff("HEAD~1..HEAD", form="markdown"))


def test_other_bytes_that_only_the_lock_shows_are_told_at_the_line_of_the_lock(repository: Repository) -> None:
    repository.declare(entry(md5=None, size=None))
    repository.write("models.lock.yaml", lock(SHA_A))
    repository.commit()
    repository.write("models.lock.yaml", lock(SHA_B))
    repository.write("README.md", "new\n")
    repository.commit()
    result = repository.diff("HEAD~1..HEAD")
    assert outcomes(result)["digest"] == "fail"
    assert "only models.lock.yaml shows it" in findings(result, "digest")[0]
    (problem,) = [case.problem for case in result.cases if case.problem and case.group == "review/digest"]
    assert (problem.file, problem.line) == ("models.lock.yaml", repository.line_of("resnet", "models.lock.yaml"))


def lock(sha256: str) -> str:
    """The lock of the one entry, as `envkit models lock` would write it."""
    return (
        "schema: 1\nmodels:\n- name: resnet\n"
        "  asked: {source: http, version: v1, url: 'https://models.example/resnet.pdparams'}\n"
        "  version: v1\n  locator: https://models.example/resnet.pdparams\n"
        f"  files:\n  - size: 10\n    sha256: {sha256}\n"
        "  locked: {at: '2026-11-24T12:00:00Z', from: here}\n"
    )


@pytest.mark.parametrize(
    ("new", "says"),
    [
        ({"md5": None}, "has no digest any more"),
        ({"md5": None, "sha256": SHA_A}, "has a digest of another kind"),
    ],
)
def test_bytes_that_nothing_proves_to_be_the_same_fail(
    repository: Repository, new: dict[str, object], says: str
) -> None:
    changed(repository, entry(), entry(benchmark="https://bench.example/2", **new))
    result = repository.diff("HEAD~1..HEAD")
    assert outcomes(result) == {"digest": "fail"}
    assert says in findings(result, "digest")[0]


def test_a_new_version_of_the_very_same_bytes_is_remarked(repository: Repository) -> None:
    changed(repository, entry(), entry(version="v2"))
    result = repository.diff("HEAD~1..HEAD")
    assert outcomes(result) == {"digest": "warn"}
    assert findings(result, "digest") == ["resnet: is a new version, and the very bytes that v1 was"]


# --- evidence ------------------------------------------------------------------------------------------------------


def test_a_new_model_needs_evidence(repository: Repository) -> None:
    repository.change()
    repository.write("README.md", "new\n")
    repository.change(entry(benchmark=None, benchmrk="https://bench.example/1"))
    result = repository.diff("HEAD~1..HEAD")
    assert outcomes(result) == {"evidence": "fail"}
    assert said(result)["gates"][2]["findings"][0]["hint"] == "did you mean 'benchmark' by benchmrk?"


@pytest.mark.parametrize("place", ["reports/r.md", "reports/r.md#resnet", "reports", "./reports/../reports/r.md"])
def test_a_report_in_the_repository_is_evidence(repository: Repository, place: str) -> None:
    repository.change()
    repository.write("reports/r.md", "76.8%\n")
    repository.change(entry(benchmark={"report": place}))
    assert outcomes(repository.diff("HEAD~1..HEAD")) == {}


@pytest.mark.parametrize("place", ["reports/none.md", "empty.md", "../outside.md", "docs", "none at all"])
def test_a_report_that_is_not_there_is_none(repository: Repository, place: str) -> None:
    (repository.root.parent / "outside.md").write_text("x")
    repository.change()
    repository.write("README.md", "new\n")
    repository.write("empty.md", "")
    repository.change(entry(benchmark=place))
    for compared in ("HEAD~1..HEAD", "HEAD~1"):
        result = repository.diff(compared)
        assert outcomes(result) == {"evidence": "fail"}
        assert findings(result, "evidence")[0].startswith(f"resnet: names {place} as its evidence: ")


def test_evidence_of_the_older_bytes_is_remarked(repository: Repository) -> None:
    repository.write("report.md", "76.8%\n")
    old, new = entry(benchmark="report.md"), entry(benchmark="report.md", version="v2", md5=MD5_B)
    changed(repository, old, new)
    result = repository.diff("HEAD~1..HEAD")
    assert outcomes(result) == {"evidence": "warn"}
    assert "as it did before" in findings(result, "evidence")[0]
    repository.write("report.md", "77.1%\n")
    repository.commit()
    assert outcomes(repository.diff("HEAD~2..HEAD")) == {}


def test_other_numbers_for_the_same_bytes_are_remarked(repository: Repository) -> None:
    repository.change(entry(accuracy=0.5))
    repository.change(entry(accuracy=0.6))
    result = repository.diff("HEAD~1..HEAD")
    assert outcomes(result) == {"evidence": "warn"}
    assert findings(result, "evidence") == ["resnet: has other numbers for the same bytes, and no other evidence"]


def test_metadata_alone_needs_no_evidence_and_no_documentation(repository: Repository) -> None:
    repository.change(entry(description="a modle"))
    repository.change(entry(description="a model"))
    result = repository.diff("HEAD~1..HEAD")
    assert (result.exit_code, outcomes(result)) == (0, {})
    assert "1 changed in metadata alone" in text(result)


# --- licence, size, usage, docs, rules -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("new", "says"),
    [
        ({"license": "CC-BY-NC-4.0"}, "is under another licence: Apache-2.0 before, CC-BY-NC-4.0 now"),
        ({"license": None}, "does not say its licence any more; it was Apache-2.0"),
    ],
)
def test_a_licence_that_changed_or_is_lost_warns(repository: Repository, new: dict[str, object], says: str) -> None:
    repository.change(entry())
    repository.change(entry(**new))
    result = repository.diff("HEAD~1..HEAD")
    assert (outcomes(result), findings(result, "licence")) == ({"licence": "warn"}, [f"resnet: {says}"])


def test_a_licence_under_its_other_name_is_the_same(repository: Repository) -> None:
    repository.change(entry())
    repository.change(entry(license=None, licence="apache-2.0 "))
    assert outcomes(repository.diff("HEAD~1..HEAD")) == {}


def test_a_model_that_grows_by_more_than_a_fifth_is_remarked(repository: Repository) -> None:
    changed(repository, entry(size=1_000_000), entry(size=1_200_000, **BETTER))
    assert outcomes(repository.diff("HEAD~1..HEAD")) == {}
    repository.change(entry(size=1_200_001, **BETTER))
    result = repository.diff("HEAD~2..HEAD")
    assert outcomes(result) == {"size": "warn"}
    repository.write("envkit.yaml", "review: {growth: 21%}\n")
    changed(repository, entry(size=1_000_000), entry(size=1_200_001, **BETTER))
    assert "size" not in outcomes(repository.diff("HEAD~1..HEAD"))


def test_code_that_names_what_will_be_gone_is_told(repository: Repository) -> None:
    repository.write("code/train.py", "import paddle\npaddle.load('checkpoints/resnet_v1.pdparams')\n")
    repository.write("code/any.py", "load('resnet')\n")
    changed(repository, entry(), entry(**BETTER))
    result = repository.diff("HEAD~1..HEAD")
    assert outcomes(result) == {"usage": "warn"}
    assert findings(result, "usage") == ["resnet: is still named as it was in code/train.py:2"]
    usage = said(result)["changes"][0]["usage"]["code"]
    assert [f"{place['path']}:{place['line']}" for place in usage] == ["code/any.py:1", "code/train.py:2"]


def test_documentation_that_was_left_alone_is_told_with_what_names_the_models(repository: Repository) -> None:
    repository.write("docs/models.md", "# Models\n\nWe use `resnet`.\n")
    repository.write("CHANGELOG.md", "resnet\n")
    repository.change(entry())
    repository.write("CHANGELOG.md", "resnet is new\n")
    repository.change(entry(**BETTER))
    result = repository.diff("HEAD~1..HEAD")
    assert outcomes(result) == {"docs": "warn"}
    assert said(result)["gates"][6]["findings"][0]["hint"] == "these name them: docs/models.md:3"
    repository.write("README.md", "resnet is v2 now\n")
    assert outcomes(repository.diff("HEAD~1")) == {}


def test_documentation_that_names_the_older_version_is_told_also_where_some_was_written(repository: Repository) -> None:
    repository.write("docs/use.md", "load `resnet_v1.pdparams`\n")
    changed(repository, entry(), entry(**BETTER))
    result = repository.diff("HEAD~1..HEAD")
    assert findings(result, "docs") == ["resnet: is still named as it was in docs/use.md:1"]


def test_a_change_of_what_is_judged_by_is_told(repository: Repository) -> None:
    repository.change(entry(accuracy=0.7), metrics={"accuracy": {"higher_is_better": True, "tolerance": "0.5%"}})
    repository.write("docs/models.md", "worse\n")
    repository.write("envkit.yaml", "review:\n  size: off\n")
    repository.change(
        entry(accuracy=0.6, **BETTER), metrics={"accuracy": {"higher_is_better": True, "tolerance": "50%"}}
    )
    result = repository.diff("HEAD~1..HEAD")
    assert outcomes(result) == {"regression": "fail", "rules": "warn"}
    assert findings(result, "rules") == [
        "metrics.accuracy.tolerance was 0.5% and is 50%: what is a regression by either is one",
        "review.size was none and is off: this change is judged by the stricter",
    ]


def test_an_entry_that_loosens_its_own_tolerance_is_told(repository: Repository) -> None:
    changed(
        repository,
        entry(metrics={"accuracy": {"value": 0.7}}),
        entry(metrics={"accuracy": {"value": 0.6, "tolerance": 1}}, **BETTER),
    )
    result = repository.diff("HEAD~1..HEAD")
    assert outcomes(result) == {"regression": "fail", "rules": "warn"}
    assert "is worse by its direction and tolerance before this change" in findings(result, "regression")[0]
    assert "is judged by another direction or tolerance of accuracy" in findings(result, "rules")[0]


def test_a_change_cannot_switch_off_the_gates_that_judge_it(repository: Repository) -> None:
    repository.change(entry(accuracy="76.8%"))
    repository.write("envkit.yaml", "review: {regression: off, rules: off, growth: 900%}\n")
    repository.change(entry(accuracy="10%", **{**BETTER, "size": 5000}))
    result = repository.diff("HEAD~1..HEAD")
    found = outcomes(result)
    assert (result.exit_code, found["regression"], found["rules"], found["size"]) == (5, "fail", "warn", "warn")


def test_a_stricter_level_counts_at_once(repository: Repository) -> None:
    repository.change(entry(accuracy="76.8%"))
    repository.write("envkit.yaml", "review: {rules: fail}\n")
    repository.commit()
    assert outcomes(repository.diff("HEAD~1..HEAD")) == {"rules": "fail"}


@pytest.mark.parametrize("loosened", [{"higher_is_better": False}, {"higher_is_better": True, "tolerance": 1}, None])
def test_a_regression_by_what_was_declared_before_is_one(repository: Repository, loosened: object) -> None:
    declared = {"score": {"higher_is_better": True, "tolerance": 0.01}}
    repository.change(entry(score=0.8), metrics=declared)
    repository.change(entry(score=0.3, **BETTER), metrics={"score": loosened} if loosened else {})
    result = repository.diff("HEAD~1..HEAD")
    assert findings(result, "regression") == [
        "resnet: is worse by its direction and tolerance before this change: "
        "score fell from 0.8 to 0.3 (-0.5; 0.01 is tolerated)"
    ]
    assert result.exit_code == 5


def test_a_changed_policy_is_told(repository: Repository) -> None:
    repository.write("envkit.yaml", "policy: {main: {floating: no}}\n")
    repository.change(entry())
    repository.write("envkit.yaml", "policy: {main: {floating: yes}}\n")
    repository.commit()
    (found,) = findings(repository.diff("HEAD~1..HEAD"), "rules")
    assert found.startswith("policy.main.floating was ")
    assert found.endswith(": `models check` goes by that")


@pytest.mark.parametrize("commit", [True, False])
def test_a_large_file_is_not_looked_at_and_that_is_said(repository: Repository, commit: bool) -> None:
    repository.change(entry())
    repository.declare(entry(**BETTER))
    repository.write("data/[*].json", "'resnet_v1', " * (1 << 17))
    repository.write("small.py", "'resnet_v1'\n")
    if commit:
        repository.commit()
    result = repository.diff("HEAD~1..HEAD" if commit else "HEAD")
    assert findings(result, "usage") == ["resnet: is still named as it was in small.py:1"]
    assert "who uses them was not looked for in 1 file of more than 1.0 MiB" in said(result)["notes"]


# --- where problems are --------------------------------------------------------------------------------------------


def test_problems_are_at_their_lines_of_the_newer_registry(repository: Repository) -> None:
    changed(repository, entry(accuracy=0.7), entry(accuracy=0.6, md5=MD5_B, license=None))
    result = repository.diff("HEAD~1..HEAD")
    problems = [case.problem for case in result.cases if case.problem]
    assert [(found.rule, found.level, found.file, found.line) for found in problems] == [
        ("review/digest", "error", "models.yaml", repository.line_of("md5:")),
        ("review/regression", "error", "models.yaml", repository.line_of("accuracy:")),
        ("review/evidence", "warning", "models.yaml", repository.line_of("benchmark:")),
        ("review/licence", "warning", "models.yaml", repository.line_of("name: resnet")),
    ]
    assert str(problems[1]).startswith("models.yaml:9:13: model 'resnet' v1 is worse: accuracy fell from 0.7 to 0.6")
    assert Case("review/size", "resnet v1") in result.cases


def test_a_gate_that_is_off_is_no_case(repository: Repository) -> None:
    repository.write("envkit.yaml", "review: {size: off}\n")
    changed(repository, entry(), entry(**BETTER))
    assert {case.group for case in repository.diff("HEAD~1..HEAD").cases} == {
        f"review/{gate}" for gate in ("digest", "regression", "evidence", "licence", "usage", "docs", "rules")
    }


# --- wrong registries ----------------------------------------------------------------------------------------------


def test_a_registry_that_cannot_be_read_now_is_exit_code_2_with_every_problem(repository: Repository) -> None:
    repository.change(entry())
    repository.change(entry(md6="x", verison="y"))
    with pytest.raises(InputError) as error:
        repository.diff("HEAD~1..HEAD")
    assert [problem.line for problem in error.value.problems] == [repository.line_of(key) for key in ("md6", "verison")]


def test_of_a_base_that_cannot_be_read_the_last_commit_that_can_is_compared(repository: Repository) -> None:
    good = repository.change(entry())
    repository.write("models.yaml", "models: {\n")
    repository.commit()
    repository.write("README.md", "mended\n")
    repository.change(entry(version="v2"))
    result = repository.diff("HEAD~1..HEAD")
    assert [change["kind"] for change in said(result)["changes"]] == ["changed"]
    assert f"compared with {good[:12]}, the last at which it can" in said(result)["notes"][0]


def test_where_none_can_be_read_all_looks_new_and_nothing_fails(repository: Repository) -> None:
    repository.write("models.yaml", "models: {\n")
    repository.commit()
    repository.change(entry(benchmark=None))
    result = repository.diff("HEAD~1..HEAD")
    assert (result.exit_code, outcomes(result)["evidence"]) == (0, "warn")
    assert "nothing fails by that" in said(result)["notes"][0]


def test_a_lock_that_does_not_fit_is_told(repository: Repository) -> None:
    repository.change(entry())
    repository.write("models.lock.yaml", lock(SHA_A).replace("resnet.pdparams", "other.pdparams"))
    repository.commit()
    result = repository.diff("HEAD~1..HEAD")
    assert "the lock of HEAD does not fit" in said(result)["notes"][0]
