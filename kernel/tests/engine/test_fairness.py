from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

import pytest

from kernel.tests.engine.guest_text import Imports, call, guest
from qwasr.engine import Store
from qwasr.errors import GuestTrap
from qwasr.hosting import HostInterface

if TYPE_CHECKING:
    from kernel.tests.engine.conftest import MakeEngine
    from qwasr.engine import LinkedComponent

NUMBER = '(param "n" u32) (result u32)'
GUEST = guest(
    """
    (func $work (local $i i32)
      (loop
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if 0 (i32.lt_u (local.get $i) (i32.const 20000)))))
    (func (export "endless") (loop (br 0)))
    (func (export "telling") (param i32) (loop (call $work) (drop (call $tell (local.get 0))) (br 0)))
    (func (export "chatty") (loop (drop (call $tell (i32.const 0))) (br 0)))
    (func (export "polite") (param i32) (result i32)
      (loop
        (drop (call $pause (i32.const 0)))
        (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
      (i32.const 1))""",
    {"endless": "", "telling": '(param "n" u32)', "chatty": "", "polite": NUMBER},
    Imports("test:host/api", {"tell": NUMBER, "pause": NUMBER}),
)


class Api(HostInterface, wit="test:host/api"):
    def __init__(self) -> None:
        self.told: list[int] = []

    def tell(self, n: int) -> int:
        self.told.append(n)
        return n

    async def pause(self, n: int) -> int:
        await asyncio.sleep(0)
        return n


def linked_api(make_engine: MakeEngine, host: Api | None = None) -> LinkedComponent:
    engine = make_engine(concurrency=16, epoch_ms=1)
    return engine.link(engine.load(GUEST), [host or Api()])


async def cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    assert all(isinstance(x, asyncio.CancelledError) for x in await asyncio.gather(*tasks, return_exceptions=True))


@pytest.mark.parametrize("name", ["endless", "chatty"])
async def test_an_endless_guest_is_ended_by_a_timeout(make_engine: MakeEngine, name: str) -> None:
    linked = linked_api(make_engine)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await call(linked, name)
    assert linked.engine.slots.free == 16
    assert await call(linked, "polite", 1) == 1


async def test_an_endless_start_function_is_ended_by_a_timeout(make_engine: MakeEngine) -> None:
    engine = make_engine(epoch_ms=1)
    text = guest('(func $f (loop (br 0))) (start $f) (func (export "f"))', {"f": ""})
    linked = engine.link(engine.load(text), [])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await call(linked, "f")
    assert engine.slots.free == 8


async def test_other_guests_go_on_beside_endless_ones(make_engine: MakeEngine) -> None:
    linked = linked_api(make_engine)
    endless = [asyncio.create_task(call(linked, "endless")) for _ in range(4)]
    assert await asyncio.gather(*[call(linked, "polite", 5) for _ in range(4)]) == [1, 1, 1, 1]
    assert not any(task.done() for task in endless)
    await cancel(endless)
    assert linked.engine.slots.free == 16


async def test_one_yielded_guest_goes_on_in_each_turn_of_the_loop(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Which guest is run, and not what it does then: it may be interrupted before it has done anything.
    run, ran = Store._run, list[Store]()

    def recording(store: Store, future: int) -> bool:
        ran.append(store)
        return run(store, future)

    monkeypatch.setattr(Store, "_run", recording)
    host = Api()
    linked = linked_api(make_engine, host)
    busy = [asyncio.create_task(call(linked, "telling", n)) for n in range(8)]
    while set(host.told) != set(range(8)):  # noqa: ASYNC110 - turns of the loop until each has begun
        await asyncio.sleep(0)
    for _ in range(60):  # until each has run for so long that it is tired
        await asyncio.sleep(0)
    ran.clear()
    turns = 0
    for _ in range(60):
        await asyncio.sleep(0)
        turns += 1
    slices = [store for store, _ in itertools.groupby(ran)]
    assert len(slices) <= turns + 1, "two guests ran in one turn"
    assert len(slices) > turns // 3, "a turn passed without one"
    shares = [slices.count(store) for store in set(slices)]
    assert len(shares) == 8
    assert max(shares) - min(shares) <= 3, "in the order they came"
    await cancel(busy)


async def test_a_guest_that_only_waits_never_stands_in_the_line_of_the_busy(make_engine: MakeEngine) -> None:
    engine = make_engine(epoch_ms=60_000)
    linked = engine.link(engine.load(GUEST), [Api()])
    task = asyncio.create_task(call(linked, "polite", 20))
    longest = 0
    while not task.done():
        longest = max(longest, len(engine.turnstile))
        await asyncio.sleep(0)
    assert (await task, longest) == (1, 0)


async def test_a_new_call_stands_in_line_once_guests_have_spent_the_turn(make_engine: MakeEngine) -> None:
    host = Api()
    engine = make_engine(epoch_ms=60_000)
    linked = engine.link(engine.load(GUEST), [host])
    tasks = [asyncio.create_task(call(linked, "polite", 1)) for _ in range(3)]
    engine.turnstile.spent_s = engine.turnstile.slice_s
    engine.turnstile.note()  # the next turn begins after the three
    await asyncio.sleep(0)
    assert engine.slots.running == 0, "none of them has begun"
    assert engine.turnstile.closed, "for the one who comes next, too"
    assert await asyncio.gather(*tasks) == [1, 1, 1]
    assert len(engine.turnstile) == 0
    await asyncio.sleep(0)
    assert not engine.turnstile.closed


async def test_what_guests_run_counts_against_the_turn(make_engine: MakeEngine) -> None:
    engine = make_engine(epoch_ms=60_000)
    linked = engine.link(engine.load(GUEST), [Api()])
    engine.turnstile.quiet_s = 60
    await call(linked, "polite", 1)
    assert 0 < engine.turnstile.spent_s < 60


async def test_a_guest_that_traps_among_busy_ones_harms_none(make_engine: MakeEngine) -> None:
    linked = linked_api(make_engine)
    trapping = linked.engine.link(linked.engine.load(guest('(func (export "f") unreachable)', {"f": ""})), [])
    busy = [asyncio.create_task(call(linked, "endless")) for _ in range(3)]
    for _ in range(5):
        with pytest.raises(GuestTrap):
            await call(trapping, "f")
        await asyncio.sleep(0)
    assert not any(task.done() for task in busy)
    await cancel(busy)


def test_guests_of_one_event_loop_after_another_share_an_engine(make_engine: MakeEngine) -> None:
    linked = linked_api(make_engine)

    async def crowd() -> None:
        endless = [asyncio.create_task(call(linked, "endless")) for _ in range(3)]
        assert await call(linked, "polite", 3) == 1
        await cancel(endless)

    for _ in range(3):
        asyncio.run(crowd())
    assert linked.engine.slots.free == 16


def test_an_event_loop_that_stops_under_its_busy_guests_leaves_the_next_one_free(make_engine: MakeEngine) -> None:
    linked = linked_api(make_engine)

    async def begin() -> None:
        for _ in range(3):
            asyncio.create_task(call(linked, "endless"))  # noqa: RUF006 - abandoned on purpose, `run` cancels it
        for _ in range(4):
            await asyncio.sleep(0)

    asyncio.run(begin())
    assert linked.engine.slots.free == 16
    assert asyncio.run(call(linked, "polite", 3)) == 1
