from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

import pytest

from kernel.tests.engine.guest_text import Imports, call, guest
from qwasr.errors import ComponentError, GuestError, HostFunctionError, HostValueError
from qwasr.hosting import HostInterface
from qwasr.values import WitError

if TYPE_CHECKING:
    from kernel.tests.engine.conftest import MakeEngine
    from qwasr.engine import Engine, LinkedComponent

NUMBER = '(param "n" u32) (result u32)'
API = Imports("test:host/api@0.2.3", {"plain": NUMBER, "waiting": NUMBER, "either": NUMBER})
CORE = """
  (func (export "plain") (param i32) (result i32) (call $plain (local.get 0)))
  (func (export "waiting") (param i32) (result i32) (call $waiting (local.get 0)))
  (func (export "either") (param i32) (result i32) (call $either (local.get 0)))
  (func (export "all") (param i32) (result i32)
    (call $plain (call $waiting (call $either (call $waiting (local.get 0))))))
"""
GUEST = guest(CORE, {"plain": NUMBER, "waiting": NUMBER, "either": NUMBER, "all": NUMBER}, API)


class Api(HostInterface, wit="test:host/api"):
    """Adds one in each of the three kinds of host function; `either` waits for odd numbers."""

    def plain(self, n: int) -> int:
        return n + 1

    async def waiting(self, n: int) -> int:
        await asyncio.sleep(0)
        return n + 1

    def either(self, n: int) -> int | Awaitable[int]:
        return self.waiting(n) if n % 2 else n + 1


def linked_api(engine: Engine, host: HostInterface | None = None) -> LinkedComponent:
    return engine.link(engine.load(GUEST), [host or Api()])


@pytest.mark.parametrize("name", ["plain", "waiting", "either"])
async def test_a_host_function_of_each_kind_answers(engine: Engine, name: str) -> None:
    linked = linked_api(engine)
    assert await call(linked, name, 1) == 2
    assert await call(linked, name, 2) == 3


async def test_one_guest_may_call_all_kinds_in_any_order(engine: Engine) -> None:
    assert await call(linked_api(engine), "all", 3) == 7


async def test_a_store_is_instantiated_once_and_keeps_its_state_between_calls(engine: Engine) -> None:
    core = """(global $n (mut i32) (i32.const 0))
      (func (export "count") (result i32)
        (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n))"""
    linked = engine.link(engine.load(guest(core, {"count": "(result u32)"})), [])
    count = linked.function(None, "count")
    first, second = linked.store(), linked.store()
    assert [await first.call(count), await first.call(count), await second.call(count)] == [1, 2, 1]
    first.close()
    second.close()


@pytest.mark.parametrize("name", ["plain", "either"])
def test_answers_that_are_there_at_once_make_no_trip_through_the_loop(make_engine: MakeEngine, name: str) -> None:
    linked = linked_api(make_engine(epoch_ms=60_000))
    store = linked.store()
    coroutine = store.call(linked.function(None, name), 4)
    with pytest.raises(StopIteration) as finished:  # it never suspended: there is not even a loop
        coroutine.send(None)
    assert finished.value.value == 5
    store.close()


async def test_an_awaitable_that_is_no_coroutine_is_awaited_too(engine: Engine) -> None:
    class Later(Api):
        def either(self, n: int) -> int | Awaitable[int]:
            future = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(future.set_result, n + 10)
            return future

    assert await call(linked_api(engine, Later()), "either", 1) == 11


async def test_a_plain_function_that_returns_an_awaitable_is_told_about_its_result_type(engine: Engine) -> None:
    class Undeclared(Api):
        def plain(self, n: int) -> Any:
            return asyncio.get_running_loop().create_future()

    with pytest.raises(HostValueError, match=r"api@0\.2\.3#plain: result.* does not fit u32"):
        await call(linked_api(engine, Undeclared()), "plain", 1)


