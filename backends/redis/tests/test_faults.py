"""Redis breaks in every way there is, while 64 guests use it."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable, Collection
from pathlib import Path

import pytest

from backends.redis.tests.load import GUESTS, STORE, Load, loaded, runtime_on
from mik_backend_redis import Redis, RedisOptions
from mik_backend_redis.connections import Tries
from qwasr.errors import BackendError
from qwasr.values import Variant, WitError
from qwasr_keyvalue import Unavailable
from tests.services.proxy import Proxy
from tests.services.redis import RedisServer

Servers = Callable[..., RedisServer]
FAILS_IN_S = 1.0
BACK_IN_S = 5.0
WAIT_S = 20.0
FULL = Variant("other", "the key-value store is full")
UNAVAILABLE = repr(Variant("other", "the key-value store is unavailable"))


def told_quickly(load: Load, *, of: Collection[str] = (UNAVAILABLE,), in_s: float = FAILS_IN_S) -> None:
    assert load.errors, "nobody noticed"
    assert {text for text, _ in load.errors} <= set(of)
    # A call waits twice at most, for a connection and for an answer; each may end late when the machine is busy.
    assert max(took_s for _, took_s in load.errors) <= in_s + 2 * load.lag_s


async def test_a_redis_that_is_killed_and_started_again(redis_server: Servers) -> None:
    server = redis_server(lasting=True)
    async with loaded(server.url) as load:
        server.kill()
        await asyncio.sleep(2)
        told_quickly(load)
        await asyncio.to_thread(server.start)
        assert await load.acknowledged() <= BACK_IN_S
    told_quickly(load)


async def test_a_redis_that_stands_still_for_5_seconds(redis_server: Servers) -> None:
    server = redis_server()
    async with loaded(server.url) as load:
        server.pause()
        await asyncio.sleep(5)
        told_quickly(load)
        server.resume()
        assert await load.acknowledged() <= BACK_IN_S
    told_quickly(load)


async def test_connections_that_are_cut_in_the_middle_of_calls(redis_server: Servers) -> None:
    server = redis_server()
    async with Proxy(server.port) as proxy, loaded(f"redis://127.0.0.1:{proxy.port}") as load:
        for _ in range(20):
            await proxy.cut()
            assert await load.acknowledged() <= BACK_IN_S
        told_quickly(load)


async def test_a_network_that_stalls_and_comes_back(redis_server: Servers) -> None:
    server = redis_server()
    async with Proxy(server.port) as proxy, loaded(f"redis://127.0.0.1:{proxy.port}") as load:
        proxy.stall()
        await asyncio.sleep(2)
        told_quickly(load)
        proxy.flow()
        assert await load.acknowledged() <= BACK_IN_S
        told_quickly(load)


async def test_a_port_that_refuses_connections_for_a_while(redis_server: Servers) -> None:
    server = redis_server()
    async with Proxy(server.port) as proxy, loaded(f"redis://127.0.0.1:{proxy.port}") as load:
        await proxy.refuse()
        await asyncio.sleep(2)
        told_quickly(load)
        await proxy.accept()
        assert await load.acknowledged() <= BACK_IN_S


async def test_a_slow_network_is_waited_for_and_a_too_slow_one_is_not(redis_server: Servers) -> None:
    server = redis_server()
    options = {"pool_size": 64, "timeout_s": 2.5}
    async with Proxy(server.port) as proxy, loaded(f"redis://127.0.0.1:{proxy.port}", **options) as load:
        proxy.delay_s = 0.05
        await load.acknowledged(200)
        assert load.errors == []
        proxy.delay_s = 1.5
        await failed(load, UNAVAILABLE, GUESTS)
        told_quickly(load, in_s=2.75)
        proxy.delay_s = 0
        assert await load.acknowledged() <= BACK_IN_S
        told_quickly(load, in_s=2.75)


async def failed(load: Load, error: str, times: int) -> None:
    """Wait until so many calls have failed in this way."""
    async with asyncio.timeout(WAIT_S):
        while sum(text == error for text, _ in load.errors) < times:  # noqa: ASYNC110 - waking for each would be part of the load
            await asyncio.sleep(0.01)


async def test_a_redis_that_is_full_for_a_while(redis_server: Servers) -> None:
    server = redis_server()
    async with loaded(server.url) as load:
        assert server.ask("CONFIG", "SET", "maxmemory", "1") == b"+OK\r\n"
        await failed(load, repr(FULL), 2 * GUESTS)
        told_quickly(load, of=[repr(FULL)])
        assert server.ask("CONFIG", "SET", "maxmemory", "0") == b"+OK\r\n"
        assert await load.acknowledged() <= BACK_IN_S
    told_quickly(load, of=[repr(FULL)])


async def test_a_password_that_is_wrong_for_a_while(redis_server: Servers) -> None:
    server = redis_server("--requirepass", "first")
    denied = repr(Variant("access-denied"))
    async with loaded(f"redis://:first@127.0.0.1:{server.port}") as load, Admin(server, "first") as admin:
        await admin.call("CONFIG", "SET", "requirepass", "second")
        await admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await failed(load, denied, 2 * GUESTS)
        told_quickly(load, of=[denied, UNAVAILABLE])  # some calls were under way when their connections ended
        await admin.call("CONFIG", "SET", "requirepass", "first")
        assert await load.acknowledged() <= BACK_IN_S
    told_quickly(load, of=[denied, UNAVAILABLE])


async def test_a_full_redis_says_so_and_still_answers_and_takes_entries_again(redis_server: Servers) -> None:
    server = redis_server("--maxmemory", "8mb", "--maxmemory-policy", "noeviction")
    async with runtime_on(server.url) as runtime:
        for stored in range(20):
            await runtime.call(None, "set", STORE, f"key-{stored}", bytes(100_000))
        server.ask("CONFIG", "SET", "maxmemory", "2mb")  # far less than is in use: nothing fits, however small
        for function, *arguments in (
            ("increment", "counter", 1),
            ("set", "small", b"1"),
            ("set-many", [("a", b"1"), ("b", b"2")]),
        ):
            with pytest.raises(WitError) as caught:
                await runtime.call(None, function, STORE, *arguments)
            assert caught.value.value == FULL
        swap_failed = 1  # what the guest says of an error of the store
        assert await runtime.call(None, "swap", STORE, "swapped", b"new", b"") == swap_failed
        assert await runtime.call(None, "get-many", STORE, ["counter", "small", "a", "swapped"]) == [None] * 4
        assert await runtime.call(None, "get", STORE, "key-0") == bytes(100_000)
        await runtime.call(None, "delete-many", STORE, [f"key-{number}" for number in range(20)])
        server.ask("CONFIG", "SET", "maxmemory", "8mb")
        await runtime.call(None, "set", STORE, "key", b"value")


async def test_a_password_that_changes_refuses_calls_until_it_is_right_again(redis_server: Servers) -> None:
    server = redis_server("--requirepass", "first")
    async with runtime_on(f"redis://:first@127.0.0.1:{server.port}") as runtime:
        await runtime.call(None, "set", STORE, "key", b"value")
        async with Admin(server, "first") as admin:
            await admin.call("CONFIG", "SET", "requirepass", "second")
            await admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            with pytest.raises(WitError) as caught:
                await runtime.call(None, "get", STORE, "key")
            assert caught.value.value == Variant("access-denied")
            await admin.call("CONFIG", "SET", "requirepass", "first")
        assert await runtime.call(None, "get", STORE, "key") == b"value"


class Admin:
    def __init__(self, server: RedisServer, password: str) -> None:
        self.options = RedisOptions(url=server.url, password=password)

    async def __aenter__(self) -> Redis:
        self.redis = await Redis.connect(self.options)
        return self.redis

    async def __aexit__(self, *_: object) -> None:
        await self.redis.close()


async def test_an_increment_whose_answer_is_lost_is_an_error_and_counted_once(redis_server: Servers) -> None:
    server = redis_server()
    async with Proxy(server.port) as proxy, runtime_on(f"redis://127.0.0.1:{proxy.port}") as runtime:
        for expected in range(1, 21):
            proxy.cut_answers(after=0)
            with pytest.raises(WitError, match="unavailable"):
                await runtime.call(None, "increment", STORE, "counter", 1)
            assert await runtime.call(None, "get", STORE, "counter") == b"%d" % expected


async def test_a_read_whose_answer_is_lost_is_repeated(redis_server: Servers) -> None:
    server = redis_server()
    async with Proxy(server.port) as proxy, runtime_on(f"redis://127.0.0.1:{proxy.port}") as runtime:
        await runtime.call(None, "set", STORE, "key", b"value")
        for _ in range(20):
            proxy.cut_answers(after=0)
            assert await runtime.call(None, "get", STORE, "key") == b"value"


async def test_a_guest_that_is_cancelled_leaves_no_answer_for_the_next(redis_server: Servers) -> None:
    server = redis_server()
    async with Proxy(server.port) as proxy, runtime_on(f"redis://127.0.0.1:{proxy.port}", pool_size=1) as runtime:
        await runtime.call(None, "set", STORE, "key", b"right")
        await runtime.call(None, "set", STORE, "other", b"wrong")
        proxy.delay_s = 0.02
        for _ in range(10):
            task = asyncio.create_task(runtime.call(None, "get", STORE, "other"))
            await asyncio.sleep(0.03)
            task.cancel()
            assert await runtime.call(None, "get", STORE, "key") == b"right"


async def test_memory_and_tasks_stay_flat_over_outages(redis_server: Servers) -> None:
    server = redis_server()
    async with Proxy(server.port) as proxy, loaded(f"redis://127.0.0.1:{proxy.port}", timeout_s=0.1) as load:
        memory: list[int] = []
        for outage in range(12):
            proxy.stall()
            await asyncio.sleep(0.25)
            await proxy.cut()
            proxy.flow()
            await load.acknowledged(50)
            memory.append(resident_bytes())
            load.errors.clear()
            if outage == 1:
                tasks = await fewest_tasks()
        assert await fewest_tasks() <= tasks + 4, "ten outages leave fewer than one task each behind"
        assert memory[-1] - memory[1] < 8 * 1024 * 1024


async def fewest_tasks() -> int:
    """How many tasks there are when none is between two calls; those of a guest come and go all the time."""
    fewest = len(asyncio.all_tasks())
    for _ in range(200):
        await asyncio.sleep(0.01)
        fewest = min(fewest, sum("Proxy" not in repr(task.get_coro()) for task in asyncio.all_tasks()))
    return fewest


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.parametrize("retries", [0, 1, 4])
async def test_a_call_tries_again_as_often_as_it_may(redis_server: Servers, retries: int) -> None:
    server = redis_server()
    async with Proxy(server.port) as proxy:
        options = RedisOptions(url=f"redis://127.0.0.1:{proxy.port}", timeout_s=60, max_retries=retries, max_delay_ms=1)
        redis = await Redis.connect(options)
        bucket = await redis.open_bucket("b")
        await bucket.get("key")
        proxy.cuts_answers = True
        before = proxy.connections
        with pytest.raises(Unavailable):
            await bucket.get("key")
        assert proxy.connections == before + retries, "the first try had a connection already"
        proxy.cuts_answers = False
        assert await bucket.get("key") is None
        await redis.close()


async def test_pauses_between_tries_grow_up_to_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("asyncio.sleep", sleep)
    monkeypatch.setattr("random.uniform", lambda _least, most: most)
    tries = Tries(RedisOptions(max_retries=7, max_delay_ms=200))
    for failures in range(1, 8):
        await tries.pause(failures, OSError())
    assert pauses == [0.02, 0.04, 0.08, 0.16, 0.2, 0.2, 0.2]
    with pytest.raises(OSError, match="the last"):
        await tries.pause(8, OSError("the last"))


async def test_nothing_that_listens_is_an_error_at_the_start_that_says_so() -> None:
    with pytest.raises(BackendError, match="nothing listens there"):
        await Redis.connect(RedisOptions(url="redis://127.0.0.1:1", connect_timeout_s=0.3))


async def test_a_redis_that_comes_up_late_is_waited_for(redis_server: Servers) -> None:
    server = redis_server()
    server.kill()
    connecting = asyncio.create_task(Redis.connect(RedisOptions(url=server.url)))
    await asyncio.sleep(0.5)
    await asyncio.to_thread(server.start)
    redis = await connecting
    await redis.check()
    await redis.close()


async def test_a_wrong_password_is_an_error_at_once_that_does_not_show_it(redis_server: Servers) -> None:
    server = redis_server("--requirepass", "right-secret")
    for url in (server.url, f"redis://:wrong-secret@127.0.0.1:{server.port}"):
        with pytest.raises(BackendError, match="refuses the user or the password") as caught:
            await Redis.connect(RedisOptions(url=url, connect_timeout_s=30))
        assert "secret" not in str(caught.value)
        assert caught.value.__cause__ is None


async def test_a_check_says_that_redis_is_away_and_that_it_is_there(redis_server: Servers) -> None:
    server = redis_server()
    redis = await Redis.connect(RedisOptions(url=server.url))
    await redis.check()
    server.pause()
    with pytest.raises(BackendError, match="does not answer in time"):
        await redis.check()
    server.resume()
    await redis.check()
    await redis.close()


async def test_an_outage_is_logged_once_and_its_end_once(
    redis_server: Servers, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "qwasr.redis")
    server = redis_server()
    async with runtime_on(server.url) as runtime:
        server.kill()
        for _ in range(3):
            with pytest.raises(WitError):
                await runtime.call(None, "get", STORE, "key")
        await asyncio.to_thread(server.start)
        await runtime.call(None, "get", STORE, "key")
    messages = [record.message for record in caplog.records if record.name == "qwasr.redis"]
    assert messages == ["Redis is not usable: nothing listens there", "Redis is there again"]
