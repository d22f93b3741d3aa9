"""wasi:messaging for qwasr: topics, queue groups and request-reply, with brokers in memory and on disk.

- `protocol`: `Messaging`, `Subscription` and `Delivery`, which a backend implements; `errors`: what it raises;
  `topics`: what topics and patterns are.
- `compliance`: the test class that proves a backend.
- `host`: the WIT functions; `limits`: their bounds; `server`: who calls the guest's handler.
- `memory`, `sqlite`: the embedded backends, `Memory` and `Sqlite`.
"""

from __future__ import annotations

from qwasr_messaging.errors import (
    AccessDenied,
    InvalidTopic,
    MessagingError,
    NoReply,
    QueueFull,
    TooLarge,
    Unavailable,
)
from qwasr_messaging.memory import Memory, MemoryOptions
from qwasr_messaging.protocol import Delivery, Message, Messaging, Policy, Subscription
from qwasr_messaging.sqlite import Sqlite, SqliteOptions

__all__ = [
    "AccessDenied",
    "Delivery",
    "InvalidTopic",
    "Memory",
    "MemoryOptions",
    "Message",
    "Messaging",
    "MessagingError",
    "NoReply",
    "Policy",
    "QueueFull",
    "Sqlite",
    "SqliteOptions",
    "Subscription",
    "TooLarge",
    "Unavailable",
]
