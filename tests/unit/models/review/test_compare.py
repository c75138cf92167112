"""What counts as a change of the registry, and which entries are one and the same."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from envkit.models import revisions
from envkit.models.locking import lock
from envkit.models.locking.lock import Lock, Locked, LockedFile
from envkit.models.model import PLACEHOLDER_MD5, Digests, Model
from envkit.models.review.compare import Change, compare
from envkit.models.review.fields import FieldChange
from envkit.models.revisions import Revision
from tests.support.reviewed import MD5_A, MD5_B, MD5_C, SHA_A, SHA_B, entry

HUB = {"source": "huggingface", "url": None, "md5": None, "size": None, "repo": "team/ocr"}


def revision(*entries: Mapping[str, object], locked: Mapping[str, Locked] | None = None) -> Revision:
    """A revision with these entries; ``locked`` makes the lock's by their names, or by the versions asked for."""
    text = yaml.safe_dump({"models": [dict(one) for one in entries]}, sort_keys=False)
    found = revisions.of("0" * 40, text.encode(), None)
    assert found.problem is None
    if locked is None:
        return found
    asked = {key: model for model in found.registry.models for key in (model.name, model.version)}
    made = Lock.of(_fitting(one, asked[name]) for name, one in locked.items())
    both = revisions.of("0" * 40, text.encode(), lock.dump(made).encode())
    assert both.problem is None, both.problem
    return both


def _fitting(one: Locked, model: Model) -> Locked:
    return Locked(model.name, model.asked, one.version, one.locator, one.files, one.when, one.origin)


def locked(version: str, locator: str, **files: str) -> Locked:
    """An entry of a lock; ``files`` are SHA-256 by path, with ``_`` for the one file that there is."""
    made = tuple(
        LockedFile("" if path == "_" else path, Digests(sha256=sha, md5=sha[:32], size=1000))
        for path, sha in files.items()
    )
    return Locked("", {"version": ""}, version, locator, made, "2026-11-24T12:00:00Z", "here")


def kinds(changes: tuple[Change, ...]) -> list[str]:
    """Each change in a line."""
    return [
        f"{change.kind} "
        + " > ".join(f"{side.model.name} {side.version}" for side in (change.old, change.new) if side)
        + (f" beside {change.beside.version}" if change.beside else "")
        for change in changes
    ]


def one(old: Revision, new: Revision) -> Change:
    (change,) = compare(old, new)
    return change


def test_nothing_changes_where_entries_are_reordered_and_comments_are_written() -> None:
    a, b = entry("a"), entry("b")
    assert compare(revision(a, b), revision(b, a)) == ()
    plain = yaml.safe_dump({"models": [a]})
    commented = revisions.of("0" * 40, f"# a comment\n{plain}".encode(), None)
    assert compare(revision(a), commented) == ()


def test_added_and_removed_entries_come_with_all_their_fields() -> None:
    added, removed = compare(revision(entry("a", md5=MD5_B)), revision(entry("b")))
    assert kinds((added, removed)) == ["added b v1", "removed a v1"]
    assert FieldChange("md5", "registry", None, MD5_A) in added.fields
    assert FieldChange("license", "metadata", "Apache-2.0", None) in removed.fields


def test_every_field_that_differs_is_told_with_what_has_it() -> None:
    old = entry(mirrors=["https://a.example/x"], unpack="none", task="x", metrics={"acc": {"value": 1}})
    new = entry(mirrors=["https://b.example/x", "https://c.example/x"], md5=MD5_B, metrics={"acc": {"value": 2}})
    found = one(revision(old), revision(new)).fields
    assert [(field.key, field.where, field.old, field.new) for field in found] == [
        ("md5", "registry", MD5_A, MD5_B),
        ("unpack", "registry", "none", None),
        ("mirrors", "registry", "https://a.example/x", '["https://b.example/x", "https://c.example/x"]'),
        ("task", "metadata", "x", None),
        ("metrics.acc.value", "metadata", "1", "2"),
    ]


