"""Counters are ASCII decimal, in one form only."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwasr_keyvalue import CounterOverflow, NotANumber, counters
from qwasr_keyvalue.counters import COUNTER_MAX, COUNTER_MIN


@given(st.integers(COUNTER_MIN, COUNTER_MAX))
def test_every_number_in_range_is_read_as_it_is_written(number: int) -> None:
    assert counters.parse(b"%d" % number) == number


@given(st.binary(max_size=24))
def test_whatever_is_read_is_the_number_in_its_shortest_form(value: bytes) -> None:
    try:
        number = counters.parse(value)
    except NotANumber:
        return
    assert b"%d" % number == value
    assert COUNTER_MIN <= number <= COUNTER_MAX


@given(st.integers(COUNTER_MIN, COUNTER_MAX), st.integers(COUNTER_MIN, COUNTER_MAX))
def test_a_sum_is_right_or_an_overflow(start: int, delta: int) -> None:
    if COUNTER_MIN <= start + delta <= COUNTER_MAX:
        assert counters.add(b"%d" % start, delta) == start + delta
    else:
        with pytest.raises(CounterOverflow):
            counters.add(b"%d" % start, delta)


def test_a_missing_key_counts_as_zero() -> None:
    assert counters.add(None, 7) == 7
