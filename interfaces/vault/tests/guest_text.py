"""Guests in component text that use wasi:vault."""

from __future__ import annotations

_IMPORT = """
  (import "wasi:vault/vault@0.1.0-draft" (instance $vault
    (export "locker" (type $locker (sub resource)))
    (type $e (variant (case "no-such-store") (case "access-denied") (case "other" string)))
    (export "error" (type $error (eq $e)))
    (export "open" (func (param "locker-id" string) (result (result (own $locker) (error $error)))))
    (export "[method]locker.get" (func (param "self" (borrow $locker)) (param "secret-id" string)
      (result (result (option (list u8)) (error $error)))))
    (export "[method]locker.set" (func (param "self" (borrow $locker)) (param "secret-id" string)
      (param "value" (list u8)) (result (result (error $error)))))
    (export "[method]locker.delete" (func (param "self" (borrow $locker)) (param "secret-id" string)
      (result (result (error $error)))))
    (export "[method]locker.exists" (func (param "self" (borrow $locker)) (param "secret-id" string)
      (result (result bool (error $error)))))
    (export "[method]locker.list-ids" (func (param "self" (borrow $locker))
      (result (result (list string) (error $error)))))))
  (alias export $vault "locker" (type $locker))
  (alias export $vault "error" (type $error))

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

  (core func $open (canon lower (func $vault "open") (memory $m) (realloc $realloc)))
  (core func $get (canon lower (func $vault "[method]locker.get") (memory $m) (realloc $realloc)))
  (core func $set (canon lower (func $vault "[method]locker.set") (memory $m) (realloc $realloc)))
  (core func $delete (canon lower (func $vault "[method]locker.delete") (memory $m) (realloc $realloc)))
  (core func $exists (canon lower (func $vault "[method]locker.exists") (memory $m) (realloc $realloc)))
  (core func $list (canon lower (func $vault "[method]locker.list-ids") (memory $m) (realloc $realloc)))
  (core instance $host
    (export "memory" (memory $m))
    (export "open" (func $open)) (export "get" (func $get)) (export "set" (func $set))
    (export "delete" (func $delete)) (export "exists" (func $exists)) (export "list" (func $list)))
"""
_CORE_IMPORT = """
    (import "k" "memory" (memory 128))
    (import "k" "open" (func $open (param i32 i32 i32)))
    (import "k" "get" (func $get (param i32 i32 i32 i32)))
    (import "k" "set" (func $set (param i32 i32 i32 i32 i32 i32)))
    (import "k" "delete" (func $delete (param i32 i32 i32 i32)))
    (import "k" "exists" (func $exists (param i32 i32 i32 i32)))
    (import "k" "list" (func $list (param i32 i32)))
    (func $locker (param i32 i32) (result i32)
      (call $open (local.get 0) (local.get 1) (i32.const 0))
      (if (i32.load8_u (i32.const 0)) (then unreachable))
      (i32.load (i32.const 4)))
"""

