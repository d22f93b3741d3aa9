"""How many guests may be alive at once.

`asyncio.Semaphore` belongs to the first event loop that had to wait for it; an engine outlives loops.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque

__all__ = ["Slots"]


class Slots:
    """A number of slots; who finds none free waits, and is served in the order of coming.

    Args:
        count: how many there are.
    """

    __slots__ = ("_free", "_waiting")

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def free(self) -> int:
        """How many slots nobody holds."""
        return self._free

    async def acquire(self) -> None:
        """Take a slot, or wait for one."""
        if self._free:
            self._free -= 1
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            await future
        except BaseException:
            if future.done() and not future.cancelled():
                self.release()  # the slot and the cancellation came in the same turn of the loop
            else:
                with contextlib.suppress(ValueError):
                    self._waiting.remove(future)
            raise

    def release(self) -> None:
        """Hand a slot to the next in line, or put it back."""
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done() and not future.get_loop().is_closed():
                future.set_result(None)
                return
        self._free += 1
