"""A database file that is moved, replaced or put back while it is open: nothing that was acknowledged is lost."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import apsw
import pytest

from interfaces.sql.tests.databases import opened
from qwasr.values import Variant
from qwasr_sql.compliance import SqlFaultCompliance
from qwasr_sql.errors import Unavailable
from qwasr_sql.sqlite import Sqlite, SqliteOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from qwasr_sql._database import SqliteDatabase

INSERT = "INSERT INTO t VALUES (?)"


class File:
    """A database file as a service: it is away while it has another name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.away = path.with_name("away.db")

    def kill(self) -> None:
        self.path.rename(self.away)

    def start(self) -> None:
        self.away.rename(self.path)


class TestFaults(SqlFaultCompliance):
    pauses = False
    fails_in_s = 5.0

    @pytest.fixture
    def service(self, path: Path) -> File:
        return File(path)

    @pytest.fixture
    async def backend(self, path: Path, service: File) -> AsyncIterator[Sqlite]:
        backend = await Sqlite.connect(SqliteOptions(database=str(path)))
        yield backend
        await backend.close()


@asynccontextmanager
async def filled(path: Path) -> AsyncIterator[SqliteDatabase]:
    async with opened(path) as db:
        await db.execute("CREATE TABLE t (v)")
        await db.execute(INSERT, [Variant("int32", 1)])
        yield db


# In functions of their own, since a test that is a coroutine does well not to touch the disk.


def move(path: Path, name: str) -> Path:
    return path.rename(path.with_name(name))


def exists(path: Path) -> bool:
    return path.exists()


def values(path: Path) -> list[int]:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    found = [row[0] for row in connection.execute("SELECT v FROM t ORDER BY v")]
    connection.close()
    return found


def replace(path: Path) -> None:
    """Put another database at the path, whose table has a 100."""
    other = path.with_name("other.db")
    connection = apsw.Connection(str(other))
    connection.execute("CREATE TABLE t (v)")
    connection.execute("INSERT INTO t VALUES (100)")
    connection.close()
    other.rename(path)


async def test_no_write_goes_to_a_file_that_is_not_at_its_path_any_more(path: Path) -> None:
    async with filled(path) as db:
        away = move(path, "away.db")
        for call in (db.execute(INSERT, [Variant("int32", 2)]), db.query("SELECT v FROM t"), db.check()):
            with pytest.raises(Unavailable, match="unavailable"):
                await call
        with pytest.raises(Unavailable):
            async with db.transaction():
                pass
        assert not exists(path), "an empty database took the place of the one that is missing"
        assert values(away) == [1], "what was acknowledged is lost"


async def test_a_file_that_took_the_place_of_another_is_opened(path: Path) -> None:
    async with filled(path) as db:
        os.link(path, path.with_name("kept.db"))
        await asyncio.to_thread(replace, path)
        with pytest.raises(Unavailable, match="replaced"):
            await db.execute(INSERT, [Variant("int32", 2)])
        assert await db.execute(INSERT, [Variant("int32", 3)]) == 1
        assert [row[0].value for row in (await db.query("SELECT v FROM t")).rows] == [100, 3]
    assert values(path) == [3, 100]
    assert values(path.with_name("kept.db")) == [1], "what was acknowledged before is lost"


async def test_a_file_that_is_moved_during_a_statement_fails_it(path: Path) -> None:
    async with filled(path) as db:
        async with db.transaction() as transaction:
            await transaction.execute(INSERT, [Variant("int32", 2)])
            away = move(path, "away.db")
            with pytest.raises(Unavailable):
                await transaction.execute(INSERT, [Variant("int32", 3)])
            move(away, path.name)
        assert [row[0].value for row in (await db.query("SELECT v FROM t")).rows] == [1, 2]


async def test_several_who_have_the_file_open_all_go_on_with_the_next_one(path: Path) -> None:
    names = SqliteOptions(database=str(path), databases={"SAME": str(path)})
    backend = await Sqlite.connect(names)
    one, same = await backend.open_database(""), await backend.open_database("same")
    await one.execute("CREATE TABLE t (v)")
    await same.execute(INSERT, [Variant("int32", 1)])
    os.link(path, path.with_name("kept.db"))
    await asyncio.to_thread(replace, path)
    for db in (one, same):
        with pytest.raises(Unavailable):
            await db.execute(INSERT, [Variant("int32", 2)])
    for number, db in enumerate((one, same, one, same)):
        assert await db.execute(INSERT, [Variant("int32", number)]) == 1
    await backend.close()
    assert values(path) == [0, 1, 2, 3, 100]
    assert values(path.with_name("kept.db")) == [1]


async def test_a_file_that_is_replaced_while_nobody_asks_for_it_keeps_what_was_acknowledged(path: Path) -> None:
    async with filled(path):
        away = move(path, "away.db")
    assert values(away) == [1]
