"""The callback of each host function: one Python function, written for it as source when a component is linked.

The arguments of exports are lowered in the same way.

A generic callback would go through half a dozen small functions for each call: one to lift each argument, one to find
the method, one to count, one to lower each layer of the result. What they would look up is known at link time, so the
lines that remain are put together here once, as `dataclasses` does for its ``__init__``. For a method that takes a
borrowed `self` and a number and returns ``result<own<stream>, error>`` they are, in short::

    def callback(_data, context, _type, args, _n, results, _m):
        store = running.store
        if store.failure is not None:
            return new_error(TRAP)
        try:
            a = (args >> 3) - 1
            x0 = …                      # the object behind the handle
            x1 = words[a + 5]
            try:
                value = x0.method(x1)
            except WitError as wit_error:
                answer.write(store, (results >> 3) - 1, None, wit_error)
                return 0
            r = (results >> 3) - 1
            …                           # a handle for `value`, boxed, in a result
        except BaseException as failure:
            store.failure = explain(failure)
            return new_error(TRAP)
        return 0

No Python exception may leave it; see `qwasr.engine.callbacks`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qwasr.engine._capi import ALWAYS_READY, VALUE_WORDS, lib, words
from qwasr.engine.codec import Misfit, Oversize, Source
from qwasr.engine.composite import ResultCodec
from qwasr.engine.owned import drop_all
from qwasr.errors import HostValueError, ValueTooLarge
from qwasr.values import WitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from qwasr.engine.callbacks import HostFunction
    from qwasr.engine.codec import Codec
    from qwasr.engine.hostside import HostSide
    from qwasr.engine.instance import Store
    from qwasr.engine.resources import Running
    from qwasr.hosting import HostResource
    from qwasr.telemetry import HostCounter

__all__ = ["TRAP", "Answer", "write_callback", "write_lowering"]

TRAP: Final = b"the host function failed"

_PLAIN_HEAD: Final = """\
def callback(_data, context, _type, args, _n, results, _m):
    store = running.store
    if store.failure is not None:
        return new_error(TRAP)
    try:
"""
_PLAIN_TAIL: Final = """\
    except BaseException as failure:
        store.failure = explain(failure)
        return new_error(TRAP)
    return 0
"""
_WAITING_HEAD: Final = """\
def callback(_data, context, _type, args, _n, results, _m, error, continuation):
    store = running.store
    at = (continuation >> 3) - 1
    words[at] = ALWAYS_READY
    words[at + 1] = 1
    words[at + 2] = 0
    if store.failure is not None:
        words[(error >> 3) - 1] = new_error(TRAP)
        return
    try:
"""
_WAITING_TAIL: Final = """\
    except BaseException as failure:
        store.failure = explain(failure)
        words[(error >> 3) - 1] = new_error(TRAP)
"""
_SUSPEND: Final = """\
        if value is not None and hasattr(value, "__await__"):
            words[at] = running.ready_address
            store.suspend(value, (results >> 3) - 1, answer)
            return
