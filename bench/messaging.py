"""Messages: from publishing one to its handler's answer, through a guest, on each embedded broker.

One process and one core, as `qwasr run` serves: who publishes, the broker and the guests share them. So many messages
are under way at once; each is published, delivered to a fresh instance, which reads its data, and acknowledged.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import tempfile
import time
from collections.abc import AsyncIterator
from typing import Any, Final

from bench.processes import pinned
from bench.report import Cell, Table

__all__ = ["measure"]

_IN_FLIGHT: Final = (1, 16, 128)
_WARM_S: Final = 0.2
_DATA: Final = bytes(100)
_GUEST: Final = b"""
(component
  (import "wasi:messaging/types@0.2.0-draft" (instance $types
    (export "message" (type $message (sub resource)))
    (type $e (variant (case "timeout") (case "connection" string) (case "permission-denied" string)
      (case "other" string)))
    (export "error" (type $error (eq $e)))
    (export "[method]message.data" (func (param "self" (borrow $message)) (result (list u8))))))
  (alias export $types "message" (type $message))
  (alias export $types "error" (type $error))
  (core module $memory (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
  (core instance $mem (instantiate $memory))
  (alias core export $mem "memory" (core memory $m))
  (alias core export $mem "realloc" (core func $realloc))
  (core func $data (canon lower (func $types "[method]message.data") (memory $m) (realloc $realloc)))
  (core module $main
    (import "k" "memory" (memory 1))
    (import "k" "data" (func $data (param i32 i32)))
    (func (export "handle") (param i32) (result i32)
      (call $data (local.get 0) (i32.const 16))
      (i32.const 0)))
  (core instance $i (instantiate $main (with "k" (instance
    (export "memory" (memory $m)) (export "data" (func $data))))))
  (func $handle (param "message" (own $message)) (result (result (error $error)))
    (canon lift (core func $i "handle") (memory $m) (realloc $realloc)))
  (instance $handler (export "message" (type $message)) (export "error" (type $error))
    (export "handle" (func $handle)))
  (export "wasi:messaging/incoming-handler@0.2.0-draft" (instance $handler)))
"""


def measure(seconds: float) -> Table:
    """Return the table.

    Args:
        seconds: about how long each load lasts.
    """
    table = Table(
        "Messages through a guest's handler",
        ["broker", "in flight", "messages/s", "p50 ms", "p99 ms"],
        notes=[
            "from before a message is published until its handler's answer is acknowledged; 100 bytes each, no keys",
            "a fresh instance for each message; publisher, broker and guests on one core",
        ],
    )
    with pinned(0):
        for broker in ("memory", "sqlite"):
            for in_flight in _IN_FLIGHT:
                table.rows.append(_run(_measure(broker, in_flight, seconds)))
    return table


def _run(measuring: Any) -> list[Cell]:
    """Run as `qwasr run` does: on uvloop where it is installed."""
    try:
        import uvloop
    except ImportError:
        found: list[Cell] = asyncio.run(measuring)
    else:
        found = uvloop.run(measuring)
    return found


async def _measure(name: str, in_flight: int, seconds: float) -> list[Cell]:
    from qwasr.runtime import Runtime
    from qwasr_messaging import Message

    environ = {
        "QWASR_CACHE_DIR": "off",
        "QWASR_CONCURRENCY": str(max(_IN_FLIGHT)),
        "MESSAGING_TOPICS": "work",
        "MESSAGING_CONCURRENCY": str(in_flight),
    }
    async with _broker(name) as broker, Runtime(_GUEST, backends={"messaging": broker}, environ=environ) as runtime:
        await runtime.start()
        numbers, handled = itertools.count(), broker.handled
        times_s: list[float] = []

        async def publish(until_s: float, found: list[float]) -> None:
            while (began_s := time.perf_counter()) < until_s:
                number = str(next(numbers))
                done = handled[number] = asyncio.get_running_loop().create_future()
                await broker.publish("work", Message(_DATA, None, (("number", number),)))
                await done
                found.append(time.perf_counter() - began_s)

        async def load(for_s: float, found: list[float]) -> float:
            began_s = time.perf_counter()
            await asyncio.gather(*(publish(began_s + for_s, found) for _ in range(in_flight)))
            return time.perf_counter() - began_s

        await load(_WARM_S, [])
        took_s = await load(seconds, times_s)
    times_s.sort()
    return [
        name,
        str(in_flight),
        len(times_s) / took_s,
        times_s[len(times_s) // 2] * 1000,
        times_s[len(times_s) * 99 // 100] * 1000,
    ]


@contextlib.asynccontextmanager
async def _broker(name: str) -> AsyncIterator[_Watched]:
    from qwasr_messaging import Memory, Sqlite, SqliteOptions

    with tempfile.TemporaryDirectory() as folder:
        backend: Any = Memory()
        if name == "sqlite":
            backend = await Sqlite.connect(SqliteOptions(url=f"sqlite:///{folder}/broker.db"))
        try:
            yield _Watched(backend)
        finally:
            await backend.close()


class _Watched:
    """A broker that says which message was acknowledged."""

    name = "watched"

    def __init__(self, right: Any) -> None:
        self._right = right
        self.publish = right.publish
        self.handled: dict[str, asyncio.Future[None]] = {}

    async def subscribe(self, *arguments: Any) -> _Watched:
        self._subscription = await self._right.subscribe(*arguments)
        return self

    async def receive(self) -> _Delivery | None:
        delivery = await self._subscription.receive()
        return None if delivery is None else _Delivery(delivery, self.handled)

    async def close(self) -> None:
        await self._subscription.close()


class _Delivery:
    """A delivery whose acknowledgement is told."""

    def __init__(self, right: Any, handled: dict[str, asyncio.Future[None]]) -> None:
        self._right = right
        self._handled = handled
        self.id, self.topic, self.attempt = right.id, right.topic, right.attempt
        self.message, self.reply_to = right.message, right.reply_to

    async def ack(self) -> bool:
        done = await self._right.ack()
        self._handled.pop(self.message.get("number")).set_result(None)
        return bool(done)

    async def retry(self, reason: str) -> None:
        await self._right.retry(reason)

    async def extend(self) -> bool:
        return bool(await self._right.extend())
