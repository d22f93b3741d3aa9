"""SQL: selecting and inserting one row through a guest, beside sqlite3 without one.

Bare sqlite3 is called in this thread, one statement after another, with the same text and the same settings of the
file; nothing is faster, and it would stop an event loop meanwhile. Guests run their statements in a loop, so many of
them at once; then with a fresh instance for each statement.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

from bench.report import Cell, Table, ratio
from interfaces.sql.tests.guest_text import GUEST

__all__ = ["measure"]

_IN_FLIGHT: Final = (1, 16, 128)
_ROUNDS: Final = 3
_ROWS: Final = 10_000
_TABLE: Final = "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price REAL)"
_FILL: Final = (
    f"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r LIMIT {_ROWS}) "  # noqa: S608 - a number
    "INSERT INTO t (name, price) SELECT 'name ' || n, n / 4.0 FROM r"
)
_STATEMENTS: Final = {
    "select": "SELECT * FROM t WHERE id = 5000",
    "insert": "INSERT INTO t (name, price) VALUES ('another name', 1.25)",
}
_COLUMNS: Final = [
    "operation",
    "in",
    "in flight",
    "bare µs",
    "guest µs",
    "bare/s",
    "guest/s",
    "guest / bare",
    "fresh/s",
]
Work = Callable[[int], Awaitable[None]]
"""Runs a statement so many times, one after another."""


def measure(seconds: float) -> Table:
    """Return the table.

    Args:
        seconds: about how long each load lasts.
    """
    table = Table("SQLite: through a guest, and without", list(_COLUMNS))
    with tempfile.TemporaryDirectory() as folder:
        for where, path in (("memory", None), ("file", Path(folder) / "guest.db")):
            asyncio.run(_measure(table, where, path, seconds / _ROUNDS))
    table.notes += [
        f"medians of {_ROUNDS} turns; µs: of one statement as one of those in flight sees it; {_ROWS} rows at first",
        "bare: Python's sqlite3, one after another in this thread; files with a write-ahead log, synchronous normal",
        "fresh: a new instance for each statement",
    ]
    return table


async def _measure(table: Table, where: str, path: Path | None, turn_s: float) -> None:
    from qwasr.runtime import Runtime

    bare = _bare(None if path is None else path.with_name("bare.db"))
    environ = {"QWASR_CACHE_DIR": "off", "QWASR_CONCURRENCY": str(max(_IN_FLIGHT))}
    environ["SQL_DATABASE"] = ":memory:" if path is None else str(path)
    try:
        async with Runtime(GUEST, environ=environ) as runtime:
            for sql in (_TABLE, _FILL):
                await runtime.call(None, "exec", "", sql, [])

            async def guest(sql: str, reads: bool, times: int) -> None:
                failed = await runtime.call(None, "series", sql, reads, times)
                if failed:
                    msg = f"{failed} of {times} statements failed: {sql}"
                    raise RuntimeError(msg)

            for operation, sql in _STATEMENTS.items():
                reads = operation == "select"
                bare_s = await _median(partial(_loop, bare, sql), 1, turn_s)
                for in_flight in _IN_FLIGHT:
                    guest_s = await _median(partial(guest, sql, reads), in_flight, turn_s)
                    fresh_s = await _median(partial(_fresh, guest, sql, reads), in_flight, turn_s)
                    table.rows.append(_row(operation, where, in_flight, bare_s, guest_s, fresh_s))
    finally:
        bare.close()


def _row(operation: str, where: str, in_flight: int, bare_s: float, guest_s: float, fresh_s: float) -> list[Cell]:
    return [
        operation,
        where,
        str(in_flight),
        bare_s * 1e6,
        guest_s * 1e6,
        1 / bare_s,
        in_flight / guest_s,
        ratio(in_flight / guest_s, 1 / bare_s),
        in_flight / fresh_s,
    ]


def _bare(path: Path | None) -> sqlite3.Connection:
    bare = sqlite3.connect(":memory:" if path is None else path, isolation_level=None)
    if path is not None:
        bare.execute("PRAGMA journal_mode = wal")
        bare.execute("PRAGMA synchronous = normal")
    bare.execute(_TABLE)
    bare.execute(_FILL)
    return bare


async def _loop(bare: sqlite3.Connection, sql: str, times: int) -> None:
    for _ in range(times):
        bare.execute(sql).fetchall()


async def _fresh(guest: Callable[[str, bool, int], Awaitable[None]], sql: str, reads: bool, times: int) -> None:
    for _ in range(times):
        await guest(sql, reads, 1)


async def _median(work: Work, in_flight: int, turn_s: float) -> float:
    """Return the seconds that one of those in flight waits for one statement."""
    count = max(5, round(20 * turn_s / await _turn(work, in_flight, 20)))
    return median([await _turn(work, in_flight, count) / count for _ in range(_ROUNDS)])


async def _turn(work: Work, in_flight: int, times: int) -> float:
    began_s = time.perf_counter()
    await asyncio.gather(*(work(times) for _ in range(in_flight)))
    return time.perf_counter() - began_s
