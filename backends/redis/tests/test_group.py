"""Several processes that watch: each change is told once, and nothing goes round in circles."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest

from backends.redis.tests.test_watch import Heard
from interfaces.keyvalue.tests.guest_text import DRAFT2, watching
from mik_backend_redis import Redis, RedisOptions
from qwasr.runtime import Runtime
from qwasr_keyvalue import Unavailable
from qwasr_keyvalue.protocol import Change
from tests.services.proxy import Proxy
from tests.services.redis import RedisServer

Servers = Callable[..., RedisServer]
WAIT_S = 20.0
QUIET_S = 1.0  # what would come, came long before


@pytest.fixture
def server(redis_server: Servers) -> RedisServer:
    return redis_server()


@pytest.fixture
async def other(server: RedisServer) -> AsyncIterator[Redis]:
    redis = await Redis.connect(RedisOptions(url=server.url))
    yield redis
    await redis.close()


@contextlib.asynccontextmanager
async def watcher(url: str) -> AsyncIterator[Runtime]:
    """A runtime whose guest sets two keys whenever it is told that one was set."""
    async with Runtime(watching(DRAFT2), environ={"QWASR_KEYVALUE": url, "REDIS_WATCH": "1"}) as runtime:
        await runtime.start()
        yield runtime


def sets(server: RedisServer) -> int:
    """How many keys were set so far, by whomever."""
    lines = server.ask("INFO", "commandstats").decode().splitlines()
    return sum(int(line.split("calls=")[1].split(",")[0]) for line in lines if line.startswith("cmdstat_set:"))


async def settled(server: RedisServer) -> int:
    """How many keys were set, when no more are."""
    async with asyncio.timeout(WAIT_S):
        while True:
            before = sets(server)
            await asyncio.sleep(QUIET_S)
            if sets(server) == before:
                return before


async def heard_by_one(server: RedisServer, other: Redis, runtime: Runtime) -> None:
    """Wait until what others change is told."""
    foreign = await other.open_bucket("watched")
    async with asyncio.timeout(WAIT_S):
        while await runtime.call(None, "get", "seen", "begin") is None:
            await foreign.set("begin", b"")
            await asyncio.sleep(0.05)
    await settled(server)


async def test_two_runtimes_that_watch_and_write_do_not_answer_one_another(server: RedisServer, other: Redis) -> None:
    async with watcher(server.url) as first, watcher(server.url) as second:
        await heard_by_one(server, other, first)
        for runtime in (first, second):
            before = sets(server)
            await runtime.call(None, "set", "watched", "key", b"value")
            assert await settled(server) == before + 3, "one set, told once to a guest that sets two"


async def test_what_somebody_else_changes_is_told_once_by_several_runtimes(server: RedisServer, other: Redis) -> None:
    async with watcher(server.url) as first, watcher(server.url):
        await heard_by_one(server, other, first)
        before = sets(server)
        await (await other.open_bucket("watched")).set("key", b"theirs")
        assert await settled(server) == before + 3


async def test_another_runtime_listens_when_the_one_that_did_has_ended(server: RedisServer, other: Redis) -> None:
    async with watcher(server.url) as second:
        await heard_by_one(server, other, second)
        async with watcher(server.url):
            await second.stop()
            foreign = await other.open_bucket("watched")
            seen = await other.open_bucket("seen")
            async with asyncio.timeout(WAIT_S):
                while await seen.get("later") is None:
                    await foreign.set("later", b"")
                    await asyncio.sleep(0.05)


async def test_components_of_other_names_are_told_of_one_another(server: RedisServer) -> None:
    ours, theirs = [await Redis.connect(RedisOptions(url=server.url, watch=True)) for _ in range(2)]
    ear, other_ear = Heard(ours, "us"), Heard(theirs, "them")
    async with asyncio.timeout(WAIT_S):
        while not (ear.changes and other_ear.changes):
            await (await ours.open_bucket("b")).set("ours", b"")
            await (await theirs.open_bucket("b")).set("theirs", b"")
            await asyncio.sleep(0.02)
    assert set(ear.changes) == {Change("b", "theirs", deleted=False)}
    assert set(other_ear.changes) == {Change("b", "ours", deleted=False)}
    await ear.end()
    await other_ear.end()


async def test_a_change_of_ours_whose_answer_is_late_is_not_told_as_somebody_elses(
    server: RedisServer, other: Redis
) -> None:
    async with Proxy(server.port) as proxy:
        listening = Heard(await Redis.connect(RedisOptions(url=server.url, watch=True)), "us")
        late = Heard(await Redis.connect(RedisOptions(url=f"redis://127.0.0.1:{proxy.port}", watch=True)), "us")
        foreign = await other.open_bucket("b")
        async with asyncio.timeout(WAIT_S):
            while not (listening.changes or late.changes):
                await foreign.set("begin", b"")
                await asyncio.sleep(0.02)
        bucket = await late.redis.open_bucket("b")
        await bucket.set("key", b"0")
        proxy.stall()
        with pytest.raises(Unavailable):
            await bucket.set("key", b"1")
        proxy.flow()
        async with asyncio.timeout(WAIT_S):
            while await foreign.get("key") != b"1":  # noqa: ASYNC110 - Redis does it when it does
                await asyncio.sleep(0.02)
        async with asyncio.timeout(WAIT_S):
            while Change("b", "last", deleted=False) not in listening.changes + late.changes:
                await foreign.set("last", b"")
                await asyncio.sleep(0.02)
        assert Change("b", "key", deleted=False) not in listening.changes + late.changes
        await listening.end()
        await late.end()


async def test_an_entry_that_expires_while_we_change_another_is_told(server: RedisServer, other: Redis) -> None:
    ear = Heard(await Redis.connect(RedisOptions(url=server.url, watch=True)), "us")
    foreign, own = await other.open_bucket("b"), await ear.redis.open_bucket("b")
    async with asyncio.timeout(WAIT_S):
        while not ear.changes:
            await foreign.set("begin", b"")
            await asyncio.sleep(0.02)
    server.ask("DEBUG", "SET-ACTIVE-EXPIRE", "0")
    await foreign.set("key", b"", ttl_s=0.02)
    await asyncio.sleep(0.1)
    await own.set("key", b"ours")  # Redis finds out here that it is over
    async with asyncio.timeout(WAIT_S):
        while Change("b", "key", deleted=True) not in ear.changes:  # noqa: ASYNC110 - a test may look
            await asyncio.sleep(0.02)
    await ear.end()
