"""Host functions that fail in every way that Python knows, and what a guest can do to the stack below them."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kernel.tests.engine.guest_text import Imports, call, guest, resource
from qwasr.engine import Engine, EngineOptions
from qwasr.errors import GuestError, GuestTrap, HostFunctionError
from qwasr.hosting import HostInterface, HostResource

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
API = Imports(
    "test:host/api",
    {
        "fail": "",
        "wait": "",
        "[constructor]thing": "(result (own $thing))",
        "look": '(param "thing" (borrow $thing))',
        "letter": '(param "c" char)',
        "choose": '(param "flag" bool)',
    },
    types=resource("thing"),
    resources=("thing",),
)
GUEST = guest(
    """
    (func (export "fail") (call $fail))
    (func (export "wait") (call $wait))
    (func (export "good") (call $drop.thing (call $constructor.thing)))
    (func (export "keep") (param i32))
    (func (export "letter") (param i32) (call $letter (local.get 0)))
    (func (export "choose") (param i32) (call $choose (local.get 0)))
    (func $deep (export "deep") (call $look (call $constructor.thing)) (call $deep))""",
    {
        **dict.fromkeys(["fail", "wait", "good", "deep"], ""),
        "keep": '(param "thing" (borrow $thing))',
        "letter": '(param "n" u32)',
        "choose": '(param "n" u32)',
    },
    API,
)


class Thing(HostResource):
    pass


class Unprintable(Exception):
    """An exception whose text cannot be had."""

    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __str__


class Own(BaseException):
    """Not an `Exception`, so that nobody catches it by accident."""


class Api(HostInterface, wit="test:host/api", resources=(Thing,)):
    def __init__(self, failure: BaseException | None = None) -> None:
        self.failure = failure
        self.seen: list[Any] = []

    def fail(self) -> None:
        if self.failure is not None:
            raise self.failure

    async def wait(self) -> None:
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        while True:  # swallows every cancellation but the third
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                self.seen.append("cancelled")
                if len(self.seen) == 3:
                    raise

    def look(self, thing: Thing) -> None:
        self.seen.append(thing)

    def letter(self, c: str) -> None:
        self.seen.append(c)

    def choose(self, flag: bool) -> None:
        self.seen.append(flag)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine(EngineOptions(concurrency=4, memory_bytes=16 * 1024 * 1024))
    yield engine
    engine.close()


FAILURES = [
    KeyError("x"),
    OSError(5, "broken"),
    StopIteration(),
    StopAsyncIteration(),
    RecursionError("too deep"),
    MemoryError(),
    AssertionError(),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no"),
    Unprintable(),
    ExceptionGroup("several", [ValueError(1), TypeError(2)]),
    asyncio.InvalidStateError(),
    TimeoutError(),
]


@pytest.mark.parametrize("name", ["fail", "wait"])
@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
async def test_whatever_a_host_function_raises_ends_its_guest_alone(
    engine: Engine, name: str, failure: BaseException
) -> None:
    linked = engine.link(engine.load(GUEST), [Api(failure)])
    with pytest.raises(HostFunctionError) as raised:
        await call(linked, name)
    cause = raised.value.__cause__
    assert cause is failure or (isinstance(cause, RuntimeError) and cause.__cause__ is failure)
    await call(linked, "good")
    assert engine.slots.free == 4


@pytest.mark.parametrize(
    ("name", "kind"),  # not a coroutine and SystemExit: asyncio itself ends the loop then
    [("fail", SystemExit), *((n, k) for n in ("fail", "wait") for k in (GeneratorExit, Own))],
)
async def test_what_is_no_exception_goes_through_and_still_frees_the_guest(
    engine: Engine, name: str, kind: type[BaseException]
) -> None:
    linked = engine.link(engine.load(GUEST), [Api(kind())])
    with pytest.raises(BaseException) as raised:  # noqa: PT011 - any; what matters is what comes after
        await call(linked, name)
    assert type(raised.value) in (kind, HostFunctionError)
    await call(linked, "good")
    assert engine.slots.free == 4


async def test_a_host_coroutine_that_swallows_its_cancellation_does_not_keep_its_guest(engine: Engine) -> None:
    api = Api()
    linked = engine.link(engine.load(GUEST), [api])
    task = asyncio.create_task(call(linked, "wait"))
    await asyncio.sleep(0.01)
    while not task.done():
        task.cancel()
        await asyncio.sleep(0)
    assert task.cancelled()
    assert len(api.seen) == 3
    assert engine.slots.free == 4
    await call(linked, "good")


async def test_a_guest_that_keeps_a_borrow_traps_and_the_resource_stays_its_owners(engine: Engine) -> None:
    linked = engine.link(engine.load(GUEST), [Api()])
    thing = Thing()
    store = linked.store()
    with pytest.raises(GuestTrap, match="borrow"):
        await store.call(linked.function(None, "keep"), thing)
    assert not store.resources
    store.close()
    await call(linked, "good")


@pytest.mark.parametrize("number", [0xD800, 0xDFFF, 0x110000, 2**32 - 1])
async def test_a_number_that_is_no_character_is_a_trap(engine: Engine, number: int) -> None:
    api = Api()
    linked = engine.link(engine.load(GUEST), [api])
    with pytest.raises(GuestTrap):
        await call(linked, "letter", number)
    assert not api.seen
    await call(linked, "letter", 0x10FFFF)
    assert api.seen == ["\U0010ffff"]


@pytest.mark.parametrize("number", [0, 1, 2, 255, 2**32 - 1])
async def test_a_number_that_is_no_boolean_is_true_unless_it_is_zero(engine: Engine, number: int) -> None:
    api = Api()
    await call(engine.link(engine.load(GUEST), [api]), "choose", number)
    assert api.seen == [number != 0]


async def test_a_recursion_through_host_calls_ends_in_a_trap_or_at_the_limit_of_resources(engine: Engine) -> None:
    linked = engine.link(engine.load(GUEST), [Api()])
    with pytest.raises(GuestError, match=r"call stack exhausted|host resources"):
        await call(linked, "deep")
    await call(linked, "good")


# In a process of its own: what these would do if they went wrong is end it.
_STACK_PROGRAM = """
import asyncio, sys
from qwasr.engine import Engine, EngineOptions
from qwasr.errors import HostFunctionError
from qwasr.hosting import HostInterface
from kernel.tests.engine.guest_text import Imports, call, guest

