"""What one guest may use, each limit at its edge: the documented error, a slot that is free again, others unharmed."""

from __future__ import annotations

import asyncio
import time
from collections import UserList
from typing import TYPE_CHECKING, Any

import pytest

from kernel.tests.engine.guest_text import Imports, call, guest, resource
from qwasr.engine import ValueLimits
from qwasr.errors import (
    CpuLimitExceeded,
    FuelExhausted,
    GuestError,
    HostValueError,
    InstantiationError,
    LimitExceeded,
    Overloaded,
    TooManyResources,
    ValueTooLarge,
)
from qwasr.hosting import HostInterface, HostResource

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kernel.tests.engine.conftest import MakeEngine
    from qwasr.engine import Engine, LinkedComponent

NUMBER = '(param "n" u32) (result u32)'
API = Imports("test:host/api", {"plain": NUMBER, "waiting": NUMBER})
GUEST = guest(
    """
    (func (export "once") (param i32) (result i32) (call $plain (local.get 0)))
    (func (export "wait") (param i32) (result i32) (call $waiting (local.get 0)))
    (func (export "spin") (param i32) (result i32) (loop (br 0)) unreachable)
    (func (export "count") (param i32) (result i32)
      (loop (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br_if 0 (local.get 0))) (i32.const 0))
    (func (export "storm") (param i32) (result i32) (loop (drop (call $plain (local.get 0))) (br 0)) unreachable)
    (func (export "waits") (param i32) (result i32) (loop (drop (call $waiting (local.get 0))) (br 0)) unreachable)""",
    dict.fromkeys(("once", "wait", "spin", "count", "storm", "waits"), NUMBER),
    API,
)
SPINNING_TO_START = guest('(func $begin (loop (br 0))) (start $begin) (func (export "f"))', {"f": ""})


class Api(HostInterface, wit="test:host/api"):
    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.wait_s = 0.0

    def plain(self, n: int) -> int:
        return n + 1

    async def waiting(self, n: int) -> int:
        if self.wait_s:
            await asyncio.sleep(self.wait_s)
        elif n:
            await self.gate.wait()
        else:
            await asyncio.sleep(0)
        return n


def link(engine: Engine, text: bytes = GUEST, *hosts: HostInterface) -> LinkedComponent:
    return engine.link(engine.load(text), list(hosts) or [Api()])


# ---------------------------------------------------------------- computing


@pytest.fixture
def processor_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count the processor's time alone: what another process took is no computing of guests that have to be done."""
    monkeypatch.setattr("qwasr.engine.instance.perf_counter", time.thread_time)


@pytest.mark.parametrize("kind", ["spin", "storm", "waits"])
async def test_a_guest_that_computes_for_too_long_ends(make_engine: MakeEngine, kind: str) -> None:
    engine = make_engine(cpu_s=0.3)
    linked = link(engine)
    with pytest.raises(CpuLimitExceeded, match=r"longer than 0\.3 s \(QWASR_GUEST_CPU_S\)"):
        await call(linked, kind, 0)
    assert engine.slots.running == 0
    assert await call(linked, "once", 1) == 2, "the next guest is unharmed"


async def test_a_start_function_that_computes_for_too_long_ends(make_engine: MakeEngine) -> None:
    engine = make_engine(cpu_s=0.05)
    with pytest.raises(CpuLimitExceeded):
        await call(link(engine, SPINNING_TO_START), "f")
    assert engine.slots.running == 0


@pytest.mark.usefixtures("processor_time")
async def test_waiting_is_not_computing(make_engine: MakeEngine) -> None:
    engine, host = make_engine(cpu_s=0.5), Api()
    host.wait_s = 0.8
    linked = link(engine, GUEST, host)
    store = linked.store()
    assert await store.call(linked.function(None, "wait"), 1) == 1
    assert 0 < store.cpu_s < 0.5
    store.close()


async def test_the_turns_of_other_guests_are_not_a_guests_own_computing(make_engine: MakeEngine) -> None:
    engine = make_engine(cpu_s=0.3)
    linked = link(engine)
    started = time.perf_counter()
    results = await asyncio.gather(*[call(linked, "spin", 0) for _ in range(3)], return_exceptions=True)
    assert [type(result) for result in results] == [CpuLimitExceeded] * 3
    assert time.perf_counter() - started > 0.8


@pytest.mark.usefixtures("processor_time")
async def test_each_call_of_a_store_may_compute_as_long(make_engine: MakeEngine) -> None:
    linked = link(make_engine(cpu_s=0.5))
    count = linked.function(None, "count")
    store = linked.store()
    rounds = 1_000_000
    while store.cpu_s < 0.02:  # as many rounds as take a while, on this machine
        rounds *= 2
        await store.call(count, rounds)
    while store.cpu_s < 1.0:
        await store.call(count, rounds)
    store.close()


