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
import time
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import pytest

from qwasr_keyvalue.compliance._buckets import fresh_bucket, fresh_name
from qwasr_keyvalue.errors import Unavailable
from qwasr_keyvalue.protocol import Snapshot

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from qwasr_keyvalue.protocol import Bucket, KeyValue

__all__ = ["FaultRules", "KeyValueFaultCompliance", "Service"]

_AT_ONCE = 16


class Service(Protocol):
    """A service that a test may harm."""

    def kill(self) -> None:
        """End it without giving it time for anything."""
        ...

    def start(self) -> None:
        """Start it again, and return when it answers."""
        ...

    def pause(self) -> None:
        """Stop it where it is: it keeps its connections and answers nobody."""
        ...

    def resume(self) -> None:
        """Let it go on."""
        ...


class FaultRules:
    """What holds while the service is away, and after.

    Attributes:
        lasting: whether the service keeps what it acknowledged when it is killed.
        fails_in_s: how long a call may take to fail, in seconds.
        back_in_s: how long after the service is back it is used again, in seconds.
    """

    lasting: ClassVar[bool] = False
    fails_in_s: ClassVar[float] = 1.0
    back_in_s: ClassVar[float] = 5.0

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
        await asyncio.to_thread(service.pause)
        try:
            await self._all_fail(bucket)
        finally:
            await asyncio.to_thread(service.resume)

    async def test_a_service_that_was_started_again_is_used_again(self, backend: KeyValue, service: Service) -> None:
        bucket = await fresh_bucket(backend)
        await asyncio.to_thread(service.kill)
        with pytest.raises(Unavailable):
            await bucket.set("key", b"old")
        await asyncio.to_thread(service.start)
        await self._back(bucket)

    async def test_a_service_that_goes_on_is_used_again(self, backend: KeyValue, service: Service) -> None:
        bucket = await fresh_bucket(backend)
        await asyncio.to_thread(service.pause)
        try:
            with pytest.raises(Unavailable):
                await bucket.get("key")
        finally:
            await asyncio.to_thread(service.resume)
        await self._back(bucket)

    async def test_no_count_is_lost_or_made_twice_while_the_service_stands_still(
        self, backend: KeyValue, service: Service
    ) -> None:
        bucket = await backend.open_bucket(fresh_name())
        harm = asyncio.create_task(self._stand_still(service))
        totals, errors = await self._count(bucket, harm)
        await self._back(bucket)
        counted = int(await bucket.get("counter") or b"0")
        assert errors, "nobody noticed that the service stood still"
        assert len(set(totals)) == len(totals), "two increments returned the same number"
        assert len(totals) <= counted, f"{len(totals) - counted} increments are lost"
        assert counted <= len(totals) + errors, f"{counted - len(totals) - errors} increments are counted twice"

    async def test_no_acknowledged_write_is_lost_when_the_service_is_killed(
        self, backend: KeyValue, service: Service
    ) -> None:
        if not self.lasting:
            pytest.skip("the service keeps nothing when it is killed")
        bucket = await backend.open_bucket(fresh_name())
        harm = asyncio.create_task(self._start_again(service))
        acknowledged: list[str] = []

        async def write(worker: int) -> None:
            number = 0
            while not harm.done():
                number += 1
                try:
                    await bucket.set(f"{worker}-{number}", b"value")
                except Unavailable:
                    pass  # so it was not acknowledged
                else:
                    acknowledged.append(f"{worker}-{number}")
                await asyncio.sleep(0.001)

        await asyncio.gather(*(write(worker) for worker in range(_AT_ONCE)))
        await harm
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
        began_s = time.monotonic()
        results = await asyncio.gather(*calls.values(), return_exceptions=True)
        took_s = time.monotonic() - began_s
        for name, result in zip(calls, results, strict=True):
            assert isinstance(result, Unavailable), f"{name} does not raise Unavailable: {result!r}"
            assert "unavailable" in str(result), f"{name} does not say so: {result}"
        assert took_s <= self.fails_in_s, f"the calls took {took_s:.1f} s to fail"

    async def _back(self, bucket: Bucket) -> None:
        began_s = time.monotonic()
        while True:
            try:
                await bucket.set("back", b"value")
            except Unavailable:
                assert time.monotonic() - began_s <= self.back_in_s, "the service is back and not used"
                await asyncio.sleep(0.05)
            else:
                return

    async def _count(self, bucket: Bucket, harm: asyncio.Task[None]) -> tuple[list[int], int]:
        """Count until the harm is done; return what the increments returned, and how many failed."""
        totals: list[int] = []
        errors = 0

        async def count() -> None:
            nonlocal errors
            while not harm.done():
                try:
                    totals.append(await bucket.increment("counter", 1))
                except Unavailable:
                    errors += 1
                await asyncio.sleep(0.001)

        await asyncio.gather(*(count() for _ in range(_AT_ONCE)))
        await harm
        return totals, errors

    async def _stand_still(self, service: Service) -> None:
        await asyncio.sleep(0.1)
        await asyncio.to_thread(service.pause)
        try:
            await asyncio.sleep(2 * self.fails_in_s)
        finally:
            await asyncio.to_thread(service.resume)
        await asyncio.sleep(0.1)

    async def _start_again(self, service: Service) -> None:
        await asyncio.sleep(0.2)
        await asyncio.to_thread(service.kill)
        await asyncio.sleep(0.2)
        await asyncio.to_thread(service.start)
        await asyncio.sleep(0.2)


class KeyValueFaultCompliance(FaultRules):
    """Every rule for a service that goes away; a subclass overrides the fixtures `service` and `backend`."""

    pytestmark = pytest.mark.asyncio

    @pytest.fixture
    def service(self) -> Service:
        """Return the service; every subclass has its own."""
        msg = f"{type(self).__name__} has to override the fixture `service`; see qwasr_keyvalue.compliance.faults"
        raise TypeError(msg)

    @pytest.fixture
    def backend(self, service: Service) -> KeyValue:
        """Return the backend that is connected to the service; every subclass has its own."""
        msg = f"{type(self).__name__} has to override the fixture `backend`; see qwasr_keyvalue.compliance.faults"
        raise TypeError(msg)
