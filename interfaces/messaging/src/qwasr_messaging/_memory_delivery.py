"""How messages of the broker in memory are received, and what can be done with one that is out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from qwasr_messaging._memory_queue import Entry, Queue
    from qwasr_messaging.memory import Memory
    from qwasr_messaging.protocol import Message

__all__ = ["MemoryDelivery", "MemorySubscription", "receive"]


class MemoryDelivery:
    """A message that is out."""

    __slots__ = ("_broker", "_entry", "_lease_s", "_number", "_queue", "attempt", "id", "message", "reply_to", "topic")

    def __init__(self, broker: Memory, queue: Queue, entry: Entry, lease_s: float) -> None:
        self._broker = broker
        self._queue = queue
        self._entry = entry
        self._lease_s = lease_s
        self._number = entry.out
        self.id: str = str(entry.id)
        self.attempt: int = entry.attempts
        self.topic: str = entry.topic
        self.message: Message = entry.message
        self.reply_to: str | None = entry.reply_to

    @property
    def receipt(self) -> str:
        """What `Messaging.ack` takes."""
        return f"{self.id}-{self._number}"

    async def ack(self) -> bool:
        """Have the message gone."""
        if not self._is_out():
            return False
        self._queue.finish(self._entry, self._broker.clock())
        return True

    async def retry(self, reason: str) -> None:
        """Have it come again, or be a dead letter."""
        if not self._is_out():
            return
        now_s, policy = self._broker.clock(), self._queue.policy
        if policy is None:
            self._queue.again(self._entry, now_s, 0.0)
        elif self.attempt >= policy.max_deliveries:
            self._broker.bury(self._queue, self._entry, now_s, reason)
        else:
            self._queue.again(self._entry, now_s, policy.delay_s(self.attempt))

    async def release(self) -> None:
        """Have it as if it had not been taken."""
        if self._is_out():
            self._queue.release(self._entry)

    async def extend(self) -> bool:
        """Begin the lease anew."""
        if not self._is_out():
            return False
        self._queue.extend(self._entry, self._broker.clock() + self._lease_s)
        return True

    def _is_out(self) -> bool:
        return self._entry.out == self._number


class MemorySubscription:
    """One subscriber of a group; made by `Memory.subscribe`."""

    def __init__(self, broker: Memory, queue: Queue) -> None:
        self._broker = broker
        self._queue = queue
        self._waiting: set[asyncio.Future[None]] = set()
        self._closed = False

    async def receive(self, *, wait_s: float | None = None) -> MemoryDelivery | None:
        """Return the next message."""
        if self._closed or self._queue.policy is None:
            return None
        return await receive(self._broker, self._queue, self._queue.policy.lease_s, wait_s, self)

    async def close(self) -> None:
        """Receive no more."""
        self._closed = True
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    @property
    def closed(self) -> bool:
        """Whether it receives no more."""
        return self._closed

    def waits(self, future: asyncio.Future[None]) -> None:
        """Learn of a call that waits."""
        self._waiting.add(future)

    def waits_no_more(self, future: asyncio.Future[None]) -> None:
        """Forget a call that waited."""
        self._waiting.discard(future)


async def receive(
    broker: Memory, queue: Queue, lease_s: float, wait_s: float | None, by: MemorySubscription | None = None
) -> MemoryDelivery | None:
    """Return the next message of a queue; see `Subscription.receive`."""
    until_s = math.inf if wait_s is None else broker.clock() + wait_s
    while True:
        entry = queue.take(broker.clock(), lease_s)
        if entry is not None:
            return MemoryDelivery(broker, queue, entry, lease_s)
        if broker.clock() >= until_s:
            return None
        future = queue.wait()
        if by is not None:
            by.waits(future)
        try:
            await broker.wait(future, until_s)
        except BaseException:  # told of a message, perhaps: somebody else takes it
            queue.waited(future, pass_on=True)
            raise
        finally:
            if by is not None:
                by.waits_no_more(future)
        if by is not None and by.closed:
            queue.waited(future, pass_on=True)
            return None
        queue.waited(future, pass_on=False)