async def test_a_lifted_limit_does_not_come_back(make_engine: MakeEngine) -> None:
    linked = link(make_engine(cpu_s=0.02))
    store = linked.store()
    store.lift_cpu_limit()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await store.call(linked.function(None, "spin"), 0)
    assert store.cpu_s > 0.02
    store.close()


# ---------------------------------------------------------------- fuel


async def test_a_guest_without_fuel_ends_and_the_next_call_has_its_own(make_engine: MakeEngine) -> None:
    engine = make_engine(fuel=100_000)
    linked = link(engine)
    with pytest.raises(FuelExhausted, match=r"in spin \(QWASR_GUEST_FUEL\)") as raised:
        await call(linked, "spin", 0)
    assert raised.value.backtrace
    store = linked.store()
    for _ in range(5):  # together more than there is
        assert await store.call(linked.function(None, "count"), 10_000) == 0
    store.close()


async def test_a_start_function_without_fuel_ends(make_engine: MakeEngine) -> None:
    with pytest.raises(FuelExhausted):
        await call(link(make_engine(fuel=1_000), SPINNING_TO_START), "f")


async def test_code_that_counts_fuel_has_a_cache_entry_of_its_own(make_engine: MakeEngine, tmp_path: Path) -> None:
    counting, other = make_engine(cache_dir=tmp_path, fuel=10_000), make_engine(cache_dir=tmp_path)
    assert not counting.load(GUEST).from_cache
    assert not other.load(GUEST).from_cache
    assert counting.load(GUEST).from_cache
    assert await call(link(other), "count", 100_000) == 0
    with pytest.raises(FuelExhausted):
        await call(link(counting), "count", 100_000)


# ---------------------------------------------------------------- space

MANY_TABLES = guest(
    '(table 1 funcref) (table 1 funcref) (table 1 funcref) (func (export "f"))',
    {"f": ""},
)
MANY_MEMORIES = guest('(memory 1) (memory 1) (memory 1) (func (export "f"))', {"f": ""})
MANY_INSTANCES = guest(
    '(func (export "f"))',
    {"f": ""},
    extra="(core module $e)" + " ".join(f"(core instance $e{n} (instantiate $e))" for n in range(5)),
)


@pytest.mark.parametrize(
    ("text", "options", "variable"),
    [
        (MANY_TABLES, {"tables": 2}, "QWASR_GUEST_TABLES"),
        (MANY_MEMORIES, {"memories": 2}, "QWASR_GUEST_MEMORIES"),
        (MANY_INSTANCES, {"instances": 5}, "QWASR_GUEST_INSTANCES"),
        (guest('(memory 33) (func (export "f"))', {"f": ""}), {"memory_bytes": 1 << 21}, "QWASR_GUEST_MEMORY_BYTES"),
        (
            guest('(table 51 funcref) (func (export "f"))', {"f": ""}),
            {"table_elements": 50},
            "QWASR_GUEST_TABLE_ELEMENTS",
        ),
    ],
)
@pytest.mark.parametrize("pool", [True, False])
async def test_a_component_that_needs_more_than_it_may_is_refused_by_the_name_of_the_limit(
    make_engine: MakeEngine, text: bytes, options: dict[str, Any], variable: str, pool: bool
) -> None:
    engine = make_engine(pool=pool, **options)
    with pytest.raises(InstantiationError, match=rf"\({variable}\)$"):
        await call(link(engine, text), "f")
    assert engine.slots.running == 0
    assert await call(link(make_engine(pool=pool), text), "f") is None, "it runs where it may"


async def test_a_table_that_may_not_grow_tells_the_guest(make_engine: MakeEngine) -> None:
    text = guest(
        """(table $t 1 funcref) (func (export "f") (param i32) (result i32)
           (table.grow $t (ref.null func) (local.get 0)))""",
        {"f": NUMBER},
    )
    linked = link(make_engine(table_elements=30_000), text)
    assert await call(linked, "f", 29_999) == 1, "the pool's tables are as large as the limit"
    assert await call(linked, "f", 30_000) == 2**32 - 1


TWO_MEMORIES = guest(
    """(memory $a 1) (memory $b 1)
       (func (export "f") (param i32) (result i32)
         (loop (br_if 0 (i32.ne (memory.grow $a (i32.const 1)) (i32.const -1))))
         (loop (br_if 0 (i32.ne (memory.grow $b (i32.const 1)) (i32.const -1))))
         (i32.add (memory.size $a) (memory.size $b)))""",
    {"f": NUMBER},
)


