"""Outgoing requests: what is sent, and what comes back."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any, cast

import pytest

from interfaces.http.tests.http_peers import OK, answers, body_of, peer, refusal, request
from qwasr.call import CallInfo, _current
from qwasr.values import Variant
from qwasr_http.client import AiohttpClient, AiohttpClientOptions
from qwasr_http.codes import HttpError
from qwasr_http.protocol import Upload
from qwasr_http.sinks import BUFFER_BYTES, BodySink


async def test_a_request_is_sent_exactly_as_the_guest_wrote_it(client: AiohttpClient) -> None:
    seen: list[bytes] = []
    async with peer(answers(OK, seen)) as port:
        headers = [("X-One", b"1"), ("x-two", "ü".encode()), ("X-One", b"2")]
        response = await client.send(request(port, "/a%2fb/../c?x=%20&y=[z]", headers=headers))
        assert await body_of(response) == b"ok"
    expected = (
        f"GET /a%2fb/../c?x=%20&y=[z] HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-One: 1\r\nx-two: ü\r\nX-One: 2\r\n\r\n"
    )
    assert seen == [expected.encode()]


async def test_a_redirect_is_the_guests_to_follow(client: AiohttpClient) -> None:
    async with peer(answers(b"HTTP/1.1 302 Found\r\nLocation: http://x.test/\r\nContent-Length: 0\r\n\r\n")) as port:
        response = await client.send(request(port))
        assert response.status == 302
        assert (b"Location", b"http://x.test/") in response.raw_headers


async def test_a_compressed_body_stays_compressed(client: AiohttpClient) -> None:
    data = gzip.compress(b"hello")
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(data)
    async with peer(answers(head + data)) as port:
        assert await body_of(await client.send(request(port))) == data


async def test_cookies_are_not_kept(client: AiohttpClient) -> None:
    seen: list[bytes] = []
    async with peer(answers(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nContent-Length: 0\r\n\r\n", seen)) as port:
        for _ in range(2):
            (await client.send(request(port, authority=f"localhost:{port}"))).close()
    assert not any(b"ookie" in head for head in seen)


async def test_proxy_variables_are_ignored(client: AiohttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:1")
    async with peer(answers(OK)) as port:
        assert await body_of(await client.send(request(port))) == b"ok"


async def test_a_connection_is_used_again(client: AiohttpClient) -> None:
    connections = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK)

    async with peer(handler) as port:
        for _ in range(3):
            assert await body_of(await client.send(request(port))) == b"ok"
    assert connections == 1


# ---------------------------------------------------------------------- bodies


async def test_a_body_that_is_finished_is_sent_with_its_length(client: AiohttpClient) -> None:
    seen: list[bytes] = []
    sink = BodySink(None, "HTTP-request-body-size")
    upload = Upload(sink)
    sink.write(b"hello")
    sink.finish()
    async with peer(answers(OK, seen)) as port:
        await body_of(await client.send(request(port, method="POST", body=upload)))
    assert b"Content-Length: 5\r\n" in seen[0]


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "POST"])
async def test_a_body_without_bytes_is_no_chunked_body(client: AiohttpClient, method: str) -> None:
    seen: list[bytes] = []
    sink = BodySink(None, "HTTP-request-body-size")
    upload = Upload(sink)
    async with peer(answers(b"HTTP/1.1 204 No\r\n\r\n", seen)) as port:
        task = asyncio.create_task(client.send(request(port, method=method, body=upload)))
        if method == "POST":
            sink.finish()
        else:
            await asyncio.sleep(0.02)
            sink.finish()
        (await task).close()
    assert b"chunked" not in seen[0]


async def test_a_body_streams_out_while_the_response_streams_in(client: AiohttpClient) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert b"Transfer-Encoding: chunked\r\n" in await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while (chunk := await reader.readuntil(b"\r\n")) != b"0\r\n":
            writer.write(chunk + await reader.readexactly(int(chunk, 16) + 2))
        writer.write(b"0\r\n\r\n")

    sink = BodySink(None, "HTTP-request-body-size")
    upload = Upload(sink)
    async with peer(echo) as port:
        response = await client.send(request(port, method="POST", body=upload))
        for number in range(3):
            sink.write(b"piece %d" % number)
            assert await response.payload.readany() == b"piece %d" % number
        sink.finish()
        assert await response.payload.readany() == b""


async def test_a_body_of_an_announced_length_streams_without_chunks(client: AiohttpClient) -> None:
    bodies: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"Content-Length: 10\r\n" in head
        assert b"chunked" not in head
        bodies.append(await reader.readexactly(10))
        writer.write(OK)

    sink = BodySink(10, "HTTP-request-body-size")
    upload = Upload(sink)
    async with peer(handler) as port:
        task = asyncio.create_task(client.send(request(port, method="POST", body=upload)))
        for _ in range(2):
            await asyncio.sleep(0.02)
            sink.write(b"hello")
        sink.finish()
        assert (await task).status == 200
    assert bodies == [b"hellohello"]


async def test_a_peer_that_does_not_read_stops_the_guest(client: AiohttpClient) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.3)
        while not (await reader.read(1 << 20)).endswith(b"0\r\n\r\n"):
            pass
        writer.write(OK)

    sink = BodySink(None, "HTTP-request-body-size")
    upload = Upload(sink)
    written = 0
    async with peer(handler) as port:
        task = asyncio.create_task(client.send(request(port, method="POST", body=upload)))
        async with asyncio.timeout(10):
            try:
                async with asyncio.timeout(0.2):
                    while True:
                        await sink.wait()
                        sink.write(bytes(BUFFER_BYTES))
                        written += BUFFER_BYTES
                        await asyncio.sleep(0)
            except TimeoutError:
                pass
            assert BUFFER_BYTES < written < 64 * 1024 * 1024
            await sink.wait()
            sink.finish()
            assert (await task).status == 200


async def test_a_body_that_the_guest_gives_up_is_no_whole_body(client: AiohttpClient) -> None:
    bodies: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        bodies.append(await reader.read())

    sink = BodySink(None, "HTTP-request-body-size")
    upload = Upload(sink)
    async with peer(handler) as port:
        task = asyncio.create_task(client.send(request(port, method="POST", body=upload)))
        sink.write(b"begin")
        await asyncio.sleep(0.05)
        sink.fail(Variant("internal-error", "given up"))
        with pytest.raises(HttpError) as found:
            await task
        await asyncio.sleep(0.05)
    assert found.value.code == Variant("internal-error", "given up")
    assert bodies == [b"5\r\nbegin\r\n"]


async def test_a_call_has_no_more_requests_under_way_than_allowed() -> None:
    client = await AiohttpClient.connect(AiohttpClientOptions(allow=("127.0.0.1",), max_guest_requests=2))
    token = _current.set(CallInfo("0123", "guest", cast("Any", None)))
    try:
        async with peer(answers(OK)) as port:
            first, second = [await client.send(request(port)) for _ in range(2)]
            assert (await refusal(client, request(port))).case == "connection-limit-reached"
            first.close()
            first.close()  # counts once
            third = await client.send(request(port))
            assert (await refusal(client, request(port))).case == "connection-limit-reached"
            for response in (second, third):
                response.close()
    finally:
        _current.reset(token)
        await client.close()


async def test_a_request_that_fails_is_no_longer_under_way() -> None:
    client = await AiohttpClient.connect(AiohttpClientOptions(allow=("127.0.0.1",), max_guest_requests=1))
    token = _current.set(CallInfo("0123", "guest", cast("Any", None)))
    try:
        for _ in range(3):
            assert (await refusal(client, request(1, authority="denied.test"))).case == "HTTP-request-denied"
    finally:
        _current.reset(token)
        await client.close()
