"""The time of a test."""

from __future__ import annotations

import asyncio
import math
import time
from datetime import UTC, datetime

import pytest

from qwasr.testing import Clock


def test_time_stands_still_at_the_new_year_of_2026() -> None:
    clock = Clock()
    time.sleep(0.002)
    assert (clock(), clock.monotonic_ns(), clock.now()) == (0.0, 0, datetime(2026, 1, 1, tzinfo=UTC))


def test_advancing_moves_the_clock_and_the_time_of_day() -> None:
    clock = Clock(wall_ns=0)
    clock.advance(1.5)
    assert (clock(), clock.monotonic_ns(), clock.wall_ns()) == (1.5, 1_500_000_000, 1_500_000_000)


def test_the_clock_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="does not go back"):
        Clock().advance(-1)


async def test_a_sleep_ends_as_soon_as_the_clock_is_advanced_that_far() -> None:
    clock = Clock()
    sleeping = asyncio.create_task(clock.sleep(3600))
    await asyncio.sleep(0)
    clock.advance(3599)
    await asyncio.sleep(0.002)
    assert not sleeping.done()
    clock.advance(1)
    async with asyncio.timeout(1):
        await sleeping
    assert clock.waiting == 0


async def test_a_sleep_that_nobody_cuts_short_moves_the_clock_by_exactly_its_length() -> None:
    clock = Clock()
    await clock.sleep(0.010001)
    assert clock.monotonic_ns() == 10_001_000


async def test_a_sleep_that_is_cancelled_leaves_nothing_behind() -> None:
    clock = Clock()
    sleeping = asyncio.create_task(clock.sleep(0.002))
    await asyncio.sleep(0)
    sleeping.cancel()
    await asyncio.wait([sleeping])
    await asyncio.sleep(0.005)
    assert (clock(), clock.waiting) == (0.0, 0)


async def test_waits_take_as_much_real_time_as_the_pace_says() -> None:
    clock = Clock()
    clock.pace = 0
    began_s = time.perf_counter()
    await clock.sleep(3600)
    assert time.perf_counter() - began_s < 60
    assert clock() == 3600


async def test_a_clock_of_an_endless_pace_is_moved_by_the_test_alone() -> None:
    clock = Clock()
    clock.pace = math.inf
    sleeping = asyncio.create_task(clock.sleep(0.001))
    await asyncio.sleep(0.01)
    assert (clock(), clock.waiting) == (0, 1)
    clock.advance(0.001)
    assert clock.waiting == 0
    await sleeping
    await clock.sleep(0)
