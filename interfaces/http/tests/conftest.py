"""What several test files here use: a running server, and a client that sends bytes as they are."""

from __future__ import annotations

import asyncio
import importlib.util
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from qwasr.runtime import Runtime
from qwasr_http import plugin as http
from qwasr_http.client import AiohttpClient, AiohttpClientOptions
from qwasr_http.server import HttpServer
from qwasr_wasi import plugin as wasi

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run every asynchronous test on asyncio's own loop and, where there is one, on the loop that serves in earnest."""
    factories: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    if importlib.util.find_spec("uvloop") is not None:
        import uvloop

        factories["uvloop"] = uvloop.new_event_loop
    return factories


class Serve(Protocol):
    async def __call__(self, component: bytes, backend: object = None, **environ: str) -> HttpServer: ...


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serve a component on a free port until the test ends."""
    async with AsyncExitStack() as stack:

        async def start(component: bytes, backend: object = None, **environ: str) -> HttpServer:
            backends: Mapping[str, Any] = {} if backend is None else {"http": backend}
            settings = {"QWASR_PLUGINS": "", "HTTP_ADDR": "127.0.0.1:0", "QWASR_SHUTDOWN_S": "2", **environ}
            runtime = Runtime(component, plugins=[http, wasi], backends=backends, environ=settings)
            await stack.enter_async_context(runtime)
            await runtime.start()
            (server,) = runtime.servers
            assert isinstance(server, HttpServer)
            return server

        yield start


async def until_running(server: HttpServer, count: int, timeout_s: float = 10.0) -> None:
    """Wait until so many requests have a guest."""
    async with asyncio.timeout(timeout_s):
        while server.running != count:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.005)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    fields: list[tuple[str, str]]
    body: bytes
    whole: bool


class RawClient:
    """One connection that sends exactly what it is told."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> tuple[int, list[tuple[str, str]]]:
        raw = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
        fields = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        return int(first.split(" ")[1]), fields

    async def answer(self, *, bodyless: bool = False) -> Answer:
        """Read one response; `whole` says whether its end came as announced."""
        status, fields = await self.head()
        headers = dict(fields)
        body, whole = b"", True
        try:
            if bodyless or status in (204, 304):
                pass
            elif headers.get("transfer-encoding") == "chunked":
                while size := int(await self.reader.readuntil(b"\r\n"), 16):
                    body += (await self.reader.readexactly(size + 2))[:-2]
                await self.reader.readexactly(2)
            elif "content-length" in headers:
                body = await self.reader.readexactly(int(headers["content-length"]))
            else:
                body = await self.reader.read()
        except asyncio.IncompleteReadError as cut:
            body, whole = body + cut.partial, False
        except ConnectionResetError:
            whole = False
        return Answer(status, headers, fields, body, whole)

    async def closed(self) -> bool:
        """Wait for the server to close; nothing more may come."""
        try:
            return await self.reader.read() == b""
        except ConnectionResetError:
            return True


class Connect(Protocol):
    async def __call__(self, server: HttpServer) -> RawClient: ...


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Open connections that are closed when the test ends."""
    clients: list[RawClient] = []

    async def open_client(server: HttpServer) -> RawClient:
        clients.append(RawClient(*await asyncio.open_connection("127.0.0.1", server.port)))
        return clients[-1]

    yield open_client
    for client in clients:
        client.writer.close()
        with suppress(ConnectionError):
            await client.writer.wait_closed()


@pytest.fixture
async def client() -> AsyncIterator[AiohttpClient]:
    """A client of guests' requests that may go to this machine."""
    client = await AiohttpClient.connect(AiohttpClientOptions(allow=("127.0.0.1", "[::1]", "localhost")))
    yield client
    await client.close()