async def test_each_memory_has_the_limit_of_its_own_so_one_memory_makes_it_the_guests(make_engine: MakeEngine) -> None:
    pages = 32
    options = {"memory_bytes": pages * 65536}
    assert await call(link(make_engine(memories=2, **options), TWO_MEMORIES), "f", 0) == 2 * pages
    with pytest.raises(InstantiationError, match="QWASR_GUEST_MEMORIES"):
        await call(link(make_engine(memories=1, **options), TWO_MEMORIES), "f", 0)


class Thing(HostResource):
    live = 0

    def __init__(self) -> None:
        Thing.live += 1

    def drop(self) -> None:
        Thing.live -= 1


class Things(HostInterface, wit="test:host/things", resources=(Thing,)):
    pass


THINGS = guest(
    """(func (export "hoard") (param i32) (result i32)
      (loop (drop (call $constructor.thing))
            (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br_if 0 (local.get 0)))
      (i32.const 0))""",
    {"hoard": NUMBER},
    Imports("test:host/things", {"[constructor]thing": "(result (own $thing))"}, resource("thing"), ("thing",)),
)


async def test_a_guest_that_hoards_resources_ends_and_all_are_dropped(make_engine: MakeEngine) -> None:
    linked = link(make_engine(resources=100), THINGS, Things())
    assert await call(linked, "hoard", 100) == 0
    with pytest.raises(TooManyResources, match=r"holds 100 host resources .*\(QWASR_GUEST_RESOURCES\)"):
        await call(linked, "hoard", 101)
    assert Thing.live == 0, "the one that it did not get as well"


# ---------------------------------------------------------------- values

LISTS = Imports(
    "test:host/lists",
    {
        "take-bytes": '(param "d" (list u8))',
        "take-numbers": '(param "d" (list u32))',
        "take-flags": '(param "d" (list bool))',
        "take-text": '(param "d" string)',
        "wait-bytes": '(param "d" (list u8))',
        "give": "(result (list (list u8)))",
    },
)
PASSING = guest(
    "".join(
        f'(func (export "{name}") (param i32) (call ${name} (i32.const 65536) (local.get 0)))'
        for name in ("take-bytes", "take-numbers", "take-flags", "take-text", "wait-bytes")
    )
    + """(func (export "answer") (param i32) (result i32)
           (i32.store (i32.const 8) (i32.const 65536)) (i32.store (i32.const 12) (local.get 0)) (i32.const 8))
         (func (export "get") (call $give (i32.const 8)))
         (func (export "count-numbers") (param i32 i32) (result i32) (local.get 1))
         (func (export "count-text") (param i32 i32) (result i32) (local.get 1))""",
    {
        **dict.fromkeys(("take-bytes", "take-numbers", "take-flags", "take-text", "wait-bytes"), '(param "n" u32)'),
        "answer": '(param "n" u32) (result (list u8))',
        "get": "",
        "count-numbers": '(param "d" (list u32)) (result u32)',
        "count-text": '(param "d" string) (result u32)',
    },
    LISTS,
    memory=True,
)


class Lists(HostInterface, wit="test:host/lists"):
    given: Any = ()
    taken = 0

    def take_bytes(self, d: Any) -> None:
        self.taken = len(d)

    take_numbers = take_flags = take_text = take_bytes

    async def wait_bytes(self, d: bytes) -> None:
        self.taken = len(d)

    def give(self) -> Any:
        return self.given


@pytest.fixture
def small_ceilings(make_engine: MakeEngine) -> Engine:
    """An engine whose ceilings a guest of two pages reaches."""
    return make_engine(values=ValueLimits(elements=1_000, items=500, string_bytes=2_000))


@pytest.mark.parametrize(
    ("name", "limit", "what"),
    [
        ("take-bytes", 1_000, "list<u8> of 1001 elements"),
        ("wait-bytes", 1_000, "list<u8> of 1001 elements"),
        ("take-numbers", 1_000, "list<u32> of 1001 elements"),
        ("take-flags", 500, "list<bool> of 501 elements"),
        ("take-text", 2_000, "string of 2001 bytes"),
    ],
)
async def test_a_value_that_is_too_large_never_reaches_the_host_function(
    small_ceilings: Engine, name: str, limit: int, what: str
) -> None:
    host = Lists()
    linked = link(small_ceilings, PASSING, host)
    await call(linked, name, limit)
    assert host.taken == limit
    with pytest.raises(ValueTooLarge, match=rf"^the guest passed to test:host/lists#{name} a {what}, more than"):
        await call(linked, name, limit + 1)
    assert host.taken == limit


