"""A component that uses every function of wasi:blobstore; each export is one use.

The canonical ABI lays an import's result out as the export's where the types are the same, so most results are passed
on as they are, at address 0. An error of `get-container` has its text four bytes before where a result with a u64 has
it; `$shift` moves it there.
"""

from __future__ import annotations

from typing import Final

from interfaces.blobstore.tests.guest_core import CORE

_SIMPLE: Final = "(result (result (error string)))"

# Functions of a container: parameters and result in WIT, parameters in core WebAssembly, whether the result has a u64.
_METHODS: Final = {
    "info": ("", "(result (result $container-metadata (error string)))", "", True),
    "delete-object": ('(param "name" string)', _SIMPLE, "i32 i32", False),
    "delete-objects": ('(param "names" (list string))', _SIMPLE, "i32 i32", False),
    "has-object": ('(param "name" string)', "(result (result bool (error string)))", "i32 i32", False),
    "object-info": ('(param "name" string)', "(result (result $object-metadata (error string)))", "i32 i32", True),
    "clear": ("", _SIMPLE, "", False),
}

_TYPES: Final = """
  (import "wasi:io/error@0.2.2" (instance $io (export "error" (type (sub resource)))))
  (alias export $io "error" (type $io-error))
  (import "wasi:io/streams@0.2.2" (instance $streams
    (alias outer 1 $io-error (type $e)) (export "error" (type $error (eq $e)))
    (export "input-stream" (type $in (sub resource))) (export "output-stream" (type $out (sub resource)))
    (type $s (variant (case "last-operation-failed" (own $error)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $s)))
    (export "[method]input-stream.blocking-read" (func (param "self" (borrow $in)) (param "len" u64)
      (result (result (list u8) (error $stream-error)))))
    (export "[method]output-stream.write" (func (param "self" (borrow $out)) (param "contents" (list u8))
      (result (result (error $stream-error)))))
    (export "[method]output-stream.blocking-flush" (func (param "self" (borrow $out))
      (result (result (error $stream-error)))))
    (export "[method]output-stream.blocking-splice" (func (param "self" (borrow $out)) (param "src" (borrow $in))
      (param "len" u64) (result (result u64 (error $stream-error)))))
    (export "[method]output-stream.blocking-write-and-flush"
      (func (param "self" (borrow $out)) (param "contents" (list u8)) (result (result (error $stream-error)))))))
  (alias export $streams "input-stream" (type $input-stream))
  (alias export $streams "output-stream" (type $output-stream))
  (import "wasi:blobstore/types@0.2.0-draft" (instance $types
    (alias outer 1 $input-stream (type $i)) (export "input-stream" (type $input-stream (eq $i)))
    (alias outer 1 $output-stream (type $o)) (export "output-stream" (type $output-stream (eq $o)))
    (type $c (record (field "name" string) (field "created-at" u64)))
    (export "container-metadata" (type $container-metadata (eq $c)))
    (type $m (record (field "name" string) (field "container" string) (field "created-at" u64) (field "size" u64)))
    (export "object-metadata" (type $object-metadata (eq $m)))
    (type $d (record (field "container" string) (field "object" string)))
    (export "object-id" (type $object-id (eq $d)))
    (export "outgoing-value" (type $ov (sub resource)))
    (export "incoming-value" (type $iv (sub resource)))
    (export "[static]outgoing-value.new-outgoing-value" (func (result (own $ov))))
    (export "[method]outgoing-value.outgoing-value-write-body" (func (param "self" (borrow $ov))
      (result (result (own $output-stream)))))
    (export "[static]outgoing-value.finish" (func (param "this" (own $ov)) (result (result (error string)))))
    (export "[static]incoming-value.incoming-value-consume-sync" (func (param "this" (own $iv))
      (result (result (list u8) (error string)))))
    (export "[static]incoming-value.incoming-value-consume-async" (func (param "this" (own $iv))
      (result (result (own $input-stream) (error string)))))
    (export "[method]incoming-value.size" (func (param "self" (borrow $iv)) (result u64)))))
  (alias export $types "outgoing-value" (type $outgoing-value))
  (alias export $types "incoming-value" (type $incoming-value))
  (alias export $types "container-metadata" (type $container-metadata))
  (alias export $types "object-metadata" (type $object-metadata))
  (alias export $types "object-id" (type $object-id))
  (import "wasi:blobstore/container@0.2.0-draft" (instance $container
    (alias outer 1 $outgoing-value (type $o)) (export "outgoing-value" (type $outgoing-value (eq $o)))
    (alias outer 1 $incoming-value (type $i)) (export "incoming-value" (type $incoming-value (eq $i)))
    (alias outer 1 $container-metadata (type $c)) (export "container-metadata" (type $container-metadata (eq $c)))
    (alias outer 1 $object-metadata (type $m)) (export "object-metadata" (type $object-metadata (eq $m)))
    (export "container" (type $container (sub resource)))
    (export "stream-object-names" (type $names (sub resource)))
    (export "[method]container.name" (func (param "self" (borrow $container)) (result (result string (error string)))))
    (export "[method]container.get-data" (func (param "self" (borrow $container)) (param "name" string)
      (param "start" u64) (param "end" u64) (result (result (own $incoming-value) (error string)))))
    (export "[method]container.write-data" (func (param "self" (borrow $container)) (param "name" string)
      (param "data" (borrow $outgoing-value)) (result (result (error string)))))
    (export "[method]container.list-objects" (func (param "self" (borrow $container))
      (result (result (own $names) (error string)))))
    {methods}
    (export "[method]stream-object-names.read-stream-object-names" (func (param "self" (borrow $names))
      (param "len" u64) (result (result (tuple (list string) bool) (error string)))))
    (export "[method]stream-object-names.skip-stream-object-names" (func (param "self" (borrow $names))
      (param "num" u64) (result (result (tuple u64 bool) (error string)))))))
  (alias export $container "container" (type $container-type))
  (import "wasi:blobstore/blobstore@0.2.0-draft" (instance $blobstore
    (alias outer 1 $container-type (type $c)) (export "container" (type $container (eq $c)))
    (alias outer 1 $object-id (type $i)) (export "object-id" (type $object-id (eq $i)))
    (export "create-container" (func (param "name" string) (result (result (own $container) (error string)))))
    (export "get-container" (func (param "name" string) (result (result (own $container) (error string)))))
    (export "delete-container" (func (param "name" string) (result (result (error string)))))
    (export "container-exists" (func (param "name" string) (result (result bool (error string)))))
    (export "copy-object" (func (param "src" $object-id) (param "dest" $object-id) (result (result (error string)))))
    (export "move-object" (func (param "src" $object-id) (param "dest" $object-id) (result (result (error string)))))))
"""

