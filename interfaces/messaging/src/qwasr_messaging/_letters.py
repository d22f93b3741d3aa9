"""Dead letters: messages that were delivered as often as they may be."""

from __future__ import annotations

from typing import Final

from qwasr_messaging.protocol import DELIVERIES, REASON, Message

__all__ = ["LEASE_RAN_OUT", "REASON_CHARACTERS", "dead_letter"]

LEASE_RAN_OUT: Final = "nobody acknowledged it in time"
REASON_CHARACTERS: Final = 1024


def dead_letter(message: Message, reason: str, deliveries: int) -> Message:
    """Return the message with the reason why it is dead in its metadata."""
    told = tuple(pair for pair in message.metadata if pair[0] not in (REASON, DELIVERIES))
    added = ((REASON, reason[:REASON_CHARACTERS]), (DELIVERIES, str(deliveries)))
    return Message(message.data, message.content_type, told + added)
