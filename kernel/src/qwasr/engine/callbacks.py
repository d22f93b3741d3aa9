"""What the library calls when a guest calls its host.

A callback runs on the guest's fiber and must never let a Python exception out: cffi would answer with zeros, which
the library takes for success. So everything is caught here, kept as the store's failure, and raised again by the
driver. The ``onerror`` of cffi covers the instants before the first and after the last line of a callback.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from qwasr.engine._capi import ALWAYS_READY, ffi, lib, words
from qwasr.engine.hostcalls import TRAP, write_callback

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwasr.engine.codec import Codec
    from qwasr.engine.owned import Owned
    from qwasr.engine.resources import Running
    from qwasr.telemetry import HostCounter

__all__ = ["HostFunction", "destructor", "make_callback", "ready_callback"]

_PLAIN: Final = (
    "uintptr_t(uintptr_t data, uintptr_t context, uintptr_t type, uintptr_t args, size_t n, "
    "uintptr_t results, size_t m)"
)
_WAITING: Final = (
    "void(uintptr_t data, uintptr_t context, uintptr_t type, uintptr_t args, size_t n, uintptr_t results, size_t m, "
    "uintptr_t error, uintptr_t continuation)"
)
_DESTRUCTOR: Final = "uintptr_t(uintptr_t data, uintptr_t context, uint32_t rep)"


class HostFunction(NamedTuple):
    """One host function, ready to be called.

    Attributes:
        name: for messages, ``"wasi:http/types@0.2.9#[method]fields.get"``.
        target: what to call, or the name of the method to call on the first argument.
        lifts: the codec of each parameter.
        result: the result's codec, or None.
        waits: whether it may return an awaitable.
        counter: counts its calls, where they are counted.
        owned: what finds the resources that its answer gives to the guest; and those of its error.
    """

    name: str
    target: Callable[..., Any] | str
    lifts: list[Codec]
    result: Codec | None
    waits: bool
    counter: HostCounter | None = None
    owned: tuple[Owned | None, Owned | None] = (None, None)


def make_callback(running: Running, function: HostFunction) -> tuple[Any, Callable[..., int]]:
    """Return the cffi closure of a host function, and the linker function that defines it."""
    written = write_callback(running, function)
    if function.waits:
        callback = ffi.callback(_WAITING, written, onerror=_poison_waiting(running))
        return callback, lib.wasmtime_component_linker_instance_add_func_async
    callback = ffi.callback(_PLAIN, written, onerror=_poison(running, returns_error=True))
    return callback, lib.wasmtime_component_linker_instance_add_func


def ready_callback(running: Running) -> Any:
    """Return the cffi closure that the library asks whether a late answer is there; one serves all functions."""
    return ffi.callback("bool(uintptr_t)", lambda _one: running.store.ready(), onerror=_poison(running))


def destructor(running: Running, name: str) -> Any:
    """Return the cffi closure that runs when a guest drops a host resource."""

    def callback(_data: int, _context: int, rep: int) -> int:
        store = running.store
        try:
            store.resources.pop(rep).drop()
        except BaseException as failure:  # noqa: BLE001 - it must not leave through the library's frames
            failure.add_note(f"while the guest dropped {name}")
            store.failure = failure
            return lib.wasmtime_error_new(TRAP)  # type: ignore[no-any-return]  # cffi has no types
        return 0

    return ffi.callback(_DESTRUCTOR, callback, onerror=_poison(running, returns_error=True))


def _poison(running: Running, *, returns_error: bool = False) -> Callable[[Any, Any, Any], Any]:
    """Return an ``onerror``: what got past a callback's own handlers ends the running call.

    Args:
        running: knows the store whose guest made the call.
        returns_error: whether the callback returns a library error, so that the guest traps at once.
    """

    def onerror(_type: Any, error: BaseException, _traceback: Any) -> Any:
        if running.store.failure is None:
            running.store.failure = error
        return lib.wasmtime_error_new(TRAP) if returns_error else None

    return onerror


def _poison_waiting(running: Running) -> Callable[[Any, Any, Any], None]:
    """Return the ``onerror`` of a waiting callback: the library aborts the process where there is no continuation."""
    poison = _poison(running)

    def onerror(kind: Any, error: BaseException, traceback: Any) -> None:
        poison(kind, error, traceback)
        if traceback is not None and "continuation" in (arguments := traceback.tb_frame.f_locals):
            at = (arguments["continuation"] >> 3) - 1
            words[at], words[at + 1], words[at + 2] = ALWAYS_READY, 1, 0
            words[(arguments["error"] >> 3) - 1] = lib.wasmtime_error_new(TRAP)

    return onerror
