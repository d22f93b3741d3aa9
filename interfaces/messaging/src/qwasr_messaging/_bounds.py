"""What the embedded brokers have in common: how much waits in them, and what a message takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qwasr.options import ConnectOptions, env
from qwasr_messaging.errors import MessagingError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qwasr_messaging.protocol import Message

__all__ = ["BoundOptions", "check_texts", "held_bytes"]

_TEXT_BYTES: Final = 4  # of one character of a text in Python, at most
_PAIR_BYTES: Final = 160  # what Python keeps for one pair of texts beside their characters, rounded up


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundOptions(ConnectOptions):
    """How many messages may wait, and how long who sends one waits for room."""

    queue: int = env(
        "QWASR_MESSAGING_QUEUE",
        default=10_000,
        minimum=1,
        maximum=10_000_000,
        help="messages that wait for one group of subscribers, or in one work queue, at most",
    )
    publish_wait_s: float = env(
        "QWASR_MESSAGING_PUBLISH_WAIT_S",
        default=1.0,
        minimum=0,
        maximum=3600,
        help="how long who sends a message waits for room in a queue that is full, seconds; then it is an error; "
        "a guest waits no longer than QWASR_BACKEND_TIMEOUT_S",
    )


def held_bytes(data: bytes, content_type: str | None, metadata: Iterable[tuple[str, str]]) -> int:
    """Return what the parts of a message take in memory at most, in bytes."""
    texts = len(content_type or "")
    pairs = 0
    for name, value in metadata:
        texts += len(name) + len(value)
        pairs += 1
    return len(data) + _TEXT_BYTES * texts + _PAIR_BYTES * pairs


def check_texts(message: Message) -> None:
    """Check that a message can be sent anywhere.

    Raises:
        MessagingError: one of its texts is none, in Python alone: it has half of a surrogate pair.
    """
    if message.content_type is not None:
        _check_text(message.content_type)
    for pair in message.metadata:
        for text in pair:
            _check_text(text)


def _check_text(text: str) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        msg = "the content type or the metadata of the message has half of a surrogate pair"
        raise MessagingError(msg) from None
