"""A command's standard streams: bytes of file descriptors that this process was started with.

The descriptors are shared with whoever started it, so they are left as they are, blocking: one is only read or written
when `poll` says that this does not wait. Pipes, sockets and terminals can be polled. What cannot (regular files,
`/dev/null`) is read in a thread, since a disk may be slow, and written at once, since that goes to memory.

A stream belongs to its command and not to one handle of the guest's: what was read ahead is there for the next handle.
"""

from __future__ import annotations

import asyncio
import logging
import os
import select
import stat
from typing import TYPE_CHECKING, Final, Literal

from qwasr.command import CommandCall
from qwasr.errors import GuestExit
from qwasr_wasi.bytestreams import PullSource
from qwasr_wasi.ends import MAX_PIECE_BYTES, StreamFailed
from qwasr_wasi.files.codes import failed
from qwasr_wasi.poll import Waiters, wait_until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qwasr.call import CallInfo
    from qwasr_wasi.poll import Unwatch, Wake

__all__ = ["NO_READER", "DescriptorSink", "DescriptorSource", "command_input", "command_output"]

NO_READER: Final = 128 + 13
"""The exit code of a command whose output no one reads any more: what a shell says of a program ended by SIGPIPE."""

_logger: Final = logging.getLogger("qwasr.guest")


def command_input(call: CallInfo | None) -> DescriptorSource | None:
    """Return the standard input of a call, if it has one of its own."""
    if not isinstance(call, CommandCall) or call.command.stdin is None:
        return None
    stream = call.streams.get("stdin")
    if not isinstance(stream, DescriptorSource):
        stream = call.streams["stdin"] = DescriptorSource(call.command.stdin)
    return stream


def command_output(call: CallInfo | None, name: Literal["stdout", "stderr"]) -> DescriptorSink | None:
    """Return the standard output or error of a call, if it has one of its own."""
    if not isinstance(call, CommandCall):
        return None
    descriptor = call.command.stdout if name == "stdout" else call.command.stderr
    if descriptor is None:
        return None
    stream = call.streams.get(name)
    if not isinstance(stream, DescriptorSink):
        # Two of one descriptor would each keep bytes, and take the place of the other in the event loop.
        sinks = (one for one in call.streams.values() if isinstance(one, DescriptorSink))
        stream = next((sink for sink in sinks if sink.descriptor == descriptor), None) or DescriptorSink(descriptor)
        call.streams[name] = stream
    return stream


class DescriptorSource(PullSource):
    """A source over a file descriptor; `release` ends it, and a guest's drop of its stream does not."""

    __slots__ = ("_descriptor", "_poll")

    def __init__(self, descriptor: int) -> None:
        super().__init__(self._read)
        self._descriptor = descriptor
        self._poll = _poll_of(descriptor, select.POLLIN)

    def close(self) -> None:
        """Keep what was read ahead."""

    async def finish(self) -> None:
        """Return: there is nothing to write."""

    def release(self) -> None:
        """Stop reading."""
        super().close()

    async def _read(self) -> bytes:
        if self._poll is None:
            return await asyncio.to_thread(self._piece)
        while True:
            if not self._poll(0):
                await self._readable()
            try:
                return self._piece()
            except BlockingIOError:  # someone else has read it, and made the descriptor one that does not block
                await self._readable()

    def _piece(self) -> bytes:
        try:
            return os.read(self._descriptor, MAX_PIECE_BYTES)
        except BlockingIOError:
            raise
        except OSError as error:
            raise failed(error) from error

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        readable = loop.create_future()
        loop.add_reader(self._descriptor, _set, readable)
        try:
            await readable
        finally:
            loop.remove_reader(self._descriptor)


class DescriptorSink:
    """A sink over a file descriptor; `release` ends it, and a guest's drop of its stream does not.

    What is written leaves at once, and what does not fit is kept, up to 64 KiB, until the reader has made room. When
    there is no reader any more the guest's call ends, as a program is ended by SIGPIPE.

    Attributes:
        descriptor: the number of it.
    """

    __slots__ = ("_end", "_flushing", "_kept", "_known", "_poll", "_waiters", "_watched", "descriptor")

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._poll = _poll_of(descriptor, select.POLLOUT)
        self._kept = b""
        self._flushing = False
        self._watched: asyncio.AbstractEventLoop | None = None  # the loop that says when there is room
        self._end: Exception | None = None
        self._known = False  # whether the guest was told of the end
        self._waiters = Waiters()

    def capacity(self) -> int:
        """Return the room for what is kept, 0 while a flush is under way."""
        if self._end is not None:
            self._known = True
            raise self._end
        return 0 if self._flushing else MAX_PIECE_BYTES - len(self._kept)

    def write(self, data: bytes) -> None:
        """Write what the reader has room for, keep the rest."""
        self._kept += data
        if self._watched is None:
            self._push()

    def flush(self) -> None:
        """Take no more until the reader has everything."""
        self._flushing = bool(self._kept)

    def ready(self) -> bool:
        """Say whether there is room, or an end."""
        return self._end is not None or (not self._flushing and len(self._kept) < MAX_PIECE_BYTES)

    def watch(self, wake: Wake) -> Unwatch:
        """Have `wake` called when there is room."""
        if self.ready():
            wake()
        return self._waiters.watch(wake)

    def wait(self) -> Awaitable[None]:
        """Return when there is room."""
        return wait_until(self)

    def close(self) -> None:
        """Go on with what is kept."""

    async def finish(self) -> None:
        """Return when nothing is kept; raise `GuestExit` when no one reads it, or it is lost, unknown to the guest."""
        self.flush()
        await wait_until(self)
        if isinstance(self._end, GuestExit):
            raise self._end
        if isinstance(self._end, StreamFailed) and not self._known:
            self._known = True
            _logger.error("what a command wrote is lost: %s", self._end.error.message)
            raise GuestExit(1)

    def release(self) -> None:
        """Let go of the event loop."""
        if self._watched is not None:
            self._watched.remove_writer(self.descriptor)
            self._watched = None

    def _push(self) -> None:
        """Write until there is nothing left, or no room; then go on when there is."""
        rest = memoryview(self._kept)
        try:
            while rest:
                if self._poll is None:
                    rest = rest[os.write(self.descriptor, rest) :]
                elif self._poll(0):  # PIPE_BUF bytes are what a pipe that can be polled takes without waiting
                    rest = rest[os.write(self.descriptor, rest[: select.PIPE_BUF]) :]
                else:
                    break
        except BlockingIOError:
            pass  # as if `poll` had said so: the descriptor is one that does not block, and full
        except BrokenPipeError:
            self._fail(GuestExit(NO_READER))
            return
        except OSError as error:
            self._fail(failed(error))
            return
        self._kept = bytes(rest)
        if self._kept and self._watched is None:
            self._watched = asyncio.get_running_loop()
            self._watched.add_writer(self.descriptor, self._push)
        elif not self._kept:
            self.release()
            self._flushing = False
            self._waiters.notify()

    def _fail(self, end: Exception) -> None:
        self._kept = b""
        self._end = end
        self.release()
        self._waiters.notify()


def _poll_of(descriptor: int, event: int) -> Callable[[int], object] | None:
    """Return what says whether the event is there, or ``None`` for a descriptor that is never waited for."""
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor)):
        return None
    poll = select.poll()
    poll.register(descriptor, event)
    return poll.poll


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
