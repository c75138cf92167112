"""models.lock.yaml as a file: it is read back as it was written, fits or is told, and pins a registry the same way."""

from __future__ import annotations

import difflib
import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from envkit.errors import InputError
from envkit.models.locking import lock, mend
from envkit.models.locking.changes import changes
from envkit.models.locking.lock import Lock, Locked, LockedFile
from envkit.models.model import Digests
from envkit.models.plan import State, make_plan
from envkit.models.registry import registry
from envkit.models.registry.registry import Registry
from tests.support.project import REPOSITORY

thorough = settings(max_examples=150, deadline=None, derandomize=True, database=None)

MD5, SHA256, BLOB, COMMIT = "0a" * 16, "0b" * 32, "0c" * 20, "0d" * 20
WHEN = "2026-11-24T12:00:00Z"
DIGESTS = Digests(MD5, SHA256, 7)

TEXT = f"""\
models:
  - name: net
    version: v1
    source: http
    url: https://models.example/net.pdparams
    md5: {MD5}
  - {{name: det, version: stable, source: pypi, package: tiny, path: a/}}
  - {{name: ocr, version: 2, source: huggingface, repo: team/ocr, path: [a/, b.txt]}}
"""
NET = Locked(
    "net",
    {"source": "http", "version": "v1", "url": "https://models.example/net.pdparams"},
    "v1",
    "https://models.example/net.pdparams",
    (LockedFile("", DIGESTS, "https://cdn.example/net.pdparams", '"tag"'),),
    WHEN,
    "https://models.example/net.pdparams",
)
DET = Locked(
    "det",
    {"source": "pypi", "version": "stable", "package": "tiny"},
    "1.5",
    "tiny==1.5",
    (LockedFile("", DIGESTS),),
    WHEN,
    "the package index (tiny)",
)
OCR = Locked(
    "ocr",
    {"source": "huggingface", "version": "2", "repo": "team/ocr", "path": "a/\nb.txt"},
    "2",
    f"team/ocr@{COMMIT}",
    (LockedFile("a/net", Digests(sha256=SHA256, size=9)), LockedFile("b.txt", Digests(git_blob=BLOB, size=2))),
    WHEN,
    f"the hub (team/ocr@{COMMIT})",
)
LOCK = Lock.of([NET, DET, OCR])


def problems(found: Registry, held: Lock | None) -> list[str]:
    return [str(problem) for problem in lock.misfits(found, held)]


def test_the_file_is_one_that_people_can_read() -> None:
    assert lock.dump(Lock.of([NET])) == (
        "# What models.yaml comes to: `envkit models lock` writes this file, `envkit models sync` goes by it.\n"
        "# Commit it beside models.yaml; do not write in it by hand.\n"
        "schema: 1\n"
        "models:\n"
        "- name: net\n"
        "  asked:\n"
        "    source: http\n"
        "    version: v1\n"
        "    url: https://models.example/net.pdparams\n"
        "  version: v1\n"
        "  locator: https://models.example/net.pdparams\n"
        "  files:\n"
        "  - url: https://cdn.example/net.pdparams\n"
        "    size: 7\n"
        f"    md5: {MD5}\n"
        f"    sha256: {SHA256}\n"
        "    etag: '\"tag\"'\n"
        "  locked:\n"
        f"    at: '{WHEN}'\n"
        "    from: https://models.example/net.pdparams\n"
    )


def test_a_lock_pins_versions_commits_and_digests() -> None:
    found = {model.name: model for model in lock.pin(registry.parse(TEXT), LOCK).models}
    assert (found["net"].target, found["net"].artifact.digests) == ("net_v1.pdparams", DIGESTS)
    assert (found["det"].target, found["det"].artifact.locator) == ("det_1.5", "tiny==1.5")
    assert found["ocr"].artifact.locator == f"team/ocr@{COMMIT}"
    assert dict(found["ocr"].artifact.files) == {file.path: file.digests for file in OCR.files}
    assert not any(model.floats for model in found.values())


