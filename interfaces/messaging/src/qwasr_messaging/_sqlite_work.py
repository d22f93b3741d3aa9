"""What is done to the broker's file in one transaction. The semantics are those of `qwasr_messaging._memory_queue`."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from qwasr_messaging import _sqlite_rows as sql
from qwasr_messaging._bounds import held_bytes
from qwasr_messaging._letters import LEASE_RAN_OUT, dead_letter
from qwasr_messaging._sqlite_form import DELAYED, FREE, GROUP, WAITING, WORK
from qwasr_messaging._sqlite_rows import Row, Taken, work_queue
from qwasr_messaging.errors import QueueFull
from qwasr_messaging.limits import MAX_REPLIES_BYTES
from qwasr_messaging.protocol import DEAD_LETTER, KEY, Message, Policy
from qwasr_messaging.topics import dead_letter_topic

if TYPE_CHECKING:
    import sqlite3

    from qwasr_messaging._sqlite_rows import Routes

__all__ = ["Work"]

_logger = logging.getLogger("qwasr.messaging")


class Work:
    """One transaction.

    Args:
        file: the connection that writes.
        now_s: the time, Unix seconds.
        bound: messages of one queue at most.
        routes: the patterns of groups.

    Attributes:
        touched: whether somebody may find a message or a reply now.
    """

    __slots__ = ("_bound", "_file", "_routes", "now_s", "touched")

    def __init__(self, file: sqlite3.Connection, now_s: float, bound: int, routes: Routes) -> None:
        self._file = file
        self._bound = bound
        self._routes = routes
        self.now_s = now_s
        self.touched = False

    # ------------------------------------------------------------------ queues

    def subscribe(self, name: str, patterns: str, policy: Policy) -> int:
        """Make or change a group, and give it the dead letters that it has subscribed to."""
        values = (policy.max_deliveries, policy.first_delay_s, policy.longest_delay_s, policy.lease_s)
        (number,) = self._one(sql.SUBSCRIBE, (name.encode(), patterns, *values, self.now_s))
        letters = self._file.execute(
            "SELECT number, name FROM queues WHERE kind = ? AND name > ? AND name < ?",
            (WORK, f"{DEAD_LETTER}.".encode(), f"{DEAD_LETTER}/".encode()),
        )
        for queue, topic in letters.fetchall():
            if self._routes.match(patterns, topic.decode()):
                for row in self._rows(sql.NOT_OUT, (queue,)):
                    self.finish(row)
                    self._insert(number, row.topic, row.message, None, None)
        return int(number)

    def see(self, number: int) -> bool:
        """Note that somebody receives for a group; return whether it is still there."""
        return self._file.execute("UPDATE queues SET seen_at = ? WHERE number = ?", (self.now_s, number)).rowcount > 0

    def work_queue(self, name: str) -> int:
        """Return the number of a work queue, which is made when it is not there."""
        found = work_queue(self._file, name)
        if found is not None:
            return found
        made = self._file.execute("INSERT INTO queues (kind, name) VALUES (?, ?)", (WORK, name.encode()))
        return made.lastrowid or 0

    def find(self, name: str) -> int | None:
        """Return the number of a work queue, `None` when it is not there."""
        return work_queue(self._file, name)

    def subscribed(self, topic: str) -> list[int]:
        """Return the groups that get a topic."""
        groups = self._file.execute("SELECT number, patterns FROM queues WHERE kind = ?", (GROUP,)).fetchall()
        return [number for number, patterns in groups if self._routes.match(patterns, topic)]

    def forget_groups(self, before_s: float) -> None:
        """Remove groups for which nobody has received since then."""
        old = self._file.execute(
            "SELECT number, name, length FROM queues WHERE kind = ? AND seen_at < ?", (GROUP, before_s)
        ).fetchall()
        for number, name, length in old:
            _logger.warning("nobody receives for the group %r: it is forgotten with %d messages", name.decode(), length)
            self._file.execute("DELETE FROM messages WHERE queue = ?", (number,))
            self._file.execute("DELETE FROM queues WHERE number = ?", (number,))

    # ------------------------------------------------------------------ messages

    def send(
        self,
        queues: list[int],
        topic: str,
        message: Message,
        *,
        delay_s: float,
        expires_at: float | None,
        reply_to: str | None,
    ) -> list[int]:
        """Put a message into each of some queues.

        Raises:
            QueueFull: one of them is full; nothing was written.
        """
        self._need_room(queues, topic)
        return [self._insert(queue, topic.encode(), message, expires_at, reply_to, delay_s) for queue in queues]

    def push(self, name: str, message: Message, *, delay_s: float, expires_at: float | None) -> int:
        """Put a message into a work queue.

        Raises:
            QueueFull: it is full; nothing was written.
        """
        queue = self.find(name)
        if queue is not None:
            self._need_room([queue], name)
        # Only now: where all that was in it had expired, it is gone.
        return self._insert(self.work_queue(name), name.encode(), message, expires_at, None, delay_s)

    def take(self, queue: int | None, count: int, lease_s: float | None) -> Taken:
        """Have the next messages out.

        Args:
            queue: the queue's number; `None` for one that is not there.
            count: how many at most.
            lease_s: for how long, in seconds; `None` as the group's policy says.
        """
        found = self._one("SELECT max_deliveries, lease_s FROM queues WHERE number = ?", (queue,))
        if found is None or queue is None:
            return Taken([], 0.0)
        most, lease_s = found[0], found[1] if lease_s is None else lease_s
        self.drop_expired()
        self._ripen(queue)
        rows: list[Row] = []
        while len(rows) < count:
            batch = [Row(*row) for row in self._file.execute(sql.NEXT, (queue, self.now_s, count - len(rows)))]
            if not batch:
                break
            for row in batch:
                if row.expires_at is not None and row.expires_at <= self.now_s:
                    self.finish(row)
                elif most is not None and row.attempts >= most:
                    self.bury(row, LEASE_RAN_OUT)
                else:
                    attempt, out = row.attempts + 1, abs(row.out) + 1
                    self._file.execute(
                        "UPDATE messages SET attempts = ?, out = ?, visible_at = ? WHERE id = ?",
                        (attempt, out, self.now_s + lease_s, row.id),
                    )
                    rows.append(row._replace(attempts=attempt, out=out))
        return Taken(rows, lease_s)

    def give_back(self, rows: list[Row]) -> None:
        """Have messages that are out as if they had not been taken."""
        for row in rows:
            self._file.execute(
                "UPDATE messages SET attempts = attempts - 1, out = -out, visible_at = ? WHERE id = ? AND out = ?",
                (self.now_s, row.id, row.out),
            )
        self.touched = True

    def ack(self, number: int, out: int, queue: str | None = None) -> bool:
        """Have a message gone that is out, of a work queue where its name is given."""
        row = self._out(number, out)
        if row is None or (queue is not None and work_queue(self._file, queue) != row.queue):
            return False
        self.finish(row)
        return True

    def extend(self, number: int, out: int, lease_s: float) -> bool:
        """Have a message out for longer."""
        return (
            self._file.execute(
                "UPDATE messages SET visible_at = ? WHERE id = ? AND out = ? AND out > 0",
                (self.now_s + lease_s, number, out),
            ).rowcount
            > 0
        )

    def retry(self, number: int, out: int, reason: str) -> None:
        """Have a message come again that is out, or be a dead letter."""
        row = self._out(number, out)
        if row is None:
            return
        attempt = row.attempts
        most, first_s, longest_s = self._one(
            "SELECT max_deliveries, first_delay_s, longest_delay_s FROM queues WHERE number = ?", (row.queue,)
        )
        if most is not None and attempt >= most:
            self.bury(row, reason)
            return
        delay_s = 0.0 if most is None else Policy(first_delay_s=first_s, longest_delay_s=longest_s).delay_s(attempt)
        again = "UPDATE messages SET out = -out, visible_at = ? WHERE id = ?"
        self._file.execute(again, (self.now_s + delay_s, number))
        self.touched = True

    def finish(self, row: Row) -> None:
        """Have a message gone."""
        if row.lane is not None:
            self._ripen(row.queue)
        self._file.execute("DELETE FROM messages WHERE id = ?", (row.id,))
        if row.lane is not None:
            lane = (row.queue, row.topic, row.lane)
            if self._one(sql.GOES, lane) is None:
                self._file.execute(sql.FOLLOWS, lane)
                self.touched = True
        self._file.execute("DELETE FROM queues WHERE number = ? AND kind = ? AND length = 0", (row.queue, WORK))

    def bury(self, row: Row, reason: str) -> None:
        """Have a message be a dead letter."""
        old = row.topic.decode()
        topic = dead_letter_topic(old)
        message = dead_letter(row.message, reason, row.attempts)
        self.finish(row)
        groups = [group for group in self.subscribed(topic) if self._has_room(group)] if topic != old else []
        for group in groups:
            self._insert(group, topic.encode(), message, None, None)
        if not groups:
            while (queue := self.find(topic)) is not None and not self._has_room(queue):
                self.finish(self._rows(sql.OLDEST, (queue,))[0])
                _logger.warning("there are too many dead letters: the oldest of %r is lost", topic)
            self._insert(self.work_queue(topic), topic.encode(), message, None, None)
        _logger.warning("a message of %r is a dead letter after %d deliveries", old, row.attempts)

    def drop_expired(self) -> None:
        """Remove some of what nobody can get any more."""
        for row in self._rows(sql.EXPIRED, (self.now_s, self.now_s)):
            self.finish(row)

    # ------------------------------------------------------------------ requests

    def open_inbox(self, name: str, wanted: int, expires_at: float) -> None:
        """Wait for replies."""
        self._file.execute("INSERT INTO inboxes VALUES (?, ?, ?)", (name, wanted, expires_at))

    def close_inbox(self, name: str) -> list[Message]:
        """Wait for no more replies; return those that are there."""
        rows = self._file.execute(
            "SELECT data, content_type, metadata FROM replies WHERE inbox = ? ORDER BY id", (name,)
        ).fetchall()
        self._file.execute("DELETE FROM replies WHERE inbox = ?", (name,))
        self._file.execute("DELETE FROM inboxes WHERE name = ?", (name,))
        return [Message(data, kind, tuple((n, v) for n, v in json.loads(metadata))) for data, kind, metadata in rows]

    def reply(self, name: str, message: Message) -> None:
        """Reply to who still waits for it.

        Raises:
            QueueFull: too much waits for it; nothing was written.
        """
        inbox = self._one("SELECT wanted FROM inboxes WHERE name = ? AND expires_at > ?", (name, self.now_s))
        count, bytes_ = self._one(sql.REPLIES, (name,))
        if inbox is None or count >= inbox[0]:
            return
        if bytes_ + held_bytes(message.data, message.content_type, message.metadata) > MAX_REPLIES_BYTES:
            msg = "the replies to this request are too large to wait together: this one is not sent"
            raise QueueFull(msg)
        self._file.execute(
            "INSERT INTO replies (inbox, content_type, metadata, data) VALUES (?, ?, ?, ?)",
            (name, message.content_type, json.dumps(message.metadata), bytes(message.data)),
        )
        self.touched = True

    def drop_inboxes(self) -> None:
        """Remove inboxes that nobody waits for any more."""
        self._file.execute("DELETE FROM inboxes WHERE expires_at < ?", (self.now_s,))
        self._file.execute("DELETE FROM replies WHERE inbox NOT IN (SELECT name FROM inboxes)")

    # ------------------------------------------------------------------

    def _insert(
        self,
        queue: int,
        topic: bytes,
        message: Message,
        expires_at: float | None,
        reply_to: str | None,
        delay_s: float = 0.0,
    ) -> int:
        key = message.get(KEY)
        lane = None if key is None else key.encode()
        state = FREE
        if lane is not None and delay_s > 0:
            state = DELAYED
        elif lane is not None:
            self._ripen(queue)
            state = WAITING if self._is_taken(queue, topic, lane) else FREE
        visible_at = self.now_s + max(delay_s, 0.0)
        metadata = json.dumps(message.metadata)
        row = (queue, state, visible_at, expires_at, lane, topic, reply_to, message.content_type, metadata)
        self.touched = True
        return self._file.execute(sql.INSERT, (*row, bytes(message.data))).lastrowid or 0

    def _ripen(self, queue: int) -> None:
        """Have those messages wait for their turn whose time has come."""
        for number, topic, lane in self._file.execute(sql.RIPE, (queue, self.now_s)).fetchall():
            state = WAITING if self._is_taken(queue, topic, lane) else FREE
            self._file.execute("UPDATE messages SET state = ? WHERE id = ?", (state, number))

    def _is_taken(self, queue: int, topic: bytes, lane: bytes) -> bool:
        return self._one(sql.GOES, (queue, topic, lane)) is not None

    def _need_room(self, queues: list[int], topic: str) -> None:
        if not all(self._has_room(queue) for queue in queues):
            msg = f"too many messages wait for who is to get {topic[:64]!r}: nobody got it"
            raise QueueFull(msg)

    def _has_room(self, queue: int) -> bool:
        if self._length(queue) < self._bound:
            return True
        self.drop_expired()
        return self._length(queue) < self._bound

    def _length(self, queue: int) -> int:
        found = self._one("SELECT length FROM queues WHERE number = ?", (queue,))
        return 0 if found is None else int(found[0])

    def _out(self, number: int, out: int) -> Row | None:
        return next(iter(self._rows(sql.OUT, (number, out))), None)

    def _rows(self, statement: str, values: tuple[Any, ...]) -> list[Row]:
        return [Row(*row) for row in self._file.execute(statement, values).fetchall()]

    def _one(self, statement: str, values: tuple[Any, ...]) -> Any:
        return self._file.execute(statement, values).fetchone()
