"""What SQLite refuses and allows, what its values and results are, what it costs at most."""

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
from qwasr_sql.errors import AccessDenied, DoesNotFit, SqlError, TooLarge
from qwasr_sql.sqlite import Sqlite, SqliteOptions

if TYPE_CHECKING:
    from pathlib import Path

    from qwasr_sql._database import SqliteDatabase

ENDLESS = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r"


@pytest.fixture
async def db(backend: Sqlite) -> SqliteDatabase:
    return await backend.open_database("")


# ------------------------------------------------------------------ what guests may not do


@pytest.mark.parametrize(
    "sql",
    [
        "ATTACH 'other.db' AS other",
        "ATTACH ':memory:' AS other",
        "DETACH main",
        "VACUUM",
        "VACUUM INTO 'copy.db'",
        "PRAGMA journal_mode",
        "PRAGMA journal_mode = delete",
        "PRAGMA writable_schema = 1",
        "PRAGMA foreign_keys = 0",
        "PRAGMA trusted_schema = 1",
        "PRAGMA query_only = 0",
        "PRAGMA temp_store_directory = '/'",
        "PRAGMA wal_checkpoint",
        "PRAGMA database_list",
        "SELECT * FROM pragma_database_list",
        "CREATE TEMP TABLE x (v)",
        "CREATE TABLE temp.x (v)",
        "CREATE TEMP VIEW x AS SELECT 1",
        "CREATE VIRTUAL TABLE x USING rtree (id, a, b)",
        "CREATE VIRTUAL TABLE x USING dbstat",
        "SELECT * FROM pragma_journal_mode",
        "SELECT load_extension('x')",
        "UPDATE sqlite_schema SET sql = ''",
        "INSERT INTO sqlite_schema VALUES (1, 2, 3, 4, 5)",
        'SELECT "misspelt" FROM t',
    ],
)
async def test_what_is_not_its_one_databases_business_is_refused(db: SqliteDatabase, sql: str, path: Path) -> None:
    await db.execute("CREATE TABLE t (v)")
    for call in (db.execute, db.query):
        with pytest.raises(SqlError):
            await call(sql)
    assert {file.name.partition("-")[0] for file in path.parent.iterdir()} <= {path.name}
    assert await db.execute("INSERT INTO t VALUES (1)") == 1


async def test_the_tables_behind_a_full_text_table_are_not_written_to(db: SqliteDatabase) -> None:
    await db.execute("CREATE VIRTUAL TABLE words USING fts5 (text)")
    with pytest.raises(SqlError, match="words_content may not be modified"):
        await db.execute("DELETE FROM words_content")


async def test_what_belongs_to_its_one_database_is_allowed(db: SqliteDatabase) -> None:
    for sql in (
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, w TEXT GENERATED ALWAYS AS (v || '!'))",
        "CREATE INDEX i ON t (v)",
        "CREATE VIEW view AS SELECT * FROM t",
        "CREATE TRIGGER trigger AFTER INSERT ON t BEGIN UPDATE t SET v = upper(v) WHERE id = new.id; END",
        "CREATE VIRTUAL TABLE words USING fts5 (text)",
        "INSERT INTO words VALUES ('one two')",
        "INSERT INTO t (v) VALUES ('a')",
        "ALTER TABLE t RENAME COLUMN v TO x",
        "ALTER TABLE t ADD COLUMN y INTEGER",
        "ANALYZE",
        "REINDEX",
        "PRAGMA user_version = 7",
        "DROP VIEW view",
        "EXPLAIN QUERY PLAN SELECT * FROM t WHERE x = 'A'",
    ):
        await db.execute(sql)
    assert (await db.query("SELECT x, w FROM t")).rows == [[Variant("str", "A"), Variant("str", "A!")]]
    assert (await db.query("SELECT text FROM words WHERE words MATCH 'two'")).rows[0][0].value == "one two"
    assert (await db.query("PRAGMA user_version")).rows == [[Variant("int64", 7)]]
    assert len((await db.query("SELECT * FROM pragma_table_info('t')")).rows) == 3
    assert (await db.query("PRAGMA integrity_check")).rows == [[Variant("str", "ok")]]


# ------------------------------------------------------------------ values


