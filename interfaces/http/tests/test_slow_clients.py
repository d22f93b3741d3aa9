"""Clients that stand still: in a head, in a body, in taking a response; and many that do nothing at all."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING

from interfaces.http.tests import http_guests as guests
from interfaces.http.tests.conftest import RawClient, until_running
from interfaces.http.tests.test_server_failures import assert_problem

if TYPE_CHECKING:
    from interfaces.http.tests.conftest import Connect, Serve
    from qwasr_http.server import HttpServer

GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 10\r\n\r\n"
HELLO = guests.guest(guests.HELLO, text="hello")
READ_FIRST = """
  (local.set $d (call $incoming-stream (local.get $request)))
  (loop $next
    (call $read (local.get $d) (i64.const 65536) (i32.const 16))
    (br_if $next (i32.eqz (i32.load8_u (i32.const 16)))))"""


async def connect_small(server: HttpServer) -> RawClient:
    """A client whose system holds few bytes that it has not read."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", server.port))
    return RawClient(*await asyncio.open_connection(sock=client, limit=4096))


async def test_a_head_that_is_not_completed_is_a_408(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(HELLO, QWASR_HTTP_HEAD_TIMEOUT_S="0.2"))
    await client.send(GET)
    assert (await client.answer()).body == b"hello"
    began = time.monotonic()
    for byte in GET[:4]:
        await client.send(bytes([byte]))
        await asyncio.sleep(0.05)
    assert (await client.answer()).status == 408
    assert await client.closed()
    assert 0.15 < time.monotonic() - began < 10


async def test_a_connection_may_be_idle_for_longer_than_a_head_may_take(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(HELLO, QWASR_HTTP_HEAD_TIMEOUT_S="0.1"))
    await asyncio.sleep(0.3)
    await client.send(GET)
    assert (await client.answer()).body == b"hello"
    await asyncio.sleep(0.3)
    await client.send(GET)
    assert (await client.answer()).body == b"hello"


async def test_a_body_that_stops_coming_is_a_408_and_ends_its_guest(serve: Serve, connect: Connect) -> None:
    server = await serve(guests.guest(READ_FIRST), QWASR_BODY_IDLE_S="0.2")
    client = await connect(server)
    await client.send(POST + b"half")
    assert_problem(await client.answer(), 408)
    await until_running(server, 0)
    client.writer.close()


async def test_a_body_that_stops_coming_after_the_response_began_cuts_it(serve: Serve, connect: Connect) -> None:
    server = await serve(guests.guest(guests.ECHO), QWASR_BODY_IDLE_S="0.2")
    client = await connect(server)
    await client.send(POST.replace(b"Content-Length: 10", b"Transfer-Encoding: chunked") + b"4\r\nhalf\r\n")
    answer = await client.answer()
    assert (answer.body, answer.whole) == (b"half", False)
    await until_running(server, 0)


async def test_a_body_that_comes_slowly_is_waited_for(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(guests.guest(guests.ECHO), QWASR_BODY_IDLE_S="1"))
    await client.send(POST)
    for number in range(10):
        await asyncio.sleep(0.15)
        await client.send(b"%d" % number)
    assert (await client.answer()).body == b"0123456789"


async def test_a_guest_that_lets_its_client_wait_is_not_its_clients_fault(serve: Serve, connect: Connect) -> None:
    handle = f"(call $sleep (i64.const 1500000000)) {guests.ECHO}"
    client = await connect(await serve(guests.guest(handle), QWASR_BODY_IDLE_S="0.8"))
    await client.send(POST + b"half")
    await asyncio.sleep(1.2)
    await client.send(b" a word")
    answer = await client.answer()
    assert (answer.status, answer.body[:4]) == (200, b"half")


async def test_a_response_that_is_not_taken_is_cut_and_ends_its_guest(serve: Serve) -> None:
    server = await serve(guests.guest(guests.FLOOD), QWASR_BODY_IDLE_S="0.5")
    client = await connect_small(server)
    await client.send(GET)
    await until_running(server, 1)
    await until_running(server, 0)
    client.writer.transport.abort()


async def test_a_response_that_is_taken_slowly_comes_whole(serve: Serve) -> None:
    server = await serve(guests.guest(guests.FLOOD), QWASR_BODY_IDLE_S="1")
    client = await connect_small(server)
    await client.send(GET)
    await client.head()
    # The kernel holds megabytes and asks for more when a third of them is gone: for longer than the limit.
    for _ in range(100):
        assert len(await client.reader.readexactly(4096)) == 4096
        await asyncio.sleep(0.03)
    assert server.running == 1
    client.writer.transport.abort()
    await until_running(server, 0)


async def test_a_half_closed_client_ends_its_guest(serve: Serve, connect: Connect) -> None:
    server = await serve(guests.guest(guests.NEVER))
    client = await connect(server)
    await client.send(GET)
    await until_running(server, 1)
    client.writer.write_eof()
    await until_running(server, 0)
    assert await client.closed()


async def test_a_client_that_half_closes_in_a_body_ends_its_guest(serve: Serve, connect: Connect) -> None:
    server = await serve(guests.guest(READ_FIRST))
    client = await connect(server)
    await client.send(POST + b"half")
    await until_running(server, 1)
    client.writer.write_eof()
    await until_running(server, 0)
    assert await client.closed()


async def test_many_idle_connections_leave_others_alone_and_go_when_their_time_is_up(
    serve: Serve, connect: Connect
) -> None:
    server = await serve(HELLO, QWASR_HTTP_KEEP_ALIVE_S="1")
    idle = await asyncio.gather(*(connect(server) for _ in range(400)))
    busy = await connect(server)
    for _ in range(20):
        await busy.send(GET)
        assert (await busy.answer()).body == b"hello"
    assert server.running == 0
    async with asyncio.timeout(10):
        assert all(await asyncio.gather(*(client.closed() for client in idle)))


async def test_more_header_lines_than_allowed_are_a_431(serve: Serve, connect: Connect) -> None:
    server = await serve(HELLO, QWASR_HTTP_MAX_HEADERS="4", QWASR_HTTP_MAX_HEADER_BYTES="300")
    client = await connect(server)
    await client.send(b"GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 1\r\nC: 1\r\n\r\n")
    assert (await client.answer()).status == 200
    await client.send(b"GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\n\r\n")
    assert_problem(await client.answer(), 431)
    other = await connect(server)
    await other.send(b"GET / HTTP/1.1\r\nHost: a\r\nA: " + b"a" * 200 + b"\r\nB: " + b"a" * 100 + b"\r\n\r\n")
    assert_problem(await other.answer(), 431)
