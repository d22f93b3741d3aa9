"""Rules for how messages are delivered, until they are acknowledged or dead."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from qwasr_messaging.compliance._help import (
    LONG_S,
    Unit,
    fresh_name,
    get,
    keyed,
    nothing,
    subscribed,
    taken,
    text,
)
from qwasr_messaging.protocol import Message, Policy

if TYPE_CHECKING:
    from qwasr_messaging.protocol import Delivery, Messaging, Subscription

__all__ = ["DeliveryRules", "OrderRules"]


class DeliveryRules(Unit):
    """What holds for one message."""

    async def test_a_message_that_is_acknowledged_does_not_come_again(self, backend: Messaging) -> None:
        topic = fresh_name()
        subscription = await subscribed(backend, topic, policy=self.policy(lease=2))
        await backend.publish(topic, text("x"))
        while not await (await get(subscription)).ack():
            pass  # this was slower than the lease is long
        await nothing(subscription, 4 * self.unit_s)

    async def test_a_message_that_is_out_is_given_to_nobody_else(self, backend: Messaging) -> None:
        topic = fresh_name()
        subscription = await subscribed(backend, topic)
        await backend.publish(topic, text("x"))
        await get(subscription)
        await nothing(subscription, 2 * self.unit_s)

    async def test_a_message_comes_again_after_a_retry(self, backend: Messaging) -> None:
        topic = fresh_name()
        subscription = await subscribed(backend, topic, policy=self.policy())
        await backend.publish(topic, Message(b"x", "text/plain", (("a", "b"),)))
        first = await get(subscription)
        await first.retry("once more")
        second = await get(subscription)
        assert (second.id, second.attempt, second.message) == (first.id, 2, first.message)
        assert second.receipt != first.receipt

    async def test_the_delay_of_retries_grows(self, backend: Messaging) -> None:
        topic = fresh_name()
        subscription = await subscribed(backend, topic, policy=self.policy(first=1, longest=2, most=10))
        await backend.publish(topic, text("x"))
        waited_s = []
        for _ in range(6):
            began_s = time.monotonic()
            delivery = await get(subscription)
            waited_s.append(time.monotonic() - began_s)
            await delivery.retry("once more")
        for waited, wanted in zip(waited_s[1:], (1, 2, 2, 2, 2), strict=True):
            assert waited >= 0.9 * wanted * self.unit_s, f"it comes after {waited} s"
        assert sum(waited_s[4:]) < 16 * self.unit_s, "it waits longer than it may"  # 24 if it grew on

    async def test_a_message_comes_again_when_its_lease_is_over(self, backend: Messaging) -> None:
        topic = fresh_name()
        subscription = await subscribed(backend, topic, policy=self.policy(lease=2))
        await backend.publish(topic, text("x"))
        first = await get(subscription)
        second = await get(subscription)
        assert (second.id, second.attempt) == (first.id, 2)

    async def test_a_lease_that_is_extended_begins_anew(self, backend: Messaging) -> None:
        topic = fresh_name()
        lease = 16
        subscription = await subscribed(backend, topic, policy=self.policy(lease=lease))
        await backend.publish(topic, text("x"))
        delivery = await get(subscription)
        for _ in range(2):
            await nothing(subscription, lease * self.unit_s * 0.6)
            assert await delivery.extend() is True
        assert await delivery.ack() is True

    async def test_a_delivery_that_is_over_neither_acknowledges_nor_extends(self, backend: Messaging) -> None:
        topic = fresh_name()
        group = fresh_name()
        subscription = await backend.subscribe(group, [topic], self.policy(lease=2))
        await backend.publish(topic, text("x"))
        first = await get(subscription)
        await backend.subscribe(group, [topic], self.policy())  # the next one is out for long
        second = await get(subscription)
        assert await first.ack() is False
        assert await first.extend() is False
        await first.retry("late")
        assert await second.ack() is True
        assert await second.ack() is False

    async def test_a_delivery_that_was_given_up_does_not_acknowledge(self, backend: Messaging) -> None:
        topic = fresh_name()
        subscription = await subscribed(backend, topic, policy=self.policy())
        await backend.publish(topic, text("x"))
        first = await get(subscription)
        await first.retry("once more")
        assert await first.ack() is False
        assert await (await get(subscription)).ack() is True

    async def test_a_message_is_a_dead_letter_after_its_last_delivery(self, backend: Messaging) -> None:
        topic = fresh_name()
        subscription = await subscribed(backend, topic, policy=self.policy(most=2, first=0))
        await backend.publish(topic, Message(b"x", "text/plain", (("a", "b"),)))
        for attempt in (1, 2):
            delivery = await get(subscription)
            assert delivery.attempt == attempt
            await delivery.retry(f"reason {attempt}")
        await nothing(subscription, 2 * self.unit_s)
        letter = await backend.pop(f"dead-letter.{topic}", visibility_s=60, wait_s=LONG_S)
        assert letter is not None, "there is no dead letter"
        told = (("dead-letter-reason", "reason 2"), ("dead-letter-deliveries", "2"))
        assert letter.message == Message(b"x", "text/plain", (("a", "b"), *told))

    async def test_a_message_whose_last_lease_runs_out_is_a_dead_letter(self, backend: Messaging) -> None:
        topic = fresh_name()
        subscription = await subscribed(backend, topic, policy=self.policy(most=1, lease=1))
        await backend.publish(topic, text("x"))
        await get(subscription)
        await nothing(subscription, 3 * self.unit_s)
        letter = await backend.pop(f"dead-letter.{topic}", visibility_s=60, wait_s=LONG_S)
        assert letter is not None, "there is no dead letter"
        assert letter.message.get("dead-letter-reason")

    async def test_a_long_reason_is_cut(self, backend: Messaging) -> None:
        topic = fresh_name()
        subscription = await subscribed(backend, topic, policy=self.policy(most=1))
        await backend.publish(topic, text("x"))
        await (await get(subscription)).retry("é" * 100_000)
        letter = await backend.pop(f"dead-letter.{topic}", visibility_s=60, wait_s=LONG_S)
        assert letter is not None
        assert letter.message.get("dead-letter-reason") == "é" * 1024

    async def test_a_group_gets_the_dead_letters_that_it_has_subscribed_to(self, backend: Messaging) -> None:
        topic = fresh_name()
        letters = await subscribed(backend, f"dead-letter.{topic}")
        subscription = await subscribed(backend, topic, policy=self.policy(most=1))
        await backend.publish(topic, text("x"))
        await (await get(subscription)).retry("reason")
        assert (await get(letters)).topic == f"dead-letter.{topic}"
        assert await backend.length(f"dead-letter.{topic}") == 0

    async def test_a_group_gets_dead_letters_that_wait_when_it_subscribes(self, backend: Messaging) -> None:
        topic = fresh_name()
        subscription = await subscribed(backend, topic, policy=self.policy(most=1))
        await backend.publish(topic, text("x"))
        await (await get(subscription)).retry("reason")
        letters = await subscribed(backend, f"dead-letter.{topic}")
        assert await taken(letters, 1) == [b"x"]
        assert await backend.length(f"dead-letter.{topic}") == 0

    async def test_a_dead_letter_that_fails_again_waits_in_its_queue(self, backend: Messaging) -> None:
        topic = fresh_name()
        letters = await subscribed(backend, f"dead-letter.{topic}", policy=self.policy(most=1))
        await backend.publish(f"dead-letter.{topic}", text("x"))
        await (await get(letters)).retry("again")
        await nothing(letters, self.unit_s)
        assert await backend.length(f"dead-letter.{topic}") == 1

    async def test_a_receive_that_is_cancelled_loses_no_message(self, backend: Messaging) -> None:
        topic = fresh_name()
        subscription = await subscribed(backend, topic)
        for number in range(20):
            receiving = [asyncio.create_task(subscription.receive()) for _ in range(3)]
            await asyncio.sleep(0.001 * (number % 3))
            sending = asyncio.create_task(backend.publish(topic, text("x")))
            await asyncio.sleep(0.0005 * (number % 5))
            for task in receiving:
                task.cancel()
            done = await asyncio.gather(*receiving, return_exceptions=True)
            await sending
            got = [one for one in done if one is not None and not isinstance(one, BaseException)]
            assert len(got) <= 1, "a message came twice"
            delivery = got[0] if got else await get(subscription)
            assert await delivery.ack() is True


class OrderRules(Unit):
    """What holds between messages."""

    async def test_messages_with_one_key_are_out_one_at_a_time_and_in_order(self, backend: Messaging) -> None:
        topic = fresh_name()
        subscription = await subscribed(backend, topic)
        for number in range(5):
            await backend.publish(topic, keyed(str(number), "k"))
        for number in range(5):
            delivery = await get(subscription)
            assert delivery.message.data == b"%d" % number
            await nothing(subscription, 0)
            await delivery.ack()

    async def test_a_message_that_comes_again_holds_up_those_with_its_key(self, backend: Messaging) -> None:
        topic = fresh_name()
        subscription = await subscribed(backend, topic, policy=self.policy(first=2))
        for number in range(3):
            await backend.publish(topic, keyed(str(number), "k"))
        await (await get(subscription)).retry("once more")
        assert await taken(subscription, 3) == [b"0", b"1", b"2"]

    async def test_a_dead_letter_lets_those_with_its_key_go_on(self, backend: Messaging) -> None:
        topic = fresh_name()
        subscription = await subscribed(backend, topic, policy=self.policy(most=1))
        await backend.publish(topic, keyed("0", "k"))
        await backend.publish(topic, keyed("1", "k"))
        await (await get(subscription)).retry("reason")
        assert await taken(subscription, 1) == [b"1"]

    async def test_messages_with_other_keys_and_topics_and_without_go_on(self, backend: Messaging) -> None:
        topic = fresh_name()
        subscription = await subscribed(backend, f"{topic}.>")
        await backend.publish(f"{topic}.a", keyed("held", "k"))
        await get(subscription)
        await backend.publish(f"{topic}.a", keyed("same", "k"))
        await backend.publish(f"{topic}.a", keyed("other key", "l"))
        await backend.publish(f"{topic}.a", text("no key"))
        await backend.publish(f"{topic}.b", keyed("other topic", "k"))
        assert sorted(await taken(subscription, 3)) == [b"no key", b"other key", b"other topic"]
        await nothing(subscription, self.unit_s)

    async def test_groups_do_not_hold_up_each_other(self, backend: Messaging) -> None:
        topic = fresh_name()
        first, second = await subscribed(backend, topic), await subscribed(backend, topic, policy=Policy())
        for number in range(2):
            await backend.publish(topic, keyed(str(number), "k"))
        await get(first)
        assert await taken(second, 2) == [b"0", b"1"]

    async def test_a_delayed_message_is_not_delivered_before_its_time(self, backend: Messaging) -> None:
        topic = fresh_name()
        subscription = await subscribed(backend, topic)
        began_s = time.monotonic()
        await backend.publish(topic, text("late"), delay_s=3 * self.unit_s)
        assert await taken(subscription, 1) == [b"late"]
        assert time.monotonic() - began_s >= 2.9 * self.unit_s, "it comes too early"

    async def test_a_delayed_message_holds_up_nobody(self, backend: Messaging) -> None:
        topic = fresh_name()
        subscription = await subscribed(backend, topic)
        await backend.publish(topic, keyed("late", "k"), delay_s=LONG_S)
        await backend.publish(topic, text("late"), delay_s=LONG_S)
        await backend.publish(topic, keyed("now", "k"))
        await backend.publish(topic, text("now"))
        assert await taken(subscription, 2) == [b"now", b"now"]

    async def test_a_message_is_not_delivered_after_its_time_to_live(self, backend: Messaging) -> None:
        topic = fresh_name()
        subscription = await subscribed(backend, topic)
        await backend.publish(topic, text("short"), ttl_s=self.unit_s)
        await backend.publish(topic, keyed("short", "k"), ttl_s=self.unit_s)
        await backend.publish(topic, text("long"), ttl_s=600)
        await backend.publish(topic, keyed("long", "k"))
        await asyncio.sleep(2 * self.unit_s)
        assert await taken(subscription, 2) == [b"long", b"long"]
        await nothing(subscription, 0)

    async def test_a_message_that_is_out_may_be_acknowledged_after_its_time_to_live(self, backend: Messaging) -> None:
        topic = fresh_name()
        subscription = await subscribed(backend, topic)
        delivery = await self._short_lived(backend, topic, subscription)
        await asyncio.sleep(2 * self.unit_s)
        assert await delivery.ack() is True

    async def test_a_message_does_not_come_again_after_its_time_to_live(self, backend: Messaging) -> None:
        topic = fresh_name()
        subscription = await subscribed(backend, topic, policy=self.policy(first=2))
        await (await self._short_lived(backend, topic, subscription)).retry("once more")
        await nothing(subscription, 4 * self.unit_s)

    async def _short_lived(self, backend: Messaging, topic: str, subscription: Subscription) -> Delivery:
        """Return a message that has just expired, or will have in one unit."""
        async with asyncio.timeout(LONG_S):
            while True:  # it may have expired before it could be received
                await backend.publish(topic, text("x"), ttl_s=self.unit_s)
                delivery = await subscription.receive(wait_s=self.unit_s)
                if delivery is not None:
                    return delivery
