from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from qwasr.call import current_call
from qwasr.errors import (
    BackendError,
    ComponentError,
    DeadlineExceeded,
    GuestTrap,
    HostFunctionError,
    LinkError,
    PluginError,
    ServeError,
)
from qwasr.hooks import Fake, Interface
from qwasr.hosting import HostInterface
from qwasr.options import ConnectOptions, env
from qwasr.runtime import Guest, GuestCall, Runtime, RuntimeOptions
from qwasr.testing import runtime_for_tests

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    Make = Callable[..., Any]

OFFLINE = {"QWASR_PLUGINS": "", "QWASR_CACHE_DIR": "off"}  # nothing installed, nothing kept
OPTIONS = RuntimeOptions(cache_dir="off", shutdown_s=5)
SHORT = RuntimeOptions(guest_timeout_s=1.0, cache_dir="off", shutdown_s=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class WoodOptions(ConnectOptions):
    answer: int = env("WOOD_ANSWER", default=7, help="what it answers")


class Wood:
    """A backend that answers a number."""

    name: ClassVar = "wood"
    provides: ClassVar = ("shelf",)
    schemes: ClassVar = ()
    Options: ClassVar = WoodOptions

    def __init__(self, answer: int = 7) -> None:
        self.answer = answer
        self.closed = False

    @classmethod
    async def connect(cls, options: WoodOptions) -> Wood:
        return cls(options.answer)

    async def check(self) -> None: ...

    async def close(self) -> None:
        self.closed = True


class Fire(Wood):
    """A backend that cannot be connected."""

    name: ClassVar = "fire"

    @classmethod
    async def connect(cls, options: WoodOptions) -> Wood:
        raise ConnectionRefusedError(111, "Connection refused")


class Shelf(HostInterface, wit="demo:shelf/shelf"):
    """Answers what its backend says; keeps the ids of its calls."""

    calls: ClassVar[list[str]] = []

    def __init__(self, backends: Any) -> None:
        self.backend = backends.default

    async def ask(self) -> int:
        self.calls.append(current_call().id)
        if self.backend.answer < 0:
            raise ValueError("a negative shelf")
        return int(self.backend.answer)


class SlowShelf(Shelf, wit="demo:shelf/shelf"):
    """Waits longer than the deadline, and lifts it when its backend is 1."""

    async def ask(self) -> int:
        call = current_call()
        if self.backend.answer == 1 and isinstance(call, GuestCall):
            call.lift_deadline()
        await asyncio.sleep(1.4)
        return 2


class HandlerServer:
    """Calls the guest's handler when told to, and keeps what happens to it."""

    export: ClassVar = "demo:shelf/handler"
    Options: ClassVar = ConnectOptions
    current: ClassVar[HandlerServer]

    def __init__(self, options: ConnectOptions) -> None:
        self.events: list[str] = []
        HandlerServer.current = self

    async def start(self, guest: Guest) -> None:
        self.guest, self.run = guest, guest.function("demo:shelf/handler", "run")
        self.events.append("start")

    async def request(self) -> Any:
        async with self.guest.call("request-1") as call:
            return await call.invoke(self.run)

    async def drain(self, timeout_s: float) -> None:
        self.events.append(f"drain {timeout_s:g}")

    async def close(self) -> None:
        self.events.append("close")

    def describe(self) -> str:
        return "nowhere"


class StubbornServer(HandlerServer):
    """Never finishes what runs."""

    draining: ClassVar[asyncio.Event]

    async def drain(self, timeout_s: float) -> None:
        self.events.append("drain")
        self.draining.set()
        await asyncio.Event().wait()


class BusyServer(HandlerServer):
    """Finds its address taken."""

    async def start(self, guest: Guest) -> None:
        raise ServeError("127.0.0.1:80 is taken")


def shelf(plugin: Make, host: type[Shelf] = Shelf, server: type[HandlerServer] | None = HandlerServer) -> Any:
    return plugin(
        interfaces=[Interface(name="shelf", wit=("demo:shelf/shelf",), hosts=lambda: [host], default="wood")],
        backends=[Wood, Fire],
        servers=[server] if server else [],
        fakes=[Fake(interface="shelf", make=lambda clock: Wood(1234))],
    )


@pytest.fixture
async def serving(asking: bytes, plugin: Make) -> AsyncIterator[Runtime]:
    async with Runtime(asking, environ=OFFLINE, plugins=[shelf(plugin)], options=OPTIONS) as runtime:
        yield runtime


async def test_an_import_is_served_by_the_default_backend_which_is_closed_at_the_end(
    asking: bytes, plugin: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Wood] = []

    async def connect(options: WoodOptions) -> Wood:
        made.append(Wood(options.answer))
        return made[0]

    monkeypatch.setattr(Wood, "connect", connect)
    async with Runtime(asking, environ={**OFFLINE, "WOOD_ANSWER": "8"}, plugins=[shelf(plugin)]) as runtime:
        assert await runtime.call("demo:shelf/handler", "run") == 8
        (binding,) = runtime.bindings
        assert (binding.interface, binding.backend, binding.why) == ("shelf", "wood", "default")
        assert binding.imports == ("demo:shelf/shelf@0.1.0",)
    assert made[0].closed


async def test_a_backend_handed_over_serves_and_stays_its_owners(asking: bytes, plugin: Make) -> None:
    mine = Wood(42)
    async with Runtime(asking, environ=OFFLINE, plugins=[shelf(plugin)], backends={"shelf": mine}) as runtime:
        assert await runtime.call("demo:shelf/handler", "run") == 42
    assert not mine.closed


async def test_fakes_serve_in_tests(asking: bytes, plugin: Make) -> None:
    async with runtime_for_tests(asking, plugins=[shelf(plugin)], environ={"QWASR_PLUGINS": ""}) as runtime:
        assert await runtime.call("demo:shelf/handler", "run") == 1234


async def test_only_backends_of_imported_interfaces_are_connected(plain: bytes, plugin: Make) -> None:
    async with Runtime(plain, environ={**OFFLINE, "QWASR_SHELF": "fire"}, plugins=[shelf(plugin)]) as runtime:
        assert runtime.bindings == ()


async def test_a_backend_that_cannot_be_connected_is_an_error_that_says_which_and_why(
    asking: bytes, plugin: Make
) -> None:
    runtime = Runtime(asking, environ={**OFFLINE, "QWASR_SHELF": "fire"}, plugins=[shelf(plugin)])
    with pytest.raises(BackendError, match=r"shelf: fire \(QWASR_SHELF=fire\).*ConnectionRefusedError.*WOOD_ANSWER"):
        await runtime.__aenter__()


async def test_hosts_that_cannot_be_imported_are_a_plugin_error(asking: bytes, plugin: Make) -> None:
    def hosts() -> list[Any]:
        raise ImportError("no module named timber")

    interface = Interface(name="shelf", wit=("demo:shelf/shelf",), hosts=hosts)
    runtime = Runtime(asking, environ=OFFLINE, plugins=[plugin(interfaces=[interface])])
    with pytest.raises(PluginError, match="the interface shelf cannot be set up: ImportError: no module named timber"):
        await runtime.__aenter__()


async def test_an_import_that_nothing_provides_is_a_link_error_unless_it_may_trap(asking: bytes) -> None:
    with pytest.raises(LinkError, match="demo:shelf/shelf"):
        await Runtime(asking, environ=OFFLINE).__aenter__()
    async with Runtime(asking, environ=OFFLINE, trap_unknown_imports=True) as runtime:
        with pytest.raises(GuestTrap):
            await runtime.call("demo:shelf/handler", "run")


async def test_host_functions_see_the_call_they_belong_to(serving: Runtime) -> None:
    Shelf.calls.clear()
    run = serving.guest.function("demo:shelf/handler", "run")
    async with serving.guest.call("id-1") as call:
        assert current_call() is call
        await call.invoke(run)
    assert Shelf.calls == ["id-1"]
    with pytest.raises(LookupError):
        current_call()


async def test_calls_without_an_id_get_one_each(serving: Runtime) -> None:
    assert serving.guest.call().id != serving.guest.call().id


async def test_a_host_function_that_fails_ends_the_call_with_its_cause(asking: bytes, plugin: Make) -> None:
    async with Runtime(asking, environ=OFFLINE, plugins=[shelf(plugin)], backends={"shelf": Wood(-1)}) as runtime:
        with pytest.raises(HostFunctionError) as caught:
            await runtime.call("demo:shelf/handler", "run")
    assert isinstance(caught.value.__cause__, ValueError)


async def test_a_deadline_ends_a_host_function_that_waits(asking: bytes, plugin: Make) -> None:
    async with Runtime(asking, environ=OFFLINE, plugins=[shelf(plugin, SlowShelf)], options=SHORT) as runtime:
        with pytest.raises(DeadlineExceeded):
            await runtime.call("demo:shelf/handler", "run")


async def test_a_lifted_deadline_no_longer_counts(asking: bytes, plugin: Make) -> None:
    runtime = Runtime(
        asking, environ=OFFLINE, plugins=[shelf(plugin, SlowShelf)], options=SHORT, backends={"shelf": Wood(1)}
    )
    async with runtime:
        assert await runtime.call("demo:shelf/handler", "run") == 2


async def test_cancelling_a_call_is_not_a_deadline(asking: bytes, plugin: Make) -> None:
    async with Runtime(asking, environ=OFFLINE, plugins=[shelf(plugin, SlowShelf)]) as runtime:
        task = asyncio.create_task(runtime.call("demo:shelf/handler", "run"))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_servers_start_drain_and_close_in_this_order(serving: Runtime) -> None:
    await serving.start()
    server = HandlerServer.current
    assert serving.servers == (server,)
    assert await server.request() == 7
    await serving.stop()
    await serving.stop()
    assert server.events == ["start", "drain 5", "close"]


class LastServer(HandlerServer):
    """Serves what others cause."""

    drains_last = True

    async def drain(self, timeout_s: float) -> None:
        assert timeout_s <= 5
        self.events.append("drain last")


async def test_a_server_that_serves_what_others_cause_drains_after_them(serving: Runtime) -> None:
    await serving.start()
    first = HandlerServer.current
    last = LastServer(HandlerServer.Options())
    last.events = first.events
    serving.servers = (last, first)
    await serving.stop()
    assert first.events == ["start", "drain 5", "drain last", "close", "close"]


async def test_leaving_the_block_stops_what_runs(asking: bytes, plugin: Make) -> None:
    async with Runtime(asking, environ=OFFLINE, plugins=[shelf(plugin)], options=OPTIONS) as runtime:
        await runtime.start()
    assert HandlerServer.current.events == ["start", "drain 5", "close"]


async def test_an_error_in_the_block_closes_without_draining(asking: bytes, plugin: Make) -> None:
    async def fail() -> None:
        async with Runtime(asking, environ=OFFLINE, plugins=[shelf(plugin)], options=OPTIONS) as runtime:
            await runtime.start()
            raise ValueError("the program's own")

    with pytest.raises(ValueError, match="the program's own"):
        await fail()
    assert HandlerServer.current.events == ["start", "close"]


async def test_serve_returns_after_stop(serving: Runtime) -> None:
    ready = asyncio.Event()
    task = asyncio.create_task(serving.serve(on_ready=ready.set))
    await ready.wait()
    await serving.stop()
    await asyncio.wait_for(task, 5)
    assert HandlerServer.current.events == ["start", "drain 5", "close"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_serve_drains_and_returns_after_a_signal(serving: Runtime, number: signal.Signals) -> None:
    ready = asyncio.Event()
    task = asyncio.create_task(serving.serve(on_ready=ready.set))
    await ready.wait()
    os.kill(os.getpid(), number)
    await asyncio.wait_for(task, 5)
    assert HandlerServer.current.events == ["start", "drain 5", "close"]


async def test_a_second_signal_cuts_the_drain_short(asking: bytes, plugin: Make) -> None:
    StubbornServer.draining = asyncio.Event()
    async with Runtime(asking, environ=OFFLINE, plugins=[shelf(plugin, server=StubbornServer)]) as runtime:
        ready = asyncio.Event()
        task = asyncio.create_task(runtime.serve(on_ready=ready.set))
        await ready.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        await StubbornServer.draining.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(task, 5)
    assert HandlerServer.current.events == ["start", "drain", "close"]


async def test_a_server_that_does_not_finish_in_time_is_closed(asking: bytes, plugin: Make) -> None:
    options = RuntimeOptions(shutdown_s=0, cache_dir="off")
    plugins = [shelf(plugin, server=StubbornServer)]
    StubbornServer.draining = asyncio.Event()
    async with Runtime(asking, environ=OFFLINE, plugins=plugins, options=options) as runtime:
        await runtime.start()
        await asyncio.wait_for(runtime.stop(), 5)
    assert HandlerServer.current.events == ["start", "drain", "close"]


async def test_a_server_that_cannot_listen_is_the_callers_error(asking: bytes, plugin: Make) -> None:
    async with Runtime(asking, environ=OFFLINE, plugins=[shelf(plugin, server=BusyServer)]) as runtime:
        with pytest.raises(ServeError, match="taken"):
            await runtime.serve()


async def test_a_component_without_a_served_export_says_what_it_exports(plain: bytes, plugin: Make) -> None:
    async with Runtime(plain, environ=OFFLINE, plugins=[shelf(plugin)]) as runtime:
        with pytest.raises(ComponentError, match=r"It exports: add, spin, trap\. Servers: demo:shelf/handler"):
            await runtime.serve()
