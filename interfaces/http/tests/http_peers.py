"""What tests of outgoing requests speak with: servers written byte by byte, resolvers that say what they are told."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from qwasr_http.certificates import ClientCertificates
from qwasr_http.client import AiohttpClient, AiohttpClientOptions
from qwasr_http.codes import HttpError
from qwasr_http.destinations import Destinations
from qwasr_http.protocol import ClientRequest, ClientResponse
from qwasr_http.session import make_session

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    from qwasr.values import Variant

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@asynccontextmanager
async def peer(handler: Any, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server that is written byte by byte; yields its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def answers(data: bytes, seen: list[bytes] | None = None, *, then: float = 0.0) -> Any:
    """Return a handler that reads a head, then sends bytes, then waits before it closes."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if seen is not None:
            seen.append(head)
        writer.write(data)
        await writer.drain()
        await asyncio.sleep(then)

    return handler


def request(port: int, path: str = "/", **fields: Any) -> ClientRequest:
    values = {"method": "GET", "scheme": "http", "authority": f"127.0.0.1:{port}", "headers": [], **fields}
    return ClientRequest(path_with_query=path, **values)


async def body_of(response: ClientResponse) -> bytes:
    pieces = []
    while piece := await response.payload.readany():
        pieces.append(piece)
    return b"".join(pieces)


async def refusal(client: AiohttpClient, sent: ClientRequest) -> Variant:
    with pytest.raises(HttpError) as found:
        await client.send(sent)
    return found.value.code


class Names(AbstractResolver):
    """Answers with one list after another."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in self.answers.pop(0)
        ]

    async def close(self) -> None: ...


@asynccontextmanager
async def client_with(names: AbstractResolver, *allow: str) -> AsyncIterator[AiohttpClient]:
    destinations = Destinations(allow)
    options = AiohttpClientOptions(allow=allow, connect_timeout_s=0.2)
    client = AiohttpClient(options, destinations, make_session(destinations, 0.2, 10, names), ClientCertificates())
    yield client
    await client.close()
