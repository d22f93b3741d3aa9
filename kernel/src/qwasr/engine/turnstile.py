"""Whose turn it is when guests want more of the thread than there is.

A turn of the event loop has a budget for guests, one slice (an epoch, 10 ms). While it lasts, guests run as they come
and pay for it with one comparison. Once it is spent, whoever wants to run (a new call, too) stands in line:

- *Fresh* guests, which have run for less than half a slice, go first, in the order they came, as many a turn as its
  budget holds.
- *Tired* ones, which have run longer, go one a turn, in the order they came. If all of them ran again in each turn, a
  turn would take as long as all their slices together: 2.6 s with 256 endless guests.

So neither endless guests nor a stream of new calls keep the others waiting: a turn takes at most three slices (fresh
ones, the last of which may begin just before the budget is spent, and a tired one).
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

__all__ = ["Turnstile"]

_QUIET_SHARE: Final = 0.1  # of a slice: below, nobody needs to know that a turn ended, and no callback is scheduled
_SHARE: Final = 0.5  # of a slice: who has run longer is tired; an epoch's tick comes after half of one on average
_BATCH: Final = 32  # fresh guests woken in a turn; who finds the budget spent stands at the head of the line again


class Turnstile:
    """Shares the turns of the event loop among guests.

    Args:
        slice_s: how long guests may run in one turn, in seconds, before those who come stand in line.

    Attributes:
        slice_s: the same.
        share_s: who has run so long is tired.
        quiet_s: above this much of `spent_s`, `note` has to be called.
        spent_s: how long guests have run since the last turn; whoever polls a guest adds to it.
        closed: who wants to run has to wait for `turn`.
    """

    __slots__ = (
        "_back",
        "_fresh",
        "_loop",
        "_scheduled",
        "_tired",
        "closed",
        "quiet_s",
        "share_s",
        "slice_s",
        "spent_s",
    )

    def __init__(self, slice_s: float = 0.01) -> None:
        self.slice_s = slice_s
        self.share_s = slice_s * _SHARE
        self.quiet_s = slice_s * _QUIET_SHARE
        self.spent_s = 0.0
        self.closed = False
        self._fresh: deque[asyncio.Future[None]] = deque()
        self._back: list[asyncio.Future[None]] = []  # before the fresh ones: they had been let through or interrupted
        self._tired: deque[asyncio.Future[None]] = deque()
        self._scheduled = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def __len__(self) -> int:
        return len(self._fresh) + len(self._back) + len(self._tired)

    def note(self) -> None:
        """Take notice of `spent_s`: it begins anew with the next turn, and until then nobody may start who is late."""
        self._schedule(asyncio.get_running_loop())
        if self.spent_s >= self.slice_s:
            self.closed = True

    async def turn(self, *, tired: bool = False, interrupted: bool = False) -> None:
        """Wait for this guest's turn.

        Args:
            tired: it has run for `share_s`.
            interrupted: it has begun, and was interrupted because the turn's budget, not its own slice, was spent.
        """
        loop = asyncio.get_running_loop()
        self._schedule(loop)
        if tired:
            future = loop.create_future()
            self._tired.append(future)
            await future
            return
        while True:
            future = loop.create_future()
            (self._back if interrupted else self._fresh).append(future)
            self.closed = True
            await future
            if self.spent_s < self.slice_s:
                return
            interrupted = True

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop is not self._loop:  # the embedder runs one loop after another; what waited in the old one is gone
            self._loop = loop
            self._fresh.clear()
            self._back.clear()
            self._tired.clear()
            self._scheduled = self.closed = False
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._begin_turn, loop)

    def _begin_turn(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop is not self._loop:
            return
        self._scheduled = False
        self.spent_s = 0.0
        if self._back:
            self._fresh.extendleft(reversed(self._back))
            self._back.clear()
        # Closed for newcomers until those who were let through have run: that is before the next call of this.
        self.closed = bool(_let_through(self._fresh, _BATCH))
        if _let_through(self._tired, 1) or self.closed:
            self._schedule(loop)


def _let_through(line: deque[asyncio.Future[None]], count: int) -> int:
    """Wake the first of a line; return how many that were. Who has given up costs nobody a place."""
    woken = 0
    while line and woken < count:
        future = line.popleft()
        if not future.done():
            future.set_result(None)
            woken += 1
    return woken
