"""Which rules a branch has, and what each of them says of an entry."""

from __future__ import annotations

import random
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from envkit.errors import InputError, Problem
from envkit.models.locking import lock
from envkit.models.locking.lock import Lock, Locked, LockedFile
from envkit.models.model import PLACEHOLDER_MD5, Digests, Model
from envkit.models.policy import policy
from envkit.models.policy.judge import cases, judge, warnings
from envkit.models.policy.policy import PRESETS, Rules
from envkit.models.registry import registry
from envkit.models.registry.registry import Registry
from envkit.models.sources import SOURCES

thorough = hypothesis_settings(max_examples=200, deadline=None, derandomize=True, database=None)

EXACT, STABLE, FLOATING = PRESETS["exact"], PRESETS["stable"], PRESETS["floating"]
MD5, SHA256, COMMIT = "0a" * 16, "0b" * 32, "0c" * 20


# --- which rules ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("branch", "rules", "pattern"),
    [
        ("main", EXACT, "main"),
        ("master", EXACT, "master"),
        ("tags/v1.0", EXACT, "tags/*"),
        ("tags/release/1", EXACT, "tags/*"),
        ("develop", STABLE, "develop"),
        ("feature/a", FLOATING, "feature/*"),
        ("feature/a/b", FLOATING, "feature/*"),
        ("fix/typo", FLOATING, None),
        ("Main", FLOATING, None),
        ("main2", FLOATING, None),
        ("origin/main", FLOATING, None),
    ],
)
def test_the_default_policy(branch: str, rules: Rules, pattern: str | None) -> None:
    applied = policy.read({}).applied(branch)
    assert (applied.rules, applied.pattern) == (rules, pattern)


def test_a_project_s_patterns_are_added_to_the_default_ones_and_replace_those_of_the_same_name() -> None:
    own = policy.read({"release/*": "exact", "develop": "floating"})
    assert own.applied("release/3.3").rules == EXACT
    assert own.applied("develop").rules == FLOATING
    assert own.applied("main").rules == EXACT


@pytest.mark.parametrize(
    ("branch", "pattern"),
    [
        ("main", "main"),
        ("feature/ocr/v5", "feature/ocr/*"),
        ("feature/det", "feature/*"),
        ("release/3.3", "release/3.[34]"),
        ("release/3.5", "release/3.?"),
        ("release/3.10", "release/*"),
        ("anything", "*"),
    ],
)
def test_the_most_exact_pattern_wins_in_any_order(branch: str, pattern: str) -> None:
    patterns = ["*", "feature/ocr/*", "release/*", "release/3.?", "release/3.[34]", "m*"]
    for seed in range(5):
        random.Random(seed).shuffle(patterns)  # noqa: S311
        assert policy.read(dict.fromkeys(patterns, "exact")).applied(branch).pattern == pattern


@thorough
@given(st.dictionaries(st.text("ab/*?[]-.", min_size=1, max_size=8), st.sampled_from(list(PRESETS))), st.data())
def test_a_branch_that_is_named_as_it_is_has_just_those_rules(section: dict[str, str], data: st.DataObject) -> None:
    branch = data.draw(st.text("ab/-.", min_size=1, max_size=8))
    preset = data.draw(st.sampled_from(list(PRESETS)))
    assert policy.read({**section, branch: preset}).applied(branch) == policy.Applied(PRESETS[preset], branch)


@pytest.mark.parametrize(
    ("pattern", "value", "rules"),
    [
        ("release/*", {"versions": "exact", "digests": False}, replace(EXACT, digests=False)),
        ("release/*", {"versions": "floating", "placeholders": False}, Rules(placeholders=False)),
        # Only a change of what the default policy has for it.
        ("main", {"prereleases": False}, replace(EXACT, prereleases=False)),
        ("develop", {"locked": False}, replace(STABLE, locked=False)),
        ("main", {"versions": "stable"}, STABLE),
    ],
)
def test_rules_one_by_one_change_a_preset(pattern: str, value: object, rules: Rules) -> None:
    assert policy.read({pattern: value}).patterns[pattern] == rules


