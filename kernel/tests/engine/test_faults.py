from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest

from kernel.tests.engine.guest_text import Imports, call, guest
from qwasr.errors import GuestError, GuestExit, HostFunctionError, HostValueError, InstantiationError
from qwasr.hosting import HostInterface
from qwasr.values import WitError

if TYPE_CHECKING:
    from kernel.tests.engine.conftest import MakeEngine, RunPython
    from qwasr.engine import Engine, LinkedComponent

NUMBER = '(param "n" u32) (result u32)'
API = Imports("test:host/api@0.2.3", {"plain": NUMBER, "waiting": NUMBER, "either": NUMBER})
GUEST = guest(
    """
    (func (export "plain") (param i32) (result i32) (call $plain (local.get 0)))
    (func (export "waiting") (param i32) (result i32) (call $waiting (local.get 0)))
    (func (export "either") (param i32) (result i32) (call $either (local.get 0)))
    (func (export "on") (param i32) (result i32)
      (loop (local.set 0 (call $waiting (local.get 0))) (br 0)) unreachable)
    (func $down (param i32 i32) (result i32)
      (if (result i32) (local.get 1)
        (then (i32.add (i32.const 0) (call $down (local.get 0) (i32.sub (local.get 1) (i32.const 1)))))
        (else (call $plain (local.get 0)))))
    (func (export "deep") (param i32) (result i32) (call $down (local.get 0) (i32.const 6000)))""",
    {"plain": NUMBER, "waiting": NUMBER, "either": NUMBER, "on": NUMBER, "deep": NUMBER},
    API,
)
STARTING = guest(
    '(func $begin (drop (call $plain (i32.const 7)))) (start $begin) (func (export "f"))',
    {"f": ""},
    Imports("test:host/api", {"plain": NUMBER}),
)
WAITING_TO_START = guest(
    '(func $begin (drop (call $waiting (i32.const 7)))) (start $begin) (func (export "f"))',
    {"f": ""},
    Imports("test:host/api", {"waiting": NUMBER}),
)


class Api(HostInterface, wit="test:host/api"):
    """Does what a test wants, in each of the three kinds."""

    def __init__(
        self, act: Callable[[int], Any] = lambda n: n + 1, act_late: Callable[[int], Any] | None = None
    ) -> None:
        self.act = act
        self.act_late = act_late

    def plain(self, n: int) -> Any:
        return self.act(n)

    async def waiting(self, n: int) -> Any:
        await asyncio.sleep(0)
        if self.act_late is not None:
            return await self.act_late(n)
        return self.act(n)

    def either(self, n: int) -> int | Awaitable[int]:
        return self.act(n)  # type: ignore[no-any-return]  # what it returns is the test's business


def linked_api(engine: Engine, host: Api) -> LinkedComponent:
    return engine.link(engine.load(GUEST), [host])


def fail(error: BaseException) -> Callable[[int], Any]:
    def act(_n: int) -> Any:
        raise error

    return act


class OddError(BaseException):
    """An exception that is no `Exception`, as some libraries have."""


KINDS = ["plain", "waiting", "either", "deep"]  # `deep` is `plain` from 6 000 frames down in the guest


# ---------------------------------------------------------------- what host functions raise


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("error", [KeyError("x"), MemoryError(), RecursionError(), TimeoutError(), OSError(5, "x")])
async def test_an_exception_ends_the_call_as_a_host_function_error_with_its_cause(
    engine: Engine, kind: str, error: Exception
) -> None:
    host = Api(fail(error))
    linked = linked_api(engine, host)
    with pytest.raises(HostFunctionError, match=f"a host function failed: {type(error).__name__}") as raised:
        await call(linked, kind, 1)
    assert raised.value.__cause__ is error
    host.act = lambda n: n + 1
    assert await call(linked, kind, 1) == 2, "the next guest is unharmed"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), OddError()])
