"""aiohttp's connection, with what it does differently for guests.

The parser, keep-alive, pipelining and lingering are aiohttp's. Ours: requests that are no HTTP get a problem report
with the right status, a body that stops being HTTP ends its reader, and a response hears when the client takes more.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from contextlib import suppress
from fcntl import ioctl
from termios import TIOCOUTQ
from typing import TYPE_CHECKING, Any, Final, cast

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler

from qwasr_http.exchange import Exchange
from qwasr_http.limits import MAX_TARGET_BYTES
from qwasr_http.wire import timed_out

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qwasr_http.limits import Limits
    from qwasr_http.proxies import TrustedProxies
    from qwasr_http.wire import DateLine

__all__ = ["Connection", "ConnectionServer"]

_log = logging.getLogger("qwasr.http")

_READ_BUFFER_BYTES: Final = 64 * 1024  # reading pauses at twice that
_LINGER_S: Final = 5.0  # how long the rest of a body that no one reads is read away, so that its sender sees the answer


class ConnectionServer(web.Server):
    """Makes a `Connection` for each client.

    Args:
        handler: serves one exchange and returns it.
        date: the `date` header.
        limits: what one client may do.
        proxies: whose word about other clients is believed.

    Attributes:
        draining: no connection is used again.
    """

    def __init__(
        self,
        handler: Callable[[Exchange], Awaitable[Exchange]],
        *,
        date: DateLine,
        limits: Limits,
        proxies: TrustedProxies,
    ) -> None:
        # An Exchange is what aiohttp asks of a request and of a response, without being derived from either.
        super().__init__(cast("Any", handler), request_factory=cast("Any", Exchange))
        self.date = date
        self.limits = limits
        self.proxies = proxies
        self.draining = False
        # Clients that stand still are looked for all at once: a timer for each would be set with every request.
        self._step_s = min(5.0, limits.head_s / 4, limits.idle_s / 4)
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self) -> Connection:
        """Return the protocol of a new connection."""
        limits = self.limits
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._step_s, self._look)
        return Connection(
            self,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=limits.keep_alive_s,
            logger=_log,
            access_log=cast("Any", None),
            max_line_size=MAX_TARGET_BYTES,
            max_field_size=limits.header_bytes,
            max_headers=limits.headers,
            lingering_time=_LINGER_S,
            read_bufsize=_READ_BUFFER_BYTES,
            auto_decompress=False,
        )

    def stop(self) -> None:
        """Look at clients no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        """Cut those who stand still; as long as there are connections, look again."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        connections = self.connections
        for connection in connections:
            cast("Connection", connection).look(now, self.limits)
        self._timer = loop.call_later(self._step_s, self._look) if connections else None

    def close_idle(self) -> bool:
        """Close the connections on which nothing is under way; say whether there are others."""
        busy = [connection for connection in self.connections if not cast("Connection", connection).close_if_idle()]
        return bool(busy)


class Connection(RequestHandler):
    """One client's connection."""

    __slots__ = ("_asked", "_channel", "_head_since", "_moved", "_moved_at", "_server", "proxies", "sent")

    def __init__(self, server: ConnectionServer, **settings: Any) -> None:
        super().__init__(server, **settings)
        self._server = server
        self._channel: asyncio.Transport | None = None  # as `transport`, but until the connection is lost
        self._asked = False  # a whole head has come
        self._head_since = 0.0  # when the first byte of a head came whose end has not come; 0 when there is none
        self._moved = 0  # how many bytes had come or gone when `_moved_at` was set
        self._moved_at = 0.0  # when bytes came or went that someone waits for; 0 when no one waits
        self.sent = 0  # bytes that were written
        self.proxies: TrustedProxies | None = None  # set if this peer is one of them

    @property
    def client(self) -> str | None:
        """The peer's address; ``None`` on a Unix socket."""
        name = self.peername
        return name[0] if isinstance(name, tuple) and name else None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop."""
        return self._loop

    @property
    def date(self) -> DateLine:
        """The `date` header."""
        return self._server.date

    @property
    def limits(self) -> Limits:
        """What its client may do."""
        return self._server.limits

    @property
    def draining(self) -> bool:
        """Whether this request is the connection's last."""
        return self._server.draining

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember who it is."""
        super().connection_made(transport)
        self._channel = cast("asyncio.Transport", transport)
        proxies = self._server.proxies
        if proxies.trusts(self.client):
            self.proxies = proxies

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the transport."""
        self._channel = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse; if that fails in the middle of a body, tell its reader."""
        super().data_received(data)
        if self._messages:
            self._asked = True
            self._head_since = 0.0
            if (current := self._current_request) is not None:
                payload = cast("Exchange", current).payload
                # Nothing but an error can follow a body that has not ended.
                if not payload.is_eof() and payload.exception() is None:
                    payload.set_exception(ValueError("the body is not chunked as announced"))
        elif not self._head_since and (self._waiter is not None or not self._asked):
            # Over TLS the first bytes may come before anyone waits for them, in the turn that ends the handshake.
            self._head_since = self._loop.time()

    def look(self, now: float, limits: Limits) -> None:
        """Cut what stands still: a head, a body that is waited for, a response that the client or the guest leaves."""
        channel = self._channel
        if channel is None:
            return
        if self._head_since and now - self._head_since >= limits.head_s:
            _log.debug("a client did not complete its request's head in %g s", limits.head_s)
            self._head_since = 0.0
            if not channel.is_closing():
                channel.write(timed_out(self.date))
            self.force_close()
            return
        unsent = channel.get_write_buffer_size()
        exchange = cast("Exchange | None", self._current_request)
        starving = not unsent and exchange is not None and exchange.starving
        if not unsent and not starving and (exchange is None or not exchange.streaming):
            self._moved_at = 0.0
            return
        if starving and exchange is not None:
            moved = exchange.payload.total_bytes
        else:
            moved = self.sent - unsent - _queued(channel)
            if exchange is not None:
                moved += exchange.written  # which for HEAD is never sent
        if not self._moved_at or moved != self._moved:
            self._moved, self._moved_at = moved, now
        elif now - self._moved_at >= limits.idle_s:
            self._moved_at = 0.0
            if starving and exchange is not None:
                exchange.starve()
            elif not unsent and exchange is not None:
                exchange.stall(limits.idle_s)
            else:
                _log.debug("a client took nothing of its response for %g s (QWASR_BODY_IDLE_S)", limits.idle_s)
                channel.abort()

    def resume_writing(self) -> None:
        """Let the response go on."""
        super().resume_writing()
        if (current := self._current_request) is not None:
            cast("Exchange", current).resumed()

    def handle_error(
        self, request: Any, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> Any:
        """Answer what is no HTTP, or what failed in this host."""
        exchange: Exchange = request
        if status == 400:
            status, detail = _refusal(exc, self._server.limits)
            _log.debug("a request was refused with %d: %s", status, message)
        else:
            _log.error("serving a request failed", exc_info=exc, extra={"call": exchange.request_id})
            detail = "The server failed."
        exchange.refuse(status, detail)
        return exchange

    def close_if_idle(self) -> bool:
        """Close unless a request or a response is under way; say whether it is closed."""
        transport = self.transport
        if transport is None:
            return True
        if self._current_request is not None or self._messages or transport.get_write_buffer_size():
            return False
        self.force_close()
        return True


def _queued(channel: asyncio.Transport) -> int:
    """Return how many bytes the system has that the client has not taken.

    It has up to megabytes, and does not ask for more until a third of them is gone. A slow client takes longer for that
    than it may stand still, and stands not still.
    """
    with suppress(OSError, ValueError):  # it is being closed, or is no socket that can tell
        answer: bytes = ioctl(channel.get_extra_info("socket").fileno(), TIOCOUTQ, bytes(4))
        return int(struct.unpack("i", answer)[0])
    return 0


def _refusal(error: BaseException | None, limits: Limits) -> tuple[int, str]:
    if isinstance(error, LineTooLong):
        if error.args[1] == MAX_TARGET_BYTES:
            return 414, f"The request target is longer than {MAX_TARGET_BYTES} bytes."
        return 431, f"A header line is longer than {limits.header_bytes} bytes."
    if "Too many headers" in str(error):
        return 431, f"There are more than {limits.headers} header lines."
    return 400, "The request is not valid HTTP."
