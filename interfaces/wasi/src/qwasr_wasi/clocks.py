"""wasi:clocks: the time of day, and a clock that never goes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwasr.hosting import HostInterface
from qwasr_wasi.poll import READY, Pollable, Unwatch, Wake

if TYPE_CHECKING:
    from qwasr.protocols import Backends
    from qwasr_wasi.protocol import Clock, Wasi

__all__ = ["Datetime", "MonotonicClock", "Timer", "WallClock"]

_NS = 1_000_000_000  # nanoseconds in a second


@dataclass(frozen=True, slots=True)
class Datetime:
    """wasi:clocks/wall-clock.datetime: seconds since 1970-01-01T00:00:00Z, and the nanoseconds within the second."""

    seconds: int
    nanoseconds: int

    @classmethod
    def from_ns(cls, ns: int) -> Datetime:
        """Return the time that is `ns` nanoseconds after (or the length of a span of) the epoch."""
        return cls(*divmod(ns, _NS))


class Timer:
    """A time of a monotonic clock as something to wait for; it costs nothing until someone does."""

    __slots__ = ("_clock", "_when_ns")

    def __init__(self, clock: Clock, when_ns: int) -> None:
        self._clock = clock
        self._when_ns = when_ns

    def ready(self) -> bool:
        """Say whether the time has come."""
        return self._clock.monotonic_ns() >= self._when_ns

    def watch(self, wake: Wake) -> Unwatch:
        """Have `wake` called when the time comes."""
        return self._clock.call_at(self._when_ns, wake)


class WallClock(HostInterface, wit="wasi:clocks/wall-clock"):
    """wasi:clocks/wall-clock: the time of day, which may jump."""

    def __init__(self, backends: Backends[Wasi]) -> None:
        self._system = backends.default

    def now(self) -> Datetime:
        """Return the time of day."""
        return Datetime.from_ns(self._system.wall_ns())

    def resolution(self) -> Datetime:
        """Return the clock's smallest step."""
        return Datetime.from_ns(self._system.wall_resolution_ns)


class MonotonicClock(HostInterface, wit="wasi:clocks/monotonic-clock"):
    """wasi:clocks/monotonic-clock: nanoseconds since some fixed instant, and waiting for one."""

    def __init__(self, backends: Backends[Wasi]) -> None:
        self._system = backends.default

    def now(self) -> int:
        """Return the time."""
        return self._system.monotonic_ns()

    def resolution(self) -> int:
        """Return the clock's smallest step."""
        return self._system.monotonic_resolution_ns

    def subscribe_instant(self, when: int) -> Pollable:
        """Return a pollable that is ready from the instant `when` on."""
        return Pollable(Timer(self._system, when))

    def subscribe_duration(self, when: int) -> Pollable:
        """Return a pollable that is ready `when` nanoseconds from now."""
        if not when:
            return Pollable(READY)
        return Pollable(Timer(self._system, self._system.monotonic_ns() + when))
