"""Guests that mean harm, as one component: the path of a request chooses what its guest does.

`COMPONENT` serves all of them, so that one process meets them one after another and can be asked afterwards whether it
still works. `EXPECTED` says how each has to end: with the status that its client gets,
which is all that a client learns.
"""

from __future__ import annotations

from typing import Final

from interfaces.http.tests import http_guests
from interfaces.http.tests.http_guests import _START, ECHO, ERROR, FLOOD, HELLO, NEVER, SPIN

_NEW: Final = "(local.set $a (call $response (call $fields)))"
_GROW: Final = "(drop (memory.grow (i32.const 100)))"
_EMPTY: Final = "(call $answer (local.get $out) (call $response (call $fields)))"
_BIG: Final = "(i32.const 131072)"  # an address inside of what `_GROW` adds


def _append(name: str, value: str, at: str = "(i32.const 16)") -> str:
    return f"(call $append (local.get $d) {name} {value} {at})"


def _refused(name: str, value: str) -> str:
    """An append that the host has to answer with an error, and a trap where it does not."""
    return f"""(local.set $d (call $fields)) {_append(name, value)}
      (if (i32.eqz (i32.load8_u (i32.const 16))) (then (unreachable))) {HELLO}"""


# A table that may grow, and three recursions: plain, with a host call in each frame, and with a large frame.
MODULE: Final = """
  (table $grown 1 funcref)
  (func $deep (param i32) (result i32) (i32.add (call $deep (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))
  (func $deep-host (param i32) (result i32)
    (drop (call $status (local.get 0) (i32.const 204)))
    (i32.add (call $deep-host (local.get 0)) (i32.const 1)))
"""

