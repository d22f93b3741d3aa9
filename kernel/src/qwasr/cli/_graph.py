"""A component with what calls it and what serves it, drawn as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwasr._known import wit_base
from qwasr.backends import choose
from qwasr.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qwasr.engine import Component
    from qwasr.registry import Registry

__all__ = ["draw"]


def draw(component: Component, registry: Registry, environ: Mapping[str, str]) -> list[str]:
    """Return the lines of a drawing: exports and the guest on top, below it each interface and its backends.

    ::

        wasi:http/incoming-handler ─▶ app
        ├─ wasi ─────── system (default)
        ├─ keyvalue ─┬─ redis (QWASR_KEYVALUE=redis)
        │            └─ memory (store SESSIONS: QWASR_KEYVALUE__SESSIONS=memory)
        └─ wasi:sql ─── MISSING (pip install qwasr-sql)
    """
    served = {server.export for server in registry.servers}
    callers = [wit_base(name) for name in component.exports if wit_base(name) in served | {"wasi:cli/run"}]
    lines = [f"{name} ─▶ {component.name}" for name in callers] or [component.name]
    names = [interface.name for interface, _ in registry.needed(component.imports)]
    branches = [(name, _backends(name, registry, environ)) for name in names]
    branches += _missing(component, registry).items()
    width = max((len(name) for name, _ in branches), default=0)
    for number, (name, leaves) in enumerate(branches, 1):
        last = number == len(branches)
        lines += _branch(name, leaves, width, last=last)
    return lines


def _branch(name: str, leaves: Sequence[str], width: int, *, last: bool) -> list[str]:
    """Return the lines of one interface, with a leaf for each of its backends."""
    trunk = " " if last else "│"
    lines = []
    for number, leaf in enumerate(leaves, 1):
        if number == 1:
            fork = "┬" if len(leaves) > 1 else "─"
            lines.append(f"{'└' if last else '├'}─ {name} {'─' * (width - len(name))}─{fork}─ {leaf}")
        else:
            fork = "└" if number == len(leaves) else "├"
            lines.append(f"{trunk}  {' ' * width}  {fork}─ {leaf}")
    return lines


def _backends(name: str, registry: Registry, environ: Mapping[str, str]) -> list[str]:
    try:
        bindings = [choice.binding for choice in choose(registry.interfaces[name], registry, environ)]
    except ConfigurationError as error:
        return [f"MISSING ({' '.join(str(error).split())})"]
    stores = [f"{one.backend} (store {one.store}: {one.why})" for one in bindings[1:]]
    first = bindings[0]
    return [f"{first.backend} ({first.why})" if first.backend else "no backend needed", *stores]


def _missing(component: Component, registry: Registry) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in component.imports:
        if registry.interface_of(name) is None:
            hint = registry.hint(name) or "no plug-in that provides it is known"
            found.setdefault(wit_base(name).partition("/")[0], [f"MISSING ({hint})"])
    return found
