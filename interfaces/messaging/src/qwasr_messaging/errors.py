"""What a messaging backend raises, and what the guest sees of it.

::

    MessagingError          `other(message)`
    ├── NoReply             `timeout`: nobody replied in time
    ├── Unavailable         `connection(message)`: the broker does not answer; the call may be tried again later
    ├── AccessDenied        `permission-denied(message)`: the broker refuses this topic
    ├── InvalidTopic        `other(message)`: a topic that no message can have, or a pattern that means nothing
    ├── TooLarge            `other(message)`: a message is larger than its bound
    └── QueueFull           `other(message)`: who is to get the message has too many waiting; it was not sent

The message is what the guest reads, so it names no credential and no address. Anything else that a backend raises
becomes `other("internal error <id>")` for the guest and a log line with the same id and the traceback for the host.
"""

from __future__ import annotations

from typing import ClassVar

from qwasr.errors import QwasrError

__all__ = [
    "AccessDenied",
    "InvalidTopic",
    "MessagingError",
    "NoReply",
    "QueueFull",
    "TooLarge",
    "Unavailable",
]


class MessagingError(QwasrError):
    """An operation failed in a way that the guest is told about.

    Attributes:
        case: the case of `wasi:messaging/types.error` that the guest gets.
    """

    case: ClassVar[str] = "other"


class NoReply(MessagingError):
    """Nobody replied to a request in time."""

    case = "timeout"


class Unavailable(MessagingError):
    """The broker does not answer now; what was asked did not happen, or nobody knows whether it did."""

    case = "connection"


class AccessDenied(MessagingError):
    """The broker refuses this topic."""

    case = "permission-denied"


class InvalidTopic(MessagingError):
    """A topic that no message can have, or a pattern that means nothing."""


class TooLarge(MessagingError):
    """A message is larger than its bound; it was not sent."""


class QueueFull(MessagingError):
    """Who is to get the message has too many waiting; it was sent to nobody."""
