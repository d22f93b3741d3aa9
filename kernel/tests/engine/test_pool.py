from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from kernel.tests.engine.guest_text import call, guest
from qwasr.engine import pool
from qwasr.engine.pool import can_reserve, choose_layout, unpooled
from qwasr.errors import InstantiationError

if TYPE_CHECKING:
    from kernel.tests.engine.conftest import MakeEngine, RunPython

MIB = 1 << 20
GIB = 1 << 30
ANSWER = '(func (export "f") (result i32) (i32.const 5))'
F = {"f": "(result u32)"}
GUEST = guest(ANSWER, F)


def test_with_address_space_to_spare_every_memory_gets_4_gib() -> None:
    layout = choose_layout(8, 64 * MIB)
    assert layout.pooled
    assert layout.reservation_bytes == 4 * GIB
    assert layout.memory_bytes == 64 * MIB


def test_the_pool_is_made_smaller_and_then_given_up_with_a_line_each(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pool, "can_reserve", lambda size: size < 100 * GIB)
    smaller = choose_layout(64, 64 * MIB)
    assert smaller.pooled
    assert smaller.reservation_bytes == 64 * MIB
    assert "no address space for a pool of 64 guests" in caplog.text
    monkeypatch.setattr(pool, "can_reserve", lambda size: False)
    assert choose_layout(64, 64 * MIB) == unpooled(64 * MIB)
    assert "instantiating without a pool" in caplog.text


def test_a_reservation_is_tried_without_taking_memory() -> None:
    assert can_reserve(64 * GIB)
    assert not can_reserve(1 << 62)
    assert not can_reserve(1 << 70)
    assert not can_reserve(0)


def test_memory_is_rounded_up_to_whole_pages() -> None:
    assert choose_layout(1, 1).memory_bytes == 64 * 1024
    assert unpooled(MIB + 1).memory_bytes == MIB + 64 * 1024


async def test_without_a_pool_guests_run_too(make_engine: MakeEngine) -> None:
    engine = make_engine(pool=False)
    assert not engine.layout.pooled
    assert await call(engine.link(engine.load(GUEST), []), "f") == 5


async def test_a_pool_of_one_slot_serves_one_guest_after_another(make_engine: MakeEngine) -> None:
    engine = make_engine(concurrency=1)
    linked = engine.link(engine.load(GUEST), [])
    assert [await call(linked, "f") for _ in range(10)] == [5] * 10


async def test_a_full_pool_of_guests_is_alive_at_once(make_engine: MakeEngine) -> None:
    engine = make_engine(concurrency=30)
    linked = engine.link(engine.load(guest("(memory 1) (table 10 funcref)" + ANSWER, F, memory=True)), [])
    stores = [linked.store() for _ in range(30)]
    assert [await store.call(linked.function(None, "f")) for store in stores] == [5] * 30
    for store in stores:
        store.close()


TOO_BIG = {
    "tables in a module": guest("(table 1 funcref)" * 30 + ANSWER, F),
    "core instances": guest(
        ANSWER, F, extra="(core module $e)" + " ".join(f"(core instance $e{n} (instantiate $e))" for n in range(200))
    ),
    "memories": guest(
        ANSWER,
        F,
        extra="(core module $e (memory 1))" + " ".join(f"(core instance $e{n} (instantiate $e))" for n in range(10)),
    ),
    "tables": guest(
        ANSWER,
        F,
        extra="(core module $e (table 1 funcref))"
        + " ".join(f"(core instance $e{n} (instantiate $e))" for n in range(40)),
    ),
}
FITTING = {
    "elements of a table": guest(f"(table {pool.TABLE_ELEMENTS} funcref)" + ANSWER, F),
    "tables in a module": guest("(table 1 funcref)" * 4 + ANSWER, F),
    "memories in a module": guest("(memory 1) (memory 1)" + ANSWER, F),
}


