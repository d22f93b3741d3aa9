"""Rules for counters and compare-and-swap."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from qwasr_keyvalue.compliance._buckets import fresh_bucket, fresh_name
from qwasr_keyvalue.counters import COUNTER_MAX, COUNTER_MIN
from qwasr_keyvalue.errors import CounterOverflow, NotANumber

if TYPE_CHECKING:
    from qwasr_keyvalue.protocol import KeyValue

__all__ = ["AtomicsRules"]

_NO_NUMBERS = (
    b"",
    b"text",
    b" 1",
    b"1 ",
    b"1\n",
    b"+1",
    b"-0",
    b"-",
    b"007",
    b"1.0",
    b"1e3",
    b"1_000",
    b"0x10",
    b"\xff",
    b"\x01\x00\x00\x00\x00\x00\x00\x00",
    "\u0661".encode(),  # a digit, but not an ASCII one
    str(COUNTER_MAX + 1).encode(),
    str(COUNTER_MIN - 1).encode(),
    b"9" * 40,
)


class AtomicsRules:
    """What holds for counters and compare-and-swap."""

    async def test_increment_starts_a_missing_key_at_zero(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        assert await bucket.increment("counter", 5) == 5

    async def test_increment_adds_to_the_counter(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.increment("counter", 40)
        assert await bucket.increment("counter", 2) == 42
        assert await bucket.increment("counter", 0) == 42

    async def test_increment_counts_down_and_below_zero(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.increment("counter", 1)
        assert await bucket.increment("counter", -3) == -2
        assert await bucket.get("counter") == b"-2"

    async def test_a_counter_is_ascii_decimal(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.increment("counter", 1234)
        assert await bucket.get("counter") == b"1234"

    async def test_a_number_that_was_set_can_be_incremented(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set("counter", b"41")
        assert await bucket.increment("counter", 1) == 42

    @pytest.mark.parametrize("value", _NO_NUMBERS, ids=repr)
    async def test_a_value_that_is_no_number_is_an_error_and_stays(self, backend: KeyValue, value: bytes) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set("counter", value)
        with pytest.raises(NotANumber):
            await bucket.increment("counter", 1)
        assert await bucket.get("counter") == value

    async def test_counters_reach_both_ends_of_their_range(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        assert await bucket.increment("most", COUNTER_MAX) == COUNTER_MAX
        assert await bucket.increment("least", COUNTER_MIN) == COUNTER_MIN
        assert await bucket.get("most") == str(COUNTER_MAX).encode()
        assert await bucket.get("least") == str(COUNTER_MIN).encode()

    async def test_an_overflow_is_an_error_and_the_value_stays(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.increment("most", COUNTER_MAX)
        await bucket.increment("least", COUNTER_MIN)
        with pytest.raises(CounterOverflow):
            await bucket.increment("most", 1)
        with pytest.raises(CounterOverflow):
            await bucket.increment("least", -1)
        assert await bucket.get("most") == str(COUNTER_MAX).encode()
        assert await bucket.get("least") == str(COUNTER_MIN).encode()

    async def test_100_concurrent_increments_are_100(self, backend: KeyValue) -> None:
        name = fresh_name()
        buckets = [await backend.open_bucket(name) for _ in range(4)]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(buckets[number % 4].increment("counter", 1)) for number in range(100)]
        assert await buckets[0].get("counter") == b"100"
        assert sorted(task.result() for task in tasks) == list(range(1, 101)), "two increments returned the same number"

    async def test_a_snapshot_has_the_value(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set("key", b"value")
        assert (await bucket.snapshot("key")).value == b"value"
        assert (await bucket.snapshot("missing")).value is None

    async def test_swap_sets_an_unchanged_key(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set("key", b"old")
        assert await bucket.swap("key", b"new", await bucket.snapshot("key")) is None
        assert await bucket.get("key") == b"new"

    async def test_swap_makes_a_key_that_is_still_missing(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        assert await bucket.swap("key", b"new", await bucket.snapshot("key")) is None
        assert await bucket.get("key") == b"new"

    async def test_swap_leaves_a_key_that_was_set_meanwhile(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set("key", b"old")
        before = await bucket.snapshot("key")
        await bucket.set("key", b"other")
        assert await bucket.swap("key", b"new", before) is not None
        assert await bucket.get("key") == b"other"

    async def test_swap_leaves_a_key_that_was_made_meanwhile(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        before = await bucket.snapshot("key")
        await bucket.set("key", b"")
        assert await bucket.swap("key", b"new", before) is not None
        assert await bucket.get("key") == b""

    async def test_swap_does_not_make_a_key_that_was_deleted_meanwhile(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set("key", b"")
        before = await bucket.snapshot("key")
        await bucket.delete("key")
        lost = await bucket.swap("key", b"new", before)
        assert lost is not None
        assert lost.value is None
        assert await bucket.get("key") is None

    async def test_swap_notices_an_increment(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        before = await bucket.snapshot("counter")
        await bucket.increment("counter", 1)
        assert await bucket.swap("counter", b"100", before) is not None
        assert await bucket.get("counter") == b"1"

    async def test_a_lost_swap_returns_a_snapshot_that_can_win(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        before = await bucket.snapshot("key")
        await bucket.set("key", b"other")
        fresh = await bucket.swap("key", b"new", before)
        assert fresh is not None
        assert fresh.value == b"other"
        assert await bucket.swap("key", b"new", fresh) is None
        assert await bucket.get("key") == b"new"

    async def test_of_concurrent_swaps_one_wins(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        before = await bucket.snapshot("key")
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(bucket.swap("key", b"%d" % number, before)) for number in range(50)]
        winners = [number for number, task in enumerate(tasks) if task.result() is None]
        assert len(winners) == 1
        assert await bucket.get("key") == b"%d" % winners[0]
