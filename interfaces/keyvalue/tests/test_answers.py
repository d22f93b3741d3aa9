"""A coroutine as a host function: at once when it can, later when it must, errors in the WIT's terms."""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import TYPE_CHECKING, Any

import pytest

from qwasr.errors import GuestExit, StoreNotAllowed
from qwasr.values import Variant, WitError
from qwasr_keyvalue import AccessDenied, NoSuchStore, Unavailable
from qwasr_keyvalue._answers import host_function

if TYPE_CHECKING:
    from collections.abc import Awaitable


@host_function
async def double(number: int, *, waits: int = 0, error: BaseException | None = None) -> int:
    """Return twice the number, after some turns of the loop."""
    for _ in range(waits):
        await asyncio.sleep(0)
    if error is not None:
        raise error
    return 2 * number


def wit_error(error: Exception) -> Variant:
    with pytest.raises(WitError) as caught:
        double(1, error=error)
    value: Variant = caught.value.value
    return value


def test_a_coroutine_that_does_not_wait_is_answered_at_once() -> None:
    assert double(21) == 42


async def test_a_coroutine_that_waits_is_answered_by_an_awaitable() -> None:
    answer = double(21, waits=3)
    assert inspect.isawaitable(answer)
    assert await answer == 42


async def test_a_coroutine_may_wait_for_futures_tasks_and_timeouts() -> None:
    async def sleepy() -> str:
        await asyncio.sleep(0.001)
        return "slept"

    @host_function
    async def waits() -> str:
        async with asyncio.timeout(5):
            return await asyncio.create_task(sleepy())

    answer = waits()
    assert not isinstance(answer, str)
    assert await answer == "slept"


async def test_a_timeout_inside_of_the_coroutine_ends_its_wait() -> None:
    @host_function
    async def waits() -> str:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            return "gave up"
        return "?"

    answer = waits()
    assert not isinstance(answer, str)
    assert await answer == "gave up"


async def test_cancelling_the_caller_cancels_the_coroutine() -> None:
    cleaned: list[str] = []

    @host_function
    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append("up")

    async def caller() -> None:
        answer = waits()
        assert answer is not None
        await answer

    task = asyncio.create_task(caller())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaned == ["up"]


async def test_an_awaitable_that_nobody_awaits_cleans_up_when_it_is_dropped() -> None:
    cleaned: list[str] = []

    @host_function
    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append("up")

    answer = waits()
    del answer
    assert cleaned == ["up"]


async def test_closing_a_caller_that_waits_cleans_up() -> None:
    cleaned: list[str] = []

    @host_function
    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append("up")

    async def caller(answer: Awaitable[None]) -> None:
        await answer

    answer = waits()
    assert answer is not None
    coroutine = caller(answer)
    coroutine.send(None)
    coroutine.close()
    assert cleaned == ["up"]


def test_the_backends_errors_become_their_cases() -> None:
    assert wit_error(NoSuchStore("anything")) == Variant("no-such-store")
    assert wit_error(AccessDenied("anything")) == Variant("access-denied")
    assert wit_error(Unavailable("the service is away")) == Variant("other", "the service is away")


def test_a_store_that_is_not_allowed_is_no_such_store() -> None:
    assert wit_error(StoreNotAllowed("not listed")) == Variant("no-such-store")


def test_an_unexpected_exception_is_an_internal_error_with_an_id(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, logger="qwasr.keyvalue"):
        value = wit_error(ValueError("secret detail"))
    assert value.case == "other"
    assert value.value.startswith("internal error ")
    assert "secret" not in value.value
    record = caplog.records[-1]
    assert value.value.removeprefix("internal error ") in record.getMessage()
    assert record.exc_info is not None
    assert "double" in record.getMessage()


async def test_errors_after_a_wait_are_mapped_as_well() -> None:
    answer = double(1, waits=2, error=Unavailable("the service is away"))
    assert not isinstance(answer, int)
    with pytest.raises(WitError) as caught:
        await answer
    assert caught.value.value == Variant("other", "the service is away")


@pytest.mark.parametrize("error", [WitError("as it is"), GuestExit(3), asyncio.CancelledError(), KeyboardInterrupt()])
def test_what_ends_the_guest_or_is_meant_for_it_passes_as_it_is(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught:
        double(1, error=error)
    assert caught.value is error


def test_the_function_is_declared_as_one_that_may_answer_at_once() -> None:
    assert not inspect.iscoroutinefunction(double)
    signature = inspect.signature(double)
    assert list(signature.parameters) == ["number", "waits", "error"]
    assert "Awaitable" in signature.return_annotation
    annotations: dict[str, Any] = double.__annotations__
    assert "Awaitable" in annotations["return"]
