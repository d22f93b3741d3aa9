"""A bucket that tells of the changes made through it, each after the backend has acknowledged it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qwasr_keyvalue.protocol import Bucket, KeyPage, Snapshot

__all__ = ["WatchedBucket"]


class WatchedBucket:
    """A bucket of a backend, watched.

    Args:
        entries: the backend's bucket.
        identifier: its name.
        tell: is called with the name, the key, and its new value or `None` when it is gone.
    """

    __slots__ = ("_entries", "_tell", "identifier")

    def __init__(self, entries: Bucket, identifier: str, tell: Callable[[str, str, bytes | None], None]) -> None:
        self._entries = entries
        self._tell = tell
        self.identifier = identifier

    async def get(self, key: str) -> bytes | None:
        """Return the value."""
        return await self._entries.get(key)

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        """Set the value, and tell."""
        await self._entries.set(key, value, ttl_s=ttl_s)
        self._tell(self.identifier, key, value)

    async def delete(self, key: str) -> bool:
        """Delete the key, and tell if it was there."""
        there = await self._entries.delete(key)
        if there:
            self._tell(self.identifier, key, None)
        return there

    async def exists(self, key: str) -> bool:
        """Return whether the key exists."""
        return await self._entries.exists(key)

    async def list_keys(self, cursor: str | None = None) -> KeyPage:
        """Return one page of keys."""
        return await self._entries.list_keys(cursor)

    async def increment(self, key: str, delta: int) -> int:
        """Add to a counter, and tell."""
        total = await self._entries.increment(key, delta)
        self._tell(self.identifier, key, b"%d" % total)
        return total

    async def snapshot(self, key: str) -> Snapshot:
        """Return the value with what a swap compares."""
        return await self._entries.snapshot(key)

    async def swap(self, key: str, value: bytes, expected: Snapshot) -> Snapshot | None:
        """Set the value if the key is as expected, and tell if it was."""
        now = await self._entries.swap(key, value, expected)
        if now is None:
            self._tell(self.identifier, key, value)
        return now

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the values."""
        return await self._entries.get_many(keys)

    async def set_many(self, items: Sequence[tuple[str, bytes]]) -> None:
        """Set each key, and tell of each."""
        await self._entries.set_many(items)
        for key, value in items:
            self._tell(self.identifier, key, value)

    async def delete_many(self, keys: Sequence[str]) -> None:
        """Delete one after another: only so it is known which were there to tell of."""
        for key in keys:
            await self.delete(key)

    async def ttl(self, key: str) -> float | None:
        """Return the seconds that the key has left."""
        return await self._entries.ttl(key)

    async def expire(self, key: str, ttl_s: float | None) -> bool:
        """Set when the key expires, and tell if that is now."""
        there = await self._entries.expire(key, ttl_s)
        if there and ttl_s is not None and ttl_s <= 0:
            self._tell(self.identifier, key, None)
        return there
