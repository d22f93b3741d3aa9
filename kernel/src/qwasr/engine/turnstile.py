"""Whose turn it is among busy guests.

Every busy guest yields at each epoch tick. If all of them ran again in the next turn of the event loop, a turn would
take as long as all their slices together: 2.6 s with 256 endless guests. One a turn keeps it at one slice.
"""

from __future__ import annotations

import asyncio
from collections import deque

__all__ = ["Turnstile"]


class Turnstile:
    """Lets one waiting guest through in each turn of the event loop, in the order they came."""

    __slots__ = ("_loop", "_waiting")

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    async def turn(self) -> None:
        """Wait for this guest's turn."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # the embedder runs one loop after another; what waited in the old one is gone
            self._loop = loop
            self._waiting.clear()
        if not self._waiting:
            loop.call_soon(self._let_one_through)
        future = loop.create_future()
        self._waiting.append(future)
        await future

    def _let_one_through(self) -> None:
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(None)
                break
        if self._waiting and self._loop is not None:
            self._loop.call_soon(self._let_one_through)
