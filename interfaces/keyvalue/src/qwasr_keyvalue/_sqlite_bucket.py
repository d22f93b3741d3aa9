"""One bucket of the SQLite backend: each method is one job of a thread, and so one transaction."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from qwasr_keyvalue import counters
from qwasr_keyvalue.errors import InvalidCursor
from qwasr_keyvalue.protocol import KeyPage, Snapshot

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from qwasr.sqlite import Threads

__all__ = ["SqliteBucket", "probe"]

PAGE_KEYS: Final = 1000
_MAX_NUMBER: Final = 2**63 - 1
_CURSOR_DIGITS: Final = 19
_LIVE: Final = " FROM entries WHERE bucket = ? AND key = ? AND (expires_at IS NULL OR expires_at > ?)"
_FIND: Final = "SELECT number, revision, value" + _LIVE
_GET: Final = "SELECT value" + _LIVE
_EXISTS: Final = "SELECT 1" + _LIVE
_TTL: Final = "SELECT expires_at" + _LIVE
_SET: Final = (
    "INSERT INTO entries (bucket, key, value, expires_at) VALUES (?, ?, ?, ?) ON CONFLICT (bucket, key) "
    "DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at, revision = revision + 1"
)
_CHANGE: Final = "UPDATE entries SET value = ?, revision = revision + 1 WHERE number = ?"
_EXPIRE: Final = "UPDATE entries SET expires_at = ? WHERE number = ?"
_DELETE: Final = "DELETE FROM entries WHERE bucket = ? AND key = ?"
_LIST: Final = (
    "SELECT number, key FROM entries WHERE bucket = ? AND number > ? AND (expires_at IS NULL OR expires_at > ?) "
    "ORDER BY number LIMIT ?"
)


class _Row(NamedTuple):
    number: int
    revision: int
    value: bytes


class SqliteBucket:
    """A named set of keys in a SQLite file; opened by `Sqlite.open_bucket`."""

    __slots__ = ("_bucket", "_clock", "_threads", "identifier")

    def __init__(self, threads: Threads, identifier: str, clock: Callable[[], float]) -> None:
        self.identifier = identifier
        self._bucket = identifier.encode()
        self._threads = threads
        self._clock = clock

    async def get(self, key: str) -> bytes | None:
        """Return the value."""
        place = (self._bucket, key.encode(), self._clock())
        return await self._threads.read(lambda file: _value(file, place))

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        """Set the value and when it expires."""
        expires_at = self._expires_at(ttl_s)
        row = (self._bucket, key.encode(), bytes(value), expires_at)
        if ttl_s is not None and ttl_s <= 0:
            await self._threads.write(lambda file: _run(file, _DELETE, row[:2]))
        else:
            await self._threads.write(lambda file: _run(file, _SET, row))

    async def delete(self, key: str) -> bool:
        """Delete the key."""
        place = (self._bucket, key.encode(), self._clock())

        def work(file: sqlite3.Connection) -> bool:
            there = file.execute(_EXISTS, place).fetchone() is not None
            file.execute(_DELETE, place[:2])
            return there

        return await self._threads.write(work)

    async def exists(self, key: str) -> bool:
        """Return whether the key exists."""
        place = (self._bucket, key.encode(), self._clock())
        return await self._threads.read(lambda file: file.execute(_EXISTS, place).fetchone() is not None)

    async def list_keys(self, cursor: str | None = None) -> KeyPage:
        """Return up to 1000 keys, in the order they were made; the cursor is the last one's number."""
        start = (self._bucket, _number(cursor), self._clock(), PAGE_KEYS + 1)
        rows = await self._threads.read(lambda file: file.execute(_LIST, start).fetchall())
        page = rows[:PAGE_KEYS]
        return KeyPage([key.decode() for _, key in page], str(page[-1][0]) if len(rows) > PAGE_KEYS else None)

    async def increment(self, key: str, delta: int) -> int:
        """Add to a counter."""
        place = (self._bucket, key.encode(), self._clock())

        def work(file: sqlite3.Connection) -> int:
            row = _find(file, place)
            total = counters.add(None if row is None else row.value, delta)
            _change(file, place, row, b"%d" % total)
            return total

        return await self._threads.write(work)

    async def snapshot(self, key: str) -> Snapshot:
        """Return the value and its revision."""
        place = (self._bucket, key.encode(), self._clock())
        return await self._threads.read(lambda file: _snapshot(_find(file, place)))

    async def swap(self, key: str, value: bytes, expected: Snapshot) -> Snapshot | None:
        """Set the value if the revision is still the expected one."""
        place, value = (self._bucket, key.encode(), self._clock()), bytes(value)

        def work(file: sqlite3.Connection) -> Snapshot | None:
            row = _find(file, place)
            now = _snapshot(row)
            if now.revision != expected.revision:
                return now
            _change(file, place, row, value)
            return None

        return await self._threads.write(work)

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the values in the order of the keys."""
        now_s = self._clock()
        places = [(self._bucket, key.encode(), now_s) for key in keys]
        return await self._threads.read(lambda file: [_value(file, place) for place in places])

    async def set_many(self, items: Sequence[tuple[str, bytes]]) -> None:
        """Set each key, all or none."""
        rows = [(self._bucket, key.encode(), bytes(value), None) for key, value in items]
        await self._threads.write(lambda file: _run_many(file, _SET, rows))

    async def delete_many(self, keys: Sequence[str]) -> None:
        """Delete each key, all or none."""
        places = [(self._bucket, key.encode()) for key in keys]
        await self._threads.write(lambda file: _run_many(file, _DELETE, places))

    async def ttl(self, key: str) -> float | None:
        """Return the seconds that the key has left."""
        place = (self._bucket, key.encode(), self._clock())
        row = await self._threads.read(lambda file: file.execute(_TTL, place).fetchone())
        if row is None:
            return None
        return math.inf if row[0] is None else float(row[0] - self._clock())

    async def expire(self, key: str, ttl_s: float | None) -> bool:
        """Set when the key expires."""
        place = (self._bucket, key.encode(), self._clock())
        expires_at = self._expires_at(ttl_s)

        def work(file: sqlite3.Connection) -> bool:
            row = _find(file, place)
            if row is None:
                return False
            if ttl_s is not None and ttl_s <= 0:
                file.execute(_DELETE, place[:2])
            else:
                file.execute(_EXPIRE, (expires_at, row.number))
            return True

        return await self._threads.write(work)

    def _expires_at(self, ttl_s: float | None) -> float | None:
        return None if ttl_s is None or ttl_s == math.inf else self._clock() + ttl_s


def probe(file: sqlite3.Connection) -> None:
    """Read something."""
    file.execute("SELECT number FROM entries LIMIT 1").fetchone()


def _find(file: sqlite3.Connection, place: tuple[bytes, bytes, float]) -> _Row | None:
    row = file.execute(_FIND, place).fetchone()
    return None if row is None else _Row(*row)


def _value(file: sqlite3.Connection, place: tuple[bytes, bytes, float]) -> bytes | None:
    row = file.execute(_GET, place).fetchone()
    return None if row is None else row[0]


def _snapshot(row: _Row | None) -> Snapshot:
    return Snapshot(None) if row is None else Snapshot(row.value, (row.number, row.revision))


def _change(file: sqlite3.Connection, place: tuple[bytes, bytes, float], row: _Row | None, value: bytes) -> None:
    """Set the value and leave alone when it expires; what is not there, or no longer, is made for ever."""
    if row is None:
        file.execute(_SET, (*place[:2], value, None))
    else:
        file.execute(_CHANGE, (value, row.number))


def _run(file: sqlite3.Connection, statement: str, row: tuple[object, ...]) -> None:
    file.execute(statement, row)


def _run_many(file: sqlite3.Connection, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
    file.executemany(statement, rows)


def _number(cursor: str | None) -> int:
    """Return the number of the key that the page before ended with."""
    if cursor is None:
        return 0
    if cursor.isascii() and cursor.isdigit() and len(cursor) <= _CURSOR_DIGITS and int(cursor) <= _MAX_NUMBER:
        return int(cursor)
    msg = "the cursor is none that a page of keys gave out"
    raise InvalidCursor(msg)
