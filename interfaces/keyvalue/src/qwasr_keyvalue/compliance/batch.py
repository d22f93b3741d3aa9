"""Rules for many keys in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwasr_keyvalue.compliance._buckets import all_keys, fresh_bucket

if TYPE_CHECKING:
    from qwasr_keyvalue.protocol import KeyValue

__all__ = ["BatchRules"]


class BatchRules:
    """What holds for `get_many`, `set_many` and `delete_many`."""

    async def test_get_many_answers_in_the_order_asked_for(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set_many([("a", b"1"), ("b", b"2"), ("c", b"3")])
        assert await bucket.get_many(["c", "a", "b"]) == [b"3", b"1", b"2"]

    async def test_get_many_answers_none_for_a_missing_key(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set_many([("a", b"1"), ("empty", b"")])
        assert await bucket.get_many(["missing", "a", "gone", "empty"]) == [None, b"1", None, b""]

    async def test_get_many_answers_a_key_as_often_as_it_is_asked_for(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set("a", b"1")
        assert await bucket.get_many(["a", "b", "a", "b"]) == [b"1", None, b"1", None]

    async def test_batches_may_be_empty(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set_many([])
        await bucket.delete_many([])
        assert await bucket.get_many([]) == []

    async def test_set_many_sets_new_and_existing_keys(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set("a", b"old")
        await bucket.set_many([("a", b"1"), ("b", b"2")])
        assert await bucket.get("a") == b"1"
        assert await bucket.get("b") == b"2"

    async def test_set_many_leaves_other_keys_alone(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set("other", b"0")
        await bucket.set_many([("a", b"1"), ("b", b"2")])
        assert await bucket.get("other") == b"0"

    async def test_delete_many_deletes_what_exists(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set_many([("a", b"1"), ("b", b"2"), ("c", b"3")])
        await bucket.delete_many(["a", "missing", "c", "a"])
        assert await all_keys(bucket) == ["b"]

    async def test_batches_carry_a_thousand_keys(self, backend: KeyValue) -> None:
        bucket = await fresh_bucket(backend)
        items = [(f"key-{number}", b"%d" % number) for number in range(1000)]
        await bucket.set_many(items)
        keys = [key for key, _ in reversed(items)]
        assert await bucket.get_many(keys) == [value for _, value in reversed(items)]
        await bucket.delete_many(keys)
        assert await all_keys(bucket) == []
