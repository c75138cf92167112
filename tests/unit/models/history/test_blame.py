"""Which commit brought these weights: asked by name, by version, by digest, and by the file itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from envkit.commands import models
from envkit.errors import InputError
from envkit.models.model import PLACEHOLDER_MD5
from tests.support.histories import blame
from tests.support.history_project import GitProject, entry, floating, lock_of, registry
from tests.support.model_project import Ran, md5, sha256
from tests.support.model_project import entry as served
from tests.support.model_server import ModelServer


def ocr(version: str, **more: object) -> str:
    return registry(entry("ocr", version, **more))


def commits(ran: Ran) -> list[str]:
    return [answer["since"]["commit"] for answer in ran.data["answers"]]


def test_a_name_is_the_version_that_is_pinned_now(repo: GitProject) -> None:
    repo.commit(registry=ocr("1.0"))
    brought = repo.commit("a better one", author="张伟", registry=ocr("2.0"))
    repo.commit(registry=ocr("2.0", license="MIT"))
    ran = blame(repo, "ocr")
    assert commits(ran) == [brought]
    assert ran.lines == (
        "ocr 2.0",
        f"  commit      {brought}",
        "  author      张伟",
        "  date        2026-03-04 09:00:00+08:00",
        "  subject     a better one",
        "  by          models.yaml",
        "  changed     version: 1.0 → 2.0",
        f"              md5: {md5(b'ocr 1.0')} → {md5(b'ocr 2.0')}",
        "              hub_url: https://models.example.com/ocr/1.0/ocr.pdparams → "
        "https://models.example.com/ocr/2.0/ocr.pdparams",
        "  from        https://models.example.com/ocr/2.0/ocr.pdparams",
        f"  bytes       md5 {md5(b'ocr 2.0')}",
        "  carried by  main",
    )


def test_the_first_version_has_nothing_before_it(repo: GitProject) -> None:
    repo.commit(registry=ocr("1.0"))
    assert "  changed     nothing before it: its first version" in blame(repo, "ocr").lines


def test_a_lock_that_moved_is_what_brought_it(repo: GitProject) -> None:
    repo.commit(registry=registry(floating("ocr", "stable")), lock=lock_of(ocr="stable=1.0"))
    moved = repo.commit(lock=lock_of(ocr="stable=1.1"))
    ran = blame(repo, "ocr")
    assert commits(ran) == [moved]
    assert "  by          models.lock.yaml" in ran.lines


def test_a_checkout_of_an_older_commit_answers_for_that(repo: GitProject) -> None:
    first = repo.commit(registry=ocr("1.0"))
    second = repo.commit(registry=ocr("2.0"))
    repo.git("checkout", "--quiet", first)
    assert commits(blame(repo, "ocr")) == [first]
    # What is pinned counts, whether a commit that is checked out has it or not.
    repo.write(registry=ocr("2.0"))
    assert commits(blame(repo, "ocr")) == [second]


def test_what_is_pinned_and_not_committed_was_brought_by_none(repo: GitProject) -> None:
    repo.commit(registry=ocr("1.0"))
    repo.write(registry=ocr("2.0"))
    with pytest.raises(InputError, match=r"model 'ocr' 2\.0, as models\.yaml and its lock have it now, is in no comm"):
        blame(repo, "ocr")
    repo.write(registry=ocr("1.0", md5="b" * 32))
    with pytest.raises(InputError, match="is in no commit"):
        blame(repo, "ocr")


def test_a_model_that_is_gone_answers_with_its_last_version(repo: GitProject) -> None:
    repo.commit(registry=ocr("1.0"))
    last = repo.commit(registry=ocr("2.0"))
    left = repo.commit("away with it", registry=registry())
    ran = blame(repo, "ocr")
    assert commits(ran) == [last]
    assert f"  until       {left[:7]} (2026-03-05, Li Lei): away with it" in ran.lines


def test_a_registry_that_cannot_be_read_now_leaves_what_is_committed(repo: GitProject) -> None:
    brought = repo.commit(registry=ocr("1.0"))
    repo.write(registry="models: [\n")
    assert commits(blame(repo, "ocr")) == [brought]


def test_a_version_is_everything_it_ever_was(repo: GitProject) -> None:
    first = repo.commit(registry=ocr("1.0", md5="a" * 32))
    repo.commit(registry=ocr("2.0"))
    again = repo.commit(registry=ocr("1.0", md5="b" * 32))
    ran = blame(repo, "ocr@1.0")
    assert commits(ran) == [again, first]
    loud = f"changed under the same version: md5 {'a' * 12} → {'b' * 12}, the earlier bytes came with {first[:7]}"
    assert f"  !           {loud}" in ran.lines
    with pytest.raises(InputError, match=r"no commit ever had version '3' of model 'ocr'\n  it had: 1\.0, 2\.0"):
        blame(repo, "ocr@3")


def test_a_version_may_be_asked_for_by_its_wish(repo: GitProject) -> None:
    one = repo.commit(registry=registry(floating("ocr", "stable")), lock=lock_of(ocr="stable=1"))
    two = repo.commit(lock=lock_of(ocr="stable=2"))
    assert commits(blame(repo, "ocr@stable")) == [two, one]


def test_a_digest_or_its_beginning(repo: GitProject) -> None:
    brought = repo.commit(registry=registry(floating("ocr", "stable")), lock=lock_of(ocr="stable=1"))
    repo.commit(lock=lock_of(ocr="stable=2"))
    for digest in (sha256(b"ocr 1"), md5(b"ocr 1")):
        for text in (digest, digest[:8], digest[:12].upper()):
            assert commits(blame(repo, text)) == [brought], text


def test_models_out_of_one_artifact_are_all_answered_for(repo: GitProject) -> None:
    one = repo.commit(registry=registry(entry("det", "1", md5="ab" * 16)))
    two = repo.commit(registry=registry(entry("det", "1", md5="ab" * 16), entry("rec", "1", md5="ab" * 16)))
    ran = blame(repo, "abababab")
    assert sorted(commits(ran)) == sorted([one, two])
    assert {answer["name"] for answer in ran.data["answers"]} == {"det", "rec"}


def test_a_beginning_that_several_digests_have_names_them(repo: GitProject) -> None:
    one, two = "12345678" + "a" * 24, "12345678" + "b" * 24
    repo.commit(registry=ocr("1", md5=one))
    repo.commit(registry=ocr("2", md5=two))
    with pytest.raises(InputError, match=f"several digests begin with 12345678\n  they are: {one}, {two}"):
        blame(repo, "12345678")
    with pytest.raises(InputError, match="no commit ever had a model whose digest begins with 9999999999"):
        blame(repo, "9999999999")
    with pytest.raises(InputError, match="no commit ever had a model '1234567'"):
        blame(repo, "1234567")  # too short for a digest


def test_a_digest_that_came_later_than_the_version(repo: GitProject) -> None:
    brought = repo.commit("unproven", registry=ocr("1", md5=PLACEHOLDER_MD5))
    pinned = repo.commit("its digest", registry=ocr("1", md5="a" * 32))
    ran = blame(repo, "ocr")
    assert commits(ran) == [brought]
    assert f"              known since {pinned[:7]} (2026-03-04, Li Lei): its digest" in ran.lines


def test_a_version_that_two_branches_brought_names_both(repo: GitProject) -> None:
    repo.commit(registry=ocr("1"))
    repo.branch("side")
    other = repo.commit("over there", registry=ocr("2"))
    repo.checkout("main")
    repo.commit("meanwhile")
    own = repo.commit("here", registry=ocr("2"))
    assert commits(blame(repo, "ocr")) == [own]
    repo.merge("side")
    ran = blame(repo, "ocr")
    assert commits(ran) == [other]
    assert f"  also by     {own[:7]} (2026-03-06, Li Lei): here" in ran.lines


def test_of_two_commits_the_one_that_is_checked_out_is_named(repo: GitProject) -> None:
    repo.commit(registry=ocr("1"))
    repo.branch("side")
    repo.commit("over there", registry=ocr("2"))
    repo.checkout("main")
    repo.commit("meanwhile")
    own = repo.commit("here", registry=ocr("2"))
    repo.checkout("side")
    repo.merge("main")
    repo.checkout("main")
    assert commits(blame(repo, "ocr")) == [own]


def test_a_shallow_clone_says_that_it_may_have_been_earlier(repo: GitProject, tmp_path: Path) -> None:
    repo.commit(registry=ocr("1"))
    repo.commit("something else")
    clone = repo.clone(tmp_path / "clone", "--depth=1")
    assert "              or an earlier one: this clone is shallow" in blame(clone, "ocr").lines


# --- files in place


@pytest.fixture
def synced(repo: GitProject, server: ModelServer) -> GitProject:
    """Version 1 of a file is in place, as `sync` left it, and the commit after has version 2."""
    (repo.root / ".gitignore").write_text("checkpoints/\n")
    for version, body in (("v1", b"one"), ("v2", b"two")):
        server.serve(f"/{version}.pdparams", body)
        repo.commit(
            version, registry=registry({**served("ocr", server.url(f"/{version}.pdparams"), body), "version": version})
        )
        if version == "v1":
            models.sync(repo.settings, dry_run=False, pace=models.Pace(1, 1), report=lambda _: None)
    return repo


def test_a_file_in_place_is_what_it_was_made_from(synced: GitProject, monkeypatch: pytest.MonkeyPatch) -> None:
    file = synced.path / "checkpoints" / "ocr_v1.pdparams"
    first = synced.git("rev-parse", "HEAD~1")
    assert commits(blame(synced, str(file))) == [first]
    monkeypatch.chdir(synced.path)
    assert commits(blame(synced, "checkpoints/ocr_v1.pdparams")) == [first]
    monkeypatch.chdir(file.parent)
    assert commits(blame(synced, "ocr_v1.pdparams")) == [first]
    assert commits(blame(synced, "./ocr_v1.pdparams")) == [first]


def test_a_symlink_is_meant_by_the_name_that_it_has(synced: GitProject, tmp_path: Path) -> None:
    file = synced.path / "checkpoints" / "ocr_v1.pdparams"
    file.rename(tmp_path / "blob")
    file.symlink_to(tmp_path / "blob")
    assert commits(blame(synced, str(file))) == [synced.git("rev-parse", "HEAD~1")]
    (tmp_path / "project.link").symlink_to(synced.path)
    through = tmp_path / "project.link" / "checkpoints" / file.name
    assert commits(blame(synced, str(through))) == [synced.git("rev-parse", "HEAD~1")]


def test_bytes_that_were_put_there_by_hand_are_known_by_their_digest(synced: GitProject) -> None:
    file = synced.path / "checkpoints" / "ocr_v1.pdparams"
    file.unlink()
    file.write_bytes(b"two")
    assert commits(blame(synced, str(file))) == [synced.git("rev-parse", "HEAD")]
    file.write_bytes(b"three")
    with pytest.raises(InputError, match=f"no commit ever had these bytes: sha256 {sha256(b'three')}"):
        blame(synced, str(file))


def test_a_file_that_is_not_there_yet_goes_by_its_name(synced: GitProject) -> None:
    folder = synced.path / "checkpoints"
    assert commits(blame(synced, str(folder / "ocr_v2.pdparams"))) == [synced.git("rev-parse", "HEAD")]
    with pytest.raises(InputError, match=r"checkpoints/ocr_v3\.pdparams: no commit ever had a model that is called so"):
        blame(synced, str(folder / "ocr_v3.pdparams"))
    with pytest.raises(InputError, match="is not below"):
        blame(synced, str(synced.path / "models.yaml"))
