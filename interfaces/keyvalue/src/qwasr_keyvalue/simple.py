"""A whole keyvalue backend from four methods, for a store that only one process writes.

::

    class JsonFile(SimpleKeyValue):
        name, provides, schemes, Options = "jsonfile", ("keyvalue",), (), JsonFileOptions

        @classmethod
        async def connect(cls, options: JsonFileOptions) -> Self: ...

        async def load(self, bucket: str, key: str) -> Entry | None: ...
        async def save(self, bucket: str, key: str, entry: Entry) -> None: ...
        async def remove(self, bucket: str, key: str) -> None: ...
        async def names(self, bucket: str, after: str | None, limit: int) -> list[str]: ...

Counters, compare-and-swap, batches, paging and expiry come from here. Changes wait for one another, and each is
finished even when the guest that asked for it is gone, so the four methods need not be atomic. A service that several
processes write to implements `qwasr_keyvalue.protocol.Bucket` itself, with the atomic operations that the service has.
"""

from __future__ import annotations

import asyncio
import functools
import math
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar

from qwasr_keyvalue import counters
from qwasr_keyvalue.protocol import KeyPage, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

__all__ = ["Entry", "SimpleBucket", "SimpleKeyValue"]

PAGE_KEYS: Final = 100
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry:
    """What is stored for one key.

    Args:
        value: the value.
        expires_at_s: when it expires, in Unix time; `None` for never. Nobody has to remove it then.
    """

    value: bytes
    expires_at_s: float | None = None


class SimpleKeyValue(ABC):
    """Base of a backend that stores entries one by one.

    Args:
        clock: Unix time in seconds; tests pass their own.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self._one_change = asyncio.Lock()
        self._changes: set[asyncio.Task[Any]] = set()

    @abstractmethod
    async def load(self, bucket: str, key: str) -> Entry | None:
        """Return what was saved for the key of this bucket, expired or not; `None` when there is nothing."""

    @abstractmethod
    async def save(self, bucket: str, key: str, entry: Entry) -> None:
        """Store the entry in the place of what was there."""

    @abstractmethod
    async def remove(self, bucket: str, key: str) -> None:
        """Remove the entry; it exists."""

    @abstractmethod
    async def names(self, bucket: str, after: str | None, limit: int) -> list[str]:
        """Return the bucket's first `limit` keys, sorted, that are greater than `after`; `None` is less than all."""

    async def commit(self) -> None:  # noqa: B027 - most stores have nothing to do
        """Make lasting what was saved and removed since the last time; called once at the end of each change."""

    async def check(self) -> None:  # noqa: B027 - a store that can be away has something to do
        """Raise `BackendError` when the store is not usable now."""

    async def close(self) -> None:
        """Finish the changes that have begun; a subclass closes the store after that."""
        if self._changes:
            await asyncio.wait(self._changes)

    async def open_bucket(self, identifier: str) -> SimpleBucket:
        """Return the bucket of that name."""
        return SimpleBucket(self, identifier)

    async def change(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a change after those before it, and to its end even when who asked for it is cancelled."""
        task = asyncio.create_task(self._change(work))
        self._changes.add(task)
        task.add_done_callback(self._changes.discard)
        return await asyncio.shield(task)

    async def _change(self, work: Coroutine[Any, Any, T]) -> T:
        async with self._one_change:
            result = await work
            await self.commit()
        return result


def _change(
    method: Callable[Concatenate[SimpleBucket, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[SimpleBucket, P], Coroutine[Any, Any, T]]:
    """Make a change of a method."""

    @functools.wraps(method)
    async def changing(self: SimpleBucket, /, *arguments: P.args, **named: P.kwargs) -> T:
        return await self.store.change(method(self, *arguments, **named))

    return changing


class SimpleBucket:
    """A bucket of a `SimpleKeyValue`."""

    __slots__ = ("identifier", "store")

    def __init__(self, store: SimpleKeyValue, identifier: str) -> None:
        self.store = store
        self.identifier = identifier

    async def get(self, key: str) -> bytes | None:
        """Return the value."""
        entry = await self._load(key)
        return None if entry is None else entry.value

    @_change
    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        """Set the value and when it expires."""
        await self._save(key, Entry(bytes(value), self._expires_at_s(ttl_s)))

    @_change
    async def delete(self, key: str) -> bool:
        """Delete the key."""
        return await self._remove(key)

    async def exists(self, key: str) -> bool:
        """Return whether the key exists."""
        return await self._load(key) is not None

    async def list_keys(self, cursor: str | None = None) -> KeyPage:
        """Return up to 100 keys, sorted; the cursor is the last one."""
        keys = await self.store.names(self.identifier, cursor, PAGE_KEYS)
        more = keys[-1] if len(keys) == PAGE_KEYS else None
        return KeyPage([key for key in keys if await self.exists(key)], more)

    @_change
    async def increment(self, key: str, delta: int) -> int:
        """Add to a counter."""
        entry = await self._load(key)
        total = counters.add(None if entry is None else entry.value, delta)
        await self._save(key, replace(entry or Entry(b""), value=b"%d" % total))
        return total

    async def snapshot(self, key: str) -> Snapshot:
        """Return the value; there are no revisions, a swap compares it."""
        return Snapshot(await self.get(key))

    @_change
    async def swap(self, key: str, value: bytes, expected: Snapshot) -> Snapshot | None:
        """Set the value if it is still the expected one."""
        entry = await self._load(key)
        now = None if entry is None else entry.value
        if now != expected.value:
            return Snapshot(now)
        await self._save(key, replace(entry or Entry(b""), value=bytes(value)))
        return None

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the values in the order of the keys."""
        return [await self.get(key) for key in keys]

    @_change
    async def set_many(self, items: Sequence[tuple[str, bytes]]) -> None:
        """Set each key."""
        for key, value in items:
            await self._save(key, Entry(bytes(value)))

    @_change
    async def delete_many(self, keys: Sequence[str]) -> None:
        """Delete each key."""
        for key in keys:
            await self._remove(key)

    async def ttl(self, key: str) -> float | None:
        """Return the seconds that the key has left."""
        entry = await self._load(key)
        if entry is None:
            return None
        return math.inf if entry.expires_at_s is None else entry.expires_at_s - self.store.clock()

    @_change
    async def expire(self, key: str, ttl_s: float | None) -> bool:
        """Set when the key expires."""
        entry = await self._load(key)
        if entry is not None:
            await self._save(key, replace(entry, expires_at_s=self._expires_at_s(ttl_s)))
        return entry is not None

    def _expires_at_s(self, ttl_s: float | None) -> float | None:
        return None if ttl_s is None or ttl_s == math.inf else self.store.clock() + ttl_s

    def _expired(self, entry: Entry) -> bool:
        return entry.expires_at_s is not None and entry.expires_at_s <= self.store.clock()

    async def _load(self, key: str) -> Entry | None:
        entry = await self.store.load(self.identifier, key)
        return None if entry is None or self._expired(entry) else entry

    async def _save(self, key: str, entry: Entry) -> None:
        await self.store.save(self.identifier, key, entry)

    async def _remove(self, key: str) -> bool:
        """Remove what is stored, expired or not; return whether it was there for others to see."""
        entry = await self.store.load(self.identifier, key)
        if entry is None:
            return False
        await self.store.remove(self.identifier, key)
        return not self._expired(entry)
