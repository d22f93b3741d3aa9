"""A guest that calls its key-value store in a loop, as component text."""

from __future__ import annotations

from typing import Final

__all__ = ["OPERATIONS", "text"]

OPERATIONS: Final = ("get", "set", "increment")

# Each export opens the bucket `bench` and calls so many times; it returns how many calls failed. Nothing that a call
# returns is looked at, so all of it may come to the same place.
_GUEST: Final = """
(component
  (import "wasi:keyvalue/store@0.2.0-draft2" (instance $store
    (export "bucket" (type $bucket (sub resource)))
    (type $e (variant (case "no-such-store") (case "access-denied") (case "other" string)))
    (export "error" (type $error (eq $e)))
    (export "open" (func (param "identifier" string) (result (result (own $bucket) (error $error)))))
    (export "[method]bucket.get" (func (param "self" (borrow $bucket)) (param "key" string)
      (result (result (option (list u8)) (error $error)))))
    (export "[method]bucket.set" (func (param "self" (borrow $bucket)) (param "key" string) (param "value" (list u8))
      (result (result (error $error)))))))
  (alias export $store "bucket" (type $bucket))
  (alias export $store "error" (type $error))
  (import "wasi:keyvalue/atomics@0.2.0-draft2" (instance $atomics
    (alias outer 1 $bucket (type $ob)) (export "bucket" (type $bucket (eq $ob)))
    (alias outer 1 $error (type $oe)) (export "error" (type $error (eq $oe)))
    (export "increment" (func (param "bucket" (borrow $bucket)) (param "key" string) (param "delta" s64)
      (result (result s64 (error $error)))))))
  (core module $memory
    (memory (export "memory") 2)
    (data (i32.const 100) "bench")
    (data (i32.const 110) "key")
    (data (i32.const 120) "counter")
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096)))
  (core instance $mem (instantiate $memory))
  (alias core export $mem "memory" (core memory $m))
  (alias core export $mem "realloc" (core func $realloc))
  (core func $open (canon lower (func $store "open") (memory $m) (realloc $realloc)))
  (core func $get (canon lower (func $store "[method]bucket.get") (memory $m) (realloc $realloc)))
  (core func $set (canon lower (func $store "[method]bucket.set") (memory $m) (realloc $realloc)))
  (core func $increment (canon lower (func $atomics "increment") (memory $m) (realloc $realloc)))
  (core module $main
    (import "k" "memory" (memory 2))
    (import "k" "open" (func $open (param i32 i32 i32)))
    (import "k" "get" (func $get (param i32 i32 i32 i32)))
    (import "k" "set" (func $set (param i32 i32 i32 i32 i32 i32)))
    (import "k" "increment" (func $increment (param i32 i32 i32 i64 i32)))
    (func $bucket (result i32)
      (call $open (i32.const 100) (i32.const 5) (i32.const 0))
      (if (i32.load8_u (i32.const 0)) (then unreachable))
      (i32.load (i32.const 4)))
    {functions})
  (core instance $i (instantiate $main (with "k" (instance
    (export "memory" (memory $m)) (export "open" (func $open)) (export "get" (func $get)) (export "set" (func $set))
    (export "increment" (func $increment))))))
  {exports})
"""
_FUNCTION: Final = """
    (func (export "{name}") (param $times i32) (result i32) (local $bucket i32) (local $failed i32)
      (local.set $bucket (call $bucket))
      (block $end (loop $again
        (br_if $end (i32.eqz (local.get $times)))
        {call}
        (local.set $failed (i32.add (local.get $failed) (i32.load8_u (i32.const 0))))
        (local.set $times (i32.sub (local.get $times) (i32.const 1)))
        (br $again)))
      (local.get $failed))"""
_EXPORT: Final = """
  (func (export "{name}") (param "times" u32) (result u32) (canon lift (core func $i "{name}")))"""
_CALLS: Final = {
    "get": "(call $get (local.get $bucket) (i32.const 110) (i32.const 3) (i32.const 0))",
    "set": "(call $set (local.get $bucket) (i32.const 110) (i32.const 3) (i32.const 200) (i32.const 100)"
    " (i32.const 0))",
    "increment": "(call $increment (local.get $bucket) (i32.const 120) (i32.const 7) (i64.const 1) (i32.const 0))",
}


def text() -> bytes:
    """Return the component."""
    functions = "".join(_FUNCTION.replace("{name}", name).replace("{call}", _CALLS[name]) for name in OPERATIONS)
    exports = "".join(_EXPORT.replace("{name}", name) for name in OPERATIONS)
    return _GUEST.replace("{functions}", functions).replace("{exports}", exports).encode()
