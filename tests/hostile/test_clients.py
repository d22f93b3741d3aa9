"""Clients that mean harm: what they send is sent byte by byte, and afterwards everyone else is served as before."""

from __future__ import annotations

import asyncio
import contextlib
import re
import resource
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from tests.hostile import corpus
from tests.hostile.served import MIB, answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.hostile.served import Served

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")

IDLE = 10_000
SPARE_FILES = 300
IDLE_BYTES = 24 * 1024  # of the server's memory for each idle connection: transport, protocol, parser
STEADY_BYTES = 200 * MIB
HELLO = b"GET %b HTTP/1.1\r\nHost: here\r\n\r\n" % corpus.path("hello").encode()
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] \d\d\d ")
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: here\r\n\r\n"


@pytest.fixture(autouse=True)
async def no_connection_is_left(served: Served) -> AsyncIterator[None]:
    yield
    await served.disconnect()


async def assert_unharmed(served: Served, limit_bytes: int = STEADY_BYTES) -> None:
    async with asyncio.timeout(5):
        assert await served.ask(corpus.path("hello")) == (200, b"hello")
    assert served.memory_bytes() < limit_bytes


async def served_again(served: Served) -> None:
    """Ask until there is room for one more guest: slots come back when the idle time of a body is over."""
    for _ in range(40):
        if (await served.ask(corpus.path("hello")))[0] == 200:
            return
        await asyncio.sleep(0.2)
    pytest.fail("there was never room for another guest")


async def everything(served: Served, data: bytes, wait_s: float = 1.0) -> tuple[bytes, bool]:
    """Send bytes; return all that comes back, and whether the server closed the connection by itself."""
    reader, writer = await served.connect()
    received, closed = b"", False
    try:
        with contextlib.suppress(ConnectionResetError):
            writer.write(data)
            await writer.drain()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                try:
                    while piece := await reader.read(65536):
                        received += piece
                    closed = True
                except ConnectionResetError:
                    closed = True
    finally:
        writer.transport.abort()
    return received, closed


def post(*lines: bytes, body: bytes = b"") -> bytes:
    head = (b"POST %b HTTP/1.1" % corpus.path("echo").encode(), b"Host: here", *lines)
    return b"\r\n".join(head) + b"\r\n\r\n" + body


CHUNKED = b"Transfer-Encoding: chunked"
CHUNK = b"0\r\n\r\n"
# Each could be read as one request by one program and as two by the next in line: one refusal, and the end.
AMBIGUOUS = {
    "length and chunked": post(b"Content-Length: 4", CHUNKED, body=CHUNK),
    "chunked and length": post(CHUNKED, b"Content-Length: 100", body=CHUNK),
    "two lengths": post(b"Content-Length: 0", b"Content-Length: 44"),
    "the same length twice": post(b"Content-Length: 0", b"Content-Length: 0"),
    "a list of lengths": post(b"Content-Length: 0, 44"),
    "a length with a plus": post(b"Content-Length: +0"),
    "a negative length": post(b"Content-Length: -1"),
    "a length in hexadecimal": post(b"Content-Length: 0x0"),
    "a length with an underscore": post(b"Content-Length: 4_4"),
    "a length with a space": post(b"Content-Length: 4 4"),
    "a length beyond 64 bits": post(b"Content-Length: 18446744073709551660"),
    "no length": post(b"Content-Length:"),
    "chunked twice": post(CHUNKED, CHUNKED, body=CHUNK),
    "chunked is not last": post(b"Transfer-Encoding: chunked, identity", body=CHUNK),
    "an unknown coding": post(b"Transfer-Encoding: xchunked", body=CHUNK),
    "a coding after a control character": post(b"Transfer-Encoding: \x0bchunked", body=CHUNK),
    "a quoted coding": post(b'Transfer-Encoding: "chunked"', body=CHUNK),
    "a space before the colon": post(b"Transfer-Encoding : chunked", body=CHUNK),
    "a folded line": post(b"Transfer-Encoding:", b" chunked", body=CHUNK),
    "a line feed alone in a header": post(b"X: y\nTransfer-Encoding: chunked", body=CHUNK),
    "a carriage return alone in a header": post(b"X: y\rTransfer-Encoding: chunked", body=CHUNK),
    "a nul in a header": post(b"X: y\x00z"),
    "a line without a colon": post(b"nothing"),
    "a name with a space": post(b"Content Length: 0"),
    "a name that is not ASCII": post("Cöntent: 0".encode()),
    "an empty name": post(b": 0"),
    "a chunk size with a prefix": post(CHUNKED, body=b"0x0\r\n\r\n"),
    "a negative chunk size": post(CHUNKED, body=b"-1\r\n\r\n"),
    "a chunk size beyond 64 bits": post(CHUNKED, body=b"10000000000000000\r\n\r\n"),
    "a chunk that is longer than it says": post(CHUNKED, body=b"1\r\nab\r\n0\r\n\r\n"),
    "a chunk size that ends in a line feed": post(CHUNKED, body=b"0\n\n"),
    "a chunk extension with a line feed": post(CHUNKED, body=b"0;a\nb\r\n\r\n"),
    "an empty chunk size": post(CHUNKED, body=b"\r\n\r\n"),
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "a space in the target": b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    "a space before the first header": b"GET / HTTP/1.1\r\n X: y\r\nHost: a\r\n\r\n",
    "a version of two digits": b"GET / HTTP/1.11\r\nHost: a\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "HTTP/2 without an upgrade": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
}


