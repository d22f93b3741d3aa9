"""How a coroutine becomes a host function of this interface: answered at once if it can be, errors in the WIT's terms.

Backends are written with `async def` throughout, and many of their answers need no waiting: memory never waits. A host
function declared `async def` would cost a trip through the event loop each time, so the coroutine is run up to its
first real wait right where the guest called. Only if it waits is the rest of it handed to the engine as an awaitable,
which the task that runs the guest awaits; cancellation and timeouts work as ever.
"""

from __future__ import annotations

import functools
import inspect
import logging
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar

from qwasr.call import current_call, new_call_id
from qwasr.errors import GuestError, StoreNotAllowed
from qwasr.values import Variant, WitError
from qwasr_keyvalue.errors import KeyValueError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator

__all__ = ["host_function"]

P = ParamSpec("P")
T = TypeVar("T")

_log = logging.getLogger("qwasr.keyvalue")


def _store_error(error: Variant) -> Variant:
    return error


def host_function(
    method: Callable[P, Coroutine[Any, Any, T]], error: Callable[[Variant], Variant] = _store_error
) -> Callable[P, T | Awaitable[T]]:
    """Return the host function that runs a coroutine function; a decorator.

    Args:
        method: what the function does; it raises `KeyValueError` for what the guest is told.
        error: makes the function's error out of a `wasi:keyvalue/store.error`, where the two are not the same type.

    Returns:
        A plain function with the same parameters. It returns the answer, or an awaitable of it; either raises
        `WitError` for everything that went wrong, except what ends the guest anyway.
    """

    @functools.wraps(method)
    def answer(*arguments: P.args, **named: P.kwargs) -> T | Awaitable[T]:
        coroutine = method(*arguments, **named)
        try:
            waits_for = coroutine.send(None)
        except StopIteration as done:
            result: T = done.value
            return result
        except Exception as reason:  # noqa: BLE001 - the guest gets an error, the log the exception
            _fail(reason, method, error)
        return _Rest(coroutine, waits_for, method, error)

    # The engine reads parameters and kind of a host function once, from its signature.
    signature = inspect.signature(method)
    returns = f"{signature.return_annotation} | Awaitable[{signature.return_annotation}]"
    answer.__signature__ = signature.replace(return_annotation=returns)  # type: ignore[attr-defined]  # as inspect wants
    answer.__annotations__ = {**method.__annotations__, "return": returns}
    del answer.__wrapped__  # it leads to the signature of the coroutine function
    return answer


class _Rest:
    """A coroutine that waits for the first time, to be awaited from there on."""

    __slots__ = ("_coroutine", "_error", "_method", "_waits_for")

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, Any],
        waits_for: object,
        method: Callable[..., Any],
        error: Callable[[Variant], Variant],
    ) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for
        self._method = method
        self._error = error

    def __await__(self) -> Generator[Any, Any, Any]:
        coroutine, waits_for = self._coroutine, self._waits_for
        try:
            while True:  # `yield from`, but it begins in the middle
                try:
                    sent = yield waits_for
                except GeneratorExit:
                    coroutine.close()
                    raise
                except BaseException as thrown:  # noqa: BLE001 - cancellation included: the coroutine decides
                    waits_for = coroutine.throw(thrown)
                else:
                    waits_for = coroutine.send(sent)
        except StopIteration as done:
            return done.value
        except Exception as reason:  # noqa: BLE001 - as in `host_function`
            _fail(reason, self._method, self._error)


def _fail(reason: Exception, method: Callable[..., Any], error: Callable[[Variant], Variant]) -> NoReturn:
    """Raise what the guest gets for an exception."""
    if isinstance(reason, (WitError, GuestError)):
        raise reason
    if isinstance(reason, KeyValueError):
        value = Variant(reason.case, str(reason)) if reason.case == "other" else Variant(reason.case)
    elif isinstance(reason, StoreNotAllowed):
        _log.info("no-such-store: %s", reason)
        value = Variant("no-such-store")
    else:
        value = Variant("other", f"internal error {_report(reason, method)}")
    raise WitError(error(value)) from reason


def _report(reason: Exception, method: Callable[..., Any]) -> str:
    """Log an exception that no guest is told about; return the id by which it is found."""
    error_id = new_call_id()
    try:
        call = current_call().id
    except LookupError:  # called from Python, not from a guest
        call = ""
    _log.error("internal error %s in %s", error_id, method.__qualname__, exc_info=reason, extra={"call": call})
    return error_id
