from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from kernel.tests.engine.guest_text import Imports, call, guest
from qwasr.engine.traps import split_trap
from qwasr.errors import GuestError, GuestTrap, InstantiationError, ValueTooLarge
from qwasr.hosting import HostInterface

if TYPE_CHECKING:
    from kernel.tests.engine.conftest import MakeEngine
    from qwasr.engine import Engine, LinkedComponent

MIB = 1 << 20
GUEST = guest(
    """
    (memory 1)
    (table 2 funcref)
    (type $none (func))
    (func $inner unreachable)
    (func $outer (call $inner))
    (func (export "trap") (call $outer))
    (func $deeper (export "recurse") (call $deeper) (call $deeper))
    (func $beyond (export "load") (drop (i32.load (i32.const 0x7fffffff))))
    (func (export "divide") (drop (i32.div_u (i32.const 1) (i32.const 0))))
    (func (export "overflow") (drop (i32.trunc_f32_s (f32.const 1e30))))
    (func (export "indirect") (call_indirect (type $none) (i32.const 0)))
    (func (export "element") (call_indirect (type $none) (i32.const 99)))
    (func (export "fill") (memory.fill (i32.const 65535) (i32.const 1) (i32.const 9)))
    (func (export "well") (result i32) (i32.const 5))""",
    dict.fromkeys(("trap", "recurse", "load", "divide", "overflow", "indirect", "element", "fill"), "")
    | {"well": "(result u32)"},
)
TRAPS = {
    "trap": ("unreachable", "main!inner\nmain!outer\n"),
    "recurse": ("call stack exhausted", "main!deeper\nmain!deeper\n"),
    "load": ("out of bounds memory access", "main!beyond"),
    "divide": ("integer divide by zero", "main!"),
    "overflow": ("integer overflow", "main!"),
    "indirect": ("uninitialized element", "main!"),
    "element": ("undefined element: out of bounds table access", "main!"),
    "fill": ("out of bounds memory access", "main!"),
}


@pytest.fixture(scope="module")
def linked(engine: Engine) -> LinkedComponent:
    return engine.link(engine.load(GUEST), [])


@pytest.mark.parametrize("name", TRAPS)
async def test_a_trap_has_a_reason_of_one_line_and_a_backtrace_with_function_names(
    linked: LinkedComponent, name: str
) -> None:
    reason, backtrace = TRAPS[name]
    with pytest.raises(GuestTrap) as raised:
        await call(linked, name)
    assert reason in raised.value.reason
    assert "\n" not in raised.value.reason
    assert str(raised.value) == raised.value.reason
    assert raised.value.backtrace.startswith(backtrace)
    assert "0x" not in raised.value.reason + raised.value.backtrace
    assert await call(linked, "well") == 5, "the next guest is unharmed"


async def test_a_store_whose_guest_trapped_is_not_entered_again(linked: LinkedComponent) -> None:
    store = linked.store()
    for name in ("trap", "well"):
        with pytest.raises(GuestTrap):
            await store.call(linked.function(None, name))
    store.close()


async def test_many_guests_trap_at_once_and_each_gets_its_own_reason(linked: LinkedComponent) -> None:
    names = [*TRAPS] * 5
    errors = await asyncio.gather(*[call(linked, name) for name in names], return_exceptions=True)
    for name, error in zip(names, errors, strict=True):
        assert isinstance(error, GuestTrap)
        assert TRAPS[name][0] in error.reason


async def test_a_trap_while_instantiating_is_an_instantiation_error_with_its_backtrace(engine: Engine) -> None:
    text = guest('(func $begin unreachable) (start $begin) (func (export "f"))', {"f": ""})
    free = engine.slots.free
    linked = engine.link(engine.load(text), [])
    store = linked.store()
    for _ in range(2):
        with pytest.raises(InstantiationError, match=r"cannot be instantiated: .*unreachable") as raised:
            await store.call(linked.function(None, "f"))
        assert raised.value.backtrace == "main!begin"
        assert engine.slots.free == free, "its slot is free at once"
    store.close()


