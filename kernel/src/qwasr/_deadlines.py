"""Deadlines of many calls on one timer.

`asyncio.timeout` sets and cancels a timer for each call, which costs more than the rest of a call's bookkeeping. All
calls of one guest have the same limit, so they reach it in the order in which they began: a dictionary keeps the order,
one timer waits for the oldest call, and beginning or ending a call is one dictionary operation.
"""

from __future__ import annotations

from asyncio import current_task
from typing import TYPE_CHECKING, Any

from qwasr.call import CallInfo

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, TimerHandle

__all__ = ["Deadlines", "Timed", "TimedCall"]


class Timed:
    """Something that a task waits for, with a time limit; a subclass has the three attributes among its slots.

    As with `asyncio.timeout`, running out cancels the task that waits, and `settle` tells that cancellation from one
    that came from outside.
    """

    __slots__ = ()

    _task: Any  # a task of any result
    _cancelling: int
    _expired: bool

    def expire(self) -> None:
        """Cancel the task that waits."""
        self._expired = True  # type: ignore[misc]  # a subclass has the slot
        self._task.cancel()

    def settle(self) -> bool:
        """Take the cancellation back; return whether there was no other one."""
        self._expired = False  # type: ignore[misc]  # as above
        return bool(self._task.uncancel() <= self._cancelling)


class TimedCall(CallInfo, Timed):
    """A call of a guest with a time limit."""

    __slots__ = ("_cancelling", "_expired", "_task")


class Deadlines:
    """The deadlines of one guest's calls, or of the calls that its host functions make.

    Args:
        limit_s: how long a call may take, in seconds.
    """

    __slots__ = ("_ends", "_timer", "limit_s")

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._ends: dict[Timed, float] = {}
        self._timer: TimerHandle | None = None

    def begin(self, call: Timed) -> None:
        """Start the clock for the running task."""
        task: Any = current_task()
        call._task = task
        call._cancelling = task.cancelling()  # type: ignore[misc]  # as above
        self.resume(call)

    def resume(self, call: Timed) -> None:
        """Start the clock anew for the task of a call that has begun."""
        loop = call._task.get_loop()
        self._ends.pop(call, None)  # the order is that of the ends
        self._ends[call] = end = loop.time() + self.limit_s
        if self._timer is None:
            self._timer = loop.call_at(end, self._ring, loop)

    def end(self, call: Timed) -> None:
        """Stop the clock; nothing happens when it is not running."""
        self._ends.pop(call, None)

    def close(self) -> None:
        """Let go of the event loop."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self, loop: AbstractEventLoop) -> None:
        now = loop.time()
        self._timer = None
        while self._ends:
            call, end = next(iter(self._ends.items()))
            if end > now:
                self._timer = loop.call_at(end, self._ring, loop)
                return
            del self._ends[call]
            call.expire()
