"""What the embedded brokers have in common: how much waits in them."""

from __future__ import annotations

from dataclasses import dataclass

from qwasr.options import ConnectOptions, env

__all__ = ["BoundOptions"]


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
        help="how long who sends a message waits for room in a queue that is full, seconds; then it is an error",
    )