# A guest that hands each call on to its imports. The canonical ABI lays out the import's result as the export's, so the
# result area is passed on as it is. `fill` sets a secret of that many bytes out of its memory; `copy` reads one and
# sets another to it.
GUEST = f"""
(component
  {_IMPORT}
  (core module $main
    {_CORE_IMPORT}
    (func (export "open") (param i32 i32) (result i32)
      (call $open (local.get 0) (local.get 1) (i32.const 0))
      (i32.const 0))
    (func (export "get") (param i32 i32 i32 i32) (result i32)
      (call $get (call $locker (local.get 0) (local.get 1)) (local.get 2) (local.get 3) (i32.const 0))
      (i32.const 0))
    (func (export "set") (param i32 i32 i32 i32 i32 i32) (result i32)
      (call $set (call $locker (local.get 0) (local.get 1))
        (local.get 2) (local.get 3) (local.get 4) (local.get 5) (i32.const 0))
      (i32.const 0))
    (func (export "fill") (param i32 i32 i32 i32 i32) (result i32)
      (call $set (call $locker (local.get 0) (local.get 1))
        (local.get 2) (local.get 3) (i32.const 0) (local.get 4) (i32.const 0))
      (i32.const 0))
    (func (export "copy") (param i32 i32 i32 i32 i32 i32) (result i32) (local $locker i32)
      (local.set $locker (call $locker (local.get 0) (local.get 1)))
      (call $get (local.get $locker) (local.get 2) (local.get 3) (i32.const 0))
      (if (i32.load8_u (i32.const 0)) (then (return (i32.const 0))))
      (call $set (local.get $locker) (local.get 4) (local.get 5)
        (i32.load (i32.const 8)) (i32.load (i32.const 12)) (i32.const 0))
      (i32.const 0))
    (func (export "delete") (param i32 i32 i32 i32) (result i32)
      (call $delete (call $locker (local.get 0) (local.get 1)) (local.get 2) (local.get 3) (i32.const 0))
      (i32.const 0))
    (func (export "exists") (param i32 i32 i32 i32) (result i32)
      (call $exists (call $locker (local.get 0) (local.get 1)) (local.get 2) (local.get 3) (i32.const 0))
      (i32.const 0))
    (func (export "list-ids") (param i32 i32) (result i32)
      (call $list (call $locker (local.get 0) (local.get 1)) (i32.const 0))
      (i32.const 0)))
  (core instance $i (instantiate $main (with "k" (instance $host))))
  (func (export "open") (param "locker" string) (result (result (error $error)))
    (canon lift (core func $i "open") (memory $m) (realloc $realloc)))
  (func (export "get") (param "locker" string) (param "secret" string)
    (result (result (option (list u8)) (error $error)))
    (canon lift (core func $i "get") (memory $m) (realloc $realloc)))
  (func (export "set") (param "locker" string) (param "secret" string) (param "value" (list u8))
    (result (result (error $error))) (canon lift (core func $i "set") (memory $m) (realloc $realloc)))
  (func (export "fill") (param "locker" string) (param "secret" string) (param "size" u32)
    (result (result (error $error))) (canon lift (core func $i "fill") (memory $m) (realloc $realloc)))
  (func (export "copy") (param "locker" string) (param "secret" string) (param "to" string)
    (result (result (error $error))) (canon lift (core func $i "copy") (memory $m) (realloc $realloc)))
  (func (export "delete") (param "locker" string) (param "secret" string) (result (result (error $error)))
    (canon lift (core func $i "delete") (memory $m) (realloc $realloc)))
  (func (export "exists") (param "locker" string) (param "secret" string) (result (result bool (error $error)))
    (canon lift (core func $i "exists") (memory $m) (realloc $realloc)))
  (func (export "list-ids") (param "locker" string) (result (result (list string) (error $error)))
    (canon lift (core func $i "list-ids") (memory $m) (realloc $realloc)))
)
"""

# A guest behind HTTP which reads the secret `api-key` of the locker `billing` and sets `copied` to it, and asks for
# what is refused: a secret that is too large, with the other in the middle of it. It gives no answer at all. When
# `copied` is there already it traps, with the secret in its memory.
SERVED = f"""
(component
  {_IMPORT}
  (import "wasi:http/types@0.2.0" (instance $types
    (export "incoming-request" (type (sub resource)))
    (export "response-outparam" (type (sub resource)))))
  (alias export $types "incoming-request" (type $request))
  (alias export $types "response-outparam" (type $outparam))
  (core module $main
    {_CORE_IMPORT}
    (data (i32.const 512) "billingapi-keycopied")
    (func (export "handle") (param i32 i32) (local $locker i32) (local $at i32) (local $size i32)
      (local.set $locker (call $locker (i32.const 512) (i32.const 7)))
      (call $get (local.get $locker) (i32.const 519) (i32.const 7) (i32.const 0))
      (if (i32.load8_u (i32.const 0)) (then unreachable))
      (local.set $at (i32.load (i32.const 8)))
      (local.set $size (i32.load (i32.const 12)))
      (call $exists (local.get $locker) (i32.const 526) (i32.const 6) (i32.const 0))
      (if (i32.load8_u (i32.const 4)) (then unreachable))
      (call $set (local.get $locker) (i32.const 526) (i32.const 6) (local.get $at) (local.get $size) (i32.const 0))
      (call $set (local.get $locker) (i32.const 526) (i32.const 6) (i32.const 0) (i32.const 70000) (i32.const 0))
      (if (i32.eqz (i32.load8_u (i32.const 0))) (then unreachable))
      (call $list (local.get $locker) (i32.const 0))))
  (core instance $i (instantiate $main (with "k" (instance $host))))
  (func $handle (param "request" (own $request)) (param "response-out" (own $outparam))
    (canon lift (core func $i "handle")))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.0" (instance $handler))
)
"""
