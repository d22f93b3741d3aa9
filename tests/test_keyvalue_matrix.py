"""The same guests on every store: memory, a SQLite file and Redis, chosen by variables alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from interfaces.keyvalue.tests.guest_text import DRAFT, DRAFT2, text, watching
from mik_backend_redis import Redis, RedisOptions
from qwasr.runtime import Runtime
from qwasr.values import WitError
from tests.examples.serving import COLD_START_S, served

pytestmark = pytest.mark.timeout(COLD_START_S + 60)
GuestPath = Callable[[str], Path]
Environ = dict[str, str]


PATIENT = {"REDIS_TIMEOUT_S": "4"}  # the machine may be busy with other tests


@pytest.fixture(params=["memory", "sqlite", "redis"])
def environ(request: pytest.FixtureRequest, tmp_path: Path) -> Environ:
    """The variables that choose a store."""
    if request.param == "redis":
        return {"QWASR_KEYVALUE": request.getfixturevalue("redis_alone"), **PATIENT}
    return {"QWASR_KEYVALUE": f"sqlite:///{tmp_path}/store.db" if request.param == "sqlite" else "memory"}


@pytest.fixture(params=["sqlite", "redis"])
def lasting(request: pytest.FixtureRequest, tmp_path: Path) -> Environ:
    """The variables that choose a store which outlives the process."""
    if request.param == "redis":
        return {"QWASR_KEYVALUE": request.getfixturevalue("redis_alone"), **PATIENT}
    return {"QWASR_KEYVALUE": f"sqlite:///{tmp_path}/store.db"}


async def count(client: aiohttp.ClientSession) -> int:
    async with client.get("/") as response:
        assert response.status == 200, await response.text()
        return int((await response.text()).removeprefix("visitor "))


async def test_the_example_counts_its_visitors(guest_path: GuestPath, environ: Environ) -> None:
    guest_path("keyvalue")
    async with served("keyvalue", **environ) as client:
        await client.delete("/visitors")
        assert [await count(client) for _ in range(3)] == [1, 2, 3]
        await client.delete("/visitors")


async def test_100_visitors_at_once_have_100_numbers(guest_path: GuestPath, environ: Environ) -> None:
    guest_path("keyvalue")
    async with served("keyvalue", **environ) as client:
        await client.delete("/visitors")
        assert sorted(await asyncio.gather(*(count(client) for _ in range(100)))) == list(range(1, 101))
        await client.delete("/visitors")


async def test_the_example_keeps_what_it_is_given_until_it_is_deleted(guest_path: GuestPath, environ: Environ) -> None:
    guest_path("keyvalue")
    value = bytes(range(256)) * 1000
    async with served("keyvalue", **environ) as client:
        assert (await client.put("/a%2Fb*%7Bc%7D", data=value)).status == 204
        assert await (await client.get("/a%2Fb*%7Bc%7D")).read() == value
        assert (await client.delete("/a%2Fb*%7Bc%7D")).status == 204
        assert (await client.get("/a%2Fb*%7Bc%7D")).status == 404


async def test_what_the_example_keeps_is_there_when_it_is_started_again(
    guest_path: GuestPath, lasting: Environ
) -> None:
    guest_path("keyvalue")
    async with served("keyvalue", **lasting) as client:
        assert (await client.put("/kept", data=b"value")).status == 204
    async with served("keyvalue", **lasting) as client:
        assert await (await client.get("/kept")).read() == b"value"
        await client.delete("/kept")


async def test_several_workers_count_together(guest_path: GuestPath, lasting: Environ) -> None:
    guest_path("keyvalue")
    async with served("keyvalue", QWASR_WORKERS="2", **lasting) as client:
        await client.delete("/visitors")
        assert sorted(await asyncio.gather(*(count(client) for _ in range(100)))) == list(range(1, 101))
        await client.delete("/visitors")


@pytest.mark.parametrize("draft", [DRAFT2, DRAFT], ids=["draft2", "draft"])
async def test_a_guest_of_either_draft_uses_every_function(
    draft: dict[str, str], environ: Environ, request: pytest.FixtureRequest
) -> None:
    store = request.node.name  # one that no other test uses
    async with Runtime(text(draft), environ=environ) as runtime:
        keys = [f"key-{number}" for number in range(1500)]
        await runtime.call(None, "set-many", store, [(key, key.encode()) for key in keys])
        assert await runtime.call(None, "get-many", store, ["key-7", "missing"]) == [("key-7", b"key-7"), None]
        listed, cursor, first = [], None, True
        while first or cursor is not None:
            page = await runtime.call(None, "list-keys", store, cursor)
            listed += page.keys
            cursor, first = page.cursor, False
        assert sorted(listed) == sorted(keys)
        await runtime.call(None, "delete-many", store, keys)
        assert await runtime.call(None, "exists", store, "key-7") is False
        assert await runtime.call(None, "increment", store, "counter", 42) == 42
        await runtime.call(None, "set", store, "counter", b"text")
        with pytest.raises(WitError, match="not a number"):
            await runtime.call(None, "increment", store, "counter", 1)
        assert await runtime.call(None, "get", store, "counter") == b"text"
        await runtime.call(None, "delete", store, "counter")


async def test_a_guest_that_loses_a_swap_wins_with_the_fresh_handle(
    environ: Environ, request: pytest.FixtureRequest
) -> None:
    store = request.node.name
    async with Runtime(text(DRAFT2), environ=environ) as runtime:
        await runtime.call(None, "delete", store, "key")
        assert await runtime.call(None, "swap", store, "key", b"new", b"") == 0
        assert await runtime.call(None, "swap", store, "key", b"newer", b"other") == 12
        assert await runtime.call(None, "get", store, "key") == b"newer"
        await runtime.call(None, "delete", store, "key")


@pytest.mark.parametrize("draft", [DRAFT2, DRAFT], ids=["draft2", "draft"])
async def test_a_guest_watches_its_stores(
    draft: dict[str, str], environ: Environ, request: pytest.FixtureRequest
) -> None:
    key = request.node.name
    async with Runtime(watching(draft), environ=environ) as runtime:
        await runtime.start()
        await runtime.call(None, "set", "watched", key, b"value")
        await runtime.servers[0].drain(5)
        assert await runtime.call(None, "get", "seen", key) == b"value"
        await runtime.call(None, "delete", "watched", key)
        await runtime.servers[0].drain(5)
        assert await runtime.call(None, "get", "seen", key) == b"gone"
        await runtime.call(None, "delete-many", "seen", [key])


async def test_a_guest_on_redis_is_told_of_what_other_programs_change(
    redis_alone: str, request: pytest.FixtureRequest
) -> None:
    key = request.node.name
    other = await Redis.connect(RedisOptions(url=redis_alone))
    bucket = await other.open_bucket("watched")
    async with Runtime(watching(DRAFT2), environ={"QWASR_KEYVALUE": redis_alone, "REDIS_WATCH": "1"}) as runtime:
        await runtime.start()
        for _ in range(200):  # it listens a moment after it was started
            await bucket.set(key, b"theirs")
            await asyncio.sleep(0.02)
            if await runtime.call(None, "get", "seen", key) == b"theirs":
                break
        assert await runtime.call(None, "get", "seen", key) == b"theirs"
        await runtime.servers[0].drain(5)
        await runtime.call(None, "delete-many", "seen", [key])
        await runtime.call(None, "delete-many", "watched", [key, "echo"])
    await other.close()
