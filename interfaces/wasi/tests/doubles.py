"""A source and a sink in a test's hands, and three ways to call a function that may have to wait."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

import pytest

from qwasr.values import Variant, WitError
from qwasr_wasi.poll import Unwatch, Waiters, Wake, wait_until
from qwasr_wasi.streams import StreamClosed

if TYPE_CHECKING:
    from collections.abc import Awaitable

U64_MAX = 2**64 - 1
CLOSED = Variant("closed")


class Inbox:
    """A source that a test puts pieces, a failure or the end into."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self.pieces: deque[bytes | Exception] = deque(pieces)
        self.closed = 0
        self._waiters = Waiters()

    def put(self, piece: bytes | Exception) -> None:
        self.pieces.append(piece)
        self._waiters.notify()

    def take(self, limit: int) -> bytes:
        if not self.pieces:
            return b""
        if isinstance(self.pieces[0], Exception):
            raise self.pieces.popleft()  # type: ignore[misc]  # just checked
        piece: bytes = self.pieces.popleft()  # type: ignore[assignment]  # just checked
        if piece[limit:]:
            self.pieces.appendleft(piece[limit:])
        return piece[:limit]

    def ready(self) -> bool:
        return bool(self.pieces)

    def watch(self, wake: Wake) -> Unwatch:
        return self._waiters.watch(wake)

    def wait(self) -> Awaitable[None]:
        return wait_until(self)

    def close(self) -> None:
        self.closed += 1


class Outbox:
    """A sink with room that a test gives, and a flush that a test ends."""

    def __init__(self, room: int = U64_MAX, *, slow: bool = False) -> None:
        self.room = room
        self.slow = slow
        self.flushing = False
        self.end: Exception | None = None
        self.data = b""
        self.closed = 0
        self.flushes = 0
        self._waiters = Waiters()

    def change(self, **changes: Any) -> None:
        for name, value in changes.items():
            setattr(self, name, value)
        self._waiters.notify()

    def capacity(self) -> int:
        if self.end is not None:
            end, self.end = self.end, StreamClosed()
            raise end
        return 0 if self.flushing else self.room

    def write(self, data: bytes) -> None:
        assert data
        assert len(data) <= self.capacity()
        self.data += data
        self.room -= len(data)

    def flush(self) -> None:
        self.flushes += 1
        self.flushing = self.slow

    def ready(self) -> bool:
        return self.end is not None or bool(self.room and not self.flushing)

    def watch(self, wake: Wake) -> Unwatch:
        return self._waiters.watch(wake)

    def wait(self) -> Awaitable[None]:
        return wait_until(self)

    def close(self) -> None:
        self.closed += 1


def now(result: Any) -> Any:
    """The result of a function that must not have to wait."""
    if asyncio.iscoroutine(result):
        result.close()
        raise AssertionError("it had to wait")
    return result


async def later(result: Any) -> Any:
    """The result of a function that must have to wait; it has begun to when this returns control."""
    assert asyncio.iscoroutine(result)
    return await result


async def waiting(result: Any) -> asyncio.Future[Any]:
    task = asyncio.ensure_future(later(result))
    await asyncio.sleep(0)
    assert not task.done()
    return task


def ended(function: Any, *args: Any) -> Any:
    with pytest.raises(WitError) as caught:
        function(*args)
    return caught.value.value
