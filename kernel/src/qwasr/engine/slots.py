"""How many guests may be alive at once, how many calls may wait for that, and for how long.

`asyncio.Semaphore` belongs to the first event loop that had to wait for it; an engine outlives loops. All waiters have
the same patience, so they lose it in the order of coming: one timer waits for the oldest.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

from qwasr.errors import Overloaded

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Slots"]


class Slots:
    """A number of slots; who finds none free waits, and is served in the order of coming.

    Args:
        count: how many there are.
        queue: how many calls may wait for one.
        timeout_s: how long each may wait, in seconds.

    Attributes:
        capacity: how many slots there are.
        idle: who holds a slot and need not, with what makes it give that back; who has been idle for longest first.
    """

    __slots__ = ("_free", "_loop", "_queue", "_timeout_s", "_timer", "_waiting", "capacity", "idle")

    def __init__(self, count: int, queue: int = 1024, timeout_s: float = 5.0) -> None:
        self.capacity = self._free = count
        self._queue = queue
        self._timeout_s = timeout_s
        self._waiting: dict[asyncio.Future[None], float] = {}  # in the order of coming, with the end of its patience
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None  # that of the timer and of all who wait
        self.idle: dict[Any, Callable[[Any], None]] = {}

    @property
    def free(self) -> int:
        """How many slots nobody holds."""
        return self._free

    @property
    def running(self) -> int:
        """How many slots are held: guests that are alive."""
        return self.capacity - self._free

    @property
    def waiting(self) -> int:
        """How many calls wait for a slot."""
        return len(self._waiting)

    def take(self) -> bool:
        """Take a slot if one is free, or idle."""
        if not self._free and self.idle:
            holder, give_back = next(iter(self.idle.items()))
            give_back(holder)
        if self._free:
            self._free -= 1
            return True
        return False

    async def wait(self) -> None:
        """Wait for a slot that none was free for, and take it.

        Raises:
            Overloaded: too many wait already, or this one has waited for too long.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._move(loop)
        if len(self._waiting) >= self._queue or not self._timeout_s:
            raise self._overloaded(
                f"{self.capacity} calls run and {self.waiting} wait (QWASR_CONCURRENCY, QWASR_QUEUE)"
            )
        future: asyncio.Future[None] = loop.create_future()
        self._waiting[future] = end = loop.time() + self._timeout_s
        if self._timer is None:
            self._timer = loop.call_at(end, self._ring, loop)
        try:
            await future
        except BaseException:
            self._waiting.pop(future, None)
            if future.done() and not future.cancelled() and future.exception() is None:
                self.release()  # the slot and the cancellation came in the same turn of the loop
            raise

    def release(self) -> None:
        """Hand a slot to the next in line, or put it back."""
        while self._waiting:
            future = next(iter(self._waiting))
            del self._waiting[future]
            if not future.done() and not future.get_loop().is_closed():
                future.set_result(None)
                return
        self._free += 1
        if self._timer is not None:  # nobody waits any more
            self._timer.cancel()
            self._timer = None

    def _overloaded(self, reason: str) -> Overloaded:
        return Overloaded(reason, max(1, math.ceil(self._timeout_s)))

    def _move(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin anew in another event loop: who waits in the old one is never resumed, if that one is closed."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._loop = loop
        for future in [future for future in self._waiting if future.get_loop().is_closed()]:
            del self._waiting[future]

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        self._timer = None
        while self._waiting:
            future, end = next(iter(self._waiting.items()))
            if end > now:
                self._timer = loop.call_at(end, self._ring, loop)
                return
            del self._waiting[future]
            if not future.done():
                what = f"no guest ended for {self._timeout_s:g} s"
                future.set_exception(self._overloaded(f"{what} (QWASR_QUEUE_TIMEOUT_S, QWASR_CONCURRENCY)"))
