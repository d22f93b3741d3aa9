"""A guest in component text that calls its host in loops: one loop for each type and direction.

The host functions of a case are `in-<case>`, which takes a value, and `out-<case>`, which returns one. The guest
exports loops of the same names; each takes how often to call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from qwasr.hosting import HostResource
from qwasr.values import Variant

__all__ = ["CASES", "INTERFACE", "Case", "Thing", "loops", "text"]

INTERFACE: Final = "bench:host/calls"

_POINTERS: Final = 1024  # where the strings of `list<string>` are listed
_TEXT: Final = 4096  # from here on there are zeros, which are valid bytes and valid text
_HEAP: Final = 262_144
_PAGES: Final = 8
_STRINGS: Final = 10
_SHORT: Final = 16  # bytes


class Thing(HostResource):
    """A resource without a state."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Record:
    """What `record point` is lowered from."""

    x: int
    label: str
    y: int


@dataclass(frozen=True, slots=True)
class Case:
    """One type.

    Attributes:
        name: as the table shows it.
        slug: in the names of functions.
        wit: the type as component text writes it.
        flat: what the guest passes, a core type and a constant for each core parameter.
        value: what the host returns.
        wheel_value: the same for the wheel's layer.
        direct: whether the result comes as a core result, not through memory.
    """

    name: str
    slug: str
    wit: str
    flat: tuple[tuple[str, int], ...]
    value: Any
    wheel_value: Any
    direct: bool = False


def _text(size: int) -> tuple[tuple[str, int], ...]:
    return ("i32", _TEXT), ("i32", size)


def _string(size: int) -> Case:
    return Case(f"string, {_bytes(size)}", f"string-{size}", "string", _text(size), "x" * size, "x" * size)


def _list(size: int) -> Case:
    return Case(f"list<u8>, {_bytes(size)}", f"list-{size}", "(list u8)", _text(size), b"x" * size, b"x" * size)


def _bytes(size: int) -> str:
    return f"{size // 1024} KiB" if size >= 1024 else f"{size} B"


_LABEL: Final = "x" * _SHORT
_RECORD: Final = Record(1, _LABEL, 2)
_TAGGED: Final = (("i32", 1), *_text(_SHORT))  # a case's number, then a string

CASES: Final = (
    Case("u32", "u32", "u32", (("i32", 7),), 7, 7, direct=True),
    _string(_SHORT),
    _string(4096),
    _list(64),
    _list(4096),
    _list(65_536),
    Case("record of 3", "record", "$point", (("i32", 1), *_text(_SHORT), ("i64", 2)), _RECORD, _RECORD),
    Case("variant of 3", "variant", "$choice", _TAGGED, Variant("text", _LABEL), _LABEL),
    Case("option<string>", "option", "(option string)", _TAGGED, _LABEL, _LABEL),
    Case("result<u32, string>", "result", "(result u32 (error string))", (("i32", 0), ("i32", 5), ("i32", 0)), 5, 5),
    Case(
        f"list<string> of {_STRINGS}",
        "strings",
        "(list string)",
        (("i32", _POINTERS), ("i32", _STRINGS)),
        [_LABEL] * _STRINGS,
        [_LABEL] * _STRINGS,
    ),
)

_TYPES: Final = """
    (export "thing" (type $thing (sub resource)))
    (type $point-shape (record (field "x" u32) (field "label" string) (field "y" u64)))
    (export "point" (type $point (eq $point-shape)))
    (type $choice-shape (variant (case "none") (case "text" string) (case "number" u32)))
    (export "choice" (type $choice (eq $choice-shape)))"""

_MEMORY: Final = """
  (core module $memory
    (memory (export "memory") {pages})
    (data (i32.const {pointers}) "{strings}")
    (global $next (mut i32) (i32.const {heap}))
    (func (export "reset") (global.set $next (i32.const {heap})))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.sub (local.get 2) (i32.const 1)))
                              (i32.sub (i32.const 0) (local.get 2))))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $bytes))
  (alias core export $memory "realloc" (core func $realloc))
  (alias export $host "thing" (type $thing))
  (core func $drop (canon resource.drop $thing))"""

# Each: a host function's name, its type as text, its core type, and what one turn of the loop does with it.
_Call = tuple[str, str, str, str]


def _calls() -> list[_Call]:
    calls: list[_Call] = [("in-nothing", "", "", "(call $in-nothing)")]
    for case in CASES:
        into, out = f"in-{case.slug}", f"out-{case.slug}"
        core = f"(param {' '.join(of for of, _ in case.flat)})"
        arguments = " ".join(f"({of}.const {value})" for of, value in case.flat)
        calls.append((into, f'(param "v" {case.wit})', core, f"(call ${into} {arguments})"))
        if case.direct:
            calls.append((out, f"(result {case.wit})", "(result i32)", f"(drop (call ${out}))"))
        else:
            calls.append((out, f"(result {case.wit})", "(param i32)", f"(call ${out} (i32.const 0))"))
    calls += [
        ("out-own", "(result (own $thing))", "(result i32)", "(call $drop (call $out-own))"),
        ("in-own", '(param "v" (own $thing))', "(param i32)", "(call $in-own (call $out-own))"),
        ("in-borrow", '(param "v" (borrow $thing))', "(param i32)", "(call $in-borrow (local.get $thing))"),
    ]
    return calls


def loops() -> list[str]:
    """Return the names of the guest's loops, which are those of the host functions."""
    return [name for name, *_ in _calls()]


def text() -> str:
    """Return the guest."""
    calls = _calls()
    strings = "".join(
        f"\\{byte:02x}" for pair in [(_TEXT, _SHORT)] * _STRINGS for n in pair for byte in n.to_bytes(4, "little")
    )
    options = "(memory $bytes) (realloc $realloc)"
    parts = [
        f'(component\n  (import "{INTERFACE}" (instance $host{_TYPES}',
        *(f'    (export "{name}" (func {of}))' for name, of, _, _ in calls),
        "  ))",
        _MEMORY.format(pages=_PAGES, pointers=_POINTERS, strings=strings, heap=_HEAP),
        *(f'  (core func ${name} (canon lower (func $host "{name}") {options}))' for name, *_ in calls),
        "  (core module $loops",
        '    (import "host" "drop" (func $drop (param i32)))',
        '    (import "memory" "reset" (func $reset))',
        *(f'    (import "host" "{name}" (func ${name} {core}))' for name, _, core, _ in calls),
        *(_loop(name, turn) for name, _, _, turn in calls),
        "  )",
        '  (core instance $loops (instantiate $loops (with "memory" (instance $memory)) (with "host" (instance',
        '    (export "drop" (func $drop))',
        *(f'    (export "{name}" (func ${name}))' for name, *_ in calls),
        "  ))))",
        *(f'  (func (export "{name}") (param "n" u32) (canon lift (core func $loops "{name}")))' for name, *_ in calls),
        ")",
    ]
    return "\n".join(parts)


def _loop(name: str, turn: str) -> str:
    thing = "(local.set $thing (call $out-own)) " if name == "in-borrow" else ""
    return (
        f'    (func (export "{name}") (param $n i32) (local $thing i32) {thing}(loop $again {turn} (call $reset)\n'
        "      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))"
    )
