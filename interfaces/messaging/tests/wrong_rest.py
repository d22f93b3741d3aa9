"""What can be wrong with requests, work queues and bounds."""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from interfaces.messaging.tests.wrong import Wrong
from qwasr_messaging import InvalidTopic, Memory, MemoryOptions, Message, MessagingError, NoReply, Policy, QueueFull

if TYPE_CHECKING:
    from qwasr_messaging._memory_queue import Queue


class AlwaysAck(Wrong):
    breaks = ("test_a_request_returns_the_reply",)

    async def request(self, topic: str, message: Message, *, timeout_s: float, replies: int = 1) -> list[Message]:
        await super().request(topic, message, timeout_s=timeout_s, replies=replies)
        return [Message(b"ACK")]


class WaitsForTheEnd(Wrong):
    breaks = ("test_a_request_returns_as_soon_as_it_has_the_replies_it_wants",)

    async def request(self, topic: str, message: Message, *, timeout_s: float, replies: int = 1) -> list[Message]:
        return (await super().request(topic, message, timeout_s=timeout_s, replies=1000))[:replies]


class AllOrNothing(Wrong):
    breaks = ("test_a_request_returns_the_replies_that_came_in_time",)

    async def request(self, topic: str, message: Message, *, timeout_s: float, replies: int = 1) -> list[Message]:
        found = await super().request(topic, message, timeout_s=timeout_s, replies=replies)
        if len(found) < replies:
            raise NoReply("not enough")
        return found


class NothingIsAReply(Wrong):
    breaks = (
        "test_a_request_without_a_reply_fails_at_its_time",
        "test_a_request_without_subscribers_fails_in_time",
    )

    async def request(self, topic: str, message: Message, *, timeout_s: float, replies: int = 1) -> list[Message]:
        try:
            return await super().request(topic, message, timeout_s=timeout_s, replies=replies)
        except NoReply:
            return []


class RequestsStay(Wrong):
    breaks = ("test_nobody_gets_a_request_after_its_time",)

    async def _send(
        self, targets: Any, topic: str, message: Message, delay_s: float, expires_s: float, **more: Any
    ) -> Any:
        return await super()._send(targets, topic, message, delay_s, math.inf, **more)


class WantsSomebodyToWait(Wrong):
    breaks = ("test_a_reply_that_nobody_waits_for_does_nothing",)

    async def reply(self, reply_to: str, message: Message) -> None:
        if reply_to not in self._inboxes:
            raise MessagingError("nobody waits")
        await super().reply(reply_to, message)


class RepliesToAnybody(Wrong):
    breaks = ("test_each_request_gets_its_own_replies",)

    async def reply(self, reply_to: str, message: Message) -> None:
        await super().reply(next(iter(self._inboxes), reply_to), message)


class AnotherId(Wrong):
    breaks = ("test_what_is_pushed_is_popped_in_order",)

    async def push(self, queue: str, message: Message, **times: Any) -> str:
        await super().push(queue, message, **times)
        return "random"


class PopsForEver(Wrong):
    breaks = ("test_an_empty_queue_pops_nothing_in_time",)

    async def pop(self, queue: str, *, visibility_s: float, wait_s: float = 0.0) -> Any:
        return await super().pop(queue, visibility_s=visibility_s, wait_s=3600)


class PopsAtOnce(Wrong):
    breaks = ("test_a_pop_that_waits_gets_what_is_pushed_then",)

    async def pop(self, queue: str, *, visibility_s: float, wait_s: float = 0.0) -> Any:
        return await super().pop(queue, visibility_s=visibility_s)


class NeverSeenAgain(Wrong):
    breaks = ("test_a_popped_message_is_out_until_it_may_be_seen_again",)

    async def pop(self, queue: str, *, visibility_s: float, wait_s: float = 0.0) -> Any:
        return await super().pop(queue, visibility_s=3600, wait_s=wait_s)


class AcksNothing(Wrong):
    breaks = ("test_an_acknowledged_message_is_gone",)

    async def ack(self, queue: str, receipt: str) -> bool:
        return True


class AcksById(Wrong):
    breaks = ("test_a_receipt_acknowledges_its_own_delivery_alone",)

    async def ack(self, queue: str, receipt: str) -> bool:
        for entry in self._queues[queue].entries.values() if queue in self._queues else ():
            if str(entry.id) == receipt.partition("-")[0]:
                self._queues[queue].finish(entry, 0)
                return True
        return False


class GivesUp(Wrong):
    breaks = ("test_a_message_comes_again_as_often_as_it_takes",)

    def _queue(self, name: str) -> Queue:
        queue = super()._queue(name)
        queue.policy = Policy(max_deliveries=5, first_delay_s=0)
        return queue


class CountsWaiting(Wrong):
    breaks = ("test_the_length_counts_what_is_not_acknowledged",)

    async def length(self, queue: str) -> int:
        there = self._queues.get(queue)
        return 0 if there is None else len(there._ready)


class PushesAtOnce(Wrong):
    breaks = ("test_a_delayed_message_is_popped_when_its_time_has_come",)

    async def push(self, queue: str, message: Message, **times: Any) -> str:
        return await super().push(queue, message)


class PushesToTopics(Wrong):
    breaks = ("test_queues_and_topics_have_nothing_to_do_with_each_other",)

    async def push(self, queue: str, message: Message, **times: Any) -> str:
        await self.publish(queue, message)
        return await super().push(queue, message, **times)


class TakesAnyName(Wrong):
    breaks = ("test_a_name_that_is_none_is_refused",)

    async def push(self, queue: str, message: Message, **times: Any) -> str:
        try:
            return await super().push(queue, message, **times)
        except InvalidTopic:
            return "1"


class LosesCancelledPops(Wrong):
    breaks = ("test_a_pop_that_is_cancelled_loses_no_message",)

    async def pop(self, queue: str, *, visibility_s: float, wait_s: float = 0.0) -> Any:
        delivery = await super().pop(queue, visibility_s=visibility_s, wait_s=wait_s)
        await asyncio.sleep(0.005)
        return delivery


class NoBound(Wrong):
    breaks = ("test_a_full_queue_is_an_error_and_nobody_gets_the_message",)

    def __init__(self) -> None:
        Memory.__init__(self, MemoryOptions())


class NoPatience(Wrong):
    breaks = ("test_who_publishes_waits_for_room",)

    def __init__(self) -> None:
        Memory.__init__(self, MemoryOptions(queue=100, publish_wait_s=0))


class PushesWithoutBound(Wrong):
    breaks = ("test_a_work_queue_that_is_full_is_an_error",)

    def _has_room(self, queues: list[Queue], size: int, now_s: float | None = None) -> bool:
        return super()._has_room([one for one in queues if one.name is None], size, now_s)


class AsksUntilThereIsRoom(Wrong):
    breaks = ("test_a_request_to_a_full_queue_fails_at_its_time",)

    async def request(self, topic: str, message: Message, *, timeout_s: float, replies: int = 1) -> list[Message]:
        while True:
            try:
                return await super().request(topic, message, timeout_s=timeout_s, replies=replies)
            except QueueFull:
                await asyncio.sleep(0)


class RepliesWithoutBound(Wrong):
    breaks = ("test_replies_that_are_too_large_together_are_refused",)

    async def reply(self, reply_to: str, message: Message) -> None:
        with suppress(QueueFull):
            await super().reply(reply_to, message)


class CountsTheDead(Wrong):
    breaks = ("test_a_queue_has_room_where_messages_have_expired",)

    def _has_room(self, queues: list[Queue], size: int, now_s: float | None = None) -> bool:
        return super()._has_room(queues, size)
