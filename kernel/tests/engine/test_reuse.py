from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from kernel.tests.engine.guest_text import Imports, guest, resource
from qwasr.engine.reuse import Reuse
from qwasr.errors import DeadlineExceeded, GuestTrap, HostFunctionError
from qwasr.guest import Guest
from qwasr.hosting import HostInterface, HostResource
from qwasr.runtime_options import RuntimeOptions
from qwasr.values import WitError

if TYPE_CHECKING:
    from kernel.tests.engine.conftest import MakeEngine
    from qwasr.engine import LinkedComponent

RESULT = "(result u32)"
TEXT = guest(
    """
    (global $calls (mut i32) (i32.const 0))
    (func $next (result i32)
      (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
      (global.get $calls))
    (func (export "count") (result i32) (call $next))
    (func (export "refuse") (result i32) (drop (call $next)) (i32.const 1))
    (func (export "trap") (result i32) unreachable)
    (func (export "endless") (result i32) (loop (br 0)) (i32.const 0))
    (func (export "fail") (result i32) (call $fail))
    (func (export "keep") (result i32) (drop (call $open)) (call $next))
    (func (export "hold") (result i32) (call $wait) (call $next))
    (func (export "open-and-drop") (result i32) (call $drop.thing (call $open)) (call $next))""",
    {
        "count": RESULT,
        "refuse": "(result (result))",
        "trap": RESULT,
        "endless": RESULT,
        "fail": RESULT,
        "keep": RESULT,
        "hold": RESULT,
        "open-and-drop": RESULT,
    },
    Imports(
        "test:host/api",
        {"fail": RESULT, "wait": "", "open": "(result (own $thing))"},
        types=resource("thing"),
        resources=("thing",),
    ),
)


class Thing(HostResource):
    dropped = 0

    def drop(self) -> None:
        Thing.dropped += 1


class Api(HostInterface, wit="test:host/api", resources=(Thing,)):
    def __init__(self) -> None:
        self.door = asyncio.Event()

    def fail(self) -> int:
        raise ValueError

    async def wait(self) -> None:
        await self.door.wait()

    def open(self) -> Thing:
        return Thing()


def linked_api(make_engine: MakeEngine, api: Api | None = None, **options: Any) -> LinkedComponent:
    engine = make_engine(**{"concurrency": 4, "epoch_ms": 1} | options)
    return engine.link(engine.load(TEXT), [api or Api()])


async def call(guest: Guest, name: str) -> Any:
    async with guest.call() as call:
        return await call.invoke(guest.function(None, name))


async def test_every_call_has_an_instance_of_its_own_unless_reuse_is_asked_for(make_engine: MakeEngine) -> None:
    linked = linked_api(make_engine)
    made = Guest("app", linked, 5)
    assert [await call(made, "count") for _ in range(3)] == [1, 1, 1]
    assert linked.engine.slots.free == 4
    assert RuntimeOptions.from_env({}).reuse == 0


async def test_what_a_guest_keeps_in_memory_is_there_in_the_next_call_of_its_instance(make_engine: MakeEngine) -> None:
    made = Guest("app", linked_api(make_engine), 5, reuse=100)
    assert [await call(made, "count") for _ in range(4)] == [1, 2, 3, 4]
    made.close()


async def test_an_instance_serves_its_first_call_and_as_many_further_ones_as_were_allowed(
    make_engine: MakeEngine,
) -> None:
    linked = linked_api(make_engine)
    made = Guest("app", linked, 5, reuse=2)
    assert [await call(made, "count") for _ in range(7)] == [1, 2, 3, 1, 2, 3, 1]
    made.close()
    assert linked.engine.slots.free == 4


@pytest.mark.parametrize(
    ("name", "error"), [("trap", GuestTrap), ("endless", DeadlineExceeded), ("fail", HostFunctionError)]
)
async def test_an_instance_whose_call_failed_is_dropped(
    make_engine: MakeEngine, name: str, error: type[Exception]
) -> None:
    linked = linked_api(make_engine)
    made = Guest("app", linked, 0.05, reuse=100)
    assert await call(made, "count") == 1
    with pytest.raises(error):
        await call(made, name)
    assert linked.engine.slots.free == 4
    assert await call(made, "count") == 1
    made.close()


async def test_an_instance_whose_failure_was_caught_inside_of_the_call_is_dropped(make_engine: MakeEngine) -> None:
    made = Guest("app", linked_api(make_engine), 5, reuse=100)
    async with made.call() as one:
        with pytest.raises(GuestTrap):
            await one.invoke(made.function(None, "trap"))
    assert await call(made, "count") == 1
    made.close()