CASES: Final[dict[str, str]] = {
    "hello": HELLO,
    "echo": ECHO,
    "flood": FLOOD,
    # time
    "loop": SPIN,
    "never": NEVER,
    "host-call-storm": f"{_NEW} (loop (drop (call $status (local.get $a) (i32.const 204))) (br 0))",
    "waiting-storm": "(loop (call $sleep (i64.const 0)) (br 0))",
    "resource-storm": "(loop (call $drop-pollable (call $timer (i64.const 0))) (br 0))",
    # space
    "memory": f"""(loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
      (memory.fill {_BIG} (i32.const 1) (i32.sub (i32.mul (memory.size) (i32.const 65536)) {_BIG})) {HELLO}""",
    "memory-at-once": f"""(if (i32.ne (memory.grow (i32.const 65535)) (i32.const -1)) (then (unreachable))) {HELLO}""",
    "table": f"""
      (loop (br_if 0 (i32.ne (table.grow $grown (ref.null func) (i32.const 1000)) (i32.const -1)))) {HELLO}""",
    "recursion": "(drop (call $deep (i32.const 0)))",
    "recursion-in-host-calls": f"{_NEW} (drop (call $deep-host (local.get $a)))",
    "hoard": "(loop (drop (call $fields)) (br_if 0 (i32.lt_u (local.tee $a (i32.add (local.get $a) (i32.const 1))) "
    "(i32.const 100000))))" + HELLO,
    "hoard-timers": "(loop (drop (call $timer (i64.const 3600000000000))) (br 0))",
    "hoard-headers": f"""{_GROW} (memory.fill {_BIG} (i32.const 97) (i32.const 100000))
      (loop (local.set $d (call $fields)) {_append("%name", f"{_BIG} (i32.const 100000)")} (br 0))""",
    "hoard-small-headers": f"""(loop (local.set $d (call $fields))
      (loop {_append("%name", "%text")} (br_if 0 (i32.lt_u (local.tee $a (i32.add (local.get $a) (i32.const 1)))
        (i32.const 1000)))) (local.set $a (i32.const 0)) (br 0))""",
    "hoard-bodies": f"""(loop {_NEW}
      (local.set $c (call $stream-of (call $body-of (local.get $a)))) (local.set $d (i32.const 15))
      (loop (call $write-all (local.get $c) (i32.const 32768) (i32.const 4096))
        (br_if 0 (local.tee $d (i32.sub (local.get $d) (i32.const 1))))) (br 0))""",
    "headers-too-many": f"""(local.set $d (call $fields))
      (loop {_append("%name", "%text")} (br_if 0 (i32.lt_u (local.tee $a (i32.add (local.get $a) (i32.const 1)))
        (i32.const 257)))) (call $answer (local.get $out) (call $response (local.get $d)))""",
    # handles
    "handle-zero": "(drop (call $response (i32.const 0)))",
    "handle-invented": "(drop (call $response (i32.const 4242)))",
    "handle-largest": "(drop (call $response (i32.const -1)))",
    "handle-stale": """(local.set $a (call $fields)) (drop (call $response (local.get $a)))
      (drop (call $response (local.get $a)))""",
    "handle-foreign": "(drop (call $response (local.get $request)))",
    "handle-foreign-borrow": "(call $block (call $fields))",
    "drop-foreign": "(call $drop-out (call $fields))",
    "drop-twice": """(local.set $a (call $timer (i64.const 1))) (call $drop-pollable (local.get $a))
      (call $drop-pollable (local.get $a))""",
    "drop-parent-first": f"{_START} (call $drop-body (local.get $b)) (call $drop-out (local.get $c))",
    # streams and bodies
    "stream-closed-twice": f"{_START} (call $drop-out (local.get $c)) (call $drop-out (local.get $c))",
    "write-after-close": f"{_START} (call $drop-out (local.get $c)) (call $write-all (local.get $c) %text)",
    "body-finished-twice": f"""{_START} (call $finish (local.get $c) (local.get $b))
      (call $body-finish (local.get $b) (i32.const 0) (i32.const 0) (i32.const 16))""",
    "body-taken-twice": f"{_NEW} (drop (call $body-of (local.get $a))) (drop (call $body-of (local.get $a)))",
    "request-read-twice": """(drop (call $incoming-stream (local.get $request)))
      (drop (call $incoming-stream (local.get $request)))""",
    "write-unpermitted": f"""{_START} {_GROW}
      (call $write-some (local.get $c) (i32.const 0) (i32.const 2000000) (i32.const 16))""",
    "write-too-many-elements": f"""{_START} {_GROW}
      (call $write-some (local.get $c) (i32.const 0) (i32.const 2900000) (i32.const 16))""",
    # answers
    "silent": "",
    "error": ERROR,
    "answer-twice": f"{_EMPTY} {_EMPTY}",
    "answer-unfinished": f"{_START} (call $write-all (local.get $c) %text)",
    "answer-of-no-case": """(call $set (local.get $out) (i32.const 7) (i32.const 0) (i32.const 0) (i64.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))""",
    "error-of-no-case": "(call $answer-error (local.get $out) (i32.const 9999))",
    "status-of-no-kind": f"""{_NEW} (if (i32.eqz (call $status (local.get $a) (i32.const 65535))) (then (unreachable)))
      {HELLO}""",
    "answer-then-wait": f"{HELLO} {NEVER}",
    "answer-then-loop": f"{HELLO} {SPIN}",
    "informational-flood": """(loop
      (call $inform (local.get $out) (i32.const 103) (call $fields) (i32.const 64)) (br 0))""",
    # headers
    "header-huge": f"""{_GROW} (memory.fill {_BIG} (i32.const 97) (i32.const 200000)) (local.set $d (call $fields))
      {_append("%name", f"{_BIG} (i32.const 200000)")} {HELLO}""",
    "header-name-huge": f"{_GROW} (memory.fill {_BIG} (i32.const 97) (i32.const 200000)) "
    + _refused(f"{_BIG} (i32.const 200000)", "%text"),
    "header-illegal-name": _refused("%illegal", "%text"),
    "header-empty-name": _refused("(i32.const 16) (i32.const 0)", "%text"),
    "header-line-break": _refused("%name", "%linebreak"),
    "header-forbidden": _refused("%forbidden", "%text"),
    "header-bomb": f"(local.set $d (call $fields)) (loop {_append('%name', '%text')} (br 0))",
    # lists: as many entries of a header as may be, all of them empty, and one more
    "items-at-most": f"{_GROW} (call $from-list {_BIG} (i32.const 16384) (i32.const 64)) {HELLO}",
    "items-too-many": f"{_GROW} (call $from-list {_BIG} (i32.const 16385) (i32.const 64)) {HELLO}",
    "items-without-end": f"{_GROW} (loop (call $from-list {_BIG} (i32.const 16384) (i32.const 64)) (br 0))",
    # memory that is not there
    "length-4-gib": f"{_START} (call $write (local.get $c) (i32.const 0) (i32.const -1) (i32.const 16))",
    "pointer-outside": f"{_START} (call $write (local.get $c) (i32.const -16) (i32.const 64) (i32.const 16))",
    "answer-outside": f"{_NEW} (call $body (local.get $a) (i32.const -4))",
    "answer-misaligned": f"{_NEW} (call $body (local.get $a) (i32.const 17))",
    "not-utf-8": f"""(i32.store8 (i32.const 64) (i32.const 255)) (local.set $d (call $fields))
      {_append("(i32.const 64) (i32.const 1)", "%text")}""",
    "surrogate": f"""(i32.store (i32.const 64) (i32.const 0x80a0ed)) (local.set $d (call $fields))
      {_append("(i32.const 64) (i32.const 3)", "%text")}""",
}

