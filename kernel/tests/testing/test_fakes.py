"""What fakes are made of: calls are remembered, fail and take their time as a test says."""

from __future__ import annotations

import asyncio
import math
import time

import pytest

from qwasr.testing import Call, Clock, FakeBackend
from qwasr.testing.fakes import at_once


async def test_calls_are_remembered_in_their_order() -> None:
    fake = FakeBackend()
    await fake.step("set", "users", "k", b"v")
    await fake.step("get", "users", "k")
    assert fake.calls == [Call("set", ("users", "k", b"v")), Call("get", ("users", "k"))]


def test_a_step_that_shall_not_wait_does_not() -> None:
    fake = FakeBackend()
    at_once(fake.step("get", "users"))
    assert fake.calls == [Call("get", ("users",))]


async def test_one_call_fails_unless_more_are_asked_for() -> None:
    fake = FakeBackend()
    fake.fail(ValueError("away"))
    with pytest.raises(ValueError, match="away"):
        await fake.step("get")
    await fake.step("get")


async def test_a_failure_may_be_for_one_operation() -> None:
    fake = FakeBackend()
    fake.fail(ValueError("away"), on="set")
    await fake.step("get")
    with pytest.raises(ValueError, match="away"):
        await fake.step("set")


async def test_a_failure_may_come_later_and_last() -> None:
    fake = FakeBackend()
    fake.fail(ValueError("away"), on="get", after=2, times=None)
    await fake.step("get")
    await fake.step("get")
    for _ in range(3):
        with pytest.raises(ValueError, match="away"):
            await fake.step("get")


async def test_each_failure_that_was_asked_for_is_for_a_call_of_its_own() -> None:
    fake = FakeBackend()
    fake.fail(ValueError("first"), on="get")
    fake.fail(ValueError("second"), on="get")
    fake.fail(ValueError("third"), after=1)
    for message in ("first", "second"):
        with pytest.raises(ValueError, match=message):
            await fake.step("get")
    await fake.step("get")
    with pytest.raises(ValueError, match="third"):
        await fake.step("get")


async def test_a_call_that_fails_is_remembered_too() -> None:
    fake = FakeBackend()
    fake.fail(ValueError("away"))
    with pytest.raises(ValueError, match="away"):
        await fake.step("get", "users")
    assert fake.calls == [Call("get", ("users",))]


async def test_a_delay_is_waited_for() -> None:
    fake = FakeBackend()
    fake.delay(0.02, on="get", times=1)
    began_s = time.perf_counter()
    await fake.step("get")
    assert time.perf_counter() - began_s >= 0.019
    at_once(fake.step("get"))


async def test_an_endless_delay_lasts_until_it_is_cancelled() -> None:
    fake = FakeBackend()
    fake.delay(math.inf)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await fake.step("get")


async def test_a_reset_forgets_calls_failures_and_delays() -> None:
    fake = FakeBackend()
    fake.fail(ValueError("away"), times=None)
    fake.delay(math.inf)
    fake.calls.append(Call("get"))
    fake.reset()
    await fake.step("set")
    assert fake.calls == [Call("set")]


def test_a_fake_goes_by_the_clock_it_is_given() -> None:
    clock = Clock()
    fake = FakeBackend(clock)
    clock.advance(3)
    assert fake.clock() == 3.0


def test_a_coroutine_that_waits_has_no_answer_at_once() -> None:
    with pytest.raises(RuntimeError, match="sleep waits for something"):
        at_once(asyncio.sleep(0))
