"""Changes that others make are heard, and our own are not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mik_backend_redis import Redis, RedisOptions
from mik_backend_redis.keyvalue import prefix
from mik_backend_redis.watch import change_of
from qwasr.errors import BackendError
from qwasr_keyvalue import Snapshot
from qwasr_keyvalue.protocol import Change
from tests.services.proxy import Proxy
from tests.services.redis import RedisServer

Servers = Callable[..., RedisServer]
WAIT_S = 20.0


class Heard:
    """What one backend hears."""

    def __init__(self, redis: Redis, group: str = "us") -> None:
        self.redis = redis
        self.group = group
        self.changes: list[Change] = []
        self._task = asyncio.create_task(self._hear())

    async def _hear(self) -> None:
        changes = self.redis.changes(self.group)
        assert changes is not None
        async for change in changes:
            self.changes.append(change)

    async def until(self, *expected: Change) -> None:
        async with asyncio.timeout(WAIT_S):
            while len(self.changes) < len(expected):  # noqa: ASYNC110 - a test may look
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)  # more would be one too many
        assert self.changes == list(expected)
        self.changes.clear()

    async def end(self) -> None:
        await self.redis.close()
        await asyncio.wait_for(self._task, WAIT_S)


@contextlib.asynccontextmanager
async def heard(url: str, other: Redis) -> AsyncIterator[Heard]:
    """A backend that listens, from the moment it hears what another one does."""
    ear = Heard(await Redis.connect(RedisOptions(url=url, watch=True)))
    try:
        await listening(ear, other)
        yield ear
    finally:
        await ear.end()


async def listening(ear: Heard, other: Redis) -> None:
    async with asyncio.timeout(WAIT_S):
        while not ear.changes:
            await (await other.open_bucket("begin")).set("key", b"")
            await asyncio.sleep(0.02)
        await (await other.open_bucket("begin")).set("last", b"")
        while ear.changes[-1] != Change("begin", "last", deleted=False):  # noqa: ASYNC110 - a test may look
            await asyncio.sleep(0.01)
    ear.changes.clear()


@pytest.fixture
async def server(redis_server: Servers) -> RedisServer:
    return redis_server()


@pytest.fixture
async def other(server: RedisServer) -> AsyncIterator[Redis]:
    redis = await Redis.connect(RedisOptions(url=server.url))
    yield redis
    await redis.close()


async def test_nobody_listens_unless_it_was_asked_for(server: RedisServer) -> None:
    redis = await Redis.connect(RedisOptions(url=server.url))
    assert redis.changes("us") is None
    assert b"notify-keyspace-events\r\n$0\r\n" in server.ask("CONFIG", "GET", "notify-keyspace-events")
    await redis.close()


async def test_what_others_set_and_delete_is_heard(server: RedisServer, other: Redis) -> None:
    bucket = await other.open_bucket("a:b")
    async with heard(server.url, other) as ear:
        await bucket.set("ключ:*", b"value")
        await bucket.increment("n", 1)
        await bucket.set_many([("x", b""), ("y", b"")])
        await bucket.swap("new", b"1", Snapshot(None))
        await bucket.delete_many(["x", "missing", "y"])
        await ear.until(
            *(Change("a:b", key, deleted=False) for key in ("ключ:*", "n", "x", "y", "new")),
            *(Change("a:b", key, deleted=True) for key in ("x", "y")),
        )


async def test_an_entry_that_expires_is_heard_as_deleted(server: RedisServer, other: Redis) -> None:
    bucket = await other.open_bucket("b")
    async with heard(server.url, other) as ear:
        await bucket.set("key", b"value", ttl_s=0.05)
        await asyncio.sleep(0.1)
        await bucket.get("key")
        await ear.until(Change("b", "key", deleted=False), Change("b", "key", deleted=True))


async def test_our_own_changes_are_not_heard(server: RedisServer, other: Redis) -> None:
    async with heard(server.url, other) as ear:
        own = await ear.redis.open_bucket("b")
        await own.set("key", b"1", ttl_s=100)
        await own.increment("key", 1)
        await own.swap("key", b"3", await own.snapshot("key"))
        await own.swap("key", b"4", Snapshot(b"other"))
        await own.set_many([("x", b""), ("y", b""), ("x", b"1")])
        await own.delete("missing")
        await own.delete_many(["x", "y", "x"])
        await own.expire("key", 0)
        await own.set("key", b"", ttl_s=0)
        await (await other.open_bucket("b")).set("last", b"")
        await ear.until(Change("b", "last", deleted=False))


async def test_a_foreign_change_between_our_own_ones_is_heard(server: RedisServer, other: Redis) -> None:
    async with heard(server.url, other) as ear:
        own, foreign = await ear.redis.open_bucket("b"), await other.open_bucket("b")
        for _ in range(20):
            await own.set("key", b"own")
            await foreign.set("key", b"foreign")
            await own.delete("key")
            assert await foreign.delete("key") is False
        await ear.until(*[Change("b", "key", deleted=False)] * 20)


async def test_a_change_of_ours_that_is_refused_hides_no_foreign_one(server: RedisServer, other: Redis) -> None:
    async with heard(server.url, other) as ear:
        own, foreign = await ear.redis.open_bucket("b"), await other.open_bucket("b")
        await own.set("key", b"text")
        with pytest.raises(Exception, match="not a number"):
            await own.increment("key", 1)
        await foreign.set("key", b"1")
        await ear.until(Change("b", "key", deleted=False))


async def test_listening_goes_on_after_the_connection_was_lost(server: RedisServer, other: Redis) -> None:
    async with Proxy(server.port) as proxy, heard(f"redis://127.0.0.1:{proxy.port}", other) as ear:
        own = await ear.redis.open_bucket("b")
        await proxy.cut()
        await listening(ear, other)
        await own.set("key", b"")
        await (await other.open_bucket("b")).set("last", b"")
        await ear.until(Change("b", "last", deleted=False))


async def test_listening_ends_with_the_backend_in_the_moment_its_connection_breaks(
    server: RedisServer, other: Redis
) -> None:
    for _ in range(10):
        async with Proxy(server.port) as proxy, heard(f"redis://127.0.0.1:{proxy.port}", other):
            await proxy.cut()


async def test_listening_goes_on_after_redis_was_started_again(server: RedisServer, other: Redis) -> None:
    async with heard(server.url, other) as ear:
        server.kill()
        await asyncio.to_thread(server.start)
        async with asyncio.timeout(WAIT_S):
            while True:
                with contextlib.suppress(Exception):
                    await listening(ear, other)
                    break


async def test_what_the_server_tells_of_already_is_told_on(redis_server: Servers) -> None:
    server = redis_server("--notify-keyspace-events", "El")
    redis = await Redis.connect(RedisOptions(url=server.url, watch=True))
    await redis.close()
    flags = server.ask("CONFIG", "GET", "notify-keyspace-events").split(b"\r\n")[-2]
    assert set(flags.decode()) == set("ElKg$xe")


async def test_a_server_that_may_not_be_told_to_tell_is_an_error_at_the_start(redis_server: Servers) -> None:
    server = redis_server()
    server.ask("ACL", "SETUSER", "guest", "on", ">secret", "~*", "&*", "+@all", "-config")
    with pytest.raises(BackendError, match="set notify-keyspace-events") as caught:
        await Redis.connect(RedisOptions(url=f"redis://guest:secret@127.0.0.1:{server.port}", watch=True))
    assert "secret" not in str(caught.value)


async def test_a_user_that_may_not_listen_is_an_error_at_the_start(redis_server: Servers) -> None:
    server = redis_server("--notify-keyspace-events", "KA")
    server.ask("ACL", "SETUSER", "guest", "on", ">secret", "~*", "resetchannels", "+@all")
    with pytest.raises(BackendError, match=r"ACL does not let.*PSUBSCRIBE"):
        await Redis.connect(RedisOptions(url=f"redis://guest:secret@127.0.0.1:{server.port}", watch=True))


@given(st.text(), st.text(), st.booleans())
def test_a_redis_key_is_known_for_the_entry_that_it_is(bucket: str, key: str, tagged: bool) -> None:
    name = prefix(bucket, tagged=tagged) + key.encode()
    assert change_of(name, deleted=False, tagged=tagged) == Change(bucket, key, deleted=False)


@given(st.binary(), st.booleans())
def test_other_keys_are_no_entries_or_the_one_that_has_this_key(name: bytes, tagged: bool) -> None:
    change = change_of(name, deleted=True, tagged=tagged)
    if change is not None:
        assert prefix(change.bucket, tagged=tagged) + change.key.encode() == name
