"""The embedded broker: topics, groups and work queues in the memory of this process.

Nothing to install, nothing to start, and nothing stays when the process ends. Queues are bounded: who sends into a full
one waits for room, and gets an error when none comes.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import secrets
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Self

from qwasr.options import ConnectOptions, env
from qwasr_messaging._bounds import BoundOptions, check_texts, held_bytes
from qwasr_messaging._letters import LEASE_RAN_OUT, dead_letter
from qwasr_messaging._memory_queue import Entry, Queue
from qwasr_messaging.errors import NoReply, QueueFull
from qwasr_messaging.limits import MAX_REPLIES_BYTES
from qwasr_messaging.protocol import DEAD_LETTER, Message, Policy
from qwasr_messaging.topics import Patterns, check_group, check_topic, dead_letter_topic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from qwasr_messaging._memory_delivery import MemoryDelivery, MemorySubscription

__all__ = ["Memory", "MemoryOptions"]

_logger = logging.getLogger("qwasr.messaging")
_QUEUE_BYTES: Final = 2048  # what Python keeps for a queue, rounded up


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryOptions(BoundOptions):
    """How much the embedded broker holds."""

    max_bytes: int = env(
        "QWASR_MESSAGING_MEMORY_BYTES",
        default=256 * 1024 * 1024,
        minimum=1,
        maximum=2**40,
        help="all messages of the broker in memory together, bytes",
    )


class _Group:
    """Subscribers that share their messages."""

    __slots__ = ("patterns", "queue")

    def __init__(self, patterns: Patterns, queue: Queue) -> None:
        self.patterns = patterns
        self.queue = queue


class _Inbox:
    """The replies to one request."""

    __slots__ = ("bytes", "messages", "there", "wanted")

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.bytes = 0
        self.messages: list[Message] = []
        self.there: asyncio.Future[None] | None = None


class Memory:
    """A broker in the memory of this process.

    Args:
        options: its bounds.
        clock: seconds that only go forward; tests pass their own.
    """

    name: ClassVar[str] = "memory"
    provides: ClassVar[tuple[str, ...]] = ("messaging",)
    schemes: ClassVar[tuple[str, ...]] = ("memory",)
    Options: ClassVar[type[ConnectOptions]] = MemoryOptions
    per_process: ClassVar[bool] = True  # refused where several workers serve one component

    def __init__(self, options: MemoryOptions | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.options = options or MemoryOptions()
        self.clock = clock
        self.used_bytes = 0
        self._next_number = itertools.count(1).__next__
        self._groups: dict[str, _Group] = {}
        self._queues: dict[str, Queue] = {}  # work queues that are not idle, by name
        self._inboxes: dict[str, _Inbox] = {}
        self._no_room: set[asyncio.Future[None]] = set()  # who waits until something is taken

    @classmethod
    async def connect(cls, options: MemoryOptions) -> Self:
        """Make a broker without messages."""
        return cls(options)

    async def check(self) -> None:
        """Do nothing: memory is always there."""

    async def close(self) -> None:
        """Forget everything."""
        for queue in [*self._queues.values(), *(group.queue for group in self._groups.values())]:
            now_s = self.clock()
            queue.drop_expired(now_s)
            queue.disarm()
            for entry in list(queue.entries.values()):
                queue.finish(entry, now_s)
        self._queues.clear()
        self._groups.clear()

    async def publish(self, topic: str, message: Message, *, delay_s: float = 0.0, ttl_s: float | None = None) -> None:
        """Send a message to every group that has subscribed to the topic."""
        check_topic(topic)
        check_texts(message)
        await self._send(lambda: self._subscribed(topic), topic, message, delay_s, self._expiry_s(ttl_s))

    async def subscribe(self, group: str, patterns: Sequence[str], policy: Policy) -> MemorySubscription:
        """Subscribe one more subscriber of a group."""
        from qwasr_messaging._memory_delivery import MemorySubscription

        check_group(group)
        wanted = Patterns(patterns)
        there = self._groups.get(group)
        if there is None:
            there = self._groups[group] = _Group(wanted, Queue(self, policy))
        there.patterns, there.queue.policy = wanted, policy
        self._fetch_dead_letters(there)
        return MemorySubscription(self, there.queue)

    async def request(self, topic: str, message: Message, *, timeout_s: float, replies: int = 1) -> list[Message]:
        """Publish a message and wait for replies."""
        check_topic(topic)
        check_texts(message)
        name, until_s = secrets.token_hex(16), self.clock() + timeout_s
        inbox = self._inboxes[name] = _Inbox(replies)
        try:
            await self._send(lambda: self._subscribed(topic), topic, message, 0.0, until_s, reply_to=name)
            while len(inbox.messages) < replies and self.clock() < until_s:
                inbox.there = asyncio.get_running_loop().create_future()
                await self.wait(inbox.there, until_s)
        finally:
            del self._inboxes[name]
            self.release(inbox.bytes)
        if not inbox.messages:
            msg = f"nobody replied within {timeout_s:g} s"
            raise NoReply(msg)
        return inbox.messages

    async def reply(self, reply_to: str, message: Message) -> None:
        """Reply to a request."""
        check_texts(message)
        inbox = self._inboxes.get(reply_to)
        if inbox is None or len(inbox.messages) == inbox.wanted:
            return
        size = held_bytes(message.data, message.content_type, message.metadata)
        if inbox.bytes + size > MAX_REPLIES_BYTES or not self._has_room([], size):
            msg = "the replies to this request are too large to wait together: this one is not sent"
            raise QueueFull(msg)
        inbox.bytes += size
        self.used_bytes += size
        inbox.messages.append(message)
        _done(inbox.there)

    async def push(self, queue: str, message: Message, *, delay_s: float = 0.0, ttl_s: float | None = None) -> str:
        """Put a message into a work queue."""
        check_topic(queue)
        check_texts(message)
        there = self._queue(queue)
        with self._held(there):
            (number,) = await self._send(lambda: [there], queue, message, delay_s, self._expiry_s(ttl_s))
        return str(number)

    async def pop(self, queue: str, *, visibility_s: float, wait_s: float = 0.0) -> MemoryDelivery | None:
        """Return the next message of a work queue."""
        from qwasr_messaging._memory_delivery import receive

        check_topic(queue)
        there = self._queue(queue)
        with self._held(there):
            return await receive(self, there, visibility_s, wait_s)

    async def ack(self, queue: str, receipt: str) -> bool:
        """Have a message of a work queue gone."""
        there = self._queues.get(queue)
        number, _, delivery = receipt.partition("-")
        if there is None or not (number.isdecimal() and delivery.isdecimal()) or len(receipt) > 40:
            return False
        entry = there.entries.get(int(number))
        if entry is None or not entry.out or entry.out != int(delivery):
            return False
        there.finish(entry, self.clock())
        return True

    async def length(self, queue: str) -> int:
        """Return how many messages a work queue has."""
        there = self._queues.get(queue)
        if there is None:
            return 0
        there.drop_expired(self.clock())
        return len(there.entries)

    # ------------------------------------------------------------------ for queues

    def call_at(self, when_s: float, wake: Callable[[], None]) -> Callable[[], None]:
        """Have a function called when the clock says so; return what undoes that."""
        return asyncio.get_running_loop().call_later(max(0.0, when_s - self.clock()), wake).cancel

    async def wait(self, future: asyncio.Future[None], until_s: float) -> None:
        """Wait until a future is done, which it is at that time at the latest."""
        undo = None if until_s == math.inf else self.call_at(until_s, lambda: _done(future))
        try:
            await future
        finally:
            if undo is not None:
                undo()

    def release(self, bytes_: int) -> None:
        """Account for a message that is gone, and tell those who wait for room."""
        self.used_bytes -= bytes_
        for future in self._no_room:
            _done(future)

    def forget_idle(self, queue: Queue) -> None:
        """Forget a work queue without messages that nobody waits for."""
        if queue.name is not None and not queue.entries and not queue.users and queue.name in self._queues:
            del self._queues[queue.name]
            self.used_bytes -= _QUEUE_BYTES

    def bury(self, queue: Queue, entry: Entry, now_s: float, reason: str = LEASE_RAN_OUT) -> None:
        """Have a message be a dead letter."""
        queue.finish(entry, now_s)
        topic = dead_letter_topic(entry.topic)
        message = dead_letter(entry.message, reason, entry.attempts)
        letter = self._letter(topic, message)
        groups = self._subscribed(topic) if topic != entry.topic else []
        groups = [one for one in groups if self._has_room([one], len(groups) * letter.size, now_s)]
        for group in groups:
            self._add(group, self._letter(topic, message), now_s)
        if not groups:
            self._keep(letter, now_s)
        _logger.warning("a message of %r is a dead letter after %d deliveries", entry.topic, entry.attempts)

    # ------------------------------------------------------------------

    def _letter(self, topic: str, message: Message) -> Entry:
        return Entry(self._next_number(), topic, message, math.inf, None)

    def _keep(self, letter: Entry, now_s: float) -> None:
        """Have a dead letter wait for somebody to subscribe to it, in the place of the oldest ones if need be."""
        queue = self._queue(letter.topic)
        with self._held(queue):
            while not self._has_room([queue], letter.size, now_s) and (oldest := queue.oldest()) is not None:
                queue.finish(oldest, now_s)
                _logger.warning("there are too many dead letters: the oldest of %r is lost", letter.topic)
            self._add(queue, letter, now_s)

    def _add(self, queue: Queue, entry: Entry, now_s: float, delay_s: float = 0.0) -> None:
        self.used_bytes += entry.size
        queue.put(entry, now_s, delay_s)

    def _expiry_s(self, ttl_s: float | None) -> float:
        return math.inf if ttl_s is None else self.clock() + ttl_s

    def _subscribed(self, topic: str) -> list[Queue]:
        return [group.queue for group in self._groups.values() if group.patterns.match(topic)]

    def _queue(self, name: str) -> Queue:
        there = self._queues.get(name)
        if there is None:
            there = self._queues[name] = Queue(self, name=name)
            self.used_bytes += _QUEUE_BYTES
        return there

    @contextmanager
    def _held(self, queue: Queue) -> Iterator[None]:
        """Keep a work queue while somebody waits for a message or for room in it."""
        queue.users += 1
        try:
            yield
        finally:
            queue.users -= 1
            self.forget_idle(queue)

    def _fetch_dead_letters(self, group: _Group) -> None:
        """Give a group what waits for somebody to subscribe to it."""
        now_s = self.clock()
        for name in [one for one in self._queues if one.startswith(f"{DEAD_LETTER}.") and group.patterns.match(one)]:
            queue = self._queues[name]
            queue.drop_expired(now_s)
            for entry in [one for one in queue.entries.values() if not one.out]:
                queue.finish(entry, now_s)
                self._add(group.queue, Entry(entry.id, entry.topic, entry.message, entry.expires_s, None), now_s)

    async def _send(
        self,
        targets: Callable[[], list[Queue]],
        topic: str,
        message: Message,
        delay_s: float,
        expires_s: float,
        *,
        reply_to: str | None = None,
    ) -> list[int]:
        """Put a message into each of some queues, or none; return its numbers there.

        Nobody waits for room for a message that has expired: a request ends at its time, whatever is full.
        """
        until_s = min(self.clock() + self.options.publish_wait_s, expires_s)
        while True:
            now_s = self.clock()
            queues = targets()
            entries = [Entry(self._next_number(), topic, message, expires_s, reply_to) for _ in queues]
            if self._has_room(queues, sum(entry.size for entry in entries), now_s):
                break
            if now_s >= until_s:
                msg = f"too many messages wait for who is to get {topic[:64]!r}: nobody got it"
                raise QueueFull(msg)
            room: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._no_room.add(room)
            try:
                await self.wait(room, until_s)
            finally:
                self._no_room.discard(room)
        for queue, entry in zip(queues, entries, strict=True):
            self._add(queue, entry, now_s, delay_s)
        return [entry.id for entry in entries]

    def _has_room(self, queues: list[Queue], size: int, now_s: float | None = None) -> bool:
        """Return whether each queue takes one more message, and the broker so many bytes."""
        for queue in queues:
            if len(queue.entries) >= self.options.queue and now_s is not None:
                queue.drop_expired(now_s)
            if len(queue.entries) >= self.options.queue:
                return False
        return self.used_bytes + size <= self.options.max_bytes


def _done(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)
