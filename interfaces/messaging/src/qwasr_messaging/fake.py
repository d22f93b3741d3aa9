"""The broker of tests: `guest.messaging` in a test of a guest.

::

    async def test_an_order_is_confirmed(guest: Guest) -> None:
        done = await guest.messaging.deliver("orders", b"book")
        assert done.acknowledged
        assert guest.messaging.published == [Published("confirmed", b"book")]

Beneath it is the broker in memory, on the test's clock: what is delayed or comes again does so when the clock is moved.
Where `MESSAGING_TOPICS` is not set, the guest handles whatever the test delivers, and what it sends is seen by the test
alone; else the broker delivers that too.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, overload

from qwasr.testing.fakes import FakeBackend
from qwasr_messaging.errors import InvalidTopic, NoReply
from qwasr_messaging.memory import Memory
from qwasr_messaging.protocol import DEAD_LETTER, Delivery, Message, Policy
from qwasr_messaging.topics import check_topic

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence

    from qwasr.testing.clock import Clock
    from qwasr_messaging.memory import MemoryOptions
    from qwasr_messaging.protocol import Subscription

__all__ = ["Delivered", "FakeMessaging", "Published"]

_MARK: Final = "deliver-"  # begins what replies to a message of `deliver` go to


@dataclass(frozen=True, slots=True)
class Published:
    """A message that was sent.

    Args:
        topic: what it was sent to.
        data: its data.
        content_type: what that is.
        metadata: the last value of each name; without the trace that the message belongs to.
    """

    topic: str
    data: bytes
    content_type: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delivered:
    """What the guest did with a message.

    Args:
        acknowledged: whether its handler answered `ok`.
        error: why not, else `None`.
        deliveries: how often it was delivered.
        replies: the data of what the handler replied to it.
    """

    acknowledged: bool
    error: str | None
    deliveries: int
    replies: list[bytes]


class _Broker(Memory):
    """The broker in memory, on a test's clock."""

    def __init__(self, clock: Clock, options: MemoryOptions | None) -> None:
        super().__init__(options, clock=clock)
        self._test_clock = clock

    def call_at(self, when_s: float, wake: Callable[[], None]) -> Callable[[], None]:
        """Have a function called when the test's clock says so."""
        undo = self._test_clock.call_at(round(when_s * 1e9), wake)
        return lambda: (undo(), None)[1]

    async def deliver(self, topic: str, message: Message, reply_to: str) -> int:
        """Send a message with what replies to it go to; return to how many groups."""
        return len(await self._send(lambda: self._subscribed(topic), topic, message, 0.0, math.inf, reply_to=reply_to))

    def letters(self) -> list[tuple[str, Message]]:
        """Return what waits in the work queues of dead letters."""
        queues = (queue for name, queue in self._queues.items() if name.startswith(f"{DEAD_LETTER}."))
        return [(entry.topic, entry.message) for queue in queues for entry in queue.entries.values()]


@dataclass(slots=True)
class _Watched:
    """A message of `deliver`."""

    settled: asyncio.Future[str | None]
    replies: list[bytes] = field(default_factory=list)
    policy: Policy = field(default_factory=Policy)


