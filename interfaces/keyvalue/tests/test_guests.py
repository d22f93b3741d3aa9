"""Guests in component text use keyvalue through the real engine and runtime, in both drafts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from qwasr.runtime import Runtime
from qwasr.values import Variant, WitError
from qwasr_keyvalue import Memory, plugin
from qwasr_keyvalue.limits import MAX_CALL_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# A guest that hands each call on to its imports. The canonical ABI lays out the import's result as the export's, so the
# result area is passed on as it is.
GUEST = """
(component
  (import "wasi:keyvalue/store@{version}" (instance $store
    (export "bucket" (type $bucket (sub resource)))
    (type $e (variant (case "no-such-store") (case "access-denied") (case "other" string)))
    (export "error" (type $error (eq $e)))
    (type $k (record (field "keys" (list string)) (field "cursor" (option {cursor}))))
    (export "key-response" (type $page (eq $k)))
    (export "open" (func (param "identifier" string) (result (result (own $bucket) (error $error)))))
    (export "[method]bucket.get" (func (param "self" (borrow $bucket)) (param "key" string)
      (result (result (option (list u8)) (error $error)))))
    (export "[method]bucket.set" (func (param "self" (borrow $bucket)) (param "key" string) (param "value" (list u8))
      (result (result (error $error)))))
    (export "[method]bucket.delete" (func (param "self" (borrow $bucket)) (param "key" string)
      (result (result (error $error)))))
    (export "[method]bucket.exists" (func (param "self" (borrow $bucket)) (param "key" string)
      (result (result bool (error $error)))))
    (export "[method]bucket.list-keys" (func (param "self" (borrow $bucket)) (param "cursor" (option {cursor}))
      (result (result $page (error $error)))))))
  (alias export $store "bucket" (type $bucket))
  (alias export $store "error" (type $error))
  (alias export $store "key-response" (type $page))
  (import "wasi:keyvalue/atomics@{version}" (instance $atomics
    (alias outer 1 $bucket (type $ob)) (export "bucket" (type $bucket (eq $ob)))
    (alias outer 1 $error (type $oe)) (export "error" (type $error (eq $oe)))
    {cas_import}
    (export "increment" (func (param "bucket" (borrow $bucket)) (param "key" string) (param "delta" {integer})
      (result (result {integer} (error $error)))))))
  (import "wasi:keyvalue/batch@{version}" (instance $batch
    (alias outer 1 $bucket (type $ob)) (export "bucket" (type $bucket (eq $ob)))
    (alias outer 1 $error (type $oe)) (export "error" (type $error (eq $oe)))
    (export "get-many" (func (param "bucket" (borrow $bucket)) (param "keys" (list string))
      (result (result (list {entry}) (error $error)))))
    (export "set-many" (func (param "bucket" (borrow $bucket)) (param "key-values" (list (tuple string (list u8))))
      (result (result (error $error)))))
    (export "delete-many" (func (param "bucket" (borrow $bucket)) (param "keys" (list string))
      (result (result (error $error)))))))

  (core module $memory
    (memory (export "memory") 128)
    (global $next (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $mem (instantiate $memory))
  (alias core export $mem "memory" (core memory $m))
  (alias core export $mem "realloc" (core func $realloc))

  (core func $open (canon lower (func $store "open") (memory $m) (realloc $realloc)))
  (core func $get (canon lower (func $store "[method]bucket.get") (memory $m) (realloc $realloc)))
  (core func $set (canon lower (func $store "[method]bucket.set") (memory $m) (realloc $realloc)))
  (core func $delete (canon lower (func $store "[method]bucket.delete") (memory $m) (realloc $realloc)))
  (core func $exists (canon lower (func $store "[method]bucket.exists") (memory $m) (realloc $realloc)))
  (core func $list (canon lower (func $store "[method]bucket.list-keys") (memory $m) (realloc $realloc)))
  (core func $increment (canon lower (func $atomics "increment") (memory $m) (realloc $realloc)))
  (core func $get-many (canon lower (func $batch "get-many") (memory $m) (realloc $realloc)))
  (core func $set-many (canon lower (func $batch "set-many") (memory $m) (realloc $realloc)))
  (core func $delete-many (canon lower (func $batch "delete-many") (memory $m) (realloc $realloc)))
  {cas_lower}

  (core module $main
    (import "k" "memory" (memory 128))
    (import "k" "open" (func $open (param i32 i32 i32)))
    (import "k" "get" (func $get (param i32 i32 i32 i32)))
    (import "k" "set" (func $set (param i32 i32 i32 i32 i32 i32)))
    (import "k" "delete" (func $delete (param i32 i32 i32 i32)))
    (import "k" "exists" (func $exists (param i32 i32 i32 i32)))
    (import "k" "list" (func $list (param i32 {cursor_core} i32)))
    (import "k" "increment" (func $increment (param i32 i32 i32 i64 i32)))
    (import "k" "get-many" (func $get-many (param i32 i32 i32 i32)))
    (import "k" "set-many" (func $set-many (param i32 i32 i32 i32)))
    (import "k" "delete-many" (func $delete-many (param i32 i32 i32 i32)))
    {cas_core_import}
    (func $bucket (param i32 i32) (result i32)
      (call $open (local.get 0) (local.get 1) (i32.const 0))
      (if (i32.load8_u (i32.const 0)) (then unreachable))
      (i32.load (i32.const 4)))
    (func (export "open") (param i32 i32) (result i32)
      (call $open (local.get 0) (local.get 1) (i32.const 0))
      (i32.const 0))
    (func (export "get") (param i32 i32 i32 i32) (result i32)
      (call $get (call $bucket (local.get 0) (local.get 1)) (local.get 2) (local.get 3) (i32.const 0))
      (i32.const 0))
    (func (export "set") (param i32 i32 i32 i32 i32 i32) (result i32)
      (call $set (call $bucket (local.get 0) (local.get 1))
        (local.get 2) (local.get 3) (local.get 4) (local.get 5) (i32.const 0))
      (i32.const 0))
    (func (export "delete") (param i32 i32 i32 i32) (result i32)
      (call $delete (call $bucket (local.get 0) (local.get 1)) (local.get 2) (local.get 3) (i32.const 0))
      (i32.const 0))
    (func (export "exists") (param i32 i32 i32 i32) (result i32)
      (call $exists (call $bucket (local.get 0) (local.get 1)) (local.get 2) (local.get 3) (i32.const 0))
      (i32.const 0))
    (func (export "list-keys") (param i32 i32 {cursor_core}) (result i32)
      (call $list (call $bucket (local.get 0) (local.get 1)) {cursor_pass} (i32.const 0))
      (i32.const 0))
    (func (export "increment") (param i32 i32 i32 i32 i64) (result i32)
      (call $increment (call $bucket (local.get 0) (local.get 1))
        (local.get 2) (local.get 3) (local.get 4) (i32.const 0))
      (i32.const 0))
    (func (export "get-many") (param i32 i32 i32 i32) (result i32)
      (call $get-many (call $bucket (local.get 0) (local.get 1)) (local.get 2) (local.get 3) (i32.const 0))
      (i32.const 0))
    (func (export "set-many") (param i32 i32 i32 i32) (result i32)
      (call $set-many (call $bucket (local.get 0) (local.get 1)) (local.get 2) (local.get 3) (i32.const 0))
      (i32.const 0))
    (func (export "delete-many") (param i32 i32 i32 i32) (result i32)
      (call $delete-many (call $bucket (local.get 0) (local.get 1)) (local.get 2) (local.get 3) (i32.const 0))
      (i32.const 0))
    {cas_core})
  (core instance $i (instantiate $main (with "k" (instance
    (export "memory" (memory $m))
    (export "open" (func $open)) (export "get" (func $get)) (export "set" (func $set))
    (export "delete" (func $delete)) (export "exists" (func $exists)) (export "list" (func $list))
    (export "increment" (func $increment)) (export "get-many" (func $get-many))
    (export "set-many" (func $set-many)) (export "delete-many" (func $delete-many)) {cas_instance}))))
  (func (export "open") (param "store" string) (result (result (error $error)))
    (canon lift (core func $i "open") (memory $m) (realloc $realloc)))
  (func (export "get") (param "store" string) (param "key" string) (result (result (option (list u8)) (error $error)))
    (canon lift (core func $i "get") (memory $m) (realloc $realloc)))
  (func (export "set") (param "store" string) (param "key" string) (param "value" (list u8))
    (result (result (error $error))) (canon lift (core func $i "set") (memory $m) (realloc $realloc)))
  (func (export "delete") (param "store" string) (param "key" string) (result (result (error $error)))
    (canon lift (core func $i "delete") (memory $m) (realloc $realloc)))
  (func (export "exists") (param "store" string) (param "key" string) (result (result bool (error $error)))
    (canon lift (core func $i "exists") (memory $m) (realloc $realloc)))
  (func (export "list-keys") (param "store" string) (param "cursor" (option {cursor}))
    (result (result $page (error $error))) (canon lift (core func $i "list-keys") (memory $m) (realloc $realloc)))
  (func (export "increment") (param "store" string) (param "key" string) (param "delta" {integer})
    (result (result {integer} (error $error)))
    (canon lift (core func $i "increment") (memory $m) (realloc $realloc)))
  (func (export "get-many") (param "store" string) (param "keys" (list string))
    (result (result (list {entry}) (error $error)))
    (canon lift (core func $i "get-many") (memory $m) (realloc $realloc)))
  (func (export "set-many") (param "store" string) (param "key-values" (list (tuple string (list u8))))
    (result (result (error $error))) (canon lift (core func $i "set-many") (memory $m) (realloc $realloc)))
  (func (export "delete-many") (param "store" string) (param "keys" (list string)) (result (result (error $error)))
    (canon lift (core func $i "delete-many") (memory $m) (realloc $realloc)))
  {cas_lift}
)
"""

# `swap` of a key that is set `meanwhile` unless that is empty. It returns what happened: 0 swapped, 1 a store error; a
# lost swap is tried again with the fresh handle: 12 swapped then, 2 lost again.
CAS = {
    "cas_import": """
    (export "cas" (type $cas (sub resource)))
    (type $c (variant (case "store-error" $error) (case "cas-failed" (own $cas))))
    (export "cas-error" (type $cas-error (eq $c)))
    (export "[static]cas.new" (func (param "bucket" (borrow $bucket)) (param "key" string)
      (result (result (own $cas) (error $error)))))
    (export "[method]cas.current" (func (param "self" (borrow $cas))
      (result (result (option (list u8)) (error $error)))))
    (export "swap" (func (param "cas" (own $cas)) (param "value" (list u8)) (result (result (error $cas-error)))))
""",
    "cas_lower": """
  (core func $cas-new (canon lower (func $atomics "[static]cas.new") (memory $m) (realloc $realloc)))
  (core func $cas-current (canon lower (func $atomics "[method]cas.current") (memory $m) (realloc $realloc)))
  (core func $swap (canon lower (func $atomics "swap") (memory $m) (realloc $realloc)))
""",
    "cas_core_import": """
    (import "k" "cas-new" (func $cas-new (param i32 i32 i32 i32)))
    (import "k" "cas-current" (func $cas-current (param i32 i32)))
    (import "k" "swap" (func $swap (param i32 i32 i32 i32)))
""",
    "cas_core": """
    (func (export "swap") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32) (local $bucket i32) (local $cas i32)
      (local.set $bucket (call $bucket (local.get 0) (local.get 1)))
      (call $cas-new (local.get $bucket) (local.get 2) (local.get 3) (i32.const 0))
      (if (i32.load8_u (i32.const 0)) (then unreachable))
      (local.set $cas (i32.load (i32.const 4)))
      (call $cas-current (local.get $cas) (i32.const 0))
      (if (i32.load8_u (i32.const 0)) (then unreachable))
      (if (local.get 7) (then
        (call $set (local.get $bucket) (local.get 2) (local.get 3) (local.get 6) (local.get 7) (i32.const 0))))
      (call $swap (local.get $cas) (local.get 4) (local.get 5) (i32.const 0))
      (if (i32.eqz (i32.load8_u (i32.const 0))) (then (return (i32.const 0))))
      (if (i32.eqz (i32.load8_u (i32.const 4))) (then (return (i32.const 1))))
      (call $swap (i32.load (i32.const 8)) (local.get 4) (local.get 5) (i32.const 0))
      (if (i32.load8_u (i32.const 0)) (then (return (i32.const 2))))
      (i32.const 12))
""",
    "cas_instance": """
    (export "cas-new" (func $cas-new)) (export "cas-current" (func $cas-current)) (export "swap" (func $swap))
""",
    "cas_lift": """
  (func (export "swap") (param "store" string) (param "key" string) (param "value" (list u8))
    (param "meanwhile" (list u8)) (result u32) (canon lift (core func $i "swap") (memory $m) (realloc $realloc)))
""",
}

DRAFT2 = {
    "version": "0.2.0-draft2",
    "cursor": "string",
    "cursor_core": "i32 i32 i32",
    "cursor_pass": "(local.get 2) (local.get 3) (local.get 4)",
    "integer": "s64",
    "entry": "(option (tuple string (list u8)))",
    **CAS,
}
DRAFT = {
    "version": "0.2.0-draft",
    "cursor": "u64",
    "cursor_core": "i32 i64",
    "cursor_pass": "(local.get 2) (local.get 3)",
    "integer": "u64",
    "entry": "(option (tuple string (list u8)))",
    **dict.fromkeys(CAS, ""),
}


def text(draft: dict[str, str]) -> bytes:
    guest = GUEST
    for name, part in draft.items():
        guest = guest.replace("{" + name + "}", part)
    return guest.encode()


async def runtime_of(draft: dict[str, str], **environ: str) -> Runtime:
    return Runtime(text(draft), backends={"keyvalue": Memory()}, environ=environ, plugins=[plugin])


@pytest.fixture(params=[DRAFT2, DRAFT], ids=["draft2", "draft"])
async def runtime(request: pytest.FixtureRequest) -> AsyncIterator[Runtime]:
    async with await runtime_of(request.param) as runtime:
        yield runtime


async def test_a_guest_sets_reads_and_deletes(runtime: Runtime) -> None:
    assert await runtime.call(None, "get", "b", "ключ") is None
    await runtime.call(None, "set", "b", "ключ", b"\x00value")
    assert await runtime.call(None, "get", "b", "ключ") == b"\x00value"
    assert await runtime.call(None, "exists", "b", "ключ") is True
    await runtime.call(None, "delete", "b", "ключ")
    assert await runtime.call(None, "exists", "b", "ключ") is False


async def test_a_guest_counts(runtime: Runtime) -> None:
    assert await runtime.call(None, "increment", "b", "counter", 40) == 40
    assert await runtime.call(None, "increment", "b", "counter", 2) == 42
    assert await runtime.call(None, "get", "b", "counter") == b"42"


async def test_100_guests_at_once_count_to_100(runtime: Runtime) -> None:
    await asyncio.gather(*(runtime.call(None, "increment", "b", "counter", 1) for _ in range(100)))
    assert await runtime.call(None, "get", "b", "counter") == b"100"


async def test_a_guest_gets_an_error_for_a_value_that_is_no_number(runtime: Runtime) -> None:
    await runtime.call(None, "set", "b", "key", b"text")
    with pytest.raises(WitError) as caught:
        await runtime.call(None, "increment", "b", "key", 1)
    assert caught.value.value.case == "other"
    assert "not a number" in caught.value.value.value


async def test_a_guest_gets_an_error_for_an_overflow(runtime: Runtime) -> None:
    await runtime.call(None, "increment", "b", "counter", 2**63 - 1)
    with pytest.raises(WitError) as caught:
        await runtime.call(None, "increment", "b", "counter", 1)
    assert "overflow" in caught.value.value.value


async def test_a_guest_pages_through_keys(runtime: Runtime) -> None:
    keys = [f"key-{number}" for number in range(2500)]
    await runtime.call(None, "set-many", "b", [(key, b"") for key in keys])
    listed, cursor, pages = [], None, 0
    while pages == 0 or cursor is not None:
        page = await runtime.call(None, "list-keys", "b", cursor)
        listed += page.keys
        cursor = page.cursor
        pages += 1
    assert listed == keys
    assert pages == 3


async def test_a_guest_uses_batches(runtime: Runtime) -> None:
    await runtime.call(None, "set-many", "b", [("a", b"1"), ("b", b"2")])
    assert await runtime.call(None, "get-many", "b", ["b", "missing", "a"]) == [("b", b"2"), None, ("a", b"1")]
    await runtime.call(None, "delete-many", "b", ["a", "missing"])
    assert await runtime.call(None, "exists", "b", "a") is False


async def test_a_guest_stores_2_mib(runtime: Runtime) -> None:
    value = bytes(range(256)) * (MAX_CALL_BYTES // 256)
    await runtime.call(None, "set", "b", "key", value)
    assert await runtime.call(None, "get", "b", "key") == value


@pytest.mark.parametrize("draft", [DRAFT2, DRAFT], ids=["draft2", "draft"])
async def test_a_store_that_is_not_listed_is_no_such_store(draft: dict[str, str]) -> None:
    async with await runtime_of(draft, QWASR_KEYVALUE_STORES="listed") as runtime:
        await runtime.call(None, "open", "listed")
        with pytest.raises(WitError) as caught:
            await runtime.call(None, "open", "other")
        assert caught.value.value == Variant("no-such-store")


async def test_a_store_that_nobody_configured_is_on_the_default_backend(runtime: Runtime) -> None:
    await runtime.call(None, "set", "anything", "key", b"value")
    assert await runtime.call(None, "get", "anything", "key") == b"value"


async def test_a_guest_swaps() -> None:
    async with await runtime_of(DRAFT2) as runtime:
        assert await runtime.call(None, "swap", "b", "key", b"new", b"") == 0
        assert await runtime.call(None, "get", "b", "key") == b"new"


async def test_a_guest_that_loses_a_swap_wins_with_the_fresh_handle() -> None:
    async with await runtime_of(DRAFT2) as runtime:
        assert await runtime.call(None, "swap", "b", "key", b"new", b"other") == 12
        assert await runtime.call(None, "get", "b", "key") == b"new"


async def test_a_backend_that_waits_suspends_its_guest_only() -> None:
    class Slow(Memory):
        async def open_bucket(self, identifier: str) -> Any:
            if identifier == "slow":
                await asyncio.sleep(0.2)
            return await super().open_bucket(identifier)

    async with Runtime(text(DRAFT2), backends={"keyvalue": Slow()}, environ={}, plugins=[plugin]) as runtime:
        slow = asyncio.create_task(runtime.call(None, "increment", "slow", "counter", 1))
        await asyncio.sleep(0.05)
        assert await runtime.call(None, "increment", "quick", "counter", 1) == 1
        assert not slow.done()
        assert await slow == 1


async def test_an_unexpected_exception_is_an_internal_error_and_the_process_lives() -> None:
    class Broken(Memory):
        async def open_bucket(self, identifier: str) -> Any:
            if identifier == "later":
                await asyncio.sleep(0.001)
            msg = "secret detail"
            raise RuntimeError(msg)

    async with Runtime(text(DRAFT2), backends={"keyvalue": Broken()}, environ={}, plugins=[plugin]) as runtime:
        for identifier in ("now", "later"):
            with pytest.raises(WitError) as caught:
                await runtime.call(None, "open", identifier)
            assert caught.value.value.value.startswith("internal error ")
            assert "secret" not in caught.value.value.value