@pytest.mark.parametrize(
    ("core", "reason"),
    [
        ('(memory 1) (data (i32.const 70000) "x")', "out of bounds memory access"),
        ("(table 1 funcref) (elem (i32.const 5) $f)", "out of bounds table access"),
    ],
)
async def test_a_segment_that_does_not_fit_is_an_instantiation_error(engine: Engine, core: str, reason: str) -> None:
    linked = engine.link(engine.load(guest(core + '(func $f (export "f"))', {"f": ""})), [])
    with pytest.raises(InstantiationError, match=reason):
        await call(linked, "f")


# ---------------------------------------------------------------- limits


GROW = """(memory 1) (table $t 1 funcref)
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "grow-table") (param i32) (result i32) (table.grow $t (ref.null func) (local.get 0)))"""
GROWING = '(param "n" u32) (result s32)'


@pytest.mark.parametrize("pool", [True, False])
async def test_memory_grows_up_to_the_limit_and_then_the_guest_is_told(make_engine: MakeEngine, pool: bool) -> None:
    engine = make_engine(memory_bytes=2 * MIB, table_elements=100, pool=pool)
    linked = engine.link(engine.load(guest(GROW, {"grow": GROWING, "grow-table": GROWING})), [])
    store = linked.store()
    grow, grow_table = linked.function(None, "grow"), linked.function(None, "grow-table")
    assert [await store.call(grow, n) for n in (30, 2, 1, 1, 2**32 - 1)] == [1, -1, 31, -1, -1]
    assert [await store.call(grow_table, n) for n in (98, 2, 1, 1)] == [1, -1, 99, -1]
    store.close()


@pytest.mark.parametrize("pool", [True, False])
@pytest.mark.parametrize("core", ["(memory 33)", "(table 101 funcref)"])
async def test_what_is_too_large_from_the_start_is_an_instantiation_error(
    make_engine: MakeEngine, core: str, pool: bool
) -> None:
    engine = make_engine(memory_bytes=2 * MIB, table_elements=100, pool=pool)
    linked = engine.link(engine.load(guest(core + '(func (export "f"))', {"f": ""})), [])
    with pytest.raises(InstantiationError, match=r"minimum size .* exceeds"):
        await call(linked, "f")
    assert engine.slots.free == 8


# ---------------------------------------------------------------- what a guest may hand over


STRINGS = Imports("test:host/api", {"say": '(param "text" string) (result u32)', "bytes": '(param "b" (list u8))'})


class Api(HostInterface, wit="test:host/api"):
    def say(self, text: str) -> int:
        return len(text)

    def bytes(self, b: bytes) -> None:
        pass


@pytest.mark.parametrize(
    ("pointer", "length"), [(0, 2**32 - 1), (2**32 - 1, 1), (131_072, 1), (131_071, 2), (0, 131_073)]
)
@pytest.mark.parametrize("name", ["say", "bytes"])
async def test_a_string_or_list_outside_memory_is_a_trap(engine: Engine, name: str, pointer: int, length: int) -> None:
    text = f"""(func (export "say") (drop (call $say (i32.const {pointer}) (i32.const {length}))))
      (func (export "bytes") (call $bytes (i32.const {pointer}) (i32.const {length})))"""
    linked = engine.link(engine.load(guest(text, {"say": "", "bytes": ""}, STRINGS, memory=True)), [Api()])
    with pytest.raises(GuestTrap):
        await call(linked, name)


@pytest.mark.parametrize("data", ["\\ff", "\\c3", "\\ed\\a0\\80", "\\f4\\90\\80\\80", "\\c0\\80"])
async def test_a_string_that_is_no_utf_8_is_a_trap(engine: Engine, data: str) -> None:
    size = data.count("\\")
    text = f'(data (i32.const 16) "{data}") (func (export "f") (drop (call $say (i32.const 16) (i32.const {size}))))'
    linked = engine.link(engine.load(guest(text, {"f": ""}, STRINGS, memory=True)), [Api()])
    with pytest.raises(GuestTrap, match=r"(?i)utf-?8"):
        await call(linked, "f")


