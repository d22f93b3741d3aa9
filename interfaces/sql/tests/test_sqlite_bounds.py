"""What a statement in SQLite costs at most: time, memory, the size of its result and of the database."""

from __future__ import annotations

import asyncio
import time
from itertools import product
from typing import TYPE_CHECKING

import apsw
import pytest

from interfaces.sql.tests.databases import begun, opened
from qwasr.errors import BackendError
from qwasr.values import Variant
from qwasr_sql._session import Session
from qwasr_sql._statements import query
from qwasr_sql.errors import SqlError, TooLarge
from qwasr_sql.sqlite import Sqlite, SqliteOptions

if TYPE_CHECKING:
    from pathlib import Path

    from qwasr_sql._database import SqliteDatabase

ENDLESS = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r"


async def test_a_result_that_is_too_large_is_an_error_and_leaves_nothing_behind(path: Path) -> None:
    async with opened(path, max_rows=10, max_result_bytes=4096) as db:
        await db.execute("CREATE TABLE t (v TEXT)")
        many = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r LIMIT 11) SELECT 'x' FROM r"
        for sql in (
            f"INSERT INTO t {many} RETURNING v",
            "INSERT INTO t VALUES (hex(zeroblob(4096))) RETURNING v",
            many,
            "SELECT hex(zeroblob(4096))",
        ):
            with pytest.raises(TooLarge, match="QWASR_SQL_MAX_"):
                await db.query(sql)
        assert (await db.query("SELECT * FROM t")).rows == []
        async with db.transaction() as transaction:
            await transaction.execute("INSERT INTO t VALUES ('first')")
            with pytest.raises(TooLarge):
                await transaction.query(f"INSERT INTO t {many} RETURNING v")
        assert (await db.query("SELECT * FROM t")).rows == [[Variant("str", "first")]]


async def test_a_read_that_failed_holds_on_to_no_old_state(path: Path) -> None:
    async with opened(path, max_rows=1, readers=1) as db:
        await db.execute("CREATE TABLE t (v)")
        await db.execute("INSERT INTO t VALUES (1), (2)")
        with pytest.raises(TooLarge) as kept:
            await db.query("SELECT v FROM t")
        await db.execute("DELETE FROM t WHERE v = 1")
        assert (await db.query("SELECT v FROM t")).rows == [[Variant("int64", 2)]]
        assert kept.value is not None


@pytest.mark.parametrize("where", ["memory", "file"])
async def test_a_database_is_no_larger_than_it_may_be(path: Path, where: str) -> None:
    size = {"memory_bytes": 2**20} if where == "memory" else {"max_bytes": 2**20}
    async with opened(":memory:" if where == "memory" else path, **size) as db:
        await db.execute("CREATE TABLE t (v)")
        with pytest.raises(SqlError, match="SQLITE_FULL"):
            await db.execute("INSERT INTO t VALUES (zeroblob(2000000))")
        assert await db.execute("INSERT INTO t VALUES (zeroblob(100000))") == 1


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT zeroblob(100000000)",
        "SELECT length(replace(hex(zeroblob(9000000)), '0', 'xx'))",
        f"SELECT 'a' LIKE '{'%a' * 600}'",
        "SELECT length(trim(hex(zeroblob(100000)), hex(randomblob(100000))))",
        "SELECT ltrim(zeroblob(100000), randomblob(100000))",
        "SELECT RTRIM(zeroblob(100000), randomblob(100000))",
        "SELECT instr(zeroblob(2000000), randomblob(1000000))",
        "SELECT replace(zeroblob(2000000), randomblob(1000000), '')",
        "SELECT unhex(hex(randomblob(100000)), hex(randomblob(100000)))",
        "SELECT json_patch('{}', '{}')",
        f"SELECT json_set('[]'{', 1, 2' * 100})",
        f"SELECT {', '.join(['randomblob(4000000)'] * 60)}",
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT randomblob(9999) v FROM r ORDER BY v",
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION SELECT n + 1 FROM r) SELECT n FROM r GROUP BY hex(randomblob(10000))",
        f"SELECT {'(' * 20_000}1{')' * 20_000}",
        f"SELECT {' + '.join(['1'] * 5000)}",
    ],
)
async def test_what_would_take_too_much_of_the_host_is_an_error(db: SqliteDatabase, sql: str) -> None:
    with pytest.raises(SqlError):
        await db.query(sql)
    assert len((await db.query("SELECT 1")).rows) == 1


