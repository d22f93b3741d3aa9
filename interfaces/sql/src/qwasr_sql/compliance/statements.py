"""Rules for single statements and for databases."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from qwasr.values import Variant
from qwasr_sql.compliance._tables import database, fresh_name, one_value, table
from qwasr_sql.errors import AccessDenied, NoSuchDatabase, SqlError, TooLarge
from qwasr_sql.limits import MAX_RESULT_BYTES, MAX_ROWS, MAX_VALUE_BYTES

if TYPE_CHECKING:
    from qwasr_sql.protocol import Sql

__all__ = ["StatementRules"]

_AT_ONCE = 40


class StatementRules:
    """What holds for each statement by itself."""

    async def test_what_was_written_is_read_by_the_next_call(self, backend: Sql) -> None:
        db = await database(backend)
        name = await table(db, "v TEXT")
        for number in range(20):
            await db.execute(f"INSERT INTO {name} (v) VALUES ($1)", [Variant("str", f"v{number}")])
            assert len((await db.query(f"SELECT v FROM {name}")).rows) == number + 1

    async def test_execute_says_how_many_rows_it_changed(self, backend: Sql) -> None:
        db = await database(backend)
        name = await table(db, "v INTEGER")
        assert await db.execute(f"INSERT INTO {name} (v) VALUES (1), (2), (3)") == 3
        assert await db.execute(f"UPDATE {name} SET v = v + 1 WHERE v > 1") == 2
        assert await db.execute(f"UPDATE {name} SET v = 0 WHERE v > 9") == 0
        assert await db.execute(f"DELETE FROM {name} WHERE v = 1") == 1
        assert await db.execute(f"DELETE FROM {name}") == 2

    async def test_execute_of_another_kind_changed_none(self, backend: Sql) -> None:
        db = await database(backend)
        name = await table(db, "v INTEGER")
        await db.execute(f"INSERT INTO {name} (v) VALUES (1), (2)")
        assert await db.execute(f"CREATE TABLE {fresh_name()} AS SELECT v FROM {name}") == 0
        assert await db.execute(f"SELECT v FROM {name}") == 0
        assert await db.execute(f"DROP TABLE {name}") == 0

    async def test_a_statement_that_writes_may_answer_with_rows(self, backend: Sql) -> None:
        db = await database(backend)
        name = await table(db, "v TEXT")
        found = await db.query(f"INSERT INTO {name} (v) VALUES ($1) RETURNING v", [Variant("str", "x")])
        assert (found.columns, found.rows) == (("v",), [[Variant("str", "x")]])
        assert len((await db.query(f"SELECT v FROM {name}")).rows) == 1, "it was run twice, or not at all"

    async def test_of_two_statements_in_one_call_neither_is_run(self, backend: Sql) -> None:
        db = await database(backend)
        name = await table(db, "v TEXT")
        text = f"INSERT INTO {name} (v) VALUES ('a'); INSERT INTO {name} (v) VALUES ('b')"
        for call in (db.execute, db.query):
            with pytest.raises(SqlError):
                await call(text)
        assert (await db.query(f"SELECT v FROM {name}")).rows == []

    async def test_a_semicolon_and_a_comment_at_the_end_are_no_statement(self, backend: Sql) -> None:
        db = await database(backend)
        name = await table(db, "v TEXT")
        assert await db.execute(f"INSERT INTO {name} (v) VALUES ('a'); -- the end") == 1

    @pytest.mark.parametrize(
        "sql", ["", "  ", "-- nothing", "SELEKT 1", "SELECT", "SELECT * FROM no_such_table_at_all"]
    )
    async def test_what_is_no_statement_is_an_error(self, backend: Sql, sql: str) -> None:
        db = await database(backend)
        for call in (db.execute, db.query):
            with pytest.raises(SqlError):
                await call(sql)

    @pytest.mark.parametrize("sql", ["BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT a", "RELEASE a", "END"])
    async def test_what_begins_or_ends_a_transaction_is_refused(self, backend: Sql, sql: str) -> None:
        db = await database(backend)
        name = await table(db, "v TEXT")
        for call in (db.execute, db.query):
            with pytest.raises(AccessDenied):
                await call(sql)
        async with db.transaction() as transaction:
            with pytest.raises(AccessDenied):
                await transaction.execute(sql)
            await transaction.execute(f"INSERT INTO {name} (v) VALUES ('b')")
        assert (await db.query(f"SELECT v FROM {name}")).rows == [[Variant("str", "b")]], "it was not refused"

    async def test_a_statement_is_done_whole_or_not_at_all(self, backend: Sql) -> None:
        db = await database(backend)
        name = await table(db, "v INTEGER PRIMARY KEY")
        await db.execute(f"INSERT INTO {name} (v) VALUES (3)")
        with pytest.raises(SqlError):
            await db.execute(f"INSERT INTO {name} (v) VALUES (1), (2), (3)")
        with pytest.raises(SqlError):
            await db.query(f"INSERT INTO {name} (v) VALUES (1), (2), (3) RETURNING v")
        assert [row[0].value for row in (await db.query(f"SELECT v FROM {name}")).rows] == [3]

    async def test_an_error_has_the_databases_code_and_message(self, backend: Sql) -> None:
        db = await database(backend)
        name = await table(db, "v INTEGER PRIMARY KEY")
        await db.execute(f"INSERT INTO {name} (v) VALUES (1)")
        with pytest.raises(SqlError) as caught:
            await db.execute(f"INSERT INTO {name} (v) VALUES (1)")
        assert caught.value.code, "there is no code"
        assert caught.value.code in str(caught.value)
        assert name in str(caught.value), "the message is not the database's own"

    async def test_a_statement_that_fails_harms_no_other(self, backend: Sql) -> None:
        db = await database(backend)
        name = await table(db, "v INTEGER PRIMARY KEY")

        async def insert(number: int) -> int:
            return await db.execute(f"INSERT INTO {name} (v) VALUES ($1)", [Variant("int32", number // 2)])

        results = await asyncio.gather(*(insert(number) for number in range(_AT_ONCE)), return_exceptions=True)
        assert sum(result == 1 for result in results) == _AT_ONCE // 2
        assert sum(isinstance(result, SqlError) for result in results) == _AT_ONCE // 2
        found = await one_value(db, f"SELECT count(*) FROM {name}")
        assert found.value == _AT_ONCE // 2
        assert await insert(2 * _AT_ONCE) == 1, "after an error nothing works"

    async def test_a_foreign_key_is_kept(self, backend: Sql) -> None:
        db = await database(backend)
        parent = await table(db, "v INTEGER PRIMARY KEY")
        child = await table(db, f"v INTEGER REFERENCES {parent} (v)")
        await db.execute(f"INSERT INTO {parent} (v) VALUES (1)")
        await db.execute(f"INSERT INTO {child} (v) VALUES (1)")
        with pytest.raises(SqlError):
            await db.execute(f"INSERT INTO {child} (v) VALUES (2)")
        with pytest.raises(SqlError):
            await db.execute(f"DELETE FROM {parent}")

    async def test_a_result_of_too_many_rows_is_an_error_and_changes_nothing(self, backend: Sql) -> None:
        db = await database(backend)
        name = await table(db, "v INTEGER")
        many = f"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n <= {MAX_ROWS}) SELECT n FROM r"
        for sql in (many, f"INSERT INTO {name} (v) {many} RETURNING v"):
            with pytest.raises(TooLarge):
                await db.query(sql)
        assert (await one_value(db, f"SELECT count(*) FROM {name}")).value == 0

    async def test_a_result_of_too_many_bytes_is_an_error(self, backend: Sql) -> None:
        db = await database(backend)
        name = await table(db, "v TEXT")
        await db.execute(f"INSERT INTO {name} (v) VALUES ($1)", [Variant("str", "x" * (MAX_VALUE_BYTES // 2))])
        times = 2 * MAX_RESULT_BYTES // MAX_VALUE_BYTES
        many = f"WITH RECURSIVE r(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM r WHERE n < {times}) SELECT 1 FROM r"
        with pytest.raises(TooLarge):
            await db.query(f"SELECT v FROM {name}, ({many}) AS many")

    async def test_concurrent_statements_are_each_run_once(self, backend: Sql) -> None:
        db = await database(backend)
        name = await table(db, "v INTEGER")
        await db.execute(f"INSERT INTO {name} (v) VALUES (0)")
        await asyncio.gather(*(db.execute(f"UPDATE {name} SET v = v + 1") for _ in range(_AT_ONCE)))
        assert (await one_value(db, f"SELECT v FROM {name}")).value == _AT_ONCE

    async def test_a_database_is_shared_by_all_who_open_it(self, backend: Sql) -> None:
        one, other = await database(backend), await database(backend)
        name = await table(one, "v TEXT")
        await one.execute(f"INSERT INTO {name} (v) VALUES ('a')")
        assert len((await other.query(f"SELECT v FROM {name}")).rows) == 1

    async def test_a_database_that_is_not_there_is_an_error(self, backend: Sql) -> None:
        with pytest.raises(NoSuchDatabase):
            await backend.open_database(fresh_name())
