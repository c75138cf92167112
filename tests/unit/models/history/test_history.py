"""What became of every version, as real commits, branches and merges tell it."""

from __future__ import annotations

from pathlib import Path

import pytest

from envkit.errors import InputError
from envkit.git import NoGitError
from envkit.models.model import PLACEHOLDER_MD5
from tests.support.histories import arrivals, blame, history, text, versions
from tests.support.history_project import GitProject, entry, floating, lock_of, registry
from tests.support.model_project import md5, sha256


def ocr(version: str, **more: object) -> str:
    return registry(entry("ocr", version, **more))


# --- one line of commits


def test_each_version_has_its_commit_author_and_date(repo: GitProject) -> None:
    first = repo.commit("the first model", author="张伟", registry=ocr("1.0"))
    repo.commit("no model")
    second = repo.commit("a better one", author="Sofía Núñez", registry=ocr("2.0"))
    ran = history(repo)
    one, two = versions(ran, "ocr")
    assert one["since"] == {
        "commit": first,
        "author": "张伟",
        "date": "2026-03-03T09:00:00+08:00",
        "subject": "the first model",
    }
    assert two["since"]["commit"] == second
    assert two["since"]["author"] == "Sofía Núñez"
    assert (one["current"], one["left"]["commit"]) == (False, second)
    assert (two["current"], two["left"]) == (True, None)
    assert two["from"] == "https://models.example.com/ocr/2.0/ocr.pdparams"
    assert {"field": "version", "old": "1.0", "new": "2.0"} in two["changes"]


def test_a_commit_that_only_edits_an_entry_brings_no_version(repo: GitProject) -> None:
    first = repo.commit(registry=ocr("1.0"))
    edited = repo.commit(registry=ocr("1.0", license="Apache-2.0"))
    repo.commit(registry="# a comment\n" + ocr("1.0", license="Apache-2.0"))
    (one,) = versions(history(repo), "ocr")
    assert one["since"]["commit"] == first
    assert [(edit["commit"], edit["changes"]) for edit in one["edits"]] == [
        (edited, [{"field": "license", "old": None, "new": "Apache-2.0"}])
    ]


def test_a_version_that_was_removed_and_came_again_is_there_twice(repo: GitProject) -> None:
    first = repo.commit(registry=ocr("1.0"))
    repo.git("tag", "early")
    removed = repo.commit(registry=registry())
    again = repo.commit(registry=ocr("1.0"))
    repo.git("tag", "late")
    one, two = versions(history(repo), "ocr")
    assert (one["since"]["commit"], one["left"]["commit"], one["tags"]) == (first, removed, ["early"])
    assert (two["since"]["commit"], two["left"], two["tags"]) == (again, None, ["late"])


def test_a_model_that_is_gone_is_listed_after_the_others(repo: GitProject) -> None:
    repo.commit(registry=registry(entry("gone", "1"), entry("ocr", "1")))
    left = repo.commit(registry=registry(entry("ocr", "1")))
    ran = history(repo)
    assert [model["name"] for model in ran.data["models"]] == ["ocr", "gone"]
    assert f"gone (gone since 2026-03-04, {left[:7]})" in ran.lines


def test_the_registry_may_go_altogether(repo: GitProject) -> None:
    repo.commit(registry=ocr("1.0"))
    left = repo.commit(registry=None)
    repo.write(registry=registry())  # for there to be a project
    (one,) = versions(history(repo), "ocr")
    assert one["left"]["commit"] == left


def test_several_versions_of_a_model_live_side_by_side(repo: GitProject) -> None:
    first = repo.commit(registry=registry(entry("ocr", "1"), entry("ocr", "2")))
    third = repo.commit(registry=registry(entry("ocr", "2"), entry("ocr", "3")))
    ran = history(repo)
    assert arrivals(ran, "ocr") == [("1", first), ("2", first), ("3", third)]
    assert [version["current"] for version in versions(ran, "ocr")] == [False, True, True]


# --- branches and merges


def test_a_version_that_only_a_side_branch_had_is_there(repo: GitProject) -> None:
    repo.commit(registry=ocr("1.0"))
    repo.branch("feature/try")
    tried = repo.commit("try", registry=ocr("2.0-try"))
    repo.checkout("main")
    ran = history(repo)
    one, two = versions(ran, "ocr")
    assert (one["branches"], one["current"], one["left"]) == (["main"], True, None)
    assert (two["since"]["commit"], two["branches"], two["current"]) == (tried, ["feature/try"], False)
    only = history(repo, branch="main")
    assert [version["version"] for version in versions(only, "ocr")] == ["1.0"]


