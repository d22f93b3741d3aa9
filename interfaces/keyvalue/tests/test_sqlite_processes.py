"""The file survives the processes that write to it, and they share it."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qwasr_keyvalue.sqlite import Sqlite, SqliteOptions

if TYPE_CHECKING:
    from qwasr_keyvalue._sqlite_bucket import SqliteBucket

WRITER = Path(__file__).with_name("sqlite_writer.py")
WRITES = 5_000  # of a key and of the counter: 10 000 in all


async def writer(path: Path, first: int = 0, count: int = WRITES, *how: str) -> asyncio.subprocess.Process:
    command = [sys.executable, str(WRITER), str(path), str(first), str(count), *how]
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)


async def opened(path: Path) -> tuple[Sqlite, SqliteBucket]:
    store = await Sqlite.connect(SqliteOptions(url=f"sqlite:///{path}"))
    return store, await store.open_bucket("b")


@pytest.mark.parametrize("after", [1, 700, 2900])
async def test_every_acknowledged_write_is_there_after_a_kill_in_the_middle(tmp_path: Path, after: int) -> None:
    path = tmp_path / "store.db"
    process = await writer(path)
    assert process.stdout is not None
    acknowledged = [await process.stdout.readline() for _ in range(after)]
    process.kill()
    acknowledged += (await process.stdout.read()).splitlines()
    await process.wait()
    assert len(acknowledged) < WRITES, "it was killed after its end"
    numbers = [int(line) for line in acknowledged]
    store, bucket = await opened(path)
    assert await bucket.get_many([f"key-{number}" for number in numbers]) == [b"%d" % number for number in numbers]
    counted = int(await bucket.get("counter") or b"0")
    assert len(numbers) <= counted <= len(numbers) + 16, "sixteen were under way"
    await store.close()
    file = sqlite3.connect(path)
    assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    file.close()


async def test_four_processes_write_to_one_file_at_once_and_no_count_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    processes = [await writer(path, first) for first in range(0, 4 * WRITES, WRITES)]
    await asyncio.gather(*(process.communicate() for process in processes))
    assert [process.returncode for process in processes] == [0] * 4
    store, bucket = await opened(path)
    assert await bucket.get("counter") == b"%d" % (4 * WRITES)
    assert await bucket.get(f"key-{4 * WRITES - 1}") == b"%d" % (4 * WRITES - 1)
    await store.close()


async def test_two_processes_that_swap_one_key_never_both_win(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    processes = [await writer(path, 0, 2000, "swap") for _ in range(2)]
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    said = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    assert [process.returncode for process in processes] == [0, 0]
    assert sum(int(out) for out, _ in said) > 0, "they did not meet"
    store, bucket = await opened(path)
    assert await bucket.get("swapped") == b"4000"
    await store.close()
