"""Whatever two registries say: nothing against itself, the same backwards, and every rendering holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from envkit.models import revisions
from envkit.models.locking import lock
from envkit.models.locking.lock import Lock, Locked, LockedFile
from envkit.models.model import Digests
from envkit.models.review import data, facts, markdown, page, report, text
from envkit.models.review.compare import Change, compare
from envkit.models.review.evidence import Tree
from envkit.models.review.levels import Levels
from envkit.models.review.ranges import Range, Side
from envkit.models.review.report import Review
from envkit.models.review.usage import Place
from envkit.models.revisions import Revision
from tests.support.reviewed import MD5_A, MD5_B, SHA_A, SHA_B

thorough = settings(max_examples=100, deadline=None, derandomize=True, database=None)

COMMITS = ("0" * 40, "1" * 40)
NASTY = [
    "<script>alert(1)</script>",
    "@torvalds",
    "|a|b|",
    "`x`",
    "[a](https://x.example)",
    "\x1b[2J",
    "\u202e",
    "]]>",
    "&lt;",
]
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8))
texts = st.one_of(
    st.text(max_size=12), st.sampled_from([*NASTY, "76.8%", "0.768", "1", "https://a:b@bench.example/?x"])
)
metadata = st.dictionaries(
    st.one_of(st.sampled_from(["accuracy", "loss", "license", "benchmark", "config_path", "task", "metrics"]), texts),
    st.recursive(st.one_of(scalars, texts), lambda inner: st.dictionaries(texts, inner, max_size=2), max_leaves=4),
    max_size=4,
)


@st.composite
def entries(draw: st.DrawFn) -> dict[str, object]:
    own: dict[str, object] = {
        "name": draw(st.sampled_from(["a", "b", "resnet_50", "模型"])),
        "version": draw(st.sampled_from(["1.0", "1.10", "2.0", "v1-int8", "nightly"])),
        "md5": draw(st.sampled_from([MD5_A, MD5_B, "d41d8cd98f00b204e9800998ecf8427e", None])),
        "sha256": draw(st.sampled_from([SHA_A, SHA_B, None, None])),
        "size": draw(st.sampled_from([None, 0, 10, 10**9])),
    }
    if draw(st.booleans()):
        own |= {"source": "http", "url": f"https://{draw(st.sampled_from(['a', 'b:c@d']))}.example/x.tar"}
        own |= {
            "path": draw(st.sampled_from(["a/", "b.bin", None])),
            "mirrors": draw(st.sampled_from([None, "https://m.example"])),
        }
    else:
        own |= {"source": "huggingface", "repo": "team/ocr", "revision": draw(st.sampled_from(["0" * 40, "1" * 40]))}
        own |= {"md5": None, "sha256": None, "size": None}
    return {key: value for key, value in {**draw(metadata), **own}.items() if value is not None}


@st.composite
def registries(draw: st.DrawFn) -> Revision:
    """A revision as Git could hold it, with a lock of some of its entries."""
    found: dict[tuple[object, object], Mapping[str, object]] = {}
    for one in draw(st.lists(entries(), max_size=5)):
        found.setdefault((one["name"], one["version"]), one)
    declared = draw(
        st.dictionaries(
            st.sampled_from(["accuracy", "task"]),
            st.fixed_dictionaries({"higher_is_better": st.booleans()}),
            max_size=1,
        )
    )
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    document = {"metrics": declared, "models": list(found.values())}
    text_ = yaml.dump(document, Dumper=dumper, allow_unicode=True, sort_keys=False)
    made = revisions.of(COMMITS[0], text_.encode("utf-8", "surrogatepass"), None)
    assume(made.problem is None)
    locked = Lock.of(
        Locked(
            model.name,
            model.asked,
            model.version,
            model.artifact.locator,
            tuple(
                LockedFile(path, Digests(sha256=draw(st.sampled_from([SHA_A, SHA_B]))))
                for path in draw(st.sampled_from([("",), ("x", "y"), ("x",)]))
            ),
            "2026-11-24T12:00:00Z",
            "here",
        )
        for model in made.registry.models
        if draw(st.booleans())
    )
    return revisions.of(COMMITS[0], text_.encode("utf-8", "surrogatepass"), lock.dump(locked).encode())


def line(change: Change) -> tuple[Any, ...]:
    """A change without what only its direction decides."""
    old, new = (side and (side.model.name, side.model.version) for side in (change.old, change.new))
    fields = sorted((field.where, field.key, str(field.old), str(field.new)) for field in change.fields)
    return change.kind, old, new, change.beside and change.beside.model.version, fields


def mirrored(change: Change) -> tuple[Any, ...]:
    kind, old, new, beside, fields = line(change)
    kinds = {"added": "removed", "removed": "added"}
    swapped = sorted((where, key, new_, old_) for where, key, old_, new_ in fields)
    return kinds.get(kind, kind), new, old, beside, swapped


@thorough
@given(registries())
def test_a_registry_against_itself_is_empty(one: Revision) -> None:
    assert compare(one, one) == ()


@thorough
@given(registries(), registries())
def test_backwards_it_is_the_mirror_image(old: Revision, new: Revision) -> None:
    there, back = compare(old, new), compare(new, old)
    assert sorted(map(repr, map(line, there))) == sorted(map(repr, map(unsecret, map(mirrored, back))))


def unsecret(image: tuple[Any, ...]) -> tuple[Any, ...]:
    """Of two addresses that look the same, the second is said to differ: which is second is a matter of direction."""
    said = " (what is not shown differs)"
    kind, old, new, beside, fields = image
    turned = [
        (where, key, before.removesuffix(said), after + said) if before.endswith(said) else (where, key, before, after)
        for where, key, before, after in fields
    ]
    return kind, old, new, beside, sorted(turned)


@thorough
@given(registries(), registries())
def test_every_entry_is_told_once_at_most(old: Revision, new: Revision) -> None:
    changes = compare(old, new)
    for side in ("old", "new"):
        told = [(entry.model.name, entry.model.version) for change in changes if (entry := getattr(change, side))]
        assert len(told) == len(set(told))
    quiet = {(entry.model.name, entry.model.version) for entry in new.entries} - {
        (change.new.model.name, change.new.model.version) for change in changes if change.new
    }
    kept = {(entry.model.name, entry.model.version) for entry in old.entries}
    assert quiet <= kept


@thorough
@given(registries(), registries(), texts)
def test_every_rendering_shows_any_two(old: Revision, new: Revision, path: str) -> None:
    review = reviewed(old, new, path)
    assert report.cases(review)
    as_json = data.render(review)
    assert json.loads(json.dumps(as_json, allow_nan=False)) == as_json
    for line_ in text.render(review):
        assert line_ == "" or line_.isprintable()
    assert len(markdown.render(review)) <= markdown.MOST
    "\n".join(page.render(review)).encode("utf-8")


def reviewed(old: Revision, new: Revision, path: str = "code.py") -> Review:
    """A review of two revisions, with a file of any name that names everything."""
    changes = compare(old, new)
    found = {word: (Place(path, 1, word),) for change in changes for word in facts.sought(change)}
    there, tree = facts.words_there(new), Tree("", frozenset(), frozenset())
    registries_ = old.registry, new.registry
    subjects = tuple(facts.subject(change, *registries_, tree, found, there) for change in changes)
    compared = Range("a..b", Side("a", COMMITS[0]), Side("b", COMMITS[1]))
    return report.judged(compared, facts.Facts(old, new, subjects), Levels(), ("a note",))