def test_a_version_has_its_place_in_mirrors_too() -> None:
    text = TEXT.replace("    md5:", "    mirrors: ['https://m.example/{version}/net']\n    md5:")
    for held in (None, LOCK):
        parsed = registry.parse(text)
        found = replace(parsed, models=parsed.models[:1])
        (model,) = lock.pin(found, held and Lock.of([NET])).models
        assert model.artifact.mirrors == ("https://m.example/v1/net",)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("net.pdparams", "other.pdparams", "models.yaml:5:10: model 'net' v1 has another url than models.lock.yaml"),
        (f"md5: {MD5}", f"md5: {'1' * 32}", f"models.yaml:6:10: model 'net' v1 has md5 {'1' * 32}, and"),
        (f"md5: {MD5}", "size: 8", "models.yaml:6:11: model 'net' v1 has size 8, and models.lock.yaml 7"),
        ("version: v1", "version: v2", "models.yaml:2:11: model 'net' v2 is not in models.lock.yaml"),
        ("name: net", "name: new", "models.yaml:2:11: model 'new' v1 is not in models.lock.yaml"),
        ("version: stable", "version: '>1'", "models.yaml:7:12: model 'det' >1 is not in models.lock.yaml"),
        ("repo: team/ocr,", "repo: team/ocr, revision: dev,", "has another revision"),
        ("path: [a/, b.txt]", "path: a/", "model 'ocr' 2 has another path than models.lock.yaml was made for: 'a/'"),
    ],
)
def test_what_does_not_fit_is_told_at_its_place_with_the_command_that_mends_it(old: str, new: str, told: str) -> None:
    assert TEXT.count(old) == 1
    said = problems(registry.parse(TEXT.replace(old, new)), LOCK)
    assert told in said[0]
    assert said[0].endswith("\n  envkit models lock")
    with pytest.raises(InputError) as raised:
        lock.pin(registry.parse(TEXT.replace(old, new)), LOCK)
    assert [str(problem) for problem in raised.value.problems] == said


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (f"    md5: {MD5}\n", ""),
        (f"md5: {MD5}", f"md5: {MD5.upper()}"),
        (f"md5: {MD5}", f"sha256: {SHA256}"),
        ("    md5:", "    mirrors: https://m.example/net\n    md5:"),
        ("    md5:", "    task: detection\n    md5:"),
        ("path: a/}", "path: b/}"),
        ("- name: net", "- # a comment\n    name: net"),
    ],
)
def test_what_does_not_decide_the_bytes_may_change(old: str, new: str) -> None:
    assert old in TEXT
    assert problems(registry.parse(TEXT.replace(old, new)), LOCK) == []


def test_an_entry_for_no_model_does_not_fit_either() -> None:
    more = replace(NET, name="old", asked={**NET.asked, "version": "v0"})
    held = lock.parse(lock.dump(Lock.of([*LOCK.entries.values(), more])))
    (said,) = problems(registry.parse(TEXT), held)
    line = lock.dump(held).splitlines().index("- name: old") + 1
    assert said == (f"models.lock.yaml:{line}:3: model 'old' v0 is not in models.yaml any more\n  envkit models lock")


def test_without_a_lock_only_what_needs_one_is_told() -> None:
    text = TEXT.replace(f"    md5: {MD5}\n", "")
    (net, det, ocr) = problems(registry.parse(text), None)
    assert net.startswith("models.yaml:2:11: model 'net' v1 has neither md5 nor sha256, and no models.lock.yaml has")
    assert det.startswith("models.yaml:6:26: model 'det' stable floats, and no models.lock.yaml says which")
    assert ocr.startswith("models.yaml:7:12: model 'ocr' 2 has neither md5 nor sha256")
    assert all(said.endswith("\n  make one: envkit models lock") for said in (net, det, ocr))
    proven = TEXT.replace(
        "version: stable, source: pypi, package: tiny", f"version: 1, source: pypi, package: tiny, md5: {MD5}"
    )
    assert problems(registry.parse(proven.replace("team/ocr", f"team/ocr, revision: {COMMIT}")), None) == []


