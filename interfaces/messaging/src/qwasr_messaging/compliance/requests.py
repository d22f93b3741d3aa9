"""Rules for requests and replies."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from qwasr_messaging.compliance._help import LONG_S, Unit, fresh_name, get, nothing, subscribed, text
from qwasr_messaging.errors import NoReply, QueueFull
from qwasr_messaging.limits import MAX_REPLIES_BYTES
from qwasr_messaging.protocol import Message

if TYPE_CHECKING:
    from qwasr_messaging.protocol import Messaging, Subscription

__all__ = ["RequestRules"]

_LARGE = 2 * 1024 * 1024


async def _answer(backend: Messaging, subscription: Subscription, *replies: Message) -> None:
    delivery = await get(subscription)
    assert delivery.reply_to is not None, "a request says not where to reply to"
    for reply in replies or (Message(b"reply to " + delivery.message.data),):
        await backend.reply(delivery.reply_to, reply)
    await delivery.ack()


class RequestRules(Unit):
    """What holds for requests."""

    async def test_a_request_returns_the_reply(self, backend: Messaging) -> None:
        topic = fresh_name()
        subscription = await subscribed(backend, topic)
        reply = Message(b"\x00\xff", "text/plain", (("a", "1"), ("a", "2")))
        answering = asyncio.create_task(_answer(backend, subscription, reply))
        assert await backend.request(topic, text("question"), timeout_s=LONG_S) == [reply]
        await answering

    async def test_a_request_returns_as_soon_as_it_has_the_replies_it_wants(self, backend: Messaging) -> None:
        topic = fresh_name()
        subscription = await subscribed(backend, topic)
        answering = asyncio.create_task(_answer(backend, subscription, *(text(str(n)) for n in range(5))))
        async with asyncio.timeout(LONG_S):
            found = await backend.request(topic, text("question"), timeout_s=6 * LONG_S, replies=3)
        assert [reply.data for reply in found] == [b"0", b"1", b"2"]
        await answering

    async def test_a_request_returns_the_replies_that_came_in_time(self, backend: Messaging) -> None:
        topic = fresh_name()
        subscription = await subscribed(backend, topic)
        answering = asyncio.create_task(_answer(backend, subscription, text("0"), text("1")))
        found = await backend.request(topic, text("question"), timeout_s=5 * self.unit_s, replies=3)
        assert [reply.data for reply in found] == [b"0", b"1"]
        await answering

    async def test_a_request_without_a_reply_fails_at_its_time(self, backend: Messaging) -> None:
        topic = fresh_name()
        await subscribed(backend, topic)
        began_s = time.monotonic()
        with pytest.raises(NoReply):
            await backend.request(topic, text("question"), timeout_s=3 * self.unit_s)
        assert 2.9 * self.unit_s <= time.monotonic() - began_s < 3 * self.unit_s + LONG_S

    async def test_a_request_without_subscribers_fails_in_time(self, backend: Messaging) -> None:
        with pytest.raises(NoReply):
            await backend.request(fresh_name(), text("question"), timeout_s=self.unit_s)

    async def test_nobody_gets_a_request_after_its_time(self, backend: Messaging) -> None:
        topic = fresh_name()
        subscription = await subscribed(backend, topic)
        with pytest.raises(NoReply):
            await backend.request(topic, text("question"), timeout_s=self.unit_s)
        await nothing(subscription, self.unit_s)

    async def test_a_reply_that_nobody_waits_for_does_nothing(self, backend: Messaging) -> None:
        topic = fresh_name()
        subscription = await subscribed(backend, topic)
        asking = asyncio.create_task(backend.request(topic, text("question"), timeout_s=2 * self.unit_s))
        delivery = await get(subscription)
        with pytest.raises(NoReply):
            await asking
        await backend.reply(delivery.reply_to or "", text("late"))
        await backend.reply("nobody", text("never"))

    async def test_replies_that_are_too_large_together_are_refused(self, backend: Messaging) -> None:
        topic = fresh_name()
        subscription = await subscribed(backend, topic)
        asking = asyncio.create_task(backend.request(topic, text("question"), timeout_s=6 * LONG_S, replies=1000))
        delivery = await get(subscription)
        sent = 0
        with pytest.raises(QueueFull):  # noqa: PT012 - which of them is too many is not said
            while sent <= MAX_REPLIES_BYTES:
                await backend.reply(delivery.reply_to or "", Message(bytes(_LARGE)))
                sent += _LARGE
        assert sent >= MAX_REPLIES_BYTES // 4, f"only {sent} bytes of replies may wait"
        asking.cancel()
        await asyncio.wait({asking})

    async def test_each_request_gets_its_own_replies(self, backend: Messaging) -> None:
        topic = fresh_name()
        subscription = await subscribed(backend, topic)
        answering = [asyncio.create_task(_answer(backend, subscription)) for _ in range(10)]
        asking = (backend.request(topic, text(str(number)), timeout_s=LONG_S) for number in range(10))
        found = await asyncio.gather(*asking)
        assert [[reply.data for reply in one] for one in found] == [[b"reply to %d" % n] for n in range(10)]
        await asyncio.gather(*answering)
