"""A guest in component text for each draft of wasi:keyvalue."""

from __future__ import annotations

# A guest that hands each call on to its imports. The canonical ABI lays out the import's result as the export's, so the
# result area is passed on as it is. `fill` sets a value of that many bytes out of its memory.
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
    (func (export "fill") (param i32 i32 i32 i32 i32) (result i32)
      (call $set (call $bucket (local.get 0) (local.get 1))
        (local.get 2) (local.get 3) (i32.const 0) (local.get 4) (i32.const 0))
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
  (func (export "fill") (param "store" string) (param "key" string) (param "size" u32) (result (result (error $error)))
    (canon lift (core func $i "fill") (memory $m) (realloc $realloc)))
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


# A guest that also watches: what was set it sets in the store `seen` too, and as `echo` where it was set; of a deleted
# key it sets `gone`. It traps for a key that begins with an exclamation mark.
WATCH_CORE = """
    (data (i32.const 512) "seengoneecho")
    (func $seen (result i32) (call $bucket (i32.const 512) (i32.const 4)))
    (func (export "on-set") (param i32 i32 i32 i32 i32)
      (if (i32.eq (i32.load8_u (local.get 1)) (i32.const 33)) (then unreachable))
      (call $set (call $seen) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (i32.const 0))
      (call $set (local.get 0) (i32.const 520) (i32.const 4) (local.get 3) (local.get 4) (i32.const 0)))
    (func (export "on-delete") (param i32 i32 i32)
      (call $set (call $seen) (local.get 1) (local.get 2) (i32.const 516) (i32.const 4) (i32.const 0)))
"""
WATCH_LIFT = """
  (func $on-set (param "bucket" (own $bucket)) (param "key" string) (param "value" (list u8))
    (canon lift (core func $i "on-set") (memory $m) (realloc $realloc)))
  (func $on-delete (param "bucket" (own $bucket)) (param "key" string)
    (canon lift (core func $i "on-delete") (memory $m) (realloc $realloc)))
  (instance $watcher
    (export "bucket" (type $bucket)) (export "on-set" (func $on-set)) (export "on-delete" (func $on-delete)))
  (export "wasi:keyvalue/watcher@%s" (instance $watcher))
"""


def watching(draft: dict[str, str]) -> bytes:
    added = {
        "cas_core": draft["cas_core"] + WATCH_CORE,
        "cas_lift": draft["cas_lift"] + WATCH_LIFT % draft["version"],
    }
    return text(draft | added)
