"""Python's collector rests while a registry is read, and never afterwards."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from envkit.errors import InputError
from envkit.models.locking import lock
from envkit.models.registry import collector, registry


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    was_on = gc.isenabled()
    gc.enable()
    yield
    (gc.enable if was_on else gc.disable)()


def test_it_rests_in_the_block_alone() -> None:
    with collector.paused():
        assert not gc.isenabled()
        with collector.paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_stays_off_where_it_was() -> None:
    gc.disable()
    with collector.paused():
        pass
    assert not gc.isenabled()


def test_it_is_on_again_after_what_is_no_registry_and_no_lock() -> None:
    for read in (registry.parse, lock.parse):
        with pytest.raises(InputError):
            read("- a")
        assert gc.isenabled()


def test_no_cycles_are_left_behind_by_a_registry_that_was_read() -> None:
    text = "models:\n- {name: a, version: 1, source: http, url: https://h/a, task: {x: [1, 2]}}\n"
    registry.parse(text)
    gc.collect()
    gc.disable()
    for _ in range(20):
        registry.parse(text)
    assert gc.collect() < 20
