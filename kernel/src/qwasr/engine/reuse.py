"""Instances that serve more than one call, one after another; opt-in, see docs/performance.md on isolation.

An instance may go on when its call returned in order and it holds nothing of the host: then all that the next call can
find of the last one is what the guest itself keeps in its memory. Whatever else happened, it is dropped.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from qwasr.engine.instance import Store
    from qwasr.engine.linker import LinkedComponent

__all__ = ["IDLE_S", "Reuse"]

IDLE_S: Final = 30.0


class Reuse:
    """Keeps the instances of one component between calls.

    An idle instance holds its slot. It never keeps a call from one: calls take idle instances first, nothing is kept
    while calls wait, and when a fresh instance of any component finds no slot free, the one that has been idle for
    longest is dropped.

    Args:
        linked: the component.
        calls: how many further calls an instance may serve after its first.
        idle_s: how long it may be idle, in seconds.
    """

    __slots__ = ("_calls", "_idle", "_idle_s", "_linked", "_loop", "_timer")

    def __init__(self, linked: LinkedComponent, calls: int, idle_s: float = IDLE_S) -> None:
        self._linked = linked
        self._calls = calls
        self._idle_s = idle_s
        self._idle: dict[Store, float] = {}  # in the order in which they became idle, with when
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None  # the timer's

    def __len__(self) -> int:
        return len(self._idle)

    def take(self) -> Store:
        """Return the instance that became idle last, so that those too many become old; or else a fresh store."""
        if self._idle:
            store = next(reversed(self._idle))
            self._forget(store)
            store.renew()
            return store
        return self._linked.store()

    def give(self, store: Store) -> None:
        """Keep the store of a call that has ended, or close it."""
        if not store.reusable or store.calls > self._calls or self._linked.engine.slots.waiting:
            store.close()
            return
        loop = asyncio.get_running_loop()
        self._idle[store] = loop.time()
        self._linked.engine.slots.idle[store] = self._evict
        if loop is not self._loop or self._timer is None:
            self._loop = loop
            self._timer = loop.call_later(self._idle_s, self._sweep, loop)

    def close(self) -> None:
        """Drop all that are idle, and let go of the event loop."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for store in list(self._idle):
            self._evict(store)

    def _forget(self, store: Store) -> None:
        del self._idle[store]
        del self._linked.engine.slots.idle[store]

    def _evict(self, store: Store) -> None:
        self._forget(store)
        store.close()

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop is not self._loop:
            return
        self._timer = None
        now = loop.time()
        for store, since in list(self._idle.items()):
            if since + self._idle_s > now:
                self._timer = loop.call_at(since + self._idle_s, self._sweep, loop)
                return
            self._evict(store)
