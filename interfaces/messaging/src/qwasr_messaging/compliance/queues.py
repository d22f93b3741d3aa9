"""Rules for work queues."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, ClassVar

import pytest

from qwasr_messaging.compliance._help import LONG_S, Unit, fresh_name, get, nothing, subscribed, taken, text
from qwasr_messaging.errors import InvalidTopic, QueueFull
from qwasr_messaging.protocol import Message

if TYPE_CHECKING:
    from qwasr_messaging.protocol import Delivery, Messaging

__all__ = ["BoundRules", "QueueRules"]


async def _pop(backend: Messaging, queue: str, *, visibility_s: float = 60) -> Delivery:
    delivery = await backend.pop(queue, visibility_s=visibility_s, wait_s=LONG_S)
    assert delivery is not None, "no message comes"
    return delivery


class QueueRules(Unit):
    """What holds for work queues."""

    async def test_what_is_pushed_is_popped_in_order(self, backend: Messaging) -> None:
        queue = fresh_name()
        message = Message(b"\x00\xff", "text/plain", (("a", "1"), ("a", "2")))
        identifier = await backend.push(queue, message)
        await backend.push(queue, text("second"))
        first = await _pop(backend, queue)
        assert (first.id, first.topic, first.message, first.attempt) == (identifier, queue, message, 1)
        assert (await _pop(backend, queue)).message.data == b"second"

    async def test_an_empty_queue_pops_nothing_in_time(self, backend: Messaging) -> None:
        async with asyncio.timeout(LONG_S):
            assert await backend.pop(fresh_name(), visibility_s=60) is None
            assert await backend.pop(fresh_name(), visibility_s=60, wait_s=self.unit_s) is None

    async def test_a_pop_that_waits_gets_what_is_pushed_then(self, backend: Messaging) -> None:
        queue = fresh_name()
        popping = asyncio.create_task(_pop(backend, queue))
        await asyncio.sleep(self.unit_s)
        await backend.push(queue, text("x"))
        assert (await popping).message.data == b"x"

    async def test_a_popped_message_is_out_until_it_may_be_seen_again(self, backend: Messaging) -> None:
        queue = fresh_name()
        await backend.push(queue, text("x"))
        first = await _pop(backend, queue, visibility_s=2 * self.unit_s)
        second = await _pop(backend, queue)  # which is out for long
        assert (second.id, second.attempt) == (first.id, 2)
        assert await backend.pop(queue, visibility_s=60, wait_s=4 * self.unit_s) is None

    async def test_an_acknowledged_message_is_gone(self, backend: Messaging) -> None:
        queue = fresh_name()
        await backend.push(queue, text("x"))
        acknowledged = False
        while not acknowledged:  # where this is slower than it may be seen again, it is popped once more
            delivery = await _pop(backend, queue, visibility_s=self.unit_s)
            acknowledged = await backend.ack(queue, delivery.receipt)
        assert await backend.ack(queue, delivery.receipt) is False
        assert await backend.pop(queue, visibility_s=60, wait_s=2 * self.unit_s) is None

    async def test_a_receipt_acknowledges_its_own_delivery_alone(self, backend: Messaging) -> None:
        queue = fresh_name()
        await backend.push(queue, text("x"))
        first = await _pop(backend, queue, visibility_s=self.unit_s)
        second = await _pop(backend, queue)
        assert await backend.ack(queue, first.receipt) is False
        assert await backend.ack(fresh_name(), second.receipt) is False
        for nonsense in ("", "x", "-", "1-", "-1", second.id, f"{second.receipt}0", "9" * 100, "²-1"):
            assert await backend.ack(queue, nonsense) is False, f"{nonsense!r} acknowledges a message"
        assert await backend.ack(queue, second.receipt) is True

    async def test_a_message_comes_again_as_often_as_it_takes(self, backend: Messaging) -> None:
        queue = fresh_name()
        await backend.push(queue, text("x"))
        for attempt in range(1, 9):
            delivery = await _pop(backend, queue)
            assert delivery.attempt == attempt
            await delivery.retry("once more")
        assert await backend.length(queue) == 1

    async def test_the_length_counts_what_is_not_acknowledged(self, backend: Messaging) -> None:
        queue = fresh_name()
        assert await backend.length(queue) == 0
        await backend.push(queue, text("waiting"))
        await backend.push(queue, text("waiting"))
        await backend.push(queue, text("delayed"), delay_s=60)
        await backend.push(queue, text("expired"), ttl_s=self.unit_s)
        delivery = await _pop(backend, queue)
        await asyncio.sleep(2 * self.unit_s)
        assert await backend.length(queue) == 3
        await delivery.ack()
        assert await backend.length(queue) == 2

    async def test_a_delayed_message_is_popped_when_its_time_has_come(self, backend: Messaging) -> None:
        queue = fresh_name()
        began_s = time.monotonic()
        await backend.push(queue, text("late"), delay_s=3 * self.unit_s)
        delivery = await backend.pop(queue, visibility_s=60) or await _pop(backend, queue)
        assert time.monotonic() - began_s >= 2.9 * self.unit_s, "it is popped too early"
        assert delivery.message.data == b"late"

    async def test_queues_and_topics_have_nothing_to_do_with_each_other(self, backend: Messaging) -> None:
        name = fresh_name()
        subscription = await subscribed(backend, name)
        await backend.push(name, text("pushed"))
        await backend.publish(name, text("published"))
        assert await taken(subscription, 1) == [b"published"]
        await nothing(subscription, self.unit_s)
        assert (await _pop(backend, name)).message.data == b"pushed"

    async def test_a_name_that_is_none_is_refused(self, backend: Messaging) -> None:
        for name in ("", "a b", "a.*", "x" * 256):
            with pytest.raises(InvalidTopic):
                await backend.push(name, text("x"))

    async def test_a_pop_that_is_cancelled_loses_no_message(self, backend: Messaging) -> None:
        queue = fresh_name()
        for number in range(20):
            popping = asyncio.create_task(backend.pop(queue, visibility_s=60, wait_s=LONG_S))
            await asyncio.sleep(0.001 * (number % 3))
            pushing = asyncio.create_task(backend.push(queue, text("x")))
            await asyncio.sleep(0.0005 * (number % 5))
            popping.cancel()
            (got,) = await asyncio.gather(popping, return_exceptions=True)
            await pushing
            delivery = await _pop(backend, queue) if got is None or isinstance(got, BaseException) else got
            assert await delivery.ack() is True


class BoundRules(Unit):
    """What holds for a queue that is full.

    Attributes:
        bound: how many messages a queue of the fixture's backend takes; `None` skips these rules.
    """

    bound: ClassVar[int | None] = None

    async def test_a_full_queue_is_an_error_and_nobody_gets_the_message(self, backend: Messaging) -> None:
        if self.bound is None:
            pytest.skip("the subclass does not say how many messages a queue takes")
        topic = fresh_name()
        full = await subscribed(backend, f"{topic}.>")
        other = await subscribed(backend, f"{topic}.b")
        for number in range(self.bound):
            await backend.publish(f"{topic}.a", text(str(number)))
        with pytest.raises(QueueFull):
            await backend.publish(f"{topic}.b", text("too much"))
        await nothing(other, 0)
        await taken(full, self.bound)
        await nothing(full, 0)

    async def test_a_work_queue_that_is_full_is_an_error(self, backend: Messaging) -> None:
        if self.bound is None:
            pytest.skip("the subclass does not say how many messages a queue takes")
        queue = fresh_name()
        for number in range(self.bound):
            await backend.push(queue, text(str(number)))
        with pytest.raises(QueueFull):
            await backend.push(queue, text("too much"))
        assert await backend.length(queue) == self.bound
        await (await _pop(backend, queue)).ack()
        await backend.push(queue, text("fits"))

    async def test_a_request_to_a_full_queue_fails_at_its_time(self, backend: Messaging) -> None:
        if self.bound is None:
            pytest.skip("the subclass does not say how many messages a queue takes")
        topic = fresh_name()
        subscription = await subscribed(backend, topic)
        for _ in range(self.bound):
            await backend.publish(topic, text("x"))
        async with asyncio.timeout(LONG_S):
            with pytest.raises(QueueFull):
                await backend.request(topic, text("question"), timeout_s=self.unit_s)
        assert await taken(subscription, self.bound) == [b"x"] * self.bound
        await nothing(subscription, self.unit_s)

    async def test_who_publishes_waits_for_room(self, backend: Messaging) -> None:
        if self.bound is None:
            pytest.skip("the subclass does not say how many messages a queue takes")
        topic = fresh_name()
        subscription = await subscribed(backend, topic)
        for number in range(self.bound):
            await backend.publish(topic, text(str(number)))
        for _ in range(5):  # this may be slower than a publish is patient
            publishing = asyncio.create_task(backend.publish(topic, text("waited")))
            await asyncio.sleep(self.unit_s / 2)
            await (await get(subscription)).ack()
            try:
                await publishing
            except QueueFull:
                await backend.publish(topic, text("in its place"))
            else:
                return
        pytest.fail("who publishes does not wait for room")

    async def test_a_queue_has_room_where_messages_have_expired(self, backend: Messaging) -> None:
        if self.bound is None:
            pytest.skip("the subclass does not say how many messages a queue takes")
        topic = fresh_name()
        subscription = await subscribed(backend, topic)
        for _ in range(self.bound):
            await backend.publish(topic, text("short"), ttl_s=self.unit_s)
            await backend.push(topic, text("short"), ttl_s=self.unit_s)
        await asyncio.sleep(2 * self.unit_s)
        await backend.push(topic, text("y"))
        await backend.publish(topic, text("x"))
        assert await taken(subscription, 1) == [b"x"]
        assert (await _pop(backend, topic)).message.data == b"y"