@pytest.mark.parametrize("how", ["fast-forward", "merge"])
def test_a_merged_version_came_with_the_commit_of_its_branch(repo: GitProject, how: str) -> None:
    repo.commit(registry=ocr("1.0"))
    repo.branch("side")
    brought = repo.commit(registry=ocr("2.0"))
    repo.checkout("main")
    if how == "merge":
        repo.commit("meanwhile")
        repo.merge("side")
    else:
        repo.git("merge", "--quiet", "--ff-only", "side")
    one, two = versions(history(repo), "ocr")
    assert (two["since"]["commit"], two["branches"]) == (brought, ["main", "side"])
    assert one["left"]["commit"] == brought


def test_a_merge_that_resolves_a_conflict_to_a_third_version_brought_it(repo: GitProject) -> None:
    base = repo.commit(registry=ocr("1.0"))
    repo.branch("side")
    side = repo.commit(registry=ocr("2.0"))
    repo.checkout("main")
    ours = repo.commit(registry=ocr("3.0"))
    merged = repo.merge("side", registry=ocr("4.0"))
    ran = history(repo)
    assert arrivals(ran, "ocr") == [("1.0", base), ("2.0", side), ("3.0", ours), ("4.0", merged)]
    assert [version["current"] for version in versions(ran, "ocr")] == [False, False, False, True]


def test_a_merge_that_keeps_its_own_side_does_not_bring_the_old_version_again(repo: GitProject) -> None:
    base = repo.commit(registry=ocr("1.0"))
    repo.branch("side")
    side = repo.commit(registry=ocr("2.0"))
    repo.checkout("main")
    repo.commit("meanwhile")
    merged = repo.merge("side", ours=True)
    repo.git("branch", "--delete", "--force", "side")
    one, two = versions(history(repo), "ocr")
    assert (one["since"]["commit"], one["current"], one["also_brought_by_commits"]) == (base, True, [])
    # It is on no branch: the merge is what it was lost at.
    assert (two["since"]["commit"], two["branches"], two["left"]["commit"]) == (side, [], merged)


def test_an_octopus_merge_has_the_versions_of_all_its_sides(repo: GitProject) -> None:
    names = ("a", "b", "c")
    repo.commit(registry=registry(*(entry(name, "1") for name in names)))
    brought = {}
    for name in names:
        repo.branch(f"side-{name}", "main")
        brought[name] = repo.commit(registry=registry(*(entry(each, "2" if each == name else "1") for each in names)))
    repo.checkout("main")
    # An octopus takes no conflicts: where lines touch, it is a person's work.
    repo.git("read-tree", "-m", "-u", "HEAD")
    repo.write(registry=registry(*(entry(name, "2") for name in names)))
    repo.git("add", "--all")
    tree = repo.git("write-tree")
    sides = [word for name in names for word in ("-p", f"side-{name}")]
    octopus = repo.git("commit-tree", tree, "-p", "main", *sides, "-m", "octopus")
    repo.git("reset", "--hard", "--quiet", octopus)
    ran = history(repo)
    for name in names:
        one, two = versions(ran, name)
        assert (two["since"]["commit"], two["current"], "main" in two["branches"]) == (brought[name], True, True)
        assert (one["version"], one["left"]["commit"]) == ("1", brought[name])


def test_what_two_branches_brought_each_for_itself_is_one_version_after_their_merge(repo: GitProject) -> None:
    repo.commit(registry=ocr("1.0"))
    repo.branch("side")
    picked = repo.commit(registry=ocr("2.0"))
    repo.checkout("main")
    repo.commit("meanwhile")
    own = repo.commit(registry=ocr("2.0"))
    apart = versions(history(repo), "ocr")
    assert [(one["since"]["commit"], one["branches"]) for one in apart[1:]] == [(picked, ["side"]), (own, ["main"])]
    repo.merge("side")
    two = versions(history(repo), "ocr")[1]
    assert two["branches"] == ["main", "side"]
    assert [two["since"]["commit"], *(commit["commit"] for commit in two["also_brought_by_commits"])] == [picked, own]