@pytest.mark.parametrize(
    ("pattern", "value", "message"),
    [
        ("main", "exakt", r"envkit\.yaml: policy: main: is 'exakt'\n  did you mean 'exact'\?"),
        ("main", "strict", r"main: is 'strict'\n  expected one of exact, stable, floating"),
        ("main", False, "main: is false\n"),
        ("main", None, "main: is empty\n"),
        ("main", ["exact"], "main: is "),
        ("main", {"lockd": True}, r"main: has unknown rule 'lockd'\n  did you mean 'locked'\?"),
        ("main", {"gpu": True}, r"unknown rule 'gpu'\n  known: versions, prereleases, locked, digests, placeholders"),
        ("main", {"versions": "stabel"}, r"main: versions is 'stabel'\n  did you mean 'stable'\?"),
        ("main", {"versions": ["exact"]}, "main: versions is "),
        ("main", {"locked": "yes"}, r"main: locked is 'yes'\n  expected true or false"),
        ("release/*", {"locked": True}, r"release/\*: says nothing of versions\n  add one of exact, stable, floating"),
        ("refs/heads/main", "exact", r"refs/heads/main: is no name of a branch\n  write it without refs/heads/"),
    ],
)
def test_a_wrong_policy_says_what_is_wrong(pattern: str, value: object, message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        policy.read({pattern: value})
    (problem,) = raised.value.problems
    assert (problem.file, problem.rule) == ("envkit.yaml", "policy")


def test_the_strictest_of_several_branches() -> None:
    found = policy.read({})
    assert found.strictest(["feature/x", "develop", "main"]) == "main"
    assert found.strictest(["feature/x", "develop"]) == "develop"
    assert found.strictest(["feature/y", "feature/x"]) == "feature/y"
    assert policy.read({"next": {"versions": "stable", "digests": True}}).strictest(["develop", "next"]) == "next"


# --- what they say --------------------------------------------------------------------------------------------------

HTTP = "source: http, url: 'https://models.example/a.bin'"
FLOATS = "source: http, url: 'https://models.example/{version}.bin', index_url: 'https://models.example/'"
HUB = "source: huggingface, repo: team/ocr"


def parsed(*entries: str) -> Registry:
    return registry.parse("models:\n" + "".join(f"- {{name: {entry}}}\n" for entry in entries))


def place(entry: str, at: str, line: int = 2) -> str:
    """Where a part of an entry stands."""
    return f"models.yaml:{line}:{f'- {{name: {entry}}}'.index(at) + 1}"


def locked(found: Registry, version: str = "3.2.0", digests: Digests = Digests(MD5, SHA256, 9)) -> Lock:  # noqa: B008
    """A lock that fits."""
    return Lock.of(_entry(model, version, digests) for model in found.models)


def _entry(model: Model, version: str, digests: Digests) -> Locked:
    came = version if model.floats else model.version
    hub = model.artifact.source == "huggingface"
    asked = model.artifact.locator
    at = SOURCES[model.artifact.source].at(asked, came) if model.floats else asked
    locator = f"{at.partition('@')[0]}@{COMMIT}" if hub else at
    files = (LockedFile("a.bin" if hub else "", digests),)
    return Locked(model.name, dict(model.asked), came, locator, files, "2026-11-24T12:00:00Z", "models.example")


def told(problems: tuple[Problem, ...]) -> list[tuple[str, str]]:
    return [(problem.rule, problem.place) for problem in problems]


@pytest.mark.parametrize(
    ("entry", "exact", "stable"),
    [
        (f"a, version: '3.2.0', {HTTP}, md5: {MD5}", [], []),
        (f"a, version: '3.2.0', {HTTP}, sha256: {SHA256}", [], []),
        (f"a, version: '3.2.0', {HTTP}", ["digests"], []),
        (f"a, version: 3.3rc1, {HTTP}, md5: {MD5}", [], ["prerelease"]),
        (f"a, version: server-v2-beta, {HTTP}, md5: {MD5}", [], []),
        (f"a, version: stable, {FLOATS}", ["exact", "digests"], []),
        (f"a, version: latest, {FLOATS}", ["exact", "digests"], ["stable"]),
        (f"a, version: '>=3.2,<4', {FLOATS}, sha256: {SHA256}", ["exact"], []),
        (f"a, version: '>=3.2rc1', {FLOATS}, sha256: {SHA256}", ["exact"], ["stable"]),
        (f"a, version: '!=3.1', {FLOATS}, sha256: {SHA256}", ["exact"], []),
        (f"a, version: v5, {HUB}, revision: {COMMIT}", [], []),
        (f"a, version: v5, {HUB}, revision: main", ["exact"], []),
        (f"a, version: v5, {HUB}", ["exact"], []),
        (f"a, version: v5, {HUB}, path: a.bin, sha256: {SHA256}", [], []),
        (f"a, version: latest, {HUB}", ["exact"], ["stable"]),
        (f"a, version: '3.2.0', {HTTP}, md5: {PLACEHOLDER_MD5}", ["placeholder"], ["placeholder"]),
        (
            f"a, version: '3.2.0', {HTTP}, md5: {PLACEHOLDER_MD5}, sha256: {SHA256}",
            ["placeholder"],
            ["placeholder"],
        ),
    ],
)
def test_what_the_presets_refuse(entry: str, exact: list[str], stable: list[str]) -> None:
    found = parsed(entry)
    fitting = locked(found, digests=Digests(found.models[0].artifact.digests.md5 or MD5, SHA256, 9))
    assert [rule for rule, _ in told(judge(found, fitting, EXACT))] == [f"policy/{rule}" for rule in exact]
    assert [rule for rule, _ in told(judge(found, fitting, STABLE))] == [f"policy/{rule}" for rule in stable]
    assert judge(found, fitting, FLOATING) == judge(found, None, FLOATING) == ()


@pytest.mark.parametrize(
    ("entry", "at", "message", "hint"),
    [
        (
            f"a, version: stable, {FLOATS}, md5: {MD5}",
            "stable",
            "model 'a' stable names no exact version",
            "write `version: 3.2.0`, as models.lock.yaml has it",
        ),
        (
            f"a, version: latest, {HUB}",
            "latest",
            "model 'a' latest names no exact version",
            f"write `version: 3.2.0` and `revision: {COMMIT}`, as models.lock.yaml has it",
        ),
        (
            f"a, version: v5, {HUB}, revision: main",
            "main}",
            "model 'a' v5 comes from the hub (team/ocr@main), and that can move",
            f"write `revision: {COMMIT}`, as models.lock.yaml has it",
        ),
        (
            f"a, version: v5, {HTTP}",
            "a, version",
            "model 'a' v5 has neither md5 nor sha256 of its own",
            f"write `sha256: {SHA256}`, as models.lock.yaml has it",
        ),
    ],
)
def test_a_problem_has_the_place_of_the_key_and_what_the_lock_has_for_it(
    entry: str, at: str, message: str, hint: str
) -> None:
    found = parsed(entry)
    (problem,) = judge(found, locked(found), EXACT)
    assert (problem.place, problem.message, problem.hint) == (place(entry, at), message, hint)


@pytest.mark.parametrize(
    ("entry", "hint"),
    [
        (f"a, version: stable, {FLOATS}, md5: {MD5}", "`envkit models lock` finds one: write that"),
        (f"a, version: v5, {HUB}", "`envkit models lock` finds its commit: write that as its revision"),
        (f"a, version: v5, {HTTP}", "`envkit models lock` finds its sha256: write that"),
    ],
)
def test_without_a_lock_it_says_what_would_find_the_value(entry: str, hint: str) -> None:
    found = parsed(entry)
    problem = judge(found, None, EXACT)[-1]
    assert problem.hint == hint


def test_the_version_that_a_wish_came_to_is_no_pre_release() -> None:
    entry = f"a, version: latest, {FLOATS}"
    found = parsed(entry)
    (problem,) = judge(found, locked(found, "4.0.0rc2"), replace(STABLE, versions="floating"))
    assert problem.message == "model 'a' latest came to 4.0.0rc2, a pre-release"
    assert (problem.rule, problem.place) == ("policy/prerelease", place(entry, "latest"))


def test_a_lock_that_has_a_pre_release_for_a_stable_one_does_not_fit() -> None:
    found = parsed(f"a, version: stable, {FLOATS}")
    (problem,) = judge(found, locked(found, "4.0.0rc2"), STABLE)
    assert problem.rule == "policy/locked"
    assert problem.hint == "envkit models lock"


def test_a_lock_that_is_not_there_is_one_problem_whatever_the_number_of_entries() -> None:
    found = parsed(*(f"a{number}, version: v1, {HTTP}, md5: {MD5}" for number in range(3)))
    (problem,) = judge(found, None, EXACT)
    assert (problem.rule, problem.place) == ("policy/locked", "models.yaml")
    assert "make one, and commit it: envkit models lock" in str(problem)
    assert judge(parsed(), None, EXACT) == ()


def test_what_the_lock_does_not_fit_is_named_at_its_key_and_so_is_what_is_left_in_it() -> None:
    old = parsed(f"a, version: v1, {HTTP}, md5: {MD5}", f"gone, version: v1, {HTTP}, md5: {MD5}")
    changed = f"a, version: v1, source: http, url: 'https://models.example/b.bin', md5: {MD5}"
    new = parsed(
        changed,
        f"new, version: v1, {HTTP}, md5: {MD5}",
    )
    problems = judge(new, locked(old), EXACT)
    assert {problem.rule for problem in problems} == {"policy/locked"}
    assert [problem.message for problem in problems] == [
        "model 'gone' v1 is not in models.yaml any more",
        "model 'a' v1 has another url than models.lock.yaml was made for: "
        "'https://models.example/b.bin', not 'https://models.example/a.bin'",
        "model 'new' v1 is not in models.lock.yaml",
    ]
    assert problems[1].place == place(changed, "'https")


def test_what_does_not_fit_is_not_taken_from_the_lock_as_a_remedy() -> None:
    old, new = (parsed(f"a, version: v5, {HUB}{more}") for more in ("", ", path: a.bin"))
    hints = [problem.hint for problem in judge(new, locked(old), EXACT)]
    assert hints == ["`envkit models lock` finds its commit: write that as its revision", "envkit models lock"]


def test_one_cause_is_told_once() -> None:
    """No digest beside a placeholder, or a revision that moves: what mends the one mends the other."""
    moving = parsed(f"a, version: v5, {HUB}, path: a.bin, md5: {PLACEHOLDER_MD5}")
    assert [rule for rule, _ in told(judge(moving, None, replace(EXACT, locked=False)))] == ["policy/placeholder"]
    apart = replace(EXACT, locked=False, placeholders=True)
    assert [rule for rule, _ in told(judge(moving, None, apart))] == ["policy/digests"]
    loose = replace(EXACT, locked=False, versions="floating")
    (problem,) = judge(parsed(f"a, version: v5, {HUB}"), None, loose)
    assert (problem.rule, problem.hint) == (
        "policy/digests",
        "`envkit models lock` finds its commit: write that as its revision",
    )


def test_what_is_allowed_and_will_not_work_is_a_warning() -> None:
    found = parsed(f"a, version: v1, {HTTP}, md5: {PLACEHOLDER_MD5}", f"b, version: latest, {FLOATS}")
    warned = warnings(found, None, FLOATING)
    assert [(problem.rule, problem.level) for problem in warned] == [("placeholder", "warning"), ("locked", "warning")]
    assert warnings(found, locked(found), EXACT) == ()


def test_there_is_a_case_for_each_rule_and_entry() -> None:
    found = parsed(f"a, version: v1, {HTTP}, md5: {MD5}", f"b, version: '2', {FLOATS}")
    told = [(case.group, case.name, case.problem is None) for case in cases(found, locked(found), EXACT)]
    assert told == [
        ("policy/exact", "a v1", True),
        ("policy/digests", "a v1", True),
        ("policy/placeholder", "a v1", True),
        ("policy/locked", "a v1", True),
        ("policy/exact", "b 2", True),
        ("policy/digests", "b 2", False),
        ("policy/placeholder", "b 2", True),
        ("policy/locked", "b 2", True),
    ]
    assert cases(found, None, FLOATING) == ()


# --- whatever the registry ------------------------------------------------------------------------------------------

_VERSION = st.sampled_from(["3.2.0", "v5", "3.3rc1", "latest", "stable", "'>=3,<4'", "'>=3rc1'"])
_DIGESTS = st.sampled_from(["", f", md5: {MD5}", f", sha256: {SHA256}", f", md5: {PLACEHOLDER_MD5}"])
_SOURCE = st.one_of(
    st.tuples(st.sampled_from([FLOATS]), _DIGESTS),
    st.tuples(st.sampled_from([HUB]), st.just("")),
    st.tuples(st.sampled_from([f"{HUB}, path: a.bin"]), _DIGESTS),
)
_ENTRY = st.builds(lambda version, source: f"version: {version}, {''.join(source)}", _VERSION, _SOURCE)
_RULES = st.builds(
    Rules, st.sampled_from(["exact", "stable", "floating"]), st.booleans(), st.booleans(), st.booleans(), st.booleans()
)


@thorough
@given(st.lists(_ENTRY, max_size=6), st.booleans(), st.sets(st.integers(0, 5)), _RULES, _RULES)
def test_what_a_rule_refuses_a_stricter_one_refuses(
    entries: list[str], is_locked: bool, unlocked: set[int], one: Rules, other: Rules
) -> None:
    found = parsed(*(f"m{number}, {entry}" for number, entry in enumerate(entries)))
    part = replace(found, models=tuple(model for at, model in enumerate(found.models) if at not in unlocked))
    given_lock = locked(part) if is_locked else None
    stricter = Rules(
        min(one.versions, other.versions, key=["exact", "stable", "floating"].index),
        one.prereleases and other.prereleases,
        one.locked or other.locked,
        one.digests or other.digests,
        one.placeholders and other.placeholders,
    )
    refused = [{problem.line for problem in judge(found, given_lock, rules)} for rules in (one, other, stricter)]
    assert refused[0] | refused[1] <= refused[2]
    if refused[2] == set():
        assert judge(found, given_lock, one) == ()
    for rules in (one, stricter):
        problems = judge(found, given_lock, rules)
        assert problems == judge(found, given_lock, rules)
        assert all(problem.line <= len(entries) + 1 and problem.hint for problem in problems)


@thorough
@given(st.lists(_ENTRY, min_size=1, max_size=4))
def test_a_registry_that_main_takes_can_be_synced_as_it_is(entries: list[str]) -> None:
    found = parsed(*(f"m{number}, {entry}" for number, entry in enumerate(entries)))
    fitting = locked(found)
    if judge(found, fitting, EXACT) == ():
        pinned = lock.pin(found, fitting)
        assert [model.target for model in pinned.models] == [model.target for model in found.models]


def test_rules_are_shown_by_the_name_of_their_preset_or_one_by_one() -> None:
    assert [str(rules) for rules in PRESETS.values()] == list(PRESETS)
    shown = str(replace(EXACT, digests=False))
    assert shown == "versions: exact, prereleases: true, locked: true, digests: false, placeholders: false"
    assert set(asdict(EXACT)) == {part.split(":")[0] for part in shown.split(", ")}
