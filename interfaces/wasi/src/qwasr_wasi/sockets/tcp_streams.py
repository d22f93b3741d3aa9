"""The two streams of a TCP connection: straight from and to the socket, so that its buffers are the backpressure."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

from qwasr_wasi.ends import MAX_PIECE_BYTES, StreamClosed, StreamFailed
from qwasr_wasi.poll import Waiters, wait_until
from qwasr_wasi.sockets.codes import failure_of

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from qwasr_wasi.poll import Unwatch, Wake
    from qwasr_wasi.sockets.access import SocketAccess
    from qwasr_wasi.sockets.endpoints import Endpoint

__all__ = ["TcpSink", "TcpSource"]


class TcpSource:
    """What comes in over a connection.

    Args:
        endpoint: the connection, which is let go when the source is closed.
    """

    __slots__ = ("_ended", "_endpoint")

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._ended = False

    def take(self, limit: int) -> bytes:
        """Return up to `limit` bytes that have arrived."""
        if self._ended or self._endpoint.closed:
            raise StreamClosed
        if not limit:
            return b""
        try:
            data = self._endpoint.socket.recv(limit)
        except (BlockingIOError, InterruptedError):
            return b""
        except OSError as error:
            self._ended = True
            raise StreamFailed(failure_of(error)) from None
        if not data:
            self._ended = True
            raise StreamClosed
        return data

    def ready(self) -> bool:
        """Say whether bytes have arrived, or no more will."""
        return self._ended or self._endpoint.readable()

    def watch(self, wake: Wake) -> Unwatch:
        """Have `wake` called when bytes arrive."""
        return self._endpoint.watch_readable(wake)

    def wait(self) -> Awaitable[None]:
        """Return when bytes have arrived."""
        return wait_until(self)

    def shut(self) -> None:
        """Take no more, and forget what has arrived."""
        if not self._ended and not self._endpoint.closed:
            _shut_down(self._endpoint.socket, socket.SHUT_RD)
        self._ended = True

    def close(self) -> None:
        """Let the connection go."""
        self.shut()
        self._endpoint.let_go()


class TcpSink:
    """What goes out over a connection.

    What the system does not take at once is kept, at most one piece, and until it is gone nothing more is taken.

    Args:
        endpoint: the connection, which is let go when the sink is closed and all is sent.
        access: gives the sink some time for that.
    """

    __slots__ = ("_access", "_closing", "_end", "_endpoint", "_pending", "_shut", "_unwatch", "_waiters")

    def __init__(self, endpoint: Endpoint, access: SocketAccess) -> None:
        self._endpoint = endpoint
        self._access = access
        self._pending = memoryview(b"")
        self._unwatch: Unwatch | None = None  # set while something is pending
        self._end: Exception | None = None
        self._shut = False
        self._closing = False
        self._waiters = Waiters()

    def capacity(self) -> int:
        """Return 64 KiB, or 0 while something is pending."""
        self._raise_end()
        return 0 if self._unwatch is not None else MAX_PIECE_BYTES

    def write(self, data: bytes) -> None:
        """Send the bytes, and keep what the system does not take."""
        self._raise_end()
        self._send(memoryview(data))
        if self._unwatch is None:
            self._raise_end()

    def flush(self) -> None:
        """Do nothing: everything is sent as soon as the system takes it."""
        self._raise_end()

    def ready(self) -> bool:
        """Say whether nothing is pending."""
        return self._unwatch is None or self._end is not None

    def watch(self, wake: Wake) -> Unwatch:
        """Have `wake` called when nothing is pending."""
        if self.ready():
            wake()
        return self._waiters.watch(wake)

    def wait(self) -> Awaitable[None]:
        """Return when nothing is pending."""
        return wait_until(self)

    def shut(self) -> None:
        """Take no more, and tell the peer so when all is sent."""
        if self._shut:
            return
        self._shut = True
        self._end = self._end or StreamClosed()
        if self._unwatch is None:
            self._finish()
        self._waiters.notify()

    def close(self) -> None:
        """Take no more, and let the connection go when all is sent."""
        self._closing = True
        if self._shut and self._unwatch is None:
            self._endpoint.let_go()
        elif not self._shut:
            self.shut()
        if self._unwatch is not None:
            self._access.linger(self._endpoint)

    def _raise_end(self) -> None:
        if self._end is None and self._endpoint.closed:
            raise StreamClosed
        if self._end is not None:
            end, self._end = self._end, StreamClosed()
            raise end

    def _send(self, data: memoryview) -> None:
        try:
            sent = self._endpoint.socket.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError as error:
            sent = len(data)  # they are lost
            # The peer's end was this stream's last news already where the system says EPIPE.
            self._end = StreamClosed() if error.errno == errno.EPIPE else StreamFailed(failure_of(error))
        self._pending = data[sent:]
        if self._pending:
            self._unwatch = self._endpoint.watch_writable(self._send_on)

    def _send_on(self) -> None:
        unwatch, self._unwatch = self._unwatch, None
        if unwatch is not None:
            unwatch()
        if not self._endpoint.closed:
            self._send(self._pending)
        if self._unwatch is None:
            self._waiters.notify()
            if self._shut:
                self._finish()

    def _finish(self) -> None:
        if not self._endpoint.closed:
            _shut_down(self._endpoint.socket, socket.SHUT_WR)
        if self._closing:
            self._endpoint.let_go()


def _shut_down(connection: socket.socket, how: int) -> None:
    try:
        connection.shutdown(how)
    except OSError as error:
        if error.errno != errno.ENOTCONN:  # the peer has ended both directions: there is nothing left to end
            raise
