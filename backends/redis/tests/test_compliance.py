"""Redis keeps every rule of the interface, those about a service that goes away included."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mik_backend_redis import Redis, RedisOptions
from qwasr_keyvalue.compliance import KeyValueCompliance, KeyValueFaultCompliance

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.services.redis import RedisServer


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
