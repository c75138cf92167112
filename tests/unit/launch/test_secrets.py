"""The secrets of a service as files: what stays, what goes, and when a service has to be told."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from envkit.launch import secrets
from envkit.settings import Owner, Settings

PROXIES = (("https_proxy", "http://ada:pa55@proxy:3128"),)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    me = Owner(os.geteuid(), os.getegid())
    return Settings(project=tmp_path, owner=me, caller=me, home=tmp_path, state=tmp_path / "state")


def names(settings: Settings) -> set[str]:
    return {path.name for path in secrets.folder(settings, "jupyter").iterdir()}


def test_nothing_changes_where_all_is_as_it_should_be(settings: Settings) -> None:
    secrets.prepare(settings, "jupyter", "[global]\n")
    token, newest = secrets.jupyter_token(settings), secrets.newest(settings, "jupyter")
    secrets.prepare(settings, "jupyter", "[global]\n")
    assert (secrets.jupyter_token(settings), secrets.newest(settings, "jupyter")) == (token, newest)


def test_one_that_is_gone_counts_as_a_change(settings: Settings) -> None:
    secrets.prepare(replace(settings, proxies=PROXIES), "jupyter", None)
    assert names(settings) == {"jupyter_token", "proxy.env"}
    for path in (secrets.folder(settings, "jupyter"), *secrets.folder(settings, "jupyter").iterdir()):
        os.utime(path, (1, 1))
    secrets.prepare(settings, "jupyter", None)
    assert names(settings) == {"jupyter_token"}
    assert secrets.newest(settings, "jupyter") > 1
