"""What can be wrong with transactions, and with calls that are cancelled."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from interfaces.sql.tests.wrong import WrongDatabase
from qwasr_sql.errors import SqlError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from qwasr.values import Variant
    from qwasr_sql._database import SqliteDatabase
    from qwasr_sql.protocol import Rows


class Stop(Exception):
    """What rolls a right transaction back."""


class NeverCommits(WrongDatabase):
    breaks = ("test_a_transaction_is_committed_at_its_end",)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        try:
            async with self.right.transaction() as transaction:
                yield transaction
                raise Stop
        except Stop:
            pass


class CommitsAfter(WrongDatabase):
    """Commits in spite of an exception."""

    spares: type[BaseException] = Exception

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        reason = None
        async with self.right.transaction() as transaction:
            try:
                yield transaction
            except self.spares as error:
                reason = error
        if reason is not None:
            raise reason


class CommitsAlways(CommitsAfter):
    breaks = ("test_a_transaction_whose_block_raises_is_rolled_back",)


class CommitsAfterItsOwnErrors(CommitsAfter):
    breaks = ("test_a_statement_that_fails_takes_the_transaction_with_it_when_it_is_raised",)
    spares = SqlError


class CommitsWhenCancelled(CommitsAfter):
    breaks = ("test_a_cancelled_transaction_is_rolled_back",)
    spares = asyncio.CancelledError


class NoTransaction(WrongDatabase):
    breaks = (
        "test_nobody_sees_a_change_before_its_commit",
        "test_a_transaction_sees_the_database_as_it_was_at_its_begin",
        "test_transactions_cancelled_at_any_moment_leave_all_of_it_or_nothing",
        "test_a_transaction_that_is_over_takes_no_more",
    )

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        yield self.right


class ReadsBesideItself(WrongDatabase):
    """Keeps what is written for later, and reads without it."""

    breaks = ("test_a_transaction_sees_its_own_changes",)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        kept: list[str] = []
        right = self.right

        class Runner:
            async def query(self, sql: str, params: Sequence[Variant] = ()) -> Rows:
                return await right.query(sql, params)

            async def execute(self, sql: str, _params: Sequence[Variant] = ()) -> int:
                kept.append(sql)
                return 1

        yield Runner()
        async with right.transaction() as transaction:
            for sql in kept:
                await transaction.execute(sql)


class LosesTheSecond(WrongDatabase):
    breaks = ("test_transactions_at_the_same_time_lose_no_change",)
    waiting = 0

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        self.waiting += 1
        try:
            async with self.right.transaction() as transaction:
                yield transaction
                if self.waiting > 1:
                    raise Stop
        except Stop:
            pass
        finally:
            self.waiting -= 1


class RunsOn(WrongDatabase):
    breaks = ("test_a_cancelled_query_stops", "test_queries_cancelled_at_any_moment_stop")

    def __init__(self, right: SqliteDatabase) -> None:
        super().__init__(right)
        self.tasks: list[asyncio.Task[Rows]] = []

    async def query(self, sql: str, params: Sequence[Variant] = ()) -> Rows:
        self.tasks.append(asyncio.create_task(self.right.query(sql, params)))
        return await asyncio.shield(self.tasks[-1])


class KeepsHalf(WrongDatabase):
    breaks = ("test_a_cancelled_statement_changes_nothing",)

    async def execute(self, sql: str, params: Sequence[Variant] = ()) -> int:
        try:
            return await self.right.execute(sql, params)
        except asyncio.CancelledError:
            await self.right.execute(f"{sql} LIMIT 5")
            raise


class MixesAnswers(WrongDatabase):
    """The next call gets what a cancelled one asked for."""

    breaks = ("test_cancelled_calls_leave_others_their_own_answers",)

    def __init__(self, right: SqliteDatabase) -> None:
        super().__init__(right)
        self.answers: asyncio.Queue[Rows] = asyncio.Queue()
        self.tasks: set[asyncio.Task[None]] = set()

    async def query(self, sql: str, params: Sequence[Variant] = ()) -> Rows:
        async def ask() -> None:
            self.answers.put_nowait(await self.right.query(sql, params))

        task = asyncio.create_task(ask())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return await self.answers.get()