def test_what_floats_to_the_version_beside_it_would_be_one_file() -> None:
    text = TEXT + f"  - {{name: det, version: '1.5', source: pypi, package: tiny, path: a/, md5: {MD5}}}\n"
    exact = replace(DET, asked={**DET.asked, "version": "1.5"})
    with pytest.raises(InputError, match=r"models.yaml:9:12: model 'det' 1.5 is there twice\n  the first is on line 7"):
        lock.pin(registry.parse(text), Lock.of([*LOCK.entries.values(), exact]))


def test_the_repositorys_own_lock_fits_and_names_no_host() -> None:
    text = (REPOSITORY / "models.lock.yaml").read_text("utf-8")
    held = lock.load(REPOSITORY / "models.lock.yaml")
    assert held is not None
    assert lock.dump(held) == text
    assert lock.pin(registry.load(REPOSITORY / "models.yaml"), held).models
    assert "://" not in text


# --- a file that is none -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("schema: 1", "schema: 9", 1, "is no lock that this envkit reads"),
        ("schema: 1\n", "", 1, "is no lock that this envkit reads"),
        ("- name: net", "- name: [net", 0, "not valid YAML"),
        (f"    md5: {MD5}\n    sha256: {SHA256}\n", "", 5, "this entry is not as it was written"),
        (f"md5: {MD5}", "md5: 0a", 5, "this entry is not as it was written"),
        ("size: 7", "size: -1", 5, "this entry is not as it was written"),
        ("size: 7", "size: seven", 5, "this entry is not as it was written"),
        ("  version: v1\n  locator", "  version: latest\n  locator", 5, "this entry is not as it was written"),
        ("  version: v1\n  locator", "  version: ../v1\n  locator", 5, "this entry is not as it was written"),
        ("  version: v1\n  locator", "  locator", 5, "this entry is not as it was written"),
        ("  locked:", "  lucked:", 5, "this entry is not as it was written"),
        ("  files:\n", "  files: []\n  flies:\n", 5, "this entry is not as it was written"),
    ],
)
def test_a_damaged_lock_is_told_with_the_command_that_makes_it_anew(
    old: str, new: str, line: int, message: str
) -> None:
    text = lock.dump(Lock.of([NET]))
    assert text.count(old) == 1
    with pytest.raises(InputError) as raised:
        lock.parse(text.replace(old, new))
    assert message in raised.value.message
    assert str(raised.value).startswith(f"models.lock.yaml:{line or ''}")
    assert "envkit models lock" in str(raised.value)


def test_an_entry_that_is_there_twice_is_told() -> None:
    text = lock.dump(Lock.of([NET]))
    twice = text + text[text.index("- name") :]
    with pytest.raises(InputError, match="'net' v1 is there twice"):
        lock.parse(twice)


def test_a_lock_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "models.lock.yaml").write_bytes(b"schema: 1\xff")
    with pytest.raises(InputError, match="not UTF-8 at byte 9"):
        lock.load(tmp_path / "models.lock.yaml")
    assert lock.load(tmp_path / "none.yaml") is None


def conflict(ours: str, theirs: str, *, base: str = "") -> str:
    """What `git merge` leaves where two sides differ."""
    lines: list[str] = []
    one, other = ours.splitlines(True), theirs.splitlines(True)
    for kind, a, b, c, d in difflib.SequenceMatcher(a=one, b=other, autojunk=False).get_opcodes():
        if kind == "equal":
            lines += one[a:b]
        else:
            marked = ["||||||| 1234567\n", base] if base else []
            lines += ["<<<<<<< HEAD\n", *one[a:b], *marked, "=======\n", *other[c:d], ">>>>>>> topic\n"]
    return "".join(lines)


