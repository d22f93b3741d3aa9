"""A guest as servers see it, and one call of it: a fresh instance, an id, a deadline."""

from __future__ import annotations

from asyncio import CancelledError
from typing import TYPE_CHECKING, Any, Self

from qwasr._deadlines import Deadlines, TimedCall
from qwasr.call import _current, new_call_id
from qwasr.errors import DeadlineExceeded, GuestError
from qwasr.telemetry import Telemetry

if TYPE_CHECKING:
    from asyncio import Task
    from contextvars import Token
    from types import TracebackType

    from qwasr.call import CallInfo
    from qwasr.engine import ExportedFunction, LinkedComponent
    from qwasr.engine.reuse import Reuse
    from qwasr.hosting import HostInterface

__all__ = ["Guest", "GuestCall"]


class Guest:
    """A linked component: look functions up once, then make a call for each request.

    ::

        function = guest.function("demo:greeting/greet", "hello")        # once, when the server starts
        async with guest.call(request_id) as call:                       # for each request
            answer = await call.invoke(function, "world")

    Attributes:
        name: the component's name.
        telemetry: what is counted; servers count what they answer.
    """

    __slots__ = ("_backend_deadlines", "_deadlines", "_linked", "_reuse", "name", "telemetry")

    def __init__(
        self,
        name: str,
        linked: LinkedComponent,
        timeout_s: float,
        telemetry: Telemetry | None = None,
        *,
        reuse: int = 0,
        backend_timeout_s: float = 5.0,
    ) -> None:
        self.name = name
        self.telemetry = telemetry or Telemetry()
        self._linked = linked
        self._deadlines = Deadlines(timeout_s)
        self._backend_deadlines = Deadlines(backend_timeout_s)
        self._reuse: Reuse | None = None
        if reuse:
            from qwasr.engine.reuse import Reuse

            self._reuse = Reuse(linked, reuse)

    @property
    def hosts(self) -> tuple[HostInterface, ...]:
        """The objects behind the component's imports, for a server whose interface also has things to import."""
        return self._linked.hosts

    @property
    def timeout_s(self) -> float:
        """How long one invocation may take, in seconds."""
        return self._deadlines.limit_s

    @property
    def backend_timeout_s(self) -> float:
        """How long a host function may wait for its backend, in seconds; a server that asks one keeps to it, too."""
        return self._backend_deadlines.limit_s

    def close(self) -> None:
        """Let go of the event loop and of idle instances; the runtime calls it at its end."""
        self._deadlines.close()
        self._backend_deadlines.close()
        if self._reuse is not None:
            self._reuse.close()

    def exports(self, interface: str) -> bool:
        """Return whether the guest exports an interface; without a version any one of the same line fits."""
        return self._linked.exports(interface)

    def function(self, interface: str | None, name: str) -> ExportedFunction:
        """Return an exported function; look it up once, not for each call.

        Args:
            interface: the exported interface, ``None`` for a function that the world exports itself.
            name: the function's name in WIT.

        Raises:
            ComponentError: the component exports no such function.
        """
        return self._linked.function(interface, name)

    def call(self, id: str | None = None) -> GuestCall:  # noqa: A002 - the field's own name
        """Return a call with the given request id, or with a new one; use it as an asynchronous context manager."""
        return GuestCall(self, new_call_id() if id is None else id)


class GuestCall(TimedCall):
    """One call of one guest; inside of the block `current_call()` returns it in every host function.

    Leaving the block ends the instance: host functions still under way are cancelled, live resources are dropped.
    Where instances are reused, one whose call returned in order is kept.

    Attributes:
        cpu_s: how long the guest computed in the invocations that have ended, in seconds; see `Store.cpu_s`.
    """

    # This is on the path of every request: no generator-based context manager, no attribute dictionary, no timer.
    __slots__ = ("_cpu_before_s", "_guest", "_limited", "_token", "_under_way", "cpu_s")

    _token: Token[CallInfo]

    def __init__(self, guest: Guest, id: str) -> None:  # noqa: A002 - the field's own name
        # Not super().__init__(): there is no store before the block is entered, so a call never entered leaks none.
        self.id = id
        self.guest = guest.name
        self._guest = guest
        self._limited = True
        self._under_way = False
        self._expired = False
        self._task = None
        self.cpu_s = 0.0
        self.logged_bytes = 0
        self.cause = None

    @property
    def task(self) -> Task[Any] | None:
        """The task that made the last invocation with a time limit; none before the first."""
        task: Task[Any] | None = self._task
        return task

    async def __aenter__(self) -> Self:
        guest = self._guest
        self.store = store = guest._linked.store() if guest._reuse is None else guest._reuse.take()
        self._cpu_before_s = store.cpu_s
        self._token = _current.set(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _current.reset(self._token)
        if self._guest._reuse is None or error is not None:
            self.store.close()
        else:
            self._guest._reuse.give(self.store)
        if error is not None and isinstance(error, GuestError):
            self._guest.telemetry.failed(error)

    async def invoke(self, function: ExportedFunction, *arguments: Any) -> Any:
        """Call an exported function of this call's instance.

        Returns:
            Its result as `qwasr.values` describes.

        Raises:
            WitError: the function's result is a ``result``, and it is an error.
            DeadlineExceeded: it took longer than the guest's `timeout_s`, and no one lifted the deadline.
            Overloaded: it was not begun, since as many calls run and wait as may.
            LimitExceeded: it used more of something than it may.
            GuestError: it trapped, exited, could not be instantiated, or a host function failed.
        """
        deadlines = self._guest._deadlines
        self._under_way = True
        if self._limited:
            deadlines.begin(self)
        try:
            return await self.store.call(function, *arguments)
        except CancelledError:
            if self._expired and self.settle():
                message = f"{self.guest} took longer than {deadlines.limit_s:g} s (QWASR_GUEST_TIMEOUT_S)"
                raise DeadlineExceeded(message) from None
            raise
        finally:
            self._under_way = False
            self.cpu_s = self.store.cpu_s - self._cpu_before_s
            deadlines.end(self)
            if self._expired:  # it ended in the very moment in which its time was up
                self.settle()

    @property
    def backend_deadlines(self) -> Deadlines:
        """What ends calls of backends that take too long."""
        return self._guest._backend_deadlines

    def lift_deadline(self) -> None:
        """Let the invocation under way, and those that follow, take as long as they like.

        For host functions: once a response has begun, its length is the client's patience and not the deadline's.
        """
        self._limited = False
        self._guest._deadlines.end(self)

    def resume_deadline(self) -> None:
        """Take `lift_deadline` back: the invocation under way has the whole time once more, and those that follow.

        For what a guest does after its response, which nobody waits for and nobody would end.
        """
        self._limited = True
        if self._under_way:
            self._guest._deadlines.resume(self)

    def renew_cpu_limit(self) -> None:
        """Let this call compute as long as from its begin; for what has no end that a total could wait for."""
        self.store.renew_cpu_limit()

    def lift_cpu_limit(self) -> None:
        """Let this call compute for as long as it likes, as a command does."""
        self.store.lift_cpu_limit()
