"""Rules for the time to live."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, ClassVar

from qwasr_keyvalue.compliance._buckets import all_keys, fresh_bucket

if TYPE_CHECKING:
    from qwasr_keyvalue.protocol import KeyValue

__all__ = ["ExpiryRules"]


class ExpiryRules:
    """What holds for expiry.

    Attributes:
        resolution_s: the shortest time to live that the backend keeps, in seconds; a whole second at most.
    """

    resolution_s: ClassVar[float] = 0.05

    async def test_an_entry_does_not_expire_by_itself(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set("key", b"value")
        await bucket.increment("counter", 1)
        await bucket.set_many([("batch", b"value")])
        await bucket.swap("swapped", b"value", await bucket.snapshot("swapped"))
        for key in ("key", "counter", "batch", "swapped"):
            assert await bucket.ttl(key) == math.inf, key

    async def test_an_expired_entry_is_gone_everywhere(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set("key", b"value", ttl_s=self.resolution_s)
        await bucket.set("other", b"value")
        await self._wait()
        assert await bucket.get("key") is None
        assert await bucket.exists("key") is False
        assert await bucket.get_many(["key", "other"]) == [None, b"value"]
        assert await all_keys(bucket) == ["other"]
        assert await bucket.ttl("key") is None
        assert await bucket.expire("key", 10) is False
        assert await bucket.delete("key") is False

    async def test_an_entry_is_there_until_it_expires(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set("key", b"value", ttl_s=3600)
        await self._wait()
        assert await bucket.get("key") == b"value"

    async def test_ttl_counts_down(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set("key", b"value", ttl_s=100)
        left_s = await bucket.ttl("key")
        assert left_s is not None
        assert 90 < left_s <= 101

    async def test_ttl_of_a_missing_key_is_none(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        assert await bucket.ttl("missing") is None

    async def test_expire_gives_an_entry_a_time_to_live(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set("key", b"value")
        assert await bucket.expire("key", self.resolution_s) is True
        await self._wait()
        assert await bucket.get("key") is None

    async def test_expire_leaves_the_value(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set("key", b"value")
        assert await bucket.expire("key", 100) is True
        assert await bucket.get("key") == b"value"

    async def test_expire_with_none_keeps_an_entry_for_ever(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set("key", b"value", ttl_s=100)
        assert await bucket.expire("key", None) is True
        assert await bucket.ttl("key") == math.inf

    async def test_expire_says_when_there_is_no_such_key(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        assert await bucket.expire("missing", 10) is False
        assert await bucket.exists("missing") is False

    async def test_a_time_to_live_of_zero_or_less_is_at_once(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set("set", b"value", ttl_s=0)
        await bucket.set("expired", b"value")
        await bucket.expire("expired", -1)
        assert await bucket.get_many(["set", "expired"]) == [None, None]

    async def test_set_forgets_the_old_time_to_live(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set("set", b"old", ttl_s=100)
        await bucket.set("batch", b"old", ttl_s=100)
        await bucket.set("set", b"new")
        await bucket.set_many([("batch", b"new")])
        assert await bucket.ttl("set") == math.inf
        assert await bucket.ttl("batch") == math.inf

    async def test_increment_keeps_the_time_to_live(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set("counter", b"1", ttl_s=100)
        await bucket.increment("counter", 1)
        left_s = await bucket.ttl("counter")
        assert left_s is not None
        assert left_s <= 101

    async def test_swap_keeps_the_time_to_live(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set("key", b"old", ttl_s=100)
        assert await bucket.swap("key", b"new", await bucket.snapshot("key")) is None
        left_s = await bucket.ttl("key")
        assert left_s is not None
        assert left_s <= 101

    async def test_an_expired_counter_starts_again_at_zero_and_for_ever(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set("counter", b"41", ttl_s=self.resolution_s)
        await self._wait()
        assert await bucket.increment("counter", 1) == 1
        assert await bucket.ttl("counter") == math.inf

    async def test_swap_takes_an_expired_key_for_missing(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set("key", b"old")
        before = await bucket.snapshot("key")
        await bucket.expire("key", self.resolution_s)
        await self._wait()
        assert await bucket.swap("key", b"new", before) is not None
        assert await bucket.get("key") is None

    async def test_a_deleted_entry_takes_its_time_to_live_with_it(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set("key", b"old", ttl_s=self.resolution_s)
        await bucket.delete("key")
        await bucket.set("key", b"new")
        await self._wait()
        assert await bucket.get("key") == b"new"

    async def _wait(self) -> None:
        await asyncio.sleep(2 * self.resolution_s)
