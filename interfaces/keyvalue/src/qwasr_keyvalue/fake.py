"""A key-value store for tests: buckets that are dictionaries.

::

    async def test_a_visit_is_counted(guest):
        guest.keyvalue["visits"]["/"] = b"41"
        await guest.get("/")
        assert guest.keyvalue["visits"] == {"/": b"42"}
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, ClassVar

from qwasr.testing.fakes import FakeBackend, at_once
from qwasr_keyvalue.default import Memory
from qwasr_keyvalue.protocol import Change

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from qwasr.testing.clock import Clock
    from qwasr_keyvalue._memory import MemoryBucket
    from qwasr_keyvalue.protocol import KeyPage, Snapshot

__all__ = ["FakeBucket", "FakeKeyValue"]


class FakeKeyValue(FakeBackend, Mapping[str, MutableMapping[str, bytes]]):
    """The embedded store, by the test's clock; a mapping of bucket names to buckets.

    Every name has a bucket, as for guests; those that hold a key are listed. What a test changes is told to a guest
    that exports `wasi:keyvalue/watcher`, as if another program had changed it.
    """

    provides: ClassVar[tuple[str, ...]] = ("keyvalue",)

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(clock)
        self.memory = Memory(clock=self.clock)
        self._changes: asyncio.Queue[Change | None] | None = None

    def __getitem__(self, identifier: str) -> FakeBucket:
        """Return a bucket, which needs not be there yet."""
        return FakeBucket(self, at_once(self.memory.open_bucket(identifier)))

    def __iter__(self) -> Iterator[str]:
        """Yield the names of the buckets that hold a key."""
        return iter([identifier for identifier in self.memory.identifiers() if self[identifier]])

    def __len__(self) -> int:
        """Return how many buckets hold a key."""
        return len(list(iter(self)))

    async def open_bucket(self, identifier: str) -> RecordingBucket:
        """Open a bucket for a guest."""
        await self.step("open_bucket", identifier)
        return RecordingBucket(self, await self.memory.open_bucket(identifier))

    def changes(self, _group: str) -> AsyncIterator[Change]:
        """Yield what the test changes."""
        self._changes = asyncio.Queue()
        return _until_none(self._changes)

    def tell(self, change: Change) -> None:
        """Let watchers hear of a change that the test made."""
        if self._changes is not None:
            self._changes.put_nowait(change)

    async def close(self) -> None:
        """End what watchers hear."""
        if self._changes is not None:
            self._changes.put_nowait(None)


async def _until_none(changes: asyncio.Queue[Change | None]) -> AsyncIterator[Change]:
    while (change := await changes.get()) is not None:
        yield change


class FakeBucket(MutableMapping[str, bytes]):
    """A bucket as a dictionary, for the test itself: nothing of it is recorded, delayed or fails."""

    def __init__(self, store: FakeKeyValue, entries: MemoryBucket) -> None:
        self._store = store
        self._entries = entries

    def __getitem__(self, key: str) -> bytes:
        """Return a value."""
        value = at_once(self._entries.get(key))
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: str, value: bytes) -> None:
        """Set a value, which does not expire."""
        at_once(self._entries.set(key, value))
        self._store.tell(Change(self._entries.identifier, key, deleted=False))

    def __delitem__(self, key: str) -> None:
        """Delete a key."""
        if not at_once(self._entries.delete(key)):
            raise KeyError(key)
        self._store.tell(Change(self._entries.identifier, key, deleted=True))

    def __iter__(self) -> Iterator[str]:
        """Yield the keys, in the order they were made."""
        cursor = None
        while True:
            page = at_once(self._entries.list_keys(cursor))
            yield from page.keys
            cursor = page.cursor
            if cursor is None:
                return

    def __len__(self) -> int:
        """Return how many keys there are."""
        return len(list(iter(self)))

    def __repr__(self) -> str:
        return repr(dict(self))

    def ttl(self, key: str) -> float | None:
        """Return the seconds until a key expires, `math.inf` if it does not, ``None`` when there is no such key."""
        return at_once(self._entries.ttl(key))

    def expire(self, key: str, ttl_s: float | None) -> None:
        """Have a key expire in so many seconds of the test's clock, ``None`` for never."""
        if not at_once(self._entries.expire(key, ttl_s)):
            raise KeyError(key)


class RecordingBucket:
    """A bucket as guests have it: `qwasr_keyvalue.protocol.Bucket`, and each call of it is a step of the fake."""

    __slots__ = ("_entries", "_step")

    def __init__(self, store: FakeKeyValue, entries: MemoryBucket) -> None:
        self._entries = entries
        self._step = store.step

    async def get(self, key: str) -> bytes | None:
        """Return the value."""
        await self._step("get", self._entries.identifier, key)
        return await self._entries.get(key)

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        """Set the value and when it expires."""
        await self._step("set", self._entries.identifier, key, value)
        await self._entries.set(key, value, ttl_s=ttl_s)

    async def delete(self, key: str) -> bool:
        """Delete the key."""
        await self._step("delete", self._entries.identifier, key)
        return await self._entries.delete(key)

    async def exists(self, key: str) -> bool:
        """Return whether the key exists."""
        await self._step("exists", self._entries.identifier, key)
        return await self._entries.exists(key)

    async def list_keys(self, cursor: str | None = None) -> KeyPage:
        """Return a page of keys."""
        await self._step("list_keys", self._entries.identifier, cursor)
        return await self._entries.list_keys(cursor)

    async def increment(self, key: str, delta: int) -> int:
        """Add to a counter."""
        await self._step("increment", self._entries.identifier, key, delta)
        return await self._entries.increment(key, delta)

    async def snapshot(self, key: str) -> Snapshot:
        """Return the value and its revision."""
        await self._step("snapshot", self._entries.identifier, key)
        return await self._entries.snapshot(key)

    async def swap(self, key: str, value: bytes, expected: Snapshot) -> Snapshot | None:
        """Set the value if the revision is still the expected one."""
        await self._step("swap", self._entries.identifier, key, value)
        return await self._entries.swap(key, value, expected)

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the values in the order of the keys."""
        await self._step("get_many", self._entries.identifier, list(keys))
        return await self._entries.get_many(keys)

    async def set_many(self, items: Sequence[tuple[str, bytes]]) -> None:
        """Set each key."""
        await self._step("set_many", self._entries.identifier, list(items))
        await self._entries.set_many(items)

    async def delete_many(self, keys: Sequence[str]) -> None:
        """Delete each key."""
        await self._step("delete_many", self._entries.identifier, list(keys))
        await self._entries.delete_many(keys)

    async def ttl(self, key: str) -> float | None:
        """Return the seconds that the key has left."""
        await self._step("ttl", self._entries.identifier, key)
        return await self._entries.ttl(key)

    async def expire(self, key: str, ttl_s: float | None) -> bool:
        """Set when the key expires."""
        await self._step("expire", self._entries.identifier, key, ttl_s)
        return await self._entries.expire(key, ttl_s)