@pytest.mark.parametrize("shape", AMBIGUOUS)
async def test_a_request_that_two_programs_could_read_differently_is_refused_and_nothing_follows_it(
    served: Served, shape: str
) -> None:
    received, closed = await everything(served, AMBIGUOUS[shape] + SMUGGLED * 3)
    assert len(_STATUS_LINE.findall(received)) <= 1
    # An error in the body may come after its guest has begun to answer: then the connection is cut.
    assert not received or received[9:13] in (b"400 ", b"200 ")
    assert closed
    assert b"smuggled" not in received
    await assert_unharmed(served)


UNAMBIGUOUS = {
    "a coding in capitals": post(b"Transfer-Encoding: CHUNKED", body=b"5\r\nhello\r\n0\r\n\r\n"),
    "a chunk extension": post(CHUNKED, body=b"5;a=b\r\nhello\r\n0\r\n\r\n"),
    "a chunk size with zeros": post(CHUNKED, body=b"0005\r\nhello\r\n0\r\n\r\n"),
    "a trailer": post(CHUNKED, body=b"5\r\nhello\r\n0\r\nX: y\r\n\r\n"),
    "a length with spaces around": post(b"Content-Length:  5 ", body=b"hello"),
    "two spaces in the request line": HELLO.replace(b"GET ", b"GET  "),
    "empty lines before": b"\r\n\r\n" + post(b"Content-Length: 5", body=b"hello"),
}


@pytest.mark.parametrize("shape", UNAMBIGUOUS)
async def test_an_unusual_request_that_can_be_read_in_one_way_only_is_served(served: Served, shape: str) -> None:
    reader, writer = await served.connect()
    writer.write(UNAMBIGUOUS[shape] + HELLO)
    async with asyncio.timeout(5):
        assert await answer(reader) == (200, b"hello")
        assert await answer(reader) == (200, b"hello")
    writer.transport.abort()


@pytest.mark.parametrize(
    "data",
    [b"", b"G", b"GET ", b"GET / HTTP/1.1\r\nHo", b"\x00" * 100, b"\r\n" * 10_000, bytes(range(256)) * 400],
    ids=["nothing", "a letter", "a method", "half a head", "zeros", "empty lines", "noise"],
)
async def test_clients_that_send_less_than_a_request_and_stay_harm_no_one(served: Served, data: bytes) -> None:
    connections = [await served.connect() for _ in range(50)]
    for _, writer in connections:
        with contextlib.suppress(ConnectionError):
            writer.write(data)
    await assert_unharmed(served)
    for _, writer in connections:
        writer.transport.abort()
    await assert_unharmed(served)


