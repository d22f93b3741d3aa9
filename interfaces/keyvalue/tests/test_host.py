"""wasi:keyvalue@0.2.0-draft2, called as the engine calls it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from qwasr.values import Variant, WitError
from qwasr_keyvalue import KeyPage, Memory
from qwasr_keyvalue.host import Atomics, Batch, Bucket, BucketResource, Cas, Store
from qwasr_keyvalue.limits import MAX_CALL_BYTES, MAX_KEY_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qwasr.protocols import Backends
    from qwasr_keyvalue import KeyValue


@pytest.fixture
def bucket(backends: Backends[KeyValue]) -> Any:
    return Store(backends).open("b")


def error_of(function: Callable[..., Any], *arguments: Any) -> Variant:
    with pytest.raises(WitError) as caught:
        function(*arguments)
    value: Variant = caught.value.value
    return value


def test_the_embedded_backend_answers_without_waiting(backends: Backends[KeyValue]) -> None:
    bucket = Store(backends).open("b")
    assert isinstance(bucket, Bucket)
    assert bucket.set("key", b"value") is None
    assert bucket.get("key") == b"value"
    assert bucket.exists("key") is True
    assert bucket.list_keys(None) == KeyPage(["key"])
    assert bucket.delete("key") is None
    assert bucket.get("key") is None


def test_a_store_outside_of_the_allowed_list_is_no_such_store(backends: Backends[KeyValue]) -> None:
    assert error_of(Store(backends).open, "forbidden") == Variant("no-such-store")


def test_a_value_up_to_2_mib_is_stored(bucket: Any) -> None:
    bucket.set("key", bytes(MAX_CALL_BYTES))
    assert bucket.get("key") == bytes(MAX_CALL_BYTES)


def test_a_value_above_2_mib_is_an_error_and_nothing_is_written(bucket: Any) -> None:
    error = error_of(bucket.set, "key", bytes(MAX_CALL_BYTES + 1))
    assert error.case == "other"
    assert "2097153 bytes" in error.value
    assert bucket.exists("key") is False


def test_a_value_above_2_mib_that_someone_else_wrote_is_an_error() -> None:
    class Large:
        async def get(self, key: str) -> bytes:
            return bytes(MAX_CALL_BYTES + 1)

    assert error_of(Bucket(Large()).get, "key").case == "other"  # type: ignore[arg-type]  # `get` is all that is called


def test_the_values_of_one_batch_are_2_mib_together(backends: Backends[KeyValue], bucket: Any) -> None:
    batch = Batch(backends)
    half = bytes(MAX_CALL_BYTES // 2)
    batch.set_many(bucket, [("a", half), ("b", half)])
    bucket.set("c", b"1")
    assert batch.get_many(bucket, ["a", "b"]) == [("a", half), ("b", half)]
    assert error_of(batch.set_many, bucket, [("a", half), ("b", half), ("c", b"1")]).case == "other"
    assert error_of(batch.get_many, bucket, ["a", "b", "c"]).case == "other"


async def test_a_batch_that_is_too_large_is_given_up_before_the_host_holds_much_of_it(
    backends: Backends[KeyValue],
) -> None:
    """Each value is made when it is asked for, as those of a file and of a service are."""
    held = 0

    class Large(Memory):
        identifier = "b"

        async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
            nonlocal held
            held += len(keys) * MAX_CALL_BYTES
            await asyncio.sleep(0)
            return [bytes(MAX_CALL_BYTES) for _ in keys]

    bucket: Any = BucketResource(Large())  # type: ignore[arg-type]  # what is called of a bucket
    for keys in (["key"] * 1000, [f"key-{number}" for number in range(1000)]):
        held = 0
        answer: Any = Batch(backends).get_many(bucket, keys)
        with pytest.raises(WitError, match="bytes of values"):
            await answer
        assert held <= 16 * MAX_CALL_BYTES


def test_a_key_that_is_asked_for_twice_is_answered_twice_and_counted_twice(
    backends: Backends[KeyValue], bucket: Any
) -> None:
    batch = Batch(backends)
    keys = [f"key-{number}" for number in range(100)] * 2
    batch.set_many(bucket, [(key, key.encode()) for key in keys])
    assert batch.get_many(bucket, keys) == [(key, key.encode()) for key in keys]
    bucket.set("large", bytes(MAX_CALL_BYTES // 2 + 1))
    assert error_of(batch.get_many, bucket, ["large", "large"]).case == "other"


@pytest.mark.parametrize("key", ["k" * (MAX_KEY_BYTES + 1), "🗝" * (MAX_KEY_BYTES // 4) + "k"], ids=["ascii", "wide"])
def test_a_key_above_1024_bytes_is_an_error_everywhere(backends: Backends[KeyValue], bucket: Any, key: str) -> None:
    atomics, batch = Atomics(backends), Batch(backends)
    for error in (
        error_of(Store(backends).open, key),
        error_of(bucket.get, key),
        error_of(bucket.set, key, b""),
        error_of(bucket.delete, key),
        error_of(bucket.exists, key),
        error_of(atomics.increment, bucket, key, 1),
        error_of(Cas.new, bucket, key),
        error_of(batch.get_many, bucket, [key]),
        error_of(batch.set_many, bucket, [(key, b"")]),
        error_of(batch.delete_many, bucket, [key]),
    ):
        assert error.case == "other"
        assert "1024" in error.value


def test_increment_counts(backends: Backends[KeyValue], bucket: Any) -> None:
    atomics = Atomics(backends)
    assert atomics.increment(bucket, "counter", 40) == 40
    assert atomics.increment(bucket, "counter", 2) == 42
    assert bucket.get("counter") == b"42"


def test_an_increment_of_text_is_an_error_that_says_so(backends: Backends[KeyValue], bucket: Any) -> None:
    bucket.set("key", b"text")
    error = error_of(Atomics(backends).increment, bucket, "key", 1)
    assert error.case == "other"
    assert "not a number" in error.value
    assert bucket.get("key") == b"text"


def test_a_swap_of_an_unchanged_key_sets_it(backends: Backends[KeyValue], bucket: Any) -> None:
    bucket.set("key", b"old")
    cas: Any = Cas.new(bucket, "key")
    assert cas.current() == b"old"
    assert Atomics(backends).swap(cas, b"new") is None
    assert bucket.get("key") == b"new"


def test_a_lost_swap_is_cas_failed_with_a_handle_that_can_win(backends: Backends[KeyValue], bucket: Any) -> None:
    atomics = Atomics(backends)
    cas: Any = Cas.new(bucket, "key")
    assert cas.current() is None
    bucket.set("key", b"other")
    error = error_of(atomics.swap, cas, b"new")
    assert error.case == "cas-failed"
    assert error.value.current() == b"other"
    assert atomics.swap(error.value, b"new") is None
    assert bucket.get("key") == b"new"


def test_the_current_value_of_a_handle_is_the_one_that_a_swap_compares_with(bucket: Any) -> None:
    bucket.set("key", b"old")
    cas: Any = Cas.new(bucket, "key")
    bucket.set("key", b"other")
    assert cas.current() == b"old"


def test_a_store_error_in_a_swap_is_wrapped(backends: Backends[KeyValue], bucket: Any) -> None:
    cas: Any = Cas.new(bucket, "key")
    error = error_of(Atomics(backends).swap, cas, bytes(MAX_CALL_BYTES + 1))
    assert error.case == "store-error"
    assert isinstance(error.value, Variant)
    assert error.value.case == "other"


def test_get_many_answers_in_order_and_none_for_a_missing_key(backends: Backends[KeyValue], bucket: Any) -> None:
    batch = Batch(backends)
    batch.set_many(bucket, [("a", b"1"), ("b", b"2")])
    assert batch.get_many(bucket, ["b", "missing", "a"]) == [("b", b"2"), None, ("a", b"1")]
    batch.delete_many(bucket, ["a", "missing"])
    assert bucket.list_keys(None).keys == ["b"]


async def test_a_backend_that_waits_is_awaited() -> None:
    class Slow(Memory):
        async def open_bucket(self, identifier: str) -> Any:
            await asyncio.sleep(0.001)
            return await super().open_bucket(identifier)

    slow = Slow()

    class Backends:
        default = slow

        def named(self, identifier: str, *, claim: bool = True) -> Slow:
            return slow

        def each(self) -> list[Slow]:
            return [slow]

    answer = Store(Backends()).open("b")
    assert not isinstance(answer, Bucket)
    assert isinstance(await answer, Bucket)