def test_a_merge_of_two_edits_is_no_edit_of_its_own(repo: GitProject) -> None:
    more = {f"note_{number}": "x" for number in range(6)}  # for the lines not to touch
    repo.commit(registry=ocr("1.0", task="a", **more, license="a"))
    repo.branch("side")
    side = repo.commit(registry=ocr("1.0", task="b", **more, license="a"))
    repo.checkout("main")
    own = repo.commit(registry=ocr("1.0", task="a", **more, license="b"))
    repo.merge("side")
    (one,) = versions(history(repo), "ocr")
    assert {edit["commit"] for edit in one["edits"]} == {side, own}


def test_one_branch_only(repo: GitProject) -> None:
    repo.commit(registry=ocr("1.0"))
    repo.branch("side")
    repo.commit(registry=ocr("2.0"))
    repo.checkout("main")
    repo.commit(registry=ocr("3.0"))
    seen = {
        branch: [(one["version"], one["current"]) for one in versions(history(repo, branch=branch), "ocr")]
        for branch in ("main", "side", "HEAD~1")
    }
    assert seen == {
        "main": [("1.0", False), ("3.0", True)],
        "side": [("1.0", False), ("2.0", True)],
        "HEAD~1": [("1.0", True)],
    }
    with pytest.raises(InputError, match=r"no branch 'sode'\n  did you mean 'side'\?"):
        history(repo, branch="sode")
    repo.branch("more")
    repo.commit(registry=registry(entry("det", "1")))
    with pytest.raises(InputError, match="no commit of main ever had a model 'det'"):
        history(repo, "det", branch="main")


# --- the bytes


@pytest.mark.parametrize("key", ["md5", "sha256"])
def test_other_bytes_under_the_same_version_are_called_out(repo: GitProject, key: str) -> None:
    digits = {"md5": 32, "sha256": 64}[key]
    first = repo.commit(registry=ocr("1.0", **{"md5": "0" * 32, key: "a" * digits}))
    repo.commit(registry=ocr("1.0", **{"md5": "0" * 32, key: "b" * digits}))
    ran = history(repo)
    one, two = versions(ran, "ocr")
    assert one["other_bytes_than"] is None
    assert two["other_bytes_than"]["commit"] == first
    said = f"! changed under the same version: {key} {'a' * 12} → {'b' * 12}, the earlier bytes came with {first[:7]}"
    assert f"    {said}" in ran.lines


def test_they_are_called_out_also_where_the_version_was_away_for_a_while_or_on_another_branch(repo: GitProject) -> None:
    first = repo.commit(registry=ocr("1.0", md5="a" * 32))
    repo.commit(registry=ocr("2.0"))
    repo.branch("side")
    repo.commit(registry=ocr("1.0", md5="b" * 32))
    _, _, again = versions(history(repo), "ocr")
    assert again["other_bytes_than"]["commit"] == first


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"md5": PLACEHOLDER_MD5}, {"md5": "a" * 32}),
        ({}, {"sha256": "a" * 64}),
        ({"size": 1}, {"size": 2}),
        ({"sha256": "A" * 64}, {"sha256": "a" * 64}),
    ],
    ids=["a placeholder", "a digest that was not there", "a size that was corrected", "the case of its letters"],
)
def test_what_says_no_more_than_before_is_no_other_bytes(
    repo: GitProject, before: dict[str, object], after: dict[str, object]
) -> None:
    repo.commit(registry=ocr("1.0", **before))
    repo.commit(registry=ocr("1.0", **after))
    (one,) = versions(history(repo), "ocr")
    assert one["other_bytes_than"] is None


# --- the lock


def test_a_lock_alone_brings_a_version(repo: GitProject) -> None:
    text = registry(floating("ocr", "stable"))
    first = repo.commit(registry=text, lock=lock_of(ocr="stable=3.3.0"))
    second = repo.commit(lock=lock_of(ocr="stable=3.3.1"))
    ran = history(repo)
    one, two = versions(ran, "ocr")
    assert (one["version"], one["asked"], one["since"]["commit"]) == ("3.3.0", "stable", first)
    assert one["brought_by"] == ["models.yaml", "models.lock.yaml"]
    assert (two["version"], two["since"]["commit"], two["brought_by"]) == ("3.3.1", second, ["models.lock.yaml"])
    assert "3.3.1 (stable)" in text_of(ran.lines)