async def test_what_is_no_exception_leaves_the_call_as_what_it_is(
    engine: Engine, kind: str, error: BaseException
) -> None:
    host = Api(fail(error))
    linked = linked_api(engine, host)
    with pytest.raises(type(error)) as raised:
        await call(linked, kind, 1)
    assert raised.value is error
    host.act = lambda n: n + 1
    assert await call(linked, kind, 1) == 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("error", [GuestExit(4), GuestError("enough"), HostValueError("odd")])
async def test_a_guest_error_leaves_the_call_as_what_it_is(engine: Engine, kind: str, error: GuestError) -> None:
    with pytest.raises(type(error)) as raised:
        await call(linked_api(engine, Api(fail(error))), kind, 1)
    assert raised.value is error


@pytest.mark.parametrize("kind", KINDS)
async def test_a_wit_error_without_a_place_for_it_is_a_host_function_error(engine: Engine, kind: str) -> None:
    with pytest.raises(HostFunctionError) as raised:
        await call(linked_api(engine, Api(fail(WitError("no")))), kind, 1)
    assert isinstance(raised.value.__cause__, WitError)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("answer", [None, "1", -1, 2**32, 1.0, object()])
async def test_an_answer_that_does_not_fit_names_the_function_and_the_type(
    engine: Engine, kind: str, answer: object
) -> None:
    name = "plain" if kind == "deep" else kind
    with pytest.raises(HostValueError, match=f"^test:host/api@0.2.3#{name}: result: .* does not fit u32"):
        await call(linked_api(engine, Api(lambda _: answer)), kind, 1)


async def test_an_exception_while_instantiating_is_the_host_functions(engine: Engine) -> None:
    error = KeyError("x")
    free = engine.slots.free
    for text in (STARTING, WAITING_TO_START):
        linked = engine.link(engine.load(text), [Api(fail(error))])
        store = linked.store()
        with pytest.raises(HostFunctionError) as raised:
            await store.call(linked.function(None, "f"))
        assert raised.value.__cause__ is error
        assert engine.slots.free == free, "its slot is free at once"
        store.close()


async def test_a_host_coroutine_that_raises_late_ends_its_own_guest_alone(engine: Engine) -> None:
    async def later(n: int) -> int:
        for _ in range(n):
            await asyncio.sleep(0)
        if n % 2:
            raise ValueError(n)
        return n

    linked = linked_api(engine, Api(act_late=later))
    results = await asyncio.gather(*[call(linked, "waiting", n) for n in range(20)], return_exceptions=True)
    assert [r for r in results if not isinstance(r, BaseException)] == list(range(0, 20, 2))
    assert [str(r.__cause__) for r in results if isinstance(r, HostFunctionError)] == [str(n) for n in range(1, 20, 2)]


async def test_an_exception_does_not_keep_the_guest_alive(engine: Engine) -> None:
    free = engine.slots.free
    kept = []
    linked = linked_api(engine, Api(fail(KeyError("x"))))
    for _ in range(free + 5):  # more than there are slots
        try:
            await call(linked, "plain", 1)
        except HostFunctionError as error:
            kept.append(error)
    assert len(kept) == free + 5
    assert engine.slots.free == free


RECURSE = """
import asyncio, sys, warnings
from kernel.tests.engine.test_faults import Api, GUEST, KINDS, RECURSIONS
from kernel.tests.engine.guest_text import call
from qwasr.engine import Engine, EngineOptions
from qwasr.errors import HostFunctionError

async def main():
    engine = Engine(EngineOptions(concurrency=2, memory_bytes=1 << 20))
    host = Api()
    linked = engine.link(engine.load(GUEST), [host])
    for name, recurse in RECURSIONS.items():
        host.act = recurse
        for kind in KINDS:
            try:
                print(name, kind, await call(linked, kind, 1))
            except HostFunctionError as error:
                print(name, kind, type(error.__cause__).__name__)
    host.act = lambda n: n + 1
    print(await call(linked, "plain", 1))

asyncio.run(main())
"""


class Endless:
    """Recursion through C code: each level takes real stack, not only a Python frame."""

    def __repr__(self) -> str:
        return repr([self])

    def __getattr__(self, name: str) -> Any:
        return getattr(self, name + "x")

    def __eq__(self, other: object) -> bool:
        return [self] == [other]

    __hash__ = None  # type: ignore[assignment]  # not wanted

    def __call__(self, *_: object) -> Any:
        return sorted([1], key=self)


