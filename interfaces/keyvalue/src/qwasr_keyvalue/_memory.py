"""One bucket of the embedded backend. Nothing here waits, so each method is atomic by itself."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import TYPE_CHECKING, Final

from qwasr_keyvalue import counters
from qwasr_keyvalue.errors import InvalidCursor, TooLarge
from qwasr_keyvalue.protocol import KeyPage, Snapshot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwasr_keyvalue.default import Memory

__all__ = ["MemoryBucket"]

PAGE_KEYS: Final = 1000
_ENTRY_BYTES: Final = 400  # what Python keeps beside a key and its value, rounded up
_SWEEP: Final = 8  # expired entries that one write removes: a write stays quick, and removing keeps ahead of writing
_FEW_HOLES: Final = 64  # below that, holes in the listing are not worth a pass
_MAX_CURSOR_DIGITS: Final = 20


class _Entry:
    """One key's value.

    `order` is fixed while the key exists, so that a listing finds its place again. `revision` changes with every write.
    """

    __slots__ = ("expires_s", "order", "revision", "value")

    def __init__(self, value: bytes, order: int) -> None:
        self.value = value
        self.order = order
        self.revision = order
        self.expires_s = math.inf


class MemoryBucket:
    """A named set of keys in memory; opened by `Memory.open_bucket`."""

    __slots__ = ("__weakref__", "_entries", "_keys", "_orders", "_store", "identifier")

    def __init__(self, store: Memory, identifier: str) -> None:
        self.identifier = identifier
        self._store = store
        self._entries: dict[str, _Entry] = {}
        # Keys in the order they were made, and beside them their order numbers; deleted ones leave holes for a while.
        self._keys: list[str] = []
        self._orders: list[int] = []

    async def get(self, key: str) -> bytes | None:
        """Return the value."""
        entry = self._find(key)
        return None if entry is None else entry.value

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        """Set the value and when it expires."""
        self._write(key, value, self._store.clock()).expires_s = math.inf
        if ttl_s is not None:
            await self.expire(key, ttl_s)

    async def delete(self, key: str) -> bool:
        """Delete the key."""
        if self._find(key) is None:
            return False
        self.remove(key)
        return True

    async def exists(self, key: str) -> bool:
        """Return whether the key exists."""
        return self._find(key) is not None

    async def list_keys(self, cursor: str | None = None) -> KeyPage:
        """Return up to 1000 keys, in the order they were made; the cursor is the last one's order number."""
        start = 0
        if cursor is not None:
            if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= _MAX_CURSOR_DIGITS):
                msg = "the cursor is none that a page of keys gave out"
                raise InvalidCursor(msg)
            start = bisect_right(self._orders, int(cursor))
        found: list[str] = []
        end = len(self._keys)
        for i in range(start, end):
            entry = self._find(self._keys[i])
            if entry is not None and entry.order == self._orders[i]:
                found.append(self._keys[i])
                if len(found) == PAGE_KEYS and i + 1 < end:
                    return KeyPage(found, str(entry.order))
        return KeyPage(found)

    async def increment(self, key: str, delta: int) -> int:
        """Add to a counter."""
        now_s = self._store.clock()
        entry = self._find(key, now_s)
        total = counters.add(None if entry is None else entry.value, delta)
        self._write(key, b"%d" % total, now_s)
        return total

    async def snapshot(self, key: str) -> Snapshot:
        """Return the value and its revision."""
        return _snapshot(self._find(key))

    async def swap(self, key: str, value: bytes, expected: Snapshot) -> Snapshot | None:
        """Set the value if the revision is still the expected one."""
        now_s = self._store.clock()
        now = _snapshot(self._find(key, now_s))
        if now.revision != expected.revision:
            return now
        self._write(key, value, now_s)
        return None

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the values in the order of the keys."""
        return [await self.get(key) for key in keys]

    async def set_many(self, items: Sequence[tuple[str, bytes]]) -> None:
        """Set each key."""
        for key, value in items:
            await self.set(key, value)

    async def delete_many(self, keys: Sequence[str]) -> None:
        """Delete each key."""
        for key in keys:
            await self.delete(key)

    async def ttl(self, key: str) -> float | None:
        """Return the seconds that the key has left."""
        entry = self._find(key)
        return None if entry is None else entry.expires_s - self._store.clock()

    async def expire(self, key: str, ttl_s: float | None) -> bool:
        """Set when the key expires."""
        entry = self._find(key)
        if entry is None:
            return False
        if ttl_s is None or ttl_s == math.inf:
            entry.expires_s = math.inf
        elif ttl_s > 0:
            entry.expires_s = self._store.clock() + ttl_s
            self._store.note_expiry(self, key, entry.expires_s)
        else:
            self.remove(key)
        return True

    def expires_at(self, key: str) -> float | None:
        """Return when the entry expires by the store's clock, `None` when there is none."""
        entry = self._entries.get(key)
        return None if entry is None else entry.expires_s

    def remove(self, key: str) -> None:
        """Remove an entry that exists."""
        entry = self._entries.pop(key)
        self._store.release(_size(key, entry.value))
        if not self._entries:
            self._keys.clear()
            self._orders.clear()
            self._store.let_go(self)
        elif len(self._keys) > 2 * len(self._entries) + _FEW_HOLES:
            self._close_holes()

    def clear(self) -> None:
        """Remove every entry."""
        for key in list(self._entries):
            self.remove(key)

    def _find(self, key: str, now_s: float | None = None) -> _Entry | None:
        entry = self._entries.get(key)
        if entry is None or entry.expires_s == math.inf:
            return entry
        if entry.expires_s > (self._store.clock() if now_s is None else now_s):
            return entry
        return None  # a sweep removes it

    def _write(self, key: str, value: bytes, now_s: float) -> _Entry:
        """Set the value of a new or an existing key and return its entry; leave alone when it expires.

        The caller decided what to write at `now_s`; the same moment decides here what has expired.
        """
        store = self._store
        if len(value) > store.options.max_value_bytes:
            msg = f"the value has {len(value)} bytes, more than the {store.options.max_value_bytes} that are allowed"
            raise TooLarge(msg)
        store.sweep(_SWEEP, now_s)
        if key in self._entries and self._find(key, now_s) is None:
            self.remove(key)
        entry = self._entries.get(key)
        if entry is not None:
            store.reserve(len(value) - len(entry.value), now_s)
            entry.value = bytes(value)
            entry.revision = store.next_number()
            return entry
        size = _size(key, value)
        store.reserve(size, now_s)
        if not self._entries:
            try:
                store.keep(self, now_s)
            except BaseException:
                store.release(size)
                raise
        entry = self._entries[key] = _Entry(bytes(value), store.next_number())
        self._keys.append(key)
        self._orders.append(entry.order)
        return entry

    def _close_holes(self) -> None:
        # A dict keeps the order in which its keys were made; one that is deleted and made again goes to the end.
        self._keys = list(self._entries)
        self._orders = [entry.order for entry in self._entries.values()]


def _snapshot(entry: _Entry | None) -> Snapshot:
    return Snapshot(None) if entry is None else Snapshot(entry.value, entry.revision)


def _size(key: str, value: bytes) -> int:
    return len(key.encode()) + len(value) + _ENTRY_BYTES