async def test_an_instance_whose_call_was_cancelled_is_dropped(make_engine: MakeEngine) -> None:
    linked = linked_api(make_engine)
    made = Guest("app", linked, 5, reuse=100)
    assert await call(made, "count") == 1
    task = asyncio.create_task(call(made, "hold"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert linked.engine.slots.free == 4
    assert await call(made, "count") == 1
    made.close()


async def test_a_result_that_is_an_error_is_an_answer_like_any_other(make_engine: MakeEngine) -> None:
    made = Guest("app", linked_api(make_engine), 5, reuse=100)
    async with made.call() as one:
        with pytest.raises(WitError):
            await one.invoke(made.function(None, "refuse"))
    assert await call(made, "count") == 2
    made.close()


async def test_an_instance_that_still_holds_a_host_resource_is_dropped_with_it(make_engine: MakeEngine) -> None:
    Thing.dropped = 0
    linked = linked_api(make_engine)
    made = Guest("app", linked, 5, reuse=100)
    assert [await call(made, "keep") for _ in range(2)] == [1, 1]
    assert (Thing.dropped, linked.engine.slots.free) == (2, 4)
    assert [await call(made, "open-and-drop") for _ in range(2)] == [1, 2]
    assert (Thing.dropped, linked.engine.slots.free) == (4, 3)
    made.close()


async def test_calls_at_the_same_time_never_share_an_instance(make_engine: MakeEngine) -> None:
    api = Api()
    linked = linked_api(make_engine, api)
    made = Guest("app", linked, 5, reuse=100)
    tasks = [asyncio.create_task(call(made, "hold")) for _ in range(4)]
    await asyncio.sleep(0)
    api.door.set()
    assert await asyncio.gather(*tasks) == [1, 1, 1, 1]
    assert linked.engine.slots.free == 0, "idle instances hold their slots"
    assert await asyncio.gather(*[call(made, "count") for _ in range(4)]) == [2, 3, 4, 5]
    made.close()
    assert linked.engine.slots.free == 4


async def test_no_instance_is_kept_while_a_call_waits_for_a_slot(make_engine: MakeEngine) -> None:
    api = Api()
    linked = linked_api(make_engine, api, concurrency=1)
    made = Guest("app", linked, 5, reuse=100)
    tasks = [asyncio.create_task(call(made, "hold")) for _ in range(3)]
    await asyncio.sleep(0)
    api.door.set()
    assert await asyncio.wait_for(asyncio.gather(*tasks), 5) == [1, 1, 1]
    made.close()


async def test_idle_instances_go(make_engine: MakeEngine) -> None:
    linked = linked_api(make_engine)
    reuse = Reuse(linked, 100, idle_s=0.02)
    for _ in range(2):
        store = reuse.take()
        assert await store.call(linked.function(None, "count")) == 1
        reuse.give(store)
        assert len(reuse) == 1
        async with asyncio.timeout(5):
            while len(reuse):  # noqa: ASYNC110 - the timer tells no one
                await asyncio.sleep(0.005)
        assert linked.engine.slots.free == 4


async def test_the_limit_of_computing_is_each_calls_own(make_engine: MakeEngine) -> None:
    made = Guest("app", linked_api(make_engine, cpu_s=0.5), 5, reuse=100)
    async with made.call() as one:
        one.lift_cpu_limit()
        await one.invoke(made.function(None, "count"))
    async with made.call() as one:
        assert one.store.cpu_limit_s == 0.5
        assert await one.invoke(made.function(None, "count")) == 2
    made.close()


def test_idle_instances_of_a_dead_event_loop_go_on_in_the_next(make_engine: MakeEngine) -> None:
    made = Guest("app", linked_api(make_engine), 5, reuse=100)
    assert [asyncio.run(call(made, "count")) for _ in range(3)] == [1, 2, 3]
    made.close()


async def test_calls_that_come_while_others_have_the_turn_are_served_though_idle_instances_hold_all_slots(
    make_engine: MakeEngine,
) -> None:
    linked = linked_api(make_engine, concurrency=2, queue_timeout_s=0.0)
    made = Guest("app", linked, 5, reuse=100)
    async with made.call() as late:  # its store is a fresh one: nothing is idle yet
        assert [await call(made, "count") for _ in range(2)] == [1, 2]
        async with made.call() as other:
            await call(made, "count")
            await other.invoke(made.function(None, "count"))
        assert linked.engine.slots.free == 0, "idle instances hold them"
        assert await late.invoke(made.function(None, "count")) == 1
    made.close()
    assert linked.engine.slots.free == 2


async def test_an_idle_instance_of_one_component_gives_way_to_a_call_of_another(make_engine: MakeEngine) -> None:
    linked = linked_api(make_engine, concurrency=1, queue_timeout_s=0.0)
    other = linked.engine.link(linked.engine.load(TEXT), [Api()])
    first, second = Guest("first", linked, 5, reuse=100), Guest("second", other, 5, reuse=100)
    for _ in range(2):
        assert [await call(first, "count") for _ in range(2)] == [1, 2]
        assert [await call(second, "count") for _ in range(2)] == [1, 2]
    for made in (first, second):
        made.close()
    assert linked.engine.slots.free == 1


async def test_the_instance_that_has_been_idle_for_longest_gives_way(make_engine: MakeEngine) -> None:
    linked = linked_api(make_engine, concurrency=2)
    other = linked.engine.link(linked.engine.load(TEXT), [Api()])
    old, new = Guest("old", linked, 5, reuse=100), Guest("new", other, 5, reuse=100)
    third = Guest("third", linked, 5)
    await call(new, "count")
    await call(old, "count")
    await call(new, "count")  # so it became idle after the other
    await call(third, "count")
    assert [await call(new, "count"), await call(old, "count")] == [3, 1]
    for made in (old, new):
        made.close()