@pytest.mark.parametrize(
    "other",
    [
        replace(NET, locator="https://elsewhere.example/net.pdparams"),
        replace(NET, version="v2"),
        replace(OCR, locator=f"others/ocr@{COMMIT}"),
        replace(OCR, version="3"),
        replace(DET, version="1.6rc1", locator="tiny==1.6rc1"),
    ],
    ids=["another address", "another version", "another repository", "another of a commit", "no stable version"],
)
def test_a_lock_leads_nowhere_that_its_entry_does_not_name(other: Locked) -> None:
    held = Lock.of([*(entry for entry in LOCK.entries.values() if entry.name != other.name), other])
    (said,) = problems(registry.parse(TEXT), held)
    assert "is locked to what it does not name: version" in said


def test_an_address_that_is_none_is_no_lock() -> None:
    with pytest.raises(InputError, match="this entry is not as it was written"):
        lock.parse(lock.dump(LOCK).replace(f"locator: {NET.locator}", "locator: http://[x"))


@pytest.mark.parametrize("base", ["", "  was: here\n"])
def test_of_a_lock_in_conflict_that_stays_in_which_both_sides_agree(base: str) -> None:
    here = Lock.of([NET, DET, replace(OCR, locator=f"team/ocr@{'1' * 40}")])
    there = Lock.of([NET, OCR, replace(DET, name="new")])
    text = conflict(lock.dump(here), lock.dump(there), base=base)
    with pytest.raises(InputError, match=r"a merge left both sides in it: take either, then `envkit models lock`"):
        lock.parse(text)
    kept = mend.salvaged(text)
    assert kept is not None
    assert sorted(kept.entries) == [("det", "stable"), ("net", "v1"), ("new", "stable")]


def test_nothing_is_kept_of_a_lock_that_is_damaged_otherwise() -> None:
    assert mend.salvaged("schema: [") is None
    assert mend.salvaged(conflict(lock.dump(LOCK), "schema: [")) is None


# --- what becomes of a lock ----------------------------------------------------------------------------------------


def test_changes_name_what_came_moved_changed_and_went() -> None:
    moved = replace(DET, version="1.6", locator="tiny==1.6")
    changed = replace(NET, files=(LockedFile("", replace(DIGESTS, sha256="1" * 64)),))
    bumped = replace(NET, name="two", asked={**NET.asked, "version": "v2"}, version="v2")
    before = [NET, DET, OCR, replace(OCR, name="gone"), replace(NET, name="two")]
    after = [changed, moved, OCR, replace(OCR, name="came"), bumped]
    done = changes(Lock.of(before), Lock.of(after))
    assert [(change.state, change.name) for change in done] == [
        ("added", "came"),
        ("moved", "det"),
        ("dropped", "gone"),
        ("changed", "net"),
        ("kept", "ocr"),
        ("moved", "two"),
    ]
    assert changes(LOCK, LOCK) == changes(LOCK, lock.parse(lock.dump(LOCK)))
    assert {change.state for change in changes(LOCK, LOCK)} == {"kept"}
    assert {change.state for change in changes(None, LOCK)} == {"added"}


# --- any lock ------------------------------------------------------------------------------------------------------

texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=12)
plain = texts.map(str.strip).filter(bool)
hexadecimal = {digits: st.text("0123456789abcdef", min_size=digits, max_size=digits) for digits in (32, 40, 64)}
locators = plain.filter(lambda text: "://" not in text)  # a URL has to be one
names = st.from_regex(r"\A[a-z][a-z0-9._-]{0,8}\Z")
versions_ = st.sampled_from(["1", "1.10", "0x1F", "1e3", "true", "null", "v2.0", "2024-01-01", "0o7", "1_000"])
digests = st.builds(
    Digests,
    st.none() | hexadecimal[32],
    hexadecimal[64],
    st.none() | st.integers(0, 1 << 50),
    st.none() | hexadecimal[40],
)
files = st.builds(LockedFile, plain, digests, st.none() | plain, st.none() | plain)
whens = st.datetimes().map(lambda when: when.strftime("%Y-%m-%dT%H:%M:%SZ"))


