"""Whose turn it is when guests want more of the thread than there is.

A turn of the event loop has a budget for guests, one slice (an epoch, 10 ms). While it lasts, guests run as they come
and pay for it with one comparison. Once it is spent, whoever wants to run (a new call, too) stands in line:

- *Fresh* guests, which have run for less than half a slice, go first, in the order they came, as many a turn as its
  budget holds. While fresh ones grow tired, the line moves by one of them a turn, and who comes behind many of that
  kind would wait for all of them: 5 s behind 256. So then the last to come go first, in every second turn.
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
_BATCH: Final = 32  # fresh guests woken in a turn, from each end; who finds the budget spent stands there again


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
        "_last_first",
        "_late",
        "_loop",
        "_new",
        "_scheduled",
        "_tired",
        "_tired_before",
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
        # In the order of coming, except who was let through or interrupted; a result is whether it was from the end.
        self._fresh: deque[asyncio.Future[bool]] = deque()
        self._back: list[asyncio.Future[bool]] = []  # for the next turn: before the others
        self._late: list[asyncio.Future[bool]] = []  # behind them, the last one first
        self._new: list[asyncio.Future[bool]] = []  # behind these
        self._tired: deque[asyncio.Future[bool]] = deque()
        self._tired_before = 0  # how many tired ones stood in line at the end of the last turn
        self._last_first = False
        self._scheduled = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def __len__(self) -> int:
        return sum(map(len, (self._fresh, self._back, self._late, self._new, self._tired)))

    def note(self) -> None:
        """Take notice of `spent_s`: it begins anew with the next turn, and until then nobody may start who is late."""
        if not self._scheduled:  # of another loop than this it may be, too: who then has to wait puts that right
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
        line = self._back if interrupted else self._new
        while True:
            future = loop.create_future()
            line.append(future)
            self.closed = True
            from_end = await future
            if self.spent_s < self.slice_s:
                return
            line = self._late if from_end else self._back

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop is not self._loop:  # the embedder runs one loop after another; what waited in the old one is gone
            self._loop = loop
            for line in (self._fresh, self._back, self._late, self._new, self._tired):
                line.clear()
            self._tired_before = 0
            self._scheduled = self.closed = False
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._begin_turn, loop)

    def _begin_turn(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop is not self._loop:
            return
        self._scheduled = False
        self.spent_s = 0.0
        if self._back or self._late or self._new:
            self._fresh.extendleft(reversed(self._back))
            self._fresh.extend(reversed(self._late))
            self._fresh.extend(self._new)
            self._back.clear()
            self._late.clear()
            self._new.clear()
        self._last_first = len(self._tired) > self._tired_before and not self._last_first
        last = _let_through(self._fresh, _BATCH, from_end=True) if self._last_first else 0
        # Closed for newcomers until those who were let through have run: that is before the next call of this.
        self.closed = bool(_let_through(self._fresh, _BATCH) + last)
        tired = _let_through(self._tired, 1)
        if tired or self.closed:
            self._schedule(loop)
        self._tired_before = len(self._tired) + tired  # it comes back


def _let_through(line: deque[asyncio.Future[bool]], count: int, *, from_end: bool = False) -> int:
    """Wake the first, or the last, of a line; return how many that were. Who has given up costs nobody a place."""
    woken = 0
    while line and woken < count:
        future = line.pop() if from_end else line.popleft()
        if not future.done():
            future.set_result(from_end)
            woken += 1
    return woken
