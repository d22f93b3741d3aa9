"""The embedded backend: it keeps every rule, and the promises that are its own."""

from __future__ import annotations

import gc
import math

import pytest

from qwasr_keyvalue import InvalidCursor, Memory, MemoryOptions, OutOfSpace, TooLarge
from qwasr_keyvalue.compliance import KeyValueCompliance


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class TestMemory(KeyValueCompliance):
    @pytest.fixture
    async def backend(self) -> Memory:
        return await Memory.connect(MemoryOptions())


async def test_a_value_above_the_bound_is_an_error_and_nothing_is_written() -> None:
    bucket = await Memory(MemoryOptions(max_value_bytes=10)).open_bucket("b")
    await bucket.set("key", b"0123456789")
    with pytest.raises(TooLarge, match=r"11 bytes.*10"):
        await bucket.set("key", b"01234567890")
    assert await bucket.get("key") == b"0123456789"


async def test_a_full_store_is_an_error_and_nothing_is_written() -> None:
    memory = Memory(MemoryOptions(max_bytes=10_000))
    bucket = await memory.open_bucket("b")
    await bucket.set("key", b"x" * 5000)
    with pytest.raises(OutOfSpace, match="10000 bytes"):
        await bucket.set("other", b"x" * 5000)
    with pytest.raises(OutOfSpace):
        await bucket.set("key", b"x" * 9999)
    assert await bucket.get("key") == b"x" * 5000
    assert await bucket.exists("other") is False


async def test_a_full_store_takes_entries_again_after_a_delete() -> None:
    bucket = await Memory(MemoryOptions(max_bytes=10_000)).open_bucket("b")
    await bucket.set("key", b"x" * 5000)
    await bucket.delete("key")
    await bucket.set("other", b"x" * 8000)


async def test_a_full_store_removes_expired_entries_of_every_bucket_first() -> None:
    clock = Clock()
    memory = Memory(MemoryOptions(max_bytes=30_000), clock=clock)
    for name in "abcdefghij":
        await (await memory.open_bucket(name)).set("key", b"x" * 1000, ttl_s=10)
    clock.now_s += 10
    await (await memory.open_bucket("z")).set("key", b"x" * 28_000)


async def test_a_store_refuses_a_new_bucket_that_does_not_fit() -> None:
    memory = Memory(MemoryOptions(max_bytes=500))
    with pytest.raises(OutOfSpace):
        await (await memory.open_bucket("b")).set("key", b"")
    assert memory.used_bytes == 0


async def test_an_emptied_store_uses_no_bytes() -> None:
    memory = Memory()
    bucket = await memory.open_bucket("b")
    await bucket.set("ключ", b"value")
    await bucket.set("ключ", b"longer value")
    await bucket.increment("counter", 1)
    await bucket.delete_many(["ключ", "counter"])
    assert memory.used_bytes == 0


async def test_expired_entries_do_not_pile_up() -> None:
    clock = Clock()
    memory = Memory(clock=clock)
    bucket = await memory.open_bucket("b")
    for number in range(10_000):
        await bucket.set(f"key-{number}", b"value", ttl_s=1)
        clock.now_s += 0.1
    assert memory.used_bytes < 20_000


async def test_a_time_to_live_set_again_and_again_takes_no_more_memory() -> None:
    clock = Clock()
    memory = Memory(clock=clock)
    bucket = await memory.open_bucket("b")
    for _ in range(10_000):
        await bucket.set("key", b"value", ttl_s=3600)
        clock.now_s += 0.001
    assert len(memory._due) < 200


async def test_buckets_that_were_only_opened_are_forgotten() -> None:
    memory = Memory()
    for number in range(1000):
        await memory.open_bucket(f"bucket-{number}")
    gc.collect()
    assert len(memory._opened) == 0


async def test_a_bucket_that_was_emptied_while_open_is_still_the_one_bucket_of_its_name() -> None:
    memory = Memory()
    bucket = await memory.open_bucket("b")
    await bucket.set("key", b"1")
    await bucket.delete("key")
    assert await memory.open_bucket("b") is bucket


async def test_deleting_most_keys_keeps_a_listing_short_and_in_its_place() -> None:
    bucket = await Memory().open_bucket("b")
    await bucket.set_many([(f"key-{number:05}", b"") for number in range(5000)])
    page = await bucket.list_keys(None)
    await bucket.delete_many([f"key-{number:05}" for number in range(500, 4990)])
    assert len(bucket._keys) < 2000
    rest = await bucket.list_keys(page.cursor)
    assert rest.keys == [f"key-{number:05}" for number in range(4990, 5000)]
    assert rest.cursor is None


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1 ", "1" * 30, "٣", "1.0"])
async def test_a_cursor_that_no_page_gave_out_is_an_error(cursor: str) -> None:
    bucket = await Memory().open_bucket("b")
    with pytest.raises(InvalidCursor):
        await bucket.list_keys(cursor)


async def test_an_entry_expires_by_the_given_clock() -> None:
    clock = Clock()
    bucket = await Memory(clock=clock).open_bucket("b")
    await bucket.set("key", b"value", ttl_s=5)
    clock.now_s += 4.9
    assert await bucket.get("key") == b"value"
    assert await bucket.ttl("key") == pytest.approx(0.1)
    clock.now_s += 0.1
    assert await bucket.get("key") is None


async def test_an_endless_time_to_live_is_none() -> None:
    bucket = await Memory().open_bucket("b")
    await bucket.set("key", b"value", ttl_s=math.inf)
    assert await bucket.ttl("key") == math.inf


async def test_a_value_that_the_caller_changes_later_stays_as_it_was_set() -> None:
    bucket = await Memory().open_bucket("b")
    value = bytearray(b"before")
    await bucket.set("key", value)  # type: ignore[arg-type]  # what a careless caller may do
    value[:] = b"after!"
    assert await bucket.get("key") == b"before"


async def test_closing_forgets_everything() -> None:
    memory = Memory()
    bucket = await memory.open_bucket("b")
    await bucket.set("key", b"value", ttl_s=100)
    await memory.check()
    await memory.close()
    assert await bucket.get("key") is None
    assert memory.used_bytes == 0
