"""The file survives the processes that write to it, and they share it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qwasr_sql.sqlite import Sqlite, SqliteOptions

if TYPE_CHECKING:
    from qwasr_sql._database import SqliteDatabase

WRITER = Path(__file__).with_name("writer.py")
WRITES = 3000


async def writer(path: Path, first: int, count: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, str(WRITER), str(path), str(first), str(count), stdout=asyncio.subprocess.PIPE
    )


async def opened(path: Path) -> tuple[Sqlite, SqliteDatabase]:
    backend = await Sqlite.connect(SqliteOptions(database=str(path)))
    return backend, await backend.open_database("")


@pytest.fixture
async def tables(path: Path) -> Path:
    backend, db = await opened(path)
    await db.execute("CREATE TABLE numbers (n INTEGER)")
    await db.execute("CREATE TABLE counter AS SELECT 0 AS n")
    await backend.close()
    return path


async def numbers(path: Path) -> tuple[list[int], int]:
    backend, db = await opened(path)
    found = (await db.query("SELECT n FROM numbers ORDER BY n")).rows
    counted = (await db.query("SELECT n FROM counter")).rows[0][0].value
    assert (await db.query("PRAGMA integrity_check")).rows[0][0].value == "ok"
    await backend.close()
    return [row[0].value for row in found], counted


@pytest.mark.parametrize("after", [1, 500])
async def test_every_acknowledged_transaction_is_there_whole_after_a_kill_in_the_middle(
    tables: Path, after: int
) -> None:
    process = await writer(tables, 0, WRITES)
    assert process.stdout is not None
    acknowledged = [await process.stdout.readline() for _ in range(after)]
    process.kill()
    acknowledged += (await process.stdout.read()).splitlines()
    await process.wait()
    assert len(acknowledged) < WRITES, "it was killed after its end"
    found, counted = await numbers(tables)
    assert {int(line) for line in acknowledged} <= set(found)
    assert counted == len(found), "half of a transaction is there"


async def test_three_processes_write_to_one_file_at_once_and_lose_nothing(tables: Path) -> None:
    processes = [await writer(tables, first, 200) for first in (0, 200, 400)]
    await asyncio.gather(*(process.communicate() for process in processes))
    assert [process.returncode for process in processes] == [0] * 3
    assert await numbers(tables) == (list(range(600)), 600)