async def test_more_list_elements_than_the_library_carries_are_too_large_a_value(engine: Engine) -> None:
    text = """(func (export "f") (param i32) (drop (memory.grow (i32.const 60)))
      (call $bytes (i32.const 0) (local.get 0)))"""
    linked = engine.link(engine.load(guest(text, {"f": '(param "n" u32)'}, STRINGS, memory=True)), [Api()])
    await call(linked, "f", 100_000)
    with pytest.raises(ValueTooLarge, match="in f: 2796202 elements of lists") as raised:
        await call(linked, "f", 2_800_000)
    assert raised.value.backtrace, "the guest's author sees which of its functions it was"


@pytest.mark.parametrize("address", [0, 8, 131_064, 2**31, 2**32 - 8])
async def test_an_allocator_that_answers_nonsense_is_a_trap_or_harmless(engine: Engine, address: int) -> None:
    text = b"""(component
      (core module $m (memory (export "memory") 2)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const %d))
        (func (export "f") (param i32 i32) (result i32) (local.get 1)))
      (core instance $i (instantiate $m))
      (func (export "f") (param "text" string) (result u32)
        (canon lift (core func $i "f") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))"""
    linked = engine.link(engine.load(text % address), [])
    with contextlib.suppress(GuestTrap):
        assert await call(linked, "f", "x" * 100) == 100


async def test_an_allocator_that_traps_is_a_trap_with_its_name(engine: Engine) -> None:
    text = b"""(component
      (core module $m (memory (export "memory") 2)
        (func $allocate (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
        (func (export "f") (param i32 i32) (result i32) (local.get 1)))
      (core instance $i (instantiate $m))
      (func (export "f") (param "text" string) (result u32)
        (canon lift (core func $i "f") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))"""
    linked = engine.link(engine.load(text), [])
    with pytest.raises(GuestError) as raised:
        await call(linked, "f", "text")
    assert "unreachable" in str(raised.value)


@pytest.mark.parametrize(("of", "value"), [("bool", 2), ("char", 0x110000), ("char", 0xD800), ("u8", 256), ("s8", 128)])
async def test_a_number_outside_its_type_is_a_trap_or_cut_to_it(engine: Engine, of: str, value: int) -> None:
    text = f'(func (export "f") (result i32) (i32.const {value}))'
    linked = engine.link(engine.load(guest(text, {"f": f"(result {of})"})), [])
    if of == "char":
        with pytest.raises(GuestTrap):
            await call(linked, "f")
    else:  # canonical ABI: the upper bits do not count
        assert await call(linked, "f") == {"bool": True, "u8": 0, "s8": -128}[of]


@pytest.mark.parametrize("case", [3, 77, 2**31])
async def test_a_case_that_a_variant_does_not_have_is_a_trap(engine: Engine, case: int) -> None:
    text = f'(func (export "f") (result i32) (i32.const {case}))'
    extra = '(type $e0 (enum "a" "b" "c")) (export $e "e" (type $e0))'
    linked = engine.link(engine.load(guest(text, {"f": "(result $e)"}, extra=extra)), [])
    with pytest.raises(GuestTrap, match="discriminant"):
        await call(linked, "f")


# ---------------------------------------------------------------- the library's messages


def test_a_message_is_split_into_reason_and_frames() -> None:
    message = """error while executing at wasm backtrace:
    0:     0x8c - main!inner
    1:     0x91 - main!outer

Caused by:
    0: something around it
    1: wasm trap: out of luck"""
    assert split_trap(message) == ("wasm trap: out of luck", "main!inner\nmain!outer")


@pytest.mark.parametrize(("message", "reason"), [("plain words", "plain words"), ("", "unknown error"), ("a\nb", "a")])
def test_a_message_of_another_shape_keeps_its_first_line(message: str, reason: str) -> None:
    assert split_trap(message) == (reason, "")