async def test_host_functions_see_the_context_variables_of_their_caller(engine: Engine) -> None:
    seen: list[str] = []
    who = contextvars.ContextVar[str]("who")

    class Look(Api):
        def plain(self, n: int) -> int:
            seen.append(f"plain {who.get()}")
            return n

        async def waiting(self, n: int) -> int:
            await asyncio.sleep(0)
            seen.append(f"waiting {who.get()}")
            return n

    linked = linked_api(engine, Look())

    async def caller(name: str) -> None:
        who.set(name)
        await call(linked, "all", 2)

    await asyncio.gather(caller("a"), caller("b"))
    assert sorted(seen) == ["plain a", "plain b"] + ["waiting a"] * 2 + ["waiting b"] * 2


async def test_a_host_coroutine_runs_in_the_task_that_called_the_guest(engine: Engine) -> None:
    class Whose(Api):
        task: Any = None

        async def waiting(self, n: int) -> int:
            self.task = asyncio.current_task()
            return n

    host = Whose()
    await call(linked_api(engine, host), "waiting", 2)
    assert host.task is asyncio.current_task()


async def test_a_thousand_guests_wait_at_once_in_one_process(make_engine: MakeEngine) -> None:
    class Gate(Api):
        waits = 0

        def __init__(self) -> None:
            self.open = asyncio.Event()
            self.all_here = asyncio.Event()

        async def waiting(self, n: int) -> int:
            self.waits += 1
            if self.waits == 1000:
                self.all_here.set()
            await self.open.wait()
            return n + 1

    host = Gate()
    linked = linked_api(make_engine(concurrency=1000, memory_bytes=1024 * 1024), host)
    guests = [asyncio.create_task(call(linked, "waiting", n)) for n in range(1000)]
    await host.all_here.wait()
    assert not any(task.done() for task in guests)
    host.open.set()
    assert await asyncio.gather(*guests) == list(range(1, 1001))


async def test_more_guests_than_slots_wait_for_a_slot_and_all_get_one(make_engine: MakeEngine) -> None:
    class Count(Api):
        now = most = 0

        async def waiting(self, n: int) -> int:
            self.now += 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(0)
            self.now -= 1
            return n

    host = Count()
    linked = linked_api(make_engine(concurrency=3), host)
    assert await asyncio.gather(*[call(linked, "waiting", n) for n in range(20)]) == list(range(20))
    assert host.most == 3


def test_slots_are_waited_for_in_one_event_loop_after_another(make_engine: MakeEngine) -> None:
    linked = linked_api(make_engine(concurrency=1))

    async def crowd() -> list[int]:
        return list(await asyncio.gather(*[call(linked, "waiting", n) for n in range(4)]))

    for _ in range(2):
        assert asyncio.run(crowd()) == [1, 2, 3, 4]


async def test_a_store_runs_one_call_at_a_time(engine: Engine) -> None:
    linked = linked_api(engine)
    store = linked.store()
    waiting = linked.function(None, "waiting")
    first = asyncio.create_task(store.call(waiting, 1))
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="one call at a time"):
        await store.call(waiting, 1)
    assert await first == 2
    store.close()


async def test_a_store_in_a_call_refuses_to_be_closed_under_its_guest(engine: Engine) -> None:
    linked = linked_api(engine)
    store = linked.store()
    task = asyncio.create_task(store.call(linked.function(None, "waiting"), 1))
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="in a call"):
        store.close()
    assert await task == 2
    store.close()


async def test_a_closed_store_refuses_calls_and_closing_again_is_nothing(engine: Engine) -> None:
    linked = linked_api(engine)
    store = linked.store()
    assert await store.call(linked.function(None, "plain"), 1) == 2
    store.close()
    store.close()
    with pytest.raises(RuntimeError, match="closed"):
        await store.call(linked.function(None, "plain"), 1)
    unused = linked.store()
    unused.close()


# ---------------------------------------------------------------- exports and arguments


