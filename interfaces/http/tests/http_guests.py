"""Small wasi:http guests in component text: what they do is the body of `handle`, everything else is here.

`guest(handle, **texts)` returns a component. In `handle` the locals `$request` and `$out` are the two parameters,
`$a` to `$d` are free, `(call $name …)` calls an import or one of the functions of `CORE`, and `%name` stands for the
two operands (address, length) of a text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wasmtime import wat2wasm

from interfaces.http.tests.http_guest_parts import CORE, DROPS, FUNCTIONS, OUTGOING, OUTGOING_FUNCTIONS, TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping

_VERSION = "0.2.9"


def guest(
    handle: str,
    texts: Mapping[str, str] | None = None,
    *,
    outgoing: bool = False,
    version: str = _VERSION,
    module: str = "",
    **more_texts: str,
) -> bytes:
    """Return a component that exports wasi:http/incoming-handler.

    Args:
        handle: the body of `handle` in WebAssembly text.
        texts: what `%name` means in `handle`.
        outgoing: whether it imports wasi:http/outgoing-handler too.
        version: of every WASI import and of the export.
        module: further fields of the core module: functions, tables, globals.
        more_texts: more of `texts`.
    """
    functions = FUNCTIONS | (OUTGOING_FUNCTIONS if outgoing else {})
    lowered, imports, given = [], [], []
    for name, (instance, function, parameters, result) in functions.items():
        lowered.append(
            f'(alias export ${instance} "{function}" (func ${name}-high))'
            f"(core func ${name} (canon lower (func ${name}-high) (memory $memory) (realloc $realloc)))"
        )
        results = f"(result {result})" if result else ""
        imports.append(f'(import "host" "{name}" (func ${name} (param {parameters}) {results}))')
        given.append(f'(export "{name}" (func ${name}))')
    for name, resource in DROPS.items():
        lowered.append(f"(core func ${name} (canon resource.drop {resource}))")
        imports.append(f'(import "host" "{name}" (func ${name} (param i32)))')
        given.append(f'(export "{name}" (func ${name}))')
    data, operands, at = [], {}, 1024
    for name, text in {**(texts or {}), **more_texts}.items():
        raw = text.encode()
        escaped = "".join(f"\\{byte:02x}" for byte in raw)
        data.append(f'(data (i32.const {at}) "{escaped}")')
        operands[name] = f"(i32.const {at}) (i32.const {len(raw)})"
        at += len(raw)
    pages = at // 65536 + 2
    body = re.sub(r"%([a-z][a-z_]*)", lambda found: operands[found[1]], handle)
    text = f"""(component $C
  {TYPES.replace("{v}", version)}
  {OUTGOING.replace("{v}", version) if outgoing else ""}
  (core module $Memory
    (memory (export "memory") {pages})
    (global $heap (export "heap") (mut i32) (i32.const {(pages - 1) * 65536}))
    {_realloc()})
  (core instance $m (instantiate $Memory))
  (alias core export $m "realloc" (core func $realloc))
  (alias core export $m "memory" (core memory $memory))
  {" ".join(lowered)}
  (core module $Main
    {" ".join(imports)}
    (import "memory" "memory" (memory {pages}))
    (import "memory" "heap" (global $heap (mut i32)))
    {" ".join(data)}
    {CORE[CORE.index(";; the handle") :]}
    {module}
    (func (export "handle") (param $request i32) (param $out i32)
      (local $a i32) (local $b i32) (local $c i32) (local $d i32) (local $e i32) (local $f i32)
      {body}))
  (core instance $main (instantiate $Main
    (with "host" (instance {" ".join(given)}))
    (with "memory" (instance $m))))
  (alias core export $main "handle" (core func $main-handle))
  (func $handle (param "request" (own $incoming-request)) (param "response-out" (own $response-outparam))
    (canon lift (core func $main-handle)))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@{version}" (instance $handler)))
"""
    return bytes(wat2wasm(text))


def _realloc() -> str:
    return CORE[: CORE.index(";; the handle")]


_START = """
  (local.set $a (call $response (call $fields)))
  (local.set $b (call $body-of (local.get $a)))
  (call $answer (local.get $out) (local.get $a))
  (local.set $c (call $stream-of (local.get $b)))
"""

HELLO = f"{_START} (call $write-all (local.get $c) %text) (call $finish (local.get $c) (local.get $b))"
ECHO = f"""{_START}
  (if (call $copy (call $incoming-stream (local.get $request)) (local.get $c)) (then (unreachable)))
  (call $finish (local.get $c) (local.get $b))"""
EARLY = f"""{_START}
  (call $write-all (local.get $c) %first)
  (call $sleep (i64.const 200000000))
  (call $write-all (local.get $c) %second)
  (call $finish (local.get $c) (local.get $b))"""
TRAP_FIRST = "(unreachable)"
TRAP_LATER = f"{_START} (call $write-all (local.get $c) %text) (call $sleep (i64.const 50000000)) (unreachable)"
TRAP_AT_ONCE_LATER = f"{_START} (call $write-all (local.get $c) %text) (unreachable)"
NEVER = "(call $sleep (i64.const 3600000000000))"
SPIN = "(loop (br 0))"
SILENT = ""
ERROR = "(call $answer-error (local.get $out) (i32.const 6))"
UNFINISHED = f"{_START} (call $write-all (local.get $c) %text)"
EMPTY = "(call $answer (local.get $out) (call $response (call $fields)))"
PATH = f"""{_START}
  (call $path (local.get $request) (i32.const 32))
  (call $write-all (local.get $c) (i32.load (i32.const 36)) (i32.load (i32.const 40)))
  (call $finish (local.get $c) (local.get $b))"""
AUTHORITY = PATH.replace("(call $path", "(call $authority")
# answers with every value of one header, each in its own line
HEADER = f"""{_START}
  (call $get (call $headers (local.get $request)) %name (i32.const 32))
  (local.set $d (i32.load (i32.const 32)))
  (local.set $e (i32.load (i32.const 36)))
  (block $done (loop $next
    (br_if $done (i32.eqz (local.get $e)))
    (call $write-all (local.get $c) (i32.load (local.get $d)) (i32.load offset=4 (local.get $d)))
    (call $write-all (local.get $c) %newline)
    (local.set $d (i32.add (local.get $d) (i32.const 8)))
    (local.set $e (i32.sub (local.get $e) (i32.const 1)))
    (br $next)))
  (call $finish (local.get $c) (local.get $b))"""
# writes 16 MiB of zeroes, and never stops to look
FLOOD = f"""{_START}
  (local.set $d (i32.const 4096))
  (loop $next
    (call $write-all (local.get $c) (i32.const 32768) (i32.const 4096))
    (br_if $next (local.tee $d (i32.sub (local.get $d) (i32.const 1)))))
  (call $finish (local.get $c) (local.get $b))"""
# answers before it reads the body, then echoes it
ANSWER_THEN_ECHO = f"""{_START}
  (call $write-all (local.get $c) %text)
  (drop (call $copy (call $incoming-stream (local.get $request)) (local.get $c)))
  (call $finish (local.get $c) (local.get $b))"""
# answers the half, and the rest when the body has come
ASKED_TWICE = f"""{_START}
  (call $write-all (local.get $c) %first)
  (local.set $d (call $incoming-stream (local.get $request)))
  (loop $next
    (call $read (local.get $d) (i64.const 65536) (i32.const 16))
    (br_if $next (i32.eqz (i32.load8_u (i32.const 16)))))
  (call $write-all (local.get $c) %second)
  (call $finish (local.get $c) (local.get $b))"""
# reads the body to its end or failure and says which it was
READ = f"""{_START}
  (local.set $d (call $incoming-stream (local.get $request)))
  (loop $next
    (call $read (local.get $d) (i64.const 65536) (i32.const 16))
    (br_if $next (i32.eqz (i32.load8_u (i32.const 16)))))
  (if (i32.load8_u (i32.const 20))
    (then (call $write-all (local.get $c) %whole))
    (else (call $write-all (local.get $c) %broken)))
  (call $finish (local.get $c) (local.get $b))"""
STATUS = """
  (local.set $a (call $response (call $fields)))
  (drop (call $status (local.get $a) (i32.const 204)))
  (call $answer (local.get $out) (local.get $a))"""
WORKS_ON = f"{HELLO} (call $sleep (i64.const 1500000000)) (call $sleep (i64.const 1500000000))"


def with_header(name: str, value: str, then: str) -> tuple[str, dict[str, str]]:
    """Return `handle` and texts of a guest that sets a header, then does what `_START` begins."""
    start = """
      (local.set $d (call $fields))
      (call $append (local.get $d) %name %value (i32.const 16))
      (if (i32.load8_u (i32.const 16)) (then (unreachable)))
      (local.set $a (call $response (local.get $d)))
      (local.set $b (call $body-of (local.get $a)))
      (call $answer (local.get $out) (local.get $a))
      (local.set $c (call $stream-of (local.get $b)))
    """
    return then.replace(_START, start), {"name": name, "value": value}


# Sends a POST with a body somewhere, and answers with the body that comes back, or with one byte: "A" and the number of
# the error-code. A result that holds an error-code is aligned to 8, so its payload stands at 24 where others have 20.
FETCH = f"""
  (local.set $d (call $request (call $fields)))
  (drop (call $request-scheme (local.get $d) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0)))
  (drop (call $request-method (local.get $d) (i32.const 2) (i32.const 0) (i32.const 0)))
  (drop (call $request-authority (local.get $d) (i32.const 1) %authority))
  (drop (call $request-path (local.get $d) (i32.const 1) %path))
  (call $request-body (local.get $d) (i32.const 16))
  (local.set $e (call $ok))
  (call $send (local.get $d) (i32.const 0) (i32.const 0) (i32.const 16))
  (if (i32.load8_u (i32.const 16)) (then (unreachable)))
  (local.set $f (i32.load (i32.const 24)))
  {{body}}
  (local.set $a (call $future-subscribe (local.get $f)))
  (call $block (local.get $a))
  (call $drop-pollable (local.get $a))
  (call $future-get (local.get $f) (i32.const 64))
  (if (i32.eqz (i32.load8_u (i32.const 64))) (then (unreachable)))
  (if (i32.load8_u (i32.const 72)) (then (unreachable)))
  {_START}
  (if (i32.load8_u (i32.const 80))
    (then
      (i32.store8 (i32.const 128) (i32.add (i32.const 65) (i32.load8_u (i32.const 88))))
      (call $write-all (local.get $c) (i32.const 128) (i32.const 1)))
    (else
      (call $response-consume (i32.load (i32.const 88)) (i32.const 16))
      (call $stream (call $ok) (i32.const 16))
      (drop (call $copy (call $ok) (local.get $c)))))
  (call $finish (local.get $c) (local.get $b))"""
FETCH_TEXT = FETCH.replace(
    "{body}",
    """(local.set $c (call $stream-of (local.get $e)))
       (call $write-all (local.get $c) %text)
       (call $finish (local.get $c) (local.get $e))""",
)
FETCH_REQUEST = FETCH.replace(
    "{body}",
    """(local.set $c (call $stream-of (local.get $e)))
       (drop (call $copy (call $incoming-stream (local.get $request)) (local.get $c)))
       (call $finish (local.get $c) (local.get $e))""",
)
# A request may fail before its body is written, and then writing fails too: this one does not care.
FETCH_EMPTY = FETCH.replace("{body}", "(call $body-finish (local.get $e) (i32.const 0) (i32.const 0) (i32.const 16))")
FETCH_DROPPED = FETCH.replace("{body}", "(call $drop-body (local.get $e))")
