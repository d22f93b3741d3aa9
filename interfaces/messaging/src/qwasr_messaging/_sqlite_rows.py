"""Rows of the broker's file, and the statements that find them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

from qwasr_messaging.protocol import Message
from qwasr_messaging.topics import Patterns

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Routes", "Row", "Taken", "due", "length", "work_queue"]

_COLUMNS: Final = (
    "SELECT id, queue, visible_at, expires_at, attempts, out, lane, topic, reply_to, content_type, metadata, data"
)
# The states are those of `_sqlite_form`: 0 free, 1 waiting, 2 delayed.
NEXT: Final = (
    _COLUMNS + " FROM messages WHERE queue = ? AND state = 0 AND visible_at <= ? ORDER BY visible_at, id LIMIT ?"
)
OUT: Final = _COLUMNS + " FROM messages WHERE id = ? AND out = ? AND out > 0"
OLDEST: Final = _COLUMNS + " FROM messages WHERE queue = ? ORDER BY id LIMIT 1"
NOT_OUT: Final = _COLUMNS + " FROM messages WHERE queue = ? AND out <= 0"
EXPIRED: Final = _COLUMNS + " FROM messages WHERE expires_at <= ? AND (out <= 0 OR visible_at <= ?) LIMIT 256"
RIPE: Final = (
    "SELECT id, topic, lane FROM messages WHERE queue = ? AND state = 2 AND visible_at <= ? ORDER BY visible_at, id"
)
INSERT: Final = (
    "INSERT INTO messages (queue, state, visible_at, expires_at, lane, topic, reply_to, content_type, metadata, data) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
GOES: Final = "SELECT 1 FROM messages WHERE queue = ? AND topic = ? AND lane = ? AND state = 0"
FOLLOWS: Final = (
    "UPDATE messages SET state = 0 WHERE id = "
    "(SELECT id FROM messages WHERE queue = ? AND topic = ? AND lane = ? AND state = 1 ORDER BY id LIMIT 1)"
)
SUBSCRIBE: Final = (
    "INSERT INTO queues (kind, name, patterns, max_deliveries, first_delay_s, longest_delay_s, lease_s, seen_at) "
    "VALUES ('group', ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (kind, name) DO UPDATE SET patterns = excluded.patterns, "
    "max_deliveries = excluded.max_deliveries, first_delay_s = excluded.first_delay_s, "
    "longest_delay_s = excluded.longest_delay_s, lease_s = excluded.lease_s, seen_at = excluded.seen_at "
    "RETURNING number"
)
# How many replies wait, and about what they take: a text in JSON is longer than in Python, or takes as much.
REPLIES: Final = (
    "SELECT count(*), coalesce(sum(length(data) + 4 * (length(metadata) + coalesce(length(content_type), 0))), 0) "
    "FROM replies WHERE inbox = ?"
)
_DUE: Final = "SELECT visible_at FROM messages WHERE queue = ? AND state = ? ORDER BY visible_at LIMIT 1"
_MOST_ROUTES: Final = 1000  # that are kept; some may be of groups that are gone


class Row(NamedTuple):
    """One message."""

    id: int
    queue: int
    visible_at: float
    expires_at: float | None
    attempts: int
    out: int
    lane: bytes | None
    topic: bytes
    reply_to: str | None
    content_type: str | None
    metadata: str
    data: bytes

    @property
    def message(self) -> Message:
        """Return what was sent."""
        return Message(self.data, self.content_type, tuple((name, value) for name, value in json.loads(self.metadata)))


class Taken(NamedTuple):
    """Messages that are out, and for how long at first, in seconds."""

    rows: list[Row]
    lease_s: float


class Routes:
    """The patterns of groups, each read once."""

    def __init__(self) -> None:
        self._known: dict[str, Patterns] = {}

    def match(self, patterns: str, topic: str) -> bool:
        """Return whether a topic is among a group's patterns, as they are in the file."""
        known = self._known.get(patterns)
        if known is None:
            if len(self._known) >= _MOST_ROUTES:
                self._known.clear()
            known = self._known[patterns] = Patterns(json.loads(patterns))
        return known.match(topic)


def due(file: sqlite3.Connection, queue: int) -> float | None:
    """Return when the next message of a queue can be taken, Unix seconds; `None` when there is none."""
    times = [row[0] for state in (0, 2) if (row := file.execute(_DUE, (queue, state)).fetchone())]
    return min(times, default=None)


def length(file: sqlite3.Connection, name: str, now_s: float) -> int:
    """Return how many messages a work queue has that have not expired."""
    (count,) = file.execute(
        "SELECT count(*) FROM messages WHERE queue = ? "
        "AND NOT (expires_at IS NOT NULL AND expires_at <= ? AND (out <= 0 OR visible_at <= ?))",
        (work_queue(file, name), now_s, now_s),
    ).fetchone()
    return int(count)


def work_queue(file: sqlite3.Connection, name: str) -> int | None:
    """Return the number of a work queue, `None` when it is not there."""
    found = file.execute("SELECT number FROM queues WHERE kind = 'work' AND name = ?", (name.encode(),)).fetchone()
    return None if found is None else int(found[0])
