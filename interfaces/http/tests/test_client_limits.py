"""How many connections guests' requests may have at once, and how many requests a call: with a real server."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

from interfaces.http.tests.http_peers import OK, body_of, peer, refusal, request
from qwasr.call import CallInfo, _current
from qwasr_http.client import AiohttpClient, AiohttpClientOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def client_with(**variables: object) -> AsyncIterator[AiohttpClient]:
    environment = {"QWASR_HTTP_ALLOW": "127.0.0.1"} | {name: str(value) for name, value in variables.items()}
    client = await AiohttpClient.connect(AiohttpClientOptions.from_env(environment))
    yield client
    await client.close()


class Patient:
    """A server that holds its answers back until the test opens the door, and counts its connections."""

    def __init__(self) -> None:
        self.door = asyncio.Event()
        self.asked = asyncio.Semaphore(0)  # released for each request
        self.requests = self.connections = self.most = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.most = max(self.most, self.connections)
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                self.requests += 1
                self.asked.release()
                await self.door.wait()
                writer.write(OK)
        finally:
            self.connections -= 1


async def fetched(client: AiohttpClient, port: int) -> bytes:
    return await body_of(await client.send(request(port)))


async def test_requests_beyond_the_connections_wait_until_one_is_free() -> None:
    server = Patient()
    async with client_with(QWASR_HTTP_MAX_CONNECTIONS=2) as client, peer(server) as port:
        tasks = [asyncio.create_task(fetched(client, port)) for _ in range(6)]
        await server.asked.acquire()
        server.door.set()
        assert await asyncio.wait_for(asyncio.gather(*tasks), 20) == [b"ok"] * 6
    assert (server.requests, server.most) == (6, 2)


async def test_a_request_that_waits_for_a_connection_for_too_long_fails_and_takes_no_place() -> None:
    server = Patient()
    limits = {"QWASR_HTTP_MAX_CONNECTIONS": 1, "QWASR_HTTP_CONNECT_TIMEOUT_S": 0.2}
    async with client_with(**limits) as client, peer(server) as port:
        first = asyncio.create_task(fetched(client, port))
        await server.asked.acquire()
        for _ in range(2):
            assert (await refusal(client, request(port))).case == "connection-timeout"
        assert server.requests == 1
        server.door.set()
        assert await first == b"ok"
        assert await fetched(client, port) == b"ok"


async def test_a_request_that_is_cancelled_while_it_waits_leaves_the_others_their_turn() -> None:
    server = Patient()
    async with client_with(QWASR_HTTP_MAX_CONNECTIONS=1) as client, peer(server) as port:
        first, cancelled, last = [asyncio.create_task(fetched(client, port)) for _ in range(3)]
        await server.asked.acquire()
        cancelled.cancel()
        await asyncio.wait([cancelled])
        server.door.set()
        for task in (first, last):
            assert await asyncio.wait_for(task, 20) == b"ok"
    assert server.requests == 2


async def test_one_call_may_not_have_more_requests_than_its_own_and_another_call_is_unharmed() -> None:
    server = Patient()
    async with client_with(QWASR_HTTP_MAX_GUEST_REQUESTS=2) as client, peer(server) as port:

        async def as_call(name: str, sent: Any) -> Any:
            _current.set(calls[name])  # of this task alone
            return await sent

        calls = {name: CallInfo(name, "guest", cast("Any", None)) for name in ("greedy", "other")}
        greedy = [asyncio.create_task(as_call("greedy", fetched(client, port))) for _ in range(2)]
        for _ in greedy:
            await server.asked.acquire()
        refused = asyncio.create_task(as_call("greedy", refusal(client, request(port))))
        assert (await refused).case == "connection-limit-reached"
        other = asyncio.create_task(as_call("other", fetched(client, port)))
        await server.asked.acquire()
        server.door.set()
        assert await asyncio.gather(*greedy, other) == [b"ok"] * 3
