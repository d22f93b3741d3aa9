"""Health and metrics on an address of their own, in the supervisor's process, which never runs a guest.

=================  ====================================================================================
``/health/live``   200 while the supervisor runs
``/health/ready``  200 when requests can be served, else 503; the body says which backend fails, and why
``/metrics``       Prometheus' text format, summed over all workers
=================  ====================================================================================

Three fixed answers need no HTTP library: a request is one head of bounded size, an answer closes its connection.
Nothing here asks who is there, so bind it where only operators come: ``127.0.0.1`` or a pod's own network.
"""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from qwasr.addresses import SocketFile, bind_unix, parse_host_port, parse_unix
from qwasr.errors import ServeError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["AdminServer", "Reporting"]

_logger = logging.getLogger("qwasr.admin")
_VARIABLE: Final = "ADMIN_ADDR"
_MAX_HEAD_BYTES: Final = 8 * 1024
_MAX_CONNECTIONS: Final = 64
_TIMEOUT_S: Final = 10.0  # for a whole request, its answer included
_JSON: Final = "application/json"
_TEXT: Final = "text/plain; charset=utf-8"
_PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"

Answer = tuple[HTTPStatus, str, str]


class Reporting(Protocol):
    """What the admin server asks; a `Supervisor` is one."""

    async def metrics(self) -> str:
        """Return the metrics in Prometheus' text format."""
        ...

    async def readiness(self) -> tuple[bool, dict[str, Any]]:
        """Return whether requests can be served, and an explanation for JSON."""
        ...


class AdminServer:
    """Answers `/health/live`, `/health/ready` and `/metrics`."""

    def __init__(self, reporting: Reporting) -> None:
        self._reporting = reporting
        self._listener: asyncio.Server | None = None
        self._path = ""
        self._file: SocketFile | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._routes: dict[str, Callable[[], Awaitable[Answer]]] = {
            "/health/live": self._live,
            "/health/ready": self._ready,
            "/metrics": self._metrics,
        }

    @classmethod
    async def start(cls, address: str, reporting: Reporting) -> Self:
        """Listen on ``host:port``, where port 0 takes a free one, or on ``unix:/path``.

        Raises:
            ConfigurationError: the address is something else.
            ServeError: it cannot be listened on.
        """
        server = cls(reporting)
        path = parse_unix(address, _VARIABLE)
        host, port = parse_host_port(address, _VARIABLE) if path is None else ("", 0)
        try:
            if path is not None:
                await server._listen_unix(path)
            else:
                server._listener = await asyncio.start_server(server._accept, host, port, limit=_MAX_HEAD_BYTES)
        except OSError as error:
            message = f"cannot listen on {address} ({_VARIABLE}): {error.strerror or error}"
            raise ServeError(message) from error
        return server

    async def _listen_unix(self, path: str) -> None:
        listener, self._file = bind_unix(path)
        try:
            self._listener = await asyncio.start_unix_server(self._accept, sock=listener, limit=_MAX_HEAD_BYTES)
        except BaseException:
            listener.close()
            self._file.remove()
            raise
        self._path = path

    @property
    def port(self) -> int:
        """The port it listens on, also when a free one was asked for; 0 for a Unix socket."""
        assert self._listener is not None  # noqa: S101 - `start` has set it
        port: int = 0 if self._path else self._listener.sockets[0].getsockname()[1]
        return port

    def describe(self) -> str:
        """Return the address as a URL."""
        assert self._listener is not None  # noqa: S101 - `start` has set it
        if self._path:
            return f"unix:{self._path}"
        host = self._listener.sockets[0].getsockname()[0]
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    async def close(self) -> None:
        """Close the address and what is open."""
        if self._listener is not None:
            self._listener.close()
        if self._file is not None:
            self._file.remove()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._tasks) >= _MAX_CONNECTIONS:
            writer.close()
            return
        self._tasks.add(task)
        try:
            with suppress(TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                async with asyncio.timeout(_TIMEOUT_S):
                    head = await reader.readuntil(b"\r\n\r\n")
                    method, _, rest = head.decode("latin-1").partition(" ")
                    writer.write(await self._answer(method, rest.partition(" ")[0].partition("?")[0]))
                    await writer.drain()
        except asyncio.CancelledError:
            return  # the server closes
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, method: str, path: str) -> bytes:
        route = self._routes.get(path)
        status, kind, body = HTTPStatus.NOT_FOUND, _TEXT, f"There is {', '.join(self._routes)}.\n"
        if route is not None and method not in ("GET", "HEAD"):
            status, body = HTTPStatus.METHOD_NOT_ALLOWED, "GET and HEAD are answered here.\n"
        elif route is not None:
            try:
                status, kind, body = await route()
            except Exception:
                _logger.exception("answering %s failed", path)
                status, kind, body = HTTPStatus.INTERNAL_SERVER_ERROR, _TEXT, "The log says what failed.\n"
        data = body.encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: {kind}\r\ncontent-length: {len(data)}\r\n"
            "cache-control: no-store\r\nconnection: close\r\n"
        )
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            head += "allow: GET, HEAD\r\n"
        return f"{head}\r\n".encode() + (b"" if method == "HEAD" else data)

    async def _live(self) -> Answer:
        return HTTPStatus.OK, _JSON, '{"live": true}\n'

    async def _ready(self) -> Answer:
        ready, explanation = await self._reporting.readiness()
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        return status, _JSON, json.dumps(explanation) + "\n"

    async def _metrics(self) -> Answer:
        return HTTPStatus.OK, _PROMETHEUS, await self._reporting.metrics()
