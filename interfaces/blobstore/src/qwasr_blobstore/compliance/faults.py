"""Rules for a service that goes away and comes back.

For a backend whose service a test may end and start again::

    class TestFaults(BlobstoreFaultCompliance):
        @pytest.fixture
        def service(self, ...):                  # has kill(), start(), pause(), resume(); they may block
            ...

        @pytest.fixture
        async def backend(self, service):
            backend = await MyBackend.connect(MyOptions(url=service.url))
            yield backend
            await backend.close()

`lasting = True` says that the service keeps what it acknowledged when it is killed, `pauses = False` that it cannot
be made to stand still; then what would need that is left out.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from qwasr.testing.services import Faults, Service
from qwasr_blobstore.compliance._stored import END, fresh_container, fresh_name, get, pattern, put, same
from qwasr_blobstore.errors import BlobstoreError, Unavailable
from qwasr_blobstore.protocol import ObjectId

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from qwasr_blobstore.protocol import Blobstore, Container

__all__ = ["BlobstoreFaultCompliance", "FaultRules", "Service"]

_AT_ONCE = 8
_SIZE = 300_000


class FaultRules(Faults):
    """What holds while the service is away, and after."""

    unavailable = Unavailable

    async def test_every_call_to_a_killed_service_fails_in_time(self, backend: Blobstore, service: Service) -> None:
        container = await fresh_container(backend)
        await put(container, "object", b"value")
        await asyncio.to_thread(service.kill)
        try:
            await self._all_fail(backend, container)
        finally:
            await asyncio.to_thread(service.start)

    async def test_every_call_to_a_service_that_stands_still_fails_in_time(
        self, backend: Blobstore, service: Service
    ) -> None:
        container = await fresh_container(backend)
        await put(container, "object", b"value")
        async with self.standing_still(service):
            await self._all_fail(backend, container)

    async def test_a_service_that_was_started_again_is_used_again(self, backend: Blobstore, service: Service) -> None:
        container = await fresh_container(backend)
        await asyncio.to_thread(service.kill)
        with pytest.raises(Unavailable):
            await put(container, "object", b"old")
        await asyncio.to_thread(service.start)
        await self._back(backend, container)

    async def test_a_service_that_goes_on_is_used_again(self, backend: Blobstore, service: Service) -> None:
        container = await fresh_container(backend)
        async with self.standing_still(service):
            with pytest.raises(Unavailable):
                await container.has_object("object")
        await self._back(backend, container)

    async def test_a_write_that_meets_a_killed_service_is_no_object(self, backend: Blobstore, service: Service) -> None:
        self.need_lasting()
        container = await fresh_container(backend)
        await put(container, "object", b"old")
        writer = await container.write("object")
        await writer.write(pattern(_SIZE))
        await asyncio.to_thread(service.kill)
        with pytest.raises(BlobstoreError):
            await writer.commit()
        writer.abort()
        await asyncio.to_thread(service.start)
        await self._back(backend, container)
        assert await get(container, "object") == b"old"

    async def test_what_was_acknowledged_is_there_whole_after_a_kill(
        self, backend: Blobstore, service: Service
    ) -> None:
        self.need_lasting()
        container = await fresh_container(backend)
        begun: dict[str, bytes] = {}

        async def write(worker: int, number: int) -> str:
            name, data = f"{worker}-{number}", pattern(_SIZE, seed=worker * 1000 + number)
            begun[name] = data
            await put(container, name, data)
            return name

        acknowledged, _ = await self.during(self.start_again(service), write, at_once=_AT_ONCE, error=BlobstoreError)
        await self._back(backend, container)
        assert acknowledged
        for name, data in begun.items():
            if await container.has_object(name):
                assert same(await get(container, name), data), "a piece of an object became visible"
            else:
                assert name not in acknowledged, "an acknowledged object is lost"

    async def _all_fail(self, backend: Blobstore, container: Container) -> None:
        here, there = ObjectId(container.name, "object"), ObjectId(container.name, "other")
        calls: dict[str, Awaitable[Any]] = {
            "create_container": backend.create_container(fresh_name()),
            "get_container": _used(backend, container.name),
            "delete_container": backend.delete_container(container.name),
            "container_exists": backend.container_exists(container.name),
            "copy_object": backend.copy_object(here, there),
            "move_object": backend.move_object(here, there),
            "info": container.info(),
            "read": container.read("object", 0, END),
            "write": put(container, "object", b"new"),
            "list_objects": container.list_objects(None),
            "delete_objects": container.delete_objects(["object"]),
            "has_object": container.has_object("object"),
            "object_info": container.object_info("object"),
            "clear": container.clear(),
        }
        await self.all_fail(calls)

    async def _back(self, backend: Blobstore, container: Container) -> None:
        async def use() -> None:
            if not await backend.container_exists(container.name):  # it was not to last
                await backend.create_container(container.name)
            await put(container, "back", b"value")
            assert await get(container, "back") == b"value"

        await self.back(use)


async def _used(backend: Blobstore, name: str) -> None:
    """Get a container and use it: getting alone may need no service."""
    await (await backend.get_container(name)).has_object("object")


class BlobstoreFaultCompliance(FaultRules):
    """Every rule for a service that goes away; a subclass overrides the fixtures `service` and `backend`."""

    pytestmark = pytest.mark.asyncio
