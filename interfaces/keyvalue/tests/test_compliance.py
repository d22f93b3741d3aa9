"""The compliance class catches what it is there for: for each rule a backend that breaks it, and nothing needs more."""

from __future__ import annotations

import asyncio
import inspect
import math
import subprocess
import sys
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from qwasr_keyvalue import KeyPage, KeyValueError, Memory, NotANumber, Snapshot
from qwasr_keyvalue._memory import MemoryBucket
from qwasr_keyvalue.compliance import KeyValueCompliance

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

RULES = sorted(name for name in dir(KeyValueCompliance) if name.startswith("test_"))


class WrongBucket:
    """A right bucket, until a subclass does one thing wrong."""

    breaks: ClassVar[tuple[str, ...]]  # the rules that catch it

    def __init__(self, right: MemoryBucket, identifier: str) -> None:
        self.right = right
        self.identifier = identifier

    def __getattr__(self, name: str) -> Any:
        return getattr(self.right, name)


class Backend(Memory):
    """Memory with another class of buckets."""

    def __init__(self, bucket: type[WrongBucket], rename: Callable[[str], str] = str) -> None:
        super().__init__()
        self._bucket = bucket
        self._rename = rename

    async def open_bucket(self, identifier: str) -> Any:
        return self._bucket(await super().open_bucket(self._rename(identifier)), identifier)


class MissingIsEmpty(WrongBucket):
    breaks = ("test_a_missing_key_has_no_value", "test_a_deleted_key_is_gone")

    async def get(self, key: str) -> bytes:
        return await self.right.get(key) or b""


class ForgetsSets(WrongBucket):
    breaks = ("test_a_set_value_is_read_back", "test_exists_says_whether_the_key_is_there")

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None: ...


class ReturnsBytearray(WrongBucket):
    breaks = ("test_a_read_value_is_bytes",)

    async def get(self, key: str) -> Any:
        value = await self.right.get(key)
        return None if value is None else bytearray(value)


class OverwritesTheBeginning(WrongBucket):
    breaks = ("test_a_later_set_replaces_the_whole_value",)

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        old = await self.right.get(key) or b""
        await self.right.set(key, value + old[len(value) :], ttl_s=ttl_s)


class DeleteAlwaysSaysYes(WrongBucket):
    breaks = ("test_delete_says_whether_the_key_was_there",)

    async def delete(self, key: str) -> bool:
        await self.right.delete(key)
        return True


class DeletesByPrefix(WrongBucket):
    breaks = ("test_deleting_one_key_leaves_the_others",)

    async def delete(self, key: str) -> bool:
        await self.right.delete_many([k for k in (await self.right.list_keys()).keys if k.startswith(key)])
        return True


class EmptyIsMissing(WrongBucket):
    breaks = (
        "test_an_empty_value_is_a_value",
        "test_values_are_any_bytes",
        "test_swap_leaves_a_key_that_was_made_meanwhile",
    )

    async def get(self, key: str) -> bytes | None:
        return await self.right.get(key) or None


class StripsKeys(WrongBucket):
    breaks = ("test_keys_are_any_unicode_text",)

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        await self.right.set(key.strip(), value, ttl_s=ttl_s)


class ShortKeys(WrongBucket):
    breaks = ("test_keys_have_up_to_1024_bytes",)

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        await self.right.set(key[:1000], value, ttl_s=ttl_s)


class SmallValues(WrongBucket):
    breaks = ("test_values_have_up_to_2_mib",)

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        await self.right.set(key, value[:1_000_000], ttl_s=ttl_s)


class PrivateEntries(WrongBucket):
    breaks = ("test_buckets_of_one_name_share_their_entries", "test_entries_stay_when_nobody_holds_their_bucket")

    def __init__(self, right: MemoryBucket, identifier: str) -> None:
        super().__init__(MemoryBucket(Memory(), identifier), identifier)


class JoinedNames(WrongBucket):
    """All entries in one bucket, told apart by `bucket:key`."""

    breaks = ("test_buckets_never_see_each_others_keys",)

    def name(self, key: str) -> str:
        return f"{self.identifier}:{key}"

    async def get(self, key: str) -> bytes | None:
        return await self.right.get(self.name(key))

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        await self.right.set(self.name(key), value, ttl_s=ttl_s)

    async def list_keys(self, cursor: str | None = None) -> KeyPage:
        prefix = self.name("")
        page = await self.right.list_keys(cursor)
        return KeyPage([key.removeprefix(prefix) for key in page.keys if key.startswith(prefix)], page.cursor)


