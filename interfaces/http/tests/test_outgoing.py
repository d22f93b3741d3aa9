"""Guests that send requests themselves: through a fake client, and to a server of this test."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp import web

from interfaces.http.tests import http_guests as guests
from qwasr.values import Variant
from qwasr_http.codes import HttpError
from qwasr_http.fake import FakeHttp, Sent
from qwasr_http.protocol import FixedResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from interfaces.http.tests.conftest import Connect, Serve

GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"


def fetch(handle: str = guests.FETCH_TEXT, authority: str = "api.test", path: str = "/some?query") -> bytes:
    texts = {"authority": authority, "path": path}
    if "%text" in handle:
        texts["text"] = "sent by the guest"
    return guests.guest(handle, texts, outgoing=True)


@pytest.fixture
async def echo_port() -> AsyncIterator[int]:
    """A server that sends back what it gets, as it gets it."""

    async def echo(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"x-method": request.method})
        await response.prepare(request)
        async for piece in request.content.iter_any():
            await response.write(piece)
        return response

    runner = web.ServerRunner(web.Server(echo))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def test_a_guests_request_reaches_the_backend_as_it_was_made(serve: Serve, connect: Connect) -> None:
    fake = FakeHttp()
    fake.on("*", "*", answer=lambda sent: FixedResponse(200, [], b"<" + sent.body + b">"))
    client = await connect(await serve(fetch(), fake))
    await client.send(GET)
    assert (await client.answer()).body == b"<sent by the guest>"
    (sent,) = fake.requests
    assert (sent.method, sent.url, sent.body) == ("POST", "http://api.test/some?query", b"sent by the guest")


async def test_an_error_reaches_the_guest_as_its_code(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve(fetch(guests.FETCH_EMPTY), FakeHttp()))
    await client.send(GET)
    assert (await client.answer()).body == b"C"  # destination-not-found is the third


async def test_a_guest_reaches_a_server_that_is_allowed(serve: Serve, connect: Connect, echo_port: int) -> None:
    component = fetch(authority=f"127.0.0.1:{echo_port}")
    client = await connect(await serve(component, QWASR_HTTP_ALLOW=f"http://127.0.0.1:{echo_port}"))
    await client.send(GET)
    assert (await client.answer()).body == b"sent by the guest"


async def test_requests_of_guests_are_counted_and_those_that_fail_as_errors(serve: Serve, connect: Connect) -> None:
    async def answer(sent: Sent) -> FixedResponse:
        if outcomes.pop():
            raise HttpError(Variant("connection-refused"))
        return FixedResponse(500, [], b"a response is no error of the backend")

    fake = FakeHttp()
    fake.on("*", "*", answer=answer)
    server = await serve(fetch(guests.FETCH_EMPTY), fake)
    client = await connect(server)
    outcomes = [False, True, False]
    while outcomes:
        await client.send(GET)
        await client.answer()
    assert server._guest.telemetry.snapshot()["hosts"] == {"http": [3, 1]}


@pytest.mark.parametrize(
    ("allow", "code"), [("", b"P"), ("*", b"E"), ("https://127.0.0.1", b"P"), ("127.0.0.1:1", b"P")]
)
async def test_a_guest_reaches_nothing_else(
    serve: Serve, connect: Connect, echo_port: int, allow: str, code: bytes
) -> None:
    component = fetch(guests.FETCH_EMPTY, authority=f"127.0.0.1:{echo_port}")
    client = await connect(await serve(component, QWASR_HTTP_ALLOW=allow))
    await client.send(GET)
    assert (await client.answer()).body == code


async def test_a_body_passes_through_guest_and_server_and_back(serve: Serve, echo_port: int) -> None:
    component = fetch(guests.FETCH_REQUEST, authority=f"127.0.0.1:{echo_port}")
    server = await serve(component, QWASR_HTTP_ALLOW="127.0.0.1")
    # Up to what the echo and the sockets between hold: the guest forwards all of it before it reads any of the answer.
    data = bytes(range(256)) * 1024
    async with aiohttp.ClientSession() as session, session.post(server.describe(), data=io.BytesIO(data)) as response:
        assert await response.read() == data


async def test_a_body_that_the_guest_drops_breaks_its_request_off(
    serve: Serve, connect: Connect, echo_port: int
) -> None:
    component = fetch(guests.FETCH_DROPPED, authority=f"127.0.0.1:{echo_port}")
    client = await connect(await serve(component, QWASR_HTTP_ALLOW="127.0.0.1"))
    await client.send(GET)
    assert (await client.answer()).body == bytes([65 + 38])  # internal-error


async def test_a_client_that_goes_away_ends_the_request_that_its_guest_made(serve: Serve, connect: Connect) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def never(sent: Sent) -> FixedResponse:
        begun.set()
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()
        return FixedResponse(200)

    fake = FakeHttp()
    fake.on("*", "*", answer=never)
    client = await connect(await serve(fetch(), fake))
    await client.send(GET)
    async with asyncio.timeout(2):
        await begun.wait()
        client.writer.transport.abort()
        await ended.wait()
