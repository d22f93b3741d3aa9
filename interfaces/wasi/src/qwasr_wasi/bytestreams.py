"""Sources and sinks of bytes that most streams need: fixed bytes, a coroutine to pull from, a coroutine to send to.

They make a task only when a guest polls, or computes on, while bytes are on their way; a guest that simply blocks
awaits the coroutine itself. A task belongs to its source or sink and ends with it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from qwasr_wasi.ends import MAX_PIECE_BYTES, IoError, StreamClosed, StreamFailed
from qwasr_wasi.poll import READY, Unwatch, Waiters, Wake, wait_until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["BufferedSink", "BytesSource", "PullSource"]


class BytesSource:
    """A source of bytes that are all there."""

    __slots__ = ("_data", "_offset")
    ready = staticmethod(READY.ready)
    watch = staticmethod(READY.watch)

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = 0

    def take(self, limit: int) -> bytes:
        """Return the next bytes."""
        piece = self._data[self._offset : self._offset + limit]
        if not piece and self._offset >= len(self._data):
            raise StreamClosed
        self._offset += len(piece)
        return piece

    async def wait(self) -> None:
        """Return at once."""

    def close(self) -> None:
        """Forget the bytes."""
        self._data = b""


class PullSource:
    """A source over a coroutine function that returns the next piece.

    Args:
        fetch: returns at least one byte, or ``b""`` at the end. It may be cancelled. It raises `StreamFailed` or
            `StreamClosed`; an `OSError` becomes a `StreamFailed`; anything else ends the guest's call as a host error.
    """

    __slots__ = ("_data", "_end", "_fetch", "_offset", "_start", "_task", "_waiters")

    def __init__(self, fetch: Callable[[], Awaitable[bytes]]) -> None:
        self._fetch = fetch
        self._data = b""
        self._offset = 0
        self._end: Exception | None = None
        self._start: asyncio.Handle | None = None  # a fetch that begins when the loop turns, unless `wait` does it
        self._task: asyncio.Task[None] | None = None
        self._waiters = Waiters()

    def take(self, limit: int) -> bytes:
        """Return up to `limit` bytes of the piece that is there."""
        if not self.ready():
            return b""
        if self._offset == len(self._data):
            end, self._end = self._end, StreamClosed()
            raise end or StreamClosed
        piece = self._data[self._offset : self._offset + limit]
        self._offset += len(piece)
        return piece

    def ready(self) -> bool:
        """Say whether a piece, the end or a failure is there; if not, see to it that one is fetched."""
        if self._offset < len(self._data) or self._end is not None:
            return True
        if self._start is None and self._task is None:
            self._start = asyncio.get_running_loop().call_soon(self._spawn)
        return False

    def watch(self, wake: Wake) -> Unwatch:
        """Have `wake` called when a fetch is over."""
        if self.ready():
            wake()
        return self._waiters.watch(wake)

    async def wait(self) -> None:
        """Return when `ready`; fetch right here if nothing else fetches."""
        if self.ready():
            return
        if self._start is None:
            await wait_until(self)
            return
        self._start.cancel()
        self._start = None
        await self._fill()

    def close(self) -> None:
        """Stop fetching."""
        self._data, self._offset = b"", 0
        self._end = StreamClosed()
        if self._start is not None:
            self._start.cancel()
            self._start = None
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _spawn(self) -> None:
        self._start = None
        self._task = asyncio.ensure_future(self._fill())

    async def _fill(self) -> None:
        try:
            piece = await self._fetch()
        except Exception as failure:  # noqa: BLE001 - kept for the next take, which raises it
            piece = b""
            self._end = _as_end(failure)
        self._task = None
        if piece and self._end is None:
            self._data, self._offset = piece, 0
        elif self._end is None:
            self._end = StreamClosed()
        self._waiters.notify()


class BufferedSink:
    """A sink over a coroutine function that sends a piece.

    What is written gathers until it is flushed or the buffer is full, then goes out as one piece, and until that is
    sent nothing more is taken. Whoever made the sink ends it with `finish` or `abort`; the guest's drop of its stream
    only stops further writes.

    Args:
        send: takes the bytes and returns when more may follow. It raises `StreamFailed` or `StreamClosed`; an `OSError`
            becomes a `StreamFailed`; anything else ends the guest's call as the host's fault.
        limit_bytes: how much gathers, at least 1.
    """

    __slots__ = (
        "_closed",
        "_end",
        "_limit_bytes",
        "_pieces",
        "_send",
        "_sending",
        "_size",
        "_start",
        "_task",
        "_waiters",
    )

    def __init__(self, send: Callable[[bytes], Awaitable[None]], limit_bytes: int = MAX_PIECE_BYTES) -> None:
        self._send = send
        self._limit_bytes = limit_bytes
        self._pieces: list[bytes] = []
        self._size = 0
        self._sending = False
        self._closed = False
        self._end: Exception | None = None
        self._start: asyncio.Handle | None = None  # a send that begins when the loop turns, unless `wait` does it
        self._task: asyncio.Task[None] | None = None
        self._waiters = Waiters()

    def capacity(self) -> int:
        """Return the room in the buffer, 0 while it is being sent."""
        self._raise_end()
        return 0 if self._sending else self._limit_bytes - self._size

    def write(self, data: bytes) -> None:
        """Gather the bytes; a full buffer is sent."""
        self._pieces.append(data)
        self._size += len(data)
        if self._size >= self._limit_bytes:
            self.flush()

    def flush(self) -> None:
        """Begin to send what has gathered."""
        self._raise_end()
        if self._size and not self._sending:
            self._sending = True
            self._start = asyncio.get_running_loop().call_soon(self._spawn)

    def ready(self) -> bool:
        """Say whether nothing is being sent."""
        return not self._sending

    def watch(self, wake: Wake) -> Unwatch:
        """Have `wake` called when what is being sent is gone."""
        if not self._sending:
            wake()
        return self._waiters.watch(wake)

    async def wait(self) -> None:
        """Return when `ready`; send right here if nothing else sends."""
        if self._start is None:
            await wait_until(self)
            return
        self._start.cancel()
        self._start = None
        await self._send_all()

    def close(self) -> None:
        """Take no more, and send what has gathered."""
        if self._end is None and not self._closed:
            self._closed = True
            self.flush()

    async def finish(self) -> None:
        """Return when everything written is sent; raise what went wrong, `StreamClosed` if the guest knows it."""
        if self._sending:
            await self.wait()
        self.flush()
        if self._sending:
            await self.wait()
        self._raise_end()

    def abort(self) -> None:
        """Throw away what is not sent, and stop sending."""
        self._end = StreamClosed()
        self._pieces, self._size = [], 0
        if self._start is not None:
            self._start.cancel()
            self._start = None
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._sending = False
        self._waiters.notify()

    def _raise_end(self) -> None:
        if self._end is not None:
            end, self._end = self._end, StreamClosed()
            raise end

    def _spawn(self) -> None:
        self._start = None
        self._task = asyncio.ensure_future(self._send_all())

    async def _send_all(self) -> None:
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces, self._size = [], 0
        try:
            await self._send(data)
        except Exception as failure:  # noqa: BLE001 - kept for the next call, which raises it
            self._end = self._end or _as_end(failure)
        except BaseException:  # cancelled in the middle of a piece: no other may follow it
            self._end = StreamClosed()
            raise
        finally:
            self._task = None
            self._sending = False
            self._waiters.notify()


def _as_end(failure: Exception) -> Exception:
    if isinstance(failure, OSError):
        return StreamFailed(IoError(failure.strerror or type(failure).__name__))
    return failure
