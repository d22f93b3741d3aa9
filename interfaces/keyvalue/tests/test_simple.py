"""A backend of four methods keeps every rule."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from typing import Any

import pytest

from qwasr_keyvalue import Entry, SimpleKeyValue
from qwasr_keyvalue.compliance import KeyValueCompliance


class Dictionary(SimpleKeyValue):
    """The smallest store there is."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.entries: dict[tuple[str, str], Entry] = {}
        self.commits = 0

    async def load(self, bucket: str, key: str) -> Entry | None:
        return self.entries.get((bucket, key))

    async def save(self, bucket: str, key: str, entry: Entry) -> None:
        self.entries[bucket, key] = entry

    async def remove(self, bucket: str, key: str) -> None:
        del self.entries[bucket, key]

    async def names(self, bucket: str, after: str | None, limit: int) -> list[str]:
        keys = sorted(key for name, key in self.entries if name == bucket)
        start = 0 if after is None else bisect_right(keys, after)
        return keys[start : start + limit]

    async def commit(self) -> None:
        self.commits += 1


class TestFourMethods(KeyValueCompliance):
    @pytest.fixture
    def backend(self) -> Dictionary:
        return Dictionary()


async def test_a_batch_is_committed_once() -> None:
    store = Dictionary()
    bucket = await store.open_bucket("b")
    await bucket.set_many([("a", b"1"), ("b", b"2"), ("c", b"3")])
    assert store.commits == 1


async def test_reading_commits_nothing() -> None:
    store = Dictionary()
    bucket = await store.open_bucket("b")
    await bucket.get("a")
    await bucket.list_keys()
    await bucket.ttl("a")
    assert store.commits == 0


async def test_a_failed_increment_commits_nothing() -> None:
    store = Dictionary()
    bucket = await store.open_bucket("b")
    await bucket.set("a", b"text")
    with pytest.raises(Exception, match="not a number"):
        await bucket.increment("a", 1)
    assert store.commits == 1


async def test_a_change_is_finished_when_who_asked_for_it_is_gone() -> None:
    class Slow(Dictionary):
        async def commit(self) -> None:
            await asyncio.sleep(0.02)
            await super().commit()

    store = Slow()
    bucket = await store.open_bucket("b")
    task = asyncio.create_task(bucket.set("key", b"value"))
    await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert store.commits == 0
    await store.close()
    assert store.commits == 1


async def test_closing_waits_for_nothing_when_nothing_changes() -> None:
    store = Dictionary()
    await store.check()
    await store.close()


async def test_an_entry_expires_by_the_given_clock() -> None:
    now_s = 5.0
    bucket = await Dictionary(clock=lambda: now_s).open_bucket("b")
    await bucket.set("key", b"value", ttl_s=10)
    now_s = 14.9
    assert await bucket.exists("key")
    now_s = 15.0
    assert not await bucket.exists("key")
