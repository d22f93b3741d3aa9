"""What can be wrong with counters and compare-and-swap."""

from __future__ import annotations

import asyncio

from interfaces.keyvalue.tests.wrong import WrongBucket
from qwasr_keyvalue import NotANumber, Snapshot


class StartsAtOne(WrongBucket):
    breaks = ("test_increment_starts_a_missing_key_at_zero", "test_counters_reach_both_ends_of_their_range")

    async def increment(self, key: str, delta: int) -> int:
        if not await self.right.exists(key):
            await self.right.set(key, b"1")
        return await self.right.increment(key, delta)


class CountsOnlyOnes(WrongBucket):
    breaks = ("test_increment_adds_to_the_counter",)

    async def increment(self, key: str, delta: int) -> int:
        return await self.right.increment(key, 1)


class NeverBelowZero(WrongBucket):
    breaks = ("test_increment_counts_down_and_below_zero",)

    async def increment(self, key: str, delta: int) -> int:
        total = max(0, await self.right.increment(key, delta))
        await self.right.set(key, b"%d" % total)
        return total


class BinaryCounters(WrongBucket):
    breaks = ("test_a_counter_is_ascii_decimal", "test_a_number_that_was_set_can_be_incremented")

    async def increment(self, key: str, delta: int) -> int:
        total = int.from_bytes(await self.right.get(key) or b"", "big", signed=True) + delta
        await self.right.set(key, total.to_bytes(16, "big", signed=True))
        return total


class TextCountsAsZero(WrongBucket):
    breaks = ("test_a_value_that_is_no_number_is_an_error_and_stays",)

    async def increment(self, key: str, delta: int) -> int:
        try:
            return await self.right.increment(key, delta)
        except NotANumber:
            await self.right.set(key, b"%d" % delta)
            return delta


class Wraps(WrongBucket):
    breaks = ("test_an_overflow_is_an_error_and_the_value_stays",)

    async def increment(self, key: str, delta: int) -> int:
        total = int(await self.right.get(key) or b"0") + delta
        total = (total + 2**63) % 2**64 - 2**63
        await self.right.set(key, b"%d" % total)
        return total


class ReadsThenWrites(WrongBucket):
    breaks = ("test_100_concurrent_increments_are_100",)

    async def increment(self, key: str, delta: int) -> int:
        total = int(await self.right.get(key) or b"0") + delta
        await asyncio.sleep(0)
        await self.right.set(key, b"%d" % total)
        return total


class EmptySnapshots(WrongBucket):
    breaks = ("test_a_snapshot_has_the_value",)

    async def snapshot(self, key: str) -> Snapshot:
        return Snapshot(b"", (await self.right.snapshot(key)).revision)


class NeverSwaps(WrongBucket):
    breaks = (
        "test_swap_sets_an_unchanged_key",
        "test_swap_makes_a_key_that_is_still_missing",
        "test_a_lost_swap_returns_a_snapshot_that_can_win",
    )

    async def swap(self, key: str, value: bytes, expected: Snapshot) -> Snapshot | None:
        return await self.right.snapshot(key)


class AlwaysSwaps(WrongBucket):
    breaks = (
        "test_swap_leaves_a_key_that_was_set_meanwhile",
        "test_swap_leaves_a_key_that_was_made_meanwhile",
        "test_swap_does_not_make_a_key_that_was_deleted_meanwhile",
        "test_swap_notices_an_increment",
        "test_swap_takes_an_expired_key_for_missing",
    )

    async def swap(self, key: str, value: bytes, expected: Snapshot) -> Snapshot | None:
        return await self.right.swap(key, value, await self.right.snapshot(key))


class ComparesThenSets(WrongBucket):
    breaks = ("test_of_concurrent_swaps_one_wins",)

    async def swap(self, key: str, value: bytes, expected: Snapshot) -> Snapshot | None:
        now = await self.right.snapshot(key)
        await asyncio.sleep(0)
        if now.revision != expected.revision:
            return now
        await self.right.set(key, value)
        return None
