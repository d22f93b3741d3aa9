"""Processes share the file of a broker, and what one has acknowledged survives that it is killed."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from pathlib import Path

import pytest

from qwasr_messaging import Policy, Sqlite, SqliteOptions

PROCESS = Path(__file__).with_name("broker_process.py")
COUNT = 3000


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """Give a file with a group."""
    path = tmp_path / "broker.db"
    broker = await Sqlite.connect(SqliteOptions(url=f"sqlite:///{path}"))
    await broker.subscribe("g", ["numbers"], Policy())
    await broker.close()
    return path


async def process(*arguments: object) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, str(PROCESS), *map(str, arguments), stdout=asyncio.subprocess.PIPE
    )


async def lines(running: asyncio.subprocess.Process) -> list[int]:
    output, _ = await running.communicate()
    return [int(line) for line in output.splitlines()]


async def handled(path: Path) -> list[int]:
    return await lines(await process("handle", path))


@pytest.mark.parametrize("after", [1, 500, 2000])
async def test_every_acknowledged_message_is_handled_after_the_publisher_was_killed(path: Path, after: int) -> None:
    publisher = await process("publish", path, 0, COUNT)
    assert publisher.stdout is not None
    published = [int(await publisher.stdout.readline()) for _ in range(after)]
    publisher.kill()
    published += [int(line) for line in (await publisher.stdout.read()).splitlines()]
    await publisher.wait()
    assert len(published) < COUNT, "it was killed after its end"
    found = await handled(path)
    assert len(found) == len(set(found)), "nothing comes twice"
    assert not set(published) - set(found), "something acknowledged is lost"
    assert len(set(found) - set(published)) <= 16, "sixteen were under way"
    file = sqlite3.connect(path)
    assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    file.close()


async def test_what_a_killed_handler_had_not_acknowledged_is_handled_by_another(path: Path) -> None:
    assert len(await lines(await process("publish", path, 0, COUNT))) == COUNT
    first = await process("handle", path)
    assert first.stdout is not None
    begun = [int(await first.stdout.readline()) for _ in range(COUNT // 3)]
    first.kill()
    begun += [int(line) for line in (await first.stdout.read()).splitlines()]
    await first.wait()
    rest = await handled(path)
    assert set(begun) | set(rest) == set(range(COUNT)), "something is lost"
    assert len(set(begun) & set(rest)) <= 16, "what was acknowledged came again"


async def test_two_publishers_and_two_handlers_share_a_file_and_nothing_is_lost_or_comes_twice(path: Path) -> None:
    handlers = [await process("handle", path) for _ in range(2)]
    publishers = [await process("publish", path, first, COUNT) for first in (0, COUNT)]
    for publisher in publishers:
        assert len(await lines(publisher)) == COUNT
    found = [await lines(handler) for handler in handlers]
    assert all(found), "one of them got nothing"
    assert sorted(found[0] + found[1]) == list(range(2 * COUNT))
