"""A machine for tests: the same times, the same chance, every time."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Final

from qwasr_wasi.poll import Waiters
from qwasr_wasi.system import System, SystemOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qwasr_wasi.poll import Unwatch, Wake

__all__ = ["FixedSystem"]

_NEW_YEAR_2026_NS: Final = 1_767_225_600 * 1_000_000_000
_NS: Final = 1_000_000_000
_LONGEST_TIMER_NS: Final = 24 * 3600 * _NS


class FixedSystem(System):
    """A machine whose clocks stand still and whose chance is known.

    Time moves in two ways: `advance`, and a guest's own wait, which takes as long as it says and then moves the clocks
    by exactly that much.

    Args:
        seed: what all random bytes follow from.
        wall_ns: the time of day at the beginning, in nanoseconds since 1970; the new year of 2026 when not given.
        environment: the variables that guests see.
        arguments: the guests' arguments.
        mounts: folders that guests are given, each ``host:guest[:rw]``; `close` closes them.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        wall_ns: int = _NEW_YEAR_2026_NS,
        environment: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
        mounts: Sequence[str] = (),
    ) -> None:
        super().__init__(SystemOptions(environment=tuple((environment or {}).items()), mounts=tuple(mounts)))
        self.arguments = tuple(arguments)
        self._random = random.Random(seed)  # noqa: S311 - to be foretold is its purpose
        self._wall_at_start_ns = wall_ns
        self._now_ns = 0
        self._waiters = Waiters()

    def wall_ns(self) -> int:
        """Return the fixed time of day plus what was moved."""
        return self._wall_at_start_ns + self._now_ns

    def monotonic_ns(self) -> int:
        """Return what was moved."""
        return self._now_ns

    def advance(self, seconds: float) -> None:
        """Move both clocks, and wake guests whose time has come."""
        self._move_to(self._now_ns + round(seconds * _NS))

    def call_at(self, when_ns: int, wake: Wake) -> Unwatch:
        """Have `wake` called when the clock is moved, or after the wait itself, which moves the clock."""
        delay_ns = min(max(0, when_ns - self._now_ns), _LONGEST_TIMER_NS)
        timer = asyncio.get_running_loop().call_later(delay_ns / _NS, self._move_to, self._now_ns + delay_ns)
        unwatch = self._waiters.watch(wake)

        def undo() -> None:
            timer.cancel()
            unwatch()

        return undo

    def random_bytes(self, length: int) -> bytes:
        """Return the next bytes that follow from the seed."""
        return self._random.randbytes(length)

    def insecure_random_bytes(self, length: int) -> bytes:
        """Return the next bytes that follow from the seed."""
        return self._random.randbytes(length)

    def _move_to(self, now_ns: int) -> None:
        self._now_ns = max(self._now_ns, now_ns)
        self._waiters.notify()
