"""A guest that exports `wasi:keyvalue/watcher` is told of changes, after they are made and at most once."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

from interfaces.keyvalue.tests.guest_text import DRAFT, DRAFT2, text, watching
from qwasr.errors import ServeError
from qwasr.runtime import Runtime
from qwasr.values import WitError
from qwasr_keyvalue import Change, Memory, plugin
from qwasr_keyvalue.host import StoreInterface
from qwasr_keyvalue.watch import Watcher, WatchOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def runtime_of(backend: Any, draft: dict[str, str] = DRAFT2, **environ: str) -> Runtime:
    return Runtime(watching(draft), backends={"keyvalue": backend}, environ=environ, plugins=[plugin])


@pytest.fixture(params=[DRAFT2, DRAFT], ids=["draft2", "draft"])
async def runtime(request: pytest.FixtureRequest) -> AsyncIterator[Runtime]:
    async with runtime_of(Memory(), request.param) as runtime:
        await runtime.start()
        yield runtime


async def seen(runtime: Runtime, key: str) -> Any:
    """What the guest was told of a key, when everything is told."""
    await runtime.servers[0].drain(5)
    return await runtime.call(None, "get", "seen", key)


async def forget(runtime: Runtime, key: str) -> None:
    """Take back what it was told of a key, without telling of that."""
    await runtime.servers[0].drain(5)
    bucket = await watcher_of(runtime)._exports[0].store.backends.default.open_bucket("seen")
    await bucket.delete(key)


def watcher_of(runtime: Runtime) -> Watcher:
    watcher = runtime.servers[0]
    assert isinstance(watcher, Watcher)
    return watcher


async def test_a_guest_is_told_of_what_is_set(runtime: Runtime) -> None:
    await runtime.call(None, "set", "b", "key", b"value")
    assert await seen(runtime, "key") == b"value"


async def test_the_bucket_that_comes_with_a_change_is_the_one_it_was_made_in(runtime: Runtime) -> None:
    await runtime.call(None, "set", "b", "key", b"value")
    await watcher_of(runtime).drain(5)
    assert await runtime.call(None, "get", "b", "echo") == b"value"


async def test_what_the_watcher_changes_itself_is_not_told(runtime: Runtime) -> None:
    await runtime.call(None, "set", "b", "key", b"value")
    assert await seen(runtime, "echo") is None


async def test_a_guest_is_told_of_a_key_that_is_deleted_if_it_was_there(runtime: Runtime) -> None:
    await runtime.call(None, "set", "b", "key", b"value")
    await runtime.call(None, "delete", "b", "key")
    await runtime.call(None, "delete", "b", "missing")
    assert await seen(runtime, "key") == b"gone"
    assert await seen(runtime, "missing") is None


async def test_a_guest_is_told_of_counters_and_batches(runtime: Runtime) -> None:
    await runtime.call(None, "increment", "b", "counter", 41)
    await runtime.call(None, "increment", "b", "counter", 1)
    await runtime.call(None, "set-many", "b", [("a", b"1"), ("b", b"2"), ("c", b"3")])
    await runtime.call(None, "delete-many", "b", ["b", "missing"])
    assert await seen(runtime, "counter") == b"42"
    assert [await seen(runtime, key) for key in ("a", "b", "c", "missing")] == [b"1", b"gone", b"3", None]


async def test_a_guest_is_told_of_a_swap_that_was_won() -> None:
    async with runtime_of(Memory()) as runtime:
        await runtime.start()
        assert await runtime.call(None, "swap", "b", "key", b"new", b"") == 0
        assert await seen(runtime, "key") == b"new"


async def test_what_failed_is_not_told(runtime: Runtime) -> None:
    await runtime.call(None, "set", "b", "key", b"text")
    assert await seen(runtime, "key") == b"text"
    await forget(runtime, "key")
    with pytest.raises(WitError):
        await runtime.call(None, "increment", "b", "key", 1)
    assert await seen(runtime, "key") is None


async def test_reading_is_no_change(runtime: Runtime) -> None:
    await runtime.call(None, "set", "b", "key", b"value")
    await forget(runtime, "key")
    await runtime.call(None, "get", "b", "key")
    await runtime.call(None, "exists", "b", "key")
    await runtime.call(None, "list-keys", "b", None)
    await runtime.call(None, "get-many", "b", ["key"])
    assert await seen(runtime, "key") is None


async def test_changes_are_told_in_their_order_and_each_once(runtime: Runtime) -> None:
    for _ in range(50):
        await runtime.call(None, "increment", "b", "counter", 1)
    assert await seen(runtime, "counter") == b"50"


async def test_a_change_is_told_after_the_backend_acknowledged_it() -> None:
    acknowledge = asyncio.Event()

    class Slow(Memory):
        async def open_bucket(self, identifier: str) -> Any:
            bucket = await super().open_bucket(identifier)
            return Late(bucket) if identifier == "slow" else bucket

    class Late:
        def __init__(self, bucket: Any) -> None:
            self._bucket = bucket

        async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
            await self._bucket.set(key, value, ttl_s=ttl_s)
            if key == "key":
                await acknowledge.wait()

    async with runtime_of(Slow()) as runtime:
        await runtime.start()
        task = asyncio.create_task(runtime.call(None, "set", "slow", "key", b"value"))
        await asyncio.sleep(0.05)
        assert await seen(runtime, "key") is None
        acknowledge.set()
        await task
        assert await seen(runtime, "key") == b"value"


async def test_a_watcher_that_traps_is_told_of_the_next_change(runtime: Runtime) -> None:
    await runtime.call(None, "set", "b", "!key", b"value")
    await runtime.call(None, "set", "b", "key", b"value")
    assert await seen(runtime, "key") == b"value"
    assert runtime.telemetry.failures == {"trap: unreachable": 1}


async def test_an_instance_that_is_used_again_is_told_of_nothing_that_its_watcher_did() -> None:
    async with runtime_of(Memory(), QWASR_REUSE="100", QWASR_CONCURRENCY="1") as runtime:
        await runtime.start()
        for number in range(10):
            await runtime.call(None, "set", "b", f"key-{number}", b"value")
            assert await seen(runtime, f"key-{number}") == b"value"
        assert await seen(runtime, "echo") is None


@pytest.mark.parametrize("environ", [{"QWASR_KEYVALUE_WATCH_QUEUE": "2"}, {"QWASR_KEYVALUE_WATCH_BYTES": "2"}])
async def test_what_comes_faster_than_it_is_told_is_lost_and_the_log_says_so(
    environ: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    async with runtime_of(Memory(), DRAFT2, **environ) as runtime:
        await runtime.start()
        with caplog.at_level(logging.WARNING, logger="qwasr.keyvalue"):
            await runtime.call(None, "set-many", "b", [(key, b"1") for key in "abcdef"])
        assert [await seen(runtime, key) for key in "abcdef"] == [b"1", b"1", None, None, None, None]
        await runtime.call(None, "set", "b", "later", b"1")
        assert await seen(runtime, "later") == b"1"
    assert [record.getMessage() for record in caplog.records if "not told" in record.getMessage()] == [
        "stores change faster than the watcher is told: 1 changes are not told so far "
        "(QWASR_KEYVALUE_WATCH_QUEUE, QWASR_KEYVALUE_WATCH_BYTES)"
    ], "once, not for each"


async def test_stopping_tells_what_still_waits() -> None:
    memory = Memory()
    async with runtime_of(memory) as runtime:
        await runtime.start()
        await runtime.call(None, "set-many", "b", [(f"key-{number}", b"1") for number in range(200)])
        await runtime.stop()
    bucket = await memory.open_bucket("seen")
    assert len((await bucket.list_keys()).keys) == 200


class Shared(Memory):
    """A backend that hears of what others change."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: asyncio.Queue[Change | None] = asyncio.Queue()

    async def changes(self, group: str) -> AsyncIterator[Change]:
        while (change := await self.heard.get()) is not None:
            yield change