@pytest.mark.parametrize("what", TOO_BIG)
async def test_a_component_that_does_not_fit_the_pool_runs_without_and_says_so(
    make_engine: MakeEngine, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    engine = make_engine()
    linked = engine.link(engine.load(TOO_BIG[what], name="big"), [])
    assert await call(linked, "f") == 5
    assert "big does not fit the pool" in caplog.text
    assert await call(engine.link(engine.load(GUEST), []), "f") == 5, "others still run in it"


@pytest.mark.parametrize("what", FITTING)
async def test_what_is_as_large_as_allowed_fits_the_pool(
    make_engine: MakeEngine, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    engine = make_engine()
    assert await call(engine.link(engine.load(FITTING[what]), []), "f") == 5
    assert not caplog.text


async def test_a_component_whose_memory_is_over_the_limit_is_refused_when_it_is_instantiated(
    make_engine: MakeEngine,
) -> None:
    engine = make_engine(memory_bytes=2 * MIB)
    fits, over = (engine.link(engine.load(guest(f"(memory {pages})" + ANSWER, F)), []) for pages in (32, 33))
    assert await call(fits, "f") == 5
    with pytest.raises(InstantiationError, match="33 pages exceeds memory limits"):
        await call(over, "f")
    assert await call(fits, "f") == 5


def test_the_interpreters_switch_interval_is_shortened_and_never_lengthened(make_engine: MakeEngine) -> None:
    before = sys.getswitchinterval()
    try:
        sys.setswitchinterval(0.005)
        make_engine()
        assert sys.getswitchinterval() == pytest.approx(0.0005)
        sys.setswitchinterval(0.0001)
        make_engine()
        assert sys.getswitchinterval() == pytest.approx(0.0001, abs=0.00001)
    finally:
        sys.setswitchinterval(before)


LIMITED = """
import asyncio, logging, resource, sys
from kernel.tests.engine.guest_text import call
from qwasr.engine import Engine, EngineOptions
from qwasr.errors import GuestError

logging.basicConfig(stream=sys.stdout, format="%(message)s")
resource.setrlimit(resource.RLIMIT_AS, (int(float(sys.argv[2]) * 2**30), resource.RLIM_INFINITY))
engine = Engine(EngineOptions(concurrency=64))
linked = engine.link(engine.load(sys.argv[1].encode()), [])
try:
    result = asyncio.run(call(linked, "f"))
except GuestError as error:
    result = error
print("pooled" if engine.layout.pooled else "unpooled", result)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits address space as a whole")
@pytest.mark.parametrize(
    ("gib", "last", "lines"),
    [
        ("100", "pooled 0", 1),
        ("36", "pooled 0", 1),  # just enough for the smaller pool
        ("34", "unpooled 0", 3),  # just not
        ("0.4", "unpooled the component cannot be instantiated: Cannot allocate memory (os error 12)", 3),
    ],
)
def test_a_limit_on_address_space_makes_the_pool_smaller_and_never_ends_the_process(
    run_python: RunPython, gib: str, last: str, lines: int
) -> None:
    memory = guest('(memory 1) (func (export "f") (result i32) (i32.load8_u (i32.const 9)))', F).decode()
    output = run_python(LIMITED, memory, gib).splitlines()
    assert output[-1] == last
    assert len(output) == lines + 1
    assert output[0].startswith("no address space for a pool of 64 guests (516.")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits address space as a whole")
def test_a_pool_that_just_fits_the_limit_leaves_room_to_compile(run_python: RunPython) -> None:
    tight = """
import resource, sys
from qwasr.engine import Engine, EngineOptions, pool
in_use = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
for extra in range(0, 2048, 16):  # the smallest limit, in MiB, under which a pool is chosen
    resource.setrlimit(resource.RLIMIT_AS, (in_use + (extra << 20), resource.RLIM_INFINITY))
    if pool.choose_layout(2, 1 << 20).pooled:
        break
engine = Engine(EngineOptions(concurrency=2, memory_bytes=1 << 20))
assert engine.layout.pooled
print(engine.load(b"(component)").exports)
"""
    assert run_python(tight) == "()\n"
