"""Rules for transactions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from qwasr_sql.compliance._tables import database, one_value, table
from qwasr_sql.errors import SqlError

if TYPE_CHECKING:
    from qwasr_sql.protocol import Database, Runner, Sql

__all__ = ["TransactionRules"]

_AT_ONCE = 8


class _Stop(Exception):
    """What a block raises to have its transaction rolled back."""


async def _counter(db: Database) -> str:
    name = await table(db, "v INTEGER")
    await db.execute(f"INSERT INTO {name} (v) VALUES (0)")
    return name


async def _value(runner: Runner, name: str) -> int:
    value: int = (await one_value(runner, f"SELECT v FROM {name}")).value
    return value


class TransactionRules:
    """What holds for transactions."""

    async def test_a_transaction_is_committed_at_its_end(self, backend: Sql) -> None:
        db = await database(backend)
        name = await _counter(db)
        async with db.transaction() as transaction:
            assert await transaction.execute(f"UPDATE {name} SET v = 1") == 1
            assert await transaction.execute(f"UPDATE {name} SET v = v + 1") == 1
        assert await _value(db, name) == 2

    async def test_a_transaction_whose_block_raises_is_rolled_back(self, backend: Sql) -> None:
        db = await database(backend)
        name = await _counter(db)

        async def change() -> None:
            async with db.transaction() as transaction:
                await transaction.execute(f"UPDATE {name} SET v = 1")
                await transaction.query(f"UPDATE {name} SET v = 2 RETURNING v")
                raise _Stop

        with pytest.raises(_Stop):
            await change()
        assert await _value(db, name) == 0
        assert await db.execute(f"UPDATE {name} SET v = 3") == 1, "the database is of no use any more"
        assert await _value(db, name) == 3

    async def test_a_statement_that_fails_takes_the_transaction_with_it_when_it_is_raised(self, backend: Sql) -> None:
        db = await database(backend)
        name = await _counter(db)

        async def change() -> None:
            async with db.transaction() as transaction:
                await transaction.execute(f"UPDATE {name} SET v = 1")
                await transaction.execute("INSERT INTO no_such_table_at_all VALUES (1)")

        with pytest.raises(SqlError):
            await change()
        assert await _value(db, name) == 0

    async def test_a_transaction_sees_its_own_changes(self, backend: Sql) -> None:
        db = await database(backend)
        name = await _counter(db)
        async with db.transaction() as transaction:
            await transaction.execute(f"UPDATE {name} SET v = 1")
            assert await _value(transaction, name) == 1

    async def test_nobody_sees_a_change_before_its_commit(self, backend: Sql) -> None:
        db = await database(backend)
        name = await _counter(db)
        async with db.transaction() as transaction:
            await transaction.execute(f"UPDATE {name} SET v = 1")
            reading = asyncio.create_task(_value(db, name))  # it may wait for the commit
            await asyncio.wait([reading], timeout=0.1)
            seen_early = reading.done() and reading.result() != 0
            await transaction.execute(f"UPDATE {name} SET v = 2")
        assert not seen_early
        assert await reading in (0, 2)

    async def test_a_transaction_sees_the_database_as_it_was_at_its_begin(self, backend: Sql) -> None:
        db = await database(backend)
        name = await _counter(db)
        async with db.transaction() as transaction:
            assert await _value(transaction, name) == 0
            writing = asyncio.create_task(db.execute(f"UPDATE {name} SET v = 5"))  # it may wait for the end
            await asyncio.wait([writing], timeout=0.1)
            assert await _value(transaction, name) == 0
        await writing
        assert await _value(db, name) == 5

    async def test_transactions_at_the_same_time_lose_no_change(self, backend: Sql) -> None:
        db = await database(backend)
        name = await _counter(db)

        async def count() -> bool:
            try:
                async with db.transaction() as transaction:
                    await transaction.execute(f"UPDATE {name} SET v = v + 1")
                    await asyncio.sleep(0)
                    await transaction.execute(f"UPDATE {name} SET v = v + 1")
            except SqlError:  # some databases have one of two give way
                return False
            return True

        counted = sum(await asyncio.gather(*(count() for _ in range(_AT_ONCE))))
        assert counted
        assert await _value(db, name) == 2 * counted

    async def test_a_cancelled_transaction_is_rolled_back(self, backend: Sql) -> None:
        db = await database(backend)
        name = await _counter(db)
        begun = asyncio.Event()

        async def change() -> None:
            async with db.transaction() as transaction:
                await transaction.execute(f"UPDATE {name} SET v = 1")
                begun.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(change())
        await asyncio.wait_for(begun.wait(), 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.wait_for(_value(db, name), 10) == 0
        assert await asyncio.wait_for(db.execute(f"UPDATE {name} SET v = 2"), 10) == 1

    async def test_transactions_cancelled_at_any_moment_leave_all_of_it_or_nothing(self, backend: Sql) -> None:
        db = await database(backend)
        name = await _counter(db)

        between = asyncio.Event()

        async def change() -> None:
            async with db.transaction() as transaction:
                await transaction.execute(f"UPDATE {name} SET v = v + 1")
                between.set()
                await asyncio.sleep(0)
                await transaction.execute(f"UPDATE {name} SET v = v + 1")

        for turns in range(25):
            between.clear()
            task = asyncio.create_task(change())
            if turns == 0:
                async with asyncio.timeout(10):  # the very next turn is between the two statements
                    await between.wait()
            for turn in range(turns):
                await asyncio.sleep(0 if turn < 8 else 0.0003)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert await asyncio.wait_for(_value(db, name), 10) % 2 == 0, "half of a transaction was committed"
        before = await _value(db, name)
        await change()
        assert await _value(db, name) == before + 2

    async def test_a_transaction_that_is_over_takes_no_more(self, backend: Sql) -> None:
        db = await database(backend)
        name = await _counter(db)
        async with db.transaction() as transaction:
            pass
        with pytest.raises(SqlError):
            await transaction.execute(f"UPDATE {name} SET v = 1")
        async with db.transaction():
            with pytest.raises(SqlError):  # nor does it become part of another one
                await transaction.execute(f"UPDATE {name} SET v = 1")
        assert await _value(db, name) == 0