class FakeMessaging(FakeBackend):
    """A broker that shows what a guest sent, and tells what the guest did with what it was sent.

    Args:
        clock: the test's time.
        options: bounds.

    Attributes:
        published: what the guest sent, requests included, in order; not what the test delivered.
    """

    provides: ClassVar[tuple[str, ...]] = ("messaging",)
    every_topic: ClassVar[tuple[str, ...]] = (">",)  # what a guest handles where MESSAGING_TOPICS is not set

    def __init__(self, clock: Clock | None = None, options: MemoryOptions | None = None) -> None:
        super().__init__(clock)
        self.published: list[Published] = []
        self._broker = _Broker(self.clock, options)
        self._answers: dict[str, list[Message]] = {}
        self._watched: dict[str, _Watched] = {}
        self._numbers = itertools.count(1)
        self._between_us = False  # whether nobody gets what the guest sends

    async def close(self) -> None:
        """Forget everything."""
        await self._broker.close()

    @property
    def dead_letters(self) -> list[Published]:
        """What was delivered as often as it may be, to topics that begin with ``dead-letter.``."""
        return [_published(topic, message) for topic, message in self._broker.letters()]

    async def deliver(
        self,
        topic: str,
        data: bytes,
        *,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        deliveries: int = 1,
    ) -> Delivered:
        """Send the guest a message, and return when its handler has dealt with it.

        Args:
            topic: what it is sent to.
            data: its data.
            content_type: what that is.
            metadata: its metadata.
            deliveries: how often it is delivered at most until this returns; the clock is moved for each further one.

        Raises:
            InvalidTopic: the guest handles no such topic.
        """
        check_topic(topic)
        name = f"{_MARK}{next(self._numbers)}"
        loop = asyncio.get_running_loop()
        watched = self._watched[name] = _Watched(loop.create_future())
        try:
            message = Message(data, content_type, tuple((metadata or {}).items()))
            if not await self._broker.deliver(topic, message, name):
                msg = f"the guest handles no messages of {topic!r}; see MESSAGING_TOPICS"
                raise InvalidTopic(msg)
            for attempt in range(1, deliveries + 1):
                error = await watched.settled
                if error is None or attempt == deliveries:
                    break
                watched.settled = loop.create_future()
                self.clock.advance(watched.policy.delay_s(attempt))
            return Delivered(error is None, error, attempt, watched.replies)
        finally:
            del self._watched[name]

    # ------------------------------------------------------------------ what the interface calls

    async def publish(self, topic: str, message: Message, *, delay_s: float = 0.0, ttl_s: float | None = None) -> None:
        """Send a message."""
        await self.step("publish", topic, message.data)
        check_topic(topic)
        if not self._between_us:
            await self._broker.publish(topic, message, delay_s=delay_s, ttl_s=ttl_s)
        self.published.append(_published(topic, message))

    async def subscribe(self, group: str, patterns: Sequence[str], policy: Policy) -> Subscription:
        """Subscribe."""
        await self.step("subscribe", group, tuple(patterns))
        self._between_us = patterns is self.every_topic  # else a guest that sends what it handles would never end
        return _Watching(self, await self._broker.subscribe(group, patterns, policy), policy)

    async def request(self, topic: str, message: Message, *, timeout_s: float, replies: int = 1) -> list[Message]:
        """Ask; what `reply` was told for the topic answers, or else who handles it."""
        await self.step("request", topic, message.data)
        check_topic(topic)
        self.published.append(_published(topic, message))
        if topic in self._answers:
            return self._answers[topic][:replies]
        if self._between_us:
            msg = f"the test does not reply to {topic!r}: guest.messaging.reply({topic!r}, with_=…)"
            raise NoReply(msg)
        return await self._broker.request(topic, message, timeout_s=timeout_s, replies=replies)

    @overload
    def reply(self, to: str, message: Message) -> Coroutine[Any, Any, None]: ...
    @overload
    def reply(self, to: str, *, with_: bytes | Message | Sequence[bytes | Message]) -> None: ...
    def reply(
        self, to: str, message: Message | None = None, *, with_: bytes | Message | Sequence[bytes | Message] = ()
    ) -> Coroutine[Any, Any, None] | None:
        """Have requests to a topic answered, when a test calls it; reply to a request, when the interface does.

        Args:
            to: the topic; the interface passes what a delivery said.
            message: what the interface passes.
            with_: the reply, or several, to each request from now on.
        """
        if message is not None:
            return self._reply(to, message)
        several = [with_] if isinstance(with_, bytes | Message) else with_
        self._answers[to] = [Message(one) if isinstance(one, bytes) else one for one in several]
        return None

    async def push(self, queue: str, message: Message, *, delay_s: float = 0.0, ttl_s: float | None = None) -> str:
        """Put a message into a work queue."""
        await self.step("push", queue, message.data)
        return await self._broker.push(queue, message, delay_s=delay_s, ttl_s=ttl_s)

    async def pop(self, queue: str, *, visibility_s: float, wait_s: float = 0.0) -> Delivery | None:
        """Take a message of a work queue."""
        await self.step("pop", queue)
        return await self._broker.pop(queue, visibility_s=visibility_s, wait_s=wait_s)

    async def ack(self, queue: str, receipt: str) -> bool:
        """Acknowledge a message of a work queue."""
        await self.step("ack", queue, receipt)
        return await self._broker.ack(queue, receipt)

    async def length(self, queue: str) -> int:
        """Return how many messages a work queue has."""
        await self.step("length", queue)
        return await self._broker.length(queue)

    async def _reply(self, reply_to: str, message: Message) -> None:
        await self.step("reply", message.data)
        if reply_to.startswith(_MARK):
            if reply_to in self._watched:
                self._watched[reply_to].replies.append(message.data)
        else:
            await self._broker.reply(reply_to, message)

    def settle(self, delivery: Delivery, policy: Policy, error: str | None) -> None:
        """Learn what the guest did with a message; what is delivered says so."""
        watched = self._watched.get(delivery.reply_to or "")
        if watched is not None and not watched.settled.done():
            watched.policy = policy
            watched.settled.set_result(error)


class _Watching:
    """A subscription whose deliveries say what became of them."""

    def __init__(self, fake: FakeMessaging, subscription: Subscription, policy: Policy) -> None:
        self._fake = fake
        self._subscription = subscription
        self._policy = policy

    async def receive(self, *, wait_s: float | None = None) -> Delivery | None:
        """Return the next message."""
        delivery = await self._subscription.receive(wait_s=wait_s)
        return None if delivery is None else _WatchedDelivery(self._fake, delivery, self._policy)

    async def close(self) -> None:
        """Receive no more."""
        await self._subscription.close()


class _WatchedDelivery:
    """A message that is out, and says what became of it."""

    def __init__(self, fake: FakeMessaging, delivery: Delivery, policy: Policy) -> None:
        self._fake = fake
        self._delivery = delivery
        self._policy = policy
        self.id, self.receipt, self.topic = delivery.id, delivery.receipt, delivery.topic
        self.message, self.attempt, self.reply_to = delivery.message, delivery.attempt, delivery.reply_to

    async def ack(self) -> bool:
        """Have the message gone."""
        done = await self._delivery.ack()
        self._fake.settle(self._delivery, self._policy, None)
        return done

    async def retry(self, reason: str) -> None:
        """Have it come again."""
        await self._delivery.retry(reason)
        self._fake.settle(self._delivery, self._policy, reason)

    async def release(self) -> None:
        """Have it as if it had not been delivered."""
        await self._delivery.release()

    async def extend(self) -> bool:
        """Begin the lease anew."""
        return await self._delivery.extend()


def _published(topic: str, message: Message) -> Published:
    metadata = {name: value for name, value in message.metadata if name not in ("traceparent", "tracestate")}
    return Published(topic, message.data, message.content_type, metadata)