_MEMORY: Final = """
  (core module $memory
    (memory (export "memory") 512)
    (global $next (export "next") (mut i32) (i32.const 1048576))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $mem (instantiate $memory))
  (alias core export $mem "memory" (core memory $m))
  (alias core export $mem "realloc" (core func $realloc))
  (alias core export $mem "next" (core global $next))
  (core func $drop-in (canon resource.drop $input-stream))
  (core func $drop-out (canon resource.drop $output-stream))
"""

# Functions that the core module imports: instance, WIT name, parameters and result in core WebAssembly.
_IMPORTS: Final = {
    "read": ("streams", "[method]input-stream.blocking-read", "i32 i64 i32", ""),
    "write": ("streams", "[method]output-stream.write", "i32 i32 i32 i32", ""),
    "flush": ("streams", "[method]output-stream.blocking-flush", "i32 i32", ""),
    "write-and-flush": ("streams", "[method]output-stream.blocking-write-and-flush", "i32 i32 i32 i32", ""),
    "splice": ("streams", "[method]output-stream.blocking-splice", "i32 i32 i64 i32", ""),
    "new": ("types", "[static]outgoing-value.new-outgoing-value", "", "i32"),
    "body": ("types", "[method]outgoing-value.outgoing-value-write-body", "i32 i32", ""),
    "finish": ("types", "[static]outgoing-value.finish", "i32 i32", ""),
    "sync": ("types", "[static]incoming-value.incoming-value-consume-sync", "i32 i32", ""),
    "async": ("types", "[static]incoming-value.incoming-value-consume-async", "i32 i32", ""),
    "size": ("types", "[method]incoming-value.size", "i32", "i64"),
    "name": ("container", "[method]container.name", "i32 i32", ""),
    "get-data": ("container", "[method]container.get-data", "i32 i32 i32 i64 i64 i32", ""),
    "write-data": ("container", "[method]container.write-data", "i32 i32 i32 i32 i32", ""),
    "list-objects": ("container", "[method]container.list-objects", "i32 i32", ""),
    "take-names": ("container", "[method]stream-object-names.read-stream-object-names", "i32 i64 i32", ""),
    "skip-names": ("container", "[method]stream-object-names.skip-stream-object-names", "i32 i64 i32", ""),
    "create": ("blobstore", "create-container", "i32 i32 i32", ""),
    "get": ("blobstore", "get-container", "i32 i32 i32", ""),
    "remove": ("blobstore", "delete-container", "i32 i32 i32", ""),
    "exists": ("blobstore", "container-exists", "i32 i32 i32", ""),
    "copy": ("blobstore", "copy-object", "i32 i32 i32 i32 i32 i32 i32 i32 i32", ""),
    "move": ("blobstore", "move-object", "i32 i32 i32 i32 i32 i32 i32 i32 i32", ""),
    **{
        method: ("container", f"[method]container.{method}", " ".join(["i32", *core.split(), "i32"]), "")
        for method, (_, _, core, _) in _METHODS.items()
    },
}

