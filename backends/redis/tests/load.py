"""64 guests that count and write without a break, and a record of what each was told."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from interfaces.keyvalue.tests.guest_text import DRAFT2, text
from mik_backend_redis import Redis, RedisOptions
from qwasr.runtime import Runtime
from qwasr.values import WitError
from qwasr_keyvalue import plugin

GUESTS = 64
STORE = "load"
_TICK_S = 0.01


@contextlib.asynccontextmanager
async def runtime_on(url: str, **options: object) -> AsyncIterator[Runtime]:
    """A runtime whose guests keep their entries in Redis."""
    redis = await Redis.connect(RedisOptions(url=url, **options))  # type: ignore[arg-type]  # tests name what they set
    try:
        async with Runtime(text(DRAFT2), backends={"keyvalue": redis}, environ={}, plugins=[plugin]) as runtime:
            yield runtime
    finally:
        await redis.close()


@dataclass
class Load:
    """Guests that run until they are told to stop.

    Attributes:
        counted: what each increment of the one shared counter returned.
        written: the last value of each guest's own key that was acknowledged.
        tried: the last value of each guest's own key that was sent.
        errors: what calls failed with, and how long they took in seconds.
        slowest_s: the longest call of all, in seconds.
        lag_s: how late the event loop was at most, in seconds: so much of a call's time may be the machine's.
        uncertain: increments that failed.
    """

    runtime: Runtime
    counted: list[int] = field(default_factory=list)
    written: dict[str, int] = field(default_factory=dict)
    tried: dict[str, int] = field(default_factory=dict)
    errors: list[tuple[str, float]] = field(default_factory=list)
    slowest_s: float = 0.0
    lag_s: float = 0.0
    uncertain: int = 0
    _stopping: bool = False

    async def run(self) -> None:
        """Run all guests until `stop`."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch_the_loop())
            for number in range(GUESTS):
                group.create_task(self._guest(f"guest-{number}"))

    def stop(self) -> None:
        """Let each guest finish its call."""
        self._stopping = True

    async def acknowledged(self, more: int = 1) -> float:
        """Wait until so many further increments are acknowledged; return how long it took, in seconds."""
        began_s, goal = time.monotonic(), len(self.counted) + more
        while len(self.counted) < goal:  # noqa: ASYNC110 - waking for each of thousands would be part of the load
            await asyncio.sleep(0.01)
        return time.monotonic() - began_s

    async def _watch_the_loop(self) -> None:
        while not self._stopping:
            began_s = time.monotonic()
            await asyncio.sleep(_TICK_S)
            self.lag_s = max(self.lag_s, time.monotonic() - began_s - _TICK_S)

    async def _guest(self, name: str) -> None:
        number = 0
        while not self._stopping:
            number += 1
            self.tried[name] = number
            if await self._call("set", STORE, name, b"%d" % number) is not _FAILED:
                self.written[name] = number
            total = await self._call("increment", STORE, "counter", 1)
            if isinstance(total, int):
                self.counted.append(total)
            else:
                self.uncertain += 1

    async def _call(self, function: str, *arguments: object) -> object:
        began_s = time.monotonic()
        try:
            return await self.runtime.call(None, function, *arguments)
        except WitError as error:
            self.errors.append((repr(error.value), time.monotonic() - began_s))
            await asyncio.sleep(0.05)  # as a client would
            return _FAILED
        finally:
            self.slowest_s = max(self.slowest_s, time.monotonic() - began_s)

    async def check(self) -> None:
        """Nothing acknowledged is lost, nothing is counted twice, and nothing is lost without an error."""
        assert len(set(self.counted)) == len(self.counted), "two increments were told the same number"
        final = int(await self.runtime.call(None, "get", STORE, "counter"))
        assert len(self.counted) <= final <= len(self.counted) + self.uncertain
        assert max(self.counted) <= final
        for name, number in self.written.items():
            kept = int(await self.runtime.call(None, "get", STORE, name))
            assert number <= kept <= self.tried[name], f"{name}: {number} was acknowledged, {kept} is there"


_FAILED = object()


@contextlib.asynccontextmanager
async def loaded(url: str, **options: object) -> AsyncIterator[Load]:
    """64 guests at work; at the end, what they were told is compared with what Redis holds."""
    async with runtime_on(url, **options) as runtime:
        load = Load(runtime)
        running = asyncio.create_task(load.run())
        try:
            await load.acknowledged(GUESTS)
            yield load
            await load.acknowledged(GUESTS)
        finally:
            load.stop()
            await running
        await load.check()
