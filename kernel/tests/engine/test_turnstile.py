from __future__ import annotations

import asyncio
import itertools

import pytest

from qwasr.engine.turnstile import Turnstile


def run_for(turnstile: Turnstile, seconds: float) -> None:
    """Do what the driver of a guest does after each poll."""
    turnstile.spent_s += seconds
    if turnstile.spent_s > turnstile.quiet_s:
        turnstile.note()


async def test_one_tired_guest_goes_through_in_a_turn_in_the_order_of_coming() -> None:
    turnstile = Turnstile()
    through: list[int] = []

    async def guest(n: int) -> None:
        await turnstile.turn(tired=True)
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


async def test_as_many_fresh_guests_go_through_in_a_turn_as_its_budget_holds_in_the_order_of_coming() -> None:
    turnstile = Turnstile(slice_s=1)
    through: list[int] = []

    async def guest(n: int) -> None:
        await turnstile.turn()
        through.append(n)
        run_for(turnstile, 0.4)

    tasks = [asyncio.create_task(guest(n)) for n in range(10)]
    seen = [0]
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0)
        seen.append(len(through))
    assert through == list(range(10))
    assert max(later - earlier for earlier, later in itertools.pairwise(seen)) == 3


async def test_short_runs_cost_no_callback_and_a_spent_budget_closes_until_the_next_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    turnstile = Turnstile(slice_s=1)
    noted: list[float] = []
    monkeypatch.setattr(Turnstile, "_schedule", lambda self, _loop: noted.append(self.spent_s))
    run_for(turnstile, 0.05)
    run_for(turnstile, 0.04)
    assert (noted, turnstile.closed) == ([], False)
    monkeypatch.undo()
    run_for(turnstile, 0.5)
    assert not turnstile.closed
    run_for(turnstile, 0.5)
    assert turnstile.closed
    await asyncio.sleep(0)
    assert (turnstile.closed, turnstile.spent_s) == (False, 0)


async def test_who_comes_while_others_stand_in_line_stands_behind_them() -> None:
    turnstile = Turnstile(slice_s=1)
    through: list[str] = []

    async def guest(name: str, seconds: float) -> None:
        if turnstile.closed:
            await turnstile.turn()
        through.append(name)
        run_for(turnstile, seconds)

    tasks = [asyncio.create_task(guest(name, 1)) for name in "abc"]
    while "b" not in through:  # noqa: ASYNC110 - turns of the loop until the second has had its turn
        await asyncio.sleep(0)
    tasks.append(asyncio.create_task(guest("new", 0)))
    await asyncio.gather(*tasks)
    assert through == ["a", "b", "c", "new"]


async def test_an_interrupted_guest_goes_on_before_those_who_have_not_begun() -> None:
    turnstile = Turnstile()
    through: list[str] = []

    async def guest(name: str, *, interrupted: bool) -> None:
        await turnstile.turn(interrupted=interrupted)
        through.append(name)

    await asyncio.gather(guest("new", interrupted=False), guest("begun", interrupted=True))
    assert through == ["begun", "new"]


async def test_neither_tired_guests_nor_new_ones_keep_the_others_from_going_on() -> None:
    turnstile = Turnstile(slice_s=1)
    turns = {"tired": 0, "new": 0}
    stop = False

    async def endless() -> None:
        while not stop:
            await turnstile.turn(tired=True)
            turns["tired"] += 1
            run_for(turnstile, 1)

    async def new() -> None:
        if turnstile.closed:
            await turnstile.turn()
        turns["new"] += 1
        run_for(turnstile, 0.5)

    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(endless())
        for _ in range(40):
            group.create_task(new())
            group.create_task(new())
            await asyncio.sleep(0)
        stop = True
    assert turns["tired"] >= 30
    assert turns["new"] == 80


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
            await turnstile.turn(tired=True)
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


async def crowd(turnstile: Turnstile, begun: list[int], n: int) -> None:
    """An endless guest: it is fresh once, and tired ever after."""
    await turnstile.turn()
    begun.append(n)
    run_for(turnstile, 1)
    while True:
        await turnstile.turn(tired=True)
        run_for(turnstile, 1)


async def test_who_comes_behind_a_crowd_that_never_ends_goes_before_it_and_both_ends_of_the_crowd_move() -> None:
    turnstile = Turnstile(slice_s=1)
    begun: list[int] = []
    endless = [asyncio.create_task(crowd(turnstile, begun, n)) for n in range(100)]
    for _ in range(5):
        await asyncio.sleep(0)
    waited = []
    for _ in range(10):
        call = asyncio.create_task(turnstile.turn())
        turns = 0
        while not call.done():
            await asyncio.sleep(0)
            turns += 1
        waited.append(turns)
    assert max(waited) <= 5, "two turns, and the steps of the loop around them"
    firsts, lasts = [n for n in begun if n < 50], [n for n in begun if n >= 50]
    assert firsts == list(range(len(firsts))), "those who came first go on in their order"
    assert abs(len(firsts) - len(lasts)) <= 2
    while len(begun) < 100:  # noqa: ASYNC110 - turns of the loop until each has begun
        await asyncio.sleep(0)
    for task in endless:
        task.cancel()
    await asyncio.wait(endless)


async def test_many_that_come_behind_a_crowd_go_before_it_together_and_none_is_forgotten() -> None:
    turnstile = Turnstile(slice_s=1)
    begun: list[int] = []
    endless = [asyncio.create_task(crowd(turnstile, begun, n)) for n in range(100)]
    for _ in range(5):
        await asyncio.sleep(0)
    before = len(begun)
    calls = [asyncio.create_task(turnstile.turn()) for _ in range(60)]
    async with asyncio.timeout(10):
        await asyncio.gather(*calls)
    assert len(begun) - before < 20
    for task in endless:
        task.cancel()
    await asyncio.wait(endless)
