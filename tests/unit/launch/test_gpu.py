"""A GPU is handed over where there is one; a CPU never takes its place unsaid."""

from __future__ import annotations

import pytest

from envkit.errors import EngineError, InputError
from envkit.launch.gpu import GpuChoice, decide, image_variant
from envkit.settings import VariantChoice


@pytest.mark.parametrize(
    ("choice", "variant", "gpus", "runtime", "handed", "said"),
    [
        ("auto", "auto", 2, True, "all", "2 found"),
        ("auto", "auto", 0, False, "", "nvidia-smi finds none"),
        ("auto", "auto", 1, False, "", "nvidia-container-toolkit"),
        ("auto", "cpu", 2, True, "", "not asked for"),
        ("none", "auto", 2, True, "", "not asked for"),
        ("all", "auto", 1, True, "all", "1 found"),
        ("auto", "gpu", 1, True, "all", "1 found"),
    ],
)
def test_what_is_handed_over_and_what_is_said(
    choice: GpuChoice, variant: VariantChoice, gpus: int, runtime: bool, handed: str, said: str
) -> None:
    given, sentence = decide(choice, variant, gpus, runtime)
    assert given == handed
    assert said in sentence


@pytest.mark.parametrize(("choice", "variant"), [("all", "auto"), ("auto", "gpu")])
@pytest.mark.parametrize(("gpus", "runtime"), [(0, True), (1, False)])
def test_asked_for_and_not_there_is_an_error(
    choice: GpuChoice, variant: VariantChoice, gpus: int, runtime: bool
) -> None:
    with pytest.raises(EngineError, match="a GPU was asked for"):
        decide(choice, variant, gpus, runtime)


def test_gpus_with_the_cpu_image_contradict_each_other() -> None:
    with pytest.raises(InputError, match="CPU image"):
        decide("all", "cpu", 1, True)


@pytest.mark.parametrize(
    ("variant", "handed", "taken"),
    [("auto", "all", "gpu"), ("auto", "", "cpu"), ("gpu", "", "gpu"), ("cpu", "", "cpu")],
)
def test_the_image_is_the_one_asked_for_else_the_one_that_fits(variant: VariantChoice, handed: str, taken: str) -> None:
    assert image_variant(variant, handed) == taken
