"""Guests in component text use keyvalue through the real engine and runtime, in both drafts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from interfaces.keyvalue.tests.guest_text import DRAFT, DRAFT2, text
from qwasr.errors import ValueTooLarge
from qwasr.runtime import Runtime
from qwasr.values import Variant, WitError
from qwasr_keyvalue import Memory, plugin
from qwasr_keyvalue.limits import MAX_CALL_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def runtime_of(draft: dict[str, str], **environ: str) -> Runtime:
    return Runtime(text(draft), backends={"keyvalue": Memory()}, environ=environ, plugins=[plugin])


@pytest.fixture(params=[DRAFT2, DRAFT], ids=["draft2", "draft"])
async def runtime(request: pytest.FixtureRequest) -> AsyncIterator[Runtime]:
    async with await runtime_of(request.param) as runtime:
        yield runtime


async def test_a_guest_sets_reads_and_deletes(runtime: Runtime) -> None:
    assert await runtime.call(None, "get", "b", "ключ") is None
    await runtime.call(None, "set", "b", "ключ", b"\x00value")
    assert await runtime.call(None, "get", "b", "ключ") == b"\x00value"
    assert await runtime.call(None, "exists", "b", "ключ") is True
    await runtime.call(None, "delete", "b", "ключ")
    assert await runtime.call(None, "exists", "b", "ключ") is False


async def test_a_guest_counts(runtime: Runtime) -> None:
    assert await runtime.call(None, "increment", "b", "counter", 40) == 40
    assert await runtime.call(None, "increment", "b", "counter", 2) == 42
    assert await runtime.call(None, "get", "b", "counter") == b"42"


async def test_100_guests_at_once_count_to_100(runtime: Runtime) -> None:
    await asyncio.gather(*(runtime.call(None, "increment", "b", "counter", 1) for _ in range(100)))
    assert await runtime.call(None, "get", "b", "counter") == b"100"


async def test_a_guest_gets_an_error_for_a_value_that_is_no_number(runtime: Runtime) -> None:
    await runtime.call(None, "set", "b", "key", b"text")
    with pytest.raises(WitError) as caught:
        await runtime.call(None, "increment", "b", "key", 1)
    assert caught.value.value.case == "other"
    assert "not a number" in caught.value.value.value


async def test_a_guest_gets_an_error_for_an_overflow(runtime: Runtime) -> None:
    await runtime.call(None, "increment", "b", "counter", 2**63 - 1)
    with pytest.raises(WitError) as caught:
        await runtime.call(None, "increment", "b", "counter", 1)
    assert "overflow" in caught.value.value.value


async def test_a_guest_pages_through_keys(runtime: Runtime) -> None:
    keys = [f"key-{number}" for number in range(2500)]
    await runtime.call(None, "set-many", "b", [(key, b"") for key in keys])
    listed, cursor, pages = [], None, 0
    while pages == 0 or cursor is not None:
        page = await runtime.call(None, "list-keys", "b", cursor)
        listed += page.keys
        cursor = page.cursor
        pages += 1
    assert listed == keys
    assert pages == 3


async def test_a_guest_uses_batches(runtime: Runtime) -> None:
    await runtime.call(None, "set-many", "b", [("a", b"1"), ("b", b"2")])
    assert await runtime.call(None, "get-many", "b", ["b", "missing", "a"]) == [("b", b"2"), None, ("a", b"1")]
    await runtime.call(None, "delete-many", "b", ["a", "missing"])
    assert await runtime.call(None, "exists", "b", "a") is False


async def test_a_guest_whose_get_many_answers_each_key_is_served_as_well() -> None:
    async with await runtime_of(DRAFT2 | {"entry": "(tuple string (option (list u8)))"}) as runtime:
        await runtime.call(None, "set-many", "b", [("a", b"1"), ("b", b"2")])
        entries = [("b", b"2"), ("missing", None), ("a", b"1")]
        assert await runtime.call(None, "get-many", "b", ["b", "missing", "a"]) == entries


async def test_a_guest_stores_2_mib(runtime: Runtime) -> None:
    value = bytes(range(256)) * (MAX_CALL_BYTES // 256)
    await runtime.call(None, "set", "b", "key", value)
    assert await runtime.call(None, "get", "b", "key") == value


async def test_a_guest_gets_an_error_for_more_than_2_mib(runtime: Runtime) -> None:
    await runtime.call(None, "fill", "b", "key", MAX_CALL_BYTES)
    with pytest.raises(WitError) as caught:
        await runtime.call(None, "fill", "b", "key", MAX_CALL_BYTES + 1)
    assert "2097153 bytes" in caught.value.value.value
    assert len(await runtime.call(None, "get", "b", "key")) == MAX_CALL_BYTES


async def test_a_guest_that_hands_over_3_mib_is_ended_and_nothing_is_written(runtime: Runtime) -> None:
    with pytest.raises(ValueTooLarge):
        await runtime.call(None, "fill", "b", "key", 3 * 1024 * 1024)
    assert await runtime.call(None, "exists", "b", "key") is False


@pytest.mark.parametrize("draft", [DRAFT2, DRAFT], ids=["draft2", "draft"])
async def test_a_store_that_is_not_listed_is_no_such_store(draft: dict[str, str]) -> None:
    async with await runtime_of(draft, QWASR_KEYVALUE_STORES="listed") as runtime:
        await runtime.call(None, "open", "listed")
        with pytest.raises(WitError) as caught:
            await runtime.call(None, "open", "other")
        assert caught.value.value == Variant("no-such-store")


async def test_a_store_that_nobody_configured_is_on_the_default_backend(runtime: Runtime) -> None:
    await runtime.call(None, "set", "anything", "key", b"value")
    assert await runtime.call(None, "get", "anything", "key") == b"value"


async def test_a_guest_swaps() -> None:
    async with await runtime_of(DRAFT2) as runtime:
        assert await runtime.call(None, "swap", "b", "key", b"new", b"") == 0
        assert await runtime.call(None, "get", "b", "key") == b"new"


async def test_a_guest_that_loses_a_swap_wins_with_the_fresh_handle() -> None:
    async with await runtime_of(DRAFT2) as runtime:
        assert await runtime.call(None, "swap", "b", "key", b"new", b"other") == 12
        assert await runtime.call(None, "get", "b", "key") == b"new"


async def test_a_backend_that_waits_suspends_its_guest_only() -> None:
    class Slow(Memory):
        async def open_bucket(self, identifier: str) -> Any:
            if identifier == "slow":
                await asyncio.sleep(0.2)
            return await super().open_bucket(identifier)

    async with Runtime(text(DRAFT2), backends={"keyvalue": Slow()}, environ={}, plugins=[plugin]) as runtime:
        slow = asyncio.create_task(runtime.call(None, "increment", "slow", "counter", 1))
        await asyncio.sleep(0.05)
        assert await runtime.call(None, "increment", "quick", "counter", 1) == 1
        assert not slow.done()
        assert await slow == 1


async def test_a_cancelled_guest_cancels_what_the_backend_does_for_it() -> None:
    waiting, cleaned = asyncio.Event(), asyncio.Event()

    class Endless(Memory):
        async def open_bucket(self, identifier: str) -> Any:
            try:
                waiting.set()
                await asyncio.Event().wait()
            finally:
                cleaned.set()

    async with Runtime(text(DRAFT2), backends={"keyvalue": Endless()}, environ={}, plugins=[plugin]) as runtime:
        task = asyncio.create_task(runtime.call(None, "open", "b"))
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert cleaned.is_set()


async def test_an_unexpected_exception_is_an_internal_error_and_the_process_lives() -> None:
    class Broken(Memory):
        async def open_bucket(self, identifier: str) -> Any:
            if identifier == "later":
                await asyncio.sleep(0.001)
            msg = "secret detail"
            raise RuntimeError(msg)

    async with Runtime(text(DRAFT2), backends={"keyvalue": Broken()}, environ={}, plugins=[plugin]) as runtime:
        for identifier in ("now", "later"):
            with pytest.raises(WitError) as caught:
                await runtime.call(None, "open", identifier)
            assert caught.value.value.value.startswith("internal error ")
            assert "secret" not in caught.value.value.value
