"""What can be wrong with deliveries and their order."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from interfaces.messaging.tests.wrong import Wrong, WrongDelivery
from qwasr_messaging import Message
from qwasr_messaging._letters import LEASE_RAN_OUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwasr_messaging import Policy
    from qwasr_messaging._memory_queue import Entry, Queue


class WrongPolicy(Wrong):
    changes: dict[str, Any] = {}  # noqa: RUF012 - of a test

    async def subscribe(self, group: str, patterns: Sequence[str], policy: Policy) -> Any:
        return await super().subscribe(group, patterns, replace(policy, **self.changes))


class NoLease(WrongPolicy):
    breaks = ("test_a_message_that_is_out_is_given_to_nobody_else",)
    changes = {"lease_s": 0.001}  # noqa: RUF012


class LongLease(WrongPolicy):
    breaks = ("test_a_message_comes_again_when_its_lease_is_over",)
    changes = {"lease_s": 3600}  # noqa: RUF012


class EvenDelays(WrongPolicy):
    breaks = ("test_the_delay_of_retries_grows",)
    changes = {"longest_delay_s": 0.05}  # noqa: RUF012


class NeverDead(WrongPolicy):
    breaks = ("test_a_message_is_a_dead_letter_after_its_last_delivery",)
    changes = {"max_deliveries": 1000}  # noqa: RUF012


class ForgetsAcks(Wrong):
    breaks = ("test_a_message_that_is_acknowledged_does_not_come_again",)

    class Delivery(WrongDelivery):
        async def ack(self) -> bool:
            return True

    def delivered(self, delivery: Any) -> Any:
        return self.Delivery(delivery)


class LosesRetries(Wrong):
    breaks = ("test_a_message_comes_again_after_a_retry",)

    class Delivery(WrongDelivery):
        async def retry(self, reason: str) -> None:
            await self.right.ack()

    def delivered(self, delivery: Any) -> Any:
        return self.Delivery(delivery)


class NeverExtends(Wrong):
    breaks = ("test_a_lease_that_is_extended_begins_anew",)

    class Delivery(WrongDelivery):
        async def extend(self) -> bool:
            return True

    def delivered(self, delivery: Any) -> Any:
        return self.Delivery(delivery)


class AcksAlways(Wrong):
    breaks = (
        "test_a_delivery_that_is_over_neither_acknowledges_nor_extends",
        "test_a_delivery_that_was_given_up_does_not_acknowledge",
    )

    class Delivery(WrongDelivery):
        async def ack(self) -> bool:
            await self.right.ack()
            return True

    def delivered(self, delivery: Any) -> Any:
        return self.Delivery(delivery)


class DropsWhatRanOut(Wrong):
    breaks = ("test_a_message_whose_last_lease_runs_out_is_a_dead_letter",)

    def bury(self, queue: Queue, entry: Entry, now_s: float, reason: str = LEASE_RAN_OUT) -> None:
        if reason == LEASE_RAN_OUT:
            queue.finish(entry, now_s)
        else:
            super().bury(queue, entry, now_s, reason)


class LongReasons(Wrong):
    breaks = ("test_a_long_reason_is_cut",)

    async def pop(self, queue: str, *, visibility_s: float, wait_s: float = 0.0) -> Any:
        delivery = await super().pop(queue, visibility_s=visibility_s, wait_s=wait_s)
        if delivery is None:
            return None
        metadata = tuple((name, 2 * value) for name, value in delivery.message.metadata)
        return WrongDelivery(delivery, message=Message(b"", None, metadata))


class KeepsDeadLetters(Wrong):
    breaks = ("test_a_group_gets_the_dead_letters_that_it_has_subscribed_to",)

    def _subscribed(self, topic: str) -> list[Queue]:
        return [] if topic.startswith("dead-letter") else super()._subscribed(topic)


class LeavesDeadLetters(Wrong):
    breaks = ("test_a_group_gets_dead_letters_that_wait_when_it_subscribes",)

    def _fetch_dead_letters(self, group: Any) -> None: ...


class LosesDeadLetters(Wrong):
    breaks = ("test_a_dead_letter_that_fails_again_waits_in_its_queue",)

    def bury(self, queue: Queue, entry: Entry, now_s: float, reason: str = LEASE_RAN_OUT) -> None:
        if entry.topic.startswith("dead-letter"):
            queue.finish(entry, now_s)
        else:
            super().bury(queue, entry, now_s, reason)


class LosesCancelled(Wrong):
    breaks = ("test_a_receive_that_is_cancelled_loses_no_message",)

    async def received(self, subscription: Any, wait_s: float | None) -> Any:
        delivery = await super().received(subscription, wait_s)
        await asyncio.sleep(0.005)
        return delivery


class NoKeys(Wrong):
    breaks = ("test_messages_with_one_key_are_out_one_at_a_time_and_in_order",)

    async def publish(self, topic: str, message: Message, **times: Any) -> None:
        await super().publish(topic, Message(message.data), **times)


class ToTheEnd(Wrong):
    """What is to come again goes behind all others, and lives for ever."""

    breaks = (
        "test_a_message_that_comes_again_holds_up_those_with_its_key",
        "test_a_message_does_not_come_again_after_its_time_to_live",
    )

    class Delivery(WrongDelivery):
        async def retry(self, reason: str) -> None:
            await self.right.ack()
            await self.right._broker.publish(self.right.topic, self.right.message, delay_s=0.01)

    def delivered(self, delivery: Any) -> Any:
        return self.Delivery(delivery)


class DeadLettersHold(Wrong):
    breaks = ("test_a_dead_letter_lets_those_with_its_key_go_on",)

    def bury(self, queue: Queue, entry: Entry, now_s: float, reason: str = LEASE_RAN_OUT) -> None:
        queue.extend(entry, math.inf)


class OneKeyForAll(Wrong):
    breaks = ("test_messages_with_other_keys_and_topics_and_without_go_on",)

    async def publish(self, topic: str, message: Message, **times: Any) -> None:
        await super().publish(topic, Message(message.data, None, (("key", "k"),)), **times)


class GroupsHold(Wrong):
    breaks = ("test_groups_do_not_hold_up_each_other",)

    async def received(self, subscription: Any, wait_s: float | None) -> Any:
        queues = [group.queue for group in self._groups.values()]
        if any(entry.out for queue in queues for entry in queue.entries.values()):
            return None
        return await super().received(subscription, wait_s)


class NoDelay(Wrong):
    breaks = ("test_a_delayed_message_is_not_delivered_before_its_time",)

    async def publish(self, topic: str, message: Message, *, delay_s: float = 0.0, ttl_s: float | None = None) -> None:
        await super().publish(topic, message, ttl_s=ttl_s)


class DelaysAll(Wrong):
    breaks = ("test_a_delayed_message_holds_up_nobody",)

    async def publish(self, topic: str, message: Message, *, delay_s: float = 0.0, ttl_s: float | None = None) -> None:
        await asyncio.sleep(delay_s)
        await super().publish(topic, message, ttl_s=ttl_s)


class LivesForEver(Wrong):
    breaks = ("test_a_message_is_not_delivered_after_its_time_to_live",)

    async def publish(self, topic: str, message: Message, *, delay_s: float = 0.0, ttl_s: float | None = None) -> None:
        await super().publish(topic, message, delay_s=delay_s)


class AcksOnlyTheLiving(Wrong):
    breaks = ("test_a_message_that_is_out_may_be_acknowledged_after_its_time_to_live",)

    class Delivery(WrongDelivery):
        async def ack(self) -> bool:
            done = await self.right.ack()
            return bool(done and self.right._entry.expires_s > self.right._broker.clock())

    def delivered(self, delivery: Any) -> Any:
        return self.Delivery(delivery)


class ReleasesCount(Wrong):
    breaks = (
        "test_a_released_message_comes_again_at_once_as_if_it_had_not_been_delivered",
        "test_a_popped_message_that_was_released_is_popped_again",
    )

    class Delivery(WrongDelivery):
        async def release(self) -> None:
            await self.right.retry("released")

    def delivered(self, delivery: Any) -> Any:
        return self.Delivery(delivery)

    async def pop(self, queue: str, *, visibility_s: float, wait_s: float = 0.0) -> Any:
        delivery = await super().pop(queue, visibility_s=visibility_s, wait_s=wait_s)
        return None if delivery is None else self.delivered(delivery)


class ReleasedDeliveriesLive(Wrong):
    breaks = ("test_a_delivery_that_was_released_is_none_any_more",)

    class Delivery(WrongDelivery):
        async def ack(self) -> bool:
            broker, entry = self.right._broker, self.right._entry
            there = entry.id in self.right._queue.entries
            if there:
                self.right._queue.finish(entry, broker.clock())
            return bool(there)

    def delivered(self, delivery: Any) -> Any:
        return self.Delivery(delivery)


class ReleasesToTheEnd(Wrong):
    breaks = ("test_a_released_message_goes_before_those_with_its_key",)

    class Delivery(WrongDelivery):
        async def release(self) -> None:
            await self.right.ack()
            await self.right._broker.publish(self.right.topic, self.right.message)

    def delivered(self, delivery: Any) -> Any:
        return self.Delivery(delivery)


class OneGroupAfterAnother(Wrong):
    breaks = ("test_a_publish_that_is_cancelled_reaches_every_group_or_none",)

    async def publish(self, topic: str, message: Message, **times: Any) -> None:
        for queue in self._subscribed(topic):
            await self._send(lambda queue=queue: [queue], topic, message, 0.0, math.inf)  # type: ignore[misc]  # of a lambda
            await asyncio.sleep(0)
