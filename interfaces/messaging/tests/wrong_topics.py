"""What can be wrong with topics, patterns and groups."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

from interfaces.messaging.tests.wrong import Wrong, WrongDelivery
from qwasr_messaging import InvalidTopic, Message, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwasr_messaging import Policy
    from qwasr_messaging._memory_queue import Queue


class LosesMetadata(Wrong):
    breaks = ("test_a_message_arrives_as_it_was_sent",)

    async def publish(self, topic: str, message: Message, **times: Any) -> None:
        await super().publish(topic, Message(message.data), **times)


class CutsLongMessages(Wrong):
    breaks = ("test_messages_have_up_to_2_mib",)

    async def publish(self, topic: str, message: Message, **times: Any) -> None:
        await super().publish(topic, Message(message.data[: 1024 * 1024], message.content_type, message.metadata))


class SaysAnotherTopic(Wrong):
    breaks = ("test_a_delivery_says_the_topic_that_it_was_published_to",)

    def delivered(self, delivery: Any) -> Any:
        return WrongDelivery(delivery, topic="x")


class WantsSubscribers(Wrong):
    breaks = ("test_a_topic_without_subscribers_is_no_error",)

    async def publish(self, topic: str, message: Message, **times: Any) -> None:
        if not self._subscribed(topic):
            raise Unavailable("there is no such topic")
        await super().publish(topic, message, **times)


class IgnoresCase(Wrong):
    breaks = ("test_other_topics_do_not_arrive",)

    async def publish(self, topic: str, message: Message, **times: Any) -> None:
        await super().publish(topic.lower(), message, **times)


class StarMatchesAll(Wrong):
    breaks = ("test_a_star_stands_for_one_word",)

    async def subscribe(self, group: str, patterns: Sequence[str], policy: Policy) -> Any:
        return await super().subscribe(group, [one.replace(".*.c", ".>") for one in patterns], policy)


class GreaterThanMatchesNothingToo(Wrong):
    breaks = ("test_a_greater_than_stands_for_one_word_or_more",)

    async def subscribe(self, group: str, patterns: Sequence[str], policy: Policy) -> Any:
        return await super().subscribe(group, [*patterns, *(one.removesuffix(".>") for one in patterns)], policy)


class DeadLettersForAll(Wrong):
    breaks = ("test_no_wildcard_gets_dead_letters_that_does_not_begin_so",)

    async def publish(self, topic: str, message: Message, **times: Any) -> None:
        await super().publish(topic, message, **times)
        if topic.startswith("dead-letter."):
            await super().publish(topic.removeprefix("dead-letter."), message, **times)


class OnceForEachPattern(Wrong):
    breaks = ("test_several_patterns_that_match_get_a_message_once",)

    async def publish(self, topic: str, message: Message, **times: Any) -> None:
        for _ in range(max((len(group.patterns.text) for group in self._groups.values()), default=1)):
            await super().publish(topic, message, **times)


class OnlyOneGroup(Wrong):
    breaks = ("test_each_group_gets_each_message",)

    def _subscribed(self, topic: str) -> list[Queue]:
        return super()._subscribed(topic)[:1]


class NoGroups(Wrong):
    breaks = ("test_one_subscriber_of_a_group_gets_a_message",)
    numbers = itertools.count()

    async def subscribe(self, group: str, patterns: Sequence[str], policy: Policy) -> Any:
        return await super().subscribe(f"{group}-{next(self.numbers)}", patterns, policy)


class GroupsEnd(Wrong):
    breaks = ("test_messages_wait_while_nobody_receives",)

    async def closed(self, subscription: Any) -> None:
        await super().closed(subscription)
        for group in [name for name, one in self._groups.items() if one.queue is subscription._queue]:
            del self._groups[group]


class OldPatternsStay(Wrong):
    breaks = ("test_a_group_gets_what_it_subscribed_to_last",)

    async def subscribe(self, group: str, patterns: Sequence[str], policy: Policy) -> Any:
        old = self._groups[group].patterns.text if group in self._groups else ()
        return await super().subscribe(group, [*old, *patterns], policy)


class TakesAnyTopic(Wrong):
    breaks = ("test_a_topic_that_is_none_is_refused",)

    async def publish(self, topic: str, message: Message, **times: Any) -> None:
        try:
            await super().publish(topic, message, **times)
        except InvalidTopic:
            return


class TakesAnyPattern(Wrong):
    breaks = ("test_a_pattern_that_is_none_is_refused",)

    async def subscribe(self, group: str, patterns: Sequence[str], policy: Policy) -> Any:
        try:
            return await super().subscribe(group, patterns, policy)
        except InvalidTopic:
            return None


class WaitsForEver(Wrong):
    breaks = ("test_a_receive_returns_nothing_when_its_time_is_over",)

    async def received(self, subscription: Any, wait_s: float | None) -> Any:
        return await subscription.receive()


class WaitsNever(Wrong):
    breaks = ("test_a_receive_that_waits_gets_what_is_published_then",)

    async def received(self, subscription: Any, wait_s: float | None) -> Any:
        return await subscription.receive(wait_s=0)


class NeverCloses(Wrong):
    breaks = ("test_a_closed_subscription_receives_no_more",)

    async def closed(self, subscription: Any) -> None: ...


class OneAtATime(Wrong):
    breaks = ("test_what_many_publish_at_once_all_arrives",)
    busy = False

    async def publish(self, topic: str, message: Message, **times: Any) -> None:
        if self.busy:
            return
        self.busy = True
        await asyncio.sleep(0)
        await super().publish(topic, message, **times)
        self.busy = False


class TakesAnyText(Wrong):
    breaks = ("test_a_message_with_a_text_that_is_none_is_refused",)

    async def publish(self, topic: str, message: Message, **times: Any) -> None:
        await super().publish(topic, Message(message.data), **times)


class ShortDeadLetters(Wrong):
    breaks = ("test_dead_letters_of_the_longest_topics_have_a_topic_that_can_be_named",)

    async def pop(self, queue: str, *, visibility_s: float, wait_s: float = 0.0) -> Any:
        if len(queue) > 255:
            raise InvalidTopic("too long")
        return await super().pop(queue, visibility_s=visibility_s, wait_s=wait_s)


class TrimsGroups(Wrong):
    breaks = ("test_any_text_of_up_to_255_bytes_names_a_group_of_its_own",)

    async def subscribe(self, group: str, patterns: Sequence[str], policy: Policy) -> Any:
        return await super().subscribe(group.strip() or group, patterns, policy)


class TakesAnyGroup(Wrong):
    breaks = ("test_a_name_that_no_group_can_have_is_refused",)

    async def subscribe(self, group: str, patterns: Sequence[str], policy: Policy) -> Any:
        try:
            return await super().subscribe(group, patterns, policy)
        except InvalidTopic:
            return await super().subscribe("group", patterns, policy)


class OldPoliciesStay(Wrong):
    breaks = ("test_a_new_policy_is_for_the_whole_group",)

    async def subscribe(self, group: str, patterns: Sequence[str], policy: Policy) -> Any:
        old = self._groups[group].queue.policy if group in self._groups else None
        return await super().subscribe(group, patterns, old or policy)


class ClosesDeliveries(Wrong):
    breaks = ("test_what_was_received_may_be_acknowledged_after_the_subscription_is_closed",)

    async def closed(self, subscription: Any) -> None:
        await super().closed(subscription)
        for entry in [one for one in subscription._queue.entries.values() if one.out]:
            subscription._queue.release(entry)
