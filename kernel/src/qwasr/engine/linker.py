"""Wiring a component's imports to Python classes, once, before anything runs.

The component says what it imports, by name and by type; the classes say what they have. Everything that could fail to
fit is found here: a missing interface, resource or function, and parameters of another number or other names.
"""

from __future__ import annotations

import inspect
import itertools
from typing import TYPE_CHECKING, Any, Final

from qwasr.engine._capi import check, ffi, function_address, lib, pointer
from qwasr.engine.callbacks import HostFunction, destructor, make_callback, ready_callback
from qwasr.engine.composite import snake_case
from qwasr.engine.hostcalls import write_lowering
from qwasr.engine.instance import Store
from qwasr.engine.names import FunctionName, InterfaceName
from qwasr.engine.owned import owned_in
from qwasr.engine.reflect import FuncType, InstanceType, ResourceType, Types
from qwasr.engine.resources import Running
from qwasr.errors import ComponentError, LinkError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qwasr.engine.codec import Codec
    from qwasr.engine.component import Component
    from qwasr.engine.engine import Engine
    from qwasr.engine.owned import Owned
    from qwasr.engine.scratch import Scratch
    from qwasr.hosting import HostInterface, HostResource

__all__ = ["ExportedFunction", "LinkedComponent", "link"]

_type_ids: Final = itertools.count(1)  # the library's numbers for resource types, unique in the process


class ExportedFunction:
    """An export, looked up once.

    Attributes:
        name: the export as messages show it.
        index: address of the library's export index.
        parameters: how many it has.
        lower: writes the arguments of a call, from a word index on, for a store.
        result: the result's codec, or None.
    """

    __slots__ = ("_keep", "index", "lower", "name", "parameters", "result")

    def __init__(self, name: str, index: Any, parameters: list[tuple[str, Codec]], result: Codec | None) -> None:
        self.name = name
        self._keep = index
        self.index = pointer(index)
        self.parameters = len(parameters)
        self.lower = write_lowering(name, parameters)
        self.result = result


class LinkedComponent:
    """A component whose imports are provided; makes stores.

    Attributes:
        component: what was linked.
        engine: where it runs.
        hosts: the objects behind the imports.
        trapped: imports that nobody provides and that trap when called.
        spare: what stores that are gone have left for those that come.
    """

    def __init__(self, engine: Engine, component: Component) -> None:
        self.engine = engine
        self.component = component
        self.hosts: tuple[HostInterface, ...] = ()
        self.trapped: tuple[str, ...] = ()
        self.running = Running()
        self.types = Types(self.running, engine.options.values)
        self.native_engine = component.native_engine_pointer
        self.component_pointer = pointer(component.native)
        self.pointer = lib.wasmtime_component_linker_new(self.native_engine)
        ready = ready_callback(self.running)
        self.running.ready_address = function_address(ready)
        self.spare: list[Scratch] = []
        self.callbacks: list[Any] = [ready]  # cffi closures: they have to live as long as the linker

    def __del__(self) -> None:
        if linker := getattr(self, "pointer", 0):
            lib.wasmtime_component_linker_delete(linker)

    def store(self) -> Store:
        """Return a fresh store; nothing is instantiated before its first call."""
        return Store(self)

    def _export(self, interface: str) -> str | None:
        wanted = InterfaceName.parse(interface)
        return next((name for name in self.component.exports if wanted.serves(InterfaceName.parse(name))), None)

    def exports(self, interface: str) -> bool:
        """Return whether the component exports an interface, in any version unless one is named."""
        return self._export(interface) is not None

    def function(self, interface: str | None, name: str) -> ExportedFunction:
        """Look up an exported function; do it once, not per call.

        Args:
            interface: ``"wasi:http/incoming-handler"``, or None for a function at the top level.
            name: the function's WIT name.

        Raises:
            ComponentError: the component does not export it.
        """
        native = self.component.native
        export = None if interface is None else self._export(interface)
        if interface is not None and export is None:
            raise ComponentError(self._lacks(interface))
        parent = native.get_export_index(export) if export is not None else None
        index = native.get_export_index(name, parent)
        reflected = self.component.export_type(export, name)
        if index is None or not isinstance(reflected, FuncType):
            raise ComponentError(self._lacks(f"{interface}#{name}" if interface else name))
        full_name = f"{export}#{name}" if export else name
        parameters = [(snake_case(param), self.types.codec(of)) for param, of in reflected.params]
        result = reflected.result
        return ExportedFunction(full_name, index, parameters, None if result is None else self.types.codec(result))

    def _lacks(self, what: str) -> str:
        exports = ", ".join(self.component.exports) or "nothing"
        return f"{self.component.name} does not export {what}; it exports {exports}"


