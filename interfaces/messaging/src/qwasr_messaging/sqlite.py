"""The embedded broker that lasts: topics, groups and work queues in one SQLite file, which processes share.

`QWASR_MESSAGING=sqlite:///path.db` chooses it. Nothing runs but the processes that use it: a thread that writes, and
threads that read. What one process sends another one finds by looking, every 20 ms unless it is told otherwise.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Literal, Self, TypeVar

from qwasr.errors import BackendError
from qwasr.options import ConnectOptions, env
from qwasr_messaging._bounds import BoundOptions, check_texts
from qwasr_messaging.errors import MessagingError, NoReply, QueueFull
from qwasr_messaging.protocol import Message, Policy
from qwasr_messaging.topics import Patterns, check_group, check_topic

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from qwasr.sqlite import Threads
    from qwasr_messaging._sqlite_delivery import SqliteDelivery, SqliteSubscription
    from qwasr_messaging._sqlite_rows import Routes, Row, Taken
    from qwasr_messaging._sqlite_work import Work

__all__ = ["Sqlite", "SqliteOptions"]

_logger = logging.getLogger("qwasr.messaging")
T = TypeVar("T")
_DAY_S: Final = 24 * 3600.0
_DIGITS: Final = 18  # of an integer that surely fits SQLite's


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteOptions(BoundOptions):
    """Where the file is, and what it survives."""

    url: str = env(
        "QWASR_MESSAGING_SQLITE_URL",
        address=True,
        help="the file: sqlite:///relative.db, or sqlite:////absolute.db; made when it is not there",
    )
    synchronous: Literal["normal", "full"] = env(
        "QWASR_MESSAGING_SQLITE_SYNCHRONOUS",
        default="normal",
        help="normal: acknowledged messages survive the end of the process; full: the end of the machine too, slower",
    )
    lock_timeout_s: float = env(
        "QWASR_MESSAGING_SQLITE_LOCK_S",
        default=1.0,
        minimum=0.001,
        maximum=3600,
        help="how long a write waits for another process that writes, seconds",
    )
    max_bytes: int = env(
        "QWASR_MESSAGING_SQLITE_MAX_BYTES",
        default=16 * 1024**3,
        minimum=1024**2,
        maximum=2**44,
        help="size of the file, bytes; sending above it is an error",
    )
    poll_s: float = env(
        "QWASR_MESSAGING_SQLITE_POLL_S",
        default=0.02,
        minimum=0.001,
        maximum=60,
        help="how often is looked for what other processes sent, seconds",
    )
    forget_s: float = env(
        "QWASR_MESSAGING_SQLITE_FORGET_S",
        default=7 * _DAY_S,
        minimum=120,
        maximum=3650 * _DAY_S,
        help="a group for which nobody has received for so long is removed with its messages, seconds",
    )

    @property
    def path(self) -> Path:
        """Return the file that the URL names.

        Raises:
            OptionError: it names none.
        """
        from qwasr.sqlite import path_of

        return path_of(self.url, "QWASR_MESSAGING_SQLITE_URL")


class Sqlite:
    """A broker in one SQLite file; made by `connect`.

    Args:
        options: where it is.
        clock: Unix time in seconds.
    """

    name: ClassVar[str] = "sqlite"
    provides: ClassVar[tuple[str, ...]] = ("messaging",)
    schemes: ClassVar[tuple[str, ...]] = ("sqlite",)
    Options: ClassVar[type[ConnectOptions]] = SqliteOptions
    _threads: Threads
    _routes: Routes
    _inode: int

    def __init__(self, options: SqliteOptions, *, clock: Callable[[], float] = time.time) -> None:
        self.options = options
        self.clock = clock
        self.subscriptions: set[SqliteSubscription] = set()  # that are not closed
        self._changed: set[asyncio.Future[None]] = set()  # who waits for a change
        self._giving_back: set[asyncio.Task[None]] = set()

    @classmethod
    async def connect(cls, options: SqliteOptions, *, clock: Callable[[], float] = time.time) -> Self:
        """Open the file, or make it; `clock` is Unix time in seconds.

        Raises:
            BackendError: it cannot be opened, or is something else.
        """
        from qwasr.sqlite import Place, Threads
        from qwasr_messaging._sqlite_form import form
        from qwasr_messaging._sqlite_rows import Routes

        self = cls(options, clock=clock)
        place = Place(
            path=options.path,
            synchronous=options.synchronous,
            lock_timeout_s=options.lock_timeout_s,
            max_bytes=options.max_bytes,
        )
        self._routes = Routes()
        self._threads = await asyncio.to_thread(Threads, form(self._tidy), place, asyncio.get_running_loop())
        self._inode = place.path.stat().st_ino
        return self

    async def check(self) -> None:
        """Raise `BackendError` when the file is gone, or cannot be read."""
        try:
            inode = (await asyncio.to_thread(self.options.path.stat)).st_ino
            await self._threads.read(lambda file: file.execute("SELECT count(*) FROM sqlite_master").fetchone())
        except OSError as error:
            reason = error.strerror or "no reason given"
            raise BackendError(f"the file of the broker cannot be read: {reason}") from None
        except MessagingError as error:
            raise BackendError(f"the file of the broker cannot be read: {error}") from None
        if inode != self._inode:
            raise BackendError("the file of the broker was replaced by another; start again")

    async def close(self) -> None:
        """Finish what was begun, and close the file."""
        for subscription in list(self.subscriptions):
            await subscription.close()
        while self._giving_back:
            await asyncio.wait(self._giving_back)
        await asyncio.to_thread(self._threads.close)

    async def publish(self, topic: str, message: Message, *, delay_s: float = 0.0, ttl_s: float | None = None) -> None:
        """Send a message to every group that has subscribed to the topic."""
        check_topic(topic)
        check_texts(message)
        expires_at = self._expires_at(ttl_s)

        def send(work: Work) -> None:
            queues = work.subscribed(topic)
            work.send(queues, topic, message, delay_s=delay_s, expires_at=expires_at, reply_to=None)

        await self._when_room(send, ttl_s)

    async def subscribe(self, group: str, patterns: Sequence[str], policy: Policy) -> SqliteSubscription:
        """Subscribe one more subscriber of a group."""
        from qwasr_messaging._sqlite_delivery import SqliteSubscription

        check_group(group)
        text = json.dumps(Patterns(patterns).text)
        subscription = SqliteSubscription(self, lambda work: work.subscribe(group, text, policy))
        await subscription.open()
        return subscription

    async def request(self, topic: str, message: Message, *, timeout_s: float, replies: int = 1) -> list[Message]:
        """Publish a message and wait for replies."""
        check_topic(topic)
        check_texts(message)
        name, loop = secrets.token_hex(16), asyncio.get_running_loop()
        until_s, expires_at = loop.time() + timeout_s, self.clock() + timeout_s

        def ask(work: Work) -> None:
            queues = work.subscribed(topic)
            work.send(queues, topic, message, delay_s=0.0, expires_at=expires_at, reply_to=name)
            work.open_inbox(name, replies, expires_at + self.options.lock_timeout_s)

        def count(file: sqlite3.Connection) -> int:
            (found,) = file.execute("SELECT count(*) FROM replies WHERE inbox = ?", (name,)).fetchone()
            return int(found)

        try:
            await self._when_room(ask, timeout_s)
            while loop.time() < until_s and await self._threads.read(count) < replies:
                await self.changed(min(self.options.poll_s, until_s - loop.time()))
        except BaseException:
            self._later(lambda work: work.close_inbox(name))
            raise
        found = await self.write(lambda work: work.close_inbox(name))
        if not found:
            msg = f"nobody replied within {timeout_s:g} s"
            raise NoReply(msg)
        return found

    async def reply(self, reply_to: str, message: Message) -> None:
        """Reply to a request."""
        check_texts(message)
        await self.write(lambda work: work.reply(reply_to, message))

    async def push(self, queue: str, message: Message, *, delay_s: float = 0.0, ttl_s: float | None = None) -> str:
        """Put a message into a work queue."""
        check_topic(queue)
        check_texts(message)
        expires_at = self._expires_at(ttl_s)
        return str(
            await self._when_room(lambda work: work.push(queue, message, delay_s=delay_s, expires_at=expires_at), ttl_s)
        )

    async def pop(self, queue: str, *, visibility_s: float, wait_s: float = 0.0) -> SqliteDelivery | None:
        """Return the next message of a work queue."""
        from qwasr_messaging._sqlite_delivery import SqliteDelivery
        from qwasr_messaging._sqlite_rows import due, work_queue

        check_topic(queue)
        loop = asyncio.get_running_loop()
        until_s = loop.time() + wait_s

        def is_there(file: sqlite3.Connection) -> bool:
            number = work_queue(file, queue)
            time_s = None if number is None else due(file, number)
            return time_s is not None and time_s <= self.clock()

        while True:
            if await self._threads.read(is_there):
                taken = await self.take(lambda work: work.take(work.find(queue), 1, visibility_s))
                if taken.rows:
                    return SqliteDelivery(self, taken.rows[0], taken.lease_s)
            left_s = until_s - loop.time()
            if left_s <= 0:
                return None
            await self.changed(min(self.options.poll_s, left_s))

    async def ack(self, queue: str, receipt: str) -> bool:
        """Have a message of a work queue gone."""
        number, _, delivery = receipt.partition("-")
        if not all(one.isdecimal() and one.isascii() and len(one) <= _DIGITS for one in (number, delivery)):
            return False
        return await self.write(lambda work: work.ack(int(number), int(delivery), queue))

    async def length(self, queue: str) -> int:
        """Return how many messages a work queue has."""
        from qwasr_messaging._sqlite_rows import length

        return await self._threads.read(lambda file: length(file, queue, self.clock()))

    # ------------------------------------------------------------------ for subscriptions

    async def write(self, job: Callable[[Work], T]) -> T:
        """Do something in one transaction, and tell those who wait for a change."""
        result, touched = await self._threads.write(lambda file: self._done(file, job))
        if touched:
            self.tell()
        return result

    def due(self, number: int) -> asyncio.Future[float | None]:
        """Return when the next message of a queue can be taken, Unix seconds."""
        from qwasr_messaging._sqlite_rows import due

        return self._threads.read(lambda file: due(file, number))

    async def take(self, job: Callable[[Work], Taken]) -> Taken:
        """Take messages; if that is cancelled, they are given back."""
        taking = asyncio.ensure_future(self._threads.write(lambda file: self._done(file, job)))
        try:
            taken, touched = await asyncio.shield(taking)
        except asyncio.CancelledError:
            taking.add_done_callback(self._unwanted)
            raise
        if touched:
            self.tell()
        return taken

    def give_back(self, rows: list[Row]) -> None:
        """Have messages not out that nobody was given after all."""
        if rows:
            self._later(lambda work: work.give_back(rows))

    async def changed(self, within_s: float) -> None:
        """Wait until something changes that this process did, or the time is over."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._changed.add(future)
        try:
            await asyncio.wait({future}, timeout=max(within_s, 0.0))
        finally:
            future.cancel()
            self._changed.discard(future)

    def tell(self) -> None:
        """Have those look who wait for a change."""
        for future in self._changed:
            if not future.done():
                future.set_result(None)

    # ------------------------------------------------------------------

    def _done(self, file: sqlite3.Connection, job: Callable[[Work], T]) -> tuple[T, bool]:
        """Do a job; in the thread that writes."""
        work = self._work(file)
        return job(work), work.touched

    def _work(self, file: sqlite3.Connection) -> Work:
        from qwasr_messaging._sqlite_work import Work

        return Work(file, self.clock(), self.options.queue, self._routes)

    def _expires_at(self, ttl_s: float | None) -> float | None:
        return None if ttl_s is None else self.clock() + ttl_s

    async def _when_room(self, job: Callable[[Work], T], ttl_s: float | None) -> T:
        """Do what needs room in a queue; wait for it when there is none, but not for what expires meanwhile."""
        loop = asyncio.get_running_loop()
        patience_s = self.options.publish_wait_s
        until_s = loop.time() + (patience_s if ttl_s is None else min(patience_s, ttl_s))
        while True:
            try:
                return await self.write(job)
            except QueueFull:
                left_s = until_s - loop.time()
                if left_s <= 0:
                    raise
            await asyncio.sleep(min(self.options.poll_s, left_s))

    def _unwanted(self, taking: asyncio.Future[tuple[Taken, bool]]) -> None:
        if not taking.cancelled() and taking.exception() is None:
            self.give_back(taking.result()[0].rows)

    def _later(self, job: Callable[[Work], object]) -> None:
        """Do something that nobody waits for."""

        async def do() -> None:
            try:
                await self.write(job)
            except MessagingError as error:
                _logger.warning("messages stay out until their lease is over: %s", error)

        task = asyncio.get_running_loop().create_task(do())
        self._giving_back.add(task)
        task.add_done_callback(self._giving_back.discard)

    def _tidy(self, file: sqlite3.Connection) -> None:
        """Remove what nobody needs any more; in the thread that writes."""
        work = self._work(file)
        work.drop_expired()
        work.drop_inboxes()
        work.forget_groups(work.now_s - self.options.forget_s)
