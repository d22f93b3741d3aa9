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

A vault that only reads has `ReadOnlyVaultFaultCompliance`, with a further fixture `secrets` that says what is in it:
`{"locker": {"name": b"secret"}}`.

`pauses = False` says that the service cannot be stopped where it is, and `lasting = False` that it keeps nothing.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from qwasr.testing.services import Faults, Service
from qwasr_vault.compliance._lockers import fresh_name, fresh_secret, traces_of
from qwasr_vault.compliance.discretion import log_of
from qwasr_vault.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from qwasr_vault.protocol import Locker, Vault

    Kept = tuple[str, str, bytes]

__all__ = ["FaultRules", "ReadOnlyFaultRules", "ReadOnlyVaultFaultCompliance", "Service", "VaultFaultCompliance"]

_AT_ONCE = 8


class ReadOnlyFaultRules(Faults):
    """What holds for reading while the service is away, and after."""

    unavailable = Unavailable
    lasting = True

    async def test_every_call_to_a_killed_service_fails_in_time(
        self, backend: Vault, service: Service, kept: Kept
    ) -> None:
        locker = await self._locker(backend, kept)
        await asyncio.to_thread(service.kill)
        await self.all_fail(self._calls(locker, kept))

    async def test_every_call_to_a_service_that_stands_still_fails_in_time(
        self, backend: Vault, service: Service, kept: Kept
    ) -> None:
        locker = await self._locker(backend, kept)
        async with self.standing_still(service):
            await self.all_fail(self._calls(locker, kept))

    async def test_a_service_that_was_started_again_is_used_again(
        self, backend: Vault, service: Service, kept: Kept
    ) -> None:
        locker = await self._locker(backend, kept)
        await asyncio.to_thread(service.kill)
        with pytest.raises(Unavailable):
            await locker.get(kept[1])
        await asyncio.to_thread(service.start)
        await self._back(locker, kept)

    async def test_a_service_that_goes_on_is_used_again(self, backend: Vault, service: Service, kept: Kept) -> None:
        locker = await self._locker(backend, kept)
        async with self.standing_still(service):
            with pytest.raises(Unavailable):
                await locker.get(kept[1])
        await self._back(locker, kept)

    async def test_no_secret_is_in_what_is_said_while_the_service_is_away(
        self, backend: Vault, service: Service, kept: Kept, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        locker = await self._locker(backend, kept)
        await locker.get(kept[1])  # so that the backend has seen it
        await asyncio.to_thread(service.kill)
        said = []
        for call in self._calls(locker, kept).values():
            try:
                await call
            except Exception as error:  # noqa: BLE001 - what it is does not matter here
                said.append("".join(traceback.format_exception(error)) + repr(error) + repr(vars(error)))
        for trace in traces_of(kept[2]):
            assert not any(trace.decode(errors="replace") in each for each in said), "a secret is in an error"
            assert trace.decode(errors="replace") not in log_of(caplog), "a secret is in the log"

    async def _locker(self, backend: Vault, kept: Kept) -> Locker:
        """Return a locker that has the secret."""
        return await backend.open_locker(kept[0])

    def _calls(self, locker: Locker, kept: Kept) -> dict[str, Coroutine[Any, Any, Any]]:
        return {"get": locker.get(kept[1]), "exists": locker.exists(kept[1]), "list_ids": locker.list_ids()}

    async def _back(self, locker: Locker, kept: Kept) -> None:
        await self.back(lambda: locker.get(kept[1]))


class FaultRules(ReadOnlyFaultRules):
    """What holds while the service is away, and after."""

    @pytest.fixture
    def kept(self) -> Kept:
        """Return a locker, a name in it and the secret of that name."""
        return fresh_name(), "name", fresh_secret()

    async def test_no_acknowledged_secret_is_lost_when_the_service_is_killed(
        self, backend: Vault, service: Service, kept: Kept
    ) -> None:
        self.need_lasting()
        locker = await self._locker(backend, kept)

        async def write(worker: int, number: int) -> str:
            name = f"{worker}-{number}"
            await locker.set(name, b"value")
            return name

        acknowledged, _ = await self.during(self.start_again(service), write, at_once=_AT_ONCE)
        await self._back(locker, kept)
        assert acknowledged
        lost = [name for name in acknowledged if await locker.get(name) != b"value"]
        assert not lost, f"{len(lost)} acknowledged secrets are lost"

    async def _locker(self, backend: Vault, kept: Kept) -> Locker:
        locker = await super()._locker(backend, kept)
        await locker.set(kept[1], kept[2])
        return locker

    def _calls(self, locker: Locker, kept: Kept) -> dict[str, Coroutine[Any, Any, Any]]:
        return {
            **super()._calls(locker, kept),
            "set": locker.set(kept[1], kept[2]),
            "delete": locker.delete(kept[1]),
        }

    async def _back(self, locker: Locker, kept: Kept) -> None:
        await super()._back(locker, kept)
        await locker.set("back", b"value")


class ReadOnlyVaultFaultCompliance(ReadOnlyFaultRules):
    """Every rule for a service that goes away and is only read; see `FaultRules` for what a subclass overrides."""

    pytestmark = pytest.mark.asyncio

    @pytest.fixture
    def secrets(self) -> dict[str, dict[str, bytes]]:
        """Return what is in the vault, by locker and name; every subclass has its own."""
        raise self._without("secrets")

    @pytest.fixture
    def kept(self, secrets: dict[str, dict[str, bytes]]) -> Kept:
        """Return a locker, a name in it and the secret of that name: the longest there is."""
        return max(
            ((locker, name, value) for locker in secrets for name, value in secrets[locker].items()), key=_length
        )


def _length(kept: Kept) -> int:
    return len(kept[2])


class VaultFaultCompliance(FaultRules):
    """Every rule for a service that goes away; a subclass overrides the fixtures `service` and `backend`."""

    pytestmark = pytest.mark.asyncio
