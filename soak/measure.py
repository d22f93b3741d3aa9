"""What could leak, counted: memory, files, tasks, slots, resources."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qwasr.engine import Store
from qwasr.hosting import HostResource
from qwasr.runtime import Runtime
from qwasr_http import plugin as http
from qwasr_http.server import HttpServer
from qwasr_wasi import plugin as wasi

if TYPE_CHECKING:
    from soak.kinds import Kind

__all__ = ["Counts", "Figures", "soak"]

_WARM_SHARE: Final = 5  # memory is compared from the 2 000th to the 10 000th call, and so on for other numbers
_SETTLE_S: Final = 5.0
_CONCURRENCY: Final = 32


@dataclass(frozen=True, slots=True)
class Counts:
    """What has to be the same before and after.

    Attributes:
        files: open file descriptors.
        tasks: asyncio's.
        slots: free slots of the pool.
        running: requests that have a guest.
        stores: stores that hold an instance. (Closed ones may be there: asyncio keeps the context of a cancelled timer
            until a hundred of them have gathered, and a context knows its call.)
        resources: host resources alive.
    """

    files: int
    tasks: int
    slots: int
    running: int
    stores: int
    resources: int

    def differences(self, other: Counts) -> str:
        """Return what differs, as ``files 10 -> 12``; empty when nothing does."""
        pairs = ((field.name, getattr(self, field.name), getattr(other, field.name)) for field in fields(self))
        return ", ".join(f"{name} {before} -> {after}" for name, before, after in pairs if before != after)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a soak found; memory in bytes."""

    kind: str
    calls: int
    seconds: float
    memory_warm: int
    memory_end: int
    before: Counts
    after: Counts

    @property
    def growth(self) -> int:
        """How much memory was added since a fifth of the calls were made, in bytes."""
        return self.memory_end - self.memory_warm


async def soak(kind: Kind, calls: int) -> Figures:
    """Make calls of one kind against a server of its own.

    Args:
        kind: how they end.
        calls: how many.
    """
    environ = {
        "QWASR_PLUGINS": "",
        "HTTP_ADDR": "127.0.0.1:0",
        "QWASR_CONCURRENCY": str(_CONCURRENCY),
        "QWASR_GUEST_TIMEOUT_S": kind.timeout_s,
        "QWASR_CACHE_DIR": "off",
    }
    warm_calls = calls // _WARM_SHARE
    loop = asyncio.get_running_loop()
    async with Runtime(kind.component(), plugins=[http, wasi], environ=environ) as runtime:
        await runtime.start()
        server = runtime.servers[0]
        assert isinstance(server, HttpServer)  # noqa: S101 - the only server plug-in given
        await kind.crowd(server, _CONCURRENCY)  # what is made once is made now, and each slot's memory is touched
        before = await _settled(runtime, server)
        began_s = loop.time()
        await kind.calls(server, warm_calls)
        await _settled(runtime, server, before)
        warm = _memory_bytes()
        await kind.calls(server, calls - warm_calls)
        seconds = loop.time() - began_s
        after = await _settled(runtime, server, before)
        return Figures(kind.name, calls, seconds, warm, _memory_bytes(), before, after)


async def _settled(runtime: Runtime, server: HttpServer, wanted: Counts | None = None) -> Counts:
    """Count once nothing is under way: connections that were closed need a turn of the loop, or a few."""
    loop = asyncio.get_running_loop()
    ends_s = loop.time() + _SETTLE_S
    previous = None
    while True:
        await asyncio.sleep(0.05)
        counts = _count(runtime, server)
        if counts == wanted or (wanted is None and counts == previous) or loop.time() > ends_s:
            return counts
        previous = counts


def _count(runtime: Runtime, server: HttpServer) -> Counts:
    gc.collect()
    objects = gc.get_objects()
    return Counts(
        files=len(list(Path("/proc/self/fd" if sys.platform == "linux" else "/dev/fd").iterdir())),
        tasks=len(asyncio.all_tasks()),
        slots=runtime.guest._linked.engine.slots.free,
        running=server.running,
        stores=sum(type(each) is Store and each.context != 0 for each in objects),
        resources=sum(isinstance(each, HostResource) for each in objects),
    )


def _memory_bytes() -> int:
    """The resident memory of this process, 0 where it cannot be read."""
    if sys.platform != "linux":
        return 0
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
