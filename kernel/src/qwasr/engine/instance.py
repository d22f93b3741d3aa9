"""One guest instance: its store, and the driver that runs it as a coroutine.

A poll runs the guest on its own fiber until it returns, until a host function has to wait, or until an epoch tick
makes it yield. What the host function waits for is awaited *here*, by the task that called the guest, on the event
loop's own stack: there is no task per host call, so a time-out or a cancellation reaches the host coroutine as in
any other Python code, and leaving the driver drops the library's future, which ends the guest wherever it was.
"""

from __future__ import annotations

import asyncio
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Any

from qwasr.engine._capi import VALUE_WORDS, check, lib, take_error, words
from qwasr.engine.codec import Misfit, Oversize
from qwasr.engine.composite import ResultCodec
from qwasr.engine.hostside import HostSide
from qwasr.engine.owned import drop_all
from qwasr.engine.scratch import VALUES, Scratch
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

_IDLE_CREDIT = 0.02  # of the time that a guest waits: so much of it it may run and still count as fresh

# Looking a function up in the library takes a fifth of calling it.
_new_store = lib.wasmtime_store_new
_context_of = lib.wasmtime_store_context
_limit_store = lib.wasmtime_store_limiter
_set_epoch_deadline = lib.wasmtime_context_set_epoch_deadline
_yield_at_epochs = lib.wasmtime_context_epoch_deadline_async_yield_and_update
_begin_instance = lib.wasmtime_component_linker_instantiate_async
_find_function = lib.wasmtime_component_instance_get_func
_begin_call = lib.wasmtime_component_func_call_async
_poll = lib.wasmtime_call_future_poll
_delete_future = lib.wasmtime_call_future_delete
_delete_value = lib.wasmtime_component_val_delete
_delete_store = lib.wasmtime_store_delete


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
        on_pause: called once, when the guest next waits, or has run for long; what host functions put off until then.
    """

    __slots__ = (
        "_busy",
        "_clean",
        "_closed",
        "_cpu_end",
        "_linked",
        "_pointer",
        "_ran_s",
        "_scratch",
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
        linked = self._linked
        try:
            if linked.engine.turnstile.closed:
                await linked.engine.turnstile.turn()
            if not self._pointer:
                await self._instantiate()
            elif linked.engine.options.fuel is not None:
                self._refuel(linked.engine.options.fuel)
            first = self._lower_arguments(function, args)
            try:
                future = self._invocation(function, first)
                try:
                    if not self._run(future):
                        await self._drive(future)
                finally:
                    _delete_future(future)
                if self.failure is not None or self._scratch.words[0]:
                    raise self._failed(function)
                value = self._result(function, first + VALUE_WORDS * len(args))
            finally:
                self._forget_values(first, len(args) + 1)
        finally:
            self._busy = False
        self._clean = True
        if type(function.result) is ResultCodec:
            return _unwrap(value)
        return value

    async def instantiate(self) -> None:
        """Make the instance now, without a call; its start functions run. Raises as `call` does."""
        self._cpu_end = self.cpu_s + self.cpu_limit_s
        await self._instantiate()

    async def _instantiate(self) -> None:
        slots = self._linked.engine.slots
        if not slots.take():
            await slots.wait()
        future = self._instantiation()
        try:
            try:
                if not self._run(future):
                    await self._drive(future)
            finally:
                _delete_future(future)  # ends a guest that has not returned
            if self.failure is not None or self._scratch.words[0]:
                raise self._failed(None)
        except BaseException:
            self._free()  # at once: what never became an instance needs no slot
            raise

    def renew_cpu_limit(self) -> None:
        """Let the call under way compute as long as from its begin."""
        self._cpu_end = self.cpu_s + self.cpu_limit_s

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
        _set_epoch_deadline(self.context, 1)

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
            _delete_store(self._pointer)
            self._pointer = self.context = 0
            if self._scratch.words[0]:  # of a call that was given up in the moment in which it failed: nobody asks why
                take_error(self._scratch.words[0])
                self._scratch.words[0] = 0
            self._linked.spare.append(self._scratch)
            self._linked.engine.slots.release()
        if self._answer is not None or self._answer_error is not None:
            self.discard_answer()
        if self.resources:
            held = [*reversed(self.resources.values())]  # what came later may need what came before
            self.resources.clear()
            drop_all(held)

    def _instantiation(self) -> int:
        """Return the future that makes the instance; a slot is taken."""
        linked = self._linked
        engine = linked.engine
        self._scratch = scratch = linked.spare.pop() if linked.spare else Scratch()
        self._pointer = pointer = _new_store(linked.native_engine, 0, 0)
        self.context = context = _context_of(pointer)
        _limit_store(pointer, *engine.store_limits)
        if engine.options.fuel is not None:
            self._refuel(engine.options.fuel)
        _set_epoch_deadline(context, 1)
        _yield_at_epochs(context, 1)
        return _begin_instance(  # type: ignore[no-any-return]  # cffi has no types
            linked.pointer, context, linked.component_pointer, scratch.instance, scratch.error
        )

    def _refuel(self, fuel: int) -> None:
        check(lib.wasmtime_context_set_fuel(self.context, fuel), RuntimeError)

    # ------------------------------------------------------------------ one call

    def _lower_arguments(self, function: ExportedFunction, args: tuple[Any, ...]) -> int:
        """Write the arguments; return the word index of the first. The result's place is behind the last."""
        if len(args) != function.parameters:
            msg = f"{function.name} takes {function.parameters} arguments, {len(args)} were given"
            raise TypeError(msg)
        scratch = self._scratch
        if len(args) >= VALUES:
            scratch.grow(len(args) + 1)
        self._linked.running.store = self
        first_rep = self._next_rep
        first = scratch.values
        try:
            function.lower(self, first, args)
        except BaseException as error:
            for rep in range(first_rep, self._next_rep):  # there was no call: what was to be given stays the caller's
                self.resources.pop(rep, None)
            self._forget_values(first, len(args))
            if isinstance(error, Misfit):
                msg = f"{function.name}: argument {error}"
                raise HostValueError(msg) from None
            raise
        return first

    def _invocation(self, function: ExportedFunction, first: int) -> int:
        """Return the future that calls the function."""
        scratch = self._scratch
        if not _find_function(scratch.instance, self.context, function.index, scratch.function):
            msg = f"{function.name} is not exported"
            raise GuestError(msg)
        count = function.parameters
        return _begin_call(  # type: ignore[no-any-return]  # cffi has no types
            scratch.function,
            self.context,
            (first + 1) << 3,
            count,
            (first + 1 + VALUE_WORDS * count) << 3,
            0 if function.result is None else 1,
            scratch.error,
        )

    def _result(self, function: ExportedFunction, at: int) -> Any:
        if function.result is None:
            return None
        try:
            return function.result.lift(at)
        except Oversize as oversize:
            msg = f"the guest answered {function.name} with {oversize}"
            raise ValueTooLarge(msg) from None

    def _forget_values(self, first: int, count: int) -> None:
        """Free arguments and result, and what was lent with them."""
        for at in range(first, first + VALUE_WORDS * count, VALUE_WORDS):
            if words[at]:  # a kind of 0, a `bool`, owns nothing
                _delete_value((at + 1) << 3)
                words[at] = 0
        if self._lent:
            for rep in self._lent:
                self.resources.pop(rep, None)
            self._lent = None

    def _run(self, future: int) -> bool:
        """Let the guest run until it returns, waits or yields; say whether its call is over."""
        linked = self._linked
        turnstile = linked.engine.turnstile
        linked.running.store = self
        self.running = True
        started = perf_counter()
        returned = _poll(future)
        took_s = perf_counter() - started
        self.running = False
        self._ran_s = took_s
        self.cpu_s += took_s
        turnstile.spent_s += took_s
        if turnstile.spent_s > turnstile.quiet_s:
            turnstile.note()
        return returned or self.failure is not None

    async def _drive(self, future: int) -> None:
        """Run the guest, which has run once, until its call is over; while it waits the event loop is free."""
        turnstile = self._linked.engine.turnstile
        busy_s = 0.0
        while True:
            if self.cpu_s > self._cpu_end:
                msg = f"the guest computed for longer than {self.cpu_limit_s:g} s (QWASR_GUEST_CPU_S)"
                raise CpuLimitExceeded(msg)
            pending = self._pending
            busy_s += self._ran_s
            # A tick that comes in the middle of a short run is no pause: what it is about to finish goes out whole.
            if self.on_pause is not None and (pending is not None or busy_s >= turnstile.share_s):
                on_pause, self.on_pause = self.on_pause, None
                on_pause()
            if pending is not None:
                self._pending = None
                since = perf_counter()
                await self._wait_for(pending)
                if busy_s > turnstile.quiet_s:  # who waits much more than it runs is no busy guest
                    busy_s = max(0.0, busy_s - (perf_counter() - since) * _IDLE_CREDIT)
                if turnstile.closed:
                    await turnstile.turn(tired=busy_s >= turnstile.share_s)
            elif busy_s >= turnstile.share_s:  # an epoch tick made it yield, and it has had its share
                await turnstile.turn(tired=True)
            elif turnstile.closed:
                await turnstile.turn(interrupted=True)
            if self._run(future):
                return

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

    def _failed(self, function: ExportedFunction | None) -> BaseException:
        """Return why a call, or an instantiation if there is no function, ended without a result."""
        failure, self.failure = self.failure, None
        error, self._scratch.words[0] = self._scratch.words[0], 0
        message = take_error(error) if error else ""
        if failure is None:  # otherwise the trap only carried the failure out of the guest
            return instantiation_error(message) if function is None else guest_error(message, function.name)
        if isinstance(failure, GuestError) or not isinstance(failure, Exception):
            return failure
        wrapped = HostFunctionError(f"a host function failed: {type(failure).__name__}")
        wrapped.__cause__ = failure
        return wrapped


def _unwrap(result: Any) -> Any:
    if isinstance(result, Err):
        raise WitError(result.value)
    return result.value
