"""Many guests in one process: ``python -m bench.crowd waiting|endless|thread N`` prints JSON.

A process of its own, since what is measured is the process's memory, and how long its event loop lets others wait.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import threading
import time
from pathlib import Path
from typing import Final

from bench.timing import percentile
from qwasr.engine import Engine, EngineOptions, ExportedFunction, LinkedComponent
from qwasr.hosting import HostInterface

_GUEST: Final = """
(component
  (import "bench:crowd/api" (instance $api
    (export "wait" (func))
    (export "double" (func (param "n" u32) (result u32)))))
  (core func $wait (canon lower (func $api "wait")))
  (core func $double (canon lower (func $api "double")))
  (core module $m
    (import "h" "wait" (func $wait))
    (import "h" "double" (func $double (param i32) (result i32)))
    (memory 16)
    (data (i32.const 1024) "touched")
    (func (export "wait") (call $wait))
    (func (export "small") (param i32) (result i32) (call $double (call $double (local.get 0))))
    (func (export "spin") (loop (br 0))))
  (core instance $i (instantiate $m (with "h" (instance
    (export "wait" (func $wait)) (export "double" (func $double))))))
  (func (export "wait") (canon lift (core func $i "wait")))
  (func (export "small") (param "n" u32) (result u32) (canon lift (core func $i "small")))
  (func (export "spin") (canon lift (core func $i "spin"))))
"""
_SAMPLE_S: Final = 2.0
_FIRST_SLICE_S: Final = 0.02  # guests that begin together run for a slice each before any has its second


class _Api(HostInterface, wit="bench:crowd/api"):
    def __init__(self, expected: int) -> None:
        self.door = asyncio.Event()
        self.complete = asyncio.Event()
        self._missing = expected

    async def wait(self) -> None:
        """Wait until the door opens; when all have come, `complete` is set."""
        self._missing -= 1
        if not self._missing:
            self.complete.set()
        await self.door.wait()

    def double(self, n: int) -> int:
        """Answer at once."""
        return 2 * n


def _resident_bytes() -> int:
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


async def _call(linked: LinkedComponent, function: ExportedFunction, *arguments: int) -> None:
    store = linked.store()
    try:
        await store.call(function, *arguments)
    finally:
        store.close()


async def _waiting(linked: LinkedComponent, api: _Api, count: int) -> dict[str, float]:
    await _call(linked, linked.function(None, "small"), 1)
    wait = linked.function(None, "wait")
    before = _resident_bytes()
    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(_call(linked, wait))
        await api.complete.wait()
        after = _resident_bytes()
        api.door.set()
    return {"kib_per_guest": (after - before) / count / 1024}


async def _endless(linked: LinkedComponent, count: int) -> dict[str, float]:
    spin = linked.function(None, "spin")
    alone = await _latencies(linked)
    async with asyncio.TaskGroup() as group:
        busy = [group.create_task(_call(linked, spin)) for _ in range(count)]
        await asyncio.sleep(0.1 + count * _FIRST_SLICE_S)
        beside = await _latencies(linked)
        for task in busy:
            task.cancel()
    return {
        "alone_p50_ms": percentile(alone, 50),
        "alone_p99_ms": percentile(alone, 99),
        "beside_p50_ms": percentile(beside, 50),
        "beside_p99_ms": percentile(beside, 99),
    }


async def _thread(linked: LinkedComponent, count: int) -> dict[str, float]:
    """Return how long a call takes that makes two host calls, beside threads that compute in Python."""
    stop = threading.Event()
    threads = [threading.Thread(target=_compute, args=(stop,)) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        beside = await _latencies(linked)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    return {"p50_ms": percentile(beside, 50), "p99_ms": percentile(beside, 99), "longest_ms": max(beside)}


def _compute(stop: threading.Event) -> None:
    while not stop.is_set():
        sum(range(100))


async def _latencies(linked: LinkedComponent) -> list[float]:
    """Return how long calls of the small guest take, each through the event loop as a request is, in milliseconds."""
    small = linked.function(None, "small")
    latencies = []
    end_s = time.perf_counter() + _SAMPLE_S
    while time.perf_counter() < end_s:
        began = time.perf_counter()
        await asyncio.sleep(0)
        await _call(linked, small, 1)
        latencies.append((time.perf_counter() - began) * 1000)
    return latencies


async def _main(what: str, count: int) -> dict[str, float]:
    engine = Engine(EngineOptions(concurrency=count + 8))
    api = _Api(count)
    linked = engine.link(engine.load(_GUEST.encode(), name="crowd"), [api])
    try:
        if what == "waiting":
            return await _waiting(linked, api, count)
        return await (_endless if what == "endless" else _thread)(linked, count)
    finally:
        engine.close()


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_main(sys.argv[1], int(sys.argv[2])))))