async def test_a_row_id_takes_whole_numbers_and_null_alone(db: SqliteDatabase) -> None:
    await db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
    for column in ("id", "rowid", "_rowid_", "oid"):
        for value in (Variant("str", "12"), Variant("double", -0.0), Variant("double", 0.5), Variant("str", "x")):
            with pytest.raises(SqlError):
                await db.execute(f"INSERT INTO t ({column}) VALUES (?)", [value])
    assert await db.execute("INSERT INTO t (id) VALUES (?)", [Variant("int32", None)]) == 1
    assert (await db.query("SELECT rowid FROM t")).rows == [[Variant("int64", 1)]]


async def test_columns_may_have_any_name(db: SqliteDatabase) -> None:
    await db.execute("CREATE TABLE 🗝é (🗝 INTEGER, É TEXT, é INTEGER, `a``b` INTEGER, 'it''s' INTEGER)")
    text = Variant("str", "0012")
    for column in ("🗝", "é", "`a``b`", '"it\'s"', "'it''s'", "[🗝]"):
        with pytest.raises(DoesNotFit):
            await db.execute(f"INSERT INTO 🗝é ({column}) VALUES (?)", [text])
    assert await db.execute("INSERT INTO 🗝é (É) VALUES (?)", [text]) == 1
    assert await db.execute("UPDATE 🗝é SET É = ?", [text]) == 1


async def test_what_sqlite_works_out_follows_its_own_rules(db: SqliteDatabase) -> None:
    await db.execute("CREATE TABLE t (n INTEGER, s TEXT)")
    await db.execute("INSERT INTO t (n, s) VALUES (? || '', ? + 0)", [Variant("str", "12"), Variant("str", "7")])
    assert (await db.query("SELECT n, s FROM t")).rows == [[Variant("int64", 12), Variant("str", "7")]]


async def test_a_text_that_is_not_utf8_is_an_error_and_its_bytes_can_be_had(db: SqliteDatabase) -> None:
    with pytest.raises(DoesNotFit, match="not UTF-8"):
        await db.query("SELECT CAST(x'FF41' AS TEXT)")
    found = await db.query("SELECT CAST(CAST(x'FF41' AS TEXT) AS BLOB)")
    assert found.rows == [[Variant("binary", b"\xffA")]]


async def test_a_statement_with_a_nul_is_an_error(db: SqliteDatabase) -> None:
    with pytest.raises(SqlError, match="NUL"):
        await db.query("SELECT 1\0; DROP TABLE t")


# ------------------------------------------------------------------ bounds


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


@pytest.mark.parametrize("function", ["last_insert_rowid()", "changes()", "TOTAL_CHANGES()"])
async def test_what_tells_of_another_statement_is_refused(db: SqliteDatabase, function: str) -> None:
    await db.execute("CREATE TABLE t (v)")
    for sql in (f"SELECT {function}", f"INSERT INTO t VALUES ({function})"):
        with pytest.raises(AccessDenied, match="RETURNING"):
            await db.query(sql)


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


# ------------------------------------------------------------------ transactions


async def test_after_a_statement_that_rolled_back_the_transaction_nothing_more_is_done(db: SqliteDatabase) -> None:
    await db.execute("CREATE TABLE t (v INTEGER PRIMARY KEY)")
    await db.execute("INSERT INTO t VALUES (1)")
    block = db.transaction()
    transaction = await block.__aenter__()
    await transaction.execute("INSERT INTO t VALUES (2)")
    with pytest.raises(SqlError, match="UNIQUE"):
        await transaction.execute("INSERT OR ROLLBACK INTO t VALUES (1)")
    with pytest.raises(SqlError, match="rolled the whole transaction back"):
        await transaction.execute("INSERT INTO t VALUES (3)")
    with pytest.raises(SqlError, match="rolled the whole transaction back"):
        await block.__aexit__(None, None, None)
    assert (await db.query("SELECT v FROM t")).rows == [[Variant("int64", 1)]]


async def test_a_refused_statement_is_refused_again_after_the_host_ran_its_own(db: SqliteDatabase) -> None:
    async with db.transaction():
        pass
    for _ in range(2):
        with pytest.raises(AccessDenied):
            await db.execute("BEGIN IMMEDIATE")
