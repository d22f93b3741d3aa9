"""How messages of the broker in a file are received, and what can be done with one that is out."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Final

from qwasr_messaging.errors import MessagingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwasr_messaging._sqlite_rows import Row
    from qwasr_messaging._sqlite_work import Work
    from qwasr_messaging.protocol import Message
    from qwasr_messaging.sqlite import Sqlite

__all__ = ["SqliteDelivery", "SqliteSubscription"]

_logger = logging.getLogger("qwasr.messaging")
_TOGETHER: Final = 64  # messages that one transaction takes
_SEEN_S: Final = 60.0  # how often a group is marked as in use


class SqliteDelivery:
    """A message that is out."""

    __slots__ = ("_broker", "_lease_s", "_row", "attempt", "id", "message", "reply_to", "topic")

    def __init__(self, broker: Sqlite, row: Row, lease_s: float) -> None:
        self._broker = broker
        self._row = row
        self._lease_s = lease_s
        self.id: str = str(row.id)
        self.attempt: int = row.attempts
        self.topic: str = row.topic.decode()
        self.message: Message = row.message
        self.reply_to: str | None = row.reply_to

    @property
    def receipt(self) -> str:
        """What `Messaging.ack` takes."""
        return f"{self.id}-{self._row.out}"

    async def ack(self) -> bool:
        """Have the message gone."""
        return await self._broker.write(lambda work: work.ack(self._row.id, self._row.out))

    async def retry(self, reason: str) -> None:
        """Have it come again, or be a dead letter."""
        await self._broker.write(lambda work: work.retry(self._row.id, self._row.out, reason))

    async def release(self) -> None:
        """Have it as if it had not been taken."""
        await self._broker.write(lambda work: work.give_back([self._row]))

    async def extend(self) -> bool:
        """Begin the lease anew."""
        return await self._broker.write(lambda work: work.extend(self._row.id, self._row.out, self._lease_s))


class SqliteSubscription:
    """One subscriber of a group: a task takes as many messages as are waited for, in one transaction.

    Args:
        broker: the broker.
        subscribe: makes the group in the file and returns its number.
    """

    def __init__(self, broker: Sqlite, subscribe: Callable[[Work], int]) -> None:
        self._broker = broker
        self._subscribe = subscribe
        self._number = 0
        self._waiting: deque[asyncio.Future[SqliteDelivery | None]] = deque()
        self._wanted = asyncio.Event()
        self._closed = False
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Subscribe the group."""
        self._number = await self._broker.write(self._subscribe)
        self._task = asyncio.create_task(self._receive_all())
        self._broker.subscriptions.add(self)
        self._task.add_done_callback(lambda _: self._broker.subscriptions.discard(self))

    async def receive(self, *, wait_s: float | None = None) -> SqliteDelivery | None:
        """Return the next message."""
        if self._closed:
            return None
        if wait_s is not None and wait_s <= 0:
            taken = await self._broker.take(lambda work: work.take(self._number, 1, None))
            return SqliteDelivery(self._broker, taken.rows[0], taken.lease_s) if taken.rows else None
        future: asyncio.Future[SqliteDelivery | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._wanted.set()
        try:
            await asyncio.wait({future}, timeout=wait_s)
        except BaseException:
            self._not_wanted(future)
            raise
        if not future.done():
            self._not_wanted(future)
            return None
        return future.result()

    async def close(self) -> None:
        """Receive no more."""
        self._closed = True
        self._wanted.set()
        self._broker.tell()  # the task may be waiting for a change
        if self._task is not None:
            await asyncio.wait({self._task})  # which goes on to its end where this is cancelled

    def _not_wanted(self, future: asyncio.Future[SqliteDelivery | None]) -> None:
        """Wait no more; what came in this very moment is for somebody else."""
        if not future.done():
            future.cancel()
            self._waiting.remove(future)
        elif not future.cancelled() and future.exception() is None:
            delivery = future.result()
            if delivery is not None:
                self._broker.give_back([delivery._row])

    async def _receive_all(self) -> None:
        """Take messages while somebody waits for them."""
        loop = asyncio.get_running_loop()
        seen_s = loop.time()
        while not self._closed:
            if loop.time() - seen_s > _SEEN_S:
                seen_s = loop.time()
                await self._stay()
            if not self._waiting:
                self._wanted.clear()
                await self._until_wanted(_SEEN_S)
                continue
            try:
                wait_s = await self._take()
            except Exception as error:  # noqa: BLE001 - who waits gets it
                self._fail(error)
                wait_s = self._broker.options.poll_s
            if wait_s > 0 and not self._closed:
                await self._until_change(wait_s)
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()

    async def _take(self) -> float:
        """Take messages if there are any; return how long to wait before the next look, in seconds."""
        due_s = await self._broker.due(self._number)
        poll_s, now_s = self._broker.options.poll_s, self._broker.clock()
        if due_s is None or due_s > now_s:
            return poll_s if due_s is None else min(poll_s, due_s - now_s)
        wanted = min(len(self._waiting), _TOGETHER)
        taken = await self._broker.take(lambda work: work.take(self._number, wanted, None))
        rows = deque(taken.rows)
        while rows and self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(SqliteDelivery(self._broker, rows.popleft(), taken.lease_s))
        self._broker.give_back(list(rows))
        return 0.0

    async def _stay(self) -> None:
        """Say that the group is in use; make it anew where it was forgotten meanwhile."""
        try:
            if not await self._broker.write(lambda work: work.see(self._number)):
                self._number = await self._broker.write(self._subscribe)
        except MessagingError as error:
            _logger.warning("a group of subscribers cannot be marked as in use: %s", error)

    def _fail(self, error: Exception) -> None:
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_exception(error)

    async def _until_wanted(self, within_s: float) -> None:
        try:
            async with asyncio.timeout(within_s):
                await self._wanted.wait()
        except TimeoutError:
            return

    async def _until_change(self, within_s: float) -> None:
        await self._broker.changed(within_s)