API = Imports("test:host/api", {"fail": "", "good": ""})
GUEST = guest('(func (export "fail") (call $fail)) (func (export "good") (call $good))', {"fail": "", "good": ""}, API)

def through_a_key(n):
    return sorted([n], key=through_a_key)

def through_a_comparison(n):
    class Deep:
        def __lt__(self, other):
            return sorted([Deep(), Deep()])
    return Deep() < Deep()

def through_repr(n):
    class Deep:
        def __repr__(self):
            return repr([self, Deep()])
    return repr(Deep())

def through_a_pattern(n):
    import re
    return re.sub("x", lambda match: through_a_pattern(n), "x")

def through_json(n):
    import json
    deep = []
    for _ in range(100_000):
        deep = [deep]
    return json.dumps(deep)

def through_maps(n):
    return list(map(through_maps, [n]))

class Api(HostInterface, wit="test:host/api"):
    def fail(self):
        globals()[sys.argv[1]](0)
    def good(self):
        pass

async def main():
    engine = Engine(EngineOptions(concurrency=2))
    linked = engine.link(engine.load(GUEST), [Api()])
    for _ in range(3):
        try:
            await call(linked, "fail")
        except HostFunctionError as error:
            assert isinstance(error.__cause__, RecursionError), error.__cause__
            print("RecursionError")
        await call(linked, "good")
    engine.close()

asyncio.run(main())
"""


@pytest.mark.parametrize(
    "way",
    ["through_a_key", "through_a_comparison", "through_repr", "through_a_pattern", "through_json", "through_maps"],
)
def test_a_host_function_that_recurses_through_c_code_on_the_guests_stack_ends_in_a_recursion_error(way: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _STACK_PROGRAM, way],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([*sys.path, str(ROOT)])},
    )
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stderr[-3000:]}"
    assert done.stdout.split() == ["RecursionError"] * 3
