"""Rules for calls that nobody waits for any more: a guest ended, or the time of its call was up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

import pytest

from qwasr.values import Variant
from qwasr_sql.compliance._tables import database, one_value, table

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from qwasr_sql.protocol import Sql

__all__ = ["CancelledRules"]

_COUNT = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r)"
_CALLS = 30
_MANY = 12  # more than a backend has connections for one database, as a rule
_SOON_S = 5.0


class CancelledRules:
    """What holds when calls are cancelled.

    Attributes:
        endless: a query that takes longer than anybody waits.
    """

    endless: ClassVar[str] = f"{_COUNT} SELECT count(*) FROM r"

    async def test_a_cancelled_query_stops(self, backend: Sql) -> None:
        db = await database(backend)
        for _ in range(_MANY):  # if they ran on, no connection would be left
            await self._cut_off(db.query(self.endless))
        assert (await asyncio.wait_for(one_value(db, "SELECT 7"), _SOON_S)).value == 7

    async def test_queries_cancelled_at_any_moment_stop(self, backend: Sql) -> None:
        db = await database(backend)
        for turns in range(_MANY):
            task = asyncio.create_task(db.query(self.endless))
            for _ in range(turns):
                await asyncio.sleep(0.0001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert (await asyncio.wait_for(one_value(db, "SELECT 7"), _SOON_S)).value == 7

    async def test_a_cancelled_statement_changes_nothing(self, backend: Sql) -> None:
        db = await database(backend)
        name = await table(db, "v TEXT")
        values = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT 'n' || n FROM r"
        await self._cut_off(db.execute(f"INSERT INTO {name} (v) {values}"))
        await self._cut_off(db.query(f"INSERT INTO {name} (v) {values} RETURNING v"))
        assert (await asyncio.wait_for(one_value(db, f"SELECT count(*) FROM {name}"), _SOON_S)).value == 0
        assert await asyncio.wait_for(db.execute(f"INSERT INTO {name} (v) VALUES ('a')"), _SOON_S) == 1

    async def test_cancelled_calls_leave_others_their_own_answers(self, backend: Sql) -> None:
        db = await database(backend)
        name = await table(db, "v TEXT")
        for turns in range(6):
            tasks = [
                asyncio.create_task(
                    db.query(f"INSERT INTO {name} (v) VALUES ($1) RETURNING v", [Variant("str", f"v{number}")])
                    if number % 3 == 0
                    else db.query("SELECT $1", [Variant("str", f"v{number}")])
                )
                for number in range(_CALLS)
            ]
            for turn in range(turns):
                await asyncio.sleep(0 if turn < 3 else 0.0005)
            for task in tasks[::2]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            answers = [task.result().rows[0][0].value for task in tasks[1::2]]
            assert answers == [f"v{number}" for number in range(1, _CALLS, 2)], "answers are mixed up"

    async def _cut_off(self, call: Coroutine[Any, Any, object]) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(call, 0.05)