async def test_a_head_that_comes_byte_by_byte_is_served_and_one_without_end_is_refused(served: Served) -> None:
    reader, writer = await served.connect()
    for byte in HELLO:
        writer.write(bytes([byte]))
        await asyncio.sleep(0)
    async with asyncio.timeout(5):
        assert await answer(reader) == (200, b"hello")
    writer.transport.abort()
    received, closed = await everything(served, b"GET / HTTP/1.1\r\nHost: here\r\n" + b"X: y\r\n" * 200_000)
    assert closed
    assert not received or received[9:13] == b"431 "
    received, closed = await everything(served, b"GET /" + b"a" * 4 * MIB)
    assert closed
    assert not received or received[9:13] == b"414 "
    await assert_unharmed(served)


async def test_a_client_that_closes_its_half_still_gets_its_answer_or_the_end(served: Served) -> None:
    for _ in range(50):
        reader, writer = await served.connect()
        writer.write(HELLO)
        writer.write_eof()
        async with asyncio.timeout(5):
            assert (await answer(reader))[0] in (0, 200)
        writer.transport.abort()
    await assert_unharmed(served)


async def test_clients_that_go_away_at_any_moment_leave_nothing(served: Served) -> None:
    await served.ask(corpus.path("hello"))
    files = served.open_files()
    for name in ("hello", "never", "flood", "loop", "echo"):
        request = b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nbody" % corpus.path(name).encode()
        for cut in (10, len(request) - 6, len(request)):
            for wait_s in (0.0, 0.005):
                _, writer = await served.connect()
                writer.write(request[:cut])
                await asyncio.sleep(wait_s)
                writer.transport.abort()
    await served.until_closed(files)
    await assert_unharmed(served)


async def test_a_pipeline_of_a_thousand_requests_is_answered_in_order_and_within_memory(served: Served) -> None:
    reader, writer = await served.connect()
    writer.write(HELLO * 1000)
    async with asyncio.timeout(20):
        for _ in range(1000):
            assert await answer(reader) == (200, b"hello")
    writer.transport.abort()
    await assert_unharmed(served)


async def test_readers_that_never_read_are_cut_and_cost_no_memory(served: Served) -> None:
    """Forty ask for 16 MiB each and take none of it; 16 guests may be alive at once, and one more is served."""
    before = served.memory_bytes()
    sockets = []
    for _ in range(40):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", served.port))
        client.sendall(b"GET %b HTTP/1.1\r\nHost: here\r\n\r\n" % corpus.path("flood").encode())
        sockets.append(client)
    await asyncio.sleep(0.5)
    assert served.memory_bytes() - before < 64 * MIB
    await served_again(served)
    for client in sockets:
        client.close()
    await assert_unharmed(served)


async def test_writers_that_stop_in_the_middle_of_a_body_are_cut(served: Served) -> None:
    writers = []
    for _ in range(40):
        _, writer = await served.connect()
        writer.write(post(b"Content-Length: 1000", body=b"some of it"))
        writers.append(writer)
    await served_again(served)
    for writer in writers:
        writer.transport.abort()
    await assert_unharmed(served)


@pytest.fixture
def many_files() -> int:
    """Return how many connections this process and the one that serves can have: `serve` has raised the limit."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(IDLE, (most if most != resource.RLIM_INFINITY else IDLE * 2) - SPARE_FILES)


async def test_ten_thousand_idle_connections_cost_little_and_keep_no_one_waiting(
    served: Served, many_files: int, record_property: Callable[[str, object], None]
) -> None:
    """As many as the limit of open files allows; how many it were is a property of the report."""
    record_property("connections", many_files)
    before = served.memory_bytes()
    sockets: list[socket.socket] = []
    loop = asyncio.get_running_loop()
    try:
        for _ in range(many_files):
            client = socket.socket()
            client.setblocking(False)
            sockets.append(client)
            await loop.sock_connect(client, ("127.0.0.1", served.port))
        began = loop.time()
        assert await served.ask(corpus.path("hello")) == (200, b"hello")
        assert loop.time() - began < 5
        assert served.memory_bytes() - before < many_files * IDLE_BYTES
    finally:
        for client in sockets:
            client.close()
    await served.until_closed(SPARE_FILES)
    await assert_unharmed(served, STEADY_BYTES + many_files * IDLE_BYTES)
