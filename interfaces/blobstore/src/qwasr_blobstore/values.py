"""wasi:blobstore/types: values on their way in and out."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from qwasr.hosting import HostInterface, HostResource
from qwasr.values import WitError
from qwasr_blobstore._answers import host_function, long_function, message_for, within
from qwasr_blobstore._early import Early, SharedMemory, Waiting
from qwasr_blobstore.errors import BlobstoreError, TooLarge
from qwasr_blobstore.limits import MAX_SYNC_BYTES, PIECE_BYTES
from qwasr_wasi.bytestreams import BufferedSink, PullSource
from qwasr_wasi.streams import InputStream, IoError, OutputStream, StreamClosed, StreamFailed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qwasr.protocols import Backends
    from qwasr_blobstore.protocol import Container, Reader, Writer

__all__ = ["IncomingValue", "OutgoingValue", "Types"]

_log = logging.getLogger("qwasr.blobstore")


class OutgoingValue(HostResource):
    """wasi:blobstore/types.outgoing-value: bytes that a guest writes, before or after it says which object they are.

    What comes before `write-data` waits; what comes after goes straight to the backend. `finish` makes the object
    visible, unless anything went wrong on the way.

    Args:
        waiting: what counts the bytes that wait.
    """

    __slots__ = ("_early", "_failure", "_given", "_sink", "_writer", "_writing")

    def __init__(self, waiting: Waiting) -> None:
        self._early = Early(waiting)
        self._sink = _Gathering(self._send, waiting.memory)
        self._writer: Writer | None = None
        self._writing = asyncio.Lock()
        self._given = False
        self._failure: str | None = None

    def outgoing_value_write_body(self) -> OutputStream:
        """Return the stream to write the value into; a second time is an error."""
        if self._given:
            raise WitError
        self._given = True
        return OutputStream(self._sink)

    async def attach(self, container: Container, name: str) -> None:
        """Send what was written, and what will be, to an object (the container's).

        Raises:
            BlobstoreError: the value has an object already, or the backend does not take it.
        """
        async with self._writing:
            if self._writer is not None:
                raise BlobstoreError("the value is written to an object already")
            if self._failure is not None:
                raise BlobstoreError(self._failure)
            self._writer = await within(container.write(name))
            try:
                async for piece in self._early.pieces():
                    await within(self._writer.write(piece))
            except BaseException as reason:
                self._failure = "the value could not be written"
                if isinstance(reason, Exception):
                    self._failure = message_for(reason, self.attach)
                    raise BlobstoreError(self._failure) from None
                raise
            finally:
                self._early.close()

    @staticmethod
    @long_function
    async def finish(this: OutgoingValue) -> None:
        """Make the object visible; an error when no container was told to write it, or a write failed."""
        try:
            await this._commit()
        finally:
            this._forget()

    async def _commit(self) -> None:
        try:
            await self._sink.finish()
        except (StreamClosed, StreamFailed):
            raise BlobstoreError(self._failure or "the value's stream was cut off") from None
        async with self._writing:
            if self._failure is not None:
                raise BlobstoreError(self._failure)
            if self._writer is None:
                raise BlobstoreError("the value has no object: write-data was not called")
            await within(self._writer.commit())
            self._writer = None

    def drop(self) -> None:
        """Give the value up: the object does not become visible."""
        if self._writer is not None:
            _log.debug("a guest dropped a value that it had not finished")
        self._forget()

    def _forget(self) -> None:
        self._sink.abort()
        self._early.close()
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.abort()

    async def _send(self, data: bytes) -> None:
        async with self._writing:
            try:
                if self._writer is not None:
                    await within(self._writer.write(data))
                else:
                    await self._early.write(data)
            except Exception as reason:  # noqa: BLE001 - the guest gets an error, the log the exception
                self._failure = message_for(reason, self._send)
                raise StreamFailed(IoError(self._failure)) from None


class _Gathering(BufferedSink):
    """A sink that sends large pieces, however small those are that a guest flushes.

    An object is invisible until its value is finished, so nobody can tell; and a small piece costs a backend as much as
    a large one. What goes wrong is told by a later write, or when the value is finished. Where the memory for it is
    used up by other values, each piece is sent as it comes.

    Args:
        send: takes a large piece.
        memory: what counts the bytes, until they are sent.
    """

    __slots__ = ("_finishing", "_memory", "_send_piece", "_taken")

    def __init__(self, send: Callable[[bytes], Awaitable[None]], memory: SharedMemory) -> None:
        super().__init__(self._send_taken, PIECE_BYTES)
        self._send_piece = send
        self._memory = memory
        self._taken = 0
        self._finishing = False

    def write(self, data: bytes) -> None:
        """Gather the bytes, or send them when they may not gather."""
        taken = self._memory.take(len(data))
        if taken:
            self._taken += len(data)
        super().write(data)
        if not taken:
            super().flush()

    def flush(self) -> None:
        """Begin to send what has gathered if that is much, or the last."""
        if self._finishing or self._size >= self._limit_bytes:
            super().flush()
        else:
            self._raise_end()

    async def finish(self) -> None:
        """Return when everything written is sent."""
        self._finishing = True
        await super().finish()

    def abort(self) -> None:
        """Throw away what is not sent, and stop sending."""
        super().abort()
        self._give_back()

    async def _send_taken(self, data: bytes) -> None:
        try:
            await self._send_piece(data)
        finally:
            self._give_back()  # nothing more came meanwhile

    def _give_back(self) -> None:
        self._memory.give_back(self._taken)
        self._taken = 0


class IncomingValue(HostResource):
    """wasi:blobstore/types.incoming-value: bytes that a guest reads."""

    __slots__ = ("_reader",)

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    @staticmethod
    @host_function
    async def incoming_value_consume_sync(this: IncomingValue) -> bytes:
        """Return all of it; an error when it is larger than 2 MiB: a stream takes any size."""
        reader = this._reader
        try:
            if reader.size > MAX_SYNC_BYTES:
                raise TooLarge(
                    f"a value of {reader.size} bytes, more than {MAX_SYNC_BYTES}, has to be read as a stream"
                )
            pieces = []
            while piece := await reader.read():
                pieces.append(piece)
            return b"".join(pieces)
        finally:
            reader.close()

    @staticmethod
    def incoming_value_consume_async(this: IncomingValue) -> InputStream:
        """Return a stream of it."""
        return InputStream(_ReaderSource(this._reader))

    def size(self) -> int:
        """Return how many bytes it has."""
        return self._reader.size

    def drop(self) -> None:
        """Read no more."""
        self._reader.close()


class _ReaderSource(PullSource):
    """A reader as the source of a stream; it closes with it."""

    __slots__ = ("_closed", "_reader")

    def __init__(self, reader: Reader) -> None:
        super().__init__(self._next)
        self._reader = reader
        self._closed = False

    def close(self) -> None:
        super().close()
        if not self._closed:
            self._closed = True
            self._reader.close()

    async def _next(self) -> bytes:
        try:
            return await within(self._reader.read())
        except Exception as reason:  # noqa: BLE001 - the guest gets an error, the log the exception
            raise StreamFailed(IoError(message_for(reason, self._next))) from None


class Types(HostInterface, wit="wasi:blobstore/types", resources=(OutgoingValue, IncomingValue)):
    """wasi:blobstore/types: values on their way in and out."""

    def __init__(self, backends: Backends[object]) -> None:
        self.waiting = Waiting()

    def outgoing_value_new_outgoing_value(self) -> OutgoingValue:
        """Return an empty value."""
        return OutgoingValue(self.waiting)
