"""Two spellings of one version are one version, as for pip."""

from __future__ import annotations

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from envkit.models import versions

SPELLINGS = [
    *("1", "1.0", "1.0.0", "v1.0", "1.00", "01", "1.0.1", "0!1.0", "1!1.0", "1.10", "1.1", "10", "100"),
    *("1.0a1", "1.0-alpha.1", "1.0ALPHA1", "1.0a", "1.0a0", "1.0b2", "1.0.beta2", "1.0rc1", "1.0c1", "1.0-preview_1"),
    *("1.0.post1", "1.0-1", "1.0-r1", "1.0rev1", "1.0.post", "1.0.post0", "1.0.dev1", "1.0dev1", "1.0-dev", "1.0.dev0"),
    *("1.0a1.post2.dev3", "1.0-a1-2-dev3", "1.0+cu118", "1.0.0+CU118", "1.0+cu.118", "1.0+cu-0118", "1.0+ubuntu_1"),
]


@pytest.mark.parametrize("one", SPELLINGS)
def test_equal_is_what_the_reference_implementation_calls_equal(one: str) -> None:
    for other in SPELLINGS:
        assert (versions.canonical(one) == versions.canonical(other)) == (Version(one) == Version(other)), other
        wanted = SpecifierSet(f"=={other}", prereleases=True)
        assert versions.satisfies(one, other) == wanted.contains(one), other


@pytest.mark.parametrize("text", ["", "latest", "1.", "1..0", "1.0-", "1.0+", "1.0x", "x1", "1.0a1b1", "1.*", "1 0"])
def test_what_is_no_version(text: str) -> None:
    assert versions.canonical(text) is None
    assert not versions.satisfies(text, "1")
