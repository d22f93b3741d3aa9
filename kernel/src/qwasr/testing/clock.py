"""The time of a test: it stands still until somebody moves it."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["NEW_YEAR_2026_NS", "Clock"]

NEW_YEAR_2026_NS: Final = 1_767_225_600 * 1_000_000_000
_NS: Final = 1_000_000_000
_LONGEST_TIMER_NS: Final = 24 * 3600 * _NS


class Clock:
    """One time for everything in a test: the guest's clocks, what expires, what is delivered later.

    It moves in two ways: by `advance`, and when something waits for a time, which takes as long as it says unless
    `advance` comes first, and then moves the clock by exactly that much.

    Called, it returns the seconds since the test began; so it fits wherever a `Callable[[], float]` is asked for.

    Args:
        wall_ns: the time of day at the beginning, nanoseconds since 1970; the new year of 2026 when not given.
        seed: what all chance in the test follows from.

    Attributes:
        seed: the same.
        pace: how many real seconds a second of a wait takes: 0.001 makes a wait of a minute one of 60 ms, `math.inf`
            leaves it to `advance` alone.
    """

    def __init__(self, *, wall_ns: int = NEW_YEAR_2026_NS, seed: int = 0) -> None:
        self.seed = seed
        self.pace = 1.0
        self._wall_at_start_ns = wall_ns
        self._now_ns = 0
        self._waits: list[tuple[int, Callable[[], object]]] = []

    def __call__(self) -> float:
        """Return the seconds since the test began."""
        return self._now_ns / _NS

    def monotonic_ns(self) -> int:
        """Return the nanoseconds since the test began."""
        return self._now_ns

    def wall_ns(self) -> int:
        """Return the time of day, nanoseconds since 1970."""
        return self._wall_at_start_ns + self._now_ns

    def now(self) -> datetime:
        """Return the time of day, in UTC."""
        return datetime.fromtimestamp(self.wall_ns() / _NS, UTC)

    @property
    def waiting(self) -> int:
        """How many wait for a time that has not come."""
        return sum(when_ns > self._now_ns for when_ns, _ in self._waits)

    def advance(self, seconds: float) -> None:
        """Move on, and wake whoever waits for a time.

        Args:
            seconds: how far, 0 or more.
        """
        if seconds < 0:
            message = "a clock does not go back"
            raise ValueError(message)
        self._move_to(self._now_ns + round(seconds * _NS))

    def call_at(self, when_ns: int, wake: Callable[[], object]) -> Callable[[], object]:
        """Have `wake` called, on the running event loop, when the clock is moved or the time has come by itself.

        Args:
            when_ns: the time by `monotonic_ns`.
            wake: what is called; it may be needless, so it looks at the clock itself.

        Returns:
            What takes the request back.
        """
        delay_ns = min(max(0, when_ns - self._now_ns), _LONGEST_TIMER_NS)
        timer = None
        if not delay_ns or self.pace != math.inf:
            delay_s = self.pace * delay_ns / _NS if delay_ns else 0
            timer = asyncio.get_running_loop().call_later(delay_s, self._move_to, self._now_ns + delay_ns)
        wait = (when_ns, wake)
        self._waits.append(wait)

        def undo() -> None:
            if timer is not None:
                timer.cancel()
            self._waits.remove(wait)

        return undo

    async def sleep(self, seconds: float) -> None:
        """Return when the clock has moved by so many seconds."""
        until_ns = self._now_ns + round(seconds * _NS)
        loop = asyncio.get_running_loop()
        while self._now_ns < until_ns:
            moved = loop.create_future()
            undo = self.call_at(until_ns, partial(_resolve, moved))
            try:
                await moved
            finally:
                undo()

    def _move_to(self, now_ns: int) -> None:
        self._now_ns = max(self._now_ns, now_ns)
        for _, wake in tuple(self._waits):
            wake()


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
