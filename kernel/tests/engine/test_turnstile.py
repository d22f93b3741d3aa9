from __future__ import annotations

import asyncio
import itertools

import pytest

from qwasr.engine.turnstile import Turnstile


async def test_one_at_a_time_goes_through_in_the_order_of_coming() -> None:
    turnstile = Turnstile()
    through: list[int] = []

    async def guest(n: int) -> None:
        await turnstile.turn()
        through.append(n)

    tasks = [asyncio.create_task(guest(n)) for n in range(5)]
    await asyncio.sleep(0)
    assert len(turnstile) == 5
    seen = []
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0)
        seen.append(len(through))
    assert through == [0, 1, 2, 3, 4]
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(seen))
    assert len(turnstile) == 0


async def test_a_turn_is_the_next_one_where_nobody_else_waits() -> None:
    turnstile = Turnstile()
    for _ in range(3):
        await asyncio.wait_for(turnstile.turn(), 5)
    assert len(turnstile) == 0


async def test_who_gives_up_costs_nobody_a_turn() -> None:
    turnstile = Turnstile()
    tasks = [asyncio.create_task(turnstile.turn()) for _ in range(6)]
    await asyncio.sleep(0)
    for task in tasks[:5]:
        task.cancel()
    await asyncio.wait_for(tasks[5], 5)
    for task in tasks[:5]:
        with pytest.raises(asyncio.CancelledError):
            await task
    assert len(turnstile) == 0


async def test_who_comes_again_stands_behind_those_who_wait() -> None:
    turnstile = Turnstile()
    through: list[str] = []

    async def guest(name: str, times: int) -> None:
        for _ in range(times):
            await turnstile.turn()
            through.append(name)

    await asyncio.gather(guest("a", 3), guest("b", 3))
    assert through == ["a", "b"] * 3


def test_what_waited_in_a_dead_event_loop_does_not_hold_up_the_next() -> None:
    turnstile = Turnstile()

    async def wait() -> None:
        task = asyncio.create_task(turnstile.turn())
        await asyncio.sleep(0)
        assert len(turnstile) == 1
        task.cancel()

    asyncio.run(wait())
    asyncio.run(asyncio.wait_for(turnstile.turn(), 5))
