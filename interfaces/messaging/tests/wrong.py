"""Brokers that do one thing wrong, to see that the compliance class catches it: what they have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from qwasr_messaging import Memory, MemoryOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwasr_messaging import Policy


class Wrong(Memory):
    """A right broker, until a subclass does one thing wrong."""

    breaks: ClassVar[tuple[str, ...]] = ()  # the rules that catch it

    def __init__(self) -> None:
        super().__init__(MemoryOptions(queue=100, publish_wait_s=0.2))

    def delivered(self, delivery: Any) -> Any:
        return delivery

    async def received(self, subscription: Any, wait_s: float | None) -> Any:
        return await subscription.receive(wait_s=wait_s)

    async def closed(self, subscription: Any) -> None:
        await subscription.close()

    async def subscribe(self, group: str, patterns: Sequence[str], policy: Policy) -> Any:
        return WrongSubscription(self, await super().subscribe(group, patterns, policy))


class WrongSubscription:
    def __init__(self, broker: Wrong, right: Any) -> None:
        self._broker = broker
        self._right = right

    async def receive(self, *, wait_s: float | None = None) -> Any:
        delivery = await self._broker.received(self._right, wait_s)
        return None if delivery is None else self._broker.delivered(delivery)

    async def close(self) -> None:
        await self._broker.closed(self._right)


class WrongDelivery:
    """A right delivery, until a subclass does one thing wrong."""

    def __init__(self, right: Any, **changed: Any) -> None:
        self.right = right
        for name, value in changed.items():
            setattr(self, name, value)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.right, name)
