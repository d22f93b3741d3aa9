"""The server of `wasi:http/incoming-handler`: a fresh instance of the guest for each request.

aiohttp is imported when the server starts, so that registering this class costs nothing.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from qwasr.errors import ConfigurationError, GuestError, ServeError
from qwasr.options import ConnectOptions, env
from qwasr_http.examination import examine
from qwasr_http.incoming import IncomingRequest, ResponseOutparam
from qwasr_http.wire import DateLine

if TYPE_CHECKING:
    from qwasr.engine import ExportedFunction
    from qwasr.runtime import Guest
    from qwasr_http.connection import ConnectionServer
    from qwasr_http.exchange import Exchange

__all__ = ["HttpServer", "HttpServerOptions"]

_log = logging.getLogger("qwasr.http")
_BACKLOG: Final = 1024
_DRAIN_POLL_S: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpServerOptions(ConnectOptions):
    """How guests are served over HTTP."""

    address: str = env("HTTP_ADDR", default="127.0.0.1:8080", help="host:port to listen on; port 0 takes a free one")
    max_body_bytes: int = env(
        "QWASR_HTTP_MAX_BODY_BYTES", default=10 * 1024 * 1024, minimum=0, help="longest body of a request, bytes"
    )
    keep_alive_s: float = env(
        "QWASR_HTTP_KEEP_ALIVE_S", default=75.0, minimum=1.0, help="how long an idle connection is kept, seconds"
    )


class HttpServer:
    """HTTP/1.1 in front of a guest that exports `wasi:http/incoming-handler`."""

    export: ClassVar[str] = "wasi:http/incoming-handler"
    Options: ClassVar[type[ConnectOptions]] = HttpServerOptions

    def __init__(self, options: HttpServerOptions) -> None:
        self._options = options
        self._host, self._port = parse_address(options.address)
        self._running: set[Exchange] = set()
        self._listener: asyncio.Server | None = None
        self._connections: ConnectionServer | None = None

    async def start(self, guest: Guest) -> None:
        """Listen; every request gets an instance of the guest of its own.

        Raises:
            ServeError: the address cannot be listened on.
        """
        from qwasr.runtime import log_guest_error
        from qwasr_http.connection import ConnectionServer

        self._guest = guest
        self._function: ExportedFunction = guest.function(self.export, "handle")
        self._log_guest_error = log_guest_error
        connections = ConnectionServer(
            self._handle,
            date=DateLine(),
            max_body_bytes=self._options.max_body_bytes,
            keep_alive_s=self._options.keep_alive_s,
        )
        try:
            self._listener = await asyncio.get_running_loop().create_server(
                connections, self._host, self._port, backlog=_BACKLOG
            )
        except (OSError, OverflowError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            message = f"cannot listen on {self._options.address} (HTTP_ADDR): {reason}"
            raise ServeError(message) from error
        self._connections = connections
        self._port = self._listener.sockets[0].getsockname()[1]

    @property
    def port(self) -> int:
        """The port it listens on, also when a free one was asked for."""
        return self._port

    @property
    def running(self) -> int:
        """How many requests have a guest now."""
        return len(self._running)

    def describe(self) -> str:
        """Return the address as a URL."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    async def drain(self, timeout_s: float) -> None:
        """Listen no more, close idle connections, and let the others finish what they are at."""
        connections = self._connections
        if self._listener is None or connections is None:
            return
        self._listener.close()
        connections.draining = True
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                # A connection is there until its last byte is sent, and its guest until it has returned.
                while connections.close_idle() or self._running:  # noqa: ASYNC110 - sockets that empty tell no one
                    await asyncio.sleep(_DRAIN_POLL_S)

    async def close(self) -> None:
        """Close every connection, and end the guests that still run."""
        if self._listener is None or self._connections is None:
            return
        self._listener.close()
        tasks = [exchange.runner for exchange in self._running if exchange.runner is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._connections.shutdown(_DRAIN_POLL_S)
        self._listener = self._connections = None

    async def _handle(self, exchange: Exchange) -> Exchange:
        """Serve one request; what is returned is what aiohttp takes for the response."""
        refusal = examine(exchange, self._options.max_body_bytes)
        if refusal is not None:
            exchange.refuse(*refusal)
            return exchange
        self._running.add(exchange)
        exchange.runner = task = asyncio.current_task()
        try:
            async with self._guest.call(exchange.id or None) as call:
                exchange.call = call
                exchange.id = call.id
                await call.invoke(self._function, IncomingRequest(exchange), ResponseOutparam(exchange))
            exchange.returned()
        except asyncio.CancelledError:
            if not exchange.gone or task is None:
                raise
            task.uncancel()
            _log.debug("the client went away", extra={"call": exchange.request_id})
        except GuestError as error:
            self._log_guest_error(exchange.request_id, error)
            exchange.failed(error)
        finally:
            exchange.release()
            self._running.discard(exchange)
        return exchange


def parse_address(address: str) -> tuple[str, int]:
    """Split ``host:port``; ``http://`` in front is accepted, IPv6 is in brackets.

    Raises:
        ConfigurationError: it is something else.
    """
    host, colon, port = address.removeprefix("http://").removesuffix("/").rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        colon = ""
    if not colon or not host or not port.isdecimal() or not port.isascii() or int(port) > 65535:
        message = f"HTTP_ADDR={address} does not fit: expected host:port, for example 127.0.0.1:8080 or [::1]:8080"
        raise ConfigurationError(message)
    return host, int(port)
