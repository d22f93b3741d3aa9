"""The same guests and host functions on the component layer that the wasmtime wheel brings along: the peer.

It is synchronous, so only plain functions can be compared. Host resources are Python objects here as there; the table
that the wheel lacks is kept in the simplest way.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from wasmtime import Config, Engine, Store
from wasmtime import component as wheel
from wasmtime.component import _types as wheel_types  # the public package does not export every type class

from qwasr.engine.composite import snake_case
from qwasr.engine.names import FunctionName, InterfaceName
from qwasr.hosting import HostInterface, HostResource


class WheelGuest:
    """A component, linked through the wheel's own layer.

    Args:
        source: a component's path, or component text.
        hosts: what provides its imports.
    """

    def __init__(self, source: Path | str, hosts: Sequence[HostInterface]) -> None:
        self.engine = Engine(Config())
        data = source.read_bytes() if isinstance(source, Path) else source
        self.component = wheel.Component(self.engine, data)
        self.table: dict[int, HostResource] = {}
        self._reps = itertools.count(1)
        self._classes = {cls.wit_name: cls for host in hosts for cls in host.resources}
        self._ids = {cls: number for number, cls in enumerate(self._classes.values(), 1)}
        self._known: list[tuple[wheel.ResourceType, int]] = []
        self.linker = wheel.Linker(self.engine)
        with self.linker.root() as root:
            imports: dict[str, Any] = dict(self.component.type.imports(self.engine))
            for name, extern in imports.items():
                wanted = InterfaceName.parse(name)
                host = next(host for host in hosts if InterfaceName.parse(host.wit).serves(wanted))
                with root.add_instance(name) as instance:
                    members = {member: of.ty for member, of in extern.ty.exports(self.engine).items()}
                    for member, of in members.items():
                        if isinstance(of, wheel.ResourceType):
                            instance.add_resource(member, self._host_type(member, of), self._dropped)
                    for member, of in members.items():
                        if isinstance(of, wheel_types.FuncType):
                            instance.add_func(member, self._adapted(_target(host, member, self._classes), of))

    def store(self) -> Store:
        """Return a fresh store."""
        return Store(self.engine)

    def index(self, interface: str | None, name: str) -> wheel.ExportIndex:
        """Return the index of an export, to be looked up once."""
        parent = None if interface is None else self.component.get_export_index(interface)
        index = self.component.get_export_index(name, parent)
        if index is None:
            msg = f"the component does not export {name}"
            raise LookupError(msg)
        return index

    def instantiate(self, store: Store, index: wheel.ExportIndex) -> wheel.Func:
        """Return an exported function of a fresh instance."""
        function = self.linker.instantiate(store, self.component).get_func(store, index)
        if function is None:
            msg = "the component does not export that function"
            raise LookupError(msg)
        return function

    def own(self, resource: HostResource) -> wheel.ResourceHost:
        """Return a handle to give away."""
        rep = next(self._reps)
        self.table[rep] = resource
        return wheel.ResourceHost.own(rep, self._ids[type(resource)])

    def _host_type(self, name: str, reflected: wheel.ResourceType) -> wheel.ResourceType:
        number = next((number for known, number in self._known if known == reflected), 0)  # it may have several names
        if not number:
            number = self._ids[self._classes[name]]
            self._known.append((reflected, number))
        return wheel.ResourceType.host(number)

    def _dropped(self, _store: Any, rep: int) -> None:
        self.table.pop(rep).drop()

    def _adapted(self, target: Callable[..., Any], reflected: Any) -> Callable[..., Any]:
        borrowed = {n for n, (_, of) in enumerate(reflected.params) if isinstance(of, wheel.BorrowType)}
        result = reflected.result
        tagged = isinstance(result, wheel.ResultType) and result._tagged()

        def call(store: Any, *arguments: Any) -> Any:
            values = []
            for n, argument in enumerate(arguments):
                if isinstance(argument, wheel.ResourceAny):
                    rep = argument.to_host(store).rep
                    values.append(self.table[rep] if n in borrowed else self.table.pop(rep))
                else:
                    values.append(argument)
            value = target(*values)
            if isinstance(value, HostResource):
                return self.own(value)
            return wheel.Variant("ok", value) if tagged else value

        return call


def _target(host: HostInterface, name: str, resources: dict[str, type[HostResource]]) -> Callable[..., Any]:
    function = FunctionName.parse(name)
    if function.kind == "function":
        found: Callable[..., Any] = getattr(host, snake_case(function.function))
        return found
    cls = resources[function.resource]
    return cls if function.kind == "constructor" else getattr(cls, snake_case(function.function))