def text_of(lines: tuple[str, ...]) -> str:
    return "\n".join(lines)


def test_what_floats_without_a_lock_is_listed_by_its_wish(repo: GitProject) -> None:
    wish = repo.commit(registry=registry(floating("ocr", "latest")))
    locked = repo.commit(lock=lock_of(ocr="latest=4.0"))
    ran = history(repo)
    assert arrivals(ran, "ocr") == [("latest", wish), ("4.0", locked)]
    assert "latest (not locked)" in text_of(ran.lines)


def test_a_lock_made_anew_for_the_same_files_brings_nothing(repo: GitProject) -> None:
    repo.commit(registry=registry(floating("ocr", "stable")), lock=lock_of(ocr="stable=3.3.0"))
    repo.commit(lock=lock_of(ocr="stable=3.3.0").replace("2026-03-01", "2026-04-01"))
    (one,) = versions(history(repo), "ocr")
    assert one["edits"] == []


def test_an_entry_that_its_lock_does_not_fit_stands_for_itself(repo: GitProject) -> None:
    repo.commit(registry=registry(floating("ocr", "stable")), lock=lock_of(ocr="stable=3.3.0"))
    repo.commit(registry=registry(floating("ocr", ">=3.4")))
    assert [one["version"] for one in versions(history(repo), "ocr")] == ["3.3.0", ">=3.4"]


def test_nor_does_one_stand_for_bytes_that_its_entry_contradicts(repo: GitProject) -> None:
    first = repo.commit(registry=registry(floating("ocr", "1")), lock=lock_of(ocr="1=1"))
    repo.commit(registry=registry(floating("ocr", "1", md5="b" * 32)))
    one, two = versions(history(repo), "ocr")
    assert one["files"] == [{"path": "", "md5": md5(b"ocr 1"), "sha256": sha256(b"ocr 1"), "size": 5}]
    assert two["files"] == [{"path": "", "md5": "b" * 32}]
    assert two["other_bytes_than"]["commit"] == first


# --- what cannot be read


def test_a_registry_that_cannot_be_read_is_said_and_ends_nothing(repo: GitProject) -> None:
    first = repo.commit(registry=ocr("1.0"))
    broken = repo.commit("broken", registry="models: [\n")
    fixed = repo.commit(registry=registry(entry("ocr", "1.0"), entry("det", "1.0")))
    ran = history(repo)
    (one,) = versions(ran, "ocr")
    assert (one["since"]["commit"], one["left"]) == (first, None)
    assert arrivals(ran, "det") == [("1.0", fixed)]
    assert [found["commit"]["commit"] for found in ran.data["unreadable"]] == [broken]
    assert f"not readable at {broken[:7]} (Li Lei, 2026-03-04): models.yaml:1:10: not valid YAML" in text_of(ran.lines)


def test_entries_that_clash_make_it_unreadable_though_each_is_right(repo: GitProject) -> None:
    clashing = repo.commit(registry=registry(entry("ocr", "1"), entry("OCR", "1")))
    ran = history(repo)
    assert [found["commit"]["commit"] for found in ran.data["unreadable"]] == [clashing]
    assert "would be checkpoints/OCR_1.pdparams" in ran.data["unreadable"][0]["problem"]


@pytest.mark.parametrize("lock", ["schema: 9\n", "<<<<<<< ours\n"])
def test_nor_does_a_lock(repo: GitProject, lock: str) -> None:
    text = registry(floating("ocr", "stable"))
    first = repo.commit(registry=text, lock=lock_of(ocr="stable=3.3.0"))
    broken = repo.commit(lock=lock)
    repo.commit(lock=lock_of(ocr="stable=3.3.0"))
    ran = history(repo)
    assert arrivals(ran, "ocr") == [("3.3.0", first)]
    assert [found["commit"]["commit"] for found in ran.data["unreadable"]] == [broken]


def test_markers_of_a_conflict_in_a_merge_hide_neither_side(repo: GitProject) -> None:
    repo.commit(registry=ocr("1.0"))
    repo.branch("side")
    side = repo.commit(registry=ocr("2.0"))
    repo.checkout("main")
    repo.commit(registry=ocr("3.0"))
    broken = repo.merge("side", registry="<<<<<<< HEAD\n")
    repo.commit(registry=ocr("2.0"))
    ran = history(repo)
    assert [found["commit"]["commit"] for found in ran.data["unreadable"]] == [broken]
    assert ("2.0", side) in arrivals(ran, "ocr")
    assert len(arrivals(ran, "ocr")) == 3


