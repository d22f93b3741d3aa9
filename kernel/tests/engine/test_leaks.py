"""A thousand of everything that ends a call, and then nothing may be left: counted, not timed."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kernel.tests.engine.guest_text import Imports, call, guest, resource
from qwasr.engine import Component, Engine, EngineOptions, LinkedComponent, Store
from qwasr.engine.resources import GuestHandle
from qwasr.errors import GuestError, HostValueError, LinkError
from qwasr.hosting import HostInterface, HostResource

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kernel.tests.engine.conftest import MakeEngine

TIMES = 1000
MAX_GROWTH_BYTES = 24 * 1024 * 1024  # a leaked guest is at least a memory of two pages: a thousand of them are 128 MiB

API = Imports(
    "test:host/api",
    {
        "[constructor]thing": "(result (own $thing))",
        "text": '(param "text" string) (result string)',
        "wait": '(param "n" u32) (result u32)',
        "texts": "(result (list string))",
        "fail": "",
    },
    types=resource("thing"),
    resources=("thing",),
)
LONG = "x" * 50_000
TOUCH = "(memory.fill (i32.const 65536) (i32.const 1) (i32.const 60000))"
GUEST = guest(
    f"""
    (func $both {TOUCH} (drop (call $constructor.thing)) (call $drop.thing (call $constructor.thing))
      (call $text (i32.const 65536) (i32.const 2000) (i32.const 16)))
    (func (export "good") (param i32 i32) (result i32) (call $both)
      (i32.store (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1)) (i32.const 16))
    (func (export "little") (call $drop.thing (call $constructor.thing)))
    (func (export "trap") (call $both) unreachable)
    (func (export "raise") (call $both) (call $fail))
    (func (export "wait") (call $both) (drop (call $wait (i32.const 1))))
    (func (export "list") (param i32 i32) (call $both))
    (func (export "texts") (call $both) (call $texts (i32.const 16)))
    (func (export "spin") (call $both) (loop (br 0)))""",
    {"good": '(param "text" string) (result string)', "list": '(param "texts" (list string))'}
    | dict.fromkeys(["little", "trap", "raise", "wait", "spin", "texts"], ""),
    API,
    memory=True,
)


class Thing(HostResource):
    live = 0

    def __init__(self) -> None:
        Thing.live += 1

    def drop(self) -> None:
        Thing.live -= 1


class Api(HostInterface, wit="test:host/api", resources=(Thing,)):
    def text(self, text: str) -> str:
        return text * 3

    async def wait(self, n: int) -> int:
        await asyncio.Event().wait()
        return n

    def texts(self) -> Any:
        return [LONG, LONG, 5]

    def fail(self) -> None:
        raise KeyError("x")


@pytest.fixture
def linked(make_engine: MakeEngine) -> LinkedComponent:
    engine = make_engine(concurrency=4, epoch_ms=1)
    return engine.link(engine.load(GUEST), [Api()])


def memory_in_use() -> int:
    if sys.platform != "linux":
        return 0
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def open_files() -> int:
    folder = Path("/proc/self/fd" if sys.platform == "linux" else "/dev/fd")
    return len(list(folder.iterdir()))


def count(cls: type) -> int:
    gc.collect()
    return sum(type(each) is cls for each in gc.get_objects())


async def good(linked: LinkedComponent) -> None:
    assert await call(linked, "good", LONG) == LONG


async def bad_argument(linked: LinkedComponent) -> None:
    with pytest.raises(HostValueError):
        await call(linked, "list", [LONG, LONG, 5])


async def bad_result(linked: LinkedComponent) -> None:
    with pytest.raises(HostValueError):
        await call(linked, "texts")


async def trap(linked: LinkedComponent) -> None:
    with pytest.raises(GuestError):
        await call(linked, "trap")


async def host_exception(linked: LinkedComponent) -> None:
    with pytest.raises(GuestError):
        await call(linked, "raise")


async def cancellation(linked: LinkedComponent) -> None:
    task = asyncio.create_task(call(linked, "wait"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def cancelled_while_busy(linked: LinkedComponent) -> None:
    task = asyncio.create_task(call(linked, "spin"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def unused_store(linked: LinkedComponent) -> None:
    linked.store().close()


WAYS: list[Callable[[LinkedComponent], Awaitable[None]]] = [
    good,
    bad_argument,
    bad_result,
    trap,
    host_exception,
    cancellation,
    cancelled_while_busy,
    unused_store,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_nothing_is_left_of_a_thousand_calls_however_they_end(
    linked: LinkedComponent, way: Callable[[LinkedComponent], Awaitable[None]]
) -> None:
    times = TIMES if way is not cancelled_while_busy else TIMES // 10
    for _ in range(20):
        await way(linked)  # what is made once is made now
    before = (linked.engine.slots.free, Thing.live, open_files(), count(Store), len(asyncio.all_tasks()))
    memory = memory_in_use()
    for _ in range(times):
        await way(linked)
    assert memory_in_use() - memory < MAX_GROWTH_BYTES
    after = (linked.engine.slots.free, Thing.live, open_files(), count(Store), len(asyncio.all_tasks()))
    assert after == before
    assert before[:2] == (4, 0)


async def test_nothing_is_left_of_a_thousand_refused_instantiations(make_engine: MakeEngine) -> None:
    engine = make_engine(concurrency=4)
    text = guest(
        f'(func $begin {TOUCH} (drop (call $constructor.thing)) unreachable) (start $begin) (func (export "f"))',
        {"f": ""},
        API,
        memory=True,
    )
    linked = engine.link(engine.load(text), [Api()])

    async def refused() -> None:
        with pytest.raises(GuestError):
            await call(linked, "f")

    for _ in range(20):
        await refused()
    before, memory = count(Store), memory_in_use()
    for _ in range(TIMES):
        await refused()
    assert memory_in_use() - memory < MAX_GROWTH_BYTES
    assert (engine.slots.free, Thing.live, count(Store)) == (4, 0, before)


async def test_a_store_that_is_used_for_a_thousand_calls_does_not_grow(linked: LinkedComponent) -> None:
    store = linked.store()
    function = linked.function(None, "little")
    await store.call(function)
    memory = memory_in_use()
    for _ in range(10 * TIMES):
        await store.call(function)
    assert (len(store.resources), Thing.live) == (0, 0)
    assert memory_in_use() - memory < MAX_GROWTH_BYTES // 4
    store.close()


def test_loading_linking_and_forgetting_components_frees_them(engine: Engine) -> None:
    def once() -> None:
        linked = engine.link(engine.load(GUEST), [Api()])
        linked.function(None, "good")
        with pytest.raises(LinkError):
            engine.link(engine.load(GUEST), [])

    for _ in range(5):
        once()
    before = (open_files(), count(Component), count(LinkedComponent), count(GuestHandle))
    memory = memory_in_use()
    for _ in range(40):
        once()
    assert (open_files(), count(Component), count(LinkedComponent), count(GuestHandle)) == before
    assert memory_in_use() - memory < MAX_GROWTH_BYTES


def test_closed_engines_leave_no_thread() -> None:
    before = threading.active_count()
    for _ in range(10):
        Engine(EngineOptions(concurrency=1)).close()
    assert threading.active_count() == before
