"""How a coroutine becomes a host function: answered at once if it can be, in bounded time, errors in the WIT's terms.

An interface says once how its exceptions look to a guest, and decorates its host functions with that::

    answers = Answers(
        name="shelf",
        errors={NoSuchShelf: lambda _: Variant("no-such-shelf"), ShelfError: lambda e: Variant("other", str(e))},
        unavailable=ShelfUnavailable,
    )

    class Shelf(HostResource):
        @answers.host_function
        async def get(self, key: str) -> bytes | None:
            return await self.entries.get(key)

Backends are written with `async def` throughout, and many of their answers need no waiting: memory never waits. A host
function declared `async def` would cost a trip through the event loop each time, so the coroutine is run up to its
first real wait right where the guest called. Only if it waits is the rest of it handed to the engine as an awaitable,
which the task that runs the guest awaits; cancellation and time-outs work as ever.

From there it has `QWASR_BACKEND_TIMEOUT_S` seconds. Then it is cancelled, and the guest gets the interface's error for
a service that is not there.
"""

from __future__ import annotations

import inspect
import logging
from asyncio import CancelledError
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar

from qwasr._deadlines import Timed
from qwasr.call import current_call, new_call_id
from qwasr.errors import GuestError
from qwasr.values import Variant, WitError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping

    from qwasr._deadlines import Deadlines

__all__ = ["Answers"]

P = ParamSpec("P")
T = TypeVar("T")


def _other(text: str) -> Variant:
    return Variant("other", text)


def _as_it_is(error: Any) -> Any:
    return error


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """What the host functions of one interface have in common: its errors, and that calls of backends end.

    Args:
        name: the interface's name, for messages and for the log `qwasr.<name>`.
        errors: for each exception class what makes the WIT error of it; the most special class wins.
        unavailable: the class of the exception that stands for a service that does not answer. It takes the message,
            and `errors` has an entry for it or for a base of it.
        internal: makes the WIT error of a text that says where in the log an unexpected exception is.
        wrap: makes a function's error of the interface's, where the two are not of one type. Another set of functions
            gets another one by `dataclasses.replace(answers, wrap=…)`.
        timed: whether waiting has an end; not where it is the function's very purpose.
    """

    name: str
    errors: Mapping[type[Exception], Callable[[Any], Any]]
    unavailable: type[Exception]
    internal: Callable[[str], Any] = _other
    wrap: Callable[[Any], Any] = _as_it_is
    timed: bool = True

    def host_function(self, method: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T | Awaitable[T]]:
        """Return the host function that runs a coroutine function; a decorator.

        Args:
            method: what the function does; it raises what `errors` has an entry for when the guest is to be told.

        Returns:
            A plain function with the same parameters. It returns the answer, or an awaitable of it; either raises
            `WitError` for everything that went wrong, except what ends the guest anyway.
        """
        fail = self.fail

        @wraps(method)
        def answer(*arguments: P.args, **named: P.kwargs) -> T | Awaitable[T]:
            coroutine = method(*arguments, **named)
            try:
                waits_for = coroutine.send(None)
            except StopIteration as done:
                result: T = done.value
                return result
            except Exception as reason:  # noqa: BLE001 - the guest gets an error, the log the exception
                fail(reason, method)
            return _Rest(self, method, coroutine, waits_for)

        # The engine reads parameters and kind of a host function once, from its signature.
        signature = inspect.signature(method)
        returns = f"{signature.return_annotation} | Awaitable[{signature.return_annotation}]"
        answer.__signature__ = signature.replace(return_annotation=returns)  # type: ignore[attr-defined]  # as inspect wants
        answer.__annotations__ = {**method.__annotations__, "return": returns}
        del answer.__wrapped__  # it leads to the signature of the coroutine function
        return answer

    def fail(self, reason: Exception, method: Callable[..., Any]) -> NoReturn:
        """Raise what the guest gets for an exception.

        Args:
            reason: the exception.
            method: what raised it, for the log.
        """
        if isinstance(reason, (WitError, GuestError)):
            raise reason
        for cls in type(reason).__mro__:
            make = self.errors.get(cls)
            if make is not None:
                value = make(reason)
                break
        else:
            value = self.internal(f"internal error {self._report(reason, method)}")
        raise WitError(self.wrap(value)) from reason

    def _report(self, reason: Exception, method: Callable[..., Any]) -> str:
        """Log an exception that no guest is told about; return the id by which it is found."""
        error_id = new_call_id()
        self._log().error(
            "internal error %s in %s", error_id, method.__qualname__, exc_info=reason, extra={"call": _call_id()}
        )
        return error_id

    def late(self, limit_s: float, method: Callable[..., Any]) -> NoReturn:
        """Raise what the guest gets for a call that no answer came to.

        Args:
            limit_s: how long it waited, in seconds.
            method: what was called, for the log.
        """
        self._log().warning(
            "no answer within %g s in %s (QWASR_BACKEND_TIMEOUT_S)",
            limit_s,
            method.__qualname__,
            extra={"call": _call_id()},
        )
        self.fail(self.unavailable(f"no answer within {limit_s:g} s: the {self.name} service is unavailable"), method)

    def _log(self) -> logging.Logger:
        return logging.getLogger(f"qwasr.{self.name}")


class _Rest(Timed):
    """A coroutine that waits for the first time, to be awaited from there on."""

    __slots__ = ("_answers", "_cancelling", "_coroutine", "_expired", "_method", "_task", "_waits_for")

    def __init__(
        self, answers: Answers, method: Callable[..., Any], coroutine: Coroutine[Any, Any, Any], waits_for: object
    ) -> None:
        self._answers = answers
        self._method = method
        self._coroutine = coroutine
        self._waits_for = waits_for
        self._expired = False

    def __await__(self) -> Generator[Any, Any, Any]:
        deadlines = _backend_deadlines() if self._answers.timed else None
        if deadlines is None:
            return (yield from self._run())
        deadlines.begin(self)
        try:
            return (yield from self._run())
        except CancelledError:
            if self._expired and self.settle():
                self._answers.late(deadlines.limit_s, self._method)
            raise
        finally:
            deadlines.end(self)
            if self._expired:  # it ended in the very moment in which its time was up
                self.settle()

    def _run(self) -> Generator[Any, Any, Any]:
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
        except Exception as reason:  # noqa: BLE001 - as in `Answers.host_function`
            self._answers.fail(reason, self._method)


def _backend_deadlines() -> Deadlines | None:
    """Return what ends the running call's waits for backends; there is nothing outside of a guest's call."""
    try:
        return current_call().backend_deadlines
    except LookupError:
        return None


def _call_id() -> str:
    try:
        return current_call().id
    except LookupError:  # called from Python, not from a guest
        return ""
