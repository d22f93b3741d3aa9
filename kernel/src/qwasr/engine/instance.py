"""One guest instance: its store, and the driver that runs it as a coroutine.

A poll runs the guest on its own fiber until it returns, until a host function has to wait, or until an epoch tick
makes it yield. What the host function waits for is awaited *here*, by the task that called the guest, on the event
loop's own stack: there is no task per host call, so a time-out or a cancellation reaches the host coroutine as in
any other Python code, and leaving the driver drops the library's future, which ends the guest wherever it was.
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING, Any

from qwasr.engine._capi import VALUE_WORDS, address_of, lib, new_words, take_error
from qwasr.engine.codec import Misfit
from qwasr.engine.composite import ResultCodec
from qwasr.errors import GuestError, GuestTrap, HostFunctionError, HostValueError, InstantiationError
from qwasr.values import Err, WitError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qwasr.engine.linker import ExportedFunction, LinkedComponent
    from qwasr.engine.resources import GuestHandle
    from qwasr.hosting import HostResource

__all__ = ["Store"]

_log = logging.getLogger("qwasr.engine")
_FRAME = re.compile(r"^ +\d+: +(?:0x[0-9a-f]+ - )?(.*)$")
_HANDLE_WORDS = 4  # an instance or a function, opaque
_NO_LIMIT = -1
_FOREVER = 2**63
MAX_RESOURCES = 10_000  # host resources that one guest may hold at once


def split_trap(message: str) -> tuple[str, str]:
    """Split a library error into its reason (one line, without addresses) and its backtrace (one frame a line)."""
    head, _, causes = message.partition("Caused by:")
    frames = [match[1] for line in head.splitlines() if (match := _FRAME.match(line))]
    lines = [re.sub(r"^\d+: ", "", line.strip()) for line in causes.splitlines() if line.strip()]
    if not lines:
        return message.strip().splitlines()[0] if message.strip() else "unknown error", "\n".join(frames)
    # wasmtime puts the trap itself last, below what led to it; a longer explanation of its own begins with the reason
    return (lines[-1] if lines[-1].startswith("wasm trap:") else lines[0]), "\n".join(frames)


class Store:
    """One instance of a component: its memory, its resources, one call at a time.

    Nothing is instantiated before the first call. Not for use by two tasks at once.

    Attributes:
        context: address of the library's context of this store.
        resources: the host resources that the guest holds, by the library's number.
        guest_handles: the guest's own resources that the host holds.
        failure: what a host function raised; it ends the call as soon as control is back in the driver.
        max_resources: how many host resources the guest may hold at once.
        running: the guest is on the stack: host functions are called from here, and the event loop stands.
        on_pause: called once, when the guest next waits or yields; what host functions put off until then.
    """

    __slots__ = (
        "_answer",
        "_answer_error",
        "_busy",
        "_closed",
        "_error_owner",
        "_error_slot",
        "_instance",
        "_instance_owner",
        "_lent",
        "_linked",
        "_lower_answer",
        "_next_rep",
        "_pending",
        "_pointer",
        "_ready",
        "_result_slot",
        "context",
        "failure",
        "guest_handles",
        "max_resources",
        "on_pause",
        "resources",
        "running",
    )

    def __init__(self, linked: LinkedComponent) -> None:
        self._linked = linked
        self._pointer = 0
        self._instance = 0
        self._busy = False
        self._closed = False
        self._next_rep = 1
        self._lent: list[int] | None = None
        self._pending: Awaitable[Any] | None = None
        self._ready = False
        self._answer: Any = None
        self._answer_error: WitError | None = None
        self._lower_answer: Callable[[int, Any, WitError | None], None] | None = None
        self._result_slot = 0
        self.context = 0
        self.failure: BaseException | None = None
        self.resources: dict[int, HostResource] = {}
        self.guest_handles: list[GuestHandle] = []
        self.max_resources = MAX_RESOURCES
        self.running = False
        self.on_pause: Callable[[], None] | None = None

    # ------------------------------------------------------------------ life

    async def call(self, function: ExportedFunction, *args: Any) -> Any:
        """Call an export; the first call instantiates the component.

        Args:
            function: what `LinkedComponent.function` returned.
            *args: one Python value for each parameter, see `qwasr.values`.

        Returns:
            The result; the good side where the result is a WIT ``result``.

        Raises:
            WitError: the export answered with the bad side of its ``result``.
            GuestTrap: the guest trapped.
            InstantiationError: the component could not be instantiated.
            HostFunctionError: a host function failed; its exception is the cause.
            HostValueError: an argument does not fit.
        """
        if self._busy or self._closed:
            msg = "this store is closed" if self._closed else "a store runs one call at a time"
            raise RuntimeError(msg)
        self._busy = True
        try:
            if not self._instance:
                await self._instantiate()
            return await self._call(function, args)
        finally:
            self._busy = False

    def close(self) -> None:
        """Drop the instance and its memory; `drop` every host resource that the guest still held. Idempotent.

        Raises:
            RuntimeError: a call runs in it; cancel the task that awaits the call.
        """
        if self._busy:
            msg = "this store is in a call and cannot be closed"
            raise RuntimeError(msg)
        self._closed = True
        self._free()

    def _free(self) -> None:
        pending, self._pending = self._pending, None
        if pending is not None and hasattr(pending, "close"):
            pending.close()
        for handle in self.guest_handles:
            handle.release()
        self.guest_handles.clear()
        if self._pointer:
            lib.wasmtime_store_delete(self._pointer)
            self._pointer = self._instance = self.context = 0
            self._linked.engine.slots.release()
        while self.resources:
            _, resource = self.resources.popitem()
            try:
                resource.drop()
            except Exception:  # noqa: BLE001 - one bad `drop` must not keep the others from theirs
                _log.exception("dropping %s at the end of a call failed", type(resource).__name__)

    async def _instantiate(self) -> None:
        linked = self._linked
        engine = linked.engine
        await engine.slots.acquire()
        self._pointer = pointer = lib.wasmtime_store_new(linked.native_engine, 0, 0)
        self.context = context = lib.wasmtime_store_context(pointer)
        lib.wasmtime_store_limiter(pointer, engine.options.memory_bytes, engine.options.table_elements, *_LIMITS)
        lib.wasmtime_context_set_epoch_deadline(context, 1)
        lib.wasmtime_context_epoch_deadline_async_yield_and_update(context, 1)
        self._error_owner, self._error_slot = new_words(1 + _HANDLE_WORDS)
        instance = address_of(self._error_slot + 1)
        try:
            await self._drive(
                lib.wasmtime_component_linker_instantiate_async(
                    linked.pointer, context, linked.component_pointer, instance, address_of(self._error_slot)
                )
            )
            if self._error_owner[0]:
                raise self._failed_instantiation()
        except BaseException:
            self._free()  # at once: what never became an instance needs no slot
            raise
        self._instance = instance

    def _failed_instantiation(self) -> GuestError:
        reason, backtrace = split_trap(take_error(self._error_owner[0]))
        self._error_owner[0] = 0
        return InstantiationError(f"the component cannot be instantiated: {reason}", backtrace)

    # ------------------------------------------------------------------ one call

    async def _call(self, function: ExportedFunction, args: tuple[Any, ...]) -> Any:
        result = function.result
        count = len(function.lowers)
        if len(args) != count:
            msg = f"{function.name} takes {count} arguments, {len(args)} were given"
            raise TypeError(msg)
        owner, first = new_words(_HANDLE_WORDS + VALUE_WORDS * (count + 1))
        values = first + _HANDLE_WORDS
        result_at = values + VALUE_WORDS * count
        self._linked.running.store = self
        try:
            self._lower_arguments(function, args, values)
            if not lib.wasmtime_component_instance_get_func(
                self._instance, self.context, function.index, address_of(first)
            ):
                msg = f"{function.name} is not exported"
                raise GuestError(msg)
            await self._drive(
                lib.wasmtime_component_func_call_async(
                    address_of(first),
                    self.context,
                    address_of(values),
                    count,
                    address_of(result_at),
                    0 if result is None else 1,
                    address_of(self._error_slot),
                )
            )
            if self._error_owner[0]:
                error, self._error_owner[0] = self._error_owner[0], 0
                raise GuestTrap(*split_trap(take_error(error)))
            if result is None:
                return None
            value = result.lift(result_at)
        finally:
            for at in range(values, result_at if result is None else result_at + 1, VALUE_WORDS):
                lib.wasmtime_component_val_delete(address_of(at))
            del owner
            if self._lent:
                for rep in self._lent:
                    self.resources.pop(rep, None)
                self._lent = None
        if type(result) is ResultCodec:
            return _unwrap(value)
        return value

    def _lower_arguments(self, function: ExportedFunction, args: tuple[Any, ...], at: int) -> None:
        first_rep = self._next_rep
        try:
            for (place, lower), value in zip(function.lowers, args, strict=True):
                try:
                    lower(at, value)
                except Misfit as misfit:
                    misfit.inside(place)
                    msg = f"{function.name}: argument {misfit}"
                    raise HostValueError(msg) from None
                at += VALUE_WORDS
        except BaseException:
            for rep in range(first_rep, self._next_rep):  # there was no call: what was to be given stays the caller's
                self.resources.pop(rep, None)
            raise

    async def _drive(self, future: int) -> None:
        """Poll until the guest returns; between polls the event loop is free."""
        running = self._linked.running
        poll = lib.wasmtime_call_future_poll
        try:
            while True:
                running.store = self
                self.running = True
                returned = poll(future)
                self.running = False
                if returned or self.failure is not None:
                    break
                if self.on_pause is not None:
                    on_pause, self.on_pause = self.on_pause, None
                    on_pause()
                pending = self._pending
                if pending is None:
                    await self._linked.engine.turnstile.turn()  # an epoch tick made a busy guest yield
                else:
                    self._pending = None
                    await self._wait_for(pending)
        finally:
            lib.wasmtime_call_future_delete(future)  # ends a guest that has not returned
        if self.failure is not None:
            self._raise_failure()

    async def _wait_for(self, pending: Awaitable[Any]) -> None:
        task = asyncio.current_task()
        cancellations = task.cancelling() if task is not None else 0
        try:
            self._answer = await pending
        except WitError as error:
            self._answer_error = error
        except (asyncio.CancelledError, GeneratorExit):
            raise
        except BaseException as error:  # noqa: BLE001 - it is raised again by `_raise_failure`, as what it is
            self.failure = error
            return
        if task is not None and task.cancelling() > cancellations:
            raise asyncio.CancelledError  # the host function swallowed its cancellation; this call ends all the same
        self._ready = True

    def _raise_failure(self) -> None:
        failure, self.failure = self.failure, None
        if self._error_owner[0]:  # the trap that only carried the failure out of the guest
            take_error(self._error_owner[0])
            self._error_owner[0] = 0
        if failure is None or isinstance(failure, GuestError) or not isinstance(failure, Exception):
            raise failure or RuntimeError("no failure")
        msg = f"a host function failed: {type(failure).__name__}"
        raise HostFunctionError(msg) from failure

    # ------------------------------------------------------------------ for host functions

    def suspend(
        self, pending: Awaitable[Any], result_slot: int, lower: Callable[[int, Any, WitError | None], None]
    ) -> None:
        """Let the driver await a host function's answer; `ready` writes it where the library wants it."""
        self._pending = pending
        self._ready = False
        self._answer = self._answer_error = None
        self._result_slot = result_slot
        self._lower_answer = lower

    def ready(self) -> bool:
        """Write a late answer while its continuation lives: only then are the result slots ours to write."""
        if not self._ready or self._lower_answer is None:
            return False
        self._ready = False
        answer, error = self._answer, self._answer_error
        self._answer = self._answer_error = None
        try:
            self._lower_answer(self._result_slot, answer, error)
        except BaseException as failure:  # noqa: BLE001 - it must not leave through the library's frames
            self.failure = failure
            return False
        return True

    def enter(self, resource: HostResource) -> int:
        """Give a resource to the guest; return its number.

        Raises:
            GuestError: the guest holds as many as it may.
        """
        if len(self.resources) >= self.max_resources:
            msg = f"the guest holds {self.max_resources} host resources, more than it may"
            raise GuestError(msg)
        rep = self._next_rep
        self._next_rep = rep + 1
        self.resources[rep] = resource
        return rep

    def lend(self, resource: HostResource) -> int:
        """Lend a resource to the guest for one call; return its number."""
        rep = self.enter(resource)
        if self._lent is None:
            self._lent = []
        self._lent.append(rep)
        return rep


def _unwrap(result: Any) -> Any:
    if isinstance(result, Err):
        raise WitError(result.value)
    return result.value


_LIMITS = (10_000, 10_000, 10_000)  # core instances, tables, memories of one store; the pool's own limits are closer
