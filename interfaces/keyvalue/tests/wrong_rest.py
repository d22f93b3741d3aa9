"""What can be wrong with batches and expiry."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, ClassVar

from interfaces.keyvalue.tests.wrong import WrongBucket
from qwasr_keyvalue import Snapshot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwasr_keyvalue._memory import MemoryBucket


class SortsBatches(WrongBucket):
    breaks = ("test_get_many_answers_in_the_order_asked_for", "test_batches_carry_a_thousand_keys")

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        return await self.right.get_many(sorted(keys))


class LeavesMissingOut(WrongBucket):
    breaks = ("test_get_many_answers_none_for_a_missing_key",)

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        return [value for value in await self.right.get_many(keys) if value is not None]


class AnswersEachKeyOnce(WrongBucket):
    breaks = ("test_get_many_answers_a_key_as_often_as_it_is_asked_for",)

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        return await self.right.get_many(list(dict.fromkeys(keys)))


class NeedsABatch(WrongBucket):
    breaks = ("test_batches_may_be_empty",)

    async def set_many(self, items: Sequence[tuple[str, bytes]]) -> None:
        await self.right.set(*items[0])
        await self.right.set_many(items[1:])


class SetsOnlyNewOnes(WrongBucket):
    breaks = ("test_set_many_sets_new_and_existing_keys",)

    async def set_many(self, items: Sequence[tuple[str, bytes]]) -> None:
        await self.right.set_many([item for item in items if not await self.right.exists(item[0])])


class BatchReplacesAll(WrongBucket):
    breaks = ("test_set_many_leaves_other_keys_alone",)

    async def set_many(self, items: Sequence[tuple[str, bytes]]) -> None:
        await self.right.delete_many((await self.right.list_keys()).keys)
        await self.right.set_many(items)


class StopsAtAMissingKey(WrongBucket):
    breaks = ("test_delete_many_deletes_what_exists",)

    async def delete_many(self, keys: Sequence[str]) -> None:
        for key in keys:
            if not await self.right.delete(key):
                break


class DefaultExpiry(WrongBucket):
    breaks = (
        "test_an_entry_does_not_expire_by_itself",
        "test_set_forgets_the_old_time_to_live",
        "test_an_expired_counter_starts_again_at_zero_and_for_ever",
    )

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        await self.right.set(key, value, ttl_s=ttl_s or 86_400)

    async def increment(self, key: str, delta: int) -> int:
        total = await self.right.increment(key, delta)
        await self.right.expire(key, 86_400)
        return total


class NeverExpires(WrongBucket):
    breaks = (
        "test_an_expired_entry_is_gone_everywhere",
        "test_ttl_counts_down",
        "test_an_expired_counter_starts_again_at_zero_and_for_ever",
        "test_a_time_to_live_of_zero_or_less_is_at_once",
    )

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        await self.right.set(key, value)


class ExpiresTooSoon(WrongBucket):
    breaks = ("test_an_entry_is_there_until_it_expires",)

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        await self.right.set(key, value, ttl_s=None if ttl_s is None else ttl_s / 1_000_000)


class RedisTtl(WrongBucket):
    """The numbers of the Redis command TTL."""

    breaks = ("test_ttl_of_a_missing_key_is_none", "test_expire_with_none_keeps_an_entry_for_ever")

    async def ttl(self, key: str) -> float:
        left_s = await self.right.ttl(key)
        return -2 if left_s is None else -1 if left_s == math.inf else left_s


class IgnoresExpire(WrongBucket):
    breaks = ("test_expire_gives_an_entry_a_time_to_live",)

    async def expire(self, key: str, ttl_s: float | None) -> bool:
        return await self.right.exists(key)


class ExpireEmpties(WrongBucket):
    breaks = ("test_expire_leaves_the_value", "test_expire_says_when_there_is_no_such_key")

    async def expire(self, key: str, ttl_s: float | None) -> bool:
        await self.right.set(key, b"", ttl_s=ttl_s)
        return True


class RewritesForEver(WrongBucket):
    breaks = ("test_increment_keeps_the_time_to_live", "test_swap_keeps_the_time_to_live")

    async def increment(self, key: str, delta: int) -> int:
        total = await self.right.increment(key, delta)
        await self.right.set(key, b"%d" % total)
        return total

    async def swap(self, key: str, value: bytes, expected: Snapshot) -> Snapshot | None:
        now = await self.right.swap(key, value, expected)
        if now is None:
            await self.right.set(key, value)
        return now


class ExpiryOutlivesItsEntry(WrongBucket):
    breaks = ("test_a_deleted_entry_takes_its_time_to_live_with_it",)
    timers: ClassVar[dict[str, float]] = {}

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        if ttl_s is not None:
            self.timers[key] = ttl_s
        await self.right.set(key, value, ttl_s=self.timers.get(key))


class MixesUpAnswers(WrongBucket):
    breaks = ("test_cancelled_calls_leave_others_their_own_answers",)

    def __init__(self, right: MemoryBucket, identifier: str) -> None:
        super().__init__(right, identifier)
        self._answers: list[bytes | None] = []

    async def get(self, key: str) -> bytes | None:
        self._answers.append(await self.right.get(key))
        await asyncio.sleep(0.0002)  # one that is cancelled here leaves its answer to the next
        return self._answers.pop(0)


class TriesAgainWhenCancelled(WrongBucket):
    breaks = ("test_cancelled_increments_count_once_or_not_at_all",)

    async def increment(self, key: str, delta: int) -> int:
        total = await self.right.increment(key, delta)
        try:
            await asyncio.sleep(0.0002)
        except asyncio.CancelledError:
            await self.right.increment(key, 100 * delta)
            raise
        return total