@pytest.mark.parametrize("args", [(), (1, 2)])
async def test_a_wrong_number_of_arguments_is_a_type_error_that_says_both_numbers(
    engine: Engine, args: tuple[int, ...]
) -> None:
    with pytest.raises(TypeError, match=f"plain takes 1 arguments, {len(args)} were given"):
        await call(linked_api(engine), "plain", *args)


async def test_an_argument_that_does_not_fit_leaves_the_store_usable(engine: Engine) -> None:
    linked = linked_api(engine)
    plain = linked.function(None, "plain")
    store = linked.store()
    for bad in (-1, None, "1", 2**32):
        with pytest.raises(HostValueError, match=r"^plain: argument n: "):
            await store.call(plain, bad)
    assert await store.call(plain, 1) == 2
    store.close()


def test_a_function_that_is_not_exported_is_an_error_that_lists_what_is(engine: Engine) -> None:
    linked = linked_api(engine)
    with pytest.raises(ComponentError, match="does not export nothing-like-it; it exports plain, waiting, either, all"):
        linked.function(None, "nothing-like-it")
    with pytest.raises(ComponentError, match="does not export wasi:http/incoming-handler"):
        linked.function("wasi:http/incoming-handler", "handle")


EXPORTING = guest(
    '(func (export "f") (result i32) (i32.const 5))',
    {},
    start="""(func $f (result u32) (canon lift (core func $i "f")))
      (component $shim (import "f" (func $f (result u32))) (export "run" (func $f)))
      (instance $shim (instantiate $shim (with "f" (func $f))))
      (export "wasi:cli/run@0.2.6" (instance $shim))""",
)


async def test_a_function_of_an_exported_interface_is_found_without_its_version_and_with_it(engine: Engine) -> None:
    linked = engine.link(engine.load(EXPORTING), [])
    for interface in ("wasi:cli/run", "wasi:cli/run@0.2.6"):
        assert linked.exports(interface)
        assert await call(linked, "run", interface=interface) == 5
    for absent in ("wasi:cli/run@0.2.5", "wasi:cli/ru", "run", "wasi:http/run"):
        assert not linked.exports(absent)
    with pytest.raises(ComponentError, match="does not export wasi:cli/run#walk"):
        linked.function("wasi:cli/run", "walk")
    with pytest.raises(ComponentError, match=r"does not export wasi:cli/run@0\.2\.6"):
        linked.function(None, "wasi:cli/run@0.2.6")


async def test_a_function_looked_up_in_another_component_is_refused(engine: Engine) -> None:
    other = linked_api(engine).function(None, "plain")
    linked = linked_api(engine)
    store = linked.store()
    with pytest.raises(GuestError, match="plain"):
        await store.call(other, 1)
    assert await store.call(linked.function(None, "plain"), 1) == 2
    store.close()


async def test_a_function_without_a_result_answers_none_and_its_host_must_return_none(engine: Engine) -> None:
    imports = Imports("test:host/log", {"log": '(param "n" u32)'})
    component = engine.load(guest('(func (export "f") (call $log (i32.const 7)))', {"f": ""}, imports))

    class Log(HostInterface, wit="test:host/log"):
        answer: Any = None

        def log(self, n: int) -> Any:
            return self.answer

    host = Log()
    linked = engine.link(component, [host])
    assert await call(linked, "f") is None
    host.answer = 1
    with pytest.raises(HostValueError, match="test:host/log#log has no result, but returned int"):
        await call(linked, "f")


async def test_a_wit_error_where_the_type_has_no_result_is_a_host_function_error(engine: Engine) -> None:
    class Refuse(Api):
        def plain(self, n: int) -> int:
            raise WitError("no place for it")

        async def waiting(self, n: int) -> int:
            raise WitError("no place for it")

    linked = linked_api(engine, Refuse())
    for name in ("plain", "waiting"):
        with pytest.raises(HostFunctionError) as raised:
            await call(linked, name, 1)
        assert isinstance(raised.value.__cause__, WitError)