@pytest.mark.parametrize(("old", "new"), [(1, "1"), (1, True), (1, 1.0), (None, "null"), ([1], ["1"]), ({}, [])])
def test_values_of_another_type_differ_also_where_they_look_alike(old: object, new: object) -> None:
    sides = [revision({**entry(), "note": value}) for value in (old, new)]
    (field,) = one(*sides).fields
    assert field.key == "note"
    assert field.old != field.new


def test_secrets_of_addresses_are_not_shown_and_their_change_is_told() -> None:
    old = entry(url="https://user:secret@models.example/a.pdparams?token=old", notes="see https://me:pw@wiki.example/x")
    new = entry(url="https://user:secret@models.example/a.pdparams?token=new", notes="see https://me:xy@wiki.example/x")
    url, notes = one(revision(old), revision(new)).fields
    assert url.old == "https://models.example/a.pdparams?…"
    assert url.new == "https://models.example/a.pdparams?… (what is not shown differs)"
    assert notes.old == "see https://wiki.example/x"
    assert "differs" in str(notes.new)


def test_what_cannot_be_seen_is_written_out() -> None:
    change = one(revision(entry()), revision(entry(note="a\u202eb\x1b[31mc\nd\u200b")))
    assert change.fields == (FieldChange("note", "metadata", None, r"a\u202eb\x1b[31mc\nd\u200b"),)


def test_the_bytes_under_another_name_are_a_rename() -> None:
    change = one(revision(entry("old")), revision(entry("new")))
    assert kinds((change,)) == ["renamed old v1 > new v1"]
    assert change.bytes is not None
    assert change.bytes.state == "same"


def test_no_rename_is_seen_in_a_placeholder_or_in_another_part_of_one_archive() -> None:
    empty = {"md5": PLACEHOLDER_MD5}
    assert kinds(compare(revision(entry("a", **empty)), revision(entry("b", **empty)))) == [
        "added b v1",
        "removed a v1",
    ]
    tar = {"url": "https://models.example/all.tar"}
    old, new = entry("a", path="a/", **tar), entry("b", path="b/", **tar)
    assert kinds(compare(revision(old), revision(new))) == ["added b v1", "removed a v1"]


def test_several_versions_of_a_name_are_told_apart() -> None:
    old = revision(entry(version="1.9", md5=MD5_A), entry(version="1.10", md5=MD5_B))
    beside = revision(*[entry(version=v, md5=d) for v, d in (("1.9", MD5_A), ("1.10", MD5_B), ("1.11", MD5_C))])
    assert kinds(compare(old, beside)) == ["added resnet 1.11 beside 1.10"]
    assert kinds(compare(beside, old)) == ["removed resnet 1.11 beside 1.10"]
    moved = revision(entry(version="1.9", md5=MD5_A), entry(version="1.11", md5=MD5_C))
    assert kinds(compare(old, moved)) == ["changed resnet 1.10 > resnet 1.11"]


def test_of_several_new_versions_the_newest_takes_the_place_of_the_newest() -> None:
    old = revision(entry(version="1.0", md5=MD5_A))
    new = revision(entry(version="1.10", md5=MD5_B), entry(version="1.9", md5=MD5_C))
    assert kinds(compare(old, new)) == ["changed resnet 1.0 > resnet 1.10", "added resnet 1.9 beside 1.0"]


def test_a_version_is_followed_by_its_bytes_before_its_age() -> None:
    old = revision(entry(version="a", md5=MD5_A), entry(version="b", md5=MD5_B))
    new = revision(entry(version="c", md5=MD5_C), entry(version="d", md5=MD5_A))
    assert kinds(compare(old, new)) == ["changed resnet b > resnet c", "changed resnet a > resnet d"]


