"""What a container does not reach is known, and left out of what it gets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from envkit.launch import loopback
from envkit.settings import Owner, Settings

ME = Owner(1, 1)
SETTINGS = Settings(project=Path("/p"), owner=ME, caller=ME, home=Path("/h"), state=Path("/s"))
INDEX = "[global]\nindex-url = http://127.0.0.1:3141/root/simple\n"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:7890", "localhost:7890", "socks5://user:x@127.0.0.1:1080", "http://[::1]:3128/"]
)
def test_a_proxy_on_the_loopback_is_found_and_left_out(url: str) -> None:
    settings = replace(SETTINGS, proxies=(("https_proxy", url), ("no_proxy", "intranet")))
    assert loopback.is_needed(settings, None)
    assert loopback.without(settings, None) == (SETTINGS, None)


def test_an_index_on_the_loopback_is_found_and_left_out() -> None:
    assert loopback.is_needed(SETTINGS, INDEX)
    assert loopback.without(SETTINGS, INDEX) == (SETTINGS, None)


@pytest.mark.parametrize("url", ["http://proxy:3128", "http://localhost.example:80", "http://10.0.0.127:1"])
def test_anything_else_stays(url: str) -> None:
    settings = replace(SETTINGS, proxies=(("https_proxy", url), ("no_proxy", "localhost,127.0.0.1")))
    assert not loopback.is_needed(settings, "[global]\nindex-url = http://mirror/simple\n")
    assert loopback.without(settings, None) == (settings, None)
