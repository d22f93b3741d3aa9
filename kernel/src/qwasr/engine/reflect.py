"""From a component's reflected types to codecs; runs at link time only.

Equal types share one codec, so a record is one Python class wherever it appears. The reflection itself is the wheel's,
but not its comparison of types: where resources of two imported interfaces are compared, it aborts the process. So a
type is known by a key of its structure, in which a resource is the host type behind it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wasmtime import component as wheel
from wasmtime.component import _types as wheel_types  # the public package does not export every type class

from qwasr.engine.codec import SCALARS, Codec
from qwasr.engine.composite import (
    ResultCodec,
    enum_codec,
    flags_codec,
    generic_list,
    option_codec,
    record_codec,
    tuple_codec,
    variant_codec,
)
from qwasr.engine.resources import HandleCodec, HostType, Running, guest_codec
from qwasr.engine.sized import SizedCodecs, ValueLimits
from qwasr.errors import LinkError

if TYPE_CHECKING:
    from collections.abc import Hashable

    from qwasr.hosting import HostResource

ResourceType = wheel.ResourceType
FuncType = wheel_types.FuncType
InstanceType = wheel_types.ComponentInstanceType


class Types:
    """The types of one component: their names, their codecs, the resources that the host implements."""

    def __init__(self, running: Running, limits: ValueLimits) -> None:
        self._running = running
        self._sized = SizedCodecs(limits)
        self._names: dict[Hashable, str] = {}
        self._codecs: dict[Hashable, Codec] = {}
        self._resources: list[tuple[ResourceType, HostType]] = []

    def name(self, reflected: Any, name: str) -> None:
        """Remember the name that an interface gives to a type; the first one stays."""
        if type(reflected).__name__ in _NAMED:
            self._names.setdefault(self._key(reflected), name)

    def host_type(self, reflected: ResourceType) -> HostType | None:
        """Return the host type of a resource type, by identity: one type may be exported under several names."""
        return next((host for known, host in self._resources if known == reflected), None)

    def define(self, reflected: ResourceType, type_id: int, cls: type[HostResource], name: str) -> HostType:
        """Let the host implement a resource type."""
        host = HostType(type_id, cls, name)
        self._resources.append((reflected, host))
        return host

    def codec(self, reflected: Any) -> Codec:
        """Return the codec of a reflected type.

        Raises:
            LinkError: the type cannot cross this engine's boundary (WASI 0.3 streams and futures, maps).
        """
        kind = type(reflected).__name__
        scalar = SCALARS.get(kind)
        if scalar is not None:
            return scalar
        if kind == "String":
            return self._sized.string
        if kind in ("OwnType", "BorrowType"):
            return self._handle(reflected, owned=kind == "OwnType")
        key = self._key(reflected)
        known = self._codecs.get(key)
        if known is None:
            known = self._codecs[key] = self._make(kind, reflected, self._names.get(key, "anonymous"))
        return known

    def _handle(self, reflected: Any, *, owned: bool) -> Codec:
        host = self.host_type(reflected.ty)
        if host is None:
            return guest_codec(self._running, "a guest's own resource")
        return HandleCodec(self._running, host, owned=owned)

    def _key(self, t: Any) -> Hashable:
        """Return what is equal for equal types, and for no others; None for no type."""
        kind = type(t).__name__
        match kind:
            case "NoneType":
                return None
            case "OwnType" | "BorrowType":
                return kind, self.host_type(t.ty)
            case "ListType":
                return kind, self._key(t.element)
            case "RecordType":
                return kind, tuple((field, self._key(of)) for field, of in t.fields)
            case "TupleType":
                return kind, tuple(self._key(of) for of in t.elements)
            case "VariantType":
                return kind, tuple((case, self._key(of)) for case, of in t.cases)
            case "EnumType" | "FlagsType":
                return kind, tuple(t.names)
            case "OptionType":
                return kind, self._key(t.payload)
            case "ResultType":
                return kind, self._key(t.ok), self._key(t.err)
        return kind

    def _make(self, kind: str, t: Any, name: str) -> Codec:
        match kind:
            case "ListType":
                element = t.element
                element_kind = type(element).__name__
                if element_kind == "U8":
                    return self._sized.byte_list
                return self._sized.number_lists.get(element_kind) or generic_list(self.codec(element), self._sized)
            case "RecordType":
                return record_codec(name, [(field, self.codec(of)) for field, of in t.fields])
            case "TupleType":
                return tuple_codec([self.codec(of) for of in t.elements])
            case "VariantType":
                return variant_codec(name, [(case, None if of is None else self.codec(of)) for case, of in t.cases])
            case "EnumType":
                return enum_codec(name, t.names)
            case "FlagsType":
                return flags_codec(name, t.names)
            case "OptionType":
                payload = t.payload
                return option_codec(self.codec(payload), nested=type(payload).__name__ == "OptionType")
            case "ResultType":
                ok, err = t.ok, t.err
                return ResultCodec(None if ok is None else self.codec(ok), None if err is None else self.codec(err))
        msg = f"the type {kind} cannot cross the boundary of this engine (WASI 0.3 needs a newer C API)"
        raise LinkError(msg)


_NAMED = frozenset({"RecordType", "VariantType", "EnumType", "FlagsType"})
