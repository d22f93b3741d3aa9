"""wasi:io/error and wasi:io/streams: bytes in and out of a guest, with backpressure.

`InputStream` and `OutputStream` are what guests hold. They know the WIT's rules (permits, traps, closed after failed,
blocking or not) and nothing of where bytes come from or go to: that is a `ByteSource` or a `ByteSink`, a small object
that an http body, a file or a socket implements. `qwasr_wasi.bytestreams` has ready-made ones::

    InputStream(BytesSource(b"all there is"))            # bytes that are there
    InputStream(PullSource(reader.readany))              # a coroutine that returns the next piece, b"" at the end
    OutputStream(BufferedSink(send))                     # a coroutine that takes a piece and returns when it is gone

One of one's own has no coroutine in its fast path: `take` and `write` answer at once, and only when nothing is there,
or no room, does the stream use `wait` (the guest does nothing else) or `watch` (the guest polls several things)::

    class Inbox:                                         # a ByteSource over pieces that someone puts in
        def __init__(self) -> None:
            self._pieces: deque[bytes] = deque()
            self._waiters = Waiters()
            self.watch = self._waiters.watch

        def take(self, limit: int) -> bytes: ...         # b"" now, StreamClosed at the end
        def ready(self) -> bool: ...                     # take(1) would not return b""
        def wait(self) -> Awaitable[None]:
            return wait_until(self)
        def close(self) -> None: ...                     # the guest will take no more

Nothing of a guest's is trusted: a length is any u64, so no stream hands over more than 64 KiB in one call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from qwasr.errors import GuestTrap
from qwasr.hosting import HostInterface, HostResource
from qwasr.values import Variant, WitError
from qwasr_wasi.ends import ENDED, MAX_PIECE_BYTES, ByteSink, ByteSource, IoError, StreamClosed, StreamFailed
from qwasr_wasi.poll import Pollable, Unwatch, Wake

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from qwasr.protocols import Backends

__all__ = [
    "ENDED",
    "MAX_PIECE_BYTES",
    "ByteSink",
    "ByteSource",
    "Error",
    "InputStream",
    "IoError",
    "OutputStream",
    "StreamClosed",
    "StreamFailed",
    "Streams",
]

_MAX_BLOCKING_WRITE_BYTES: Final = 4096  # the WIT's own limit of blocking-write-and-flush
_CLOSED: Final = Variant("closed")


class InputStream(HostResource):
    """wasi:io/streams.input-stream over a `ByteSource`."""

    __slots__ = ("_source",)

    def __init__(self, source: ByteSource) -> None:
        self._source = source

    def read(self, len: int) -> bytes:  # noqa: A002 - the WIT's name
        """Return up to `len` bytes, at most 64 KiB, ``b""`` when none are there yet."""
        try:
            return self._source.take(min(MAX_PIECE_BYTES, len))
        except (StreamClosed, StreamFailed) as end:
            self._end(end)

    def blocking_read(self, len: int) -> bytes | Awaitable[bytes]:  # noqa: A002 - the WIT's name
        """Return as `read` does, but at least one byte if `len` allows it."""
        if self._source.ready():
            data = self.read(len)
            if data or not len:
                return data
        return self._read_later(len)

    async def _read_later(self, limit: int) -> bytes:
        while True:
            await self._source.wait()
            data = self.read(limit)
            if data or not limit:
                return data

    def skip(self, len: int) -> int:  # noqa: A002 - the WIT's name
        """Read and forget; return how many bytes."""
        return _length(self.read(len))

    def blocking_skip(self, len: int) -> int | Awaitable[int]:  # noqa: A002 - the WIT's name
        """Skip at least one byte if `len` allows it."""
        if self._source.ready():
            data = self.read(len)
            if data or not len:
                return _length(data)
        return self._skip_later(len)

    async def _skip_later(self, limit: int) -> int:
        return _length(await self._read_later(limit))

    def subscribe(self) -> Pollable:
        """Return a pollable that is ready when bytes are there or the stream has ended."""
        return Pollable(self)

    def drop(self) -> None:
        """Let the source go; a pollable that is left over is ready."""
        source, self._source = self._source, ENDED
        source.close()

    def ready(self) -> bool:
        """Say whether a read would answer with bytes or an end (the host's; a guest has `subscribe`)."""
        return self._source.ready()

    def watch(self, wake: Wake) -> Unwatch:
        """Have `wake` called when `ready` (the host's; a guest has `subscribe`)."""
        return self._source.watch(wake)

    def _end(self, end: StreamClosed | StreamFailed) -> NoReturn:
        self.drop()
        raise _wit_error(end) from None


class OutputStream(HostResource):
    """wasi:io/streams.output-stream over a `ByteSink`."""

    __slots__ = ("_sink",)

    def __init__(self, sink: ByteSink) -> None:
        self._sink = sink

    def check_write(self) -> int:
        """Return how many bytes the next `write` may have: 0 means wait for the pollable, 64 KiB is the most."""
        try:
            capacity = self._sink.capacity()
        except (StreamClosed, StreamFailed) as end:
            self._end(end)
        return min(MAX_PIECE_BYTES, capacity)

    def write(self, contents: bytes) -> None:
        """Take the bytes; more than `check_write` permits is a trap."""
        if len(contents) > self.check_write():
            raise GuestTrap(f"output-stream.write of {len(contents)} bytes: more than check-write permitted")
        self._write(contents)

    def blocking_write_and_flush(self, contents: bytes) -> Awaitable[None] | None:
        """Write up to 4096 bytes and flush; more is a trap."""
        if len(contents) > _MAX_BLOCKING_WRITE_BYTES:
            raise GuestTrap(
                f"output-stream.blocking-write-and-flush of {len(contents)} bytes: it takes {_MAX_BLOCKING_WRITE_BYTES}"
            )
        if len(contents) > self.check_write():
            return self._write_later(contents)
        self._write(contents)
        self.flush()
        if self._sink.ready():
            self._settle()
            return None
        return self._settle_later()

    async def _write_later(self, contents: bytes) -> None:
        while contents:
            await self._sink.wait()
            permit = self.check_write()
            self._write(contents[:permit])
            contents = contents[permit:]
        self.flush()
        await self._settle_later()

    async def _settle_later(self) -> None:
        await self._sink.wait()
        self._settle()

    def _settle(self) -> None:
        # All bytes were taken: that the sink takes no more of them is the next call's news, a failure is this one's.
        try:
            self._sink.capacity()
        except StreamClosed:
            self.drop()
        except StreamFailed as end:
            self._end(end)

    def flush(self) -> None:
        """Begin to flush; until that is done `check_write` answers 0."""
        try:
            self._sink.flush()
        except (StreamClosed, StreamFailed) as end:
            self._end(end)

    def blocking_flush(self) -> Awaitable[None] | None:
        """Flush, and return when that is done."""
        self.flush()
        if self._sink.ready():
            self.check_write()
            return None
        return self._flush_later()

    async def _flush_later(self) -> None:
        await self._sink.wait()
        self.check_write()

    def subscribe(self) -> Pollable:
        """Return a pollable that is ready when `check_write` permits a byte, or an error."""
        return Pollable(self)

    def write_zeroes(self, len: int) -> None:  # noqa: A002 - the WIT's name
        """Write `len` zeroes; more than `check_write` permits is a trap."""
        if len > self.check_write():
            raise GuestTrap(f"output-stream.write-zeroes of {len} bytes: more than check-write permitted")
        self._write(bytes(len))

    def blocking_write_zeroes_and_flush(self, len: int) -> Awaitable[None] | None:  # noqa: A002 - the WIT's name
        """Write up to 4096 zeroes and flush; more is a trap."""
        if len > _MAX_BLOCKING_WRITE_BYTES:
            raise GuestTrap(
                f"output-stream.blocking-write-zeroes-and-flush of {len} bytes: it takes {_MAX_BLOCKING_WRITE_BYTES}"
            )
        return self.blocking_write_and_flush(bytes(len))

    def splice(self, src: InputStream, len: int) -> int:  # noqa: A002 - the WIT's name
        """Move up to `len` bytes that `src` has and this stream permits; return how many."""
        limit = min(self.check_write(), len)
        data = src.read(limit) if limit else b""
        self._write(data)
        return _length(data)

    def blocking_splice(self, src: InputStream, len: int) -> int | Awaitable[int]:  # noqa: A002 - the WIT's name
        """Splice as soon as this stream permits a byte and `src` has one."""
        if not len or (self._sink.ready() and src.ready()):
            return self.splice(src, len)
        return self._splice_later(src, len)

    async def _splice_later(self, src: InputStream, limit: int) -> int:
        await self._sink.wait()
        self.check_write()
        await src._source.wait()
        return self.splice(src, limit)

    def drop(self) -> None:
        """Let the sink go; what was written still goes out, a pollable that is left over is ready."""
        sink, self._sink = self._sink, ENDED
        sink.close()

    def ready(self) -> bool:
        """Say whether `check_write` would permit a byte or report an end (the host's; a guest has `subscribe`)."""
        return self._sink.ready()

    def watch(self, wake: Wake) -> Unwatch:
        """Have `wake` called when `ready` (the host's; a guest has `subscribe`)."""
        return self._sink.watch(wake)

    def _write(self, data: bytes) -> None:
        if not data:
            return
        try:
            self._sink.write(data)
        except (StreamClosed, StreamFailed) as end:
            self._end(end)

    def _end(self, end: StreamClosed | StreamFailed) -> NoReturn:
        self.drop()
        raise _wit_error(end) from None


_length = len  # the WIT calls a parameter `len`


def _wit_error(end: StreamClosed | StreamFailed) -> WitError:
    if isinstance(end, StreamFailed):
        return WitError(Variant("last-operation-failed", end.error))
    return WitError(_CLOSED)


class Error(HostInterface, wit="wasi:io/error", resources=(IoError,)):
    """wasi:io/error: the resource `error`."""

    def __init__(self, backends: Backends[object]) -> None:
        """Need no backend."""


class Streams(HostInterface, wit="wasi:io/streams", resources=(InputStream, OutputStream)):
    """wasi:io/streams: the resources `input-stream` and `output-stream`."""

    def __init__(self, backends: Backends[object]) -> None:
        """Need no backend."""
