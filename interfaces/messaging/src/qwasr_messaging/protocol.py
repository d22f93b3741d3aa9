"""What a messaging backend implements.

A backend is any class that has `name`, `provides`, `schemes`, `Options`, `connect`, `check` and `close` (see
`qwasr.protocols.Backend`) and the methods of `Messaging`. The class `qwasr_messaging.compliance.MessagingCompliance`
proves one; each sentence below is a test there.

Topics and groups:

- A topic is one or more words with dots between them; see `qwasr_messaging.topics`. In a pattern `*` stands for one
  word, and `>` at the end for one or more. Nothing but a pattern whose first word is `dead-letter` matches a topic that
  begins so.
- A message goes to each group that has subscribed to its topic, once, whatever number of its patterns match; each
  message of a group is given to one of its subscribers. Groups stay, and collect messages, while nobody receives.
- A publish is acknowledged when every group has the message; if one of them cannot take it, none gets it.

Delivery is at least once:

- A message is given to one subscriber at a time. It is gone when that one acknowledges it; it comes again, to whoever
  of the group receives then, when that one says `retry`, after a delay that grows, or when its lease runs out; or at
  once, as if it had not been delivered, when that one says `release`.
- After `Policy.max_deliveries` the message goes to the topic `dead-letter.<topic>` with the reason in its metadata,
  or, if no group has subscribed to that, into the work queue of that name. A group that subscribes to it later gets
  what waits there.
- Of messages of one topic with the same `key` in their metadata one is out at a time, in the order in which they were
  published; one that comes again holds up those after it. Others overtake each other.
- A delayed message is not given to anybody before its time, one with a time to live to nobody after it.

Every call ends within the backend's own timeout, with `Unavailable` if the service does not answer. A call that is
cancelled happens or does not; a `receive` or `pop` that is cancelled loses no message.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "DEAD_LETTER",
    "DELIVERIES",
    "KEY",
    "REASON",
    "Delivery",
    "Message",
    "Messaging",
    "Policy",
    "Subscription",
]

KEY: Final = "key"  # metadata: messages of one topic with the same key keep their order
DEAD_LETTER: Final = "dead-letter"  # the first word of the topics of dead letters
REASON: Final = "dead-letter-reason"  # metadata of a dead letter: why the last delivery failed
DELIVERIES: Final = "dead-letter-deliveries"  # metadata of a dead letter: how often it was delivered


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent.

    Args:
        data: any bytes.
        content_type: what they are; `None` where nobody said.
        metadata: names and values in their order; a name may come several times.
    """

    data: bytes
    content_type: str | None = None
    metadata: tuple[tuple[str, str], ...] = ()

    def get(self, name: str) -> str | None:
        """Return the first value of that name, `None` when there is none."""
        return next((value for key, value in self.metadata if key == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How messages are delivered to a group.

    Args:
        lease_s: how long a message is out until it is given to another, in seconds; `Delivery.extend` begins it anew.
        max_deliveries: how often a message is delivered until it is a dead letter.
        first_delay_s: how long it waits after the first `retry`, in seconds; then twice as long each time.
        longest_delay_s: but never longer.
    """

    lease_s: float = 60.0
    max_deliveries: int = 5
    first_delay_s: float = 1.0
    longest_delay_s: float = 60.0

    def delay_s(self, attempt: int) -> float:
        """Return how long a message waits after so many deliveries, in seconds."""
        return float(min(self.longest_delay_s, self.first_delay_s * 2 ** min(attempt - 1, 63)))


class Delivery(Protocol):
    """A message that is out, to be acknowledged.

    Attributes:
        id: the message's, the same each time it is delivered.
        receipt: this delivery's; `Messaging.ack` takes it.
        topic: what it was published to; the queue's name for one that was pushed.
        message: the message.
        attempt: which delivery of it this is, from 1.
        reply_to: what `Messaging.reply` takes; `None` when nobody waits for a reply.
    """

    @property
    def id(self) -> str: ...  # noqa: D102 - documented above
    @property
    def receipt(self) -> str: ...  # noqa: D102
    @property
    def topic(self) -> str: ...  # noqa: D102
    @property
    def message(self) -> Message: ...  # noqa: D102
    @property
    def attempt(self) -> int: ...  # noqa: D102
    @property
    def reply_to(self) -> str | None: ...  # noqa: D102

    async def ack(self) -> bool:
        """Have the message gone; return whether it was still out by this delivery."""
        ...

    async def retry(self, reason: str) -> None:
        """Have it come again after a delay, or become a dead letter; nothing if it is not out by this any more.

        Args:
            reason: why, for the dead letter; at most 1024 characters of it are kept.
        """
        ...

    async def release(self) -> None:
        """Have it come again at once, and this delivery not count; nothing if it is not out by this any more."""
        ...

    async def extend(self) -> bool:
        """Begin the lease anew; return whether the message was still out by this delivery."""
        ...


class Subscription(Protocol):
    """One subscriber of a group; several calls of `receive` may wait at once."""

    async def receive(self, *, wait_s: float | None = None) -> Delivery | None:
        """Return the next message, or `None` when there is none.

        Args:
            wait_s: how long it waits for one, in seconds; `None` for ever, 0 not at all.
        """
        ...

    async def close(self) -> None:
        """Receive no more. The group stays, and what was received can still be acknowledged."""
        ...


class Messaging(Protocol):
    """The messaging side of a backend."""

    async def publish(self, topic: str, message: Message, *, delay_s: float = 0.0, ttl_s: float | None = None) -> None:
        """Send a message to every group that has subscribed to the topic.

        Args:
            topic: a topic, without wildcards.
            message: the message; its texts are Unicode, without halves of surrogate pairs.
            delay_s: how long until it may be delivered, in seconds.
            ttl_s: how long it may be delivered, in seconds; a message that is out stays out. `None` for ever.

        Raises:
            InvalidTopic: the topic is none.
            MessagingError: a text of the message is none.
            QueueFull: a group has too many messages waiting, and none was taken from it for a while.
            AccessDenied: the broker refuses it.
            Unavailable: the broker does not answer.
        """
        ...

    async def subscribe(self, group: str, patterns: Sequence[str], policy: Policy) -> Subscription:
        """Subscribe one more subscriber of a group, and the group if there is none.

        Args:
            group: the group's name, any text of 1 to 255 bytes in UTF-8.
            patterns: what it gets from now on, in the place of what it got before.
            policy: how; for the whole group, from now on.

        Raises:
            InvalidTopic: a pattern is none, or the name of the group.
            AccessDenied, Unavailable: as above.
        """
        ...

    async def request(self, topic: str, message: Message, *, timeout_s: float, replies: int = 1) -> list[Message]:
        """Publish a message that asks for replies, and wait for them.

        Nobody is given the message after the time is over.

        Args:
            topic: a topic, without wildcards.
            message: the message.
            timeout_s: how long to wait, in seconds.
            replies: how many to wait for, from 1.

        Returns:
            As many replies as were asked for as soon as they are there, in their order; else, when the time is over,
            those that are there.

        Raises:
            NoReply: the time is over, and there is none.
            QueueFull: as `publish`, when the time is over at the latest.
            InvalidTopic, MessagingError, AccessDenied, Unavailable: as `publish`.
        """
        ...

    async def reply(self, reply_to: str, message: Message) -> None:
        """Reply to a request; nothing happens if nobody waits for it any more.

        Args:
            reply_to: what the delivery of the request said.
            message: the reply.

        Raises:
            QueueFull: with it, the replies that wait for who asked were larger than they may be; from
                `qwasr_messaging.limits.MAX_REPLIES_BYTES` on at the latest, and not before a quarter of that. It is
                not sent, the others stay.
            MessagingError, AccessDenied, Unavailable: as `publish`.
        """
        ...

    async def push(self, queue: str, message: Message, *, delay_s: float = 0.0, ttl_s: float | None = None) -> str:
        """Put a message into a work queue, which needs no subscriber; return its id.

        A message of a work queue comes again as often as it takes, and never becomes a dead letter.

        Args:
            queue: the queue's name, as a topic is written; queues and topics have nothing to do with each other.
            message: the message.
            delay_s: as `publish`.
            ttl_s: as `publish`.

        Raises:
            InvalidTopic, MessagingError, QueueFull, AccessDenied, Unavailable: as `publish`.
        """
        ...

    async def pop(self, queue: str, *, visibility_s: float, wait_s: float = 0.0) -> Delivery | None:
        """Return the next message of a work queue, or `None` when there is none.

        Args:
            queue: the queue's name.
            visibility_s: how long it is out until somebody else may get it, in seconds.
            wait_s: how long to wait for one, in seconds.
        """
        ...

    async def ack(self, queue: str, receipt: str) -> bool:
        """Have a message of a work queue gone; return whether it was still out by that delivery.

        Args:
            queue: the queue's name.
            receipt: `Delivery.receipt`.
        """
        ...

    async def length(self, queue: str) -> int:
        """Return how many messages a work queue has, those that are delayed or out included."""
        ...
