"""Two spellings of one version are one version, as for pip, and a wish takes the newest of those that it allows."""

from __future__ import annotations

import subprocess
import sys

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from envkit.models import versions

SPELLINGS = [
    *("1", "1.0", "1.0.0", "v1.0", "1.00", "01", "1.0.1", "0!1.0", "1!1.0", "1.10", "1.1", "10", "100"),
    *("1.0a1", "1.0-alpha.1", "1.0ALPHA1", "1.0a", "1.0a0", "1.0b2", "1.0.beta2", "1.0rc1", "1.0c1", "1.0-preview_1"),
    *("1.0.post1", "1.0-1", "1.0-r1", "1.0rev1", "1.0.post", "1.0.post0", "1.0.dev1", "1.0dev1", "1.0-dev", "1.0.dev0"),
    *("1.0a1.post2.dev3", "1.0-a1-2-dev3", "1.0+cu118", "1.0.0+CU118", "1.0+cu.118", "1.0+cu-0118", "1.0+ubuntu_1"),
]
NONE = [
    "",
    "latest",
    "1.",
    "1..0",
    "1.0-",
    "1.0+",
    "1.0x",
    "x1",
    "1.0a1b1",
    "1.*",
    "1 0",
    "vv1",
    ".1",
    "\u0661.2",
    "1.0\n.1",
]
RELEASES = ["0.9", "1.0", "v1.1", "2.0rc1", "1.1.dev3", "main", "", "not-a-version"]


@pytest.mark.parametrize("one", SPELLINGS)
def test_equal_is_what_the_reference_implementation_calls_equal(one: str) -> None:
    assert versions.is_version(one)
    assert versions.is_prerelease(one) == Version(one).is_prerelease
    for other in SPELLINGS:
        assert (versions.parsed(one) == versions.parsed(other)) == (Version(one) == Version(other)), other
        wanted = SpecifierSet(f"=={other}", prereleases=True)
        assert versions.satisfies(one, other) == wanted.contains(one), other


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_version(text: str) -> None:
    with pytest.raises(InvalidVersion):
        Version(text)
    assert versions.parsed(text) is None
    assert not versions.is_version(text)
    assert not versions.is_prerelease(text)
    assert not versions.satisfies(text, "1")
    assert not versions.satisfies("1", text)


@pytest.mark.parametrize("wish", ["latest", "stable", ">=3.3,<4", "==1.*", "!=2", "~=3.3", "<2"])
def test_what_names_no_one_version_is_a_wish(wish: str) -> None:
    assert versions.is_wish(wish)
    assert versions.problem(wish) is None


@pytest.mark.parametrize("text", ["1.0", "v3.3.0", "main", "latest-1", "Stable", "2026-11-24"])
def test_what_names_one_version_is_none(text: str) -> None:
    assert not versions.is_wish(text)


@pytest.mark.parametrize("wish", [">=3.3,<", ">=", "=1.0", ">>1", "~=1", "!1"])
def test_what_begins_like_a_range_and_is_none(wish: str) -> None:
    assert versions.is_wish(wish)
    assert versions.problem(wish) == "expected versions as PEP 440 writes them, such as >=3.3,<4"


@pytest.mark.parametrize(
    ("wish", "chosen"),
    [
        ("latest", "2.0rc1"),
        ("stable", "v1.1"),
        (">=1.0,<2", "v1.1"),
        ("<1.1", "1.0"),
        ("==1.0.0", "1.0"),
        (">=2.0rc1", "2.0rc1"),
        ("~=1.0", "v1.1"),
        (">3", None),
        ("<0.9", None),
    ],
)
def test_a_wish_takes_the_newest_that_it_allows_as_it_is_written(wish: str, chosen: str | None) -> None:
    assert versions.choose(wish, RELEASES) == chosen
    assert versions.choose(wish, reversed(RELEASES)) == chosen


def test_where_only_prereleases_are_stable_is_none_of_them() -> None:
    assert versions.choose("stable", ["1.0rc1", "1.0a1"]) is None
    assert versions.choose("latest", ["1.0rc1", "1.0a1"]) == "1.0rc1"
    assert versions.choose("latest", []) is None


@pytest.mark.parametrize(
    ("wish", "version", "taken"),
    [
        ("latest", "2.0rc1", True),
        ("latest", "main", True),
        ("stable", "v1.1", True),
        ("stable", "2.0rc1", False),
        ("stable", "2.0.dev1", False),
        ("stable", "main", True),
        (">=1.0,<2", "1.10", True),
        (">=1.0,<2", "2.0", False),
        (">=1.0,<2", "1.5rc1", False),
        (">=1.0rc1,<2", "1.5rc1", True),
        (">=1.0,<2", "main", False),
    ],
)
def test_a_version_can_have_come_of_a_wish_or_not(wish: str, version: str, taken: bool) -> None:
    assert versions.takes(wish, version) is taken


def test_most_versions_take_no_packaging_to_read() -> None:
    code = "import sys; from envkit.models.versions import *; "
    code += "print(is_version('1.4.5'), takes('stable', '1.4.5'), 'packaging' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True True False\n"
