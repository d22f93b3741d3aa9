from __future__ import annotations

import asyncio

import pytest

from qwasr.engine.slots import Slots


async def holder(slots: Slots, order: list[int], n: int) -> None:
    await slots.acquire()
    order.append(n)
    await asyncio.sleep(0)
    slots.release()


async def test_those_who_wait_are_served_in_the_order_of_coming() -> None:
    slots, order = Slots(2), list[int]()
    await asyncio.gather(*[holder(slots, order, n) for n in range(10)])
    assert order == list(range(10))
    assert slots.free == 2


async def test_a_released_slot_goes_to_who_waits_and_not_to_who_comes_next() -> None:
    slots, order = Slots(1), list[int]()
    await slots.acquire()
    waiting = asyncio.create_task(holder(slots, order, 1))
    await asyncio.sleep(0)
    slots.release()
    await holder(slots, order, 2)
    await waiting
    assert order == [1, 2]


async def test_who_gives_up_waiting_takes_no_slot() -> None:
    slots = Slots(1)
    await slots.acquire()
    waiting = [asyncio.create_task(slots.acquire()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    slots.release()
    await waiting[1]
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
    slots.release()
    await waiting[2]
    slots.release()
    assert slots.free == 1


async def test_a_slot_given_to_a_task_that_is_cancelled_in_the_same_turn_is_passed_on() -> None:
    slots = Slots(1)
    await slots.acquire()
    first, second = asyncio.create_task(slots.acquire()), asyncio.create_task(slots.acquire())
    await asyncio.sleep(0)
    slots.release()
    first.cancel()
    await second
    with pytest.raises(asyncio.CancelledError):
        await first
    slots.release()
    assert slots.free == 1


def test_who_waited_in_a_dead_event_loop_is_passed_over() -> None:
    slots = Slots(1)

    async def abandon() -> None:
        await slots.acquire()
        waiting = slots.acquire()
        waiting.send(None)  # as a task that nobody ever resumes
        kept.append(waiting)

    kept: list[object] = []
    asyncio.run(abandon())
    slots.release()
    assert slots.free == 1
    kept.clear()