def _plain(n: int) -> int:
    return _plain(n + 1) + 1


RECURSIONS: dict[str, Callable[[int], Any]] = {
    "function": _plain,
    "repr": lambda _: repr(Endless()),
    "getattr": lambda _: Endless().x,
    "equality": lambda _: Endless() == 1,
    "sorted": lambda _: Endless()(),
    "map": lambda n: max(map(RECURSIONS["map"], [n])),
}


def test_deep_recursion_in_a_host_function_is_a_recursion_error_and_no_abort(run_python: RunPython) -> None:
    lines = run_python(RECURSE).splitlines()
    assert lines == [f"{name} {kind} RecursionError" for name in RECURSIONS for kind in KINDS] + ["2"]


def test_a_keyboard_interrupt_by_signal_inside_a_host_function_reaches_the_caller(run_python: RunPython) -> None:
    program = """
import asyncio, os, signal
from kernel.tests.engine.test_faults import Api, GUEST
from kernel.tests.engine.guest_text import call
from qwasr.engine import Engine, EngineOptions

signal.signal(signal.SIGINT, signal.default_int_handler)
def interrupt(n):
    os.kill(os.getpid(), signal.SIGINT)
    return n

engine = Engine(EngineOptions(concurrency=2, memory_bytes=1 << 20))
host = Api(interrupt)
linked = engine.link(engine.load(GUEST), [host])
loop = asyncio.new_event_loop()
for kind in ("plain", "either", "waiting"):
    try:
        loop.run_until_complete(call(linked, kind, 1))
    except KeyboardInterrupt:
        print(kind)
host.act = lambda n: n + 1
print(loop.run_until_complete(call(linked, "plain", 1)), engine.slots.free)
"""
    assert run_python(program).split() == ["plain", "either", "waiting", "2", "2"]


# ---------------------------------------------------------------- cancellation


