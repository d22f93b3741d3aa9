"""What the library calls when a guest calls its host.

A callback runs on the guest's fiber and must never let a Python exception out: cffi would answer with zeros, which
the library takes for success. So everything is caught here, kept as the store's failure, and raised again by the
driver. The ``onerror`` of cffi covers the instants before the first and after the last line of a callback.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from qwasr.engine._capi import ALWAYS_READY, VALUE_WORDS, ffi, lib, words
from qwasr.engine.codec import Misfit, Oversize
from qwasr.engine.composite import ResultCodec
from qwasr.errors import HostValueError, ValueTooLarge
from qwasr.values import WitError

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwasr.engine.codec import Codec, Lift
    from qwasr.engine.resources import Running
    from qwasr.telemetry import HostCounter

    Answer = Callable[[int, Any, WitError | None], None]

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
_TRAP: Final = b"the host function failed"
_AWAITABLE: Final = "__await__"


class HostFunction(NamedTuple):
    """One host function, ready to be called.

    Attributes:
        name: for messages, ``"wasi:http/types@0.2.9#[method]fields.get"``.
        target: what to call, or the name of the method to call on the first argument.
        lifts: one for each parameter.
        result: the result's codec, or None.
        waits: whether it may return an awaitable.
        counter: counts its calls, where they are counted.
    """

    name: str
    target: Callable[..., Any] | str
    lifts: list[Lift]
    result: Codec | None
    waits: bool
    counter: HostCounter | None = None


def make_callback(running: Running, function: HostFunction) -> tuple[Any, Callable[..., int]]:
    """Return the cffi closure of a host function, and the linker function that defines it."""
    invoke = _invoker(function.target, function.lifts)
    answer = _answerer(function.name, function.result)
    if function.counter is not None:
        invoke, answer = _counted(function.counter, invoke, answer)
    if function.waits:
        callback = _waiting_callback(running, invoke, answer, function.name)
        return callback, lib.wasmtime_component_linker_instance_add_func_async
    return _plain_callback(running, invoke, answer, function.name), lib.wasmtime_component_linker_instance_add_func


def _invoker(target: Callable[..., Any] | str, lifts: list[Lift]) -> Callable[[int], Any]:
    """Return ``invoke(i)``: lift the arguments that begin at word index *i*, and call."""
    if isinstance(target, str):
        return _method_invoker(target, lifts)
    call = target
    if not lifts:
        return lambda _i: call()
    if len(lifts) == 1:
        only = lifts[0]
        return lambda i: call(only(i))
    if len(lifts) == 2:
        first, second = lifts
        return lambda i: call(first(i), second(i + VALUE_WORDS))
    offsets = [(n * VALUE_WORDS, lift) for n, lift in enumerate(lifts)]
    return lambda i: call(*[lift(i + offset) for offset, lift in offsets])


def _counted(counter: HostCounter, invoke: Callable[[int], Any], answer: Answer) -> tuple[Callable[[int], Any], Answer]:
    """Return the two so that they count calls, and those that end in an error."""

    def counting_invoke(i: int) -> Any:
        counter.calls += 1
        try:
            return invoke(i)
        except WitError:
            raise  # it is counted when it is answered
        except BaseException:
            counter.errors += 1
            raise

    def counting_answer(i: int, value: Any, error: WitError | None) -> None:
        if error is not None:
            counter.errors += 1
        answer(i, value, error)

    return counting_invoke, counting_answer


def _method_invoker(name: str, lifts: list[Lift]) -> Callable[[int], Any]:
    itself = lifts[0]
    if len(lifts) == 1:
        return lambda i: getattr(itself(i), name)()
    if len(lifts) == 2:
        second = lifts[1]
        return lambda i: getattr(itself(i), name)(second(i + VALUE_WORDS))
    offsets = [(n * VALUE_WORDS, lift) for n, lift in enumerate(lifts)][1:]
    return lambda i: getattr(itself(i), name)(*[lift(i + offset) for offset, lift in offsets])


def _answerer(name: str, result: Codec | None) -> Answer:
    """Return ``answer(i, value, error)``: write what a host function returned or raised at word index *i*."""
    if result is None:

        def answer_nothing(_i: int, value: Any, error: WitError | None) -> None:
            if error is not None:
                raise error
            if value is not None:
                msg = f"{name} has no result, but returned {type(value).__name__}"
                raise HostValueError(msg)

        return answer_nothing

    if isinstance(result, ResultCodec):
        lower_ok, lower_err = result.lower_ok, result.lower_err

        def answer_result(i: int, value: Any, error: WitError | None) -> None:
            try:
                if error is None:
                    lower_ok(i, value)
                else:
                    lower_err(i, error.value)
            except Misfit as misfit:
                raise _misfit(name, misfit) from error

        return answer_result

    lower = result.lower

    def answer_value(i: int, value: Any, error: WitError | None) -> None:
        if error is not None:
            raise error
        try:
            lower(i, value)
        except Misfit as misfit:
            raise _misfit(name, misfit) from None

    return answer_value


def _misfit(name: str, misfit: Misfit) -> HostValueError:
    misfit.inside("result")
    return HostValueError(f"{name}: {misfit}")


def _failure(error: BaseException, name: str) -> BaseException:
    """Return what the driver shall raise for what was raised in a host function or on the way to it."""
    return ValueTooLarge(f"the guest passed to {name} {error}") if isinstance(error, Oversize) else error


def _plain_callback(running: Running, invoke: Callable[[int], Any], answer: Answer, name: str) -> Any:
    def callback(_data: int, _context: int, _type: int, args: int, _n: int, results: int, _m: int) -> int:
        store = running.store
        if store.failure is not None:
            return lib.wasmtime_error_new(_TRAP)  # type: ignore[no-any-return]  # cffi has no types
        try:
            try:
                answer((results >> 3) - 1, invoke((args >> 3) - 1), None)
            except WitError as error:
                answer((results >> 3) - 1, None, error)
        except BaseException as failure:  # noqa: BLE001 - it must not leave through the library's frames
            store.failure = _failure(failure, name)
            return lib.wasmtime_error_new(_TRAP)  # type: ignore[no-any-return]  # cffi has no types
        return 0

    return ffi.callback(_PLAIN, callback, onerror=_poison(running, returns_error=True))


def _waiting_callback(running: Running, invoke: Callable[[int], Any], answer: Answer, name: str) -> Any:
    ready_address = running.ready_address

    def callback(
        _data: int, _context: int, _type: int, args: int, _n: int, results: int, _m: int, error: int, continuation: int
    ) -> None:
        store = running.store
        at = (continuation >> 3) - 1
        words[at], words[at + 1], words[at + 2] = ALWAYS_READY, 1, 0
        if store.failure is not None:
            words[(error >> 3) - 1] = lib.wasmtime_error_new(_TRAP)
            return
        try:
            try:
                value = invoke((args >> 3) - 1)
                if hasattr(value, _AWAITABLE):
                    words[at] = ready_address
                    store.suspend(value, (results >> 3) - 1, answer)
                else:
                    answer((results >> 3) - 1, value, None)
            except WitError as wit_error:
                answer((results >> 3) - 1, None, wit_error)
        except BaseException as failure:  # noqa: BLE001 - it must not leave through the library's frames
            store.failure = _failure(failure, name)
            words[(error >> 3) - 1] = lib.wasmtime_error_new(_TRAP)

    return ffi.callback(_WAITING, callback, onerror=_poison_waiting(running))


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
            return lib.wasmtime_error_new(_TRAP)  # type: ignore[no-any-return]  # cffi has no types
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
        return lib.wasmtime_error_new(_TRAP) if returns_error else None

    return onerror


def _poison_waiting(running: Running) -> Callable[[Any, Any, Any], None]:
    """Return the ``onerror`` of a waiting callback: the library aborts the process where there is no continuation."""
    poison = _poison(running)

    def onerror(kind: Any, error: BaseException, traceback: Any) -> None:
        poison(kind, error, traceback)
        if traceback is not None and "continuation" in (arguments := traceback.tb_frame.f_locals):
            at = (arguments["continuation"] >> 3) - 1
            words[at], words[at + 1], words[at + 2] = ALWAYS_READY, 1, 0
            words[(arguments["error"] >> 3) - 1] = lib.wasmtime_error_new(_TRAP)

    return onerror