def test_many_unreadable_commits_are_summed_up(repo: GitProject) -> None:
    for number in range(5):
        repo.commit(registry=f"models: [{number}\n")
    repo.commit(registry=ocr("1.0"))
    assert history(repo).lines[-1] == "not readable at 2 earlier commits either"


def test_bytes_that_are_no_text(repo: GitProject) -> None:
    (repo.path / "models.yaml").write_bytes(b"\xff\xfe")
    repo.commit()
    repo.commit(registry=ocr("1.0"))
    ran = history(repo)
    assert ran.data["unreadable"][0]["problem"] == "models.yaml: not UTF-8 at byte 0\n  save it as UTF-8"


# --- where the registry was


def test_a_project_that_was_moved_keeps_its_history(repo: GitProject) -> None:
    first = repo.commit(registry=registry(floating("ocr", "stable")), lock=lock_of(ocr="stable=1"))
    second = repo.commit(lock=lock_of(ocr="stable=2"))
    repo.branch("old")
    repo.checkout("main")
    repo.move("projects/ocr")
    repo.commit("move")
    third = repo.commit(lock=lock_of(ocr="stable=3"))
    ran = history(repo)
    assert arrivals(ran, "ocr") == [("1", first), ("2", second), ("3", third)]
    # A branch from before knows it by the old name.
    assert versions(ran, "ocr")[1]["branches"] == ["old"]


def test_and_one_that_was_moved_twice_and_called_otherwise_at_first(repo: GitProject) -> None:
    (repo.path / "weights.yml").write_text(ocr("1.0"), "utf-8")
    first = repo.commit()
    (repo.path / "weights.yml").rename(repo.path / "models.yaml")
    repo.commit("as envkit wants it")
    repo.move("a")
    repo.commit()
    repo.move("b")
    second = repo.commit(registry=ocr("1.0", task="text"))
    ran = history(repo)
    assert arrivals(ran, "ocr") == [("1.0", first)]
    assert versions(ran, "ocr")[0]["edits"][0]["commit"] == second


def test_another_project_in_its_old_place_is_not_its_history(repo: GitProject) -> None:
    repo.commit(registry=ocr("1.0"))
    repo.move("projects/ocr")
    repo.commit("move")
    (repo.root / "models.yaml").write_text(registry(entry("other", "9")), "utf-8")
    repo.commit("another project")
    repo.commit(registry=ocr("2.0"))
    ran = history(repo)
    assert [model["name"] for model in ran.data["models"]] == ["ocr"]
    assert [one["version"] for one in versions(ran, "ocr")] == ["1.0", "2.0"]


def test_projects_in_one_repository_have_a_history_each(tmp_path: Path) -> None:
    one = GitProject.make(tmp_path / "all", "one - 一")
    other = GitProject(one.root, "[det]")  # no pattern
    other.path.mkdir()
    one.commit(registry=registry(entry("ocr", "1")))
    other.days = one.days
    other.commit(registry=registry(entry("det", "1")))
    assert [model["name"] for model in history(one).data["models"]] == ["ocr"]
    assert [model["name"] for model in history(other).data["models"]] == ["det"]


# --- clones


def test_a_shallow_clone_says_where_it_is_cut(repo: GitProject, tmp_path: Path) -> None:
    repo.commit(registry=ocr("1.0"))
    cut = repo.commit("the last one to be seen")
    repo.commit(registry=ocr("2.0"))
    clone = repo.clone(tmp_path / "clone", "--depth=2")
    ran = history(clone)
    one, two = versions(ran, "ocr")
    assert (one["since"]["commit"], one["or_earlier"], two["or_earlier"]) == (cut, True, False)
    assert [commit["commit"] for commit in ran.data["shallow_at"]] == [cut]
    said = f"this clone is shallow: its history begins at {cut[:7]} (2026-03-04); git fetch --unshallow"
    assert said in ran.lines
    assert "<= 2026-03-04" in text_of(ran.lines)


