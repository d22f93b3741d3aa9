"""wasi:clocks, on the machine's clocks and on fixed ones."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest

from qwasr_wasi.clocks import Datetime, MonotonicClock, WallClock
from qwasr_wasi.fake import FixedSystem
from qwasr_wasi.poll import Poll
from qwasr_wasi.system import System

U64_MAX = 2**64 - 1
SECOND = 1_000_000_000
HOUR = 3600 * SECOND


def on(system: System) -> Any:
    return SimpleNamespace(default=system)


async def polled(*pollables: Any) -> list[int]:
    result = Poll(on(System())).poll(list(pollables))
    return result if isinstance(result, list) else await result


def test_the_wall_clock_tells_the_time_of_day() -> None:
    now = WallClock(on(System())).now()
    assert abs(now.seconds + now.nanoseconds / SECOND - time.time()) < 5
    assert 0 <= now.nanoseconds < SECOND


def test_a_wall_clock_before_1970_shows_1970(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: -5)
    assert WallClock(on(System())).now() == Datetime(0, 0)


def test_the_monotonic_clock_goes_forward_and_does_not_tell_the_machines_uptime() -> None:
    clock = MonotonicClock(on(System()))
    first, second = clock.now(), clock.now()
    assert 0 <= first <= second < 60 * SECOND


def test_resolutions_are_positive() -> None:
    system = on(System())
    assert MonotonicClock(system).resolution() > 0
    resolution = WallClock(system).resolution()
    assert resolution.seconds * SECOND + resolution.nanoseconds > 0


async def test_a_duration_passes_no_sooner_than_it_should() -> None:
    clock = MonotonicClock(on(System()))
    before = clock.now()
    assert await polled(clock.subscribe_duration(20_000_000)) == [0]
    assert clock.now() - before >= 20_000_000


async def test_an_instant_comes_no_sooner_than_it_should() -> None:
    clock = MonotonicClock(on(System()))
    when = clock.now() + 5_500_000
    await polled(clock.subscribe_instant(when))
    assert clock.now() >= when


async def test_a_timer_is_not_asked_again_and_again_while_its_last_moments_pass() -> None:
    class Counting(System):
        watches = 0

        def call_at(self, when_ns: int, wake: Any) -> Any:
            self.watches += 1
            return super().call_at(when_ns, wake)

    machine = Counting()
    for _ in range(5):
        await polled(MonotonicClock(on(machine)).subscribe_duration(2_900_000))
    assert machine.watches <= 10


def test_a_duration_of_nothing_and_an_instant_gone_by_are_ready() -> None:
    clock = MonotonicClock(on(System()))
    assert clock.subscribe_duration(0).ready()
    assert clock.subscribe_instant(0).ready()


async def test_the_earliest_of_many_timers_ends_a_poll() -> None:
    clock = MonotonicClock(on(System()))
    timers = [clock.subscribe_duration(hours * HOUR) for hours in range(1, 1000)]
    assert await polled(*timers, clock.subscribe_duration(1)) == [999]


@pytest.mark.parametrize("system", [System, FixedSystem])
async def test_the_furthest_instant_can_be_waited_for(system: type[System]) -> None:
    clock = MonotonicClock(on(system()))
    timers = [clock.subscribe_instant(U64_MAX), clock.subscribe_duration(U64_MAX)]
    assert await polled(*timers, clock.subscribe_duration(1_000_000)) == [2]


async def test_a_timer_that_nobody_waits_for_any_more_leaves_nothing_in_the_loop() -> None:
    class Counting(System):
        pending = 0

        def call_at(self, when_ns: int, wake: Any) -> Any:
            type(self).pending += 1
            undo = super().call_at(when_ns, wake)

            def counted() -> None:
                type(self).pending -= 1
                undo()

            return counted

    clock = MonotonicClock(on(Counting()))
    waiting = asyncio.ensure_future(polled(*[clock.subscribe_duration(3600 * SECOND)] * 3))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert Counting.pending == 3
    waiting.cancel()
    await asyncio.wait([waiting])
    assert Counting.pending == 0


# --- fixed clocks ----------------------------------------------------------------------------------------------------


async def test_fixed_clocks_stand_still() -> None:
    system = on(FixedSystem())
    times = []
    for _ in range(2):
        times.append((WallClock(system).now(), MonotonicClock(system).now()))
        await asyncio.sleep(0.002)
    assert times == [(Datetime(1_767_225_600, 0), 0)] * 2


async def test_a_wait_moves_fixed_clocks_by_exactly_its_length() -> None:
    system = on(FixedSystem(wall_ns=SECOND))
    clock = MonotonicClock(system)
    await polled(clock.subscribe_duration(10_000_001))
    assert (clock.now(), WallClock(system).now()) == (10_000_001, Datetime(1, 10_000_001))


async def test_advancing_fixed_clocks_wakes_a_guest_at_once() -> None:
    machine = FixedSystem()
    waiting = asyncio.ensure_future(polled(MonotonicClock(on(machine)).subscribe_duration(3600 * SECOND)))
    await asyncio.sleep(0)
    machine.advance(3599)
    await asyncio.sleep(0.001)
    assert not waiting.done()
    machine.advance(1)
    async with asyncio.timeout(1):
        await waiting


async def test_a_wait_that_is_given_up_does_not_move_fixed_clocks_later() -> None:
    machine = FixedSystem()
    waiting = asyncio.ensure_future(polled(MonotonicClock(on(machine)).subscribe_duration(2_000_000)))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.sleep(0.005)
    assert machine.monotonic_ns() == 0
