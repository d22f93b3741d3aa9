"""What can be wrong with statements and databases."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from interfaces.sql.tests.wrong import WrongDatabase
from qwasr_sql.errors import SqlError, TooLarge
from qwasr_sql.protocol import Rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwasr.values import Variant
    from qwasr_sql._database import SqliteDatabase


class StaleReads(WrongDatabase):
    breaks = ("test_what_was_written_is_read_by_the_next_call",)

    def __init__(self, right: SqliteDatabase) -> None:
        super().__init__(right)
        self.seen: dict[str, Rows] = {}

    async def query(self, sql: str, params: Sequence[Variant] = ()) -> Rows:
        rows = await self.right.query(sql, params)
        return self.seen.setdefault(sql, rows)


class AlwaysOne(WrongDatabase):
    breaks = ("test_execute_says_how_many_rows_it_changed",)

    async def execute(self, sql: str, params: Sequence[Variant] = ()) -> int:
        await self.right.execute(sql, params)
        return 1


class LastCount(WrongDatabase):
    breaks = ("test_execute_of_another_kind_changed_none",)
    last = 0

    async def execute(self, sql: str, params: Sequence[Variant] = ()) -> int:
        self.last = await self.right.execute(sql, params) or self.last
        return self.last


class RunsTwice(WrongDatabase):
    breaks = ("test_a_statement_that_writes_may_answer_with_rows",)

    async def query(self, sql: str, params: Sequence[Variant] = ()) -> Rows:
        await self.right.query(sql, params)
        return await self.right.query(sql, params)


class SplitsStatements(WrongDatabase):
    breaks = ("test_of_two_statements_in_one_call_neither_is_run",)

    async def execute(self, sql: str, params: Sequence[Variant] = ()) -> int:
        return sum([await self.right.execute(part, params) for part in sql.split(";")])


class RefusesSemicolons(WrongDatabase):
    breaks = ("test_a_semicolon_and_a_comment_at_the_end_are_no_statement",)

    async def execute(self, sql: str, params: Sequence[Variant] = ()) -> int:
        if ";" in sql:
            msg = "one statement"
            raise SqlError(msg)
        return await self.right.execute(sql, params)


class IgnoresWhatItCannotRead(WrongDatabase):
    breaks = (
        "test_what_is_no_statement_is_an_error[]",
        "test_what_is_no_statement_is_an_error[  ]",
        "test_what_is_no_statement_is_an_error[-- nothing]",
        "test_what_is_no_statement_is_an_error[SELEKT 1]",
        "test_what_is_no_statement_is_an_error[SELECT]",
        "test_what_is_no_statement_is_an_error[SELECT * FROM no_such_table_at_all]",
    )

    async def execute(self, sql: str, params: Sequence[Variant] = ()) -> int:
        try:
            return await self.right.execute(sql, params)
        except SqlError:
            return 0


class LetsTransactionsThrough(WrongDatabase):
    breaks = tuple(
        f"test_what_begins_or_ends_a_transaction_is_refused[{sql}]"
        for sql in ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT a", "RELEASE a", "END")
    )

    async def execute(self, sql: str, params: Sequence[Variant] = ()) -> int:
        return 0 if len(sql) < 12 else await self.right.execute(sql, params)


class RowByRow(WrongDatabase):
    breaks = ("test_a_statement_is_done_whole_or_not_at_all",)

    async def execute(self, sql: str, params: Sequence[Variant] = ()) -> int:
        start, values, rows = sql.partition("VALUES ")
        parts = [f"{start}{values}{row}" for row in re.findall(r"\([^)]*\)", rows)] or [sql]
        return sum([await self.right.execute(part, params) for part in parts])


class Vague(WrongDatabase):
    breaks = ("test_an_error_has_the_databases_code_and_message",)

    async def execute(self, sql: str, params: Sequence[Variant] = ()) -> int:
        try:
            return await self.right.execute(sql, params)
        except SqlError:
            msg = "it did not work"
            raise SqlError(msg) from None


class DoesNotRecover(WrongDatabase):
    breaks = ("test_a_statement_that_fails_harms_no_other",)
    failed = False

    async def execute(self, sql: str, params: Sequence[Variant] = ()) -> int:
        if self.failed:
            msg = "current transaction is aborted"
            raise SqlError(msg)
        try:
            return await self.right.execute(sql, params)
        except SqlError:
            self.failed = True
            raise


class HasNoBounds(WrongDatabase):
    """Lets through whatever there is of it."""

    breaks = (
        "test_a_result_of_too_many_rows_is_an_error_and_changes_nothing",
        "test_a_result_of_too_many_bytes_is_an_error",
    )

    async def query(self, sql: str, params: Sequence[Variant] = ()) -> Rows:
        try:
            return await self.right.query(sql, params)
        except TooLarge:
            return Rows(("v",), [])


class IsTooLargeTooLate(WrongDatabase):
    """Finds out when the statement is through already."""

    breaks = ("test_a_result_of_too_many_rows_is_an_error_and_changes_nothing",)

    async def query(self, sql: str, params: Sequence[Variant] = ()) -> Rows:
        if sql.startswith("INSERT") and "RECURSIVE" in sql:
            await self.right.execute(sql, params)
        return await self.right.query(sql, params)


class DeletesTooFew(WrongDatabase):
    """Is wrong only where something happened before."""

    breaks = ("test_statements_in_any_order_do_what_a_model_does",)

    async def query(self, sql: str, params: Sequence[Variant] = ()) -> Rows:
        return await self.right.query(sql.replace("WHERE id <= $1", "WHERE id <= $1 AND id <> 3"), params)


class NoForeignKeys(WrongDatabase):
    breaks = ("test_a_foreign_key_is_kept",)

    async def execute(self, sql: str, params: Sequence[Variant] = ()) -> int:
        return await self.right.execute(sql.partition(" REFERENCES")[0] + ")" * ("REFERENCES" in sql), params)


class LosesConcurrentOnes(WrongDatabase):
    breaks = ("test_concurrent_statements_are_each_run_once",)
    running = 0

    async def execute(self, sql: str, params: Sequence[Variant] = ()) -> int:
        self.running += 1
        try:
            await asyncio.sleep(0)
            return 1 if self.running > 10 else await self.right.execute(sql, params)
        finally:
            self.running -= 1
