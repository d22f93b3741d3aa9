"""Rules for messages that are given back unseen, and for calls that nobody waits for any more."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from qwasr_messaging.compliance._help import LONG_S, Unit, fresh_name, get, keyed, nothing, subscribed, text

if TYPE_CHECKING:
    from qwasr_messaging.protocol import Messaging, Subscription

__all__ = ["CancelledRules", "ReleaseRules"]

_PUBLISHED = 60


class ReleaseRules(Unit):
    """What holds for `Delivery.release`."""

    async def test_a_released_message_comes_again_at_once_as_if_it_had_not_been_delivered(
        self, backend: Messaging
    ) -> None:
        topic = fresh_name()
        policy = self.policy(most=1, first=1e6, longest=1e6)
        subscription = await subscribed(backend, topic, policy=policy)
        await backend.publish(topic, text("x"))
        first = await get(subscription)
        await first.release()
        for _ in range(3):
            again = await get(subscription)
            assert (again.id, again.attempt, again.message) == (first.id, 1, first.message)
            await again.release()
        await (await get(subscription)).retry("reason")
        letter = await backend.pop(f"dead-letter.{topic}", visibility_s=60, wait_s=LONG_S)
        assert letter is not None, "there is no dead letter"
        assert letter.message.get("dead-letter-deliveries") == "1"

    async def test_a_delivery_that_was_released_is_none_any_more(self, backend: Messaging) -> None:
        topic = fresh_name()
        subscription = await subscribed(backend, topic)
        await backend.publish(topic, text("x"))
        first = await get(subscription)
        await first.release()
        second = await get(subscription)
        assert second.receipt != first.receipt
        assert await first.ack() is False
        assert await first.extend() is False
        await first.retry("late")
        await first.release()
        await nothing(subscription, self.unit_s)
        assert await second.ack() is True

    async def test_a_released_message_goes_before_those_with_its_key(self, backend: Messaging) -> None:
        topic = fresh_name()
        subscription = await subscribed(backend, topic)
        for number in range(3):
            await backend.publish(topic, keyed(str(number), "k"))
        for number in range(3):
            await (await get(subscription)).release()
            delivery = await get(subscription)
            assert delivery.message.data == b"%d" % number
            await delivery.ack()

    async def test_a_popped_message_that_was_released_is_popped_again(self, backend: Messaging) -> None:
        queue = fresh_name()
        await backend.push(queue, text("x"))
        first = await backend.pop(queue, visibility_s=60, wait_s=LONG_S)
        assert first is not None, "no message comes"
        await first.release()
        second = await backend.pop(queue, visibility_s=60, wait_s=LONG_S)
        assert second is not None, "no message comes"
        assert (second.id, second.attempt) == (first.id, 1)
        assert await backend.ack(queue, first.receipt) is False
        assert await backend.ack(queue, second.receipt) is True


class CancelledRules(Unit):
    """What holds when a call is cancelled that sends."""

    async def test_a_publish_that_is_cancelled_reaches_every_group_or_none(self, backend: Messaging) -> None:
        topic = fresh_name()
        groups = [await subscribed(backend, topic) for _ in range(3)]
        published = []
        for number in range(_PUBLISHED):
            publishing = asyncio.create_task(backend.publish(topic, text(str(number))))
            for turn in range(number % 6):
                await asyncio.sleep(0 if turn < 3 else 0.0005)
            publishing.cancel()
            await asyncio.wait({publishing})
            if not publishing.cancelled():
                published.append(number)
        await backend.publish(topic, text(str(_PUBLISHED)))
        found = [await self._all_of(subscription) for subscription in groups]
        assert found[0] == found[1] == found[2], "some groups got a message that others did not"
        assert len(set(found[0])) == len(found[0]), "a message came twice"
        assert {*published, _PUBLISHED} <= set(found[0]), "a message is lost that was acknowledged"

    async def _all_of(self, subscription: Subscription) -> list[int]:
        found: list[int] = []
        while delivery := await subscription.receive(wait_s=LONG_S if not found else 3 * self.unit_s):
            found.append(int(delivery.message.data))
            await delivery.ack()
        return sorted(found)