def link(
    engine: Engine,
    component: Component,
    hosts: Sequence[HostInterface],
    *,
    trap_unknown_imports: bool,
    providers: Callable[[str], str | None],
) -> LinkedComponent:
    """Provide a component's imports from host interfaces; see `Engine.link`."""
    linked = LinkedComponent(engine, component)
    linked.hosts = tuple(hosts)
    missing: list[str] = []
    root = lib.wasmtime_component_linker_root(linked.pointer)
    try:
        for name, reflected in component.import_types():
            host = _choose(hosts, name)
            if host is None or not isinstance(reflected, InstanceType):
                missing.append(name)
                continue
            _Interface(linked, name, host, reflected.exports(component.native_engine)).define(root)
    finally:
        lib.wasmtime_component_linker_instance_delete(root)
    if missing and not trap_unknown_imports:
        raise LinkError(_missing_message(component.name, missing, providers))
    if missing:
        check(
            lib.wasmtime_component_linker_define_unknown_imports_as_traps(linked.pointer, linked.component_pointer),
            lambda text: LinkError(f"the unknown imports of {component.name} cannot be linked as traps: {text}"),
        )
        linked.trapped = tuple(missing)
    return linked


def _choose(hosts: Sequence[HostInterface], name: str) -> HostInterface | None:
    """Return the host of an import: one for exactly this version, else one for all versions."""
    wanted = InterfaceName.parse(name)
    serving = [host for host in hosts if InterfaceName.parse(host.wit).serves(wanted)]
    return max(serving, key=lambda host: "@" in host.wit, default=None)


def _missing_message(component: str, missing: list[str], providers: Callable[[str], str | None]) -> str:
    each = "; ".join(f"{name} ({providers(name) or 'no plug-in that provides it is known'})" for name in missing)
    return (
        f"{component} imports what nothing installed provides: {each}. "
        "Install what is missing, or link these imports as traps with --trap-unknown-imports."
    )


