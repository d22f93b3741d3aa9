"""wasi:keyvalue@0.2.0-draft, called as the engine calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from qwasr.values import Variant, WitError
from qwasr_keyvalue import KeyPage, host
from qwasr_keyvalue.draft import Atomics, Bucket, Cursors, Store

if TYPE_CHECKING:
    from collections.abc import Callable

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


def test_both_drafts_share_their_entries(backends: Backends[KeyValue], bucket: Any) -> None:
    newer: Any = host.Store(backends).open("b")
    newer.set("key", b"value")
    assert bucket.get("key") == b"value"


def test_a_store_outside_of_the_allowed_list_is_no_such_store(backends: Backends[KeyValue]) -> None:
    assert error_of(Store(backends).open, "forbidden") == Variant("no-such-store")


def test_a_listing_goes_on_with_a_number(backends: Backends[KeyValue], bucket: Any) -> None:
    keys = [f"key-{number}" for number in range(2500)]
    host.Batch(backends).set_many(bucket, [(key, b"") for key in keys])
    page = bucket.list_keys(None)
    listed = list(page.keys)
    while page.cursor is not None:
        assert isinstance(page.cursor, int)
        page = bucket.list_keys(page.cursor)
        listed += page.keys
    assert listed == keys


def test_a_listing_goes_on_in_another_process(backends: Backends[KeyValue], bucket: Any) -> None:
    host.Batch(backends).set_many(bucket, [(f"key-{number}", b"") for number in range(2500)])
    cursor = bucket.list_keys(None).cursor
    another: Any = Store(backends).open("b")  # it remembers nothing of what the first one gave out
    assert len(another.list_keys(cursor).keys) == 1000


async def test_cursors_that_are_text_are_remembered() -> None:
    class Lettered:
        async def list_keys(self, cursor: str | None = None) -> KeyPage:
            return KeyPage([f"after {cursor}"], {None: "a", "a": "b"}.get(cursor))

    bucket: Any = Bucket(Lettered(), Cursors())  # type: ignore[arg-type]  # `list_keys` is all that is called
    first = bucket.list_keys(None)
    second = bucket.list_keys(first.cursor)
    third = bucket.list_keys(second.cursor)
    assert [first.keys, second.keys, third.keys] == [["after None"], ["after a"], ["after b"]]
    assert third.cursor is None


@pytest.mark.parametrize("text", ["", "0", "00", "7", "-7", "٣", str(2**63 - 1), str(2**63), "9" * 5000, "key"])
def test_every_cursor_comes_back_as_it_was(text: str) -> None:
    cursors = Cursors()
    number = cursors.number(text)
    assert number is not None
    assert 0 <= number < 2**64
    assert cursors.text(number) == text


def test_no_more_than_4096_cursors_are_remembered() -> None:
    cursors = Cursors()
    numbers = [cursors.number(f"key-{number}") for number in range(5000)]
    assert len(cursors._remembered) == 4096
    assert cursors.text(numbers[-1]) == "key-4999"


def test_a_cursor_that_was_never_given_out_is_an_error(bucket: Any) -> None:
    error = error_of(bucket.list_keys, 2**64 - 1)
    assert error.case == "other"
    assert "cursor" in error.value


def test_increment_counts(backends: Backends[KeyValue], bucket: Any) -> None:
    atomics = Atomics(backends)
    assert atomics.increment(bucket, "counter", 40) == 40
    assert atomics.increment(bucket, "counter", 2) == 42


@pytest.mark.parametrize("delta", [2**63, 2**64 - 1])
def test_an_increment_above_the_range_of_a_counter_is_an_error(
    backends: Backends[KeyValue], bucket: Any, delta: int
) -> None:
    error = error_of(Atomics(backends).increment, bucket, "counter", delta)
    assert "overflow" in error.value
    assert bucket.exists("counter") is False


def test_a_counter_that_stays_negative_is_an_error_and_stays(backends: Backends[KeyValue], bucket: Any) -> None:
    bucket.set("counter", b"-5")
    error = error_of(Atomics(backends).increment, bucket, "counter", 2)
    assert "negative" in error.value
    assert bucket.get("counter") == b"-5"
