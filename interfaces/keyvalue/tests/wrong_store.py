"""What can be wrong with single keys, buckets and listings."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from interfaces.keyvalue.tests.wrong import WrongBucket
from qwasr_keyvalue import KeyPage, Memory
from qwasr_keyvalue._memory import MemoryBucket


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


class NamesAreFiles(WrongBucket):
    breaks = ("test_names_of_buckets_have_up_to_1024_bytes",)

    def __init__(self, right: MemoryBucket, identifier: str) -> None:
        super().__init__(right, identifier)
        if len(identifier.encode()) > 255:
            msg = "file name too long"
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
    breaks: ClassVar[tuple[str, ...]] = ("test_a_long_listing_comes_in_pages",)

    async def list_keys(self, cursor: str | None = None) -> KeyPage:
        keys, page = [], await self.right.list_keys()
        keys += page.keys
        while page.cursor:
            page = await self.right.list_keys(page.cursor)
            keys += page.keys
        return KeyPage(keys)


class CursorIsAPosition(OnePage):
    breaks = (
        "test_a_listing_keeps_its_place_while_keys_come_and_go",
        "test_a_cursor_that_no_page_gave_out_is_an_error_that_says_so_or_a_place_like_any_other",
    )

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
