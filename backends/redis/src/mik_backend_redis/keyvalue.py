"""Buckets: a bucket's entries are the plain values whose key begins with the bucket's name.

The entry ``key`` of ``bucket`` is the Redis key ``bucket:key``. The bucket's name is percent-encoded, so it has no
colon and no character that means something in a pattern; whatever the key has stays as it is. On a cluster it is
``{bucket}:key``: what stands in braces decides about the node, so a bucket is on one node, and a batch asks one node.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from mik_backend_redis.scripts import COMMAND, KEEP, SCAN, SWAP
from qwasr_keyvalue.errors import InvalidCursor
from qwasr_keyvalue.protocol import KeyPage, Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mik_backend_redis.client import Limit, Redis

__all__ = ["Pages", "RedisBucket", "prefix"]

_PAGE_KEYS: Final = 250  # what one SCAN looks at, and what a page has at least unless it is the last
_ROUNDS: Final = 20  # of SCAN for one page: where other buckets are large, pages may be empty
_LATEST: Final = 256  # pages that are remembered, of all listings
_BATCH_KEYS: Final = 1000  # of one command: Redis answers nobody else meanwhile
_CURSOR_DIGITS: Final = 20
_END: Final = 0
_LONGEST_MS: Final = 10**14  # 3000 years: beyond that an entry lives for ever
_NO_SUCH_KEY, _NO_EXPIRY = -2, -1


def prefix(identifier: str, *, tagged: bool) -> bytes:
    """Return what the keys of a bucket begin with.

    Args:
        identifier: the bucket's name.
        tagged: whether it decides about the node of a cluster.
    """
    name = quote(identifier, safe="")
    # Empty braces decide nothing; "%" alone is the name of no bucket.
    return f"{{{name or '%'}}}:".encode() if tagged else f"{name}:".encode()


class Pages:
    """The latest pages of listings that go on, as hashes of their keys: enough to leave out what comes twice."""

    def __init__(self) -> None:
        self._latest: dict[tuple[bytes, int], frozenset[int]] = {}

    def of(self, bucket: bytes, cursor: int) -> frozenset[int]:
        """Return the hashes of the page that gave out a cursor; none when it was too long ago."""
        return self._latest.get((bucket, cursor), frozenset())

    def note(self, bucket: bytes, cursor: int, keys: Iterable[str]) -> None:
        """Remember a page that gave out a cursor."""
        self._latest[bucket, cursor] = frozenset(map(hash, keys))
        if len(self._latest) > _LATEST:
            del self._latest[next(iter(self._latest))]


class RedisBucket:
    """A named set of keys in Redis; opened by `Redis.open_bucket`."""

    __slots__ = ("_prefix", "_redis", "identifier")

    def __init__(self, redis: Redis, prefix: bytes, identifier: str) -> None:
        self.identifier = identifier
        self._redis = redis
        self._prefix = prefix

    async def get(self, key: str) -> bytes | None:
        """Return the value."""
        value: bytes | None = await self._redis.call("GET", self._key(key), repeatable=True)
        return value

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        """Set the value and when it expires."""
        left_ms = _milliseconds(ttl_s)
        if left_ms == 0:
            await self.delete(key)
            return
        name = self._key(key)
        expiry = () if left_ms is None else ("PX", left_ms)
        await self._change([name], "SET", name, bytes(value), *expiry)

    async def delete(self, key: str) -> bool:
        """Delete the key."""
        name = self._key(key)
        return bool(await self._change([name], "UNLINK", name))

    async def exists(self, key: str) -> bool:
        """Return whether the key exists."""
        return bool(await self._redis.call("EXISTS", self._key(key), repeatable=True))

    async def list_keys(self, cursor: str | None = None) -> KeyPage:
        """Return one page of keys; the cursor is Redis' own.

        Redis promises every key that is there all the while at least once. When so much is deleted during the listing
        that it makes its table smaller, it begins again a little before the cursor: those keys are left out.
        """
        at = _END if cursor is None else _checked(cursor)
        before = self._redis.pages.of(self._prefix, at)
        found: dict[str, None] = {}
        pattern = self._prefix + b"*"  # nothing in the prefix means anything in a pattern
        limit = self._redis.limit()
        for _ in range(_ROUNDS):
            next_at, keys = await self._redis.run(
                SCAN, [self._prefix], at, pattern, _PAGE_KEYS, repeatable=True, limit=limit
            )
            for key in keys:
                if (text := self._text(key)) is not None and hash(text) not in before:
                    found[text] = None
            at = int(next_at)
            if at == _END:
                return KeyPage(list(found))
            if len(found) >= _PAGE_KEYS or limit.half_over:
                break  # what a slow network has brought is given out before the time for the call is over
        self._redis.pages.note(self._prefix, at, found)
        return KeyPage(list(found), str(at))

    async def increment(self, key: str, delta: int) -> int:
        """Add to a counter."""
        name = self._key(key)
        return int(await self._change([name], "INCRBY", name, delta))

    async def snapshot(self, key: str) -> Snapshot:
        """Return the value; there are no revisions, a swap compares it."""
        return Snapshot(await self.get(key))

    async def swap(self, key: str, value: bytes, expected: Snapshot) -> Snapshot | None:
        """Set the value if it is still the expected one."""
        swapped, *now = await self._redis.run(
            SWAP,
            [self._key(key)],
            self._redis.mark(self._prefix),
            int(expected.value is not None),
            expected.value or b"",
            bytes(value),
        )
        return None if swapped else Snapshot(now[0])

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the values in the order of the keys."""
        values: list[bytes | None] = []
        limit = self._redis.limit()
        for some in _batches(keys):
            values += await self._redis.call("MGET", *map(self._key, some), repeatable=True, limit=limit)
        return values

    async def set_many(self, items: Sequence[tuple[str, bytes]]) -> None:
        """Set each key."""
        limit = self._redis.limit()
        for some in _batches(items):
            pairs = [(self._key(key), bytes(value)) for key, value in some]
            names = [name for name, _ in pairs]
            await self._change(names, "MSET", *(part for pair in pairs for part in pair), limit=limit)

    async def delete_many(self, keys: Sequence[str]) -> None:
        """Delete each key."""
        limit = self._redis.limit()
        for some in _batches(keys):
            names = [self._key(key) for key in some]
            await self._change(names, "UNLINK", *names, limit=limit)

    async def ttl(self, key: str) -> float | None:
        """Return the seconds that the key has left."""
        left_ms = await self._redis.call("PTTL", self._key(key), repeatable=True)
        if left_ms == _NO_SUCH_KEY:
            return None
        return math.inf if left_ms == _NO_EXPIRY else left_ms / 1000

    async def expire(self, key: str, ttl_s: float | None) -> bool:
        """Set when the key expires."""
        left_ms = _milliseconds(ttl_s)
        if left_ms is None:
            return bool(await self._redis.run(KEEP, [self._key(key)]))
        if left_ms > 0:
            return bool(await self._redis.call("PEXPIRE", self._key(key), left_ms))
        return await self.delete(key)

    def _key(self, key: str) -> bytes:
        return self._prefix + key.encode()

    def _text(self, key: bytes) -> str | None:
        """Return a key as guests know it; `None` for one that another program wrote and that is no Unicode text."""
        try:
            return key[len(self._prefix) :].decode()
        except UnicodeDecodeError:
            return None

    async def _change(self, names: Sequence[bytes], *command: Any, limit: Limit | None = None) -> Any:
        """Send a command that changes these keys, marked as ours where someone listens."""
        mark = self._redis.mark(self._prefix)
        if mark:
            return await self._redis.run(COMMAND, names, mark, *command, limit=limit)
        return await self._redis.call(*command, limit=limit)


def _milliseconds(ttl_s: float | None) -> int | None:
    """Return a time to live as Redis keeps it, rounded up; `None` for ever."""
    if ttl_s is None or ttl_s * 1000 >= _LONGEST_MS:
        return None
    return math.ceil(max(0.0, ttl_s) * 1000)


def _checked(cursor: str) -> int:
    if cursor.isascii() and cursor.isdigit() and len(cursor) <= _CURSOR_DIGITS and 0 < int(cursor) < 2**64:
        return int(cursor)
    msg = "the cursor is none that a page of keys gave out"
    raise InvalidCursor(msg)


def _batches(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), _BATCH_KEYS):
        yield items[start : start + _BATCH_KEYS]
