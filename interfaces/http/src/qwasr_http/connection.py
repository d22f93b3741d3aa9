"""aiohttp's connection, with what it does differently for guests.

The parser, keep-alive, pipelining and lingering are aiohttp's. Ours: requests that are no HTTP get a problem report
with the right status, a body that stops being HTTP ends its reader, and a response hears when the client takes more.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final, cast

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler

from qwasr_http.exchange import Exchange
from qwasr_http.limits import MAX_FIELDS, MAX_HEADER_BYTES, MAX_TARGET_BYTES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

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
        max_body_bytes: the longest body of a request.
        keep_alive_s: how long an idle connection is kept, seconds.

    Attributes:
        draining: no connection is used again.
    """

    def __init__(
        self,
        handler: Callable[[Exchange], Awaitable[Exchange]],
        *,
        date: DateLine,
        max_body_bytes: int,
        keep_alive_s: float,
    ) -> None:
        # An Exchange is what aiohttp asks of a request and of a response, without being derived from either.
        super().__init__(cast("Any", handler), request_factory=cast("Any", Exchange))
        self.date = date
        self.max_body_bytes = max_body_bytes
        self.draining = False
        self._keep_alive_s = keep_alive_s

    def __call__(self) -> Connection:
        """Return the protocol of a new connection."""
        return Connection(
            self,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=self._keep_alive_s,
            logger=_log,
            access_log=cast("Any", None),
            max_line_size=MAX_TARGET_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            max_headers=MAX_FIELDS,
            lingering_time=_LINGER_S,
            read_bufsize=_READ_BUFFER_BYTES,
            auto_decompress=False,
        )

    def close_idle(self) -> bool:
        """Close the connections on which nothing is under way; say whether there are others."""
        busy = [connection for connection in self.connections if not cast("Connection", connection).close_if_idle()]
        return bool(busy)


class Connection(RequestHandler):
    """One client's connection."""

    __slots__ = ("_server",)

    def __init__(self, server: ConnectionServer, **settings: Any) -> None:
        super().__init__(server, **settings)
        self._server = server

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop."""
        return self._loop

    @property
    def date(self) -> DateLine:
        """The `date` header."""
        return self._server.date

    @property
    def max_body_bytes(self) -> int:
        """The longest body of a request."""
        return self._server.max_body_bytes

    @property
    def draining(self) -> bool:
        """Whether this request is the connection's last."""
        return self._server.draining

    def data_received(self, data: bytes) -> None:
        """Parse; if that fails in the middle of a body, tell its reader."""
        super().data_received(data)
        if self._messages and (current := self._current_request) is not None:
            payload = cast("Exchange", current).payload
            # Nothing but an error can follow a body that has not ended.
            if not payload.is_eof() and payload.exception() is None:
                payload.set_exception(ValueError("the body is not chunked as announced"))

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
            status, detail = _refusal(exc)
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


def _refusal(error: BaseException | None) -> tuple[int, str]:
    if isinstance(error, LineTooLong):
        if error.args[1] == MAX_TARGET_BYTES:
            return 414, f"The request target is longer than {MAX_TARGET_BYTES} bytes."
        return 431, f"A header line is longer than {MAX_HEADER_BYTES} bytes."
    if "Too many headers" in str(error):
        return 431, f"There are more than {MAX_FIELDS} header lines."
    return 400, "The request is not valid HTTP."