class Waiting(Api):
    """Waits for ever, and notes what happens to it."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[str] = []
        self.here = asyncio.Event()

    async def waiting(self, n: int) -> int:
        self.here.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.events.append("cancelled")
            raise
        finally:
            self.events.append("done")
        return n


async def test_a_cancelled_caller_cancels_the_host_coroutine_and_frees_the_guest(make_engine: MakeEngine) -> None:
    engine = make_engine()
    host = Waiting()
    linked = linked_api(engine, host)
    task = asyncio.create_task(call(linked, "waiting", 1))
    await host.here.wait()
    assert engine.slots.free == 7
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert host.events == ["cancelled", "done"]
    assert engine.slots.free == 8
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_timeout_reaches_the_host_coroutine(make_engine: MakeEngine) -> None:
    host = Waiting()
    linked = linked_api(make_engine(), host)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await call(linked, "waiting", 1)
    assert host.events == ["cancelled", "done"]


async def test_a_host_coroutine_that_swallows_its_cancellation_ends_the_call_all_the_same(
    make_engine: MakeEngine,
) -> None:
    async def stubborn(n: int) -> int:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
        return n

    engine = make_engine()
    linked = linked_api(engine, Api(act_late=stubborn))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await call(linked, "on", 1)
    assert engine.slots.free == 8


async def test_a_host_coroutine_that_answers_a_cancellation_with_a_wit_error_ends_the_call_too(
    make_engine: MakeEngine,
) -> None:
    async def refusing(n: int) -> int:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise WitError("cancelled") from None
        return n

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await call(linked_api(make_engine(), Api(act_late=refusing)), "waiting", 1)


async def test_a_timeout_inside_a_host_coroutine_is_its_own_business(engine: Engine) -> None:
    async def impatient(n: int) -> int:
        try:
            async with asyncio.timeout(0.001):
                await asyncio.sleep(60)
        except TimeoutError:
            return n + 5
        return n

    assert await call(linked_api(engine, Api(act_late=impatient)), "waiting", 1) == 6


async def test_a_host_coroutine_cancelled_from_inside_ends_the_call_as_cancelled(
    make_engine: MakeEngine,
) -> None:
    async def inner(n: int) -> int:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        return int(await future)

    engine = make_engine()
    with pytest.raises(asyncio.CancelledError):
        await call(linked_api(engine, Api(act_late=inner)), "waiting", 1)
    assert engine.slots.free == 8


async def test_a_task_that_a_host_function_returned_is_cancelled_with_the_call(
    make_engine: MakeEngine,
) -> None:
    tasks: list[asyncio.Task[None]] = []

    def begin(_n: int) -> Any:
        tasks.append(asyncio.create_task(asyncio.sleep(60)))
        return tasks[-1]

    linked = linked_api(make_engine(), Api(begin))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await call(linked, "either", 1)
    assert tasks[0].cancelled()


async def test_a_call_cancelled_before_it_began_takes_no_slot(make_engine: MakeEngine) -> None:
    engine = make_engine()
    task = asyncio.create_task(call(linked_api(engine, Api()), "plain", 1))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert engine.slots.free == 8


async def test_a_caller_cancelled_while_it_waits_for_a_slot_leaves_the_line(make_engine: MakeEngine) -> None:
    engine = make_engine(concurrency=1)
    host = Waiting()
    linked = linked_api(engine, host)
    holding = asyncio.create_task(call(linked, "waiting", 1))
    await host.here.wait()
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await call(linked, "plain", 1)
    queued = asyncio.create_task(call(linked, "plain", 1))
    await asyncio.sleep(0)
    holding.cancel()
    assert await queued == 2
    assert engine.slots.free == 1
    with pytest.raises(asyncio.CancelledError):
        await holding


async def test_a_cancellation_while_instantiating_frees_the_slot(make_engine: MakeEngine) -> None:
    engine = make_engine()
    host = Waiting()
    linked = engine.link(engine.load(WAITING_TO_START), [host])
    store = linked.store()
    task = asyncio.create_task(store.call(linked.function(None, "f")))
    await host.here.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert host.events == ["cancelled", "done"]
    assert engine.slots.free == 8, "before the store is closed"
    store.close()
    assert engine.slots.free == 8


async def test_slots_are_free_after_every_way_to_fail(make_engine: MakeEngine) -> None:
    engine = make_engine(concurrency=1)
    trapping = engine.link(engine.load(guest('(func (export "f") unreachable)', {"f": ""})), [])
    refused = engine.link(engine.load(guest('(memory 9999) (func (export "f"))', {"f": ""})), [])
    failing = linked_api(engine, Api(fail(KeyError())))
    for _ in range(3):  # each would wait for ever for the one slot if another had kept it
        for linked, name, args in ((trapping, "f", ()), (refused, "f", ()), (failing, "plain", (1,))):
            with pytest.raises(GuestError):
                await asyncio.wait_for(call(linked, name, *args), 5)
        with pytest.raises(TypeError):
            await asyncio.wait_for(call(failing, "plain"), 5)
        with pytest.raises(HostValueError):
            await asyncio.wait_for(call(failing, "plain", -1), 5)
    assert engine.slots.free == 1


async def test_an_instantiation_that_was_refused_can_be_tried_again_in_the_same_store(make_engine: MakeEngine) -> None:
    calls = 0

    def second_time_lucky(n: int) -> int:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ConnectionError
        return n

    engine = make_engine()
    linked = engine.link(engine.load(STARTING), [Api(second_time_lucky)])
    store = linked.store()
    with pytest.raises((HostFunctionError, InstantiationError)):
        await store.call(linked.function(None, "f"))
    assert await store.call(linked.function(None, "f")) is None
    store.close()
    assert engine.slots.free == 8


async def test_a_call_that_is_never_finished_is_cleaned_up_when_its_coroutine_goes(make_engine: MakeEngine) -> None:
    engine = make_engine()
    coroutine = call(linked_api(engine, Api(lambda _: asyncio.get_running_loop().create_future())), "either", 1)
    coroutine.send(None)
    assert engine.slots.free == 7
    coroutine.close()
    assert engine.slots.free == 8
