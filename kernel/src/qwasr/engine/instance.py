"""One guest instance: its store, and the driver that runs it as a coroutine.

A poll runs the guest on its own fiber until it returns, until a host function has to wait, or until an epoch tick
makes it yield. What the host function waits for is awaited *here*, by the task that called the guest, on the event
loop's own stack: there is no task per host call, so a time-out or a cancellation reaches the host coroutine as in
any other Python code, and leaving the driver drops the library's future, which ends the guest wherever it was.
"""

from __future__ import annotations

import asyncio
import logging
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Any

from qwasr.engine._capi import VALUE_WORDS, address_of, check, lib, new_words, take_error
from qwasr.engine.codec import Misfit, Oversize
from qwasr.engine.composite import ResultCodec
from qwasr.engine.hostside import HostSide
from qwasr.engine.traps import guest_error, instantiation_error
from qwasr.errors import (
    CpuLimitExceeded,
    GuestError,
    HostFunctionError,
    HostValueError,
    ValueTooLarge,
)
from qwasr.values import Err, WitError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qwasr.engine.linker import ExportedFunction, LinkedComponent
    from qwasr.engine.resources import GuestHandle

__all__ = ["Store"]

_log = logging.getLogger("qwasr.engine")
_HANDLE_WORDS = 4  # an instance or a function, opaque
_IDLE_CREDIT = 0.02  # of the time that a guest waits: so much of it it may run and still count as fresh


class Store(HostSide):
    """One instance of a component: its memory, its resources, one call at a time.

    Nothing is instantiated before the first call. Not for use by two tasks at once.

    Attributes:
        calls: how many calls it has begun.
        context: address of the library's context of this store.
        cpu_s: how long the guest has been on the stack, in seconds, over all its calls: host functions that answer at
            once are part of it, waiting is not.
        cpu_limit_s: how long each call may be on the stack, in seconds.
        guest_handles: the guest's own resources that the host holds.
        running: the guest is on the stack: host functions are called from here, and the event loop stands.
        on_pause: called once, when the guest next waits or yields; what host functions put off until then.
    """

    __slots__ = (
        "_busy",
        "_clean",
        "_closed",
        "_cpu_end",
        "_error_owner",
        "_error_slot",
        "_instance",
        "_instance_owner",
        "_linked",
        "_pointer",
        "calls",
        "context",
        "cpu_limit_s",
        "cpu_s",
        "guest_handles",
        "on_pause",
        "running",
    )

    def __init__(self, linked: LinkedComponent) -> None:
        options = linked.engine.options
        super().__init__(options.resources)
        self._linked = linked
        self._pointer = 0
        self._instance = 0
        self._busy = False
        self._clean = False
        self._closed = False
        self.calls = 0
        self.context = 0
        self.guest_handles: list[GuestHandle] = []
        self.cpu_limit_s = options.cpu_s
        self.cpu_s = self._cpu_end = 0.0
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
            Overloaded: there was no slot for it.
            LimitExceeded: the guest used more of something than it may.
            HostFunctionError: a host function failed; its exception is the cause.
            HostValueError: an argument does not fit.
        """
        if self._busy or self._closed:
            msg = "this store is closed" if self._closed else "a store runs one call at a time"
            raise RuntimeError(msg)
        self._busy = True
        self._clean = False
        self.calls += 1
        self._cpu_end = self.cpu_s + self.cpu_limit_s
        try:
            if self._linked.engine.turnstile.closed:
                await self._linked.engine.turnstile.turn()
            if not self._instance:
                await self._instantiate()
            elif self._linked.engine.options.fuel is not None:
                self._refuel(self._linked.engine.options.fuel)
            return await self._call(function, args)
        finally:
            self._busy = False

    def lift_cpu_limit(self) -> None:
        """Let the call under way, and those that follow, compute for as long as they like."""
        self._cpu_end = self.cpu_limit_s = inf

    @property
    def reusable(self) -> bool:
        """Whether its last call returned in order, with nothing of the host left in the guest's hands."""
        return self._clean and not (self._busy or self._closed or self.resources or self.guest_handles)

    def renew(self) -> None:
        """Make a reusable instance ready for a call that has nothing to do with the last."""
        self._next_rep = 1
        self.on_pause = None
        self.cpu_limit_s = self._linked.engine.options.cpu_s
        lib.wasmtime_context_set_epoch_deadline(self.context, 1)

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
        lib.wasmtime_store_limiter(pointer, *engine.store_limits)
        if engine.options.fuel is not None:
            self._refuel(engine.options.fuel)
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
        error, self._error_owner[0] = self._error_owner[0], 0
        return instantiation_error(take_error(error))

    def _refuel(self, fuel: int) -> None:
        check(lib.wasmtime_context_set_fuel(self.context, fuel), RuntimeError)

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
                raise guest_error(take_error(error), function.name)
            if result is None:
                self._clean = True
                return None
            try:
                value = result.lift(result_at)
            except Oversize as oversize:
                msg = f"the guest answered {function.name} with {oversize}"
                raise ValueTooLarge(msg) from None
            self._clean = True
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
        clock = perf_counter
        turnstile = self._linked.engine.turnstile
        busy_s = 0.0
        try:
            while True:
                running.store = self
                self.running = True
                started = clock()
                returned = poll(future)
                took_s = clock() - started
                self.cpu_s += took_s
                turnstile.spent_s += took_s
                if turnstile.spent_s > turnstile.quiet_s:
                    turnstile.note()
                self.running = False
                if returned or self.failure is not None:
                    break
                if self.cpu_s > self._cpu_end:
                    msg = f"the guest computed for longer than {self.cpu_limit_s:g} s (QWASR_GUEST_CPU_S)"
                    raise CpuLimitExceeded(msg)
                if self.on_pause is not None:
                    on_pause, self.on_pause = self.on_pause, None
                    on_pause()
                pending = self._pending
                busy_s += took_s
                if pending is not None:
                    self._pending = None
                    await self._wait_for(pending)
                    if busy_s > turnstile.quiet_s:  # who waits much more than it runs is no busy guest
                        busy_s = max(0.0, busy_s - (clock() - started) * _IDLE_CREDIT)
                    if turnstile.closed:
                        await turnstile.turn(tired=busy_s >= turnstile.share_s)
                elif busy_s >= turnstile.share_s:  # an epoch tick made it yield, and it has had its share
                    await turnstile.turn(tired=True)
                elif turnstile.closed:
                    await turnstile.turn(interrupted=True)
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


def _unwrap(result: Any) -> Any:
    if isinstance(result, Err):
        raise WitError(result.value)
    return result.value
