"""Registries that hypothesis makes up: entries that are right, by their parts, with the model that is meant by each."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import yaml
from hypothesis import strategies as st

from envkit.models import spelling
from envkit.models.model import Artifact, Digests, Model, Unpack
from envkit.models.registry import keys

scalars: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=12)
)
trees: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=12,
)


def as_yaml(tree: object) -> str:
    return str(yaml.safe_dump(tree, sort_keys=False))


words = st.text(alphabet="abcXYZ0189é文", min_size=1, max_size=8)
names = st.builds(lambda first, rest: first + rest, words, st.text(alphabet="abZ09._+-文", max_size=8))
suffixes = st.sampled_from(["", ".pdparams", ".onnx", ".gz", ".TXT"])
archives: st.SearchStrategy[tuple[str, Unpack]] = st.sampled_from(
    [(".tar", "tar"), (".tar.gz", "tar"), (".TGZ", "tar"), (".zip", "zip"), (".whl", "zip")]
)
wishes = st.sampled_from(["latest", "stable", ">=3.3,<4", "~=1.0", "!=2"])
digests = st.builds(
    Digests,
    md5=st.none() | st.text(alphabet="0123456789abcdef", min_size=32, max_size=32),
    sha256=st.none() | st.text(alphabet="0123456789abcdef", min_size=64, max_size=64),
    size=st.none() | st.integers(0, 10**15),
)
known = (*keys.KNOWN, "metrics", "benchmark")
free_keys = st.text(max_size=12).filter(lambda key: key not in known and not spelling.near(key, known))
numbers = st.sampled_from([0.768, 12, "76.8%", "1e-3", "+.5 %"])
facts = st.fixed_dictionaries(
    {"value": numbers},
    optional={"higher_is_better": st.booleans(), "tolerance": numbers, "relative_tolerance": numbers, "unit": words},
)
reports = st.sampled_from(
    ["https://h.example/report?a=b#c", "docs/report.md", {"report": "docs/report.md", "by": "me"}]
)
evidence = st.fixed_dictionaries(
    {}, optional={"metrics": st.dictionaries(words, numbers | facts, max_size=2), "benchmark": reports}
)
metadata = st.builds(operator.or_, st.dictionaries(free_keys, trees, max_size=3), evidence)

Declared = tuple[dict[str, object], Model]


def meant(
    source: str,
    locator: str,
    unpack: Unpack | None,
    suffix: str,
    keys_of_it: Mapping[str, object],
    paths: tuple[str, ...] = (),
    *,
    floats: bool = False,
) -> Declared:
    """Keys of an entry, and the model that they make; name, version, digests and metadata are put in afterwards."""
    is_set = source == "huggingface"
    artifact = Artifact(source, locator, Digests(), (), paths if is_set else ())
    is_folder = (unpack is not None or is_set) and not suffix
    return {"source": source, **keys_of_it}, Model("", "", artifact, unpack, paths, suffix, is_folder, floats)


@st.composite
def sources(draw: st.DrawFn) -> Declared:
    word, revision = draw(words), draw(st.from_regex(r"[0-9a-f]{40}", fullmatch=True))
    suffix, (ending, unpack) = draw(suffixes), draw(archives)
    inside = (f"{word}/net{suffix}",) if suffix else (f"{word}/net/",)
    key, source = draw(
        st.sampled_from([("url", "http"), ("hub_url", "paddlehub"), ("weights_url", "model_zoo_official")])
    )
    url, path = f"https://h.example/{word}", f"/share/{word}"
    package = f"{draw(st.sampled_from(['a', 'a-b.c']))}=={draw(st.sampled_from(['1', '1.0rc1', '2!1.0+local']))}"
    hub = {"repo": "team/ocr", "revision": revision}
    template, index = f"{url}_{{version}}{suffix}", "https://h.example/versions"
    floating = {key: template, "index_url": index}
    return draw(
        st.sampled_from(
            [
                meant(source, url + suffix, None, suffix, {key: url + suffix}),
                meant(source, url + ending, unpack, "", {key: url + ending}),
                meant(source, url + ending, unpack, suffix, {key: url + ending, "path": inside[0]}, inside),
                meant(source, url, unpack, "", {key: url, "unpack": unpack}),
                meant("file", path + suffix, None, suffix, {"path": path + suffix}),
                meant("file", path + ending, unpack, "", {"path": path + ending}),
                meant("pypi", package, "zip", suffix, {"package": package, "path": list(inside)}, inside),
                meant("huggingface", f"team/ocr@{revision}", None, "", hub),
                meant("huggingface", f"team/ocr@{revision}", None, suffix, {**hub, "path": inside[0]}, inside),
                meant(source, f"{template} {index}", None, suffix, floating, floats=True),
                meant("pypi", "a-b.c", "zip", suffix, {"package": "a-b.c", "path": inside[0]}, inside, floats=True),
                meant("huggingface", "team/ocr", None, "", {"repo": "team/ocr"}, floats=True),
            ]
        )
    )


@st.composite
def declarations(draw: st.DrawFn) -> Declared:
    own, model = draw(sources())
    more, found = draw(metadata), draw(digests)
    if model.artifact.source == "huggingface" and model.is_folder:
        found = Digests()  # a set of files has none of its own
    given_digests = {"md5": found.md5 and found.md5.upper(), "sha256": found.sha256, "size": found.size}
    name, version = draw(names), draw(wishes if model.floats else names)
    entry = {"name": name, "version": version, **own, **{key: value for key, value in given_digests.items() if value}}
    artifact = replace(model.artifact, digests=replace(found, size=found.size or None))
    return {**entry, **more}, replace(model, name=name, version=version, artifact=artifact, metadata=more)