async def told(runtime: Runtime, key: str) -> Any:
    for _ in range(200):
        if (value := await seen(runtime, key)) is not None:
            return value
        await asyncio.sleep(0.01)
    return None


async def test_a_guest_is_told_of_what_others_change_where_the_backend_hears_of_it() -> None:
    shared = Shared()
    async with runtime_of(shared) as runtime:
        await runtime.start()
        await (await shared.open_bucket("b")).set("key", b"theirs")
        for change in (Change("b", "gone-by-now", False), Change("b", "key", False), Change("b", "other", True)):
            shared.heard.put_nowait(change)
        assert await told(runtime, "other") == b"gone"
        assert await seen(runtime, "key") == b"theirs"
        assert await seen(runtime, "gone-by-now") is None


async def test_a_guest_is_not_told_of_stores_that_it_may_not_open() -> None:
    shared = Shared()
    async with runtime_of(shared, QWASR_KEYVALUE_STORES="b,seen") as runtime:
        await runtime.start()
        shared.heard.put_nowait(Change("secret", "key", True))
        shared.heard.put_nowait(Change("b", "other", True))
        assert await told(runtime, "other") == b"gone"
        assert await seen(runtime, "key") is None


async def test_what_others_change_under_another_spelling_takes_no_store_from_a_guest() -> None:
    shared = Shared()
    backends = {"keyvalue": Memory(), "keyvalue/sessions": shared}
    async with Runtime(watching(DRAFT2), backends=backends, environ={}, plugins=[plugin]) as runtime:
        await runtime.start()
        shared.heard.put_nowait(Change("Sessions", "key", True))
        assert await told(runtime, "key") == b"gone"
        await runtime.call(None, "set", "sessions", "key", b"value")
        assert await runtime.call(None, "get", "sessions", "key") == b"value"
        shared.heard.put_nowait(Change("Sessions", "later", True))
        shared.heard.put_nowait(Change("sessions", "last", True))
        assert await told(runtime, "last") == b"gone"
        assert await seen(runtime, "later") is None, "no guest could open the store by this name"


