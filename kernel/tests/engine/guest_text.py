"""Guests in component text, from the parts that a test cares about.

`guest` writes the wiring between the component's imports, one core module and the component's exports. In the core
module an imported function ``sleep`` is ``$sleep``, ``[method]counter.next`` is ``$method.counter.next``, and dropping
a handle of the resource ``counter`` is ``$drop.counter``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qwasr.engine import LinkedComponent

_TYPE = r"((?:\((?:[^()]|\([^()]*\))*\)|[^\s()])+)"
_PARAM = re.compile(rf'\(param "[^"]+" {_TYPE}\)')
_RESULT = re.compile(rf"\(result {_TYPE}\)")
_CORE = {"u64": "i64", "s64": "i64", "f32": "f32", "f64": "f64", "string": "i32 i32"}
_MEMORY = """
  (core module $memory
    (memory (export "memory") 2)
    (global $next (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $mem (instantiate $memory))
  (alias core export $mem "memory" (core memory $m))
  (alias core export $mem "realloc" (core func $realloc))
"""


@dataclass(frozen=True)
class Imports:
    """One imported interface.

    Attributes:
        name: for example ``"test:host/api@0.2.3"``.
        functions: the component type of each function, ``'(param "n" u32) (result u32)'``.
        types: text before the functions: types and resources of the interface.
        resources: names of its resources.
    """

    name: str
    functions: Mapping[str, str] = field(default_factory=dict)
    types: str = ""
    resources: tuple[str, ...] = ()


def resource(name: str) -> str:
    """Return the text that declares a resource in an interface, as ``$name``."""
    return f'(export "{name}" (type ${name} (sub resource)))'


def _flat(of: str) -> str:
    return "i32 i32" if of.startswith(("(list", "(result (")) else _CORE.get(of, "i32")


def _core_type(function: str) -> str:
    """Return the core type of a component function type of flat parts: numbers, strings, lists, handles, results."""
    params = [_flat(of) for of in _PARAM.findall(function)]
    results = [_flat(of) for of in _RESULT.findall(function)]
    if results and " " in results[0]:  # canonical ABI: the caller says where a result of two words goes
        params, results = [*params, "i32"], []
    text = f"(param {' '.join(params)})" if params else ""
    return text + (f" (result {results[0]})" if results else "")


def _identifier(name: str) -> str:
    return "$" + name.replace("[", "").replace("]", ".")


def guest(
    core: str, exports: Mapping[str, str], *imports: Imports, memory: bool = False, extra: str = "", start: str = ""
) -> bytes:
    """Return the text of a component.

    Args:
        core: the functions of its core module.
        exports: the component type of each core export that becomes an export of the component.
        *imports: the interfaces that it imports.
        memory: whether it has a memory (two pages, shared by all) and an allocator that never frees.
        extra: text in the component, after its imports.
        start: further text at the component's end.
    """
    options = "(memory $m) (realloc $realloc)" if memory else ""
    instances, lowered, core_imports, arguments = [], [], [], []
    for n, interface in enumerate(imports):
        functions = "\n".join(f'(export "{name}" (func {of}))' for name, of in interface.functions.items())
        instances.append(f'(import "{interface.name}" (instance $i{n} {interface.types} {functions}))')
        for name in interface.resources:
            instances.append(f'(alias export $i{n} "{name}" (type ${name}))')
            lowered.append(f"(core func $drop.{name} (canon resource.drop ${name}))")
            core_imports.append(f'(import "h" "drop.{name}" (func $drop.{name} (param i32)))')
            arguments.append(f'(export "drop.{name}" (func $drop.{name}))')
        for name, of in interface.functions.items():
            unique = _identifier(name)
            lowered.append(f'(core func {unique} (canon lower (func $i{n} "{name}") {options}))')
            core_imports.append(f'(import "h" "{name}" (func {unique} {_core_type(of)}))')
            arguments.append(f'(export "{name}" (func {unique}))')
    if memory:
        core_imports.append('(import "h" "memory" (memory $memory 2))')
        arguments.append('(export "memory" (memory $m))')
    nl = "\n  "
    lifted = [f'(func (export "{n}") {of} (canon lift (core func $i "{n}") {options}))' for n, of in exports.items()]
    return f"""(component
  {nl.join(instances)}
  {extra}
  {_MEMORY if memory else ""}
  {nl.join(lowered)}
  (core module $main
    {nl.join(core_imports)}
    {core})
  (core instance $i (instantiate $main (with "h" (instance {" ".join(arguments)}))))
  {nl.join(lifted)}
  {start})
""".encode()


async def call(linked: LinkedComponent, name: str, *args: Any, interface: str | None = None) -> Any:
    """Call an export of a fresh guest."""
    store = linked.store()
    try:
        return await store.call(linked.function(interface, name), *args)
    finally:
        store.close()
