"""The server of `wasi:http/incoming-handler`: a fresh instance of the guest for each request.

aiohttp is imported when the server starts, so that registering this class costs nothing.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, ClassVar, Final

from qwasr.errors import GuestError, OptionError, ServeError
from qwasr.options import ConnectOptions, env
from qwasr_http.examination import examine
from qwasr_http.incoming import IncomingRequest, ResponseOutparam
from qwasr_http.limits import MAX_FIELDS, MAX_HEADER_BYTES, Limits
from qwasr_http.listening import Listeners, ServerCertificate, parse_addresses
from qwasr_http.proxies import TrustedProxies
from qwasr_http.wire import DateLine

if TYPE_CHECKING:
    import socket

    from qwasr.engine import ExportedFunction
    from qwasr.runtime import Guest
    from qwasr_http.connection import ConnectionServer
    from qwasr_http.exchange import Exchange

__all__ = ["HttpServer", "HttpServerOptions"]

_log = logging.getLogger("qwasr.http")
_DRAIN_POLL_S: Final = 0.01
_FIRST_REQUEST_S: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpServerOptions(ConnectOptions):
    """How guests are served over HTTP."""

    addresses: tuple[str, ...] = env(
        "HTTP_ADDR",
        default=("127.0.0.1:8080",),
        help="where to listen: host:port, unix:/path, comma separated; port 0 takes a free one",
    )
    tls_cert: Path | None = env(
        "HTTP_TLS_CERT", default=None, help="PEM file with the certificate and its chain: host:port is served over TLS"
    )
    tls_key: Path | None = env(
        "HTTP_TLS_KEY", default=None, help="PEM file with the certificate's key, if it is not in HTTP_TLS_CERT"
    )
    trusted_proxies: tuple[str, ...] = env(
        "HTTP_TRUSTED_PROXIES",
        default=(),
        help="proxies whose Forwarded and X-Forwarded-* headers are believed: 10.0.0.0/8, unix, comma separated",
    )
    max_body_bytes: int = env(
        "QWASR_HTTP_MAX_BODY_BYTES",
        default=10 * 1024 * 1024,
        minimum=0,
        maximum=2**40,
        help="longest body of a request, bytes",
    )
    keep_alive_s: float = env(
        "QWASR_HTTP_KEEP_ALIVE_S",
        default=75.0,
        minimum=1.0,
        maximum=86_400,
        help="how long an idle connection is kept, seconds",
    )
    max_headers: int = env(
        "QWASR_HTTP_MAX_HEADERS",
        default=MAX_FIELDS,
        minimum=1,
        maximum=10_000,
        help="how many header lines a request may have, and a response of a guest",
    )
    max_header_bytes: int = env(
        "QWASR_HTTP_MAX_HEADER_BYTES",
        default=MAX_HEADER_BYTES,
        minimum=256,
        maximum=1024 * 1024,
        help="all header lines of a request together, and of a response of a guest, bytes",
    )
    head_timeout_s: float = env(
        "QWASR_HTTP_HEAD_TIMEOUT_S",
        default=10.0,
        minimum=0.01,
        maximum=86_400,
        help="from the first byte of a request's head to its last, seconds",
    )
    body_idle_s: float = env(
        "QWASR_BODY_IDLE_S",
        default=30.0,
        minimum=0.01,
        maximum=86_400,
        help="how long a body may pause, in either direction, until the connection is cut, seconds",
    )

    def limits(self) -> Limits:
        """Return what one client may do."""
        return Limits(
            body_bytes=self.max_body_bytes,
            header_bytes=self.max_header_bytes,
            headers=self.max_headers,
            keep_alive_s=self.keep_alive_s,
            head_s=self.head_timeout_s,
            idle_s=self.body_idle_s,
        )


class HttpServer:
    """HTTP/1.1 in front of a guest that exports `wasi:http/incoming-handler`."""

    export: ClassVar[str] = "wasi:http/incoming-handler"
    Options: ClassVar[type[ConnectOptions]] = HttpServerOptions

    def __init__(self, options: HttpServerOptions) -> None:
        if options.tls_key is not None and options.tls_cert is None:
            message = "HTTP_TLS_KEY is set, but HTTP_TLS_CERT is not: a key needs its certificate"
            raise OptionError(message)
        self._options = options
        self._limits = options.limits()
        self.listening: dict[str, socket.socket] | None = None  # set where workers share them; see `Server`
        self._addresses = parse_addresses(options.addresses)
        self._proxies = TrustedProxies(options.trusted_proxies)
        self._running: set[Exchange] = set()
        self._certificate: ServerCertificate | None = None
        self._listeners: Listeners | None = None
        self._connections: ConnectionServer | None = None

    async def start(self, guest: Guest) -> None:
        """Listen; every request gets an instance of the guest of its own.

        Raises:
            ServeError: an address cannot be listened on, or there is no certificate where one should be.
        """
        from qwasr.access import AccessLog
        from qwasr.runtime import log_guest_error
        from qwasr_http.connection import ConnectionServer

        options = self._options
        self._guest = guest
        self._function: ExportedFunction = guest.function(self.export, "handle")
        self._log_guest_error = log_guest_error
        self._access = AccessLog()
        if options.tls_cert is not None:
            self._certificate = await asyncio.to_thread(ServerCertificate, options.tls_cert, options.tls_key)
        connections = ConnectionServer(self._handle, date=DateLine(), limits=self._limits, proxies=self._proxies)
        listeners = Listeners(self._addresses, self._certificate, listening=self.listening)
        await listeners.open(connections)
        self._listeners, self._connections = listeners, connections

    async def check(self) -> None:
        """Find out whether `start` could listen, without listening.

        Raises:
            ServeError: it could not.
        """
        from qwasr_http.probe import probe

        shared = self.listening is not None
        await probe(self._addresses, self._options.tls_cert, self._options.tls_key, shared=shared)

    @property
    def port(self) -> int:
        """The port it listens on, also when a free one was asked for; the first one of several, 0 without one."""
        if self._listeners is not None:
            return self._listeners.port
        return next((address.port for address in self._addresses if not address.path), 0)

    @property
    def running(self) -> int:
        """How many requests have a guest now."""
        return len(self._running)

    def describe(self) -> str:
        """Return the addresses as URLs."""
        if self._listeners is not None:
            return ", ".join(self._listeners.urls)
        return ", ".join(address.url(tls=self._options.tls_cert is not None) for address in self._addresses)

    def reload(self) -> None:
        """Read the certificate and its key again, for connections that come; one that is not valid changes nothing."""
        if self._certificate is None:
            return
        try:
            self._certificate.read_again()
        except ServeError as error:
            _log.error("the certificate stays as it was: %s", error)
        else:
            _log.info("the certificate was read again")

    async def drain(self, timeout_s: float) -> None:
        """Listen no more, close idle connections, and let the others finish what they are at."""
        connections = self._connections
        if self._listeners is None or connections is None:
            return
        self._listeners.close()
        connections.draining = True
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                if self.listening is not None and connections.connections:
                    await asyncio.sleep(_FIRST_REQUEST_S)  # who has just connected is about to ask, and may
                # A connection is there until its last byte is sent, and its guest until it has returned.
                while connections.close_idle() or self._running:  # noqa: ASYNC110 - sockets that empty tell no one
                    await asyncio.sleep(_DRAIN_POLL_S)

    async def close(self) -> None:
        """Close every connection, and end the guests that still run."""
        if self._listeners is None or self._connections is None:
            return
        self._listeners.close()
        self._connections.stop()
        tasks = [exchange.runner for exchange in self._running if exchange.runner is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._connections.shutdown(_DRAIN_POLL_S)
        self._listeners = self._connections = None

    async def _handle(self, exchange: Exchange) -> Exchange:
        """Serve one request; what is returned is what aiohttp takes for the response."""
        began = perf_counter()
        refusal = examine(exchange, self._limits)
        if refusal is not None:
            exchange.refuse(*refusal)
            self._answered(exchange, perf_counter() - began, 0.0)
            return exchange
        self._running.add(exchange)
        cpu_s = 0.0
        try:
            call = self._guest.call(exchange.id or None)
            async with call:
                call.cause = exchange
                exchange.call = call
                exchange.id = call.id
                await call.invoke(self._function, IncomingRequest(exchange), ResponseOutparam(exchange))
            exchange.returned()
        except asyncio.CancelledError:
            if not (exchange.gone or exchange.broken) or exchange.runner is None:
                raise
            exchange.runner.uncancel()
            if exchange.gone:
                _log.debug("the client went away", extra={"call": exchange.request_id})
        except GuestError as error:
            self._log_guest_error(exchange.request_id, error)
            exchange.failed(error)
        finally:
            if exchange.call is not None:
                cpu_s = exchange.call.cpu_s
            exchange.release()
            self._running.discard(exchange)
            self._answered(exchange, perf_counter() - began, cpu_s)
        return exchange

    def _answered(self, exchange: Exchange, duration_s: float, cpu_s: float) -> None:
        """Count the request, and write its line in the log."""
        self._guest.telemetry.answered(exchange.status, duration_s)
        access = self._access
        if access.enabled:
            message = exchange.message
            access.write(
                exchange.request_id,
                message.method,
                (exchange.target or message.path).partition("?")[0],
                exchange.status,
                duration_s,
                cpu_s,
                exchange.client,
                "gone" if exchange.gone else "cut" if exchange.broken else None,
            )