_TEXTS: Final = {
    "text": "hello",
    "name": "x-name",
    "illegal": "no name",
    "linebreak": "a\r\nx: y",
    "forbidden": "transfer-encoding",
}
_LETTERS: Final = {name: 0x30 + number for number, name in enumerate(CASES)}

CUT: Final = 0
"""In place of a status: the answer began, and its connection is cut."""

EXPECTED: Final[dict[str, int]] = {
    **dict.fromkeys(CASES, 500),
    **dict.fromkeys(["hello", "echo", "flood", "memory", "memory-at-once", "table", "status-of-no-kind"], 200),
    **dict.fromkeys(["header-name-huge", "header-illegal-name", "header-empty-name", "header-line-break"], 200),
    "header-forbidden": 200,
    **dict.fromkeys(["loop", "never", "host-call-storm", "waiting-storm", "resource-storm"], 504),
    **dict.fromkeys(["stream-closed-twice", "write-after-close", "length-4-gib", "pointer-outside"], CUT),
    **dict.fromkeys(["write-unpermitted", "write-too-many-elements"], CUT),
    **dict.fromkeys(["answer-then-wait", "answer-then-loop", "items-at-most"], 200),
    **dict.fromkeys(["informational-flood", "items-without-end"], 504),
    **dict.fromkeys(["answer-twice", "body-finished-twice"], 200),  # the answer was complete before the trap
    "error": 502,
}


def path(name: str) -> str:
    """Return the request target that makes the guest do it."""
    return f"/%{_LETTERS[name]:02x}"


def component() -> bytes:
    """Return the component of all cases."""
    arms = "".join(
        f"(if (i32.eq (i32.load (i32.const 48)) (i32.const {_hex(number)})) (then {CASES[name]} (return)))"
        for name, number in _LETTERS.items()
    )
    # The path is "/%xx": the two digits as they stand in memory choose the case.
    handle = f"""(call $path (local.get $request) (i32.const 32))
      (i32.store (i32.const 48) (i32.load16_u (i32.add (i32.load (i32.const 36)) (i32.const 2))))
      {arms} (unreachable)"""
    return http_guests.guest(handle, _TEXTS, module=MODULE)


def _hex(number: int) -> int:
    return int.from_bytes(f"{number:02x}".encode(), "little")


def refusing() -> bytes:
    """Return a component whose instances trap while they start."""
    return http_guests.guest(HELLO, _TEXTS, module="(func $begin unreachable) (start $begin)")
