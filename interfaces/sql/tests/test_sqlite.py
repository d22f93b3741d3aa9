"""What SQLite refuses and allows, and what its values and transactions are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qwasr.values import Variant
from qwasr_sql.errors import AccessDenied, DoesNotFit, SqlError

if TYPE_CHECKING:
    from pathlib import Path

    from qwasr_sql._database import SqliteDatabase

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


@pytest.mark.parametrize("function", ["last_insert_rowid()", "changes()", "TOTAL_CHANGES()"])
async def test_what_tells_of_another_statement_is_refused(db: SqliteDatabase, function: str) -> None:
    await db.execute("CREATE TABLE t (v)")
    for sql in (f"SELECT {function}", f"INSERT INTO t VALUES ({function})"):
        with pytest.raises(AccessDenied, match="RETURNING"):
            await db.query(sql)


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
