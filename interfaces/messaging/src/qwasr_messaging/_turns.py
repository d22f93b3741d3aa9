"""How many messages are handled at once, until no more are to be."""

from __future__ import annotations

import asyncio
from collections import deque

__all__ = ["Turns"]


class Turns:
    """So many turns at a time; who waits for one gets it in the order of asking.

    Args:
        most: how many there are, 1 or more.

    Attributes:
        running: how many have begun and are not at their end.
    """

    def __init__(self, most: int) -> None:
        self.running = 0
        self._most = most
        self._waiting: deque[asyncio.Future[bool]] = deque()
        self._over = asyncio.Event()

    @property
    def over(self) -> bool:
        """Whether no more begin."""
        return self._over.is_set()

    async def begin(self) -> bool:
        """Wait for a turn, which `end` ends; return whether it began, at once when no more do."""
        if self.over:
            return False
        if self.running < self._most:
            self.running += 1
            return True
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            return await future
        except asyncio.CancelledError:
            if not future.cancelled() and future.result():
                self.end()  # it began in this very moment
            raise

    def end(self) -> None:
        """End a turn; the next one begins."""
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(True)
                return
        self.running -= 1

    def begin_no_more(self) -> None:
        """Have those who wait go without."""
        self._over.set()
        for future in self._waiting:
            if not future.done():
                future.set_result(False)
        self._waiting.clear()

    async def until_over(self, within_s: float) -> bool:
        """Wait until no more turns begin, so many seconds at most; return whether it is so."""
        try:
            async with asyncio.timeout(within_s):
                await self._over.wait()
        except TimeoutError:
            return False
        return True