def test_a_clone_knows_branches_by_their_remote(repo: GitProject, tmp_path: Path) -> None:
    repo.commit(registry=ocr("1.0"))
    repo.branch("side")
    repo.commit(registry=ocr("2.0"))
    repo.checkout("main")
    clone = repo.clone(tmp_path / "clone")
    one, two = versions(history(clone), "ocr")
    assert (one["branches"], two["branches"]) == (["main"], ["origin/side"])
    assert history(clone, branch="side").data["at"] == "origin/side"


def test_a_detached_head_as_ci_has_it(repo: GitProject, tmp_path: Path) -> None:
    repo.commit(registry=ocr("1.0"))
    repo.commit(registry=ocr("2.0"))
    clone = repo.clone(tmp_path / "clone")
    clone.git("checkout", "--quiet", "--detach", "HEAD~1")
    ran = history(clone)
    assert ran.data["at"] == "HEAD"
    assert [one["current"] for one in versions(ran, "ocr")] == [True, False]


# --- tags and authors


def test_tags_of_every_kind_carry_what_they_lead_to(repo: GitProject) -> None:
    repo.commit(registry=ocr("1.0"))
    repo.git("tag", "light")
    repo.git("tag", "--annotate", "-m", "x", "annotated")
    repo.git("tag", "--annotate", "-m", "x", "of-a-tag", "annotated")
    repo.git("tag", "tree", "HEAD^{tree}")
    repo.commit(registry=ocr("2.0"))
    repo.commit("nothing of models")
    for number in (2, 10, 9):
        repo.git("tag", f"v{number}")
    one, two = versions(history(repo), "ocr")
    assert one["tags"] == ["annotated", "light", "of-a-tag"]
    assert two["tags"] == ["v2", "v9", "v10"]


def test_many_tags_are_summed_up_for_people(repo: GitProject) -> None:
    repo.commit(registry=ocr("1.0"))
    for number in range(500):
        repo.git("tag", f"v{number}")
    ran = history(repo)
    assert len(versions(ran, "ocr")[0]["tags"]) == 500
    assert "  main, v0, v499 and 498 more" in text_of(ran.lines)


def test_authors_are_called_as_the_mailmap_has_them(repo: GitProject) -> None:
    repo.commit(author="lilei", registry=ocr("1.0"))
    (repo.root / ".mailmap").write_text("李雷 <li.lei@example.com> <lilei@example.com>\n", "utf-8")
    repo.commit("mailmap")
    ran = history(repo)
    assert versions(ran, "ocr")[0]["since"]["author"] == "李雷"


def test_a_column_of_chinese_names_is_as_wide_as_it_looks(repo: GitProject) -> None:
    repo.commit(author="张伟", registry=ocr("1.0"))
    repo.commit(author="Li Lei", registry=ocr("2.0"))
    name, head, second, first = history(repo).lines
    assert name == "ocr"
    column = head.index("commit")
    assert second.index(versions(history(repo), "ocr")[1]["since"]["commit"][:7]) == column
    assert first.index(versions(history(repo), "ocr")[0]["since"]["commit"][:7]) == column - 2  # two are twice as wide


def test_what_would_steer_a_terminal_is_not_printed(repo: GitProject) -> None:
    repo.commit("gone \x1b[2J", author="Li\x1b[31mLei", registry=ocr("1.0", accuracy="1"))
    repo.commit(author="a\u202eb", registry=ocr("1.0", task="\x07", accuracy="2"))
    lines = "".join((*history(repo).lines, *blame(repo, "ocr").lines))
    assert "Li�[31mLei" in lines
    assert not any(character in lines for character in "\x1b\x07\u202e")


# --- metrics


def test_metrics_stand_beside_those_of_the_version_before(repo: GitProject) -> None:
    repo.commit(registry=ocr("1", accuracy_top1="76.2%", metrics={"latency_ms": 3.5}))
    repo.commit(registry=ocr("2", accuracy_top1=0.768, metrics={"latency_ms": 3.25}))
    repo.commit(registry=ocr("3", accuracy_top1="75.9%", metrics={"latency_ms": 3.3, "params": "12"}))
    ran = history(repo)
    told = [{name: (m["change"], m["verdict"]) for name, m in one["metrics"].items()} for one in versions(ran, "ocr")]
    assert told == [
        {"latency_ms": (None, "same"), "accuracy_top1": (None, "same")},
        {"latency_ms": ("-0.25", "better"), "accuracy_top1": ("+0.006", "better")},
        {
            "latency_ms": ("+0.05", "worse"),
            "params": (None, "same"),
            "accuracy_top1": ("-0.9 pp", "worse"),
        },
    ]
    assert "accuracy_top1 75.9% (-0.9 pp ↓ worse)" in text_of(ran.lines)
    assert "latency_ms 3.25 (-0.25 ↓)" in text_of(ran.lines)


