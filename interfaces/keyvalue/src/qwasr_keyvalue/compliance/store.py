"""Rules for single keys, buckets and listings."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from qwasr_keyvalue.compliance._buckets import all_keys, fresh_bucket, fresh_name, pages
from qwasr_keyvalue.errors import InvalidCursor

if TYPE_CHECKING:
    from qwasr_keyvalue.protocol import KeyValue

__all__ = ["ListingRules", "StoreRules"]

_UNUSUAL_KEYS = (
    "",
    " ",
    "\x00",
    "a\x00b",
    "\n",
    ":",
    "a:b",
    "/",
    "../up",
    "*",
    "a?[b]*",
    "%41",
    "{tag}",
    "'; --",
    "key",
    "Key",
    "KEY",
    "é",
    "e\u0301",
    "ключ",
    "\u202e",
    "\uffff",
    "🗝",
    "0",
    "00",
    "-1",
)
_UNUSUAL_VALUES = (b"", b"\x00", b"0", b" ", b"text", b"\r\n", bytes(range(256)), b"\xff\xfe", b"null", b"\x80abc")
_LONG_BYTES = 1024
_LARGE_BYTES = 2 * 1024 * 1024
_MANY = 2500  # more than one page of any backend


class StoreRules:
    """What holds for single keys, and between buckets."""

    async def test_a_missing_key_has_no_value(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        assert await bucket.get("missing") is None

    async def test_a_set_value_is_read_back(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set("key", b"value")
        assert await bucket.get("key") == b"value"

    async def test_a_read_value_is_bytes(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set("key", b"value")
        assert type(await bucket.get("key")) is bytes

    async def test_a_later_set_replaces_the_whole_value(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set("key", b"a long first value")
        await bucket.set("key", b"short")
        assert await bucket.get("key") == b"short"

    async def test_a_deleted_key_is_gone(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set("key", b"value")
        await bucket.delete("key")
        assert await bucket.get("key") is None
        assert await all_keys(bucket) == []

    async def test_delete_says_whether_the_key_was_there(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set("key", b"")
        assert await bucket.delete("key") is True
        assert await bucket.delete("key") is False

    async def test_deleting_one_key_leaves_the_others(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set("key", b"1")
        await bucket.set("key2", b"2")
        await bucket.delete("key")
        assert await bucket.get("key2") == b"2"

    async def test_exists_says_whether_the_key_is_there(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        assert await bucket.exists("key") is False
        await bucket.set("key", b"value")
        assert await bucket.exists("key") is True

    async def test_an_empty_value_is_a_value(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set("key", b"")
        assert await bucket.get("key") == b""
        assert await bucket.exists("key") is True
        assert await all_keys(bucket) == ["key"]

    async def test_keys_are_any_unicode_text(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        for number, key in enumerate(_UNUSUAL_KEYS):
            await bucket.set(key, str(number).encode())
        for number, key in enumerate(_UNUSUAL_KEYS):
            assert await bucket.get(key) == str(number).encode(), f"the key {key!r} is mixed up with another"
        assert sorted(await all_keys(bucket)) == sorted(_UNUSUAL_KEYS)

    async def test_keys_have_up_to_1024_bytes(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        long_keys = ["k" * _LONG_BYTES, "k" * (_LONG_BYTES - 1) + "l", "🗝" * (_LONG_BYTES // 4)]
        for key in long_keys:
            await bucket.set(key, key[-1].encode())
        for key in long_keys:
            assert await bucket.get(key) == key[-1].encode()
        assert sorted(await all_keys(bucket)) == sorted(long_keys)

    async def test_values_are_any_bytes(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        for value in _UNUSUAL_VALUES:
            await bucket.set("key", value)
            assert await bucket.get("key") == value

    async def test_values_have_up_to_2_mib(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        value = bytes(range(256)) * (_LARGE_BYTES // 256)
        await bucket.set("key", value)
        assert await bucket.get("key") == value, "2 MiB come back changed"

    async def test_buckets_of_one_name_share_their_entries(self, backend: KeyValue) -> None:
        name = fresh_name()
        first, second = await backend.open_bucket(name), await backend.open_bucket(name)
        await first.set("key", b"value")
        assert await second.get("key") == b"value"

    async def test_entries_stay_when_nobody_holds_their_bucket(self, backend: KeyValue) -> None:
        name = fresh_name()
        await (await backend.open_bucket(name)).set("key", b"value")
        assert await (await backend.open_bucket(name)).get("key") == b"value"

    async def test_buckets_never_see_each_others_keys(self, backend: KeyValue) -> None:
        prefix = fresh_name()
        pairs = [(f"{prefix}a{mark}b", "c") for mark in (":", "/", ".", "\x00", "%3A", "}", "*", "")]
        pairs += [(f"{prefix}a", f"b{mark}c") for mark in (":", "/", ".", "\x00", "%3A", "}", "*", "")]
        pairs += [(f"{prefix}a", f"{mark}b{mark}c") for mark in (":", "/")]
        pairs += [(f"{prefix}A", "c"), (f"{prefix}a{{x}}", "c"), (f"{prefix}a*", "c")]
        for number, (name, key) in enumerate(pairs):
            await (await backend.open_bucket(name)).set(key, str(number).encode())
        for number, (name, key) in enumerate(pairs):
            bucket = await backend.open_bucket(name)
            assert await bucket.get(key) == str(number).encode(), f"{(name, key)!r} is mixed up with another entry"
            assert sorted(await all_keys(bucket)) == sorted(k for n, k in pairs if n == name)

    async def test_a_bucket_may_have_the_empty_name(self, backend: KeyValue) -> None:
        key = fresh_name()  # it is shared with whoever uses the service
        await (await backend.open_bucket("")).set(key, b"value")
        bucket = await backend.open_bucket("")
        assert await bucket.get(key) == b"value"
        assert await bucket.delete(key) is True

    async def test_names_of_buckets_have_up_to_1024_bytes(self, backend: KeyValue) -> None:
        prefix = fresh_name()
        names = [prefix + "🗝" * ((_LONG_BYTES - len(prefix)) // 4 - 1) + end for end in ("aaaa", "aaab", ":*%{", "")]
        names += [prefix + "k" * (_LONG_BYTES - len(prefix) - 1) + end for end in ("a", "b")]
        for name in names:
            await (await backend.open_bucket(name)).set("key", name.encode())
        for name in names:
            bucket = await backend.open_bucket(name)
            assert await bucket.get("key") == name.encode(), "a long name is mixed up with another"
            assert await all_keys(bucket) == ["key"]

    async def test_concurrent_sets_of_many_keys_all_arrive(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        async with asyncio.TaskGroup() as group:
            for number in range(100):
                group.create_task(bucket.set(f"key-{number}", str(number).encode()))
        assert [await bucket.get(f"key-{number}") for number in range(100)] == [b"%d" % n for n in range(100)]


class ListingRules:
    """What holds for the listing of keys."""

    async def test_an_empty_bucket_lists_no_keys(self, backend: KeyValue) -> None:
        assert await all_keys(await fresh_bucket(backend)) == []

    async def test_a_listing_has_every_key_once(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        keys = [f"key-{number}" for number in range(_MANY)]
        await bucket.set_many([(key, b"") for key in keys])
        assert sorted(await all_keys(bucket)) == sorted(keys)

    async def test_a_long_listing_comes_in_pages(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set_many([(f"key-{number}", b"") for number in range(_MANY)])
        found = await pages(bucket)
        assert len(found) > 1
        assert all(isinstance(page.cursor, str) for page in found[:-1])

    async def test_a_listing_keeps_its_place_while_keys_come_and_go(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        staying = {f"staying-{number}" for number in range(_MANY)}
        going = [f"going-{number}" for number in range(_MANY)]
        await bucket.set_many([(key, b"") for pair in zip(going, staying, strict=True) for key in pair])
        page = await bucket.list_keys(None)
        listed, round_number = list(page.keys), 0
        while page.cursor is not None:
            await bucket.delete_many(going[round_number * 500 : (round_number + 1) * 500])
            await bucket.set(f"coming-{round_number}", b"")
            await bucket.set(sorted(staying)[round_number], b"written again")
            page = await bucket.list_keys(page.cursor)
            listed += page.keys
            round_number += 1
        stayed = [key for key in listed if key in staying]
        assert set(stayed) == staying, f"{len(staying - set(stayed))} keys were left out"
        assert len(stayed) == len(staying), "some keys were listed twice"

    async def test_a_cursor_that_no_page_gave_out_is_an_error_that_says_so_or_a_place_like_any_other(
        self, backend: KeyValue
    ) -> None:
        bucket = await fresh_bucket(backend)
        keys = {f"key-{number}" for number in range(10)}
        await bucket.set_many([(key, b"") for key in keys])
        for cursor in ("", "no cursor at all", "-1", "9" * 19, "9" * 400, "\x00"):
            try:
                page = await bucket.list_keys(cursor)
            except InvalidCursor:
                continue
            assert keys.issuperset(page.keys), f"{cursor!r} leads to keys that are not there"

    async def test_two_listings_do_not_disturb_each_other(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        keys = {f"key-{number}" for number in range(_MANY)}
        await bucket.set_many([(key, b"") for key in keys])
        one, other = await bucket.list_keys(None), await bucket.list_keys(None)
        found_one, found_other = set(one.keys), set(other.keys)
        while one.cursor is not None or other.cursor is not None:
            if one.cursor is not None:
                one = await bucket.list_keys(one.cursor)
                found_one |= set(one.keys)
            if other.cursor is not None:
                other = await bucket.list_keys(other.cursor)
                found_other |= set(other.keys)
        assert found_one == found_other == keys