async def test_what_a_request_changes_while_the_runtime_stops_is_told() -> None:
    class Draining:
        """A server whose last request is long, and changes something at its end."""

        export = "test:none/at-all"

        def __init__(self, runtime: Runtime) -> None:
            self.runtime = runtime

        async def drain(self, timeout_s: float) -> None:
            for _ in range(5):
                await asyncio.sleep(0.01)
                assert not memory.identifiers()
            await self.runtime.call(None, "set-many", "b", [(f"late-{number}", b"1") for number in range(50)])

        async def close(self) -> None: ...

    memory = Memory()
    async with runtime_of(memory) as runtime:
        await runtime.start()
        server: Any = Draining(runtime)
        runtime.servers = (*runtime.servers, server)
        await runtime.stop()
    assert len((await (await memory.open_bucket("seen")).list_keys()).keys) == 50


async def test_a_store_that_does_not_answer_holds_the_watcher_up_no_longer_than_a_guest() -> None:
    class Stuck(Shared):
        async def open_bucket(self, identifier: str) -> Any:
            if identifier == "stuck":
                await asyncio.Event().wait()
            return await super().open_bucket(identifier)

    shared = Stuck()
    async with runtime_of(shared, QWASR_BACKEND_TIMEOUT_S="0.1") as runtime:
        await runtime.start()
        shared.heard.put_nowait(Change("stuck", "key", True))
        shared.heard.put_nowait(Change("b", "other", True))
        assert await told(runtime, "other") == b"gone"
        assert await seen(runtime, "key") is None


async def test_a_closed_watcher_watches_no_store_any_more(runtime: Runtime) -> None:
    stores = [host for host in runtime.guest.hosts if isinstance(host, StoreInterface)]
    assert len(stores) == 2
    assert all(store.watch for store in stores)
    await watcher_of(runtime).close()
    assert not any(store.watch for store in stores)


async def test_a_guest_that_does_not_watch_is_served_without() -> None:
    async with Runtime(text(DRAFT2), backends={"keyvalue": Memory()}, environ={}, plugins=[plugin]) as runtime:
        assert not runtime.has_servers


async def test_a_watcher_without_a_store_is_an_error() -> None:
    component = b"""(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
      (func $f (canon lift (core func $i "f"))) (instance $w (export "on-set" (func $f)) (export "on-delete" (func $f)))
      (export "wasi:keyvalue/watcher@0.2.0-draft2" (instance $w)))"""
    async with Runtime(component, environ={}, plugins=[plugin]) as runtime:
        with pytest.raises(ServeError, match="imports no wasi:keyvalue/store"):
            await runtime.start()


async def test_draining_ends_in_time() -> None:
    watcher = Watcher(WatchOptions())
    watcher._changed("b", "key", b"value")
    await asyncio.wait_for(watcher.drain(0.01), 1)
