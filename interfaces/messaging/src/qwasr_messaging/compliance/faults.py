"""Rules for a service that goes away and comes back.

For a backend whose service a test may end and start again::

    class TestFaults(MessagingFaultCompliance):
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
from qwasr_messaging.compliance._help import Unit, fresh_name, get, subscribed, text
from qwasr_messaging.errors import Unavailable
from qwasr_messaging.protocol import Policy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qwasr_messaging.protocol import Messaging

__all__ = ["FaultRules", "MessagingFaultCompliance", "Service"]

_AT_ONCE = 8


class FaultRules(Unit, Faults):
    """What holds while the service is away, and after."""

    unavailable = Unavailable

    async def test_every_call_to_a_killed_service_fails_in_time(self, backend: Messaging, service: Service) -> None:
        calls = await self._calls(backend)
        await asyncio.to_thread(service.kill)
        await self.all_fail(calls())

    async def test_every_call_to_a_service_that_stands_still_fails_in_time(
        self, backend: Messaging, service: Service
    ) -> None:
        calls = await self._calls(backend)
        async with self.standing_still(service):
            await self.all_fail(calls())

    async def test_a_service_that_was_started_again_is_used_again(self, backend: Messaging, service: Service) -> None:
        await asyncio.to_thread(service.kill)
        with pytest.raises(Unavailable):
            await backend.push(fresh_name(), text("x"))
        await asyncio.to_thread(service.start)
        await self._back(backend)

    async def test_a_service_that_goes_on_is_used_again(self, backend: Messaging, service: Service) -> None:
        async with self.standing_still(service):
            with pytest.raises(Unavailable):
                await backend.push(fresh_name(), text("x"))
        await self._back(backend)

    async def test_a_subscription_receives_again_when_the_service_is_back(
        self, backend: Messaging, service: Service
    ) -> None:
        topic = fresh_name()
        subscription = await subscribed(backend, topic)
        async with self.standing_still(service):
            await asyncio.sleep(self.unit_s)
        await self._back(backend)
        await backend.publish(topic, text("x"))

        async def receive() -> None:
            await (await get(subscription)).ack()

        await self.back(receive)

    async def test_no_acknowledged_message_is_lost_when_the_service_is_killed(
        self, backend: Messaging, service: Service
    ) -> None:
        self.need_lasting()
        topic, group = fresh_name(), fresh_name()
        await backend.subscribe(group, [topic], Policy())

        async def publish(worker: int, number: int) -> bytes:
            message = text(f"{worker}-{number}")
            await backend.publish(topic, message)
            return message.data

        harm = self.start_again(service, step_s=2 * self.unit_s)
        published, _ = await self.during(harm, publish, at_once=_AT_ONCE)
        await self._back(backend)
        subscription = await backend.subscribe(group, [topic], Policy())
        found = set()
        while delivery := await subscription.receive(wait_s=10 * self.unit_s):
            found.add(delivery.message.data)
            await delivery.ack()
        assert published
        lost = set(published) - found
        assert not lost, f"{len(lost)} acknowledged messages are lost"

    async def _calls(self, backend: Messaging) -> Callable[[], dict[str, Awaitable[Any]]]:
        """Return what makes every call there is, as long as the service is there."""
        topic = fresh_name()
        subscription = await subscribed(backend, topic)
        for _ in range(4):
            await backend.publish(topic, text("x"))
        acknowledged, again, released, extended = [await get(subscription) for _ in range(4)]
        return lambda: {
            "publish": backend.publish(fresh_name(), text("x")),
            "subscribe": backend.subscribe(fresh_name(), [fresh_name()], Policy()),
            "request": backend.request(fresh_name(), text("x"), timeout_s=60),
            "reply": backend.reply("nobody", text("x")),
            "push": backend.push(fresh_name(), text("x")),
            "pop": backend.pop(fresh_name(), visibility_s=60),
            "ack": backend.ack(fresh_name(), "1-1"),
            "length": backend.length(fresh_name()),
            "receive": subscription.receive(),
            "Delivery.ack": acknowledged.ack(),
            "Delivery.retry": again.retry("reason"),
            "Delivery.release": released.release(),
            "Delivery.extend": extended.extend(),
        }

    async def _back(self, backend: Messaging) -> None:
        await self.back(lambda: backend.push(fresh_name(), text("x")))


class MessagingFaultCompliance(FaultRules):
    """Every rule for a service that goes away; a subclass overrides the fixtures `service` and `backend`."""

    pytestmark = pytest.mark.asyncio