_EXPORTS: Final = {
    "create": ('(param "name" string)', "(result (result string (error string)))"),
    "remove": ('(param "name" string)', _SIMPLE),
    "exists": ('(param "name" string)', "(result (result bool (error string)))"),
    "copy": ('(param "src" $object-id) (param "dest" $object-id)', _SIMPLE),
    "move": ('(param "src" $object-id) (param "dest" $object-id)', _SIMPLE),
    "put": (
        '(param "container" string) (param "name" string) (param "data" (list u8)) (param "order" u32)',
        _SIMPLE,
    ),
    "fill": (
        '(param "container" string) (param "name" string) (param "piece" u32) (param "count" u64) (param "order" u32)',
        _SIMPLE,
    ),
    "fetch": (
        '(param "container" string) (param "name" string) (param "start" u64) (param "end" u64) (param "stream" bool)',
        "(result (result (list u8) (error string)))",
    ),
    "drain": ('(param "container" string) (param "name" string)', "(result (result u64 (error string)))"),
    "carry": ('(param "container" string) (param "source" string) (param "dest" string)', _SIMPLE),
    "list": (
        '(param "container" string) (param "skip" u64) (param "len" u64)',
        "(result (result (tuple (list string) bool) (error string)))",
    ),
    "skip": (
        '(param "container" string) (param "num" u64)',
        "(result (result (tuple u64 bool) (error string)))",
    ),
    **{
        method: (f'(param "container" string) {parameters}', result)
        for method, (parameters, result, _, _) in _METHODS.items()
    },
}


def _method(name: str, core: str, *, shifts: bool) -> str:
    """Return the core function that calls a function of a container."""
    arguments = " ".join(f"(local.get {number})" for number in range(2, 2 + len(core.split())))
    shift = "(call $shift)" if shifts else ""
    return f"""
    (func (export "{name}") (param i32 i32 {core}) (result i32) (local $container i32)
      (local.set $container (call $container (local.get 0) (local.get 1)))
      (if (call $failed) (then {shift} (return (i32.const 0))))
      (call ${name} (local.get $container) {arguments} (i32.const 0))
      (i32.const 0))"""


def text() -> bytes:
    """Return the component."""
    imported = "\n".join(
        f'(export "[method]container.{name}" (func (param "self" (borrow $container)) {parameters} {result}))'
        for name, (parameters, result, _, _) in _METHODS.items()
    )
    lowered = "\n".join(
        f'(core func ${name} (canon lower (func ${instance} "{function}") (memory $m) (realloc $realloc)))'
        for name, (instance, function, _, _) in _IMPORTS.items()
    )
    core_imports = "\n".join(
        f'(import "b" "{name}" (func ${name} (param {parameters}) {f"(result {result})" if result else ""}))'
        for name, (_, _, parameters, result) in _IMPORTS.items()
    )
    methods = "".join(_method(name, core, shifts=shifts) for name, (_, _, core, shifts) in _METHODS.items())
    given = " ".join(f'(export "{name}" (func ${name}))' for name in (*_IMPORTS, "drop-in", "drop-out"))
    lifted = "\n".join(
        f'(func (export "{name}") {parameters} {result}'
        f' (canon lift (core func $i "{name}") (memory $m) (realloc $realloc)))'
        for name, (parameters, result) in _EXPORTS.items()
    )
    component = f"""(component
  {_TYPES.replace("{methods}", imported)}
  {_MEMORY}
  {lowered}
  (core module $main
    (import "b" "memory" (memory 512))
    (import "b" "next" (global $next (mut i32)))
    (import "b" "drop-in" (func $drop-in (param i32)))
    (import "b" "drop-out" (func $drop-out (param i32)))
    {core_imports}
    {CORE.replace("{methods}", methods)})
  (core instance $i (instantiate $main (with "b" (instance
    (export "memory" (memory $m)) (export "next" (global $next)) {given}))))
  {lifted})"""
    return component.encode()
