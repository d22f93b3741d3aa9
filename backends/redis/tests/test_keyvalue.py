"""What is Redis' own: how keys look there, how listings go on, and what other programs leave."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mik_backend_redis import Redis, RedisOptions
from mik_backend_redis.keyvalue import Pages, prefix
from qwasr_keyvalue import InvalidCursor, KeyValueError, NotANumber, OutOfSpace, Unavailable
from qwasr_keyvalue.compliance._buckets import all_keys
from tests.services.proxy import Proxy
from tests.services.redis import RedisServer

Servers = Callable[..., RedisServer]


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    redis = await Redis.connect(RedisOptions(url=redis_url, timeout_s=30))  # these tests write a lot at once
    yield redis
    await redis.close()


@pytest.fixture
def name() -> str:
    return f"test-{secrets.token_hex(8)}"


@given(st.text(), st.text())
def test_two_buckets_never_have_one_prefix_and_none_begins_with_the_other(one: str, other: str) -> None:
    for tagged in (False, True):
        first, second = prefix(one, tagged=tagged), prefix(other, tagged=tagged)
        assert (one == other) == (first == second)
        assert one == other or not second.startswith(first)


@given(st.text())
def test_nothing_in_a_prefix_means_anything_in_a_pattern(bucket: str) -> None:
    assert not set(prefix(bucket, tagged=False) + prefix(bucket, tagged=True)) & set(b"*?[]^\\")


async def test_keys_look_like_bucket_and_key(redis: Redis, name: str) -> None:
    await (await redis.open_bucket(f"{name}/a:b*")).set("c:d*", b"value")
    assert await redis.call("GET", f"{name}%2Fa%3Ab%2A:c:d*".encode()) == b"value"


async def test_a_listing_reads_a_page_at_a_time(redis: Redis, name: str) -> None:
    bucket = await redis.open_bucket(name)
    await bucket.set_many([(f"key-{number}", b"") for number in range(5000)])
    page = await bucket.list_keys()
    assert 0 < len(page.keys) < 1000
    assert page.cursor is not None
    assert page.cursor.isdigit()
    await bucket.delete_many([f"key-{number}" for number in range(5000)])


async def test_a_listing_beside_a_large_bucket_has_short_pages_and_every_key(redis: Redis, name: str) -> None:
    large, small = await redis.open_bucket(f"{name}-large"), await redis.open_bucket(name)
    await large.set_many([(f"key-{number}", b"") for number in range(20_000)])
    await small.set_many([("a", b""), ("b", b"")])
    found, cursor, pages = [], None, 0
    while pages == 0 or cursor is not None:
        page = await small.list_keys(cursor)
        found += page.keys
        cursor = page.cursor
        pages += 1
    assert sorted(found) == ["a", "b"]
    assert pages > 1
    await large.delete_many([f"key-{number}" for number in range(20_000)])


async def test_a_call_of_many_commands_takes_no_longer_than_one(redis_server: Servers) -> None:
    server = redis_server()
    async with Proxy(server.port) as proxy:
        near = await Redis.connect(RedisOptions(url=server.url, timeout_s=60))
        keys = [f"key-{number}" for number in range(20_000)]
        await (await near.open_bucket("large")).set_many([(key, b"") for key in keys])
        await (await near.open_bucket("small")).set("key", b"")
        await near.close()
        redis = await Redis.connect(RedisOptions(url=f"redis://127.0.0.1:{proxy.port}", timeout_s=2))
        large, small = await redis.open_bucket("large"), await redis.open_bucket("small")
        await small.list_keys()  # it is connected, and Redis knows the script
        proxy.delay_s = 0.2
        began_s = time.monotonic()
        page = await small.list_keys()
        assert time.monotonic() - began_s < 6, "0.4 s for each of 20 commands are 8 s"
        assert page.cursor is not None, "what came in time is given out, and the next call goes on"
        for call in (large.get_many(keys), large.set_many([(key, b"") for key in keys]), large.delete_many(keys)):
            began_s = time.monotonic()
            with pytest.raises(Unavailable):
                await call
            assert time.monotonic() - began_s < 6
        await redis.close()


async def test_a_listing_has_every_key_once_though_most_of_the_database_is_deleted_meanwhile(
    redis_server: Servers,
) -> None:
    redis = await Redis.connect(RedisOptions(url=redis_server().url, timeout_s=30))
    for trial in range(8):
        bucket = await redis.open_bucket(f"b{trial}")
        keys = [f"key-{number}" for number in range(20_000)]
        staying = set(keys[::25])
        await bucket.set_many([(key, b"") for key in keys])
        listed, cursor, pages = [], None, 0
        while pages == 0 or cursor is not None:
            page = await bucket.list_keys(cursor)
            listed += page.keys
            cursor = page.cursor
            pages += 1
            if pages == 10 + 3 * trial:
                await bucket.delete_many([key for key in keys if key not in staying])
                await asyncio.sleep(0.3)  # Redis looks for tables that are too large a few times a second
        assert sorted(key for key in listed if key in staying) == sorted(staying)
        await redis.call("FLUSHALL")
    await redis.close()


async def test_what_is_remembered_of_listings_is_bounded() -> None:
    pages = Pages()
    for number in range(1000):
        pages.note(b"b:", number, ["key"])
    assert len(pages._latest) < 300
    assert pages.of(b"b:", 999) == {hash("key")}
    assert pages.of(b"b:", 0) == pages.of(b"other:", 999) == frozenset()


@pytest.mark.parametrize("cursor", ["", "x", "0", "-1", "1 ", "1" * 21, "18446744073709551616", "٣", "1.0"])
async def test_a_cursor_that_no_page_gave_out_is_an_error(redis: Redis, cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        await (await redis.open_bucket("b")).list_keys(cursor)


async def test_what_another_program_keeps_under_a_key_is_an_error_and_stays(redis: Redis, name: str) -> None:
    bucket = await redis.open_bucket(name)
    await redis.call("RPUSH", f"{name}:list".encode(), b"1")
    for work in (
        lambda: bucket.get("list"),
        lambda: bucket.increment("list", 1),
        lambda: bucket.snapshot("list"),
    ):
        with pytest.raises(KeyValueError, match="another program"):
            await work()
    assert await redis.call("LRANGE", f"{name}:list".encode(), 0, -1) == [b"1"]


async def test_a_key_of_another_program_that_is_no_text_is_left_out(redis: Redis, name: str) -> None:
    await redis.call("SET", f"{name}:".encode() + b"\xff", b"")
    await redis.call("SET", f"{name}:text".encode(), b"")
    assert await all_keys(await redis.open_bucket(name)) == ["text"]


async def test_a_script_that_the_server_forgot_is_sent_again(redis: Redis, name: str) -> None:
    bucket = await redis.open_bucket(name)
    for expected in (b"1", b"2"):
        await redis.call("SCRIPT", "FLUSH")
        before = await bucket.snapshot("key")
        assert await bucket.swap("key", expected, before) is None
        assert await bucket.get("key") == expected


async def test_a_very_long_time_to_live_is_for_ever(redis: Redis, name: str) -> None:
    bucket = await redis.open_bucket(name)
    await bucket.set("key", b"", ttl_s=1e300)
    assert await bucket.ttl("key") == float("inf")
    await bucket.set("key", b"", ttl_s=1e9)
    assert await bucket.ttl("key") == pytest.approx(1e9, abs=10)


async def test_more_calls_than_connections_wait_for_one_another(redis_server: Servers) -> None:
    server = redis_server()
    redis = await Redis.connect(RedisOptions(url=server.url, pool_size=3))
    bucket = await redis.open_bucket("b")
    await asyncio.gather(*(bucket.increment("counter", 1) for _ in range(500)))
    assert await bucket.get("counter") == b"500"
    clients = await redis.call("CLIENT", "LIST")
    assert clients.count(b"\n") <= 3
    await redis.close()


async def test_a_batch_that_does_not_fit_says_so(redis_server: Servers) -> None:
    server = redis_server("--maxmemory", "1mb", "--maxmemory-policy", "noeviction")
    redis = await Redis.connect(RedisOptions(url=server.url))
    bucket = await redis.open_bucket("b")
    with pytest.raises(OutOfSpace):  # in batches of their own
        await bucket.set_many([(f"key-{number}", bytes(1000)) for number in range(5000)])
    await redis.close()


async def test_a_value_that_is_no_number_is_named_so(redis: Redis, name: str) -> None:
    bucket = await redis.open_bucket(name)
    await bucket.set("key", b"text")
    with pytest.raises(NotANumber):
        await bucket.increment("key", 1)


def test_the_plugin_imports_no_client_library() -> None:
    code = "import sys, mik_backend_redis.plugin; sys.exit(sum(name in sys.modules for name in ('redis', 'hiredis')))"
    subprocess.run([sys.executable, "-c", code], check=True)
