"""Handles: a host's objects as seen by the guest, and a guest's own resources as seen by the host.

The library knows a host resource as a number, its *rep*; the running store's table holds the Python object for it.
Handing an object to the guest as `own` enters it; the guest giving it back, dropping it, or the end of the call
removes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn

from qwasr.engine._capi import address_of, lib, new_words, take_error, u32s, view, words
from qwasr.engine.codec import RESOURCE, Codec, Misfit, Source
from qwasr.hosting import HostResource

if TYPE_CHECKING:
    from qwasr.engine.instance import Store

_SCRATCH_OWNER, _SCRATCH = new_words(1)  # one thread drives all stores, and no callback runs between write and read
_SCRATCH_ADDRESS: Final = address_of(_SCRATCH)
_SCRATCH_VIEW: Final = view(_SCRATCH_ADDRESS, 8).cast("Q")
_KEPT_HANDLES: Final = 64  # of each resource type, owned and borrowed: as many as an ordinary guest's call uses


class Running:
    """Which store's guest is on the stack right now; one thread drives all stores of a component.

    Attributes:
        store: set before each poll.
        ready_address: the callback by which the library asks whether a late answer is there.
    """

    __slots__ = ("ready_address", "store")

    store: Store
    ready_address: int


class HostType:
    """One distinct resource type of a component that the host implements.

    Attributes:
        id: the library's number for it.
        cls: the Python class behind it.
        name: its WIT name.
        kept: the library's objects for owned handles, by their number; see `lower`.
    """

    __slots__ = ("_borrowed", "cls", "id", "kept", "name")

    def __init__(self, type_id: int, cls: type[HostResource], name: str) -> None:
        self.id = type_id
        self.cls = cls
        self.name = name
        self.kept: dict[int, int] = {}
        self._borrowed: dict[int, int] = {}

    def __del__(self) -> None:
        for host in (*self.kept.values(), *self._borrowed.values()):
            lib.wasmtime_component_resource_host_delete(host)

    def lower(self, i: int, rep: int, context: int, *, owned: bool) -> None:
        """Write a handle at word index *i*.

        The library's object for a handle is type, rep and kind, and knows no store. Reps are small and the same in
        every store, so the objects are kept: making and freeing one would be two of three calls into the library.
        """
        kept = self.kept if owned else self._borrowed
        host = kept.get(rep, 0)
        if host:
            error = lib.wasmtime_component_resource_host_to_any(context, host, (i + 2) << 3)
        else:
            host = lib.wasmtime_component_resource_host_new(owned, rep, self.id)
            error = lib.wasmtime_component_resource_host_to_any(context, host, (i + 2) << 3)
            if rep < _KEPT_HANDLES:
                kept[rep] = host
            else:
                lib.wasmtime_component_resource_host_delete(host)
        if error:
            raise RuntimeError(take_error(error))
        words[i] = RESOURCE


class GuestHandle:
    """A resource that the guest owns, opaque to the host.

    It lives as long as the call's store: the C API has no asynchronous drop, so the guest's destructor never runs.
    """

    __slots__ = ("_any", "_store")

    def __init__(self, any_pointer: int, store: Store) -> None:
        self._any = any_pointer
        self._store = store

    def clone_for(self, store: Store) -> int:
        """Return a copy of the library's handle, to be given away; only to the store that it came from."""
        if store is not self._store or not self._any:
            raise Misfit(self, "a handle of this guest", "it belongs to another call or its call has ended")
        return lib.wasmtime_component_resource_any_clone(self._any)  # type: ignore[no-any-return]  # cffi has no types

    def release(self) -> None:
        """Free the library's handle; the store calls it before it goes."""
        any_pointer, self._any = self._any, 0
        if any_pointer:
            lib.wasmtime_component_resource_any_delete(any_pointer)


def _find_rep() -> int | None:
    """Return where the library's handle object holds its rep, as an index of 32-bit words; None if that is not plain.

    Reading it there saves one of three calls into the library for each handle that a guest passes.
    """
    offsets = set(range(4))
    for rep in (0x5EED_0001, 0x0ACE_0F02):
        host = lib.wasmtime_component_resource_host_new(True, rep, 0x77)
        offsets = {offset for offset in offsets if u32s[(host >> 2) - 2 + offset] == rep}
        lib.wasmtime_component_resource_host_delete(host)
    return offsets.pop() if len(offsets) == 1 else None


_REP: Final = _find_rep()