class _Interface:
    """One imported interface on its way into the linker."""

    def __init__(self, linked: LinkedComponent, name: str, host: HostInterface, exports: dict[str, Any]) -> None:
        self._linked = linked
        self._name = name
        self._host = host
        self._exports = [(export, extern.ty) for export, extern in exports.items()]
        self._classes: dict[str, type[HostResource]] = {cls.wit_name: cls for cls in host.resources}

    def define(self, root: int) -> None:
        """Define resources, then functions: a function's type may mention any of the resources."""
        child = ffi.new("uintptr_t *")
        raw = self._name.encode()
        self._check(lib.wasmtime_component_linker_instance_add_instance(root, raw, len(raw), child))
        instance = child[0]
        try:
            for name, reflected in self._exports:
                if isinstance(reflected, ResourceType):
                    self._define_resource(instance, name, reflected)
                elif not isinstance(reflected, FuncType):
                    self._linked.types.name(reflected, name)
            for name, reflected in self._exports:
                if isinstance(reflected, FuncType):
                    self._define_function(instance, name, reflected)
        finally:
            lib.wasmtime_component_linker_instance_delete(instance)

    def _define_resource(self, instance: int, name: str, reflected: ResourceType) -> None:
        linked = self._linked
        host_type = linked.types.host_type(reflected)  # known when this is another name of the same type
        if host_type is None:
            cls = self._classes.get(name)
            if cls is None:
                raise self._error(f"has no class for the resource {name!r}")
            host_type = linked.types.define(reflected, next(_type_ids), cls, name)
        callback = destructor(linked.running, f"{self._name}#{name}")
        linked.callbacks.append(callback)
        native = lib.wasmtime_component_resource_type_new_host(host_type.id)
        raw = name.encode()
        try:
            self._check(
                lib.wasmtime_component_linker_instance_add_resource(
                    instance, raw, len(raw), native, function_address(callback), 0, 0
                )
            )
        finally:
            lib.wasmtime_component_resource_type_delete(native)

    def _define_function(self, instance: int, name: str, reflected: Any) -> None:
        types = self._linked.types
        parameters = [(snake_case(param), of) for param, of in reflected.params]
        target, is_method = self._target(FunctionName.parse(name), name)
        names = [param for param, _ in parameters]
        self._check_signature(name, target, names[1:] if is_method else names)
        result = None if reflected.result is None else types.codec(reflected.result)
        self._host.imported(name, "" if result is None else result.name)
        function = HostFunction(
            name=f"{self._name}#{name}",
            target=snake_case(FunctionName.parse(name).function) if is_method else target,
            lifts=[types.codec(of) for _, of in parameters],
            result=result,
            waits=_waits(target),
            counter=self._host.counter,
            owned=_owned(reflected.result),
        )
        callback, add = make_callback(self._linked.running, function)
        self._linked.callbacks.append(callback)
        raw = name.encode()
        self._check(add(instance, raw, len(raw), function_address(callback), 0, 0))

    def _target(self, name: FunctionName, full_name: str) -> tuple[Any, bool]:
        """Return what Python calls for a function, and whether it is a method of its first argument."""
        own = type(self._host).__name__
        if name.kind == "function":
            return self._callable(getattr(self._host, snake_case(name.function), None), own, name, full_name), False
        cls = self._classes.get(name.resource)
        if cls is None:
            raise self._error(f"has no class for the resource {name.resource!r}")
        if name.kind == "static":  # it may need what only the interface's object has
            target = getattr(self._host, snake_case(f"{name.resource}-{name.function}"), None)
            if target is not None:
                return self._callable(target, own, name, full_name), False
        target = cls if name.kind == "constructor" else getattr(cls, snake_case(name.function), None)
        return self._callable(target, cls.__name__, name, full_name), name.kind == "method"

    def _callable(self, target: Any, owner: str, name: FunctionName, full_name: str) -> Any:
        if not snake_case(name.function or "new").isidentifier():  # it becomes part of a function's source
            raise self._error(f"cannot have a function of the name {full_name!r}")
        if target is None or not callable(target):
            raise self._error(f"lacks the function {full_name!r} ({owner}.{snake_case(name.function)})")
        return target

    def _check_signature(self, name: str, target: Any, wanted: list[str]) -> None:
        try:
            parameters = list(inspect.signature(target).parameters.values())
        except (TypeError, ValueError):
            return  # a built-in without a signature: the call itself will tell
        if FunctionName.parse(name).kind == "method":
            parameters = parameters[1:]  # self
        if any(p.kind is p.VAR_POSITIONAL for p in parameters):
            return
        have = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY and p.default is p.empty]
        optional = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY and p.default is not p.empty]
        if have != wanted and have + optional != wanted:
            raise self._error(
                f"function {name!r} takes ({', '.join(wanted)}) in the component "
                f"and ({', '.join(have + optional)}) in {getattr(target, '__qualname__', target)}"
            )

    def _error(self, what: str) -> LinkError:
        cls = type(self._host)
        return LinkError(
            f"{self._linked.component.name} imports {self._name}, but {cls.__module__}.{cls.__name__} {what}"
        )

    def _check(self, error: int) -> None:
        check(error, lambda text: self._error(f"cannot be linked: {text}"))


def _owned(result: Any) -> tuple[Owned | None, Owned | None]:
    """Return what finds the resources in a function's answer, and in its error."""
    if type(result).__name__ == "ResultType":
        return owned_in(result.ok), owned_in(result.err)
    return owned_in(result), None


def _waits(target: Any) -> bool:
    """Return whether a host function may have to wait; see `qwasr.hosting` for the three kinds."""
    if inspect.iscoroutinefunction(target):
        return True
    annotations = getattr(target, "__annotations__", {})
    return "Awaitable" in str(annotations.get("return", ""))