@pytest.mark.parametrize(
    "slow",
    [
        ENDLESS.replace("count(*)", "sum(length(replace(hex(randomblob(1000000)), '0', '11')))"),
        f"SELECT {', '.join(['trim(zeroblob(4000), randomblob(4000))'] * 1000)}",  # no step where SQLite looks up
    ],
)
async def test_a_statement_of_slow_steps_is_stopped_as_well(db: SqliteDatabase, slow: str) -> None:
    call = asyncio.create_task(db.query(slow))
    worker = db._reader or db._writer
    await begun(worker)
    call.cancel()
    began_s = time.monotonic()
    while worker._running:  # noqa: ASYNC110 - a thread tells nobody when it is free
        await asyncio.sleep(0.01)
    assert time.monotonic() - began_s < 5, "it ran on"


async def test_guarded_functions_are_sqlites_own(db: SqliteDatabase) -> None:
    plain = apsw.Connection(":memory:")
    values = ("NULL", "''", "'aXbXa'", "'a'", "x'61'", "x''", "12.50", "1e20", "-7", "'é🗝'", "x'610061'", "'4 1-42'")
    for function in ("trim", "ltrim", "rtrim", "instr", "unhex"):
        for first, second in product(values, values):
            sql = f"SELECT typeof({function}({first}, {second})), {function}({first}, {second})"
            assert [cell.value for cell in (await db.query(sql)).rows[0]] == list(plain.execute(sql).get), sql
    for first, second, third in product(values, values, ("NULL", "''", "1.50", "'ö'")):
        sql = f"SELECT hex(replace({first}, {second}, {third}))"
        assert (await db.query(sql)).rows[0][0].value == plain.execute(sql).get, sql
    plain.close()


async def test_a_schema_may_use_guarded_functions(db: SqliteDatabase) -> None:
    await db.execute("CREATE TABLE t (v TEXT, w TEXT AS (trim(v, '-')) STORED, CHECK (instr(v, '+') = 0))")
    await db.execute("CREATE INDEX i ON t (replace(v, '-', ''))")
    await db.execute("INSERT INTO t VALUES ('-a-')")
    assert (await db.query("SELECT w FROM t WHERE replace(v, '-', '') = 'a'")).rows == [[Variant("str", "a")]]
    with pytest.raises(SqlError, match="SQLITE_CONSTRAINT_CHECK"):
        await db.execute("INSERT INTO t VALUES ('+')")


async def test_what_sqlite_takes_of_memory_is_given_back_with_its_databases(path: Path) -> None:
    before = apsw.hard_heap_limit(-1)
    async with opened(path):
        assert apsw.hard_heap_limit(-1) > before
    assert apsw.hard_heap_limit(-1) == before
    with pytest.raises(BackendError):
        await Sqlite.connect(SqliteOptions(database=str(path.parent)))
    assert apsw.hard_heap_limit(-1) == before


def test_a_statement_that_is_cancelled_before_it_begins_is_stopped_as_well() -> None:
    session = Session(None, SqliteOptions(), writes=True)
    session.begin()
    session.cancel()
    with pytest.raises(SqlError, match="SQLITE_INTERRUPT"):
        query(session, ENDLESS.replace("n + 1 FROM r)", "n + 1 FROM r LIMIT 3000000)"), [])
    session.begin()
    assert query(session, "SELECT 7", []).rows == [[Variant("int64", 7)]]
    session.close()


async def test_many_different_statements_are_not_all_kept(db: SqliteDatabase) -> None:
    for number in range(300):
        await db.query(f"SELECT {number}")
    worker = db._reader or db._writer
    known = await worker.run(lambda session: len(session.known))
    assert 0 < known <= 128