def _rep(i: int, context: int) -> int:
    """Return the rep of the host resource at word index *i*; an owned one leaves the guest's table."""
    error = lib.wasmtime_component_resource_any_to_host(context, words[i + 1], _SCRATCH_ADDRESS)
    if error:
        raise RuntimeError(take_error(error))
    host = words[_SCRATCH]
    rep = lib.wasmtime_component_resource_host_rep(host)
    lib.wasmtime_component_resource_host_delete(host)
    return rep  # type: ignore[no-any-return]  # cffi has no types


class HandleCodec(Codec):
    """A handle of a host resource: an owned object changes hands, a borrowed one stays with its owner."""

    __slots__ = ("_host", "_owned")

    def __init__(self, running: Running, host: HostType, *, owned: bool) -> None:
        name = f"{'own' if owned else 'borrow'}<{host.name}>"
        cls, lower_handle = host.cls, host.lower

        def lift_owned(i: int) -> HostResource:
            store = running.store
            return store.resources.pop(_rep(i, store.context))

        def lift_borrowed(i: int) -> HostResource:
            store = running.store
            return store.resources[_rep(i, store.context)]

        def lower_owned(i: int, value: Any) -> None:
            if not isinstance(value, cls):
                raise Misfit(value, name)
            store = running.store
            lower_handle(i, store.enter(value), store.context, owned=True)

        def lower_borrowed(i: int, value: Any) -> None:
            if not isinstance(value, cls):
                raise Misfit(value, name)
            store = running.store
            lower_handle(i, store.lend(value), store.context, owned=False)

        if owned:
            super().__init__(name, lift_owned, lower_owned)
        else:
            super().__init__(name, lift_borrowed, lower_borrowed)
        self._host = host
        self._owned = owned

    def lift_source(self, source: Source, name: str, offset: int) -> str:
        """Ask the library for the handle's rep, and the store for the object of that number."""
        if _REP is None:
            return super().lift_source(source, name, offset)
        to_host = source.bind("to_host", lib.wasmtime_component_resource_any_to_host)
        source.bind("scratch", _SCRATCH_VIEW)
        source.line(f"error_{name} = {to_host}(context, words[a + {offset + 1}], {_SCRATCH_ADDRESS})")
        source.line(f"if error_{name}:")
        source.line(f"    {source.bind('refuse', _refuse)}(error_{name})")
        source.line("host = scratch[0]")
        rep = f"{source.bind('u32s', u32s)}[(host >> 2) + {_REP - 2}]"
        source.line(f"{name} = store.resources.pop({rep})" if self._owned else f"{name} = store.resources[{rep}]")
        source.line(f"{source.bind('delete_host', lib.wasmtime_component_resource_host_delete)}(host)")
        return name

    def lower_source(self, source: Source) -> None:
        """Enter the object into the store, and write the library's handle for its number."""
        if not self._owned:
            super().lower_source(source)
            return
        source.line(f"if not isinstance(value, {source.bind('cls', self._host.cls)}):")
        source.line(f"    raise {source.bind('Misfit', Misfit)}(value, {self.name!r})")
        # What `store.enter` does, without calling it.
        source.line("rep = store._next_rep")
        source.line("if len(store.resources) >= store.max_resources:")
        source.line("    store.refuse()")
        source.line("store._next_rep = rep + 1")
        source.line("store.resources[rep] = value")
        source.line(f"host = {source.bind('kept', self._host.kept)}.get(rep)")
        to_any = source.bind("to_any", lib.wasmtime_component_resource_host_to_any)
        # What the library refuses, and whatever has no object yet, is left to the long way.
        source.line(f"if host is None or {to_any}(context, host, (r + 2) << 3):")
        source.line(f"    {source.bind('lower_handle', self._host.lower)}(r, rep, context, owned=True)")
        source.line("else:")
        source.line(f"    words[r] = {RESOURCE}")


def _refuse(error: int) -> NoReturn:
    raise RuntimeError(take_error(error))


def guest_codec(running: Running, name: str) -> Codec:
    """A handle to a resource that the guest itself implements."""

    def lift(i: int) -> GuestHandle:
        store = running.store
        handle = GuestHandle(lib.wasmtime_component_resource_any_clone(words[i + 1]), store)
        store.guest_handles.append(handle)
        return handle

    def lower(i: int, value: Any) -> None:
        if not isinstance(value, GuestHandle):
            raise Misfit(value, name)
        words[i + 1] = value.clone_for(running.store)
        words[i] = RESOURCE

    return Codec(name, lift, lower)
