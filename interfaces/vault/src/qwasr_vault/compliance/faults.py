"""Rules for a service that goes away and comes back.

For a backend whose service a test may end and start again::

    class TestFaults(VaultFaultCompliance):
        @pytest.fixture
        def service(self, ...):                  # has kill(), start(), pause(), resume(); they may block
            ...

        @pytest.fixture
        async def backend(self, service):
            backend = await MyVault.connect(MyOptions(url=service.url))
            yield backend
            await backend.close()

`pauses = False` says that the service cannot be stopped where it is, and `lasting = False` that it keeps nothing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from qwasr.testing.services import Faults, Service
from qwasr_vault.compliance._lockers import fresh_locker
from qwasr_vault.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from qwasr_vault.protocol import Locker, Vault

__all__ = ["FaultRules", "Service", "VaultFaultCompliance"]

_AT_ONCE = 8


class FaultRules(Faults):
    """What holds while the service is away, and after."""

    unavailable = Unavailable
    lasting = True

    async def test_every_call_to_a_killed_service_fails_in_time(self, backend: Vault, service: Service) -> None:
        locker = await fresh_locker(backend)
        await locker.set("name", b"value")
        await asyncio.to_thread(service.kill)
        await self._all_fail(locker)

    async def test_every_call_to_a_service_that_stands_still_fails_in_time(
        self, backend: Vault, service: Service
    ) -> None:
        locker = await fresh_locker(backend)
        await locker.set("name", b"value")
        async with self.standing_still(service):
            await self._all_fail(locker)

    async def test_a_service_that_was_started_again_is_used_again(self, backend: Vault, service: Service) -> None:
        locker = await fresh_locker(backend)
        await asyncio.to_thread(service.kill)
        with pytest.raises(Unavailable):
            await locker.set("name", b"old")
        await asyncio.to_thread(service.start)
        await self._back(locker)

    async def test_a_service_that_goes_on_is_used_again(self, backend: Vault, service: Service) -> None:
        locker = await fresh_locker(backend)
        async with self.standing_still(service):
            with pytest.raises(Unavailable):
                await locker.get("name")
        await self._back(locker)

    async def test_no_acknowledged_secret_is_lost_when_the_service_is_killed(
        self, backend: Vault, service: Service
    ) -> None:
        self.need_lasting()
        locker = await fresh_locker(backend)

        async def write(worker: int, number: int) -> str:
            name = f"{worker}-{number}"
            await locker.set(name, b"value")
            return name

        acknowledged, _ = await self.during(self.start_again(service), write, at_once=_AT_ONCE)
        await self._back(locker)
        assert acknowledged
        lost = [name for name in acknowledged if await locker.get(name) != b"value"]
        assert not lost, f"{len(lost)} acknowledged secrets are lost"

    async def _all_fail(self, locker: Locker) -> None:
        calls: dict[str, Awaitable[Any]] = {
            "get": locker.get("name"),
            "set": locker.set("name", b"value"),
            "delete": locker.delete("name"),
            "exists": locker.exists("name"),
            "list_ids": locker.list_ids(),
        }
        await self.all_fail(calls)

    async def _back(self, locker: Locker) -> None:
        await self.back(lambda: locker.set("back", b"value"))


class VaultFaultCompliance(FaultRules):
    """Every rule for a service that goes away; a subclass overrides the fixtures `service` and `backend`."""

    pytestmark = pytest.mark.asyncio
