"""Rules for a service that goes away and comes back.

For a backend whose service a test may end and start again::

    class TestFaults(KeyValueFaultCompliance):
        @pytest.fixture
        def service(self, ...):                  # has kill(), start(), pause(), resume(); they may block
            ...

        @pytest.fixture
        async def backend(self, service):
            backend = await MyBackend.connect(MyOptions(url=service.url))
            yield backend
            await backend.close()

`lasting = True` says that the service keeps what it acknowledged when it is killed; then that is tested too.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from qwasr.testing.services import Faults, Service
from qwasr_keyvalue.compliance._buckets import fresh_bucket, fresh_name
from qwasr_keyvalue.errors import Unavailable
from qwasr_keyvalue.protocol import Snapshot

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from qwasr_keyvalue.protocol import Bucket, KeyValue

__all__ = ["FaultRules", "KeyValueFaultCompliance", "Service"]

_AT_ONCE = 16


class FaultRules(Faults):
    """What holds while the service is away, and after."""

    unavailable = Unavailable

    async def test_every_call_to_a_killed_service_fails_in_time(self, backend: KeyValue, service: Service) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set("key", b"value")
        await asyncio.to_thread(service.kill)
        await self._all_fail(bucket)

    async def test_every_call_to_a_service_that_stands_still_fails_in_time(
        self, backend: KeyValue, service: Service
    ) -> None:
        bucket = await fresh_bucket(backend)
        await bucket.set("key", b"value")
        async with self.standing_still(service):
            await self._all_fail(bucket)

    async def test_a_service_that_was_started_again_is_used_again(self, backend: KeyValue, service: Service) -> None:
        bucket = await fresh_bucket(backend)
        await asyncio.to_thread(service.kill)
        with pytest.raises(Unavailable):
            await bucket.set("key", b"old")
        await asyncio.to_thread(service.start)
        await self._back(bucket)

    async def test_a_service_that_goes_on_is_used_again(self, backend: KeyValue, service: Service) -> None:
        bucket = await fresh_bucket(backend)
        async with self.standing_still(service):
            with pytest.raises(Unavailable):
                await bucket.get("key")
        await self._back(bucket)

    async def test_no_count_is_lost_or_made_twice_while_the_service_stands_still(
        self, backend: KeyValue, service: Service
    ) -> None:
        self.need_pauses()
        bucket = await backend.open_bucket(fresh_name())

        async def count(_worker: int, _number: int) -> int:
            return await bucket.increment("counter", 1)

        totals, errors = await self.during(self.stand_still(service), count, at_once=_AT_ONCE)
        await self._back(bucket)
        counted = int(await bucket.get("counter") or b"0")
        assert errors, "nobody noticed that the service stood still"
        assert len(set(totals)) == len(totals), "two increments returned the same number"
        assert len(totals) <= counted, f"{len(totals) - counted} increments are lost"
        assert counted <= len(totals) + errors, f"{counted - len(totals) - errors} increments are counted twice"

    async def test_no_acknowledged_write_is_lost_when_the_service_is_killed(
        self, backend: KeyValue, service: Service
    ) -> None:
        self.need_lasting()
        bucket = await backend.open_bucket(fresh_name())

        async def write(worker: int, number: int) -> str:
            name = f"{worker}-{number}"
            await bucket.set(name, b"value")
            return name

        acknowledged, _ = await self.during(self.start_again(service), write, at_once=_AT_ONCE)
        await self._back(bucket)
        assert acknowledged
        lost = [key for key in acknowledged if await bucket.get(key) != b"value"]
        assert not lost, f"{len(lost)} acknowledged writes are lost"

    async def _all_fail(self, bucket: Bucket) -> None:
        calls: dict[str, Awaitable[Any]] = {
            "get": bucket.get("key"),
            "set": bucket.set("key", b"value"),
            "delete": bucket.delete("key"),
            "exists": bucket.exists("key"),
            "list_keys": bucket.list_keys(None),
            "increment": bucket.increment("counter", 1),
            "snapshot": bucket.snapshot("key"),
            "swap": bucket.swap("key", b"new", Snapshot(None)),
            "get_many": bucket.get_many(["key"]),
            "set_many": bucket.set_many([("key", b"value")]),
            "delete_many": bucket.delete_many(["key"]),
            "ttl": bucket.ttl("key"),
            "expire": bucket.expire("key", 10),
        }
        await self.all_fail(calls)

    async def _back(self, bucket: Bucket) -> None:
        await self.back(lambda: bucket.set("back", b"value"))


class KeyValueFaultCompliance(FaultRules):
    """Every rule for a service that goes away; a subclass overrides the fixtures `service` and `backend`."""

    pytestmark = pytest.mark.asyncio
