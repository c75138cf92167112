"""The axis of a plot has round numbers, and every value is between its ends."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envkit.models.history import scale

values = st.floats(-1e12, 1e12).filter(lambda value: value == 0 or abs(value) > 1e-12)


@settings(max_examples=500, deadline=None, derandomize=True, database=None)
@given(values, values)
def test_values_are_within_the_axis(one: float, other: float) -> None:
    low, high = sorted((one, other))
    axis = scale.around(low, high)
    assert 2 <= len(axis.ticks) <= 6
    for value in (low, high):
        assert -1e-6 <= axis.part(value) <= 1 + 1e-6
    assert list(axis.ticks) == sorted(set(axis.ticks))


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (0.742, 0.812, ["0.725", "0.750", "0.775", "0.800", "0.825"]),
        (70.3, 78.2, ["70", "75", "80"]),
        (0, 10, ["0", "5", "10"]),
        (5, 5, ["4.6", "4.8", "5.0", "5.2", "5.4"]),
        (0, 0, ["-1", "0", "1"]),
        (-3, 3, ["-4", "-2", "0", "2", "4"]),
        (1e-6, 3e-6, ["0.000001", "0.000002", "0.000003"]),
    ],
)
def test_ticks_are_round(low: float, high: float, shown: list[str]) -> None:
    axis = scale.around(low, high)
    assert [f"{tick:.{axis.decimals}f}" for tick in axis.ticks] == shown
    assert math.isclose(axis.part((axis.low + axis.high) / 2), 0.5)
