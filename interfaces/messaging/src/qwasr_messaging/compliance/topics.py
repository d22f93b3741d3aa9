"""Rules for topics, patterns and groups."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from qwasr_messaging.compliance._help import LONG_S, Unit, fresh_name, get, nothing, subscribed, taken, text
from qwasr_messaging.errors import InvalidTopic, MessagingError
from qwasr_messaging.protocol import Message, Policy

if TYPE_CHECKING:
    from qwasr_messaging.protocol import Messaging

__all__ = ["TopicRules"]

_NO_TOPICS = ("", ".", "a.", ".a", "a..b", "a b", "a\nb", "a.*", ">", "a.>", "x" * 256, "\x00", "\ud800")
_NO_PATTERNS = ("", ".", "a.", "a b", ">.a", "a*", "*a", "a>", ">>", "x" * 256, "\ud800.*")
_NO_TEXTS = (Message(b"", "\ud800"), Message(b"", None, (("key", "\ud800"),)), Message(b"", None, (("\ud800", ""),)))
_SAYS_SO = r"surrogate|Unicode|UTF-8"


class TopicRules(Unit):
    """What holds for what is published, and who gets it."""

    async def test_a_message_arrives_as_it_was_sent(self, backend: Messaging) -> None:
        topic = fresh_name()
        subscription = await subscribed(backend, topic)
        for message in (
            Message(b""),
            Message(
                bytes(range(256)), "text/plain; charset=utf-8", (("a", "1"), ("b", ""), ("a", "2"), ("", "é\x00🗝"))
            ),
        ):
            await backend.publish(topic, message)
            assert (await get(subscription)).message == message

    async def test_messages_have_up_to_2_mib(self, backend: Messaging) -> None:
        topic, data = fresh_name(), bytes(range(256)) * 8192
        subscription = await subscribed(backend, topic)
        await backend.publish(topic, Message(data))
        assert (await get(subscription)).message.data == data, "2 MiB come back changed"

    async def test_a_delivery_says_the_topic_that_it_was_published_to(self, backend: Messaging) -> None:
        first = fresh_name()
        subscription = await subscribed(backend, f"{first}.>")
        await backend.publish(f"{first}.a.b", text("x"))
        delivery = await get(subscription)
        assert (delivery.topic, delivery.attempt, delivery.reply_to) == (f"{first}.a.b", 1, None)

    async def test_a_topic_without_subscribers_is_no_error(self, backend: Messaging) -> None:
        await backend.publish(fresh_name(), text("x"))

    async def test_other_topics_do_not_arrive(self, backend: Messaging) -> None:
        topic = fresh_name()
        subscription = await subscribed(backend, topic)
        for other in (f"{topic}x", f"{topic}.x", f"x.{topic}", topic.upper()):
            await backend.publish(other, text(other))
        await backend.publish(topic, text("right"))
        assert await taken(subscription, 1) == [b"right"]

    async def test_a_star_stands_for_one_word(self, backend: Messaging) -> None:
        first = fresh_name()
        subscription = await subscribed(backend, f"{first}.*.c")
        for rest in ("", ".c", ".b.b.c", ".b", ".b.cc", ".b.c"):
            await backend.publish(f"{first}{rest}", text(rest))
        assert await taken(subscription, 1) == [b".b.c"]
        await nothing(subscription, self.unit_s)

    async def test_a_greater_than_stands_for_one_word_or_more(self, backend: Messaging) -> None:
        first = fresh_name()
        subscription = await subscribed(backend, f"{first}.>")
        for rest in ("", "x", ".a", ".a.b.c"):
            await backend.publish(f"{first}{rest}", text(rest))
        assert sorted(await taken(subscription, 2)) == [b".a", b".a.b.c"]
        await nothing(subscription, self.unit_s)

    async def test_no_wildcard_gets_dead_letters_that_does_not_begin_so(self, backend: Messaging) -> None:
        topic = fresh_name()
        others = [await subscribed(backend, pattern) for pattern in (">", "*.>", f"*.{topic}")]
        letters = [await subscribed(backend, pattern) for pattern in ("dead-letter.>", "dead-letter.*")]
        await backend.publish(f"dead-letter.{topic}", text(topic))
        for subscription in letters:
            while (await taken(subscription, 1))[0] != topic.encode():
                pass
        for subscription in others:
            while delivery := await subscription.receive(wait_s=self.unit_s):
                assert delivery.message.data != topic.encode(), "a wildcard gets a dead letter"
                await delivery.ack()

    async def test_several_patterns_that_match_get_a_message_once(self, backend: Messaging) -> None:
        first = fresh_name()
        subscription = await subscribed(backend, f"{first}.a", f"{first}.*", f"{first}.>")
        await backend.publish(f"{first}.a", text("once"))
        assert await taken(subscription, 1) == [b"once"]
        await nothing(subscription, self.unit_s)

    async def test_each_group_gets_each_message(self, backend: Messaging) -> None:
        topic = fresh_name()
        subscriptions = [await subscribed(backend, topic) for _ in range(3)]
        await backend.publish(topic, text("x"))
        for subscription in subscriptions:
            assert await taken(subscription, 1) == [b"x"]

    async def test_one_subscriber_of_a_group_gets_a_message(self, backend: Messaging) -> None:
        topic, group = fresh_name(), fresh_name()
        first = await backend.subscribe(group, [topic], Policy())
        second = await backend.subscribe(group, [topic], Policy())
        for number in range(10):
            await backend.publish(topic, text(str(number)))
        found = [await subscription.receive(wait_s=self.unit_s) for _ in range(10) for subscription in (first, second)]
        assert sorted(int(one.message.data) for one in found if one is not None) == list(range(10))

    async def test_messages_wait_while_nobody_receives(self, backend: Messaging) -> None:
        topic, group = fresh_name(), fresh_name()
        await (await backend.subscribe(group, [topic], Policy())).close()
        await backend.publish(topic, text("waiting"))
        assert await taken(await backend.subscribe(group, [topic], Policy()), 1) == [b"waiting"]

    async def test_a_group_gets_what_it_subscribed_to_last(self, backend: Messaging) -> None:
        topic, group = fresh_name(), fresh_name()
        await backend.subscribe(group, [f"{topic}.old"], Policy())
        subscription = await backend.subscribe(group, [f"{topic}.new"], Policy())
        await backend.publish(f"{topic}.old", text("old"))
        await backend.publish(f"{topic}.new", text("new"))
        assert await taken(subscription, 1) == [b"new"]
        await nothing(subscription, self.unit_s)

    async def test_a_topic_that_is_none_is_refused(self, backend: Messaging) -> None:
        for topic in _NO_TOPICS:
            with pytest.raises(InvalidTopic):
                await backend.publish(topic, text("x"))

    async def test_a_pattern_that_is_none_is_refused(self, backend: Messaging) -> None:
        for pattern in _NO_PATTERNS:
            with pytest.raises(InvalidTopic):
                await backend.subscribe(fresh_name(), [fresh_name(), pattern], Policy())
        with pytest.raises(InvalidTopic):
            await backend.subscribe(fresh_name(), [], Policy())

    async def test_a_message_with_a_text_that_is_none_is_refused(self, backend: Messaging) -> None:
        topic = fresh_name()
        subscription = await subscribed(backend, topic)
        for message in _NO_TEXTS:
            with pytest.raises(MessagingError, match=_SAYS_SO):
                await backend.publish(topic, message)
            with pytest.raises(MessagingError, match=_SAYS_SO):
                await backend.request(topic, message, timeout_s=self.unit_s)
            with pytest.raises(MessagingError, match=_SAYS_SO):
                await backend.reply("nobody", message)
            with pytest.raises(MessagingError, match=_SAYS_SO):
                await backend.push(topic, message)
        await nothing(subscription, 0)
        assert await backend.length(topic) == 0

    async def test_dead_letters_of_the_longest_topics_have_a_topic_that_can_be_named(self, backend: Messaging) -> None:
        topic = fresh_name().ljust(255, "x")
        subscription = await subscribed(backend, topic, policy=self.policy(most=1))
        await backend.publish(topic, text("x"))
        await (await get(subscription)).retry("reason")
        assert await backend.length(f"dead-letter.{topic}") == 1
        letter = await backend.pop(f"dead-letter.{topic}", visibility_s=60, wait_s=LONG_S)
        assert letter is not None, "there is no dead letter"
        letters = await subscribed(backend, f"dead-letter.{topic}")
        await backend.publish(f"dead-letter.{topic}", text("y"))
        assert (await get(letters)).topic == f"dead-letter.{topic}"

    async def test_a_receive_returns_nothing_when_its_time_is_over(self, backend: Messaging) -> None:
        subscription = await subscribed(backend, fresh_name())
        async with asyncio.timeout(LONG_S):
            assert await subscription.receive(wait_s=0) is None
            assert await subscription.receive(wait_s=self.unit_s) is None

    async def test_a_receive_that_waits_gets_what_is_published_then(self, backend: Messaging) -> None:
        topic = fresh_name()
        subscription = await subscribed(backend, topic)
        waiting = [asyncio.create_task(subscription.receive()) for _ in range(2)]
        await asyncio.sleep(self.unit_s)
        await backend.publish(topic, text("x"))
        await backend.publish(topic, text("x"))
        async with asyncio.timeout(LONG_S):
            assert all(await asyncio.gather(*waiting))

    async def test_a_closed_subscription_receives_no_more(self, backend: Messaging) -> None:
        topic, group = fresh_name(), fresh_name()
        closed = await backend.subscribe(group, [topic], Policy())
        waiting = asyncio.create_task(closed.receive())
        await asyncio.sleep(self.unit_s)
        await closed.close()
        async with asyncio.timeout(LONG_S):
            assert await waiting is None
        await backend.publish(topic, text("x"))
        assert await closed.receive(wait_s=self.unit_s) is None
        assert await taken(await backend.subscribe(group, [topic], Policy()), 1) == [b"x"]

    async def test_what_many_publish_at_once_all_arrives(self, backend: Messaging) -> None:
        topic = fresh_name()
        subscription = await subscribed(backend, topic)
        async with asyncio.TaskGroup() as group:
            for number in range(100):
                group.create_task(backend.publish(topic, text(str(number))))
        assert sorted(int(data) for data in await taken(subscription, 100)) == list(range(100))