def test_what_is_within_the_tolerance_is_not_worse(repo: GitProject) -> None:
    declared = {"hmean": {"higher_is_better": True, "tolerance": 0.01}}
    for version, hmean in (("1", 0.78), ("2", 0.77), ("3", 0.75)):
        repo.commit(registry=registry(entry("ocr", version, metrics={"hmean": hmean}), metrics=declared))
    verdicts = [one["metrics"]["hmean"]["verdict"] for one in versions(history(repo), "ocr")]
    assert verdicts == ["same", "same", "worse"]


def test_a_side_branch_is_compared_with_where_it_began(repo: GitProject) -> None:
    repo.commit(registry=ocr("1", accuracy="0.5"))
    repo.branch("side")
    repo.checkout("main")
    repo.commit(registry=ocr("2", accuracy="0.9"))
    repo.checkout("side")
    repo.commit(registry=ocr("1-try", accuracy="0.6"))
    *_, tried = versions(history(repo), "ocr")
    assert tried["metrics"]["accuracy"]["change"] == "+0.1"


def test_metrics_that_were_rewritten_under_one_version_are_said(repo: GitProject) -> None:
    repo.commit(registry=ocr("1", accuracy="0.5"))
    edited = repo.commit(author="Han Meimei", registry=ocr("1", accuracy="0.9"))
    assert f"    accuracy: 0.5 → 0.9 (2026-03-04, {edited[:7]}, Han Meimei)" in history(repo).lines


# --- what there is not


def test_secrets_in_addresses_are_shown_nowhere(repo: GitProject) -> None:
    url = "https://user:SECRET1@example.com/m.pdparams?token=SECRET2"
    see = "as on https://a:SECRET3@example.com/x?SECRET4 says"
    more = {"source": "http", "url": url, "mirrors": [url], "hint": see, "deep": {"a": [url]}}
    plain = {"name": "ocr", "version": "1", "md5": "a" * 32}
    repo.commit(registry=registry({**plain, **more}))
    moved = {**more, "url": url.replace("m.pd", "n.pd"), "mirrors": [url, url.replace("m.pd", "n.pd")], "hint": see * 2}
    repo.commit(registry=registry({**plain, **moved, "deep": {"a": [url, "b"]}}))
    said = text(history(repo))
    assert "example.com/m.pdparams" in said
    assert "SECRET" not in said


def test_a_name_that_never_was(repo: GitProject) -> None:
    repo.commit(registry=ocr("1.0"))
    repo.commit(registry=registry(entry("detector", "1.0")))
    with pytest.raises(InputError, match=r"no commit ever had a model 'ocrr'\n  did you mean 'ocr'\?"):
        history(repo, "ocrr")
    with pytest.raises(InputError, match=r"there were: detector, ocr"):
        history(repo, "something-else")


def test_no_commit_no_registry_no_repository(repo: GitProject, tmp_path: Path) -> None:
    repo.write(registry=ocr("1.0"))
    with pytest.raises(InputError, match="there is no commit here yet"):
        history(repo)
    (repo.path / ".gitignore").write_text("models.yaml\n")
    repo.commit()
    with pytest.raises(InputError, match=r"models\.yaml is in no commit yet"):
        history(repo)
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "models.yaml").write_text(ocr("1.0"))
    with pytest.raises(NoGitError, match="not in a Git repository"):
        history(GitProject(tmp_path / "plain"))


def test_what_is_not_committed_is_said(repo: GitProject) -> None:
    repo.commit(registry=ocr("1.0"))
    assert history(repo).data["uncommitted"] == []
    repo.write(registry=ocr("2.0"), lock=lock_of())
    ran = history(repo)
    assert ran.data["uncommitted"] == ["models.yaml", "models.lock.yaml"]
    assert "models.yaml and models.lock.yaml: what is changed there is in no commit" in text_of(ran.lines)
    assert [one["version"] for one in versions(ran, "ocr")] == ["1.0"]
