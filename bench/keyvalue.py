"""Key-value stores: what a guest gets of Redis, beside redis-py without a guest.

Guest and bare client run in this process on one core, Redis on the other. Guests call in a loop, so many of them at
once; then the same again with a fresh instance for each call. What the engine itself costs is measured with a store
that waits once, for nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from statistics import median
from typing import Any, Final

from bench.keyvalue_guest import OPERATIONS, text
from bench.processes import Failed, pinned
from bench.report import Cell, Table, ratio
from tests.services.programs import find
from tests.services.redis import RedisServer

__all__ = ["measure"]

_IN_FLIGHT: Final = (1, 16, 128)
_ROUNDS: Final = 3
_POOL: Final = 16  # connections, ours and the bare client's
_KEY, _COUNTER, _VALUE = "bench:key", "bench:counter", bytes(100)
_COLUMNS: Final = [
    "operation",
    "in flight",
    "bare µs",
    "engine µs",
    "guest µs",
    "allowed µs",
    "bare/s",
    "guest/s",
    "guest / bare",
    "by CPU",
    "fresh guests/s",
    "failed",
]
_ALLOWED: Final = 1.2
Work = Callable[[str, int], Awaitable[int]]
"""Does an operation so many times, one after another; returns how many failed."""


def measure(seconds: float) -> Table:
    """Return the table.

    Args:
        seconds: about how long each load lasts.
    """
    table = Table("Redis: through a guest, and without", list(_COLUMNS))
    try:
        with _redis() as url, pinned(0):
            _run(_measure(table, url, seconds / _ROUNDS))
    except Failed as error:
        table.notes.append(str(error))
    table.notes += [
        f"medians of {_ROUNDS} turns; µs: of one operation as one of those in flight sees it; {_POOL} connections",
        "by CPU: the same ratio of what this process computed for one operation, which other load does not disturb",
        "engine: the same loop on a store that waits once for nothing, less what the event loop takes for that wait",
        f"allowed: (bare + engine) × {_ALLOWED}; fresh guests: a new instance for each operation",
    ]
    return table


def _run(measuring: Coroutine[Any, Any, None]) -> None:
    """Run as `qwasr run` does: on uvloop where it is installed."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(measuring)
    else:
        uvloop.run(measuring)


@contextlib.contextmanager
def _redis() -> Iterator[str]:
    """The address of `REDIS_URL`, or of a private server on the other core."""
    if url := os.environ.get("REDIS_URL"):
        yield url
        return
    if find("redis-server") is None:
        msg = "`redis-server` is neither on the PATH nor in build/services/bin, and REDIS_URL is not set"
        raise Failed(msg)
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer(Path(folder))
        with pinned(1):
            server.start()
        try:
            yield server.url
        finally:
            server.stop()


async def _measure(table: Table, url: str, turn_s: float) -> None:
    from redis.asyncio import BlockingConnectionPool, Redis

    async with contextlib.AsyncExitStack() as stack:
        pool = BlockingConnectionPool.from_url(url, max_connections=_POOL)
        client = await stack.enter_async_context(Redis(connection_pool=pool))
        await client.set(_KEY, _VALUE)
        guest = await stack.enter_async_context(_guest(url))
        idle = await stack.enter_async_context(_guest(None))
        bare: Work = _bare(client)
        each: list[Work] = [bare, guest, idle, _sleeps, _fresh(guest)]
        for operation in OPERATIONS:
            for in_flight in _IN_FLIGHT:
                table.rows.append(await _row(each, operation, in_flight, turn_s))


async def _row(each: list[Work], operation: str, in_flight: int, turn_s: float) -> list[Cell]:
    failed = 0
    counts: list[int] = []
    for work in each:
        took_s, _, lost = await _turn(work, operation, in_flight, 20)
        counts.append(max(5, round(20 * turn_s / len(each) / took_s)))
        failed += lost
    times: list[list[float]] = [[] for _ in each]
    computed: list[list[float]] = [[] for _ in each]
    for _ in range(_ROUNDS):
        for n, (work, count) in enumerate(zip(each, counts, strict=True)):
            took_s, cpu_s, lost = await _turn(work, operation, in_flight, count)
            times[n].append(took_s / count)
            computed[n].append(cpu_s / count)
            failed += lost
    bare_s, guest_s, idle_s, loop_s, fresh_s = (median(found) for found in times)
    engine_s = max(0.0, idle_s - loop_s)
    return [
        operation,
        str(in_flight),
        bare_s * 1e6,
        engine_s * 1e6,
        guest_s * 1e6,
        (bare_s + engine_s) * _ALLOWED * 1e6,
        in_flight / bare_s,
        in_flight / guest_s,
        ratio(bare_s, guest_s),
        ratio(median(computed[0]), median(computed[1])),
        in_flight / fresh_s,
        failed,
    ]


async def _turn(work: Work, operation: str, in_flight: int, times: int) -> tuple[float, float, int]:
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    failed = await asyncio.gather(*(work(operation, times) for _ in range(in_flight)))
    return time.perf_counter() - began_s, time.process_time() - began_cpu_s, sum(failed)


def _bare(client: Any) -> Work:
    calls: dict[str, Callable[[], Awaitable[Any]]] = {
        "get": lambda: client.get(_KEY),
        "set": lambda: client.set(_KEY, _VALUE),
        "increment": lambda: client.incrby(_COUNTER, 1),
    }

    async def work(operation: str, times: int) -> int:
        call = calls[operation]
        for _ in range(times):
            await call()
        return 0

    return work


async def _sleeps(_operation: str, times: int) -> int:
    for _ in range(times):
        await asyncio.sleep(0)
    return 0


def _fresh(guest: Work) -> Work:
    async def work(operation: str, times: int) -> int:
        return sum([await guest(operation, 1) for _ in range(times)])

    return work


@contextlib.asynccontextmanager
async def _guest(url: str | None) -> AsyncIterator[Work]:
    """Guests on Redis, or on a store that waits once, for nothing, when there is no address."""
    from mik_backend_redis import Redis, RedisOptions
    from qwasr.runtime import Runtime

    backend: Any = _Waits()
    if url is not None:
        backend = await Redis.connect(RedisOptions(url=url, pool_size=_POOL, timeout_s=5))
    environ = {"QWASR_CACHE_DIR": "off", "QWASR_CONCURRENCY": str(max(_IN_FLIGHT))}
    try:
        async with Runtime(text(), backends={"keyvalue": backend}, environ=environ) as runtime:

            async def work(operation: str, times: int) -> int:
                failed: int = await runtime.call(None, operation, times)
                return failed

            yield work
    finally:
        if url is not None:
            await backend.close()


class _Waits:
    """A store whose every answer takes one trip through the event loop."""

    name = "waits"

    async def open_bucket(self, _identifier: str) -> _Waits:
        return self

    async def get(self, _key: str) -> bytes:
        await asyncio.sleep(0)
        return _VALUE

    async def set(self, _key: str, _value: bytes) -> None:
        await asyncio.sleep(0)

    async def increment(self, _key: str, _delta: int) -> int:
        await asyncio.sleep(0)
        return 1
