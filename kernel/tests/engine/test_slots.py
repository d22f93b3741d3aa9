from __future__ import annotations

import asyncio

import pytest

from qwasr.engine.slots import Slots
from qwasr.errors import Overloaded


async def acquire(slots: Slots) -> None:
    if not slots.take():
        await slots.wait()


async def holder(slots: Slots, order: list[int], n: int) -> None:
    await acquire(slots)
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
    await acquire(slots)
    waiting = asyncio.create_task(holder(slots, order, 1))
    await asyncio.sleep(0)
    slots.release()
    await holder(slots, order, 2)
    await waiting
    assert order == [1, 2]


async def test_who_gives_up_waiting_takes_no_slot() -> None:
    slots = Slots(1)
    await acquire(slots)
    waiting = [asyncio.create_task(acquire(slots)) for _ in range(3)]
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
    await acquire(slots)
    first, second = asyncio.create_task(acquire(slots)), asyncio.create_task(acquire(slots))
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
        await acquire(slots)
        waiting = acquire(slots)
        waiting.send(None)  # as a task that nobody ever resumes
        kept.append(waiting)

    kept: list[object] = []
    asyncio.run(abandon())
    slots.release()
    assert slots.free == 1
    kept.clear()


async def test_who_finds_the_queue_full_is_refused_and_the_others_are_served() -> None:
    slots = Slots(1, queue=1)
    await acquire(slots)
    waiting = asyncio.create_task(acquire(slots))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await acquire(slots)
    assert (slots.running, slots.waiting, slots.capacity) == (1, 1, 1)
    slots.release()
    await waiting
    slots.release()
    assert slots.free == 1


@pytest.mark.parametrize(("queue", "timeout_s"), [(0, 5.0), (5, 0.0)])
async def test_nobody_waits_where_nobody_may(queue: int, timeout_s: float) -> None:
    slots = Slots(1, queue, timeout_s)
    await acquire(slots)
    with pytest.raises(Overloaded) as raised:
        await acquire(slots)
    assert raised.value.retry_after_s >= 1


async def test_each_who_waits_has_patience_of_its_own() -> None:
    slots = Slots(1, timeout_s=0.06)
    await acquire(slots)
    loop = asyncio.get_running_loop()

    async def come(after_s: float) -> float:
        await asyncio.sleep(after_s)
        started = loop.time()
        with pytest.raises(Overloaded):
            await acquire(slots)
        return loop.time() - started

    for waited_s in await asyncio.gather(*[come(0.02 * n) for n in range(5)]):
        assert 0.05 < waited_s < 5
    assert slots.waiting == 0
    slots.release()
    await acquire(slots)
    slots.release()
    assert slots.free == 1


def test_patience_goes_on_in_the_next_event_loop() -> None:
    slots = Slots(1, timeout_s=0.05)

    async def wait_in_vain() -> None:
        if slots.free:
            await acquire(slots)
        with pytest.raises(Overloaded):
            await acquire(slots)

    async def wait_and_leave() -> None:
        task = asyncio.create_task(acquire(slots))
        await asyncio.sleep(0)
        task.cancel()

    asyncio.run(wait_in_vain())
    asyncio.run(wait_and_leave())
    asyncio.run(wait_in_vain())
    slots.release()
    assert (slots.free, slots.waiting) == (1, 0)