class NeedsAName(WrongBucket):
    breaks = ("test_a_bucket_may_have_the_empty_name",)

    def __init__(self, right: MemoryBucket, identifier: str) -> None:
        super().__init__(right, identifier)
        if not identifier:
            msg = "a bucket has a name"
            raise ValueError(msg)


class LosesConcurrentSets(WrongBucket):
    breaks = ("test_concurrent_sets_of_many_keys_all_arrive",)

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        before = (await self.right.list_keys()).keys
        await asyncio.sleep(0)
        await self.right.delete_many([k for k in (await self.right.list_keys()).keys if k not in before])
        await self.right.set(key, value, ttl_s=ttl_s)


class ListsOneKeyAtLeast(WrongBucket):
    breaks = ("test_an_empty_bucket_lists_no_keys",)

    async def list_keys(self, cursor: str | None = None) -> KeyPage:
        page = await self.right.list_keys(cursor)
        return KeyPage(page.keys or [""], page.cursor)


class OverlappingPages(WrongBucket):
    breaks = ("test_a_listing_has_every_key_once",)

    async def list_keys(self, cursor: str | None = None) -> KeyPage:
        page = await self.right.list_keys(cursor)
        return KeyPage([*page.keys, *page.keys[:1]], page.cursor)


class OnePage(WrongBucket):
    breaks = ("test_a_long_listing_comes_in_pages",)

    async def list_keys(self, cursor: str | None = None) -> KeyPage:
        keys, page = [], await self.right.list_keys()
        keys += page.keys
        while page.cursor:
            page = await self.right.list_keys(page.cursor)
            keys += page.keys
        return KeyPage(keys)


class CursorIsAPosition(OnePage):
    breaks = ("test_a_listing_keeps_its_place_while_keys_come_and_go",)

    async def list_keys(self, cursor: str | None = None) -> KeyPage:
        keys, start = (await super().list_keys()).keys, int(cursor or 0)
        return KeyPage(keys[start : start + 100], str(start + 100) if start + 100 < len(keys) else None)


class OneCursorForAll(WrongBucket):
    breaks = ("test_two_listings_do_not_disturb_each_other",)
    place: str | None = None

    async def list_keys(self, cursor: str | None = None) -> KeyPage:
        page = await self.right.list_keys(None if cursor is None else self.place)
        self.place = page.cursor
        return page


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


WRONG = [(bucket, rule) for bucket in WrongBucket.__subclasses__() + OnePage.__subclasses__() for rule in bucket.breaks]


async def follow(rule: str, backend: Memory) -> None:
    """Run a rule against a backend, as pytest would."""
    method = getattr(KeyValueCompliance(), rule)
    if "value" in inspect.signature(method).parameters:
        await method(backend, b"text")
    else:
        await method(backend)


def rename_for(bucket: type[WrongBucket]) -> Callable[[str], str]:
    return (lambda _: "all") if bucket is JoinedNames else str


@pytest.mark.parametrize(("bucket", "rule"), WRONG, ids=lambda part: part if isinstance(part, str) else part.__name__)
async def test_a_wrong_backend_is_caught(bucket: type[WrongBucket], rule: str) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception, KeyValueError, ValueError, IndexError)):
        await follow(rule, Backend(bucket, rename_for(bucket)))


@pytest.mark.parametrize("rule", RULES)
async def test_the_wrong_backends_are_right_but_for_one_thing(rule: str) -> None:
    await follow(rule, Backend(WrongBucket))


def test_each_rule_has_a_backend_that_breaks_it() -> None:
    assert sorted({rule for _, rule in WRONG}) == RULES


def test_a_subclass_without_its_own_backend_says_what_is_missing(tmp_path: Path) -> None:
    test = "from qwasr_keyvalue.compliance import KeyValueCompliance\nclass TestMine(KeyValueCompliance): pass\n"
    (tmp_path / "test_mine.py").write_text(test)
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "TestMine has to override the fixture `backend`" in result.stdout
