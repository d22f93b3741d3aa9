"""Redis keeps every rule of the interface, those about a service that goes away included."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mik_backend_redis import Redis, RedisOptions
from qwasr_keyvalue.compliance import KeyValueChangesCompliance, KeyValueCompliance, KeyValueFaultCompliance
from qwasr_keyvalue.compliance.model import KeyValueModelCompliance
from tests.services.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.services.redis import RedisCluster, RedisServer


class TestRedis(KeyValueCompliance):
    @pytest.fixture
    async def backend(self, redis_url: str) -> AsyncIterator[Redis]:
        redis = await Redis.connect(RedisOptions(url=redis_url))
        yield redis
        await redis.close()


class TestRedisFaults(KeyValueFaultCompliance):
    lasting = True

    @pytest.fixture
    def service(self, redis_server: Callable[..., RedisServer]) -> RedisServer:
        return redis_server(lasting=True)

    @pytest.fixture
    async def backend(self, service: RedisServer) -> AsyncIterator[Redis]:
        redis = await Redis.connect(RedisOptions(url=service.url))
        yield redis
        await redis.close()


class TestRedisChanges(KeyValueChangesCompliance):
    @pytest.fixture
    def server(self, redis_server: Callable[..., RedisServer]) -> RedisServer:
        return redis_server()

    @pytest.fixture
    async def proxy(self, server: RedisServer) -> AsyncIterator[Proxy]:
        async with Proxy(server.port) as proxy:
            yield proxy

    @pytest.fixture
    async def backends(self, server: RedisServer, proxy: Proxy) -> AsyncIterator[list[Redis]]:
        backends = await listening(f"redis://127.0.0.1:{proxy.port}", server.url, server.url)
        yield backends
        for backend in backends:
            await backend.close()

    @pytest.fixture
    def cut(self, proxy: Proxy) -> Callable[[], Awaitable[None]]:
        return proxy.cut


class TestRedisClusterChanges(KeyValueChangesCompliance):
    @pytest.fixture
    async def backends(self, redis_cluster: RedisCluster) -> AsyncIterator[list[Redis]]:
        backends = await listening(*[redis_cluster.url] * 3)
        yield backends
        for backend in backends:
            await backend.close()


async def listening(*urls: str) -> list[Redis]:
    return [await Redis.connect(RedisOptions(url=url, watch=True)) for url in urls]


class TestRedisAgainstTheModel(KeyValueModelCompliance):
    examples = 15

    @pytest.fixture
    async def backend(self, redis_url: str) -> AsyncIterator[Redis]:
        redis = await Redis.connect(RedisOptions(url=redis_url, timeout_s=30))
        yield redis
        await redis.close()