@st.composite
def entries(draw: st.DrawFn) -> Locked:
    asked = {"source": "http", "version": draw(versions_), "url": draw(plain)}
    set_of_files = draw(st.lists(files, min_size=1, max_size=3, unique_by=lambda file: file.path))
    return Locked(draw(names), asked, draw(versions_), draw(locators), tuple(set_of_files), draw(whens), draw(plain))


locks = st.lists(entries(), max_size=6, unique_by=lambda entry: entry.key)


@thorough
@given(locks, st.randoms(use_true_random=False))
def test_any_lock_is_read_as_it_was_written_whatever_its_order(found: list[Locked], shuffled: random.Random) -> None:
    text = lock.dump(Lock.of(found))
    again = lock.parse(text)
    assert again == Lock.of(found)
    assert [(entry.when, entry.origin) for entry in again.entries.values()] == [
        (entry.when, entry.origin) for entry in Lock.of(found).entries.values()
    ]
    shuffled.shuffle(found)
    assert lock.dump(Lock.of(found)) == text == lock.dump(again)


@thorough
@given(st.lists(entries(), min_size=1, max_size=6, unique_by=lambda entry: entry.key), st.data())
def test_an_entry_that_changes_changes_its_own_lines_alone(found: list[Locked], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(found) - 1))
    other = replace(data.draw(entries()), name=found[place].name, asked=found[place].asked)
    before, after = blocks(Lock.of(found)), blocks(Lock.of([*found[:place], other, *found[place + 1 :]]))
    differing = [key for key in before if before[key] != after[key]]
    assert before.keys() == after.keys()
    assert set(differing) <= {found[place].key}


def blocks(held: Lock) -> Mapping[object, str]:
    """The lines of each entry, and those above the first."""
    text = lock.dump(held)
    head, *parts = ("\n" + text).split("\n- name: ")
    return dict(zip(["", *held.entries], [head, *parts], strict=True))


@thorough
@given(locks)
def test_a_lock_is_plain_yaml_for_any_other_reader(found: list[Locked]) -> None:
    read = yaml.safe_load(lock.dump(Lock.of(found)))
    assert [(entry["name"], entry["asked"], entry["version"]) for entry in read["models"]] == [
        (entry.name, dict(entry.asked), entry.version) for entry in Lock.of(found).entries.values()
    ]
    slow = yaml.dump(read, Dumper=yaml.SafeDumper, sort_keys=False, allow_unicode=True, width=1 << 20)
    assert lock.parse(slow) == Lock.of(found)


STATES: Sequence[State] = ("verified", "intact", "changed", "outdated", "absent")


def permutations() -> list[tuple[str, Registry]]:
    """The registry with its entries in every order."""
    head, *parts = TEXT.split("\n  - ")
    orders = itertools.permutations([part.rstrip("\n") for part in parts])
    return [(text := "\n  - ".join([head, *order]) + "\n", registry.parse(text)) for order in orders]


@thorough
@given(st.fixed_dictionaries({name: st.sampled_from(STATES) for name in ("net_v1.pdparams", "det_1.5", "ocr_2")}))
def test_registry_lock_and_facts_alone_decide_what_a_sync_does(facts: dict[str, State]) -> None:
    plans = []
    for text, found in permutations():
        pinned = lock.pin(found, LOCK)
        assert pinned == lock.pin(registry.parse(text), lock.parse(lock.dump(LOCK)))
        made = make_plan(pinned, facts)
        assert made == make_plan(pinned, dict(facts))
        plans.append((set(made.keep), set(made.record), {fetch.artifact for fetch in made.fetch}))
    assert all(plan == plans[0] for plan in plans)
