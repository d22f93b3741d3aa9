"""Topics, groups and messages for the rules."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from qwasr_messaging.protocol import Message, Policy

if TYPE_CHECKING:
    from qwasr_messaging.protocol import Delivery, Messaging, Subscription

__all__ = ["LONG_S", "Unit", "fresh_name", "get", "nothing", "subscribed", "taken"]

LONG_S: Final = 10.0  # how long a rule waits for what has to come


class Unit:
    """What every set of rules has.

    Attributes:
        unit_s: the time that rules about time are made of, in seconds; a broker that is slow has a larger one.
    """

    unit_s = 0.1

    def policy(self, *, lease: float = 300, most: int = 5, first: float = 1, longest: float = 100) -> Policy:
        """Return a policy in units of time."""
        unit_s = self.unit_s
        return Policy(
            lease_s=lease * unit_s,
            max_deliveries=most,
            first_delay_s=first * unit_s,
            longest_delay_s=longest * unit_s,
        )


def fresh_name() -> str:
    """Return a topic, a group or a queue that nobody else uses."""
    return f"compliance-{secrets.token_hex(8)}"


async def subscribed(backend: Messaging, *patterns: str, policy: Policy | None = None) -> Subscription:
    """Return a subscription of a group that nobody else uses."""
    return await backend.subscribe(fresh_name(), patterns, policy or Policy())


async def get(subscription: Subscription) -> Delivery:
    """Return the next message, which has to come."""
    delivery = await subscription.receive(wait_s=LONG_S)
    assert delivery is not None, "no message comes"
    return delivery


async def taken(subscription: Subscription, count: int) -> list[bytes]:
    """Return the data of the next messages, acknowledged."""
    found = []
    for _ in range(count):
        delivery = await get(subscription)
        await delivery.ack()
        found.append(delivery.message.data)
    return found


async def nothing(subscription: Subscription, within_s: float) -> None:
    """Check that no message comes."""
    delivery = await subscription.receive(wait_s=within_s)
    if delivery is not None:
        msg = f"a message comes that should not: {delivery.message!r}"
        raise AssertionError(msg)


def text(data: str) -> Message:
    """Return a message."""
    return Message(data.encode())


def keyed(data: str, key: str) -> Message:
    """Return a message with a key."""
    return Message(data.encode(), None, (("key", key),))