async def test_an_answer_that_is_too_large_is_not_copied(small_ceilings: Engine) -> None:
    linked = link(small_ceilings, PASSING, Lists())
    assert len(await call(linked, "answer", 1_000)) == 1_000
    with pytest.raises(ValueTooLarge, match="answered answer with a list<u8> of 1001 elements, more than 1000"):
        await call(linked, "answer", 1_001)


async def test_lists_inside_a_list_for_the_guest_are_bounded_together(small_ceilings: Engine) -> None:
    host = Lists()
    linked = link(small_ceilings, PASSING, host)
    host.given = [bytes(100)] * 9 + [b""]
    await call(linked, "get")
    host.given = [bytes(100)] * 10
    for _ in range(2):  # what the first one used up is not missing in the second
        with pytest.raises(HostValueError, match=r"result\[9\].*with what is beside it more than 1000 elements"):
            await call(linked, "get")
    host.given = [bytes(100)] * 9
    await call(linked, "get")


class Counted(UserList[int]):
    """A sequence that tells how much of it was looked at."""

    looked_at = 0

    def __iter__(self) -> Iterator[int]:
        for item in self.data:
            self.looked_at += 1
            yield item


async def test_a_list_of_numbers_for_the_guest_is_counted_before_it_is_copied(small_ceilings: Engine) -> None:
    linked = link(small_ceilings, PASSING, Lists())
    numbers = Counted([1] * 1_001)
    with pytest.raises(HostValueError, match="1001 elements, more than 1000"):
        await call(linked, "count-numbers", numbers)
    assert numbers.looked_at == 0
    assert await call(linked, "count-numbers", numbers[:1_000]) == 1_000
    assert await call(linked, "count-numbers", iter(numbers[:1_000])) == 1_000, "what has no length is counted later"
    with pytest.raises(HostValueError, match="1001 elements, more than 1000"):
        await call(linked, "count-numbers", iter(numbers))


async def test_a_string_for_the_guest_is_measured_in_bytes_and_not_copied_when_its_length_tells(
    small_ceilings: Engine,
) -> None:
    linked = link(small_ceilings, PASSING, Lists())
    assert await call(linked, "count-text", "é" * 1_000) == 2_000
    with pytest.raises(HostValueError, match="2002 bytes, more than 2000"):
        await call(linked, "count-text", "é" * 1_001)
    with pytest.raises(HostValueError, match="at least 2001 bytes, more than 2000"):
        await call(linked, "count-text", "é" * 2_001)


async def test_the_ceilings_of_one_engine_are_not_those_of_another(small_ceilings: Engine, engine: Engine) -> None:
    host = Lists()
    await call(link(engine, PASSING, host), "take-bytes", 1_001)
    assert host.taken == 1_001
    with pytest.raises(ValueTooLarge):
        await call(link(small_ceilings, PASSING, host), "take-bytes", 1_001)


# ---------------------------------------------------------------- how many at once


async def test_calls_beyond_the_queue_are_refused_at_once(make_engine: MakeEngine) -> None:
    engine, host = make_engine(concurrency=2, queue=3), Api()
    linked = link(engine, GUEST, host)
    tasks = [asyncio.create_task(call(linked, "wait", 1)) for _ in range(5)]
    await asyncio.sleep(0.01)
    assert (engine.slots.running, engine.slots.waiting, engine.slots.capacity) == (2, 3, 2)
    with pytest.raises(Overloaded, match=r"2 calls run and 3 wait \(QWASR_CONCURRENCY, QWASR_QUEUE\)") as raised:
        await call(linked, "once", 1)
    assert raised.value.retry_after_s == 5
    host.gate.set()
    assert await asyncio.gather(*tasks) == [1] * 5
    assert (engine.slots.running, engine.slots.waiting) == (0, 0)
    assert await call(linked, "once", 1) == 2


async def test_a_call_that_waits_for_too_long_is_refused(make_engine: MakeEngine) -> None:
    engine, host = make_engine(concurrency=1, queue_timeout_s=0.05), Api()
    linked = link(engine, GUEST, host)
    running = asyncio.create_task(call(linked, "wait", 1))
    await asyncio.sleep(0.01)
    for _ in range(2):
        with pytest.raises(Overloaded, match=r"no guest ended for 0\.05 s \(QWASR_QUEUE_TIMEOUT_S") as raised:
            await call(linked, "once", 1)
        assert raised.value.retry_after_s == 1
    host.gate.set()
    assert await running == 1
    assert await call(linked, "once", 1) == 2


def test_every_limit_is_a_guest_error() -> None:
    assert all(issubclass(error, LimitExceeded) for error in (CpuLimitExceeded, FuelExhausted, TooManyResources))
    assert issubclass(LimitExceeded, GuestError)
    assert issubclass(Overloaded, GuestError)
