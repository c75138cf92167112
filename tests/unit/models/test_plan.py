"""(registry, facts) → what to do."""

from __future__ import annotations

from envkit.models.plan import Fetch, State, make_plan
from envkit.models.registry import registry

MD5 = "0123456789abcdef0123456789abcdef"
TEXT = "models:\n" + "".join(
    f"- {{name: {name}, version: 1, source: http, url: 'https://h/{file}', md5: {MD5}}}\n"
    for name, file in (("a", "one.tar"), ("b", "one.tar"), ("c", "two.bin"), ("d", "three.bin"))
)
REGISTRY = registry.parse(TEXT)
A, B, C, D = REGISTRY.models


def plan(*states: State) -> tuple[list[str], list[str], tuple[Fetch, ...]]:
    facts = {model.target: state for model, state in zip(REGISTRY.models, states, strict=True)}
    made = make_plan(REGISTRY, facts)
    return [model.name for model in made.keep], [model.name for model in made.record], made.fetch


def test_what_is_proven_is_kept() -> None:
    assert plan("verified", "verified", "intact", "verified") == (["a", "b", "d"], ["c"], ())


def test_what_is_not_is_fetched_and_one_artifact_once() -> None:
    keep, record, fetch = plan("absent", "outdated", "changed", "absent")
    assert (keep, record) == ([], [])
    assert fetch == (
        Fetch(A.artifact, ((A, "absent"), (B, "outdated"))),
        Fetch(C.artifact, ((C, "changed"),)),
        Fetch(D.artifact, ((D, "absent"),)),
    )


def test_a_model_that_is_proven_is_not_made_again_because_its_artifact_is_fetched() -> None:
    assert plan("verified", "absent", "verified", "verified") == (
        ["a", "c", "d"],
        [],
        (Fetch(B.artifact, ((B, "absent"),)),),
    )
