"""A coroutine as a host function: at once when it can, later when it must, in time, errors in the WIT's terms."""

from __future__ import annotations

import asyncio
import inspect
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from qwasr._deadlines import Deadlines
from qwasr.answers import Answers
from qwasr.call import CallInfo, _current
from qwasr.errors import GuestExit
from qwasr.values import Variant, WitError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator


class ShelfError(Exception):
    """What a shelf raises."""


class NoSuchShelf(ShelfError):
    """There is none."""


class ShelfAway(ShelfError):
    """It does not answer."""


ANSWERS = Answers(
    name="shelf",
    errors={ShelfError: lambda error: Variant("other", str(error)), NoSuchShelf: lambda _: Variant("no-such-shelf")},
    unavailable=ShelfAway,
)


@ANSWERS.host_function
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


class Call(CallInfo):
    """A guest's call whose waits for backends end soon."""

    __slots__ = ("deadlines",)

    def __init__(self, limit_s: float) -> None:
        super().__init__("0123456789abcdef", "guest", cast("Any", None))
        self.deadlines = Deadlines(limit_s)

    @property
    def backend_deadlines(self) -> Deadlines:
        return self.deadlines


@pytest.fixture
def call() -> Iterator[Call]:
    info = Call(0.05)
    token = _current.set(info)
    yield info
    _current.reset(token)
    info.deadlines.close()


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

    @ANSWERS.host_function
    async def waits() -> str:
        async with asyncio.timeout(5):
            return await asyncio.create_task(sleepy())

    answer = waits()
    assert not isinstance(answer, str)
    assert await answer == "slept"


async def test_a_timeout_inside_of_the_coroutine_ends_its_wait() -> None:
    @ANSWERS.host_function
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

    @ANSWERS.host_function
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

    @ANSWERS.host_function
    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append("up")

    answer = waits()
    del answer
    assert cleaned == ["up"]


async def test_closing_a_caller_that_waits_cleans_up(call: Call) -> None:
    cleaned: list[str] = []

    @ANSWERS.host_function
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
    assert not call.deadlines._ends


def test_an_exception_is_mapped_by_its_most_special_class() -> None:
    assert wit_error(NoSuchShelf("anything")) == Variant("no-such-shelf")
    assert wit_error(ShelfAway("the shelf is away")) == Variant("other", "the shelf is away")


def test_an_error_is_wrapped_where_a_functions_error_is_of_another_type() -> None:
    @replace(ANSWERS, wrap=lambda error: Variant("shelf-error", error)).host_function
    async def lend() -> None:
        raise NoSuchShelf

    with pytest.raises(WitError) as caught:
        lend()
    assert caught.value.value == Variant("shelf-error", Variant("no-such-shelf"))


def test_an_unexpected_exception_is_an_internal_error_with_an_id(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, logger="qwasr.shelf"):
        value = wit_error(ValueError("secret detail"))
    assert value.case == "other"
    assert value.value.startswith("internal error ")
    assert "secret" not in value.value
    record = caplog.records[-1]
    assert value.value.removeprefix("internal error ") in record.getMessage()
    assert record.exc_info is not None
    assert "double" in record.getMessage()


def test_an_interface_says_what_an_internal_error_looks_like() -> None:
    @replace(ANSWERS, internal=lambda text: text).host_function
    async def fails() -> None:
        raise ValueError

    with pytest.raises(WitError) as caught:
        fails()
    assert caught.value.value.startswith("internal error ")


async def test_errors_after_a_wait_are_mapped_as_well() -> None:
    answer = double(1, waits=2, error=ShelfAway("the shelf is away"))
    assert not isinstance(answer, int)
    with pytest.raises(WitError) as caught:
        await answer
    assert caught.value.value == Variant("other", "the shelf is away")


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


async def test_a_backend_that_does_not_answer_in_time_is_unavailable(
    call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    cleaned: list[str] = []

    @ANSWERS.host_function
    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append("up")

    answer = waits()
    assert answer is not None
    with caplog.at_level(logging.WARNING, logger="qwasr.shelf"), pytest.raises(WitError) as caught:
        await answer
    assert caught.value.value == Variant("other", "no answer within 0.05 s: the shelf service is unavailable")
    assert cleaned == ["up"]
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0, "the caller goes on"
    assert "waits (QWASR_BACKEND_TIMEOUT_S)" in caplog.records[-1].getMessage()
    assert caplog.records[-1].__dict__["call"] == call.id


async def test_many_short_waits_count_together(call: Call) -> None:
    @ANSWERS.host_function
    async def waits() -> None:
        for _ in range(1000):
            await asyncio.sleep(0.005)

    answer = waits()
    assert answer is not None
    with pytest.raises(WitError):
        await answer


async def test_each_call_has_its_own_time(call: Call) -> None:
    loop = asyncio.get_running_loop()
    call.deadlines.limit_s = 60

    @ANSWERS.host_function
    async def waits(began_s: float) -> str:
        await asyncio.sleep(0.02)
        (end_s,) = call.deadlines._ends.values()
        assert end_s >= began_s + 60, "it does not begin where another one began"
        return "answer"

    for _ in range(3):
        answer = waits(loop.time())
        assert not isinstance(answer, str)
        assert await answer == "answer"
    assert not call.deadlines._ends


async def test_a_function_whose_purpose_is_to_wait_may(call: Call) -> None:
    @replace(ANSWERS, timed=False).host_function
    async def waits() -> str:
        await asyncio.sleep(0.1)
        return "answer"

    answer = waits()
    assert not isinstance(answer, str)
    assert await answer == "answer"


async def test_a_caller_that_is_cancelled_at_the_same_moment_ends(call: Call) -> None:
    @ANSWERS.host_function
    async def waits() -> None:
        await asyncio.Event().wait()

    async def caller() -> None:
        answer = waits()
        assert answer is not None
        await answer

    task = asyncio.create_task(caller())
    await asyncio.sleep(0)
    timed: Any = next(iter(call.deadlines._ends))
    timed.expire()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_backend_that_answers_though_its_time_is_up_is_heard(call: Call) -> None:
    @ANSWERS.host_function
    async def waits() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "late"
        return "?"

    answer = waits()
    assert not isinstance(answer, str)
    assert await answer == "late"
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
