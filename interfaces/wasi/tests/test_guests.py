"""wasi from the inside: `guest.wat` calls its host through the engine."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from qwasr.engine import Engine, EngineOptions
from qwasr.errors import GuestExit, GuestTrap
from qwasr.values import Err, Ok
from qwasr_wasi.bytestreams import BufferedSink, BytesSource, PullSource
from qwasr_wasi.fake import FixedSystem
from qwasr_wasi.hosts import HOSTS
from qwasr_wasi.streams import IoError, StreamFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qwasr_wasi.streams import ByteSink, ByteSource

MILLISECOND = 1_000_000
HOUR = 3600 * 1000 * MILLISECOND


class Machine(FixedSystem):
    """A fixed machine with the standard streams that a test gives it."""

    source: ByteSource | None = None
    sink: ByteSink | None = None

    def stdin(self) -> ByteSource:
        return self.source or super().stdin()

    def output(self, name: Any, call_id: str) -> ByteSink:
        return self.sink or super().output(name, call_id)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine(EngineOptions(concurrency=64, memory_bytes=16 * 1024 * 1024))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def component(engine: Engine) -> Any:
    return engine.load(Path(__file__).with_name("guest.wat"))


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def call(engine: Engine, component: Any, machine: Machine) -> Callable[..., Any]:
    """Calls an export of a fresh guest."""
    backends: Any = SimpleNamespace(default=machine)
    linked = engine.link(component, [host(backends) for host in HOSTS])  # type: ignore[call-arg]  # every one takes it

    async def call(name: str, *args: Any) -> Any:
        store = linked.store()
        try:
            return await store.call(linked.function(None, name), *args)
        finally:
            store.close()

    return call


async def test_what_a_guest_prints_is_logged_when_its_call_ends(call: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "qwasr.guest")
    await call("say", "hello\nfrom inside")
    assert [record.getMessage() for record in caplog.records] == ["hello", "from inside"]


@pytest.mark.parametrize("export", ["copy", "splice"])
async def test_a_stream_is_copied_to_its_end(call: Any, machine: Machine, export: str) -> None:
    data = bytes(range(256)) * 1000
    sent: list[bytes] = []

    async def send(piece: bytes) -> None:
        await asyncio.sleep(0)
        sent.append(piece)

    sink = BufferedSink(send)
    machine.source, machine.sink = BytesSource(data), sink
    assert await call(export) == len(data)
    await sink.finish()
    assert b"".join(sent) == data


async def test_a_guest_that_reads_slowly_arriving_bytes_waits_for_them(call: Any, machine: Machine) -> None:
    pieces = [b"one ", b"two ", b"three", b""]

    async def fetch() -> bytes:
        await asyncio.sleep(0.001)
        return pieces.pop(0)

    machine.source, machine.sink = PullSource(fetch), BufferedSink(lambda _: asyncio.sleep(0))
    assert await call("copy") == 13


async def test_a_guest_hears_of_a_failed_read(call: Any, machine: Machine) -> None:
    async def fetch() -> bytes:
        raise StreamFailed(IoError("lost"))

    machine.source = PullSource(fetch)
    assert await call("copy") == -1


async def test_a_guest_that_writes_more_than_it_may_traps(call: Any) -> None:
    with pytest.raises(GuestTrap, match="65537 bytes: more than check-write permitted"):
        await call("write-too-much")


async def test_a_guest_sleeps_as_long_as_it_says(call: Any) -> None:
    assert await call("sleep", 3 * MILLISECOND + 1) == 3 * MILLISECOND + 1


async def test_a_poll_returns_the_timer_that_is_due_first(call: Any) -> None:
    assert await call("poll-timers", HOUR, 2 * MILLISECOND) == 11
    assert await call("poll-timers", 0, HOUR) == 10


async def test_a_pollable_that_outlives_its_stream_is_ready(call: Any) -> None:
    assert await call("poll-dropped") == 1


async def test_a_poll_of_nothing_traps(call: Any) -> None:
    with pytest.raises(GuestTrap, match="empty list"):
        await call("poll-nothing")


async def test_a_cancelled_guest_leaves_no_timer_and_no_task_behind(call: Any, machine: Machine) -> None:
    async with asyncio.TaskGroup() as group:
        guests = [group.create_task(call("poll-timers", HOUR, HOUR)) for _ in range(20)]
        async with asyncio.timeout(30):
            while machine.clock.waiting < 40:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.001)
        for guest in guests:
            guest.cancel()
    assert machine.clock.waiting == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_guest_gets_the_random_bytes_it_asks_for_and_traps_when_it_asks_for_too_many(call: Any) -> None:
    assert await call("random", 1000) == 1000
    with pytest.raises(GuestTrap, match="2097152"):
        await call("random", 2**64 - 1)


@pytest.mark.parametrize(("status", "code"), [(Ok(), 0), (Err(), 1)])
async def test_a_guest_that_exits_ends_its_call(call: Any, status: Ok | Err, code: int) -> None:
    with pytest.raises(GuestExit) as caught:
        await call("exit", status)
    assert caught.value.code == code


async def test_a_guest_that_wants_a_socket_is_denied_access(call: Any) -> None:
    assert await call("connect") == 1
