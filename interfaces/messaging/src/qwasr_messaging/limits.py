"""How large messages may be, for guests, whatever the backend.

The engine carries `list<u8>` with 32 bytes a byte, and a guest that hands over more than about 2.6 MiB in one call
traps. So a message has 2 MiB of data at most; beyond that the guest gets an error. Python code that uses a backend
directly is not bound by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwasr_messaging.errors import TooLarge

if TYPE_CHECKING:
    from qwasr_messaging.protocol import Message

__all__ = [
    "MAX_DATA_BYTES",
    "MAX_HELD_BYTES",
    "MAX_METADATA_BYTES",
    "MAX_NAME_BYTES",
    "MAX_REPLIES",
    "MAX_REPLIES_BYTES",
    "check_message",
    "check_name",
]

MAX_DATA_BYTES: Final = 2 * 1024 * 1024
MAX_METADATA_BYTES: Final = 64 * 1024  # names, values and content type of one message in UTF-8
MAX_HELD_BYTES: Final = 64 * 1024 * 1024  # the messages that one call of a guest holds at once, all that is in them
MAX_REPLIES: Final = 1024  # of one request
MAX_REPLIES_BYTES: Final = 32 * 1024 * 1024  # of one request, as many as its guest can hold; brokers refuse more
MAX_NAME_BYTES: Final = 1024  # of a client in UTF-8
_SURELY_SHORT: Final = MAX_METADATA_BYTES // 4  # no character takes more than 4 bytes


def check_message(message: Message) -> None:
    """Check the size of a message.

    Raises:
        TooLarge: its data or its metadata are larger than they may be.
    """
    if len(message.data) > MAX_DATA_BYTES:
        msg = f"the message has {len(message.data)} bytes, more than the {MAX_DATA_BYTES} that are allowed"
        raise TooLarge(msg)
    texts = [message.content_type or "", *(text for pair in message.metadata for text in pair)]
    if sum(map(len, texts)) + len(texts) > _SURELY_SHORT:
        size = sum(len(text.encode()) for text in texts) + len(texts)
        if size > MAX_METADATA_BYTES:
            msg = f"the message has {size} bytes of metadata, more than the {MAX_METADATA_BYTES} that are allowed"
            raise TooLarge(msg)


def check_name(name: str) -> None:
    """Check the length of a client's name.

    Raises:
        TooLarge: it is longer than `MAX_NAME_BYTES` in UTF-8.
    """
    if len(name) > MAX_NAME_BYTES or len(name.encode()) > MAX_NAME_BYTES:
        msg = f"the client's name is longer than the {MAX_NAME_BYTES} bytes that are allowed"
        raise TooLarge(msg)