"""


def write_callback(running: Running, function: HostFunction) -> Callable[..., Any]:
    """Return the Python function behind a host function's cffi closure.

    Args:
        running: knows the store whose guest makes the call.
        function: what to call, and how.
    """
    source = Source(
        running=running,
        words=words,
        new_error=lib.wasmtime_error_new,
        ALWAYS_READY=ALWAYS_READY,
        TRAP=TRAP,
        WitError=WitError,
        answer=Answer(function),
        explain=_explainer(function.name, function.counter),
    )
    source.text(_WAITING_HEAD if function.waits else _PLAIN_HEAD)
    source.indent = 2
    if function.counter is not None:
        source.line(f"{source.bind('counter', function.counter)}.calls += 1")
    if function.lifts:
        source.line("a = (args >> 3) - 1")
    arguments = [codec.lift_source(source, f"x{n}", n * VALUE_WORDS) for n, codec in enumerate(function.lifts)]
    target = function.target
    called = f"{arguments.pop(0)}.{target}" if isinstance(target, str) else source.bind("target", target)
    source.line("try:")
    source.line(f"    value = {called}({', '.join(arguments)})")
    source.line("except WitError as wit_error:")
    source.line("    answer.write(store, (results >> 3) - 1, None, wit_error)")
    source.line("    return 0" if not function.waits else "    return")
    if function.waits:
        source.text(_SUSPEND)
    _write_answer(source, function)
    source.text(_WAITING_TAIL if function.waits else _PLAIN_TAIL)
    written: Callable[..., Any] = source.define("callback", f"<{function.name}>")
    return written


def write_lowering(name: str, parameters: list[tuple[str, Codec]]) -> Callable[[Store, int, tuple[Any, ...]], None]:
    """Return what writes the arguments of an export's call, one behind the other.

    Args:
        name: the export's, for tracebacks.
        parameters: for each its place for messages and its codec.

    Returns:
        A function of the store, the word index of the first argument, and the arguments, as many as there are
        parameters. It raises `Misfit` with the place.
    """
    source = Source(words=words, Misfit=Misfit)
    source.line("def lower_arguments(store, r, args):")
    source.indent = 1
    source.line("context = store.context")
    source.line("try:")
    source.indent = 2
    for number, (place, codec) in enumerate(parameters):
        source.line(f"place = {place!r}")
        source.line(f"value = args[{number}]")
        codec.lower_source(source)
        source.line(f"r += {VALUE_WORDS}")
    source.line("pass")
    source.indent = 1
    source.line("except Misfit as misfit:")
    source.line("    misfit.inside(place)")
    source.line("    raise")
    written: Callable[[Store, int, tuple[Any, ...]], None] = source.define("lower_arguments", f"<arguments of {name}>")
    return written


def _write_answer(source: Source, function: HostFunction) -> None:
    """Write the lines that lower ``value``."""
    result, owned = function.result, function.owned[0]
    if result is None:
        source.line("if value is not None:")
        source.line("    answer.write(store, 0, value, None)")  # which says that there is no result
        return
    source.line("r = (results >> 3) - 1")
    if owned is not None:
        source.line("first_rep = store._next_rep")
        source.line("try:")
        source.indent += 1
    if isinstance(result, ResultCodec):
        result.ok_source(source)
    else:
        result.lower_source(source)
    if owned is not None:
        source.indent -= 1
        source.line("except BaseException:")
        source.line(f"    store.take_back(first_rep, {source.bind('owned', owned)}(value))")
        source.line("    raise")


class Answer:
    """Writes what a host function answered late, or raised; or drops it.

    Args:
        function: whose answers they are.
    """

    __slots__ = ("_counter", "_lower_err", "_lower_ok", "_name", "_owned")

    def __init__(self, function: HostFunction) -> None:
        result = function.result
        self._name = function.name
        self._counter = function.counter
        self._owned = function.owned
        self._lower_ok: Callable[[int, Any], None] | None = None
        self._lower_err: Callable[[int, Any], None] | None = None
        if isinstance(result, ResultCodec):
            self._lower_ok, self._lower_err = result.lower_ok, result.lower_err
        elif result is not None:
            self._lower_ok = result.lower

    def write(self, store: HostSide, i: int, value: Any, error: WitError | None) -> None:
        """Write it at word index *i*; what does not get there is dropped."""
        first_rep = store._next_rep
        try:
            if error is not None:
                if self._lower_err is None:
                    raise error  # there is no place for it in the result; `explain` counts it
                if self._counter is not None:
                    self._counter.errors += 1
                self._lower_err(i, error.value)
            elif self._lower_ok is not None:
                self._lower_ok(i, value)
            elif value is not None:
                msg = f"{self._name} has no result, but returned {type(value).__name__}"
                raise HostValueError(msg)
        except BaseException as failure:
            store.take_back(first_rep, self._resources(value, error))
            if isinstance(failure, Misfit):
                raise _misfit(self._name, failure) from error
            raise

    def discard(self, value: Any, error: WitError | None) -> None:
        """Drop what came too late."""
        drop_all(self._resources(value, error))

    def _resources(self, value: Any, error: WitError | None) -> Iterable[HostResource]:
        of_ok, of_err = self._owned
        if error is None:
            return () if of_ok is None else of_ok(value)
        return () if of_err is None else of_err(error.value)


def _explainer(name: str, counter: HostCounter | None) -> Callable[[BaseException], BaseException]:
    """Return ``explain(failure)``: what the driver shall raise for what was raised on the way."""

    def explain(failure: BaseException) -> BaseException:
        if counter is not None:
            counter.errors += 1
        if isinstance(failure, Oversize):
            return ValueTooLarge(f"the guest passed to {name} {failure}")
        if isinstance(failure, Misfit):
            return _misfit(name, failure)
        return failure

    return explain


def _misfit(name: str, misfit: Misfit) -> HostValueError:
    misfit.inside("result")
    return HostValueError(f"{name}: {misfit}")
