"""A model of one queue of a broker: a plain list of what may be delivered, without any index."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from qwasr_messaging.protocol import Policy

__all__ = ["Kind", "ModelEntry", "ModelQueue"]


class Kind(NamedTuple):
    """What a message says of its delivery: its key, its delay and its time to live in seconds."""

    key: str | None
    delay_s: float
    ttl_s: float | None


class ModelEntry:
    """One message in one queue."""

    def __init__(self, number: int, topic: str, kind: Kind, now_s: float) -> None:
        self.number = number
        self.topic = topic
        self.lane = None if kind.key is None else (topic, kind.key)
        self.delayed = kind.delay_s > 0
        self.visible_s = now_s + kind.delay_s
        self.expires_s = math.inf if kind.ttl_s is None else now_s + kind.ttl_s
        self.attempts = 0
        self.out = False


class ModelQueue:
    """What a queue has to do.

    Attributes:
        policy: of its group; `None` for a work queue.
        dead: number and deliveries of its dead letters.
    """

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy
        self.entries: list[ModelEntry] = []
        self.dead: list[tuple[int, int]] = []

    def living(self, now_s: float) -> list[ModelEntry]:
        """Return what is there and has not expired; what is out stays until its lease is over."""
        return [one for one in self.entries if one.expires_s > now_s or (one.out and one.visible_s > now_s)]

    def eligible(self, now_s: float) -> list[ModelEntry]:
        """Return what may be delivered now; what was delivered too often is dead by that."""
        self.entries = self.living(now_s)
        while True:
            lanes = {entry.lane for entry in self.entries if entry.lane}
            found = [entry for entry in self.entries if entry.lane is None and entry.visible_s <= now_s]
            for lane in lanes:
                found += self._next([entry for entry in self.entries if entry.lane == lane], now_s)
            spent = [entry for entry in found if self.is_spent(entry)]
            if not spent:
                return found
            for entry in spent:
                self.bury(entry)

    def _next(self, lane: list[ModelEntry], now_s: float) -> list[ModelEntry]:
        """Return which messages of one key may be the next."""
        begun = [entry for entry in lane if entry.attempts]
        if begun:  # one at a time, and it holds up the others until it is gone
            return [entry for entry in begun if entry.visible_s <= now_s]
        in_order = [entry for entry in lane if not entry.delayed]
        # A delayed message has no place in the order: it goes before or after the others as soon as its time has come.
        return in_order[:1] + [entry for entry in lane if entry.delayed and entry.visible_s <= now_s]

    def is_spent(self, entry: ModelEntry) -> bool:
        """Return whether a message was delivered as often as it may be."""
        return self.policy is not None and entry.attempts >= self.policy.max_deliveries

    def bury(self, entry: ModelEntry) -> None:
        """Have a message be a dead letter."""
        self.dead.append((entry.number, entry.attempts))
        self.entries.remove(entry)

    def of(self, number: int) -> ModelEntry:
        """Return the message of a number."""
        return next(entry for entry in self.entries if entry.number == number)
