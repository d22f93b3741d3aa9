"""What is in the SQLite file of the broker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwasr.sqlite import FileErrors, Form
from qwasr_messaging.errors import AccessDenied, MessagingError, QueueFull, TooLarge, Unavailable

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

__all__ = ["DELAYED", "FREE", "GROUP", "WAITING", "WORK", "form"]

GROUP: Final = "group"
WORK: Final = "work"

# Where a message is. Free: it can be taken when its time has come, and its lease ends by that too. Waiting: one of the
# same topic and key is before it. Delayed: it has a key, and its time has not come.
FREE: Final = 0
WAITING: Final = 1
DELAYED: Final = 2

# `out` is the number of the delivery that a message is out by; while it is not, that of the last one below 0, or 0.
# Names and topics are UTF-8 in blobs: any text, compared byte by byte. Each queue counts its messages, since counting
# rows takes as long as there are many.
_SCHEMA: Final = (
    """
CREATE TABLE queues (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    name BLOB NOT NULL,
    patterns TEXT NOT NULL DEFAULT '[]',
    max_deliveries INTEGER,
    first_delay_s REAL,
    longest_delay_s REAL,
    lease_s REAL,
    seen_at REAL NOT NULL DEFAULT 0,
    length INTEGER NOT NULL DEFAULT 0,
    UNIQUE (kind, name)
)""",
    """
CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue INTEGER NOT NULL,
    state INTEGER NOT NULL,
    visible_at REAL NOT NULL,
    expires_at REAL,
    attempts INTEGER NOT NULL DEFAULT 0,
    out INTEGER NOT NULL DEFAULT 0,
    lane BLOB,
    topic BLOB NOT NULL,
    reply_to TEXT,
    content_type TEXT,
    metadata TEXT NOT NULL,
    data BLOB NOT NULL
)""",
    "CREATE INDEX messages_in_turn ON messages (queue, state, visible_at, id)",
    "CREATE INDEX messages_in_lanes ON messages (queue, topic, lane, state, id) WHERE lane IS NOT NULL",
    "CREATE INDEX messages_by_expiry ON messages (expires_at) WHERE expires_at IS NOT NULL",
    """
CREATE TRIGGER message_comes AFTER INSERT ON messages BEGIN
    UPDATE queues SET length = length + 1 WHERE number = NEW.queue;
END""",
    """
CREATE TRIGGER message_goes AFTER DELETE ON messages BEGIN
    UPDATE queues SET length = length - 1 WHERE number = OLD.queue;
END""",
    "CREATE TABLE inboxes (name TEXT PRIMARY KEY, wanted INTEGER NOT NULL, expires_at REAL NOT NULL) WITHOUT ROWID",
    """
CREATE TABLE replies (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    inbox TEXT NOT NULL,
    content_type TEXT,
    metadata TEXT NOT NULL,
    data BLOB NOT NULL
)""",
    "CREATE INDEX replies_by_inbox ON replies (inbox, id)",
)


def form(tidy: Callable[[sqlite3.Connection], None]) -> Form:
    """Return what the file is.

    Args:
        tidy: removes what nobody needs any more.
    """
    return Form(
        what="broker",
        application=0x716D7131,  # "qmq1"
        version=1,
        schema=_SCHEMA,
        errors=FileErrors(unavailable=Unavailable, denied=AccessDenied, full=QueueFull, too_large=TooLarge),
        expected=MessagingError,
        tidy=tidy,
    )
