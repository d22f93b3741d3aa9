"""Random WIT types as component text, each with a strategy for its values, and an echo guest for a type.

`echo_component(shape)` is a component whose export `echo` hands its argument to the imported `echo` and returns what
that returned: the value crosses the engine's boundary four times, through the guest's own memory.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from hypothesis import strategies as st

from qwasr.values import Err, Ok, Some, Variant

MAX_FLAT_PARAMS = 16  # canonical ABI: more are passed through memory
MAX_FLAT_RESULTS = 1


@dataclass(frozen=True)
class Shape:
    """One WIT type.

    Attributes:
        text: how component text refers to it when it needs no definition, else an empty string.
        define: its definition, with `{}` for each part's reference.
        parts: the shapes it is made of.
        flat: its core types.
        values: a strategy for Python values of it.
        is_option: whether it is an option.
    """

    text: str
    define: str
    parts: tuple[Shape, ...]
    flat: tuple[str, ...]
    values: st.SearchStrategy[Any]
    is_option: bool = False


def scalar(text: str, flat: str, values: st.SearchStrategy[Any]) -> Shape:
    return Shape(text, "", (), (flat,), values)


def _integer(text: str, bits: int, *, signed: bool) -> Shape:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return scalar(text, "i64" if bits == 64 else "i32", st.integers(low, high))


_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
STRING = Shape("string", "", (), ("i32", "i32"), _text)
BYTES = Shape("", "(list u8)", (), ("i32", "i32"), st.binary(max_size=40))
SCALARS = [
    scalar("bool", "i32", st.booleans()),
    *(
        _integer(f"{'s' if signed else 'u'}{bits}", bits, signed=signed)
        for bits in (8, 16, 32, 64)
        for signed in (False, True)
    ),
    scalar("float32", "f32", st.floats(width=32, allow_nan=False)),
    scalar("float64", "f64", st.floats(allow_nan=False)),
    scalar("char", "i32", st.characters(exclude_categories=["Cs"])),
    STRING,
    BYTES,
]


def _join(left: str, right: str) -> str:
    if left == right:
        return left
    return "i32" if {left, right} == {"i32", "f32"} else "i64"


def _join_cases(cases: list[Shape | None]) -> tuple[str, ...]:
    payload: list[str] = []
    for case in cases:
        for n, core in enumerate(case.flat if case else ()):
            if n < len(payload):
                payload[n] = _join(payload[n], core)
            else:
                payload.append(core)
    return ("i32", *payload)


def list_of(element: Shape) -> Shape:
    if element.text == "u8":
        return BYTES
    return Shape("", "(list {})", (element,), ("i32", "i32"), st.lists(element.values, max_size=4))


def tuple_of(parts: list[Shape]) -> Shape:
    flat = tuple(itertools.chain.from_iterable(p.flat for p in parts))
    return Shape("", f"(tuple {'{} ' * len(parts)})", tuple(parts), flat, st.tuples(*[p.values for p in parts]))


def record_of(parts: list[Shape]) -> Shape:
    names = ["from", "content-type", "c", "d"][: len(parts)]
    python = [{"from": "from_"}.get(n, n.replace("-", "_")) for n in names]
    fields = " ".join(f'(field "{n}" {{}})' for n in names)
    flat = tuple(itertools.chain.from_iterable(p.flat for p in parts))
    values = st.tuples(*[p.values for p in parts]).map(lambda v: SimpleNamespace(**dict(zip(python, v, strict=True))))
    return Shape("", f"(record {fields})", tuple(parts), flat, values)


def variant_of(cases: list[Shape | None]) -> Shape:
    text = " ".join(f'(case "case-{n}"{" {}" if case else ""})' for n, case in enumerate(cases))
    values = st.one_of(
        *[st.builds(Variant, st.just(f"case-{n}"), case.values if case else st.none()) for n, case in enumerate(cases)]
    )
    return Shape("", f"(variant {text})", tuple(c for c in cases if c), _join_cases(cases), values)


def option_of(payload: Shape) -> Shape:
    some = payload.values.map(Some) if payload.is_option else payload.values
    values = st.none() | some
    return Shape("", "(option {})", (payload,), ("i32", *payload.flat), values, is_option=True)


def result_of(ok: Shape | None, err: Shape | None) -> Shape:
    text = f"(result{' {}' if ok else ''}{' (error {})' if err else ''})"
    values = (ok.values.map(Ok) if ok else st.just(Ok())) | (err.values.map(Err) if err else st.just(Err()))
    return Shape("", text, tuple(p for p in (ok, err) if p), _join_cases([ok, err]), values)


ENUM = Shape("", '(enum "one" "two-three" "four")', (), ("i32",), st.sampled_from(["one", "two-three", "four"]))
FLAGS = Shape(
    "", '(flags "read" "write" "x-y")', (), ("i32",), st.frozensets(st.sampled_from(["read", "write", "x-y"]))
)


def _compound(inner: st.SearchStrategy[Shape]) -> st.SearchStrategy[Shape]:
    return st.one_of(
        inner.map(list_of),
        st.lists(inner, min_size=1, max_size=3).map(tuple_of),
        st.lists(inner, min_size=1, max_size=4).map(record_of),
        st.lists(st.none() | inner, min_size=1, max_size=4).map(variant_of),
        inner.map(option_of),
        st.builds(result_of, st.none() | inner, st.none() | inner),
    )


shapes = st.recursive(st.sampled_from([*SCALARS, ENUM, FLAGS]), _compound, max_leaves=8)


class _Definitions:
    """Type definitions of one echo component: every type that is not a keyword is named and exported."""

    def __init__(self) -> None:
        self.inside: list[str] = []  # in the imported instance's type
        self.names: list[str] = []

    def add(self, shape: Shape) -> str:
        if shape.text:
            return shape.text
        reference = shape.define.format(*[self.add(part) for part in shape.parts])
        name = f"t{len(self.names)}"
        self.names.append(name)
        self.inside.append(f'(type ${name}d {reference}) (export "{name}" (type ${name} (eq ${name}d)))')
        return f"${name}"


def echo_component(shape: Shape) -> bytes:
    """Return the text of a component that imports and exports `echo: func(value: T) -> T`."""
    definitions = _Definitions()
    root = definitions.add(shape)
    aliases = "\n".join(
        f'(alias export $api "{n}" (type ${n}i)) (export ${n} "{n}" (type ${n}i))' for n in definitions.names
    )
    params = shape.flat if len(shape.flat) <= MAX_FLAT_PARAMS else ("i32",)
    indirect = len(shape.flat) > MAX_FLAT_RESULTS
    result = "i32" if indirect else shape.flat[0]
    lowered_params = " ".join([*params, *(["i32"] if indirect else [])])
    lowered_result = "" if indirect else f"(result {result})"
    gets = " ".join(f"(local.get {n})" for n in range(len(params)))
    if indirect:
        area = len(params)
        body = f"""(local.set {area} (call $alloc (i32.const 0) (i32.const 0) (i32.const 8) (i32.const 4096)))
          (call $echo {gets} (local.get {area})) (local.get {area})"""
        local = "(local i32)"
    else:
        body, local = f"(call $echo {gets})", ""
    return f"""
