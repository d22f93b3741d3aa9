from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from qwasr.call import current_call
from qwasr.errors import DeadlineExceeded
from qwasr.guest import Guest, GuestCall

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable


class Store:
    """What a component's store is to a call: it awaits what the function does."""

    closed = 0
    cpu_s = 0.0

    async def call(self, function: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        return await function(*arguments)

    def close(self) -> None:
        Store.closed += 1


class Linked:
    store = Store


@pytest.fixture
async def guest() -> AsyncIterator[Guest]:
    made: Any = Linked()
    guest = Guest("app", made, 0.1)
    yield guest
    guest.close()


async def invoke(guest: Guest, function: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
    async with guest.call() as call:
        made: Any = function
        return await call.invoke(made, *arguments)


async def test_a_call_that_takes_too_long_ends(guest: Guest) -> None:
    with pytest.raises(DeadlineExceeded, match=r"app took longer than 0\.1 s"):
        await invoke(guest, asyncio.sleep, 5)


async def test_each_call_has_its_own_time(guest: Guest) -> None:
    loop = asyncio.get_running_loop()

    async def late(delay_s: float) -> float:
        await asyncio.sleep(delay_s)
        started = loop.time()
        with pytest.raises(DeadlineExceeded):
            await invoke(guest, asyncio.sleep, 5)
        return loop.time() - started

    for took_s in await asyncio.gather(*(late(0.02 * number) for number in range(5))):
        assert 0.09 < took_s < 5


async def test_quick_calls_between_slow_ones_are_not_touched(guest: Guest) -> None:
    slow = [asyncio.create_task(invoke(guest, asyncio.sleep, 60)) for _ in range(3)]
    await asyncio.sleep(0)
    guest._deadlines.limit_s = 60  # for those that come, so that a busy machine makes none of them slow
    while not all(task.done() for task in slow):
        assert await invoke(guest, asyncio.sleep, 0.01, "quick") == "quick"
    results = await asyncio.gather(*slow, return_exceptions=True)
    assert [type(result) for result in results] == [DeadlineExceeded] * 3


async def test_the_clock_runs_again_for_the_next_invocation(guest: Guest) -> None:
    loop = asyncio.get_running_loop()
    guest._deadlines.limit_s = 60

    async def look(began_s: float) -> None:
        await asyncio.sleep(0.02)
        (end_s,) = guest._deadlines._ends.values()
        assert end_s >= began_s + 60

    function: Any = look
    async with guest.call() as call:
        for _ in range(3):
            await call.invoke(function, loop.time())
    assert not guest._deadlines._ends


async def test_a_cancellation_from_outside_stays_one_even_when_time_is_up(guest: Guest) -> None:
    async def cancelled_twice() -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            await asyncio.sleep(5)
        finally:
            task.cancel()  # as if the client had gone in the same moment

    task = asyncio.create_task(invoke(guest, cancelled_twice))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_a_call_that_ends_in_the_moment_its_time_is_up_leaves_no_cancellation_behind(guest: Guest) -> None:
    async def swallow() -> str:
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            return "ended all the same"
        return "never"

    assert await invoke(guest, swallow) == "ended all the same"
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)


async def test_a_lifted_deadline_does_not_come_back(guest: Guest) -> None:
    async def stream() -> str:
        call = current_call()
        assert isinstance(call, GuestCall)
        call.lift_deadline()
        await asyncio.sleep(0.2)
        return "done"

    assert await invoke(guest, stream) == "done"


async def test_a_deadline_that_was_lifted_can_count_anew(guest: Guest) -> None:
    async def stream() -> None:
        call = current_call()
        assert isinstance(call, GuestCall)
        call.lift_deadline()
        await asyncio.sleep(0.2)
        call.resume_deadline()
        await asyncio.sleep(60)

    with pytest.raises(DeadlineExceeded):
        await invoke(guest, stream)


async def test_a_deadline_that_is_resumed_after_the_invocation_ends_nobody(guest: Guest) -> None:
    function: Any = asyncio.sleep
    async with guest.call() as call:
        await call.invoke(function, 0)
        call.resume_deadline()
        await asyncio.sleep(0.2)
        await call.invoke(function, 0)
        with pytest.raises(DeadlineExceeded):
            await call.invoke(function, 60)


async def test_every_block_closes_its_store(guest: Guest) -> None:
    before = Store.closed
    with pytest.raises(DeadlineExceeded):
        await invoke(guest, asyncio.sleep, 5)
    await invoke(guest, asyncio.sleep, 0)
    assert Store.closed == before + 2
