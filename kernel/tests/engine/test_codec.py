from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st

from kernel.tests.engine.wit_types import (
    BYTES,
    ENUM,
    FLAGS,
    SCALARS,
    STRING,
    Shape,
    echo_component,
    list_of,
    option_of,
    record_of,
    result_of,
    same,
    shapes,
    tuple_of,
    variant_of,
)
from qwasr.engine.sized import MAX_PASSED_ELEMENTS
from qwasr.errors import GuestTrap, HostFunctionError, HostValueError
from qwasr.hosting import HostInterface
from qwasr.values import Err, Ok, Some, Variant, WitError

if TYPE_CHECKING:
    from qwasr.engine import Engine, LinkedComponent

BY_NAME = {shape.text: shape for shape in SCALARS if shape.text}
U8, U32, S64, F32, CHAR, BOOL = (BY_NAME[n] for n in ("u8", "u32", "s64", "float32", "char", "bool"))


class Echo(HostInterface, wit="test:echo/api"):
    """Returns what it was given, or what a test wants it to return."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.answer: Any = None

    def echo(self, value: Any) -> Any:
        self.seen.append(value)
        return value if self.answer is None else self.answer[0]


def linked_echo(engine: Engine, shape: Shape) -> tuple[LinkedComponent, Echo]:
    host = Echo()
    return engine.link(engine.load(echo_component(shape)), [host]), host


async def echo(linked: LinkedComponent, value: Any) -> Any:
    store = linked.store()
    try:
        return await store.call(linked.function(None, "echo"), value)
    finally:
        store.close()


@given(st.data())
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_value_of_any_type_crosses_the_boundary_four_times_unchanged(engine: Engine, data: st.DataObject) -> None:
    shape = tuple_of([data.draw(shapes)])  # inside a tuple a result is a value like any other
    values = data.draw(st.lists(shape.values, min_size=1, max_size=3))
    linked, host = linked_echo(engine, shape)

    async def check() -> None:
        for value in values:
            assert same(await echo(linked, value), value)
            assert same(host.seen[-1], value)

    asyncio.run(check())


NESTED = [
    (option_of(option_of(U32)), [None, Some(None), Some(3)]),
    (option_of(option_of(option_of(STRING))), [None, Some(None), Some(Some(None)), Some(Some("x"))]),
    (option_of(result_of(U32, STRING)), [None, Ok(1), Err("no")]),
    (list_of(result_of(None, option_of(CHAR))), [[Ok(), Err(None), Err("🦀")]]),
    (tuple_of([option_of(BYTES), result_of(option_of(option_of(BOOL)), None)]), [(b"", Ok(Some(None))), (None, Err())]),
    (variant_of([None, option_of(option_of(U8)), BYTES]), [Variant("case-0"), Variant("case-1", Some(None))]),
    (tuple_of([F32] * 20), [tuple([0.5] * 20)]),
]


@pytest.mark.parametrize(("shape", "values"), NESTED)
async def test_options_and_results_in_each_other_stay_apart(engine: Engine, shape: Shape, values: list[Any]) -> None:
    linked, _ = linked_echo(engine, shape)
    for value in values:
        assert same(await echo(linked, value), value)


async def test_a_whole_result_returns_its_good_side_and_raises_its_bad_one(engine: Engine) -> None:
    linked, host = linked_echo(engine, result_of(U32, STRING))
    host.answer = [7]
    assert await echo(linked, Ok(1)) == 7

    class Refuse(Echo):
        def echo(self, value: Any) -> Any:
            raise WitError(f"no {type(value).__name__}")

    refusing = engine.link(engine.load(echo_component(result_of(U32, STRING))), [Refuse()])
    with pytest.raises(WitError) as raised:
        await echo(refusing, Err("bad"))
    assert raised.value.value == "no Err"


BAD = [
    (U8, 256, "int 256 does not fit u8"),
    (U8, -1, "int -1 does not fit u8"),
    (U32, 1.5, "float does not fit u32"),
    (U32, "1", "str does not fit u32"),
    (S64, 2**63, f"int {2**63} does not fit s64"),
    (F32, 1e300, "float does not fit f32"),
    (BOOL, 1, "int 1 does not fit bool"),
    (CHAR, "ab", "str does not fit char"),
    (CHAR, "\ud800", "str does not fit char"),
    (STRING, "\udfff", "str does not fit string"),
    (STRING, b"bytes", "bytes does not fit string"),
    (BYTES, "text", "str does not fit list<u8>"),
    (BYTES, bytes(MAX_PASSED_ELEMENTS + 1), f"({MAX_PASSED_ELEMENTS + 1} elements, more than {MAX_PASSED_ELEMENTS})"),
    (list_of(U32), [1, -1], "list does not fit list<u32>"),
    (list_of(STRING), ["a", 5], "[1]: int 5 does not fit string"),
    (list_of(STRING), "ab", "str does not fit list<string>"),
    (tuple_of([U8, U8]), (1,), "tuple does not fit tuple<u8, u8>"),
    (tuple_of([U8, STRING]), (1, None), "[1]: NoneType does not fit string"),
    (
        record_of([U8, list_of(STRING)]),
        type("R", (), {"from_": 1, "content_type": ["", 1]})(),
        ".content_type[1]: int 1",
    ),
    (record_of([U8]), object(), "no attribute 'from_'"),
    (variant_of([None, U8]), Variant("case-9"), "the cases are case-0, case-1"),
    (variant_of([None, U8]), Variant("case-0", 1), "the case case-0 has no payload"),
    (variant_of([None, U8]), "case-0", "str does not fit variant"),
    (variant_of([None, U8]), Variant("case-1", 300), ".case-1: int 300 does not fit u8"),
    (ENUM, "five", "the cases are one, two-three, four"),
    (FLAGS, {"execute"}, "the flags are read, write, x-y"),
    (FLAGS, "read", "str does not fit flags"),
    (option_of(option_of(U8)), 5, "Some(value) or None"),
    (option_of(result_of(U8, None)), 5, "Ok(value) or Err(value)"),
]


@pytest.mark.parametrize(("shape", "value", "message"), BAD)
async def test_a_value_that_does_not_fit_is_an_error_that_names_function_place_and_type(
    engine: Engine, shape: Shape, value: Any, message: str
) -> None:
    linked, host = linked_echo(engine, shape)
    with pytest.raises(HostValueError) as as_argument:
        await echo(linked, value)
    assert str(as_argument.value).startswith("echo: argument value")
    assert message in str(as_argument.value)

    good = find(shape.values, lambda _: True)
    host.answer = [value]
    with pytest.raises(HostValueError) as as_result:
        await echo(linked, good)
    assert str(as_result.value).startswith("test:echo/api@0.2.0#echo: result")
    assert message in str(as_result.value)
    assert not isinstance(as_result.value, GuestTrap)
    host.answer = [good]
    assert same(await echo(linked, good), good), "the next guest is unharmed"


async def test_lists_of_one_and_two_mebibytes_cross(engine: Engine) -> None:
    linked, _ = linked_echo(engine, BYTES)
    for size in (0, 1, 65_536, 1024 * 1024):
        data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
        assert await echo(linked, data) == data


async def test_any_buffer_is_accepted_for_a_byte_list(engine: Engine) -> None:
    linked, _ = linked_echo(engine, BYTES)
    for buffer in (b"ab", bytearray(b"ab"), memoryview(b"xaby")[1:3]):
        assert await echo(linked, buffer) == b"ab"


async def test_a_host_function_that_returns_an_integer_of_1000_digits_shows_none_of_them(engine: Engine) -> None:
    linked, host = linked_echo(engine, U8)
    host.answer = [10**1000]
    with pytest.raises(HostFunctionError) as raised:
        await echo(linked, 1)
    assert len(str(raised.value)) < 200