@pytest.mark.parametrize(
    ("old", "new", "state"),
    [
        ({"md5": MD5_A}, {"md5": MD5_B}, "changed"),
        ({"md5": MD5_A}, {"md5": MD5_A, "sha256": SHA_A}, "same"),
        ({"md5": MD5_A, "sha256": SHA_A}, {"md5": MD5_A, "sha256": SHA_B}, "changed"),
        ({"md5": MD5_A}, {"md5": None, "sha256": SHA_A}, "replaced"),
        ({"md5": MD5_A, "size": 1}, {"md5": None, "sha256": SHA_A, "size": 2}, "changed"),
        ({"md5": MD5_A}, {"md5": None}, "lost"),
        ({"md5": MD5_A}, {"md5": PLACEHOLDER_MD5}, "lost"),
        ({"md5": PLACEHOLDER_MD5}, {"md5": MD5_A}, "same"),
        ({"md5": None}, {"md5": MD5_A}, "same"),
        ({"md5": None}, {"md5": None, "url": "https://else.example/x.pdparams"}, "unproven"),
        ({"md5": MD5_A}, {"md5": MD5_A, "url": "https://else.example/x.pdparams"}, "same"),
        ({"url": "https://a.example/x.tar", "path": "a/"}, {"url": "https://a.example/x.tar", "path": "b/"}, "members"),
        ({**HUB, "revision": "a" * 40}, {**HUB, "revision": "b" * 40}, "changed"),
        ({**HUB, "revision": "a" * 40}, {**HUB, "revision": "a" * 40, "task": "x"}, "same"),
        ({**HUB, "revision": "a" * 40}, {**HUB, "revision": "a" * 40, "path": "x/"}, "members"),
    ],
)
def test_what_became_of_the_bytes(old: dict[str, object], new: dict[str, object], state: str) -> None:
    change = one(revision(entry(**old)), revision(entry(**{**new, "note": "so that something differs"})))
    assert change.bytes is not None
    assert change.bytes.state == state


def test_a_digest_that_only_the_lock_has_counts() -> None:
    declared = entry(md5=None)
    url = str(declared["url"])
    old, new = (revision(declared, locked={"resnet": locked("v1", url, _=sha)}) for sha in (SHA_A, SHA_B))
    change = one(old, new)
    assert change.bytes is not None
    assert [(found.what, found.old, found.new) for found in change.bytes.differing] == [
        ("sha256", SHA_A, SHA_B),
        ("md5", MD5_A, MD5_B),
    ]
    assert {field.where for field in change.fields} == {"lock"}


def test_a_file_of_a_set_that_changed_is_named() -> None:
    declared = entry(**HUB, revision="a" * 40)
    locator = f"team/ocr@{'a' * 40}"
    old, new = (
        revision(declared, locked={"resnet": locked("v1", locator, weights=weights, config=SHA_A)})
        for weights in (SHA_A, SHA_B)
    )
    change = one(old, new)
    assert change.bytes is not None
    assert {found.path for found in change.bytes.differing} == {"weights"}
    assert "weights: sha256" in {field.key for field in change.fields}


def test_what_a_floating_entry_came_to_is_its_version() -> None:
    declared = entry(version="stable", source="pypi", url=None, package="ocr", path="ocr/a.bin", md5=None)
    old, new = (
        revision(declared, locked={"resnet": locked(version, f"ocr=={version}", _=sha)})
        for version, sha in (("1.0", SHA_A), ("1.1", SHA_B))
    )
    change = one(old, new)
    assert kinds((change,)) == ["changed resnet 1.0 > resnet 1.1"]
    assert not change.same_version
    assert FieldChange("version", "lock", "1.0", "1.1") in change.fields
    exact = revision({**declared, "version": "1.0"}, locked={"resnet": locked("1.0", "ocr==1.0", _=SHA_B)})
    assert one(old, exact).same_version


def test_a_floating_version_is_followed_to_the_exact_one_that_it_was() -> None:
    floating = entry(version="stable", source="pypi", url=None, package="ocr", path="ocr/a.bin", md5=None)
    exact, newer = {**floating, "version": "1.0"}, {**floating, "version": "2.0"}
    came_to = {"stable": locked("1.0", "ocr==1.0", _=SHA_A), "2.0": locked("2.0", "ocr==2.0", _=SHA_B)}
    old = revision(floating, newer, locked=came_to)
    new = revision(exact, locked={"1.0": locked("1.0", "ocr==1.0", _="0d" * 32)})
    assert kinds(compare(old, new)) == ["changed resnet 1.0 > resnet 1.0", "removed resnet 2.0 beside 1.0"]


def test_a_registry_that_is_not_there_has_no_entries(tmp_path: Path) -> None:
    nothing = revisions.of("0" * 40, None, None)
    assert kinds(compare(nothing, revision(entry()))) == ["added resnet v1"]
