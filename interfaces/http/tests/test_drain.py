"""The end of a server: nothing new, nothing cut that can still finish."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from interfaces.http.tests import http_guests as guests
from qwasr.addresses import parse_host_port
from qwasr.errors import ConfigurationError, ServeError
from qwasr_http.server import HttpServer, HttpServerOptions

if TYPE_CHECKING:
    from interfaces.http.tests.conftest import Connect, Serve

GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
EARLY = guests.guest(guests.EARLY, first="first", second="second")


async def test_draining_finishes_what_runs_and_closes_its_connection(serve: Serve, connect: Connect) -> None:
    server = await serve(EARLY)
    client = await connect(server)
    await client.send(GET)
    await client.head()
    await server.drain(5)
    assert server.running == 0
    assert await client.reader.read() == b"5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n"


async def test_draining_tells_clients_that_the_connection_closes(serve: Serve, connect: Connect) -> None:
    handle = f"(call $sleep (i64.const 100000000)) {guests.HELLO}"
    server = await serve(guests.guest(handle, text="hello"))
    client = await connect(server)
    await client.send(GET)
    await asyncio.sleep(0.05)
    await server.drain(5)
    answer = await client.answer()
    assert (answer.body, answer.headers["connection"]) == (b"hello", "close")
    assert await client.closed()


async def test_draining_lets_a_body_that_is_still_arriving_arrive(serve: Serve, connect: Connect) -> None:
    server = await serve(guests.guest(guests.ECHO))
    client = await connect(server)
    await client.send(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 8\r\n\r\nfour")
    await client.head()
    drain = asyncio.create_task(server.drain(5))
    await asyncio.sleep(0.05)
    await client.send(b"four")
    await drain
    assert await client.reader.read() == b"4\r\nfour\r\n4\r\nfour\r\n0\r\n\r\n"


async def test_draining_closes_idle_connections_and_listens_no_more(serve: Serve, connect: Connect) -> None:
    server = await serve(EARLY)
    used, unused = await connect(server), await connect(server)
    await used.send(GET)
    await used.answer()
    await server.drain(5)
    assert await used.closed()
    assert await unused.closed()
    with pytest.raises(ConnectionRefusedError):
        await connect(server)


async def test_draining_waits_only_so_long_and_closing_ends_the_rest(serve: Serve, connect: Connect) -> None:
    server = await serve(guests.guest(guests.NEVER))
    client = await connect(server)
    await client.send(GET)
    await asyncio.sleep(0.05)
    async with asyncio.timeout(1):
        await server.drain(0.1)
    assert server.running == 1
    await server.close()
    assert server.running == 0
    assert await client.closed()


async def test_draining_and_closing_before_anything_started_do_nothing() -> None:
    server = HttpServer(HttpServerOptions())
    await server.drain(1)
    await server.close()


async def test_an_address_in_use_is_an_error_that_names_it(serve: Serve) -> None:
    server = await serve(EARLY)
    with pytest.raises(ServeError, match=rf"cannot listen on 127\.0\.0\.1:{server.port} \(HTTP_ADDR\)"):
        await serve(EARLY, HTTP_ADDR=f"127.0.0.1:{server.port}")


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080),
        ("[::1]:0", "::1", 0),
        ("http://localhost:8080", "localhost", 8080),
        ("http://localhost:8080/", "localhost", 8080),
    ],
)
def test_an_address_is_a_host_and_a_port(address: str, host: str, port: int) -> None:
    assert parse_host_port(address, "HTTP_ADDR") == (host, port)


@pytest.mark.parametrize(
    "address", ["8080", ":8080", "localhost", "::1:80", "a:b", "a:65536", "a:-1", "https://a:1", ""]
)
def test_anything_else_is_an_error_that_names_the_variable(address: str) -> None:
    with pytest.raises(ConfigurationError, match="HTTP_ADDR="):
        parse_host_port(address, "HTTP_ADDR")
