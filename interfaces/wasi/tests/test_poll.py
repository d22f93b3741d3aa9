"""wasi:io/poll on the classes themselves."""

from __future__ import annotations

import asyncio

import pytest

from qwasr.errors import GuestTrap
from qwasr_wasi.poll import READY, FutureWaitable, Poll, Pollable, Unwatch, Waiters, Wake, wait_until


class Flag:
    """Becomes ready when it is raised, and counts who asks."""

    def __init__(self) -> None:
        self.up = False
        self.asked = 0
        self.watching = 0
        self._waiters = Waiters()

    def ready(self) -> bool:
        self.asked += 1
        return self.up

    def watch(self, wake: Wake) -> Unwatch:
        self.watching += 1
        unwatch = self._waiters.watch(wake)

        def undo() -> None:
            self.watching -= 1
            unwatch()

        return undo

    def raise_(self) -> None:
        self.up = True
        self.wake()

    def wake(self) -> None:
        self._waiters.notify()


@pytest.fixture
def poll() -> Poll:
    return Poll(None)  # type: ignore[arg-type]  # it uses no backend


async def answer(result: object) -> object:
    """What the engine does with a result: await it if it must be awaited."""
    return await result if asyncio.iscoroutine(result) else result


def test_poll_of_an_empty_list_is_a_trap(poll: Poll) -> None:
    with pytest.raises(GuestTrap, match="empty"):
        poll.poll([])


def test_poll_of_absurdly_many_pollables_is_a_trap(poll: Poll) -> None:
    with pytest.raises(GuestTrap, match="65536"):
        poll.poll([Pollable(READY)] * 65_537)


def test_poll_answers_at_once_with_every_ready_index(poll: Poll) -> None:
    waiting = Pollable(Flag())
    assert poll.poll([waiting, Pollable(READY), waiting, Pollable(READY)]) == [1, 3]


def test_poll_lists_the_same_pollable_once_for_each_place(poll: Poll) -> None:
    pollable = Pollable(READY)
    assert poll.poll([pollable, pollable]) == [0, 1]


async def test_poll_waits_for_the_first_of_many(poll: Poll) -> None:
    flags = [Flag() for _ in range(100)]
    asyncio.get_running_loop().call_later(0.01, flags[42].raise_)
    assert await answer(poll.poll([Pollable(flag) for flag in flags])) == [42]


async def test_poll_returns_all_that_became_ready_together(poll: Poll) -> None:
    flags = [Flag() for _ in range(3)]
    for flag in flags[1:]:
        asyncio.get_running_loop().call_soon(flag.raise_)
    assert await answer(poll.poll([Pollable(flag) for flag in flags])) == [1, 2]


async def test_poll_takes_back_every_watch_when_it_returns(poll: Poll) -> None:
    flags = [Flag() for _ in range(5)]
    asyncio.get_running_loop().call_soon(flags[0].raise_)
    await answer(poll.poll([Pollable(flag) for flag in [*flags, *flags]]))
    assert [flag.watching for flag in flags] == [0] * 5


async def test_a_cancelled_poll_leaves_no_watch_and_no_task_behind(poll: Poll) -> None:
    flags = [Flag() for _ in range(5)]
    task = asyncio.ensure_future(answer(poll.poll([Pollable(flag) for flag in flags])))
    await asyncio.sleep(0)
    assert [flag.watching for flag in flags] == [1] * 5
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [flag.watching for flag in flags] == [0] * 5
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_watch_that_fails_takes_back_the_others() -> None:
    class Broken(Flag):
        def watch(self, wake: Wake) -> Unwatch:
            raise RuntimeError("broken")

    flag = Flag()
    with pytest.raises(RuntimeError, match="broken"):
        await wait_until(flag, Broken())
    assert flag.watching == 0


async def test_a_needless_wake_does_not_end_the_wait() -> None:
    flag = Flag()
    task = asyncio.ensure_future(wait_until(flag))
    for _ in range(3):
        await asyncio.sleep(0)
        flag.wake()
    await asyncio.sleep(0)
    assert not task.done()
    flag.raise_()
    await task


async def test_waiting_does_not_ask_again_and_again() -> None:
    flag = Flag()
    task = asyncio.ensure_future(wait_until(flag))
    for _ in range(1000):
        await asyncio.sleep(0)
    assert flag.asked < 3
    task.cancel()


async def test_what_becomes_ready_before_the_wait_begins_is_not_missed() -> None:
    flag = Flag()
    waiting = Pollable(flag).block()
    assert waiting is not None
    flag.raise_()
    async with asyncio.timeout(1):
        await waiting


async def test_block_on_a_ready_pollable_answers_at_once() -> None:
    assert Pollable(READY).block() is None


async def test_two_waits_for_one_thing_both_end() -> None:
    flag = Flag()
    tasks = [asyncio.ensure_future(wait_until(flag)) for _ in range(2)]
    await asyncio.sleep(0)
    flag.raise_()
    async with asyncio.timeout(1):
        await asyncio.gather(*tasks)


@pytest.mark.parametrize("end", ["result", "failure", "cancellation"])
async def test_a_future_is_ready_however_it_ended(end: str) -> None:
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    waitable = FutureWaitable(future)
    waiting = asyncio.ensure_future(wait_until(waitable))
    await asyncio.sleep(0)
    assert not waitable.ready()
    if end == "result":
        future.set_result(1)
    elif end == "failure":
        future.set_exception(ValueError())
        future.exception()
    else:
        future.cancel()
    await waiting
    assert waitable.ready()


async def test_a_cancelled_wait_for_a_future_leaves_the_future_alone() -> None:
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    waiting = asyncio.ensure_future(wait_until(FutureWaitable(future)))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert not future.cancelled()
    future.set_result(1)
    await asyncio.sleep(0)