(component
  (import "test:echo/api@0.2.0" (instance $api
    {" ".join(definitions.inside)}
    (export "echo" (func (param "value" {root}) (result {root})))))
  {aliases}
  (core module $memory
    (memory (export "memory") 4)
    (global $next (mut i32) (i32.const 64))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (loop $grow
        (if (i32.gt_u (global.get $next) (i32.mul (memory.size) (i32.const 65536)))
          (then (br_if $grow (i32.ne (memory.grow (i32.const 16)) (i32.const -1))) unreachable)))
      (local.get $at)))
  (core instance $mem (instantiate $memory))
  (alias core export $mem "memory" (core memory $m))
  (alias core export $mem "realloc" (core func $realloc))
  (core func $lowered (canon lower (func $api "echo") (memory $m) (realloc $realloc)))
  (core module $main
    (import "h" "echo" (func $echo (param {lowered_params}) {lowered_result}))
    (import "h" "realloc" (func $alloc (param i32 i32 i32 i32) (result i32)))
    (func (export "echo") (param {" ".join(params)}) (result {result}) {local} {body}))
  (core instance $main (instantiate $main (with "h" (instance
    (export "echo" (func $lowered)) (export "realloc" (func $realloc))))))
  (func (export "echo") (param "value" {root}) (result {root})
    (canon lift (core func $main "echo") (memory $m) (realloc $realloc))))
""".encode()


def same(left: Any, right: Any) -> bool:
    """Compare values; a record is equal to anything with equal attributes."""
    if isinstance(right, SimpleNamespace):
        return all(same(getattr(left, name), value) for name, value in vars(right).items())
    if isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(right, (Ok, Err, Some)):
        return type(left) is type(right) and same(left.value, right.value)
    if isinstance(right, Variant):
        return left.case == right.case and same(left.value, right.value)
    return type(left) is type(right) and left == right
